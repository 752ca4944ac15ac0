//! Which member of a record is which, by its name and by what its values look like. The deny lexicon is asked first: what it
//! knows is listed as denied and never proposed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::edit::{Lines, quoted};
use super::sample::{Form, Leaf, Shown, look};
use crate::connector::pointer::Pointer;
use crate::policy::lexicon::opaque::is_opaque_path;
use crate::policy::lexicon::{Finding, Lexicon};

/// Fields of a person by the words of their names; the first that fits is taken.
const PERSON: &[(&str, &[&str])] = &[
    ("job_title", &["job title", "jobtitle", "position", "role", "function", "title"]),
    ("city", &["city", "town", "ort", "stadt"]),
    ("country", &["country", "land", "country name"]),
    ("language", &["language", "lang", "locale", "speaks"]),
    ("time_zone", &["time zone", "timezone", "zone", "tz"]),
    ("service_level", &["service level", "support level", "sla level"]),
    ("support_until", &["support until", "contract until"]),
    ("customer_number", &["customer number", "customer no", "client number", "client no"]),
];
const COMPANY: &[(&str, &[&str])] = &[
    ("name", &["name", "title", "company name"]),
    ("website", &["website", "homepage", "url", "web", "site"]),
];
const COMPANY_OBJECTS: &[&str] = &[
    "company",
    "organisation",
    "organization",
    "org",
    "firm",
    "account",
    "employer",
    "firma",
    "unternehmen",
];
const IDS: &[&str] = &["id", "uid", "uuid", "guid", "contact id", "client id", "person id", "key"];
const CHANGED: &[&str] = &[
    "updated at",
    "updated",
    "modified at",
    "modified",
    "changed at",
    "changed",
    "last modified",
    "update time",
    "date modified",
    "write date",
    "geaendert am",
    "geändert am",
    "aktualisiert am",
];

/// What a sample seems to be.
pub(super) struct Guess {
    shown: Shown,
    /// Path and why, shortest paths first.
    denied: Vec<(String, Finding)>,
    opaque: Vec<String>,
    fields: BTreeMap<&'static str, String>,
    company: Option<(String, BTreeMap<&'static str, String>)>,
    emails: Vec<String>,
    phones: Vec<String>,
    id: Option<String>,
    changed: Option<(String, Form)>,
    unused: Vec<String>,
}

/// The words of a name, in lower case with blanks between: `updatedAt`, `updated_at` and `Updated-At` are one.
fn words(name: &str) -> String {
    let mut out = String::new();
    let mut before_low = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before_low) {
            out.push(' ');
        }
        if letter.is_alphanumeric() {
            out.extend(letter.to_lowercase());
        }
        before_low = letter.is_lowercase() || letter.is_ascii_digit();
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn last_words(leaf: &Leaf) -> String {
    leaf.path.last().map(|name| words(name)).unwrap_or_default()
}

fn pointer(path: &[String]) -> String {
    path.iter().map(|name| format!("/{name}")).collect()
}

/// A place as a profile writes it.
fn source(leaf: &Leaf) -> String {
    let Some(list) = leaf.list else { return quoted(&pointer(&leaf.path)) };
    let (outer, inner) = leaf.path.split_at(list.min(leaf.path.len()));
    let mut parts = vec![format!("each = {}", quoted(&pointer(outer)))];
    if let Some((member, word)) = &leaf.entry {
        parts.push(format!("where = {{ {} = {} }}", quoted(member), quoted(word)));
    }
    if !inner.is_empty() {
        parts.push(format!("take = {}", quoted(&pointer(inner))));
    }
    format!("{{ {} }}", parts.join(", "))
}

impl Guess {
    /// Looks at an answer.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn of(answer: &Value) -> Result<Self, String> {
        let nothing =
            "the sample has neither a list of records nor a record: give one answer of the CRM as JSON";
        let mut shown = look(answer).ok_or(nothing)?;
        // A profile can't name members with blanks, stars and slashes.
        shown.leaves.retain(|leaf| Pointer::try_from(pointer(&leaf.path)).is_ok());
        if shown.leaves.is_empty() {
            return Err(nothing.to_owned());
        }
        let lexicon = Lexicon::with(&[])?;
        let mut guess = Self {
            shown,
            denied: Vec::new(),
            opaque: Vec::new(),
            fields: BTreeMap::new(),
            company: None,
            emails: Vec::new(),
            phones: Vec::new(),
            id: None,
            changed: None,
            unused: Vec::new(),
        };
        guess.deny(&lexicon);
        let usable: Vec<Leaf> =
            guess.shown.leaves.iter().filter(|leaf| !guess.is_denied(leaf)).cloned().collect();
        guess.find(&usable);
        Ok(guess)
    }

