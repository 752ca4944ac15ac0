//! A connector profile: how to ask one kind of CRM, as data.
//!
//! A profile knows nothing of roles and lists no field that the policy does not; what is asked for is the meeting of
//! both ([`super::projection::Plan`]). The grammar is closed: no star, no regular expression, no free address.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::pointer::Pointer;
use crate::policy::Entity;
use crate::policy::load::{PolicyError, line_at};

/// The profiles that ship with the program, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("sandbox", include_str!("../../../../config/profiles/sandbox.toml")),
    ("tryton", include_str!("../../../../config/profiles/tryton.toml")),
];

/// How to ask one kind of CRM.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name, title, how far it is verified.
    #[serde(rename = "profile")]
    pub head: Head,
    /// How the bridge proves who it is.
    pub auth: Auth,
    /// Where people are.
    pub person: PersonEndpoint,
    /// Where their organisations are, if this CRM has them.
    pub company: Option<CompanyEndpoint>,
    /// What this CRM has that support must never see.
    #[serde(default)]
    pub deny: Deny,
}

/// Table `[profile]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Short name in lower case.
    pub name: String,
    /// Name of the CRM, for people.
    pub title: String,
    /// What this profile has been tried against.
    pub verified: String,
}

/// Table `[auth]`.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Auth {
    /// One fixed header.
    Header {
        /// Its name.
        name: String,
        /// Its value, with `{secret}` where the secret goes.
        value: String,
    },
}

/// Table `[person]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonEndpoint {
    /// `GET /path` of the list that can be filtered.
    pub list: String,
    /// `GET /path/{id}` of one record.
    pub one: String,
    /// How the wanted fields are named in a request.
    pub select: Select,
    /// How the list is paged.
    pub paging: Paging,
    /// Where the list of records is in an answer of `list`.
    #[serde(default)]
    pub records: Pointer,
    /// Where the record is in an answer of `one`.
    #[serde(default)]
    pub record: Pointer,
    /// Where the id is in a record.
    pub id: Pointer,
    /// Where the time of the last change is in a record.
    pub updated_at: Option<Pointer>,
    /// How days and times are written.
    #[serde(default)]
    pub dates: Dates,
    /// How to filter.
    pub find: Find,
    /// Where addresses and numbers are, for the check that the CRM's hit is a hit.
    pub r#match: Match,
    /// Where each field is.
    #[serde(default)]
    pub fields: BTreeMap<String, Sources>,
}

/// Table `[company]`: the organisation, embedded in the person's record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanyEndpoint {
    /// Where it is in the person's record; the places of the fields are seen from here.
    pub at: Pointer,
    /// Where each field is.
    #[serde(default)]
    pub fields: BTreeMap<String, Sources>,
}

/// How the wanted fields are named in a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "style", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Select {
    /// `fields=a,b`
    Comma {
        /// The query parameter.
        parameter: String,
        /// How deep names go.
        #[serde(default)]
        depth: SelectDepth,
    },
    /// `f=a&f=b`
    Repeated {
        /// The query parameter.
        parameter: String,
        /// How deep names go.
        #[serde(default)]
        depth: SelectDepth,
    },
}

/// How deep the names of a selection go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectDepth {
    /// `addresses.city`
    #[default]
    Dotted,
    /// `addresses`: the CRM selects whole members only.
    Top,
}

/// How a list is paged.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "style", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Paging {
    /// So many records after so many.
    Offset {
        /// Parameter of the size.
        size: String,
        /// Parameter of the offset.
        offset: String,
        /// Most records a page can have.
        size_max: u16,
        /// Whether the offset counts pages instead of records.
        #[serde(default)]
        counts_pages: bool,
    },
    /// Each answer names the next page.
    Cursor {
        /// Parameter of the size.
        size: String,
        /// Parameter of the cursor.
        cursor: String,
        /// Where the next cursor is in an answer.
        next: Pointer,
        /// Most records a page can have.
        size_max: u16,
    },
}

impl Paging {
    /// Most records a page can have.
    #[must_use]
    pub fn size_max(&self) -> u16 {
        match self {
            Self::Offset { size_max, .. } | Self::Cursor { size_max, .. } => *size_max,
        }
    }
}

/// How days and times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dates {
    /// `"2026-11-21"`, `"2026-11-21T09:12:00Z"`
    #[default]
    Text,
    /// `{"__class__": "datetime", "year": 2026, …}` in UTC
    TypedObject,
}

/// How to filter a list. There are these filters and no others: a filter on a hidden field is a leak.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// By mail address.
    pub email: Filter,
    /// By phone number.
    pub phone: Option<Filter>,
}

/// How one filter is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "style", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Filter {
    /// `parameter=value`
    Query {
        /// The query parameter.
        parameter: String,
    },
    /// `parameter=base64(json)`, with the value as a JSON string where `{value}` stands.
    Base64Json {
        /// The query parameter.
        parameter: String,
        /// The JSON.
        domain: String,
    },
}

/// Where the addresses of a record are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Mail addresses.
    pub email: Sources,
    /// Phone numbers.
    #[serde(default)]
    pub phone: Sources,
}

/// One or several places of a value; the first that has one wins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "OneOrMore<Source>")]
pub struct Sources(pub Vec<Source>);

/// A place of a value in a record.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a pointer such as \"/name\" or a table { each, where, take }")]
pub enum Source {
    /// The member itself.
    Member(Pointer),
    /// A member of the entries of a list that meet a condition.
    Each(Each),
}

