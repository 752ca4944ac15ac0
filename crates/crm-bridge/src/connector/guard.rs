//! Keeps a CRM that is in trouble from being asked more, and our side from waiting for it: a circuit breaker and a
//! limit on requests under way.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use service_kit::{Clock, Timestamp};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::ask::Priority;
use super::trouble::Trouble;

/// When to stop asking, and how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardLimits {
    /// Requests under way at once.
    pub requests_at_once_max: usize,
    /// Failures in a row after which the CRM is left alone.
    pub failures_max: u32,
    /// For how long it is left alone.
    pub pause_ms: i64,
    /// How long a request may wait for its turn.
    pub turn_timeout_ms: u64,
}

/// The breaker and the limit.
#[derive(Debug)]
pub struct Guard {
    limits: GuardLimits,
    clock: Clock,
    turns: Semaphore,
    /// What nobody waits for leaves one turn to people.
    sync_turns: Semaphore,
    circuit: Mutex<Circuit>,
}

/// Records that are told apart; whatever fails beyond them counts.
const RECORDS_MAX: usize = 1_024;

#[derive(Debug, Default)]
struct Circuit {
    /// Failures since the last good answer.
    failures: u32,
    /// Records whose questions have failed since then. Each counts once: whoever looks at one broken record again and again
    /// says nothing new about the CRM.
    records: BTreeSet<u64>,
    /// Until then nobody asks, because the CRM has failed.
    open_until: Option<Timestamp>,
    /// Until then nobody asks, because the CRM wants it so. That others are answered well changes nothing about that.
    asked_until: Option<Timestamp>,
    /// After a pause one request goes ahead to try; the others wait for how it ends.
    trial_under_way: bool,
}

/// Leave to send one request. How it ended must be told with [`Turn::well`],
/// [`Turn::failed`], [`Turn::failed_with`] or [`Turn::says_nothing`].
pub struct Turn<'a> {
    _permit: SemaphorePermit<'a>,
    _sync_permit: Option<SemaphorePermit<'a>>,
    guard: &'a Guard,
    trial: bool,
    told: bool,
}

