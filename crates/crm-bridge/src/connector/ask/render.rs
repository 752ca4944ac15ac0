//! Fills the holes of templates. Every value goes through the escape of its place; none can change the structure around
//! it, and control characters go nowhere.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use service_kit::Secret;
use zeroize::Zeroizing;

use super::Begin;
use super::names::Names;
use crate::connector::profile::operation::{Parameter, Tree};
use crate::connector::profile::template::{Escape, Hole, HoleName, HookHole, Part, Template, TicketHole};
use crate::connector::profile::time::{Times, Written};
use crate::walls::{Wall, Walls};

/// A value that can't stand where it must: with control characters, or in a path with letters that mean something there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector) struct Unaskable;

/// What happened to a ticket, as an activity in the CRM may tell it.
#[derive(Clone)]
pub(in crate::connector) struct Ticket {
    pub(in crate::connector) customer_id: Zeroizing<String>,
    pub(in crate::connector) number: u64,
    pub(in crate::connector) subject: Zeroizing<String>,
    pub(in crate::connector) status: String,
    pub(in crate::connector) event: String,
    pub(in crate::connector) at: Written,
    pub(in crate::connector) key: String,
}

/// What a subscription to webhooks is renewed with.
#[derive(Clone)]
pub(in crate::connector) struct Subscription {
    pub(in crate::connector) address: Secret,
    pub(in crate::connector) until: Written,
}

/// What the holes of one request are filled with.
#[derive(Clone, Default)]
pub(in crate::connector) struct Fillings {
    pub(in crate::connector) id: Option<Zeroizing<String>>,
    pub(in crate::connector) value: Option<Zeroizing<String>>,
    pub(in crate::connector) since: Option<Written>,
    pub(in crate::connector) size: Option<u16>,
    pub(in crate::connector) offset: Option<u64>,
    pub(in crate::connector) page: Option<u64>,
    pub(in crate::connector) cursor: Option<Zeroizing<String>>,
    pub(in crate::connector) last_id: Option<Zeroizing<String>>,
    pub(in crate::connector) range: Option<(u64, u64)>,
    pub(in crate::connector) token: Option<Secret>,
    pub(in crate::connector) secret: Option<Secret>,
    pub(in crate::connector) secrets: BTreeMap<String, Secret>,
    pub(in crate::connector) settings: BTreeMap<String, String>,
    pub(in crate::connector) ticket: Option<Ticket>,
    pub(in crate::connector) subscription: Option<Subscription>,
    pub(in crate::connector) method: Option<&'static str>,
    pub(in crate::connector) path: Option<Zeroizing<String>>,
    pub(in crate::connector) times: Times,
    /// Values of `crm-bridge prove`, by name.
    pub(in crate::connector) markers: BTreeMap<String, String>,
    /// Ids of records that it made, by name.
    pub(in crate::connector) made: BTreeMap<String, String>,
}

/// What one hole holds.
enum Filling {
    Text(Zeroizing<String>),
    /// Made by this program or set by the administrator: digits, dates, plain words.
    Tame(Zeroizing<String>),
    Number(i64),
    /// JSON that this program made.
    Json(String),
    Names,
}

impl Fillings {
    /// Where the page begins.
    pub(in crate::connector) fn page(&mut self, begin: &Begin, size: u16) {
        self.size = Some(size);
        self.offset = Some(0);
        self.page = Some(0);
        self.range = Some((0, u64::from(size).saturating_sub(1)));
        match begin {
            Begin::Nowhere | Begin::Link(_) => {}
            Begin::Offset(offset) => self.offset = Some(*offset),
            Begin::Page(page, with_size) => {
                self.page = Some(*page);
                self.size = Some(with_size.unwrap_or(size));
            }
            Begin::Cursor(cursor) => self.cursor = Some(Zeroizing::new(cursor.clone())),
            Begin::LastId(id) => self.last_id = id.clone().map(Zeroizing::new),
            Begin::Range(first) => {
                self.range = Some((*first, first.saturating_add(u64::from(size)).saturating_sub(1)));
            }
        }
    }