/// `{ each = "/mechanisms", where = { type = "email" }, take = "/value" }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Each {
    /// Where the list is.
    pub each: Pointer,
    /// Member of an entry and the texts it may have.
    #[serde(default, rename = "where")]
    pub conditions: BTreeMap<String, OneOrMore<String>>,
    /// Where the value is in an entry; the entry itself if left out.
    #[serde(default)]
    pub take: Pointer,
}

/// One value or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    /// Several. Tried first, because a list could pass for the members of one table in their order.
    More(Vec<T>),
    /// One.
    One(T),
}

impl<T> OneOrMore<T> {
    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

impl From<OneOrMore<Source>> for Sources {
    fn from(sources: OneOrMore<Source>) -> Self {
        Self(sources.into_vec())
    }
}

/// What this CRM has that support must never see.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deny {
    /// Further words for the deny lexicon, one or two a piece.
    pub words: Vec<String>,
    /// Paths in a selection's notation; nothing at or below them may be a field.
    pub paths: Vec<String>,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// What is wrong and in which line.
    pub fn load(text: &str) -> Result<Self, PolicyError> {
        let profile: Self = toml::from_str(text).map_err(|error| PolicyError {
            line: error.span().map_or(1, |span| line_at(text, span.start)),
            message: error.message().to_owned(),
        })?;
        profile.check().map_err(|(needle, message)| PolicyError {
            line: text.find(needle).map_or(1, |offset| line_at(text, offset)),
            message,
        })?;
        Ok(profile)
    }

    /// Where a policy field is in this CRM; empty if this CRM has no such field.
    #[must_use]
    pub fn sources(&self, entity: Entity, name: &str) -> &[Source] {
        let table = match entity {
            Entity::Person => Some(&self.person.fields),
            Entity::Company => self.company.as_ref().map(|company| &company.fields),
        };
        table.and_then(|table| table.get(name)).map_or(&[], |sources| &sources.0)
    }

    /// What the TOML types cannot say. Returns a text to find the line by, and the message.
    fn check(&self) -> Result<(), (&str, String)> {
        let name_is_plain =
            self.head.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if self.head.name.is_empty() || !name_is_plain {
            return Err(("name", "profile.name has lower-case letters, digits and `-`".to_owned()));
        }
        let Auth::Header { value, .. } = &self.auth;
        if value.matches("{secret}").count() != 1 {
            return Err((value, "the header's value has `{secret}` once".to_owned()));
        }
        for (endpoint, has_id) in [(self.person.list.as_str(), false), (self.person.one.as_str(), true)] {
            check_endpoint(endpoint, has_id).map_err(|message| (endpoint, message))?;
        }
        for filter in [Some(&self.person.find.email), self.person.find.phone.as_ref()].into_iter().flatten() {
            if let Filter::Base64Json { domain, .. } = filter {
                let example = domain.replace("{value}", "\"x\"");
                let is_json = serde_json::from_str::<serde_json::Value>(&example).is_ok();
                if domain.matches("{value}").count() != 1 || !is_json {
                    return Err((domain, "the domain is JSON with `{value}` once, unquoted".to_owned()));
                }
            }
        }
        if self.person.paging.size_max() == 0 {
            return Err(("size_max", "a page has at least one record".to_owned()));
        }
        Ok(())
    }
}

/// `GET /path`, with `{id}` as a whole segment where it is due, and no other placeholder than `{database}`.
fn check_endpoint(endpoint: &str, has_id: bool) -> Result<(), String> {
    let path = endpoint
        .strip_prefix("GET ")
        .ok_or_else(|| format!("`{endpoint}`: an endpoint is written `GET /path`; the bridge only reads"))?;
    let plain = |segment: &str| {
        segment.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '~'))
            && segment != ".."
    };
    let segments: Vec<&str> = path.split('/').collect();
    let well_formed = path.starts_with('/')
        && segments.iter().all(|segment| plain(segment) || matches!(*segment, "{id}" | "{database}"));
    if !well_formed {
        return Err(format!(
            "`{endpoint}`: a path has plain segments, `{{database}}` and `{{id}}`, nothing else"
        ));
    }
    let ids = segments.iter().filter(|segment| **segment == "{id}").count();
    if ids != usize::from(has_id) {
        return Err(format!("`{endpoint}`: `{{id}}` stands in the path of one record, and only there"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profiles_that_ship_can_be_read() {
        for (name, text) in BUILT_IN {
            let profile = Profile::load(text).unwrap();
            assert_eq!(profile.head.name, *name);
        }
    }

    #[test]
    fn a_profile_cannot_write_leave_the_host_or_name_a_parent_folder() {
        for endpoint in [
            "POST /contacts",
            "GET https://elsewhere.example/",
            "GET /a/../b",
            "GET /contacts?all=1",
            "GET /*",
        ] {
            assert!(check_endpoint(endpoint, false).is_err(), "{endpoint}");
        }
        assert!(check_endpoint("GET /contacts", true).is_err(), "no id");
        assert!(check_endpoint("GET /contacts/{id}", false).is_err(), "an id in a list");
        assert!(check_endpoint("GET /{database}/contacts/{id}", true).is_ok());
    }

    #[test]
    fn errors_name_the_line() {
        let (_, text) = BUILT_IN[1];
        let broken = text.replace("GET /{database}/rest/model/party.party\"", "DELETE /x\"");
        let error = Profile::load(&broken).unwrap_err();
        assert!(error.message.contains("only reads"), "{error}");
        assert!(error.line > 1, "{error}");
        let error = Profile::load(&format!("{text}\n[surprise]\n")).unwrap_err();
        assert!(error.message.contains("unknown field `surprise`"), "{error}");
    }
}
