//! How often the same caller may try: a bounded table in memory, moved by the injected clock.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::time::Clock;

/// So many callers are remembered; beyond it, those are forgotten who have been quiet for longest.
const CALLERS_MAX: usize = 10_000;

/// Allows a burst and then an even flow (the generic cell rate algorithm): `burst` attempts within `window_s` seconds.
#[derive(Debug)]
pub struct RateLimit<K> {
    clock: Clock,
    interval_ms: i64,
    window_ms: i64,
    /// Per caller the instant at which nothing of what they did counts any more.
    free_at_ms: Mutex<HashMap<K, i64>>,
}

impl<K: Eq + Hash + Clone> RateLimit<K> {
    /// At most `burst` attempts at once, and as many again within each `window_s` seconds.
    pub fn new(clock: Clock, burst: u32, window_s: u32) -> Self {
        let window_ms = i64::from(window_s) * 1000;
        let interval_ms = (window_ms / i64::from(burst.max(1))).max(1);
        Self { clock, interval_ms, window_ms, free_at_ms: Mutex::default() }
    }

    /// Counts an attempt of this caller.
    ///
    /// # Errors
    /// In how many seconds the next attempt is allowed; this one was not counted.
    pub fn attempt(&self, caller: &K) -> Result<(), u64> {
        let now = self.clock.now().ms();
        let mut table = self.free_at_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let free_at = table.get(caller).copied().unwrap_or(now).max(now) + self.interval_ms;
        let wait_ms = free_at - now - self.window_ms;
        if wait_ms > 0 {
            return Err(u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000));
        }
        if table.len() >= CALLERS_MAX && !table.contains_key(caller) {
            make_room(&mut table, now);
        }
        table.insert(caller.clone(), free_at);
        Ok(())
    }

    /// How many attempts this caller has left, and in how many seconds all of them are back.
    pub fn left(&self, caller: &K) -> (u32, u64) {
        let now = self.clock.now().ms();
        let table = self.free_at_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let used_ms = table.get(caller).map_or(0, |free_at| (free_at - now).max(0));
        let left = (self.window_ms - used_ms).max(0) / self.interval_ms;
        (u32::try_from(left).unwrap_or(u32::MAX), u64::try_from(used_ms).unwrap_or(0).div_ceil(1000))
    }

    /// Whether this caller has no attempt left, and in how many seconds there is one. Nothing is counted.
    pub fn spent(&self, caller: &K) -> Option<u64> {
        let now = self.clock.now().ms();
        let table = self.free_at_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let free_at = table.get(caller).copied().unwrap_or(now).max(now) + self.interval_ms;
        let wait_ms = free_at - now - self.window_ms;
        (wait_ms > 0).then(|| u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000))
    }

    /// Takes one attempt of this caller back: it was rightful.
    pub fn forgive(&self, caller: &K) {
        let now = self.clock.now().ms();
        let mut table = self.free_at_ms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(free_at) = table.get_mut(caller) {
            *free_at -= self.interval_ms;
            if *free_at <= now {
                table.remove(caller);
            }
        }
    }
}

fn make_room<K: Eq + Hash + Clone>(table: &mut HashMap<K, i64>, now: i64) {
    table.retain(|_, free_at| *free_at > now);
    if table.len() < CALLERS_MAX {
        return;
    }
    let quietest = table.iter().min_by_key(|(_, free_at)| **free_at).map(|(caller, _)| caller.clone());
    if let Some(caller) = quietest {
        table.remove(&caller);
    }
}

/// Under which key an address is counted: one household or office of IPv6 is one caller, however many addresses it has.
pub fn caller_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn limit(clock: &Clock) -> RateLimit<u32> {
        RateLimit::new(clock.clone(), 3, 60)
    }

    #[test]
    fn a_burst_is_allowed_then_one_attempt_per_interval() {
        let clock = Clock::manual(Timestamp::from_ms(1_795_252_320_000));
        let limit = limit(&clock);
        assert!((0..3).all(|_| limit.attempt(&1).is_ok()));
        assert_eq!(limit.attempt(&1), Err(20));
        assert!(limit.attempt(&2).is_ok(), "another caller is not concerned");
        clock.advance_ms(19_999);
        assert_eq!(limit.attempt(&1), Err(1));
        clock.advance_ms(1);
        assert!(limit.attempt(&1).is_ok());
        assert!(limit.attempt(&1).is_err());
    }

    #[test]
    fn what_is_left_is_told_without_being_counted() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let limit = limit(&clock);
        assert_eq!((limit.left(&1), limit.spent(&1)), ((3, 0), None));
        assert!(limit.attempt(&1).is_ok());
        assert_eq!((limit.left(&1), limit.spent(&1)), ((2, 20), None));
        assert!((0..2).all(|_| limit.attempt(&1).is_ok()));
        assert_eq!((limit.left(&1), limit.spent(&1)), ((0, 60), Some(20)));
        clock.advance_ms(60_000);
        assert_eq!((limit.left(&1), limit.spent(&1)), ((3, 0), None));
    }

    #[test]
    fn a_rightful_attempt_does_not_count() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let limit = limit(&clock);
        for _ in 0..100 {
            assert!(limit.attempt(&1).is_ok());
            limit.forgive(&1);
        }
    }

    #[test]
    fn the_table_stays_bounded_and_forgets_the_quietest() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let limit = RateLimit::new(clock, 2, 60);
        assert!(limit.attempt(&u32::MAX).is_ok() && limit.attempt(&u32::MAX).is_ok());
        for caller in 0..20_000 {
            assert!(limit.attempt(&caller).is_ok());
        }
        assert!(limit.free_at_ms.lock().unwrap().len() <= CALLERS_MAX);
        assert!(limit.attempt(&u32::MAX).is_err(), "who tries most is remembered longest");
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let key = |text: &str| caller_of(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
    }
}