    /// The shortest path of each member that the lexicon knows: what is below need not be named.
    fn deny(&mut self, lexicon: &Lexicon) {
        for leaf in &self.shown.leaves {
            for length in 1..=leaf.path.len() {
                let path = leaf.path.get(..length).unwrap_or_default().join(".");
                let name = leaf.path.get(length - 1).map(String::as_str).unwrap_or_default();
                if let Some(finding) = lexicon.judge(name).or_else(|| lexicon.judge(&path)) {
                    if !self.denied.iter().any(|(known, _)| *known == path) {
                        self.denied.push((path, finding));
                    }
                    break;
                }
            }
        }
    }

    fn is_denied(&self, leaf: &Leaf) -> bool {
        let path = leaf.dotted();
        self.denied.iter().any(|(denied, _)| {
            path.strip_prefix(denied.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    fn find(&mut self, usable: &[Leaf]) {
        let mut used: Vec<&Leaf> = Vec::new();
        let is_opaque = |leaf: &&Leaf| is_opaque_path(leaf.path.iter().map(String::as_str));
        self.opaque = usable.iter().filter(is_opaque).map(|leaf| pointer(&leaf.path)).collect();
        let clear: Vec<&Leaf> = usable.iter().filter(|leaf| !is_opaque(leaf)).collect();
        let company = clear.iter().find_map(|leaf| {
            let first = leaf.path.first().filter(|_| leaf.path.len() > 1 && leaf.list.is_none())?;
            COMPANY_OBJECTS.contains(&words(first).as_str()).then(|| first.clone())
        });
        let (theirs, own): (Vec<&Leaf>, Vec<&Leaf>) =
            clear.iter().partition(|leaf| company.is_some() && leaf.path.first() == company.as_ref());

        let top = |names: &[&str], fits: &dyn Fn(&Leaf) -> bool| {
            let named = |name: &&str| {
                own.iter()
                    .copied()
                    .find(|leaf| leaf.path.len() == 1 && last_words(leaf) == *name && fits(leaf))
            };
            names.iter().find_map(named)
        };
        let is_id = |leaf: &Leaf| matches!(leaf.form, Form::Text | Form::Number | Form::UnixS);
        // `kid`, `pk_id`: whatever ends so, if nothing is called so.
        let ends_so = |leaf: &&&Leaf| leaf.path.len() == 1 && is_id(leaf) && last_words(leaf).ends_with("id");
        if let Some(leaf) = top(IDS, &is_id).or_else(|| own.iter().find(ends_so).copied()) {
            used.push(leaf);
            self.id = Some(pointer(&leaf.path));
        }
        let is_time =
            |leaf: &Leaf| matches!(leaf.form, Form::Rfc3339 | Form::DateTime | Form::UnixS | Form::UnixMs);
        if let Some(leaf) = top(CHANGED, &is_time) {
            used.push(leaf);
            self.changed = Some((pointer(&leaf.path), leaf.form));
        }
        for leaf in own.iter().copied() {
            let name = leaf.path.iter().map(|part| words(part)).collect::<Vec<_>>().join(" ");
            let calls = ["phone", "tel", "tels", "mobile", "cell", "phones"];
            if leaf.form == Form::Mail {
                self.emails.push(source(leaf));
                used.push(leaf);
            } else if leaf.form == Form::Phone
                || name.split(' ').any(|word| calls.contains(&word)) && leaf.form == Form::Nothing
            {
                self.phones.push(source(leaf));
                let kind = leaf.entry.as_ref().map(|(_, word)| word.to_lowercase()).unwrap_or_default();
                let is_mobile = name.contains("mobile")
                    || name.contains("cell")
                    || matches!(kind.as_str(), "mobile" | "cell");
                self.fields.entry(if is_mobile { "mobile" } else { "phone" }).or_insert_with(|| source(leaf));
                used.push(leaf);
            }
        }
        self.emails.dedup();
        self.phones.dedup();
        self.emails.first().cloned().into_iter().for_each(|first| drop(self.fields.insert("email", first)));
        self.name(&own, &mut used);
        for (field, names) in PERSON {
            let fits = |leaf: &&&Leaf| {
                leaf.list.is_none()
                    && !used.contains(leaf)
                    && matches!(leaf.form, Form::Text | Form::Day | Form::Rfc3339)
            };
            let whole = |leaf: &Leaf| leaf.path.iter().map(|part| words(part)).collect::<Vec<_>>().join(" ");
            let found = names.iter().find_map(|name| {
                own.iter().filter(fits).find(|leaf| last_words(leaf) == *name || whole(leaf) == *name)
            });
            if let Some(leaf) = found.copied() {
                used.push(leaf);
                self.fields.insert(field, source(leaf));
            }
        }
        if let Some(at) = company {
            let mut fields = BTreeMap::new();
            for (field, names) in COMPANY {
                let found = names.iter().find_map(|name| {
                    theirs.iter().copied().find(|leaf| leaf.path.len() == 2 && last_words(leaf) == *name)
                });
                if let Some(leaf) = found {
                    used.push(leaf);
                    fields.insert(*field, quoted(&pointer(leaf.path.get(1..).unwrap_or_default())));
                }
            }
            self.company = Some((at, fields));
        }
        let unused = clear.iter().filter(|leaf| !used.contains(leaf) && leaf.form != Form::Nothing);
        self.unused = unused.map(|leaf| pointer(&leaf.path)).collect();
        self.unused.sort_unstable();
        self.unused.dedup();
    }

    /// The whole name, or its two parts.
    fn name<'a>(&mut self, own: &[&'a Leaf], used: &mut Vec<&'a Leaf>) {
        let of = |names: &[&str]| {
            let is = |leaf: &&&'a Leaf| {
                leaf.list.is_none() && leaf.form == Form::Text && names.contains(&last_words(leaf).as_str())
            };
            own.iter().find(is).copied()
        };
        let first = of(&["first name", "firstname", "given name", "given", "forename", "vorname"]);
        let last = of(&["last name", "lastname", "family name", "family", "surname", "nachname"]);
        // A name further inside is the name of something else.
        let whole = of(&["name", "full name", "fullname", "display name", "displayname"]).filter(|leaf| {
            leaf.path.len() == 1 || leaf.path.first().is_some_and(|outer| words(outer) == "name")
        });
        let source = match (whole, first, last) {
            (Some(whole), _, _) => {
                used.push(whole);
                source(whole)
            }
            (None, Some(first), Some(last)) => {
                used.extend([first, last]);
                format!("{{ join = [{}, {}] }}", quoted(&pointer(&first.path)), quoted(&pointer(&last.path)))
            }
            _ => return,
        };
        self.fields.insert("name", source);
    }

    /// Whether there is a number to check a hit with.
    pub(super) fn has_phone(&self) -> bool {
        !self.phones.is_empty()
    }

    /// Whether records say when they were changed.
    pub(super) fn has_times(&self) -> bool {
        self.changed.is_some()
    }

    /// What stands around the records and says where the next page begins: a cursor or a link.
    fn next(&self) -> Option<(&Leaf, bool)> {
        let is_next = |leaf: &&Leaf| {
            let name = leaf.path.iter().map(|part| words(part)).collect::<Vec<_>>().join(" ");
            name.split(' ').any(|word| word == "next")
                && matches!(leaf.form, Form::Text | Form::Number | Form::Address)
        };
        let leaf = self.shown.around.iter().find(is_next)?;
        Some((leaf, leaf.form == Form::Address))
    }

    /// The parameter of the next page's cursor, if the sample shows that there is one.
    pub(super) fn page_parameter(&self) -> Option<(String, String)> {
        let (_, is_link) = self.next()?;
        (!is_link).then(|| ("cursor".to_owned(), "{cursor}".to_owned()))
    }

    /// Fills the template in.
    pub(super) fn write(&self, lines: &mut Lines) {
        lines.set("answer", "records", Some(&quoted(&pointer(&self.shown.records))));
        if let Some((next, is_link)) = self.next() {
            lines.set("paging", "kind", Some(if is_link { "\"next-link\"" } else { "\"cursor\"" }));
            lines.set("paging", "next", Some(&quoted(&pointer(&next.path))));
        }
        let is_total = |leaf: &&Leaf| {
            let counts = ["total", "count", "total count", "totalcount", "total size"];
            leaf.form == Form::Number && counts.contains(&last_words(leaf).as_str())
        };
        if let Some(total) = self.shown.around.iter().find(is_total) {
            lines.set("paging", "total", Some(&quoted(&pointer(&total.path))));
        }
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
        let line = |(name, source): (&&'static str, &String)| format!("{name:<15} = {source}");
        let mut fields: Vec<String> = self.fields.iter().map(line).collect();
        for name in &self.opaque {
            let at = format!("{{ at = {}, label = \"what people see in the CRM\" }}", quoted(name));
            fields.push(format!("# a name that says nothing; if support needs it: … = {at}"));
        }
        if !self.unused.is_empty() {
            fields.push(format!("# not used: {}", self.unused.join(" ")));
        }
        lines.fill("person.fields", fields);
        match &self.company {
            Some((at, fields)) => {
                lines.set("company", "at", Some(&quoted(&format!("/{at}"))));
                lines.fill("company.fields", fields.iter().map(line).collect());
            }
            None => {
                lines.remove("company.fields");
                lines.remove("company");
            }
        }
        let denied = self.denied.iter().map(|(path, finding)| {
            let why = if finding.severity == crate::policy::lexicon::Severity::Hard {
                "never shown"
            } else {
                "take it out only if support needs it and the policy says why"
            };
            format!("    {}, # {} ({}): {why}", quoted(path), finding.word, finding.group)
        });
        let denied: Vec<String> = denied.collect();
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
        if !self.opaque.is_empty() {
            notes.push(format!("names that say nothing: {}", self.opaque.join(", ")));
        }
        notes
    }
}
