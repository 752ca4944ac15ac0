//! The bridge's own ceiling: so many requests in so much time, shared by all who ask, people first.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::ask::Priority;
use super::profile::limits::Limits;
use super::trouble::Trouble;

/// A bucket of leaves to ask, filled at a steady rate. What nobody waits for leaves a part of it to people.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: Option<Rate>,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    /// Milliseconds between two requests, times 1000.
    interval_us: u64,
    /// Requests at once after a rest.
    burst: u64,
}

#[derive(Debug, Default)]
struct State {
    /// When the bucket will be full, in microseconds since the beginning (the "theoretical arrival time" of GCRA,
    /// ITU-T I.371), as if one asked now.
    full_at_us: u64,
    /// People who wait.
    waiting: u32,
}

/// Leave comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct InUs(u64);

impl Limiter {
    /// The ceiling of a profile; none if it names none.
    pub(super) fn new(limits: &Limits) -> Self {
        let rate = limits.requests.zip(limits.per_ms).map(|(requests, per_ms)| Rate {
            interval_us: (u64::from(per_ms) * 1_000 / u64::from(requests.max(1))).max(1),
            burst: u64::from(limits.burst.unwrap_or(requests).max(1)),
        });
        Self { rate, begun: Instant::now(), state: Mutex::default() }
    }

    /// Waits for leave to send one request.
    ///
    /// # Errors
    /// [`Trouble::Busy`] if it does not come within `wait_ms`.
    pub(super) async fn leave(&self, priority: Priority, wait_ms: u64) -> Result<(), Trouble> {
        let Some(rate) = self.rate else { return Ok(()) };
        let until = Instant::now() + Duration::from_millis(wait_ms);
        let mut waits = None;
        loop {
            let now = Instant::now();
            let now_us = u64::try_from(now.duration_since(self.begun).as_micros()).unwrap_or(u64::MAX);
            let InUs(wait_us) = match self.locked().take(rate, now_us, priority) {
                Ok(()) => return Ok(()),
                Err(wait) => wait,
            };
            let next = now + Duration::from_micros(wait_us.max(1_000));
            if next > until {
                return Err(Trouble::Busy);
            }
            if waits.is_none() && priority == Priority::LookUp {
                waits = Some(Waiting::new(self));
            }
            tokio::time::sleep_until(next).await;
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a person who waits, also when that person leaves.
struct Waiting<'a>(&'a Limiter);

impl<'a> Waiting<'a> {
    fn new(limiter: &'a Limiter) -> Self {
        limiter.locked().waiting += 1;
        Self(limiter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.locked();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

impl State {
    fn take(&mut self, rate: Rate, now_us: u64, priority: Priority) -> Result<(), InUs> {
        // A quarter of the burst is left to people; of a burst of one nothing can be left.
        let reserve = if priority == Priority::Sync { rate.burst / 4 } else { 0 };
        let room_us = rate.interval_us.saturating_mul(rate.burst - reserve - 1);
        let full_at = self.full_at_us.max(now_us);
        if priority == Priority::Sync && self.waiting > 0 {
            return Err(InUs(rate.interval_us));
        }
        let earliest = full_at.saturating_sub(room_us);
        if earliest > now_us {
            return Err(InUs(earliest - now_us));
        }
        self.full_at_us = full_at.saturating_add(rate.interval_us);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { interval_us: 500_000, burst: 4 };

    #[test]
    fn a_burst_goes_at_once_and_then_one_an_interval() {
        let mut state = State::default();
        for _ in 0..4 {
            assert_eq!(state.take(RATE, 0, Priority::LookUp), Ok(()));
        }
        assert_eq!(state.take(RATE, 0, Priority::LookUp), Err(InUs(500_000)));
        assert_eq!(state.take(RATE, 499_999, Priority::LookUp), Err(InUs(1)));
        assert_eq!(state.take(RATE, 500_000, Priority::LookUp), Ok(()));
        let mut in_ten_seconds = 0;
        for ms in 0..10_000 {
            in_ten_seconds += u32::from(state.take(RATE, 500_000 + ms * 1_000, Priority::LookUp).is_ok());
        }
        assert_eq!(in_ten_seconds, 19, "two a second");
    }

    #[test]
    fn sync_leaves_a_part_to_people_and_stands_back_while_one_waits() {
        let mut state = State::default();
        for _ in 0..3 {
            assert_eq!(state.take(RATE, 0, Priority::Sync), Ok(()));
        }
        assert!(state.take(RATE, 0, Priority::Sync).is_err());
        assert_eq!(state.take(RATE, 0, Priority::LookUp), Ok(()), "the fourth is for a person");
        state.waiting = 1;
        assert!(state.take(RATE, 60_000_000, Priority::Sync).is_err());
        state.waiting = 0;
        assert_eq!(state.take(RATE, 60_000_000, Priority::Sync), Ok(()));
    }

    #[test]
    fn a_rest_is_not_saved_beyond_the_burst() {
        let mut state = State::default();
        let later = 3_600_000_000;
        let taken = (0..10).filter(|_| state.take(RATE, later, Priority::LookUp).is_ok()).count();
        assert_eq!(taken, 4);
    }

    #[tokio::test]
    async fn who_gets_no_leave_in_time_is_told_so() {
        let limits = Limits { requests: Some(1), per_ms: Some(60_000), ..Limits::default() };
        let limiter = Limiter::new(&limits);
        assert_eq!(limiter.leave(Priority::LookUp, 100).await, Ok(()));
        assert_eq!(limiter.leave(Priority::LookUp, 100).await, Err(Trouble::Busy));
        assert_eq!(Limiter::new(&Limits::default()).leave(Priority::Sync, 0).await, Ok(()));
    }
}
