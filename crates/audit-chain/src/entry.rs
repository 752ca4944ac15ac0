//! One entry of a log, its canonical form, and what of it can be erased.

use sha2::{Digest as _, Sha256};

use crate::digest::{Digest, Salt};

/// A value longer than this is cut.
const VALUE_CHARS_MAX: usize = 600;

/// One entry: who did what to what, when, under which policy. Never a value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1, 2, 3 … without a gap.
    pub seq: i64,
    /// When: milliseconds since 1970 in UTC.
    pub at_ms: i64,
    /// Who: an opaque id such as `opr_…` or `key_…`, or `system`, `public`, `ticket-service`, `crm`.
    pub actor: String,
    /// What was done, such as `card.shown`.
    pub action: String,
    /// For which ticket.
    pub ticket: Option<i64>,
    /// To which customer; the only part that is personal.
    pub customer: Option<Seal>,
    /// More, as words.
    pub details: Details,
    /// Hash of the field policy in force.
    pub policy: Option<String>,
    /// The request, to find it in other logs; empty outside of one.
    pub request_id: String,
}

/// A salted commitment to a personal value, and the value until it is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// `SHA-256(salt, value)`; what the chain binds.
    pub commitment: Digest,
    /// Value and salt; gone once the person was erased.
    pub opening: Option<Opening>,
}

/// What opens a [`Seal`].
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The value.
    pub value: String,
    /// Random, different for each entry.
    pub salt: Salt,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[opening]")
    }
}

impl Seal {
    /// Commits to a value.
    #[must_use]
    pub fn new(value: impl Into<String>, salt: Salt) -> Self {
        let value = value.into();
        Self { commitment: commitment(&value, &salt), opening: Some(Opening { value, salt }) }
    }

    /// Whether value and salt, if they are there, are those that were committed to.
    #[must_use]
    pub fn holds(&self) -> bool {
        match &self.opening {
            Some(opening) => commitment(&opening.value, &opening.salt) == self.commitment,
            None => true,
        }
    }

    /// The same without value and salt.
    #[must_use]
    pub fn erased(&self) -> Self {
        Self { commitment: self.commitment, opening: None }
    }
}

fn commitment(value: &str, salt: &Salt) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"guichet audit commitment 1\0");
    hash.update(salt.as_bytes());
    hash.update(value.as_bytes());
    Digest(hash.finalize().into())
}

/// `key=value key=value`: keys that stand in the source code, values that are words of letters, digits and `-_.:,`.
/// Room for names of fields, roles, results, counts and digests; none for a sentence or a JSON value.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Details(String);

impl Details {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Adds a word. Characters that don't belong into one become `_`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl std::fmt::Display) -> Self {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.push_str(key);
        self.0.push('=');
        let value = value.to_string();
        self.0.extend(value.chars().take(VALUE_CHARS_MAX).map(|c| if is_of_a_word(c) { c } else { '_' }));
        self
    }

    /// As stored. Whatever a database says is taken: if it was changed, the chain tells.
    #[must_use]
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the first word with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.words().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// All words.
    pub fn words(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.split(' ').filter_map(|word| word.split_once('='))
    }
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_of_a_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:,".contains(c)
}

impl Entry {
    /// Feeds the canonical form into a hash: each member with its length, so that no two entries have the same.
    pub(crate) fn canonical(&self, hash: &mut Sha256) {
        hash.update(b"guichet audit entry 1\0");
        hash.update(self.seq.to_be_bytes());
        hash.update(self.at_ms.to_be_bytes());
        text(hash, Some(&self.actor));
        text(hash, Some(&self.action));
        match self.ticket {
            Some(ticket) => {
                hash.update([1]);
                hash.update(ticket.to_be_bytes());
            }
            None => hash.update([0]),
        }
        match &self.customer {
            Some(seal) => {
                hash.update([1]);
                hash.update(seal.commitment.as_bytes());
            }
            None => hash.update([0]),
        }
        text(hash, Some(self.details.as_str()));
        text(hash, self.policy.as_deref());
        text(hash, Some(&self.request_id));
    }
}

fn text(hash: &mut Sha256, text: Option<&str>) {
    match text {
        Some(text) => {
            hash.update([1]);
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text.as_bytes());
        }
        None => hash.update([0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_words_and_never_sentences() {
        let details = Details::new().with("role", "line1").with("shown", "person.name,company.name");
        assert_eq!(details.as_str(), "role=line1 shown=person.name,company.name");
        assert_eq!(details.get("shown"), Some("person.name,company.name"));
        let odd = Details::new().with("why", "a b=c\n\"d\"");
        assert_eq!(odd.as_str(), "why=a_b_c__d_");
        assert!(Details::new().with("long", "x".repeat(5_000)).as_str().len() < 700);
    }

    #[test]
    fn an_opened_seal_holds_only_for_its_value_and_its_salt() {
        let mut seal = Seal::new("cus_1", Salt([1; 16]));
        assert!(seal.holds() && seal.erased().holds());
        assert_ne!(seal.commitment, Seal::new("cus_1", Salt([2; 16])).commitment);
        seal.opening = Some(Opening { value: "cus_2".into(), salt: Salt([1; 16]) });
        assert!(!seal.holds());
    }
}
