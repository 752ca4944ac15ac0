//! What the CRM may read of a ticket: a list that a data owner can read, checked when it is loaded. Deny by default.
//!
//! It is the field policy's counterpart for the other direction. The words that can be listed are a closed set: a message,
//! a note or an operator's name can't even be asked for.

use std::fmt::Write as _;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::policy::load::line_at;
use crate::walls::{Wall, Walls};

const FILE_BYTES_MAX: usize = 64 * 1024;
const SHORT_CHARS_MAX: usize = 120;

/// A member of a ticket's summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TicketField {
    /// What it is about.
    Subject,
    /// Where it stands.
    Status,
    /// How much it matters.
    Priority,
    /// The line that works on it.
    Line,
    /// When it was opened.
    CreatedAt,
    /// When something of it last changed.
    UpdatedAt,
    /// When it was resolved.
    ResolvedAt,
    /// How content the requester was.
    Rating,
    /// How many messages went.
    PublicMessages,
}

impl TicketField {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Subject,
        Self::Status,
        Self::Priority,
        Self::Line,
        Self::CreatedAt,
        Self::UpdatedAt,
        Self::ResolvedAt,
        Self::Rating,
        Self::PublicMessages,
    ];

    /// The word in the policy, on the wire and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Status => "status",
            Self::Priority => "priority",
            Self::Line => "line",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::ResolvedAt => "resolved_at",
            Self::Rating => "rating",
            Self::PublicMessages => "public_messages",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == word)
    }
}

/// A ticket policy that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketPolicy {
    /// Its name.
    pub name: String,
    /// The number that the data owner gave this version.
    pub number: u32,
    /// Who answers for it.
    pub owner: String,
    fields: Vec<TicketField>,
    hash: String,
    walls: Walls,
}

/// What is wrong with a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TicketPolicyError {
    /// Line of the file, counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    policy: Header,
    ticket: Ticket,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: Spanned<String>,
    number: Spanned<u32>,
    owner: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ticket {
    fields: Vec<Spanned<String>>,
}

impl TicketPolicy {
    /// Reads and checks a policy file.
    ///
    /// # Errors
    /// All that is wrong, each with its line.
    pub fn load(text: &str) -> Result<Self, Vec<TicketPolicyError>> {
        if text.len() > FILE_BYTES_MAX {
            let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
            return Err(vec![TicketPolicyError { line: 1, message }]);
        }
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(text, span.start));
            vec![TicketPolicyError { line, message: error.message().to_owned() }]
        })?;
        let mut errors = Vec::new();
        let mut error = |at: usize, message: String| {
            errors.push(TicketPolicyError { line: line_at(text, at), message });
        };
        for (key, value) in [("policy.name", &file.policy.name), ("policy.owner", &file.policy.owner)] {
            if !is_short(value.get_ref()) {
                error(value.span().start, format!("{key} has 1 to {SHORT_CHARS_MAX} characters on one line"));
            }
        }
        if *file.policy.number.get_ref() == 0 {
            error(file.policy.number.span().start, "policy.number is counted from 1".to_owned());
        }
        let mut fields = Vec::new();
        for word in &file.ticket.fields {
            match TicketField::from_word(word.get_ref()) {
                None => error(word.span().start, unknown(word.get_ref())),
                Some(field) if fields.contains(&field) => {
                    error(word.span().start, format!("`{}` is listed twice", field.as_str()));
                }
                Some(field) => fields.push(field),
            }
        }
        if !errors.is_empty() {
            errors.sort_by_key(|error| error.line);
            return Err(errors);
        }
        fields.sort_unstable();
        let (name, owner) = (file.policy.name.into_inner(), file.policy.owner.into_inner());
        let number = file.policy.number.into_inner();
        let hash = hash(&name, number, &owner, &fields);
        Ok(Self { name, number, owner, fields, hash, walls: Walls::standing() })
    }

    /// Whether the CRM may read this.
    #[must_use]
    pub fn lists(&self, field: TicketField) -> bool {
        self.fields.contains(&field)
    }

    /// The same behind walls of which a test build may have taken some away.
    #[must_use]
    pub fn behind(self, walls: Walls) -> Self {
        Self { walls, ..self }
    }

    /// Whether this is kept of an event.
    #[must_use]
    pub fn keeps(&self, field: TicketField) -> bool {
        self.lists(field) || !self.walls.stands(Wall::Keeps)
    }

    /// Whether this is told of what is kept.
    #[must_use]
    pub fn tells(&self, field: TicketField) -> bool {
        self.lists(field) || !self.walls.stands(Wall::Tells)
    }

    /// What may not be read.
    #[must_use]
    pub fn withheld(&self) -> Vec<TicketField> {
        TicketField::ALL.into_iter().filter(|field| !self.lists(*field)).collect()
    }

    /// SHA-256 of what it says, in hexadecimal: another hash, another policy.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The policy as text that a data owner can sign.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = format!(
            "Ticket policy \"{}\", number {}, answered for by {}\nsha256 {}\n\nThe CRM may read of its customers' tickets:\n",
            self.name, self.number, self.owner, self.hash
        );
        text.push_str("  number\n");
        for field in &self.fields {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", field.as_str());
        }
        let withheld: Vec<&str> = self.withheld().into_iter().map(TicketField::as_str).collect();
        if !withheld.is_empty() {
            let _ = writeln!(text, "It could, and may not: {}.", withheld.join(", "));
        }
        text.push_str("Messages, internal notes, operators and other customers' tickets never go.\n");
        text
    }
}

