//! What the CRM sent without being asked: counted, and where a name is on the deny lexicon, named. Never a value.
//!
//! A CRM that can't be told what to send sends the same sixty unwanted names with every record, so a name is judged
//! once; after that its number is looked up in a table that is read without a lock, and counts are added up per answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use service_kit::metrics::Metrics;

use super::names::place;
use crate::policy::lexicon::Lexicon;
use crate::policy::tripwire;
use crate::walls::{Wall, Walls};

const NAME_CHARS_MAX: usize = 64;
/// Names on the lexicon that are told apart.
const DENIED_MAX: usize = 512;
/// Names that are remembered. A CRM that uses ids as names would fill the table; what comes then is counted only.
const JUDGED_MAX: usize = 4_096;
/// Twice as many, so that a search ends soon; a power of two.
const PLACES: usize = 8_192;
/// The part of an entry that says what was judged: 1 for nothing, else two more than the position among the denied.
const VERDICT: u64 = 0x3FF;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Member {
    member: String,
}

/// Whether a name looks like a value: some CRMs make members of ids, and a sloppy export of account numbers.
fn carries_a_value(name: &str) -> bool {
    let spaced: String = name.chars().map(|c| if matches!(c, '_' | '.' | '$') { ' ' } else { c }).collect();
    tripwire::scan(name).or_else(|| tripwire::scan(&spaced)).is_some()
}

/// Watches the member names of all answers of one connector.
#[derive(Debug)]
pub struct KeyWatch {
    lexicon: Lexicon,
    unexpected: Counter,
    over_shared: Family<Member, Counter>,
    /// The number of a name without its last ten bits, which are the verdict; 0 where nothing stands.
    judged: Box<[AtomicU64]>,
    names: Mutex<Judged>,
    walls: Walls,
}

#[derive(Debug, Default)]
struct Judged {
    count: usize,
    denied: Vec<Box<str>>,
}

/// What came unexpected in one answer.
#[derive(Default)]
pub(super) struct Tally {
    unexpected: u64,
    /// By the position of the name among the denied.
    denied: Vec<u64>,
}

/// What was thought of a name: its position among the denied, if it is one of them.
#[derive(Clone, Copy, Default)]
pub(super) struct Verdict(Option<usize>);

impl Tally {
    /// Counts a member that nobody asked for.
    #[inline]
    pub(super) fn count(&mut self, verdict: Verdict) {
        self.unexpected += 1;
        if let Some(position) = verdict.0 {
            if self.denied.len() <= position {
                self.denied.resize(position + 1, 0);
            }
            if let Some(count) = self.denied.get_mut(position) {
                *count += 1;
            }
        }
    }
}

impl KeyWatch {
    /// A watch with that lexicon.
    #[must_use]
    pub fn new(lexicon: Lexicon) -> Self {
        Self {
            lexicon,
            unexpected: Counter::default(),
            over_shared: Family::default(),
            judged: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            names: Mutex::default(),
            walls: Walls::standing(),
        }
    }

    /// The same behind walls of which a test build may have taken some away.
    #[must_use]
    pub fn behind(self, walls: Walls) -> Self {
        Self { walls, ..self }
    }

    /// Shows the counts among the service's metrics.
    pub fn register(&self, metrics: &Metrics) {
        let unexpected = "Members of CRM answers that nobody asked for";
        metrics.register("crm_unexpected_members", unexpected, self.unexpected.clone());
        let over_shared = "Members of CRM answers whose name is on the deny lexicon";
        metrics.register("crm_over_shared_members", over_shared, self.over_shared.clone());
    }

    /// What is to be thought of a member that nobody asked for; `number` is its [`super::names::number_of`].
    #[inline]
    pub(super) fn verdict(&self, name: &str, number: u64) -> Verdict {
        let verdict = self.remembered(number).unwrap_or_else(|| self.judge(name, number));
        Verdict(usize::try_from(verdict).ok().and_then(|verdict| verdict.checked_sub(2)))
    }

