//! Texts with holes. Every request of a profile is made of them; what may stand in a hole, and how it is escaped there,
//! is decided when the profile is loaded, so that no value can change the structure around it.
//!
//! A hole is `{name}` or `{name:escape}` without blanks; any other brace is a brace.

use std::fmt;

use serde::Deserialize;

/// A text with holes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Stands as it is.
    Text(String),
    /// Is filled for each request.
    Hole(Hole),
}

/// What is filled in, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// What.
    pub name: HoleName,
    /// How; none only where the hole stands alone or can hold nothing dangerous.
    pub escape: Option<Escape>,
}

/// What a hole is filled with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoleName {
    /// The id of one record.
    Id,
    /// The address or number that is looked for.
    Value,
    /// The instant from which on changes are wanted.
    Since,
    /// The names of the wanted members; generated from policy and profile.
    Select,
    /// Records a page.
    Size,
    /// Records before the page.
    Offset,
    /// Number of the page.
    Page,
    /// Where the CRM said that the next page begins.
    Cursor,
    /// The last id of the page before.
    LastId,
    /// `first-last` record of the page, counted from 0.
    Range,
    /// The access token or session.
    Token,
    /// The CRM's key, or one of several by name.
    Secret(Option<String>),
    /// What the administrator has set under `[crm.settings]`.
    Setting(String),
    /// What the bridge says about a ticket; for `[activity]` only.
    Ticket(TicketHole),
    /// A marker, by its name; for `[plant]` only.
    Marker(String),
    /// The id of a record that was made, by its name; for `[plant]` only.
    Made(String),
    /// What the bridge says of its subscription to webhooks; for `[webhook.renew]` only.
    Hook(HookHole),
    /// The method of the request that is signed; for `kind = "hmac"` only.
    Method,
    /// The path of the request that is signed, without the leading slash; for `kind = "hmac"` only.
    Path,
}

/// What an activity in the CRM may say of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TicketHole {
    /// The CRM's id of the customer.
    CustomerId,
    /// The number of the ticket.
    Number,
    /// Its subject.
    Subject,
    /// Its status.
    Status,
    /// What happened.
    Event,
    /// When.
    At,
    /// The same for the same event, however often it is sent.
    Key,
}

/// What a subscription to webhooks is renewed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookHole {
    /// Where they are sent.
    Address,
    /// The token by which the bridge knows them, `crm.secrets.webhook`.
    Key,
    /// Until when they are wanted.
    Until,
}

/// How a value is written inside a longer text. Quotes belong to the escape, never to the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Escape {
    /// `'x'` with each quote doubled (OData 4.01, part 2).
    Odata,
    /// `'x'` with backslashes before quotes and backslashes (SOQL).
    Soql,
    /// `'x'` with each quote doubled; backslashes are refused (vtiger, COQL).
    Sql,
    /// A JSON text (RFC 8259); a list of names becomes a list.
    Json,
    /// `'x'` without any letter that means something in a filter of Dolibarr, which has no escape of its own.
    Dolibarr,
    /// `"x"` without quotes and backslashes inside (Twenty).
    Quoted,
    /// A whole number, as number in JSON; anything else is not sent.
    Number,
    /// A number with decimals, as number in JSON; for amounts of `[plant]` only, since nothing else has any.
    Decimal,
    /// The same in millionths, as whole number, for CRMs that keep money so.
    Micros,
    /// With `&lt;` for `<` and so on, for notes that a CRM shows as HTML.
    Html,
    /// As it is; only where the hole is the whole parameter.
    Plain,
    /// Names with commas between.
    Comma,
    /// One parameter for each name.
    Repeat,
    /// `{ name company { name } }`, braces included.
    Graphql,
}

const ESCAPES: &[(&str, Escape)] = &[
    ("odata", Escape::Odata),
    ("soql", Escape::Soql),
    ("sql", Escape::Sql),
    ("json", Escape::Json),
    ("dolibarr", Escape::Dolibarr),
    ("quoted", Escape::Quoted),
    ("number", Escape::Number),
    ("decimal", Escape::Decimal),
    ("micros", Escape::Micros),
    ("html", Escape::Html),
    ("plain", Escape::Plain),
    ("comma", Escape::Comma),
    ("repeat", Escape::Repeat),
    ("graphql", Escape::Graphql),
];

const NAMES: &[(&str, HoleName)] = &[
    ("id", HoleName::Id),
    ("value", HoleName::Value),
    ("since", HoleName::Since),
    ("select", HoleName::Select),
    ("size", HoleName::Size),
    ("offset", HoleName::Offset),
    ("page", HoleName::Page),
    ("cursor", HoleName::Cursor),
    ("last_id", HoleName::LastId),
    ("range", HoleName::Range),
    ("token", HoleName::Token),
    ("secret", HoleName::Secret(None)),
    ("customer_id", HoleName::Ticket(TicketHole::CustomerId)),
    ("ticket_number", HoleName::Ticket(TicketHole::Number)),
    ("subject", HoleName::Ticket(TicketHole::Subject)),
    ("status", HoleName::Ticket(TicketHole::Status)),
    ("event", HoleName::Ticket(TicketHole::Event)),
    ("at", HoleName::Ticket(TicketHole::At)),
    ("key", HoleName::Ticket(TicketHole::Key)),
    ("webhook.address", HoleName::Hook(HookHole::Address)),
    ("webhook.key", HoleName::Hook(HookHole::Key)),
    ("webhook.until", HoleName::Hook(HookHole::Until)),
    ("method", HoleName::Method),
    ("path", HoleName::Path),
];

