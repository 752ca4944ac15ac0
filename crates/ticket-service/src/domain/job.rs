//! Work that is done outside a request: what there is, and when to try again.

use serde::{Deserialize, Serialize};

/// After so many attempts a job is put aside for people to look at.
///
/// With [`retry_delay_ms`] that is about fifteen hours: a CRM that was away over night is asked in the morning.
pub const ATTEMPTS_MAX: i32 = 40;

/// Begins the ids of [`Job::TellBridge`].
const TELL_PREFIX: &str = "job_tell_";
const DELAY_MS_FIRST: i64 = 1_000;
const DELAY_MS_MAX: i64 = 30 * 60 * 1_000;

/// A job as it is queued. Running one twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case", deny_unknown_fields)]
pub enum Job {
    /// Ask the bridge which customer opened the ticket.
    ResolveCustomer {
        /// The ticket's number.
        ticket: i64,
    },
    /// Tell the bridge what became of a ticket.
    TellBridge {
        /// The ticket's number.
        ticket: i64,
    },
    /// Close what has been resolved for long.
    CloseResolved {},
    /// Remove what nobody will ask for again: files that were never sent, old idempotency keys.
    TidyUp {},
    /// Exchange heads of the audit logs with the bridge, if it is time.
    ExchangeHeads {},
    /// Ask the bridge which customers were erased or merged.
    FollowCustomers {},
    /// Tell supervisors what is new to know, and compare looks with work.
    WatchOversight {},
    /// Go along the audit log once a day.
    VerifyAudit {},
}

impl Job {
    /// The jobs that never end but come again: id, job, and milliseconds from the end of one run to the next.
    pub const RECURRING: [(&'static str, Self, i64); 6] = [
        ("job_exchange_heads", Self::ExchangeHeads {}, 60 * 1_000),
        ("job_close_resolved", Self::CloseResolved {}, 10 * 60 * 1_000),
        ("job_tidy_up", Self::TidyUp {}, 60 * 60 * 1_000),
        ("job_follow_customers", Self::FollowCustomers {}, 60 * 1_000),
        ("job_watch_oversight", Self::WatchOversight {}, 60 * 1_000),
        ("job_verify_audit", Self::VerifyAudit {}, 60 * 60 * 1_000),
    ];

    /// The id of a job of which there is one at most.
    pub fn own_id(&self) -> Option<String> {
        match self {
            Self::TellBridge { ticket } => Some(format!("{TELL_PREFIX}{ticket}")),
            _ => None,
        }
    }

    /// Whether the job with this id is tried for ever: what it has to tell must not be lost, however long the bridge is
    /// away.
    pub fn is_never_given_up(id: &str) -> bool {
        Self::rest_ms(id).is_some() || id.starts_with(TELL_PREFIX)
    }

    /// How long the recurring job with this id rests; none if it is not a recurring one.
    pub fn rest_ms(id: &str) -> Option<i64> {
        Self::RECURRING.iter().find(|(known, ..)| *known == id).map(|(.., rest_ms)| *rest_ms)
    }
}

/// How long to wait after this many failed attempts: doubled each time, between a half and the whole of it, so that what
/// failed together is not tried again together. `random` is any number.
pub fn retry_delay_ms(attempts: i32, random: u64) -> i64 {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(20);
    let whole = DELAY_MS_FIRST.saturating_mul(1 << doublings).min(DELAY_MS_MAX);
    let half = whole / 2;
    half + i64::try_from(random % u64::try_from(half).unwrap_or(1).max(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_job_is_read_back_from_kind_and_payload() {
        let job = Job::ResolveCustomer { ticket: 10_001 };
        let stored = serde_json::to_value(&job).unwrap();
        assert_eq!(stored, serde_json::json!({"kind": "resolve_customer", "payload": {"ticket": 10_001}}));
        assert_eq!(serde_json::from_value::<Job>(stored).unwrap(), job);
    }

    #[test]
    fn recurring_jobs_are_known_by_their_id() {
        assert_eq!(Job::rest_ms("job_tidy_up"), Some(3_600_000));
        assert_eq!(Job::rest_ms("job_0193"), None);
    }

    proptest! {
        #[test]
        fn waiting_grows_to_half_an_hour_and_never_beyond(attempts: i32, random: u64) {
            let delay = retry_delay_ms(attempts, random);
            prop_assert!((DELAY_MS_FIRST / 2..=DELAY_MS_MAX).contains(&delay));
            prop_assert!(attempts < 12 || delay >= DELAY_MS_MAX / 2);
        }
    }
}
