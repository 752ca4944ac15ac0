//! Ids and random values that are passed down, so that tests can draw the same ones every time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::time::Clock;

/// Makes ids and random values. Clones share one generator.
#[derive(Clone)]
pub struct Ids {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

struct State {
    generator: StdRng,
    last: LastId,
}

/// The parts of the id made last: the next one must sort after it, even within the same millisecond or when the clock
/// was set back (RFC 9562, section 6.2, method 2).
#[derive(Clone, Copy, Default)]
struct LastId {
    ms: u64,
    random_a: [u8; 2],
    /// 62 bits, begun below the middle so that there is always room to count up.
    random_b: u64,
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ids")
    }
}

impl Ids {
    /// Ids from a generator that the operating system has seeded; fit for secrets.
    pub fn random(clock: Clock) -> Self {
        Self::from_generator(clock, rand::make_rng())
    }

    /// The same ids for the same seed, for tests and generated data. Not for secrets.
    pub fn seeded(clock: Clock, seed: u64) -> Self {
        Self::from_generator(clock, StdRng::seed_from_u64(seed))
    }

    fn from_generator(clock: Clock, generator: StdRng) -> Self {
        Self { clock, state: Arc::new(Mutex::new(State { generator, last: LastId::default() })) }
    }

    /// A new id such as `msg_0193…`: the prefix and a UUID version 7 (RFC 9562) without hyphens. Ids of one process sort
    /// in the order in which they were made.
    pub fn new_id(&self, prefix: &str) -> String {
        let now_ms = u64::try_from(self.clock.now().ms()).unwrap_or(0);
        let last = self.locked().next_id(now_ms);
        let mut random = [0u8; 10];
        random[..2].copy_from_slice(&last.random_a);
        random[2..].copy_from_slice(&last.random_b.to_be_bytes());
        let uuid = uuid::Builder::from_unix_timestamp_millis(last.ms, &random).into_uuid();
        format!("{prefix}_{}", uuid.simple())
    }

    /// A random text of `bytes` bytes of entropy in the URL-safe base64 alphabet.
    pub fn token(&self, bytes: usize) -> String {
        let mut random = vec![0u8; bytes];
        self.fill(&mut random);
        URL_SAFE_NO_PAD.encode(random)
    }

    /// Fills the buffer with random bytes.
    pub fn fill(&self, buffer: &mut [u8]) {
        self.locked().generator.fill_bytes(buffer);
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A random number from 0 up to, not including, `end`; 0 if `end` is 0.
    pub fn below(&self, end: u64) -> u64 {
        let mut bytes = [0u8; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes).checked_rem(end).unwrap_or(0)
    }
}

impl State {
    fn next_id(&mut self, now_ms: u64) -> LastId {
        if now_ms > self.last.ms {
            let mut random_a = [0u8; 2];
            self.generator.fill_bytes(&mut random_a);
            self.last = LastId { ms: now_ms, random_a, random_b: self.generator.next_u64() >> 3 };
        } else {
            // A step that can't be guessed, so that neighbours' ids can't either.
            self.last.random_b += 1 + u64::from(self.generator.next_u32());
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let clock = Clock::manual(Timestamp::from_ms(1_795_252_320_000));
        let ids = Ids::seeded(clock.clone(), 7);
        let first = ids.new_id("msg");
        clock.advance_ms(1);
        assert!(first < ids.new_id("msg"));
        assert_eq!(first.len(), "msg_".len() + 32);
    }

    #[test]
    fn ids_of_one_millisecond_sort_in_the_order_in_which_they_were_made() {
        let clock = Clock::manual(Timestamp::from_ms(1_795_252_320_000));
        let ids = Ids::seeded(clock, 7);
        let made: Vec<String> = (0..1000).map(|_| ids.new_id("evt")).collect();
        assert!(made.is_sorted() && made.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_set_ids_back() {
        let clock = Clock::manual(Timestamp::from_ms(1_795_252_320_000));
        let ids = Ids::seeded(clock.clone(), 7);
        let before = ids.new_id("evt");
        clock.advance_ms(-60_000);
        assert!(before < ids.new_id("evt"));
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        assert_eq!(Ids::seeded(clock.clone(), 1).token(16), Ids::seeded(clock.clone(), 1).token(16));
        assert_ne!(Ids::seeded(clock.clone(), 1).token(16), Ids::seeded(clock, 2).token(16));
    }

    #[test]
    fn unseeded_tokens_differ() {
        let clock = Clock::system();
        assert_ne!(Ids::random(clock.clone()).token(16), Ids::random(clock).token(16));
    }
}
