//! Writes what a sample seems to be into the template, and says what is left to do.

use std::collections::BTreeMap;

use super::edit::{Lines, quoted};
use super::guess::{Guess, Pages, last_words, pointer};
use super::sample::{Form, Leaf};
use crate::policy::lexicon::Severity;

/// A line for each field.
fn lines_of(fields: &BTreeMap<&'static str, String>) -> Vec<String> {
    fields.iter().map(|(name, source)| format!("{name:<15} = {source}")).collect()
}

impl Guess {
    /// Fills the template in.
    pub(super) fn write(&self, lines: &mut Lines) {
        self.write_answer(lines);
        self.write_person(lines);
        self.write_company(lines);
        self.write_deny(lines);
    }

    /// Parts 5 and 6: where things are in an answer, and its pages.
    fn write_answer(&self, lines: &mut Lines) {
        lines.set("answer", "records", Some(&quoted(&pointer(&self.shown.records))));
        if let Some(record) = &self.record {
            lines.set("answer", "record", Some(&quoted(record)));
        }
        let (kind, next) = match &self.pages {
            Pages::Unsaid => ("link-header", None),
            Pages::Cursor(next) => ("cursor", Some(next)),
            Pages::NextLink(next) => ("next-link", Some(next)),
            Pages::Numbered(_) => ("page", None),
            Pages::Offset => ("offset", None),
        };
        lines.set("paging", "kind", Some(&quoted(kind)));
        lines.set("paging", "next", next.map(|next| quoted(next)).as_deref());
        if let Pages::Numbered(first) = self.pages {
            lines.set("paging", "first", Some(&first.to_string()));
        }
        let says_more = |leaf: &&Leaf| {
            leaf.form == Form::Flag
                && ["has more", "more", "has next", "has next page"].contains(&last_words(leaf).as_str())
        };
        if let Some(more) = self.shown.around.iter().find(says_more) {
            lines.set("paging", "more", Some(&quoted(&pointer(&more.path))));
        }
        let is_total = |leaf: &&Leaf| {
            let counts =
                ["total", "count", "total count", "totalcount", "total size", "total records", "total items"];
            leaf.form == Form::Number && counts.contains(&last_words(leaf).as_str())
        };
        if let Some(total) = self.shown.around.iter().find(is_total) {
            lines.set("paging", "total", Some(&quoted(&pointer(&total.path))));
        }
    }

    /// Parts 7 to 9, but for the requests.
    fn write_person(&self, lines: &mut Lines) {
        if let Some(id) = &self.id {
            lines.set("person", "id", Some(&quoted(id)));
        }
        let changed = self.changed.as_ref().map(|(at, _)| quoted(at));
        lines.set("person", "updated_at", changed.as_deref());
        let format = match self.changed.as_ref().map(|(_, form)| *form) {
            Some(Form::DateTime) => "\"date-time\"",
            Some(Form::UnixS) => "\"unix-s\"",
            Some(Form::UnixMs) => "\"unix-ms\"",
            _ => "\"rfc3339\"",
        };
        lines.set("time", "format", Some(format));
        let several = |places: &[String]| match places {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        if !self.emails.is_empty() {
            lines.set("person.match", "email", Some(&several(&self.emails)));
        }
        let phones = self.has_phone().then(|| several(&self.phones));
        lines.set("person.match", "phone", phones.as_deref());
        let mut fields = lines_of(&self.fields);
        for name in &self.opaque {
            let at = format!("{{ at = {}, label = \"what people see in the CRM\" }}", quoted(name));
            fields.push(format!("# a name that says nothing; if support needs it: … = {at}"));
        }
        if !self.unused.is_empty() {
            fields.push(format!("# not used: {}", self.unused.join(" ")));
        }
        lines.fill("person.fields", fields);
    }

    fn write_company(&self, lines: &mut Lines) {
        match &self.company {
            Some((at, fields)) => {
                lines.set("company", "at", Some(&quoted(&format!("/{at}"))));
                lines.fill("company.fields", lines_of(fields));
            }
            None => {
                lines.remove("company.fields");
                lines.remove("company");
            }
        }
    }

    fn write_deny(&self, lines: &mut Lines) {
        let denied = self.denied.iter().map(|(path, finding)| {
            let why = if finding.severity == Severity::Hard {
                "never shown"
            } else {
                "take it out only if support needs it and the policy says why"
            };
            format!("    {}, # {} ({}): {why}", quoted(path), finding.word, finding.group)
        });
        let lists = self.text_lists.iter().map(|path| {
            format!(
                "    {}, # a list of texts that nothing is taken from: take it out only if support needs it",
                quoted(path)
            )
        });
        let denied: Vec<String> = denied.chain(lists).collect();
        let mut deny = vec!["words = []".to_owned(), "paths = [".to_owned()];
        deny.extend(denied);
        deny.push("]".to_owned());
        lines.fill("deny", deny);
    }

    /// What was understood, for the person at the terminal. Names of members only.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "records at \"{}\", {} members in them",
            pointer(&self.shown.records),
            self.shown.leaves.len()
        )];
        let found: Vec<&str> = self.fields.keys().copied().collect();
        notes.push(format!("fields found: {}", found.join(", ")));
        if self.shown.records != Vec::<String>::new() && self.record.is_none() {
            notes.push(
                "one record by its id may come in an envelope, too: set `record` in [answer], or give such an answer \
                 with --one"
                    .to_owned(),
            );
        }
        if let Some((_, hole)) = self.page_parameter() {
            notes.push(format!("pages are asked for with {hole}: check its parameter in every operation"));
        }
        let missing = [
            (self.id.is_none(), "no id was recognised: set `id` in [person]"),
            (self.emails.is_empty(), "no mail address was seen: set `email` in [person.match]"),
            (
                !self.has_times(),
                "no time of change was recognised: without one a copy is compared as a whole",
            ),
            (!self.fields.contains_key("name"), "no name was recognised: set `name` in [person.fields]"),
        ];
        notes
            .extend(missing.iter().filter(|(is_missing, _)| *is_missing).map(|(_, note)| (*note).to_owned()));
        if !self.denied.is_empty() {
            let names: Vec<&str> = self.denied.iter().map(|(path, _)| path.as_str()).collect();
            notes.push(format!("denied, see [deny]: {}", names.join(", ")));
        }
        if !self.text_lists.is_empty() {
            notes.push(format!("lists of texts, denied: {}", self.text_lists.join(", ")));
        }
        if !self.opaque.is_empty() {
            notes.push(format!("names that say nothing: {}", self.opaque.join(", ")));
        }
        notes
    }
}
