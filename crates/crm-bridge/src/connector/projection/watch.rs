//! What the CRM sent without being asked: counted, and where a name is on the deny lexicon, named. Never a value.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::policy::lexicon::Lexicon;

const NAMES_MAX: usize = 512;
const NAME_CHARS_MAX: usize = 64;

/// Watches the member names of all answers of one connector. Each name is judged once and remembered.
#[derive(Debug)]
pub struct KeyWatch {
    lexicon: Lexicon,
    unexpected: AtomicU64,
    over_shared: AtomicU64,
    names: Mutex<BTreeMap<Box<str>, bool>>,
}

impl KeyWatch {
    /// A watch with that lexicon.
    #[must_use]
    pub fn new(lexicon: Lexicon) -> Self {
        Self {
            lexicon,
            unexpected: AtomicU64::new(0),
            over_shared: AtomicU64::new(0),
            names: Mutex::default(),
        }
    }

    /// Counts a member that nobody asked for.
    pub(super) fn unexpected(&self, name: &str) {
        self.unexpected.fetch_add(1, Ordering::Relaxed);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let denied = match names.get(name) {
            Some(denied) => *denied,
            None => {
                // A name may be anything, a customer's address included; only what is plain and short is remembered.
                let plain = name.chars().count() <= NAME_CHARS_MAX
                    && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
                let denied = plain && self.lexicon.judge(name).is_some();
                if plain && names.len() < NAMES_MAX {
                    names.insert(name.into(), denied);
                }
                if denied {
                    tracing::warn!(
                        crm.member = name,
                        "the CRM sends a member that it should not: over-sharing"
                    );
                }
                denied
            }
        };
        drop(names);
        if denied {
            self.over_shared.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many members came that nobody asked for.
    #[must_use]
    pub fn unexpected_count(&self) -> u64 {
        self.unexpected.load(Ordering::Relaxed)
    }

    /// How many of them have a name on the deny lexicon.
    #[must_use]
    pub fn over_shared_count(&self) -> u64 {
        self.over_shared.load(Ordering::Relaxed)
    }

    /// The names of the deny lexicon that came, in alphabetical order.
    #[must_use]
    pub fn over_shared_names(&self) -> Vec<String> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().filter(|(_, denied)| **denied).map(|(name, _)| name.to_string()).collect()
    }
}