/// What is said where there is no ticket policy.
pub const NO_POLICY: &str = "There is no ticket policy: the CRM may read nothing of a ticket.\n";

fn unknown(word: &str) -> String {
    let known: Vec<&str> = TicketField::ALL.into_iter().map(TicketField::as_str).collect();
    let word: String = word.chars().filter(|char| !char.is_control()).take(40).collect();
    format!("`{word}` is nothing that the CRM could read of a ticket; there is: {}", known.join(", "))
}

fn is_short(text: &str) -> bool {
    !text.trim().is_empty() && text.chars().count() <= SHORT_CHARS_MAX && !text.chars().any(char::is_control)
}

fn hash(name: &str, number: u32, owner: &str, fields: &[TicketField]) -> String {
    let words: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
    let canonical = format!("guichet ticket policy 1\n{name}\n{number}\n{owner}\n{}", words.join("\n"));
    Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "[policy]\nname = \"crm\"\nnumber = 1\nowner = \"dpo@example.org\"\n[ticket]\n";

    fn errors_of(rest: &str) -> Vec<String> {
        TicketPolicy::load(&format!("{HEADER}{rest}"))
            .map(|_| Vec::new())
            .unwrap_or_else(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_shipped_policy_lists_subject_status_and_times_and_explains_itself() {
        let policy = TicketPolicy::load(include_str!("../../../config/ticket-policy.toml")).unwrap();
        assert!(policy.lists(TicketField::Subject) && policy.lists(TicketField::ResolvedAt));
        assert_eq!(
            policy.withheld(),
            [TicketField::Priority, TicketField::Line, TicketField::Rating, TicketField::PublicMessages]
        );
        let text = policy.explain();
        for part in ["number 1", "  subject", "may not: priority, line, rating", policy.hash()] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn a_policy_without_fields_lists_nothing() {
        let policy = TicketPolicy::load(&format!("{HEADER}fields = []\n")).unwrap();
        assert_eq!(policy.withheld(), TicketField::ALL);
    }

    #[test]
    fn what_never_goes_has_no_word_and_every_slip_has_its_line() {
        for word in ["notes", "messages", "assignee", "operator", "customer", "Subject", ""] {
            let errors = errors_of(&format!("fields = [\"status\",\n\"{word}\"]\n"));
            assert_eq!(errors.len(), 1, "{word}");
            assert!(errors[0].starts_with("line 7: ") && errors[0].contains("public_messages"), "{errors:?}");
        }
        assert!(errors_of("fields = [\"status\", \"status\"]\n")[0].contains("twice"));
        assert!(errors_of("fields = []\nall = true\n")[0].starts_with("line 7: unknown field `all`"));
        assert!(errors_of("fields = [1]\n")[0].starts_with("line 6: "));
        assert!(errors_of("")[0].contains("fields"));
    }

    #[test]
    fn the_hash_follows_the_list_and_not_its_order() {
        let hash = |fields: &str| {
            TicketPolicy::load(&format!("{HEADER}fields = [{fields}]\n")).unwrap().hash().to_owned()
        };
        assert_eq!(hash("\"status\",\"subject\""), hash("\"subject\",\"status\""));
        assert_ne!(hash("\"status\""), hash("\"status\",\"line\""));
    }
}