    fn get(&self, name: &HoleName) -> Option<Filling> {
        let text = |text: &Option<Zeroizing<String>>| text.clone().map(Filling::Text);
        let secret = |secret: &Secret| Filling::Text(Zeroizing::new(secret.expose().to_owned()));
        let number = |number: u64| Filling::Number(i64::try_from(number).unwrap_or(i64::MAX));
        match name {
            HoleName::Id => text(&self.id),
            HoleName::Value => text(&self.value),
            HoleName::Cursor => text(&self.cursor),
            HoleName::LastId => text(&self.last_id),
            HoleName::Path => text(&self.path),
            HoleName::Since => self.since.clone().map(written),
            HoleName::Select => Some(Filling::Names),
            HoleName::Size => self.size.map(|size| number(u64::from(size))),
            HoleName::Offset => self.offset.map(number),
            HoleName::Page => self.page.map(number),
            HoleName::Range => {
                self.range.map(|(first, last)| Filling::Tame(Zeroizing::new(format!("{first}-{last}"))))
            }
            HoleName::Token => self.token.as_ref().map(secret),
            HoleName::Secret(None) => self.secret.as_ref().map(secret),
            HoleName::Secret(Some(name)) => self.secrets.get(name).map(secret),
            HoleName::Setting(name) => {
                self.settings.get(name).map(|value| Filling::Tame(Zeroizing::new(value.clone())))
            }
            HoleName::Method => self.method.map(|method| Filling::Tame(Zeroizing::new(method.to_owned()))),
            HoleName::Ticket(hole) => self.ticket.as_ref().map(|ticket| ticket.get(*hole)),
            HoleName::Hook(HookHole::Key) => self.secrets.get("webhook").map(secret),
            HoleName::Hook(HookHole::Address) => self.subscription.as_ref().map(|own| secret(&own.address)),
            HoleName::Hook(HookHole::Until) => {
                self.subscription.as_ref().map(|own| written(own.until.clone()))
            }
            HoleName::Marker(name) => {
                self.markers.get(name).map(|value| Filling::Tame(Zeroizing::new(value.clone())))
            }
            HoleName::Made(name) => self.made.get(name).map(|id| Filling::Text(Zeroizing::new(id.clone()))),
        }
    }
}

impl Ticket {
    fn get(&self, hole: TicketHole) -> Filling {
        let tame = |text: &str| Filling::Tame(Zeroizing::new(text.to_owned()));
        match hole {
            TicketHole::CustomerId => Filling::Text(self.customer_id.clone()),
            TicketHole::Subject => Filling::Text(self.subject.clone()),
            TicketHole::Number => Filling::Number(i64::try_from(self.number).unwrap_or(i64::MAX)),
            TicketHole::Status => tame(&self.status),
            TicketHole::Event => tame(&self.event),
            TicketHole::Key => tame(&self.key),
            TicketHole::At => written(self.at.clone()),
        }
    }
}

fn written(time: Written) -> Filling {
    match time {
        Written::Text(text) => Filling::Tame(Zeroizing::new(text)),
        Written::Number(number) => Filling::Number(number),
        Written::Object(json) => Filling::Json(json),
    }
}

/// Digits, a point and digits, as JSON writes such a number.
fn is_decimal(text: &str) -> bool {
    let digits =
        |text: &str| (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = text.split_once('.');
    parts.is_some_and(|(whole, rest)| {
        digits(whole) && digits(rest) && (whole == "0" || !whole.starts_with('0'))
    })
}

/// `12345678.91` as `12345678910000`.
fn micros(text: &str) -> Result<Zeroizing<String>, Unaskable> {
    let (whole, rest) = text.split_once('.').ok_or(Unaskable)?;
    let whole = if whole == "0" { "" } else { whole };
    let digits = Zeroizing::new(format!("{whole}{rest:0<6}"));
    if rest.len() <= 6 && !digits.starts_with('0') { Ok(digits) } else { Err(Unaskable) }
}

/// Writes templates with these fillings.
pub(in crate::connector) struct Pen<'a> {
    pub(in crate::connector) fillings: &'a Fillings,
    pub(super) names: Option<&'a Names>,
    pub(super) walls: Walls,
}

