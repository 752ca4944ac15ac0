//! The field policy: what support may see of a customer, decided by the data owner in one TOML file.
//!
//! What is not listed does not exist for this program. Reading order: [`load`] (file to [`Policy`]), [`check`] (is it
//! a policy that may be used), [`value`] (wall 3: is this a value that may pass), [`view`] (wall 4: who sees it how).

pub mod approval;
pub mod check;
pub mod diff;
pub mod explain;
pub mod form;
pub mod held;
pub mod lexicon;
pub mod load;
pub mod tripwire;
pub mod value;
pub mod view;

use std::fmt;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A role whose view the policy describes. Administrators have no view: they run the helpdesk, they do not read customers.
pub use bridge_contract::ViewerRole as Role;

/// The two kinds of CRM object that a policy may take fields from. There is no third.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// A human being: contact, person, lead.
    Person,
    /// The organisation that person belongs to.
    Company,
}

impl Entity {
    /// The table name in policy and profile.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Company => "company",
        }
    }
}

/// The closed list of value types. There is no number, no money and no "anything" among them, on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// One line of text of at most so many characters.
    Text {
        /// Longest value that passes, in characters.
        chars_max: u16,
    },
    /// A mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An http or https address without credentials.
    Url,
    /// A calendar day.
    Date,
    /// One word out of a closed set.
    Enum {
        /// The words that pass, compared exactly.
        values: Vec<String>,
    },
    /// Yes or no.
    Flag,
}

impl FieldKind {
    /// The word that stands in the policy file.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Url => "url",
            Self::Date => "date",
            Self::Enum { .. } => "enum",
            Self::Flag => "flag",
        }
    }
}

/// How a value is hidden from some roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    /// Roles that see the mask instead of the value.
    pub roles: Vec<Role>,
    /// What stays readable.
    pub keep: Keep,
    /// Whether these roles may ask for the whole value, on the record.
    pub reveal: bool,
}

/// What of a value stays readable under a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// So many characters at the end; 0 for none.
    Last(u8),
    /// The domain of a mail address: `••••••@example.org`.
    Domain,
}

/// A caption, in the languages that the policy gives it in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Label {
    /// English caption.
    pub en: Option<String>,
    /// Russian caption.
    pub ru: Option<String>,
}

/// A language that labels can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Russian.
    Ru,
}

impl Language {
    /// The word in policy files and in `lang` attributes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ru => "ru",
        }
    }
}

/// One field that may leave the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Person or company.
    pub entity: Entity,
    /// Name within the entity, as in `[person.name]`.
    pub name: String,
    /// `person.name`: how the card, the log and the profile call this field.
    pub key: String,
    /// Caption on the card.
    pub label: Label,
    /// What a value must look like to pass.
    pub kind: FieldKind,
    /// Roles that see the value.
    pub show: Vec<Role>,
    /// Roles that see a mask, if any.
    pub mask: Option<Mask>,
    /// Why the data owner lists this field although the lexicon warns of it.
    pub accept_risk: Option<String>,
    /// Line of the policy file where the field begins, counted from 1.
    pub line: usize,
}

impl Field {
    /// The caption to show: in that language, else in the other, else the name made readable.
    #[must_use]
    pub fn caption(&self, language: Language) -> String {
        let Label { en, ru } = &self.label;
        let (first, second) = match language {
            Language::En => (en, ru),
            Language::Ru => (ru, en),
        };
        first.as_ref().or(second.as_ref()).cloned().unwrap_or_else(|| readable(&self.name))
    }
}

/// A loaded field policy. It can only be had from [`load`]; whether it may be *used* is for [`check`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Short name, shown on every card.
    pub name: String,
    /// Counted up by the data owner with every change.
    pub number: u32,
    /// Who answers for this policy.
    pub owner: String,
    /// The language of the labels on the card.
    pub language: Language,
    /// The fields, in the order of the file, which is the order on the card.
    pub fields: Vec<Field>,
    /// Why the whole customer base is copied to the bridge (sealed), if it is. Without a reason only customers who wrote
    /// to support are kept.
    pub copy: Option<String>,
    hash: PolicyHash,
}

impl Policy {
    /// The field of that key.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// Whether anything of that entity is listed.
    #[must_use]
    pub fn lists(&self, entity: Entity) -> bool {
        self.fields.iter().any(|field| field.entity == entity)
    }

    /// The hash under which cards and log entries name this policy.
    #[must_use]
    pub fn hash(&self) -> &PolicyHash {
        &self.hash
    }

    fn new(name: String, number: u32, owner: String, language: Language, fields: Vec<Field>) -> Self {
        let hash = PolicyHash::of(&canonical_form(&name, number, &owner, language, &fields));
        Self { name, number, owner, language, fields, copy: None, hash }
    }

    /// The same policy with a copy of the customer base, or without. One without has the hash it always had.
    fn with_copy(mut self, copy: Option<String>) -> Self {
        if let Some(reason) = &copy {
            self.hash = PolicyHash::of(&serde_json::json!([self.hash.as_str(), "copy", reason]).to_string());
        }
        self.copy = copy;
        self
    }
}

/// SHA-256 over the canonical form of a policy, as 64 hex digits: comments, spacing and the order of roles do not
/// change it, everything that decides who sees what does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyHash(String);

impl PolicyHash {
    /// The hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(canonical: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(canonical);
        let mut hex = String::with_capacity(64);
        for byte in digest.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }
}

impl fmt::Display for PolicyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON with one member order and sorted roles. JSON, because its quoting makes two policies that differ differ here.
fn canonical_form(name: &str, number: u32, owner: &str, language: Language, fields: &[Field]) -> String {
    let roles = |roles: &[Role]| {
        let mut names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let kept = |keep: Keep| match keep {
        Keep::Last(chars) => serde_json::json!(chars),
        Keep::Domain => serde_json::json!("domain"),
    };
    let fields: Vec<serde_json::Value> = fields
        .iter()
        .map(|field| {
            let (chars_max, values) = match &field.kind {
                FieldKind::Text { chars_max } => (Some(*chars_max), None),
                FieldKind::Enum { values } => (None, Some(values)),
                _ => (None, None),
            };
            serde_json::json!([
                field.key,
                field.kind.as_str(),
                chars_max,
                values,
                [&field.label.en, &field.label.ru],
                roles(&field.show),
                field.mask.as_ref().map(|mask| (roles(&mask.roles), kept(mask.keep), mask.reveal)),
                field.accept_risk,
            ])
        })
        .collect();
    serde_json::json!(["guichet field policy", 1, name, number, owner, language.as_str(), fields]).to_string()
}

fn readable(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