impl HoleName {
    /// The name between the braces. A name that is none of the grammar's is a setting.
    fn parse(text: &str) -> Self {
        if let Some(name) = text.strip_prefix("secret.") {
            return Self::Secret(Some(name.to_owned()));
        }
        if let Some(name) = text.strip_prefix("marker.") {
            return Self::Marker(name.to_owned());
        }
        if let Some(name) = text.strip_prefix("made.") {
            return Self::Made(name.to_owned());
        }
        let known = NAMES.iter().find(|(name, _)| *name == text);
        known.map_or_else(|| Self::Setting(text.to_owned()), |(_, hole)| hole.clone())
    }

    /// Whether the grammar has given this name a meaning, so that no setting can have it.
    #[must_use]
    pub fn is_taken(name: &str) -> bool {
        !matches!(Self::parse(name), Self::Setting(_))
    }

    /// Whether what is filled in comes from a person, a CRM or a ticket, and so may be anything.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Id | Self::Value | Self::LastId | Self::Cursor | Self::Ticket(_) | Self::Made(_))
    }
}

impl fmt::Display for HoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(Some(name)) => write!(f, "secret.{name}"),
            Self::Marker(name) => write!(f, "marker.{name}"),
            Self::Made(name) => write!(f, "made.{name}"),
            Self::Setting(name) => f.write_str(name),
            known => {
                let name = NAMES.iter().find(|(_, hole)| hole == known).map_or("", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}

impl Escape {
    /// The word after the colon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        ESCAPES.iter().find(|(_, escape)| *escape == self).map_or("", |(word, _)| word)
    }

    /// Whether it is one for lists of names.
    #[must_use]
    pub fn is_for_names(self) -> bool {
        matches!(self, Self::Comma | Self::Repeat | Self::Json | Self::Graphql)
    }

    /// Whether it is one for values.
    #[must_use]
    pub fn is_for_values(self) -> bool {
        !matches!(self, Self::Comma | Self::Repeat | Self::Graphql)
    }
}

impl Template {
    /// The pieces in their order.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The holes in their order.
    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts.iter().filter_map(|part| match part {
            Part::Hole(hole) => Some(hole),
            Part::Text(_) => None,
        })
    }

    /// The hole, if the template is one hole and nothing else.
    #[must_use]
    pub fn only_hole(&self) -> Option<&Hole> {
        match self.parts.as_slice() {
            [Part::Hole(hole)] => Some(hole),
            _ => None,
        }
    }

    /// The text, if there is no hole.
    #[must_use]
    pub fn plain_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether nothing stands here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Reads a template.
    ///
    /// # Errors
    /// A sentence, if an escape is not known or the text has control characters.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("a template has no control characters".to_owned());
        }
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            plain.push_str(before);
            match after.split_once('}').filter(|(inside, _)| is_hole(inside)) {
                Some((inside, after_hole)) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Hole(parse_hole(inside)?));
                    rest = after_hole;
                }
                None => {
                    plain.push('{');
                    rest = after;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

fn is_hole(inside: &str) -> bool {
    inside.starts_with(|c: char| c.is_ascii_alphabetic())
        && inside.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-'))
}

fn parse_hole(inside: &str) -> Result<Hole, String> {
    let Some((name, escape)) = inside.split_once(':') else {
        return Ok(Hole { name: HoleName::parse(inside), escape: None });
    };
    let known = ESCAPES.iter().find(|(word, _)| *word == escape).map(|(_, escape)| *escape);
    let Some(escape) = known else {
        let words: Vec<&str> = ESCAPES.iter().map(|(word, _)| *word).collect();
        return Err(format!("`{{{inside}}}`: `{escape}` is no escape; there are {}", words.join(", ")));
    };
    Ok(Hole { name: HoleName::parse(name), escape: Some(escape) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Vec<String> {
        let part = |part: &Part| match part {
            Part::Text(text) => format!("text {text}"),
            Part::Hole(hole) => format!("hole {} {}", hole.name, hole.escape.map_or("-", Escape::as_str)),
        };
        Template::parse(text).unwrap().parts().iter().map(part).collect()
    }

    #[test]
    fn a_hole_has_no_blanks_and_any_other_brace_is_a_brace() {
        assert_eq!(shape("a {id} b"), ["text a ", "hole id -", "text  b"]);
        assert_eq!(shape("{select:graphql}"), ["hole select graphql"]);
        assert_eq!(shape("query { people { id } }"), ["text query { people { id } }"]);
        assert_eq!(shape("{ {value:json} }"), ["text { ", "hole value json", "text  }"]);
        assert_eq!(shape("{{id}"), ["text {", "hole id -"]);
        assert_eq!(shape("{secret.refresh}{tenant}"), ["hole secret.refresh -", "hole tenant -"]);
        assert_eq!(shape(""), Vec::<String>::new());
    }

    #[test]
    fn an_escape_that_does_not_exist_is_refused_and_those_that_do_are_named() {
        let error = Template::parse("{value:markup}").unwrap_err();
        assert!(error.contains("odata, soql"), "{error}");
        assert!(Template::parse("a\u{7}b").is_err());
    }
}
