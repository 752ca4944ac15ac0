//! From the text of a policy file to a [`Policy`], with the line in every error.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{Entity, Field, FieldKind, Keep, Label, Language, Mask, Policy, Role};

/// Longest text that is not free text. Beyond it the entry needs `accept_risk`, because long text carries anything.
pub const FREE_TEXT_CHARS: u16 = 200;
/// The contract between the services carries no longer value.
const TEXT_CHARS_MAX: u16 = 500;
const FIELDS_MAX: usize = 64;
const VALUES_MAX: usize = 64;
const NAME_CHARS_MAX: usize = 40;
const LABEL_CHARS_MAX: usize = 60;
const FILE_BYTES_MAX: usize = 256 * 1024;

/// Why a policy file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct PolicyError {
    /// Line of the file, counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

/// Reads a policy file. Unknown keys, unknown types and unknown roles are errors: a typing slip must not widen a view.
///
/// # Errors
/// All errors found, each with its line; a file that is not TOML at all gives one.
pub fn load(text: &str) -> Result<Policy, Vec<PolicyError>> {
    if text.len() > FILE_BYTES_MAX {
        return Err(vec![PolicyError {
            line: 1,
            message: format!("the file is larger than {FILE_BYTES_MAX} bytes"),
        }]);
    }
    let file: PolicyFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        vec![PolicyError { line, message: error.message().to_owned() }]
    })?;
    Builder { text, errors: Vec::new() }.build(file)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    policy: Header,
    #[serde(default)]
    person: BTreeMap<Spanned<String>, FieldEntry>,
    #[serde(default)]
    company: BTreeMap<Spanned<String>, FieldEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: Spanned<String>,
    number: Spanned<u32>,
    owner: Spanned<String>,
    #[serde(default)]
    language: Language,
    copy: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldEntry {
    #[serde(rename = "type")]
    kind: Kind,
    label: Option<LabelEntry>,
    chars_max: Option<Spanned<u16>>,
    values: Option<Spanned<Vec<String>>>,
    show: Vec<Role>,
    mask: Option<Spanned<MaskEntry>>,
    accept_risk: Option<Spanned<String>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Text,
    Email,
    Phone,
    Url,
    Date,
    Enum,
    Flag,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a label is a text or a table with `en` and `ru`")]
enum LabelEntry {
    One(String),
    PerLanguage(LabelTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelTable {
    en: Option<String>,
    ru: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaskEntry {
    roles: Vec<Role>,
    keep_last: Option<u8>,
    keep: Option<KeepWord>,
    #[serde(default)]
    reveal: bool,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum KeepWord {
    Domain,
}

struct Builder<'a> {
    text: &'a str,
    errors: Vec<PolicyError>,
}

impl Builder<'_> {
    fn build(mut self, file: PolicyFile) -> Result<Policy, Vec<PolicyError>> {
        let header = file.policy;
        self.short_text("policy.name", &header.name);
        self.short_text("policy.owner", &header.owner);
        if let Some(copy) = header.copy.as_ref().filter(|copy| copy.get_ref().trim().chars().count() < 10) {
            self.error(
                copy.span().start,
                "policy.copy says in a sentence why everybody is copied and not only who writes to support",
            );
        }
        if *header.number.get_ref() == 0 {
            self.error(header.number.span().start, "policy.number is counted from 1");
        }
        let mut entries: Vec<(usize, Field)> = Vec::new();
        for (entity, table) in [(Entity::Person, file.person), (Entity::Company, file.company)] {
            for (name, entry) in table {
                let at = name.span().start;
                let field = self.field(entity, name, entry);
                entries.push((at, field));
            }
        }
        entries.sort_by_key(|(at, _)| *at);
        if entries.is_empty() {
            self.error(0, "no field is listed: add at least one [person.…] entry");
        }
        if entries.len() > FIELDS_MAX {
            self.error(
                0,
                &format!("more than {FIELDS_MAX} fields: a card that long is an export, not a window"),
            );
        }
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|error| error.line);
            return Err(self.errors);
        }
        let fields = entries.into_iter().map(|(_, field)| field).collect();
        let copy = header.copy.map(Spanned::into_inner);
        Ok(Policy::new(
            header.name.into_inner(),
            header.number.into_inner(),
            header.owner.into_inner(),
            header.language,
            fields,
        )
        .with_copy(copy))
    }

    fn field(&mut self, entity: Entity, name: Spanned<String>, entry: FieldEntry) -> Field {
        let at = name.span().start;
        let name = name.into_inner();
        let well_named = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.len() <= NAME_CHARS_MAX;
        if !well_named {
            self.error(at, "a field name has lower-case letters a to z, digits and `_`, begins with a letter, at most 40");
        }
        if entry.show.is_empty() && entry.mask.is_none() {
            self.error(at, "nobody may see this field: name roles in `show` or `mask`, or remove the entry");
        }
        let kind = self.kind(at, &entry);
        let mask = entry.mask.map(|mask| self.mask(mask, &kind, &entry.show));
        let accept_risk = entry.accept_risk.map(|risk| {
            if risk.get_ref().trim().chars().count() < 10 {
                self.error(risk.span().start, "accept_risk says in a sentence why support needs this field");
            }
            risk.into_inner()
        });
        let label = match entry.label {
            None => Label::default(),
            Some(LabelEntry::One(text)) => Label { en: Some(text), ru: None },
            Some(LabelEntry::PerLanguage(LabelTable { en, ru })) => Label { en, ru },
        };
        if [&label.en, &label.ru].into_iter().flatten().any(|text| !is_line(text, LABEL_CHARS_MAX)) {
            self.error(at, "a label has 1 to 60 characters on one line");
        }
        Field {
            entity,
            key: format!("{}.{name}", entity.as_str()),
            name,
            label,
            kind,
            show: entry.show,
            mask,
            accept_risk,
            line: line_at(self.text, at),
        }
    }

    fn kind(&mut self, at: usize, entry: &FieldEntry) -> FieldKind {
        if entry.kind != Kind::Text && entry.chars_max.is_some() {
            self.error(at, "`chars_max` belongs to type = \"text\" only");
        }
        if entry.kind != Kind::Enum && entry.values.is_some() {
            self.error(at, "`values` belongs to type = \"enum\" only");
        }
        match entry.kind {
            Kind::Text => FieldKind::Text { chars_max: self.chars_max(at, entry) },
            Kind::Enum => FieldKind::Enum { values: self.values(at, entry) },
            Kind::Email => FieldKind::Email,
            Kind::Phone => FieldKind::Phone,
            Kind::Url => FieldKind::Url,
            Kind::Date => FieldKind::Date,
            Kind::Flag => FieldKind::Flag,
        }
    }

    fn chars_max(&mut self, at: usize, entry: &FieldEntry) -> u16 {
        let Some(chars_max) = &entry.chars_max else {
            self.error(at, "type = \"text\" needs `chars_max`");
            return 0;
        };
        let value = *chars_max.get_ref();
        if value == 0 || value > TEXT_CHARS_MAX {
            self.error(chars_max.span().start, &format!("`chars_max` is between 1 and {TEXT_CHARS_MAX}"));
        }
        value
    }

    fn values(&mut self, at: usize, entry: &FieldEntry) -> Vec<String> {
        let Some(values) = &entry.values else {
            self.error(at, "type = \"enum\" needs `values`");
            return Vec::new();
        };
        let mut words = values.get_ref().clone();
        if words.is_empty() || words.len() > VALUES_MAX || !words.iter().all(|word| is_short_text(word)) {
            self.error(values.span().start, &format!("`values` lists 1 to {VALUES_MAX} short words"));
        }
        words.sort_unstable();
        if words.windows(2).any(|pair| pair[0] == pair[1]) {
            self.error(values.span().start, "`values` lists a word twice");
        }
        values.get_ref().clone()
    }

    fn mask(&mut self, mask: Spanned<MaskEntry>, kind: &FieldKind, show: &[Role]) -> Mask {
        let at = mask.span().start;
        let mask = mask.into_inner();
        if mask.roles.is_empty() {
            self.error(at, "a mask names the roles it is for");
        }
        if let Some(role) = mask.roles.iter().find(|role| show.contains(role)) {
            let role = role.as_str();
            self.error(at, &format!("{role} stands in `show` and in `mask`: choose one"));
        }
        let keep = match (mask.keep_last, mask.keep) {
            (Some(chars), None) => Keep::Last(chars),
            (None, Some(KeepWord::Domain)) => Keep::Domain,
            _ => {
                self.error(at, "a mask says what stays readable: `keep_last = 2`, or `keep = \"domain\"` of a mail address");
                Keep::Last(0)
            }
        };
        if matches!(kind, FieldKind::Flag | FieldKind::Enum { .. }) && keep != Keep::Last(0) {
            self.error(at, "the end of a flag or an enum gives it away: `keep_last = 0`");
        }
        if keep == Keep::Domain && *kind != FieldKind::Email {
            self.error(at, "only a mail address has a domain to keep: use `keep_last`");
        }
        if matches!(keep, Keep::Last(chars) if chars > 4) {
            self.error(at, "`keep_last` is at most 4");
        }
        Mask { roles: mask.roles, keep, reveal: mask.reveal }
    }

    fn short_text(&mut self, key: &str, text: &Spanned<String>) {
        if !is_short_text(text.get_ref()) {
            self.error(text.span().start, &format!("{key} has 1 to 120 characters on one line"));
        }
    }

    fn error(&mut self, at: usize, message: &str) {
        self.errors.push(PolicyError { line: line_at(self.text, at), message: message.to_owned() });
    }
}

fn is_short_text(text: &str) -> bool {
    is_line(text, 120)
}

fn is_line(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

/// The line, counted from 1, that the byte at that offset stands in.
pub(crate) fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "[policy]\nname = \"support\"\nnumber = 3\nowner = \"dpo@example.org\"\n";

    fn errors_of(entry: &str) -> Vec<String> {
        load(&format!("{HEADER}{entry}"))
            .map(|_| Vec::new())
            .unwrap_or_else(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_policy_lists_its_fields_in_the_order_of_the_file() {
        let policy = load(&format!(
            "{HEADER}[person.phone]\ntype=\"phone\"\nshow=[\"line1\"]\n[company.name]\ntype=\"text\"\nchars_max=80\nshow=[\"line1\"]\n[person.name]\ntype=\"text\"\nchars_max=80\nshow=[\"line2\"]\n"
        ))
        .unwrap();
        let keys: Vec<&str> = policy.fields.iter().map(|field| field.key.as_str()).collect();
        assert_eq!(keys, ["person.phone", "company.name", "person.name"]);
        assert_eq!(policy.fields[1].line, 8);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let errors =
            errors_of("[person.name]\ntype=\"text\"\nchars_max=80\nshow=[\"line1\"]\nshow_all=true\n");
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with("line 9: unknown field `show_all`"), "{}", errors[0]);
    }

    #[test]
    fn an_unknown_object_an_unknown_type_and_an_unknown_role_are_refused() {
        assert!(errors_of("[deal.amount]\ntype=\"text\"\n")[0].contains("unknown field `deal`"));
        assert!(errors_of("[person.x]\ntype=\"money\"\nshow=[]\n")[0].contains("unknown variant `money`"));
        assert!(errors_of("[person.x]\ntype=\"flag\"\nshow=[\"everybody\"]\n")[0].contains("everybody"));
    }

    #[test]
    fn every_slip_in_an_entry_is_named_at_once() {
        let errors = errors_of(
            "[person.Name]\ntype=\"text\"\nshow=[\"line1\"]\nmask={roles=[\"line1\"],keep_last=9}\n",
        );
        assert_eq!(errors.len(), 4, "{errors:?}");
        assert!(errors_of("[person.a]\ntype=\"flag\"\nshow=[]\n")[0].contains("nobody may see"));
        assert!(
            errors_of("[person.a]\ntype=\"enum\"\nshow=[\"line1\"]\nvalues=[\"x\",\"x\"]\n")[0]
                .contains("twice")
        );
        assert!(
            errors_of("[person.a]\ntype=\"email\"\nshow=[\"line1\"]\naccept_risk=\"ok\"\n")[0]
                .contains("sentence")
        );
    }

    #[test]
    fn the_hash_ignores_comments_and_the_order_of_roles_but_nothing_that_widens_a_view() {
        let base = "[person.name]\ntype=\"text\"\nchars_max=80\nshow=[\"line1\",\"line2\"]\n";
        let hash = |entry: &str| load(&format!("{HEADER}{entry}")).unwrap().hash().clone();
        assert_eq!(
            hash(base),
            hash(&format!("# why\n{}", base.replace("\"line1\",\"line2\"", "\"line2\", \"line1\"")))
        );
        assert_ne!(hash(base), hash(&base.replace("\"line2\"", "\"line3\"")));
        assert_ne!(hash(base), hash(&base.replace("80", "81")));
        assert_eq!(hash(base).as_str().len(), 64);
    }
}