impl Guard {
    /// A closed circuit.
    #[must_use]
    pub fn new(limits: GuardLimits, clock: Clock) -> Self {
        let at_once = limits.requests_at_once_max.max(1);
        Self {
            limits,
            clock,
            turns: Semaphore::new(at_once),
            sync_turns: Semaphore::new(at_once.saturating_sub(1).max(1)),
            circuit: Mutex::default(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Trouble::CircuitOpen`] while the CRM is left alone, [`Trouble::Busy`] if no turn came in time.
    pub async fn turn(&self, priority: Priority) -> Result<Turn<'_>, Trouble> {
        self.pass()?;
        let wait = std::time::Duration::from_millis(self.limits.turn_timeout_ms);
        let permits = async {
            let sync = match priority {
                Priority::Sync => Some(self.sync_turns.acquire().await.map_err(|_| Trouble::Busy)?),
                Priority::LookUp => None,
            };
            Ok::<_, Trouble>((self.turns.acquire().await.map_err(|_| Trouble::Busy)?, sync))
        };
        let (permit, sync) = tokio::time::timeout(wait, permits).await.map_err(|_| Trouble::Busy)??;
        // The CRM may have failed while we waited.
        let trial = self.begin()?;
        Ok(Turn { _permit: permit, _sync_permit: sync, guard: self, trial, told: false })
    }

    /// For how long the CRM is still left alone, in milliseconds; 0 if it is not.
    #[must_use]
    pub fn pause_left_ms(&self) -> i64 {
        let circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        circuit.closed_until().map_or(0, |until| until.since_ms(self.clock.now()).max(0))
    }

    /// Whether the CRM is being left alone.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.pass().is_err()
    }

    fn pass(&self) -> Result<(), Trouble> {
        self.pass_in(&self.circuit.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn pass_in(&self, circuit: &Circuit) -> Result<(), Trouble> {
        match circuit.closed_until() {
            Some(until) if self.clock.now() < until || circuit.trial_under_way => Err(Trouble::CircuitOpen),
            _ => Ok(()),
        }
    }

    /// Passes and, after a pause, becomes the one trial; in one step, so that there is only one.
    fn begin(&self) -> Result<bool, Trouble> {
        let mut circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        self.pass_in(&circuit)?;
        circuit.trial_under_way = circuit.closed_until().is_some();
        Ok(circuit.trial_under_way)
    }

    fn ended(&self, how: Ended, trial: bool) {
        let now = self.clock.now();
        let mut circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        if trial {
            circuit.trial_under_way = false;
        }
        let asked_ms = match how {
            Ended::Well => {
                let asked_until = circuit.asked_until.filter(|until| now < *until);
                let trial_under_way = circuit.trial_under_way && asked_until.is_some();
                *circuit = Circuit { asked_until, trial_under_way, ..Circuit::default() };
                return;
            }
            Ended::SaysNothing => return,
            Ended::FailedWith(record) => {
                if circuit.records.contains(&record) {
                    return;
                }
                if circuit.records.len() < RECORDS_MAX {
                    circuit.records.insert(record);
                }
                None
            }
            Ended::Failed(asked_ms) => asked_ms,
        };
        circuit.failures = circuit.failures.saturating_add(1);
        if let Some(asked_ms) = asked_ms {
            circuit.asked_until = circuit.asked_until.max(Some(now.plus_ms(asked_ms)));
        } else if circuit.failures >= self.limits.failures_max || trial {
            circuit.open_until = Some(now.plus_ms(self.limits.pause_ms));
        } else {
            return;
        }
        let pause_ms = circuit.closed_until().map_or(0, |until| until.since_ms(now));
        tracing::warn!(crm.pause_ms = pause_ms, "the CRM is left alone for a while");
    }
}

impl Circuit {
    fn closed_until(&self) -> Option<Timestamp> {
        self.open_until.max(self.asked_until)
    }
}

/// How a request ended.
enum Ended {
    Well,
    /// The CRM failed; if it said for how long to stay away, that long.
    Failed(Option<i64>),
    /// The CRM failed with that record, and perhaps with no other.
    FailedWith(u64),
    SaysNothing,
}

impl Turn<'_> {
    /// The CRM answered as it should.
    pub fn well(mut self) {
        self.told = true;
        self.guard.ended(Ended::Well, self.trial);
    }

    /// The CRM failed; if it said for how long to stay away, that long.
    pub fn failed(mut self, pause_ms: Option<i64>) {
        self.told = true;
        self.guard.ended(Ended::Failed(pause_ms), self.trial);
    }

    /// The CRM failed with a question about one record, which may be the record's own trouble. However often that record is asked
    /// for, it counts once until something is answered well.
    pub fn failed_with(mut self, record: u64) {
        self.told = true;
        self.guard.ended(Ended::FailedWith(record), self.trial);
    }

    /// How it ended says nothing about the CRM. If this was the trial, the next request is.
    pub fn says_nothing(mut self) {
        self.told = true;
        self.guard.ended(Ended::SaysNothing, self.trial);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // A caller that gave up says nothing about the CRM, but a trial must not stay "under way" for ever.
        if !self.told && self.trial {
            self.guard.ended(Ended::Failed(None), true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(clock: &Clock) -> Guard {
        let limits =
            GuardLimits { requests_at_once_max: 2, failures_max: 2, pause_ms: 1_000, turn_timeout_ms: 20 };
        Guard::new(limits, clock.clone())
    }

    #[tokio::test]
    async fn after_failures_in_a_row_the_crm_is_left_alone_and_then_tried_by_one() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let guard = guard(&clock);
        for _ in 0..2 {
            guard.turn(Priority::LookUp).await.unwrap().failed(None);
        }
        assert_eq!(guard.turn(Priority::LookUp).await.err(), Some(Trouble::CircuitOpen));
        clock.advance_ms(1_000);
        let trial = guard.turn(Priority::LookUp).await.unwrap();
        assert_eq!(guard.turn(Priority::LookUp).await.err(), Some(Trouble::CircuitOpen), "one at a time");
        trial.failed(None);
        assert!(guard.is_open());
        clock.advance_ms(1_000);
        guard.turn(Priority::LookUp).await.unwrap().well();
        assert!(!guard.is_open());
    }

    #[tokio::test]
    async fn a_crm_that_asks_for_a_pause_gets_it_at_once() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let guard = guard(&clock);
        guard.turn(Priority::LookUp).await.unwrap().failed(Some(30_000));
        clock.advance_ms(29_999);
        assert!(guard.is_open());
        clock.advance_ms(1);
        assert!(!guard.is_open());
    }

    #[tokio::test]
    async fn a_pause_that_the_crm_asked_for_outlives_the_success_of_a_request_under_way() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let guard = guard(&clock);
        let slow = guard.turn(Priority::LookUp).await.unwrap();
        guard.turn(Priority::LookUp).await.unwrap().failed(Some(60_000));
        clock.advance_ms(1_000);
        slow.well();
        assert_eq!(guard.pause_left_ms(), 59_000);
        clock.advance_ms(59_000);
        // One that is asked for while the trial is under way holds, too; a shorter one does not shorten a longer one.
        let trial = guard.turn(Priority::LookUp).await.unwrap();
        guard.ended(Ended::Failed(Some(30_000)), false);
        guard.ended(Ended::Failed(Some(10_000)), false);
        trial.well();
        assert_eq!(guard.pause_left_ms(), 30_000);
        clock.advance_ms(30_000);
        guard.turn(Priority::LookUp).await.unwrap().well();
        assert!(!guard.is_open());
    }

    #[tokio::test]
    async fn a_success_ends_a_pause_that_was_our_own_idea() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let guard = guard(&clock);
        let slow = guard.turn(Priority::LookUp).await.unwrap();
        for _ in 0..2 {
            guard.turn(Priority::LookUp).await.unwrap().failed(None);
        }
        assert!(guard.is_open());
        slow.well();
        assert!(!guard.is_open());
    }

    #[tokio::test]
    async fn one_record_that_fails_counts_once_and_can_not_hold_the_trial() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let guard = guard(&clock);
        for _ in 0..9 {
            guard.turn(Priority::LookUp).await.unwrap().failed_with(7);
        }
        assert!(!guard.is_open(), "one record");
        guard.turn(Priority::LookUp).await.unwrap().failed_with(8);
        assert!(guard.is_open(), "a second one, and nobody was answered well between them");
        for _ in 0..3 {
            clock.advance_ms(1_000);
            guard.turn(Priority::LookUp).await.unwrap().failed_with(7);
            assert!(!guard.is_open(), "the next one tries");
        }
        guard.turn(Priority::LookUp).await.unwrap().failed_with(9);
        assert!(guard.is_open());
        clock.advance_ms(1_000);
        guard.turn(Priority::LookUp).await.unwrap().says_nothing();
        guard.turn(Priority::LookUp).await.unwrap().well();
        guard.turn(Priority::LookUp).await.unwrap().failed_with(7);
        assert!(!guard.is_open(), "counted anew since the success");
    }

    #[tokio::test]
    async fn a_trial_that_is_dropped_does_not_block_for_ever() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let guard = guard(&clock);
        guard.turn(Priority::LookUp).await.unwrap().failed(Some(10));
        clock.advance_ms(10);
        drop(guard.turn(Priority::LookUp).await.unwrap());
        assert!(guard.is_open());
        clock.advance_ms(1_000);
        guard.turn(Priority::LookUp).await.unwrap().well();
    }

    #[tokio::test]
    async fn what_nobody_waits_for_leaves_a_turn_to_people() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let guard = guard(&clock);
        let _sync = guard.turn(Priority::Sync).await.unwrap();
        assert_eq!(guard.turn(Priority::Sync).await.err(), Some(Trouble::Busy));
        assert!(guard.turn(Priority::LookUp).await.is_ok());
    }

    #[tokio::test]
    async fn who_gets_no_turn_in_time_is_told_so() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let guard = guard(&clock);
        let _under_way =
            (guard.turn(Priority::LookUp).await.unwrap(), guard.turn(Priority::LookUp).await.unwrap());
        assert_eq!(guard.turn(Priority::LookUp).await.err(), Some(Trouble::Busy));
    }
}
