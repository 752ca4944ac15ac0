//! Who was found to be signed in a moment ago, so that a busy screen does not ask the database for every request.
//!
//! Correct within this process at once: whatever ends or changes a sign-in empties it. On another node of a PostgreSQL
//! installation a change arrives within [`LIFETIME_MS`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use service_kit::Clock;

use crate::domain::Actor;

/// How long an entry is believed.
const LIFETIME_MS: i64 = 2_000;
/// So many entries at most; then it starts anew.
const ENTRIES_MAX: usize = 10_000;

/// A sign-in as it was found in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSignIn {
    /// Who it is.
    pub actor: Actor,
    /// When it was last noted as used.
    pub noted_at: i64,
    /// Not valid from this instant on; idle time counts from `noted_at`.
    pub ends_at: i64,
}

/// The table. Entries of before a change never come back: whoever looked up before it can't insert after it.
#[derive(Debug)]
pub struct SignInCache {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    generation: u64,
    entries: HashMap<String, (i64, FoundSignIn)>,
}

impl SignInCache {
    /// An empty table.
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
    }

    /// The entry under this hash, if it is fresh; and the generation to pass to [`SignInCache::insert`].
    pub fn get(&self, hash: &str) -> (Option<FoundSignIn>, u64) {
        let now = self.clock.now().ms();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = state.entries.get(hash).filter(|(at, _)| now - at < LIFETIME_MS);
        (fresh.map(|(_, found)| found.clone()), state.generation)
    }

    /// Keeps what was found, unless something changed since `generation`.
    pub fn insert(&self, hash: &str, found: FoundSignIn, generation: u64) {
        let now = self.clock.now().ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.generation != generation {
            return;
        }
        if state.entries.len() >= ENTRIES_MAX {
            state.entries.clear();
        }
        state.entries.insert(hash.to_owned(), (now, found));
    }

    /// Forgets everything: a session, an operator or a key has changed. Call it after the commit.
    pub fn forget_all(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.generation += 1;
        state.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_kit::Timestamp;

    fn found() -> FoundSignIn {
        FoundSignIn { actor: Actor::public(), noted_at: 0, ends_at: i64::MAX }
    }

    #[test]
    fn an_entry_is_believed_for_a_moment_only() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let cache = SignInCache::new(clock.clone());
        let (nothing, generation) = cache.get("a");
        assert_eq!(nothing, None);
        cache.insert("a", found(), generation);
        assert!(cache.get("a").0.is_some());
        clock.advance_ms(LIFETIME_MS);
        assert_eq!(cache.get("a").0, None);
    }

    #[test]
    fn who_looked_up_before_a_change_can_not_bring_it_back() {
        let cache = SignInCache::new(Clock::manual(Timestamp::from_ms(0)));
        let (_, before) = cache.get("a");
        cache.forget_all();
        cache.insert("a", found(), before);
        assert_eq!(cache.get("a").0, None);
    }
}
