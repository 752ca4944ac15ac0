//! From the text of a profile to its tables. Each table, and in the large ones each key, is read on its own, so that
//! one slip does not hide the others.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::check::Fault;
use super::digest::Digests;
use super::{Child, Company, CompanyPlace, LinkedCompany, Match, Person, Profile, Sources};
use crate::policy::load::{PolicyError, line_at};

const FILE_BYTES_MAX: usize = 256 * 1024;

/// Reads the tables of a profile: the profile, with defaults for tables that are wrong, if the others suffice for one,
/// and all that does not have the form of a profile, each with its line.
pub(super) fn read(text: &str) -> (Option<Profile>, Vec<PolicyError>) {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        return (None, vec![PolicyError { line: 1, message }]);
    }
    let file = match DeTable::parse(text) {
        Ok(file) => file,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_at(text, span.start));
            return (None, vec![PolicyError { line, message: error.message().to_owned() }]);
        }
    };
    let mut errors = Vec::new();
    let mut root = Reader {
        text,
        place: String::new(),
        at: 0,
        table: file.into_inner(),
        known: Vec::new(),
        errors: &mut errors,
    };
    let profile = root.profile();
    root.end();
    (profile, errors)
}

/// Gives faults that name a place in the file their line.
pub(super) fn with_lines(text: &str, faults: Vec<Fault>) -> Vec<PolicyError> {
    let file = DeTable::parse(text).ok();
    let table = file.as_ref().map(Spanned::get_ref);
    let line = |place: &str| table.map_or(1, |table| line_at(text, offset_of(table, place)));
    faults
        .into_iter()
        .map(|fault| PolicyError {
            line: line(&fault.place),
            message: format!("{}: {}", fault.place, fault.message),
        })
        .collect()
}

/// Where `person.one.query` begins, or as much of it as there is.
fn offset_of(table: &DeTable<'_>, place: &str) -> usize {
    let (mut offset, mut parts) = (0, place.split('.'));
    let Some((key, mut value)) = parts.next().and_then(|name| entry(table, name)) else { return 0 };
    offset = offset.max(key);
    for part in parts {
        let below = match value.get_ref() {
            DeValue::Table(table) => entry(table, part),
            DeValue::Array(items) => part
                .parse::<usize>()
                .ok()
                .and_then(|position| items.get(position))
                .map(|item| (item.span().start, item)),
            _ => None,
        };
        let Some((key, found)) = below else { break };
        (offset, value) = (key, found);
    }
    offset
}

fn entry<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<(usize, &'t Spanned<DeValue<'i>>)> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span().start, value))
}

/// A table that is read key by key. What is left at the end is unknown.
struct Reader<'i, 'e> {
    text: &'i str,
    place: String,
    at: usize,
    table: DeTable<'i>,
    /// Keys that were asked for; the others are unknown.
    known: Vec<String>,
    errors: &'e mut Vec<PolicyError>,
}

