//! Who is not there any more: erased, or merged into somebody else. What a CRM calls tombstones.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// One person who is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tombstone {
    /// Who.
    pub id: String,
    /// Since when.
    pub at: Timestamp,
    /// Whose record took this one in.
    pub merged_into: Option<String>,
}

/// All tombstones since the start of the program.
#[derive(Default)]
pub struct Gone(Mutex<Vec<Tombstone>>);

impl Gone {
    /// Adds one.
    pub fn add(&self, tombstone: Tombstone) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(tombstone);
    }

    /// Those since then, oldest first.
    #[must_use]
    pub fn since(&self, since: Option<Timestamp>) -> Vec<Tombstone> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|one| since.is_none_or(|since| one.at >= since)).cloned().collect()
    }

    /// Into whose record that one was merged.
    #[must_use]
    pub fn merged_into(&self, id: &str) -> Option<String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find(|one| one.id == id).and_then(|one| one.merged_into.clone())
    }
}