impl<'a> Pen<'a> {
    /// A pen for what has no selection.
    pub(in crate::connector) fn plain(fillings: &'a Fillings) -> Self {
        Self { fillings, names: None, walls: Walls::standing() }
    }

    /// A segment of a path, not yet encoded.
    pub(super) fn segment(&self, template: &Template) -> Result<Zeroizing<String>, Unaskable> {
        let alone = template.only_hole().is_some();
        let mut out = Zeroizing::new(String::new());
        for part in template.parts() {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole(hole) => {
                    let value = self.scalar(hole)?.ok_or(Unaskable)?;
                    // Inside a longer segment a value must not be able to end what it stands in, such as `contacts(…)`.
                    let tame = is_plain_id(&value);
                    let settled = matches!(hole.name, HoleName::Setting(_)) && is_plain(&value);
                    if !alone && !tame && !settled {
                        return Err(Unaskable);
                    }
                    out.push_str(&value);
                }
            }
        }
        let leads_elsewhere = matches!(out.as_str(), "." | "..") || (alone && out.is_empty());
        if leads_elsewhere { Err(Unaskable) } else { Ok(out) }
    }

    /// The parameters of a query or form, not yet encoded. Those whose hole has no value are left out.
    pub(super) fn parameters(
        &self,
        parameters: &BTreeMap<String, Parameter>,
    ) -> Result<Vec<(String, Zeroizing<String>)>, Unaskable> {
        let mut all = Vec::with_capacity(parameters.len());
        for (key, parameter) in parameters {
            let value = match parameter {
                Parameter::Text(template) => {
                    if template.only_hole().is_some_and(|hole| hole.escape == Some(Escape::Repeat)) {
                        let names = self.names.ok_or(Unaskable)?.as_slice();
                        all.extend(names.iter().map(|name| (key.clone(), Zeroizing::new(name.clone()))));
                        continue;
                    }
                    self.text(template)?
                }
                Parameter::Json(tree) => self.json(tree)?,
                Parameter::Base64Json(tree) => {
                    self.json(tree)?.map(|json| Zeroizing::new(STANDARD.encode(json.as_bytes())))
                }
            };
            all.extend(value.map(|value| (key.clone(), value)));
        }
        Ok(all)
    }

    /// Headers. Those whose hole has no value are left out.
    pub(in crate::connector) fn headers(
        &self,
        headers: &BTreeMap<String, Template>,
    ) -> Result<Vec<(String, Zeroizing<String>)>, Unaskable> {
        let mut all = Vec::with_capacity(headers.len());
        for (name, template) in headers {
            all.extend(self.text(template)?.map(|value| (name.clone(), value)));
        }
        Ok(all)
    }

    /// A text. None if a hole has no value.
    pub(in crate::connector) fn text(
        &self,
        template: &Template,
    ) -> Result<Option<Zeroizing<String>>, Unaskable> {
        if let Some(hole) = template.only_hole().filter(|hole| hole.escape.is_none()) {
            return self.scalar(hole);
        }
        let mut out = Zeroizing::new(String::with_capacity(256));
        for part in template.parts() {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Hole(hole) => match self.escaped(hole)? {
                    Some(value) => out.push_str(&value),
                    None => return Ok(None),
                },
            }
        }
        Ok(Some(out))
    }

    /// JSON as text. None if nothing is left of it.
    pub(super) fn json(&self, tree: &Tree) -> Result<Option<Zeroizing<String>>, Unaskable> {
        let mut out = Zeroizing::new(String::with_capacity(512));
        Ok(self.write(tree, false, &mut out)?.then_some(out))
    }

    /// Writes a tree and says whether there was something to write. A hole without value takes its member with it; in a
    /// list it takes the whole entry, because half a condition is another condition.
    fn write(&self, tree: &Tree, in_list: bool, out: &mut String) -> Result<bool, Unaskable> {
        match tree {
            Tree::Text(template) => return self.write_text(template, out),
            Tree::Number(number) => drop(write!(out, "{number}")),
            Tree::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Tree::List(items) => {
                let begin = out.len();
                out.push('[');
                let mut any = false;
                for item in items {
                    let before = out.len();
                    if any {
                        out.push(',');
                    }
                    if self.write(item, true, out)? {
                        any = true;
                    } else if matches!(item, Tree::List(_) | Tree::Table(_)) {
                        out.truncate(before);
                    } else {
                        out.truncate(begin);
                        return Ok(false);
                    }
                }
                out.push(']');
            }
            Tree::Table(members) => {
                let begin = out.len();
                out.push('{');
                let mut any = false;
                for (name, member) in members {
                    let before = out.len();
                    if any {
                        out.push(',');
                    }
                    out.push_str(&quoted(name)?);
                    out.push(':');
                    if self.write(member, false, out)? {
                        any = true;
                    } else if in_list {
                        out.truncate(begin);
                        return Ok(false);
                    } else {
                        out.truncate(before);
                    }
                }
                out.push('}');
            }
        }
        Ok(true)
    }

    fn write_text(&self, template: &Template, out: &mut String) -> Result<bool, Unaskable> {
        let Some(hole) =
            template.only_hole().filter(|hole| matches!(hole.escape, None | Some(Escape::Plain)))
        else {
            let text = self.text(template)?;
            let is_number = template.only_hole().is_some_and(|hole| {
                matches!(hole.escape, Some(Escape::Number | Escape::Decimal | Escape::Micros))
            });
            match &text {
                Some(digits) if is_number => out.push_str(digits),
                Some(text) => out.push_str(&quoted(text)?),
                None => {}
            }
            return Ok(text.is_some());
        };
        match self.fillings.get(&hole.name) {
            None => return Ok(false),
            Some(Filling::Text(text) | Filling::Tame(text)) => out.push_str(&quoted(&sound(&text)?)?),
            Some(Filling::Number(number)) => drop(write!(out, "{number}")),
            Some(Filling::Json(json)) => out.push_str(&json),
            Some(Filling::Names) => out.push_str(&json_list(self.names.ok_or(Unaskable)?.as_slice())?),
        }
        Ok(true)
    }

    /// What a hole holds as plain text.
    fn scalar(&self, hole: &Hole) -> Result<Option<Zeroizing<String>>, Unaskable> {
        match self.fillings.get(&hole.name) {
            None => Ok(None),
            Some(Filling::Text(text) | Filling::Tame(text)) => sound(&text).map(Some),
            Some(Filling::Number(number)) => Ok(Some(Zeroizing::new(number.to_string()))),
            Some(Filling::Json(json)) => Ok(Some(Zeroizing::new(json))),
            Some(Filling::Names) => Err(Unaskable),
        }
    }

    /// What a hole holds, written as its escape says.
    fn escaped(&self, hole: &Hole) -> Result<Option<Zeroizing<String>>, Unaskable> {
        if hole.name == HoleName::Select {
            return self.selection(hole.escape).map(Some);
        }
        let Some(filling) = self.fillings.get(&hole.name) else {
            // The beginning has no cursor and no last id; a place that is written as a value needs one all the same.
            let paged = matches!(hole.name, HoleName::Cursor | HoleName::LastId);
            return Ok(match hole.escape.filter(|_| paged) {
                Some(Escape::Json) => Some(Zeroizing::new("null".to_owned())),
                Some(Escape::Odata | Escape::Soql | Escape::Sql) if hole.name == HoleName::LastId => {
                    Some(Zeroizing::new("''".to_owned()))
                }
                _ => None,
            });
        };
        let (text, tame) = match filling {
            Filling::Number(number) if hole.escape.is_none() || hole.escape == Some(Escape::Json) => {
                return Ok(Some(Zeroizing::new(number.to_string())));
            }
            Filling::Json(json) if hole.escape == Some(Escape::Json) => {
                return Ok(Some(Zeroizing::new(json)));
            }
            Filling::Number(number) => (Zeroizing::new(number.to_string()), true),
            Filling::Text(text) => {
                (text, matches!(hole.name, HoleName::Secret(_) | HoleName::Token | HoleName::Path))
            }
            Filling::Tame(text) => {
                let tame = !matches!(hole.name, HoleName::Setting(_)) || is_plain(&text);
                (text, tame)
            }
            Filling::Json(_) | Filling::Names => return Err(Unaskable),
        };
        let text = sound(&text)?;
        let is_id = matches!(
            hole.name,
            HoleName::Id | HoleName::LastId | HoleName::Made(_) | HoleName::Ticket(TicketHole::CustomerId)
        );
        let doubled = |text: &str| Zeroizing::new(format!("'{}'", text.replace('\'', "''")));
        match hole.escape {
            Some(Escape::Odata | Escape::Soql | Escape::Sql) if !self.walls.stands(Wall::Escape) => {
                Ok(Some(Zeroizing::new(format!("'{}'", *text))))
            }
            None | Some(Escape::Plain) if tame || (is_id && is_plain_id(&text)) => Ok(Some(text)),
            // The profile is loaded only if such a text is one of JSON, which is escaped as a whole.
            None if hole.name == HoleName::Ticket(TicketHole::Subject) => Ok(Some(text)),
            None | Some(Escape::Plain) => Err(Unaskable),
            Some(Escape::Html) => Ok(Some(html(&text))),
            Some(Escape::Number) => {
                let digits = text.strip_prefix('-').unwrap_or(&text);
                let is_number =
                    (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
                if is_number && (digits.len() == 1 || !digits.starts_with('0')) {
                    Ok(Some(text))
                } else {
                    Err(Unaskable)
                }
            }
            Some(Escape::Decimal) if is_decimal(&text) => Ok(Some(text)),
            Some(Escape::Micros) if is_decimal(&text) => micros(&text).map(Some),
            Some(Escape::Decimal | Escape::Micros) => Err(Unaskable),
            Some(Escape::Dolibarr) => {
                let harmless = |c: char| c.is_alphanumeric() || "@._-+' ".contains(c);
                if text.chars().all(harmless) {
                    Ok(Some(Zeroizing::new(format!("'{}'", *text))))
                } else {
                    Err(Unaskable)
                }
            }
            Some(Escape::Quoted) => {
                let ends = text.contains(['"', '\\']);
                if ends { Err(Unaskable) } else { Ok(Some(Zeroizing::new(format!("\"{}\"", *text)))) }
            }
            Some(Escape::Odata) => Ok(Some(doubled(&text))),
            Some(Escape::Sql) if text.contains('\\') => Err(Unaskable),
            Some(Escape::Sql) => Ok(Some(doubled(&text))),
            Some(Escape::Soql) => {
                let slashed = Zeroizing::new(text.replace('\\', "\\\\"));
                Ok(Some(Zeroizing::new(format!("'{}'", slashed.replace('\'', "\\'")))))
            }
            Some(Escape::Json) => quoted(&text).map(Some),
            Some(Escape::Comma | Escape::Repeat | Escape::Graphql) => Err(Unaskable),
        }
    }

    fn selection(&self, escape: Option<Escape>) -> Result<Zeroizing<String>, Unaskable> {
        let names = self.names.ok_or(Unaskable)?;
        Ok(Zeroizing::new(match escape {
            Some(Escape::Comma) => names.as_slice().join(","),
            Some(Escape::Json) => json_list(names.as_slice())?,
            Some(Escape::Graphql) => names.graphql(),
            _ => return Err(Unaskable),
        }))
    }
}

/// Plain letters that mean nothing in any of the languages a template may be in.
pub(in crate::connector) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~'))
}

/// An id that ends nothing that it stands in.
fn is_plain_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Control characters, line breaks among them, go nowhere.
fn sound(text: &Zeroizing<String>) -> Result<Zeroizing<String>, Unaskable> {
    if text.chars().any(char::is_control) { Err(Unaskable) } else { Ok(text.clone()) }
}

fn quoted(text: &str) -> Result<Zeroizing<String>, Unaskable> {
    serde_json::to_string(text).map(Zeroizing::new).map_err(|_| Unaskable)
}

/// Text that stands in HTML as it reads.
fn html(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn json_list(names: &[String]) -> Result<String, Unaskable> {
    serde_json::to_string(names).map_err(|_| Unaskable)
}