impl<'i> Reader<'i, '_> {
    fn profile(&mut self) -> Option<Profile> {
        let head = self.need("profile");
        let settings = self.or_default("settings");
        let host = self.or_default("host");
        let auth = self.need("auth");
        let (time, select, limits) =
            (self.or_default("time"), self.or_default("select"), self.or_default("limits"));
        let (answer, paging) = (self.or_default("answer"), self.or_default("paging"));
        let person = self.below("person", |person| person.person());
        if person.is_none() && !self.errors.iter().any(|error| error.message.starts_with("person")) {
            self.missing("person");
        }
        let company = self.below("company", |company| company.company());
        let (webhook, metadata) = (self.take("webhook"), self.take("metadata"));
        let (probe, activity) = (self.take("probe"), self.take("activity"));
        let deny = self.or_default("deny");
        let plant = self.take("plant");
        Some(Profile {
            head: head?,
            settings: settings?,
            host: host?,
            auth: auth?,
            time: time?,
            select: select?,
            limits: limits?,
            answer: answer?,
            paging: paging?,
            person: person??,
            company: company.flatten(),
            webhook,
            metadata,
            probe,
            activity,
            deny: deny?,
            plant,
            digests: Digests::of(self.text),
        })
    }

    fn person(&mut self) -> Option<Person> {
        let id = self.need("id");
        let (updated_at, deleted, merged_into) =
            (self.take("updated_at"), self.take("deleted"), self.take("merged_into"));
        let (one, by_email, page) = (self.need("one"), self.need("by_email"), self.need("page"));
        let (by_phone, changed, gone) = (self.take("by_phone"), self.take("changed"), self.take("gone"));
        let merged_from = self.or_default::<Sources>("merged_from");
        let r#match = self.need::<Match>("match");
        let fields = self.sources("fields");
        let children: Option<Vec<Child>> = self.or_default("child");
        Some(Person {
            id: id?,
            updated_at,
            deleted,
            merged_into,
            merged_from: merged_from?,
            one: one?,
            by_email: by_email?,
            by_phone,
            page: page?,
            changed,
            gone,
            r#match: r#match?,
            fields,
            children: children?,
        })
    }

    fn company(&mut self) -> Option<Company> {
        let at = self.take("at");
        let link = self.take("link");
        let (id, updated_at) = (self.take("id"), self.take("updated_at"));
        let (one, page, changed) = (self.take("one"), self.take("page"), self.take("changed"));
        let fields = self.sources("fields");
        let place = match (at, link) {
            (Some(at), None) => {
                if id.is_some() || one.is_some() || page.is_some() || changed.is_some() {
                    self.error(self.at, "`id`, `one`, `page` and `changed` belong to `link`");
                }
                CompanyPlace::Embedded(at)
            }
            (None, Some(link)) => {
                let (Some(id), Some(one)) = (id, one) else {
                    self.error(self.at, "a company by `link` needs `id` and `one`");
                    return None;
                };
                CompanyPlace::Linked(Box::new(LinkedCompany { link, id, updated_at, one, page, changed }))
            }
            _ => {
                self.error(
                    self.at,
                    "a company is in the person's record (`at`) or behind its id there (`link`)",
                );
                return None;
            }
        };
        Some(Company { place, fields })
    }

    fn sources(&mut self, key: &str) -> BTreeMap<String, Sources> {
        let read = |table: &mut Reader<'i, '_>| {
            let names: Vec<String> = table.table.keys().map(|name| name.get_ref().to_string()).collect();
            names.into_iter().filter_map(|name| Some((name.clone(), table.take::<Sources>(&name)?))).collect()
        };
        self.below(key, read).unwrap_or_default()
    }

    /// Reads the table below that key with `read`. None if there is none.
    fn below<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader<'i, '_>) -> T) -> Option<T> {
        let (place, at, value) = self.remove(key)?;
        let DeValue::Table(table) = value.into_inner() else {
            self.error(at, &format!("`{key}` is a table"));
            return None;
        };
        let mut reader =
            Reader { text: self.text, place, at, table, known: Vec::new(), errors: &mut *self.errors };
        let found = read(&mut reader);
        reader.end();
        Some(found)
    }

    fn remove(&mut self, key: &str) -> Option<(String, usize, Spanned<DeValue<'i>>)> {
        self.known.push(key.to_owned());
        let (name, value) = self.table.remove_entry(key)?;
        let place = if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) };
        Some((place, name.span().start, value))
    }

    fn take<T: Deserialize<'i>>(&mut self, key: &str) -> Option<T> {
        let (place, at, value) = self.remove(key)?;
        match T::deserialize(toml::de::ValueDeserializer::from(value)) {
            Ok(found) => Some(found),
            Err(error) => {
                let at = error.span().map_or(at, |span| span.start);
                let message = format!("{place}: {}", error.message());
                self.errors.push(PolicyError { line: line_at(self.text, at), message });
                None
            }
        }
    }

    fn need<T: Deserialize<'i>>(&mut self, key: &str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key.to_owned());
            self.missing(key);
            return None;
        }
        self.take(key)
    }

    /// What stands there, or the default if nothing does. None if what stands there is wrong.
    fn or_default<T: Deserialize<'i> + Default>(&mut self, key: &str) -> Option<T> {
        if self.table.contains_key(key) {
            // Wrong settings would make every template that uses one wrong; any other table can be taken for empty.
            let found = self.take(key);
            return if key == "settings" { found } else { Some(found.unwrap_or_default()) };
        }
        self.known.push(key.to_owned());
        Some(T::default())
    }

    fn missing(&mut self, key: &str) {
        self.error(self.at, &format!("`{key}` is missing"));
    }

    fn error(&mut self, at: usize, message: &str) {
        let place = if self.place.is_empty() { String::new() } else { format!("{}: ", self.place) };
        let message = format!("{place}{message}");
        self.errors.push(PolicyError { line: line_at(self.text, at), message });
    }

    fn end(mut self) {
        let known = self.known.join("`, `");
        for (key, _) in std::mem::take(&mut self.table) {
            self.error(key.span().start, &format!("unknown key `{}`; there are `{known}`", key.get_ref()));
        }
    }
}
