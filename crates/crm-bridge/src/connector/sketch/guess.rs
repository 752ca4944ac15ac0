//! Which member of a record is which, by its name and by what its values look like. The deny lexicon is asked first: what it
//! knows is listed as denied and never proposed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::edit::quoted;
use super::sample::{Form, Leaf, Shown, look, record_in};
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
const WHOLE: &[&str] = &[
    "name",
    "full name",
    "fullname",
    "display name",
    "displayname",
    "nome completo",
    "nombre completo",
    "фио",
];
const FIRST: &[&str] = &[
    "first name",
    "firstname",
    "given name",
    "given",
    "forename",
    "vorname",
    "prénom",
    "prenom",
    "nombre",
    "nome",
    "имя",
];
const LAST: &[&str] = &[
    "last name",
    "lastname",
    "family name",
    "family",
    "surname",
    "nachname",
    "nom",
    "apellido",
    "apellidos",
    "sobrenome",
    "cognome",
    "фамилия",
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
    "modifié le",
    "actualizado",
    "modificado",
    "atualizado em",
    "alterado em",
    "изменен",
    "изменён",
    "обновлено",
];

/// What stands around the records about the other pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pages {
    /// Nothing: then it may stand in a header.
    Unsaid,
    /// Where the next page begins, or its address.
    Cursor(String),
    NextLink(String),
    /// A number of the page, and what the first has.
    Numbered(u8),
    /// How many records are left out before.
    Offset,
}

/// What a sample seems to be.
pub(super) struct Guess {
    pub(super) shown: Shown,
    pub(super) pages: Pages,
    /// Where the record is in an answer for one, if such an answer was shown.
    pub(super) record: Option<String>,
    /// Path and why, shortest paths first.
    pub(super) denied: Vec<(String, Finding)>,
    pub(super) opaque: Vec<String>,
    pub(super) fields: BTreeMap<&'static str, String>,
    pub(super) company: Option<(String, BTreeMap<&'static str, String>)>,
    pub(super) emails: Vec<String>,
    pub(super) phones: Vec<String>,
    pub(super) id: Option<String>,
    pub(super) changed: Option<(String, Form)>,
    pub(super) unused: Vec<String>,
    /// Lists of texts that nothing is taken from: what a list of notes looks like, whatever it is called.
    pub(super) text_lists: Vec<String>,
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

pub(super) fn last_words(leaf: &Leaf) -> String {
    leaf.path.last().map(|name| words(name)).unwrap_or_default()
}

pub(super) fn pointer(path: &[String]) -> String {
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

/// Reads what stands around the records: a place where the next page begins is surer than a number of a page.
fn pages_of(around: &[Leaf], answer: &Value) -> Pages {
    let name = |leaf: &Leaf| leaf.path.iter().map(|part| words(part)).collect::<Vec<_>>().join(" ");
    let is_next = |leaf: &&Leaf| {
        name(leaf).split(' ').any(|word| word == "next")
            && matches!(leaf.form, Form::Text | Form::Number | Form::Address)
    };
    if let Some(next) = around.iter().find(is_next) {
        let at = pointer(&next.path);
        return if next.form == Form::Address { Pages::NextLink(at) } else { Pages::Cursor(at) };
    }
    let called = |names: &[&str]| {
        around.iter().find(|leaf| leaf.form == Form::Number && names.contains(&last_words(leaf).as_str()))
    };
    if let Some(leaf) =
        called(&["page", "current page", "page number", "pagina", "página", "seite", "страница"])
    {
        let is_zero = answer.pointer(&pointer(&leaf.path)).and_then(Value::as_u64) == Some(0);
        return Pages::Numbered(if is_zero { 0 } else { 1 });
    }
    if called(&["offset", "skip", "start"]).is_some() { Pages::Offset } else { Pages::Unsaid }
}

impl Guess {
    /// Looks at an answer with a list, or with one record; `one` is an answer for one record beside a list.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn of(answer: &Value, one: Option<&Value>) -> Result<Self, String> {
        let nothing =
            "the sample has neither a list of records nor a record: give one answer of the CRM as JSON";
        let mut shown = look(answer).ok_or(nothing)?;
        // A profile can't name members with blanks, stars and slashes.
        shown.leaves.retain(|leaf| Pointer::try_from(pointer(&leaf.path)).is_ok());
        if shown.leaves.is_empty() {
            return Err(nothing.to_owned());
        }
        let lexicon = Lexicon::with(&[])?;
        let record = match one {
            None => None,
            Some(one) => {
                let members: BTreeSet<&str> =
                    shown.leaves.iter().filter_map(|leaf| leaf.path.first()).map(String::as_str).collect();
                let path = record_in(one, &members).ok_or(
                    "the answer with one record has no member of those that the list's records have",
                )?;
                Some(pointer(&path))
            }
        };
        let mut guess = Self {
            pages: pages_of(&shown.around, answer),
            record,
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
            text_lists: Vec::new(),
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
        let outer =
            |leaf: &&&Leaf| leaf.list.map(|length| leaf.path.get(..length).unwrap_or_default().join("."));
        let lists_used: BTreeSet<String> = used.iter().filter_map(|leaf| outer(&leaf)).collect();
        let texts = unused.clone().filter(|leaf| leaf.form == Form::Text).filter_map(|leaf| outer(&leaf));
        self.text_lists =
            texts.filter(|path| !lists_used.contains(path)).collect::<BTreeSet<_>>().into_iter().collect();
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
        let first = of(FIRST);
        let last = of(LAST);
        // A name further inside is the name of something else.
        let whole = of(WHOLE).filter(|leaf| {
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
            // `nome`, `имя`: alone it is the whole name.
            (None, Some(first), None) => {
                used.push(first);
                source(first)
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

    /// The usual name of the parameter that asks for another page, and what stands in it.
    pub(super) fn page_parameter(&self) -> Option<(&'static str, &'static str)> {
        match self.pages {
            Pages::Unsaid | Pages::NextLink(_) => None,
            Pages::Cursor(_) => Some(("cursor", "{cursor}")),
            Pages::Numbered(_) => Some(("page", "{page}")),
            Pages::Offset => Some(("offset", "{offset}")),
        }
    }
}