    /// Adds up what came in one answer.
    pub(super) fn add(&self, tally: &Tally) {
        self.unexpected.inc_by(tally.unexpected);
        if tally.denied.is_empty() {
            return;
        }
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, count) in names.denied.iter().zip(&tally.denied).filter(|(_, count)| **count > 0) {
            self.over_shared.get_or_create(&Member { member: name.to_string() }).inc_by(*count);
        }
    }

    #[inline]
    fn remembered(&self, number: u64) -> Option<u64> {
        let mut at = place(number, PLACES - 1);
        loop {
            // Entries are written once and whole, and nothing else depends on their order.
            let entry = self.judged.get(at)?.load(Ordering::Relaxed);
            if entry == 0 {
                return None;
            }
            if (entry ^ number) & !VERDICT == 0 {
                return Some(entry & VERDICT);
            }
            at = (at + 1) & (PLACES - 1);
        }
    }

    #[cold]
    fn judge(&self, name: &str, number: u64) -> u64 {
        const NOTHING: u64 = 1;
        // A name may be anything, a customer's address included; only what is plain and short is kept as text.
        let plain = name.chars().count() <= NAME_CHARS_MAX
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
        let plain = plain || !self.walls.stands(Wall::Names);
        let tells = carries_a_value(name) && self.walls.stands(Wall::Tripwire);
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        // Another answer may have brought it meanwhile.
        if let Some(verdict) = self.remembered(number) {
            return verdict;
        }
        if !plain || tells || names.count >= JUDGED_MAX {
            return NOTHING;
        }
        let mut verdict = NOTHING;
        if names.denied.len() < DENIED_MAX && self.lexicon.judge(name).is_some() {
            tracing::warn!(crm.member = name, "the CRM sends a member that it should not: over-sharing");
            names.denied.push(name.into());
            verdict = u64::try_from(names.denied.len()).unwrap_or(0) + 1;
        }
        let mut at = place(number, PLACES - 1);
        while let Some(entry) = self.judged.get(at) {
            if entry.load(Ordering::Relaxed) == 0 {
                entry.store((number & !VERDICT) | verdict, Ordering::Relaxed);
                names.count += 1;
                break;
            }
            at = (at + 1) & (PLACES - 1);
        }
        verdict
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
        let mut denied: Vec<String> = names.denied.iter().map(|name| name.to_string()).collect();
        denied.sort_unstable();
        denied
    }

    /// The same names with how often each came.
    #[must_use]
    pub fn over_shared_counts(&self) -> Vec<(String, u64)> {
        let count = |member: String| {
            let count = self.over_shared.get_or_create(&Member { member: member.clone() }).get();
            (member, count)
        };
        self.over_shared_names().into_iter().map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::number_of;
    use super::*;

    #[test]
    fn a_name_is_judged_once_and_counted_each_time() {
        let watch = KeyWatch::new(Lexicon::with(&[]).unwrap());
        for _ in 0..3 {
            let mut tally = Tally::default();
            for name in ["iban", "shoe_size", "iban", "anna@example.org", "deals"] {
                tally.count(watch.verdict(name, number_of(name)));
            }
            watch.add(&tally);
        }
        assert_eq!(watch.unexpected_count(), 15);
        assert_eq!(watch.over_shared_names(), ["deals", "iban"]);
        let count =
            |member: &str| watch.over_shared.get_or_create(&Member { member: member.to_owned() }).get();
        assert_eq!((count("iban"), count("deals")), (6, 3));
        assert_eq!(watch.names.lock().unwrap().count, 3, "an address is not remembered");
    }

    #[test]
    fn a_flood_of_names_fills_nothing_but_the_table() {
        let watch = KeyWatch::new(Lexicon::with(&[]).unwrap());
        let mut tally = Tally::default();
        for i in 0..20_000 {
            let name = if i % 2 == 0 { format!("iban_{i}") } else { format!("a{i}") };
            tally.count(watch.verdict(&name, number_of(&name)));
        }
        watch.add(&tally);
        assert_eq!(watch.unexpected_count(), 20_000);
        assert_eq!(watch.over_shared_names().len(), DENIED_MAX);
        assert_eq!(watch.names.lock().unwrap().count, JUDGED_MAX);
    }
}
