//! What the CRM sent without being asked: counted, and where a name is on the deny lexicon, named. Never a value.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use service_kit::metrics::Metrics;

use crate::policy::lexicon::Lexicon;

const NAMES_MAX: usize = 512;
const NAME_CHARS_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Member {
    member: String,
}

/// Watches the member names of all answers of one connector. Each name is judged once and remembered.
#[derive(Debug)]
pub struct KeyWatch {
    lexicon: Lexicon,
    unexpected: Counter,
    over_shared: Family<Member, Counter>,
    names: Mutex<BTreeMap<Box<str>, bool>>,
}

impl KeyWatch {
    /// A watch with that lexicon.
    #[must_use]
    pub fn new(lexicon: Lexicon) -> Self {
        Self {
            lexicon,
            unexpected: Counter::default(),
            over_shared: Family::default(),
            names: Mutex::default(),
        }
    }

    /// Shows the counts among the service's metrics.
    pub fn register(&self, metrics: &Metrics) {
        let unexpected = "Members of CRM answers that nobody asked for";
        metrics.register("crm_unexpected_members", unexpected, self.unexpected.clone());
        let over_shared = "Members of CRM answers whose name is on the deny lexicon";
        metrics.register("crm_over_shared_members", over_shared, self.over_shared.clone());
    }

    /// Counts a member that nobody asked for.
    pub(super) fn unexpected(&self, name: &str) {
        self.unexpected.inc();
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let denied = match names.get(name) {
            Some(denied) => *denied,
            None => {
                // A name may be anything, a customer's address included; only what is plain and short is remembered.
                let plain = name.chars().count() <= NAME_CHARS_MAX
                    && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
                let denied = plain && self.lexicon.judge(name).is_some();
                let room = names.len() < NAMES_MAX;
                if plain && room {
                    names.insert(name.into(), denied);
                }
                let denied = denied && room;
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
            self.over_shared.get_or_create(&Member { member: name.to_owned() }).inc();
        }
    }

    /// How many members came that nobody asked for.
    #[must_use]
    pub fn unexpected_count(&self) -> u64 {
        self.unexpected.get()
    }

    /// The names of the deny lexicon that came, in alphabetical order.
    #[must_use]
    pub fn over_shared_names(&self) -> Vec<String> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().filter(|(_, denied)| **denied).map(|(name, _)| name.to_string()).collect()
    }
}
