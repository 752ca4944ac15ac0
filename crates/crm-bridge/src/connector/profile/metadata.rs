//! How the CRM says what its fields are called.

use serde::Deserialize;

use super::Operation;
use crate::connector::pointer::Pointer;

/// Table `[metadata]`: what the CRM's fields are called by the people who use it. Asked when a policy is checked with
/// `--live`; never for a card.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Asks for the fields of people.
    pub request: Operation,
    /// Asks for the fields of companies; the answer is built alike.
    pub company: Option<Operation>,
    /// Where the list of fields is.
    #[serde(default)]
    pub records: Pointer,
    /// Where a field's name is, or its several names, such as number and code; without it the fields are members of an
    /// object, each under its name.
    pub name: Option<Places>,
    /// Where a field's label is, or its several labels: all of them are judged.
    pub label: Places,
}

/// A place, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a pointer such as \"/label\", or a list of them")]
pub enum Places {
    /// One.
    One(Pointer),
    /// Several.
    Several(Vec<Pointer>),
}

impl Places {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Pointer] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}
