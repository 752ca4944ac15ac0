//! Records that the CRM still hands out and counts as gone.

use super::projection::Record;
use crate::walls::{Wall, Walls};

impl Record {
    /// Whether the CRM neither marks it as deleted nor says that it is part of another record now.
    #[must_use]
    pub fn is_there(&self) -> bool {
        !self.deleted && self.merged_into.as_ref().is_none_or(|into| self.id.as_ref() == Some(into))
    }

    /// One that is not there says so, and by what it is found, and nothing more.
    pub(super) fn buried(mut self, walls: Walls) -> Self {
        if !self.is_there() && walls.stands(Wall::Tombstone) {
            self.values.clear();
            self.not_sent.clear();
            self.company_id = None;
            #[cfg(feature = "sabotage")]
            self.unlisted.clear();
        }
        self
    }
}
