//! What we aim at.

use std::time::Duration;

/// So many answers a second at so many connections, 95 of 100 of them within a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Aim {
    pub(super) connections: usize,
    pub(super) per_second: f64,
    pub(super) p95: Option<Duration>,
}

/// A page of a list, and opening a ticket.
pub(super) const READING: Aim =
    Aim { connections: 8, per_second: 2000.0, p95: Some(Duration::from_millis(15)) };
/// A ticket that survives a power cut.
pub(super) const CREATING: Aim = Aim { connections: 32, per_second: 1000.0, p95: None };
/// A card that the bridge has, on the record before it is shown.
pub(super) const CARD: Aim =
    Aim { connections: 8, per_second: 10_000.0, p95: Some(Duration::from_millis(3)) };
/// What the bridge adds to a look-up, at p95.
pub(super) const LOOK_UP_ADDS: Duration = Duration::from_millis(2);
/// How much faster than a tree of everything an answer is read by policy.
pub(super) const PARSE_TIMES_VALUE: f64 = 5.0;
/// The time for it as a part of that of a struct made for the very members.
pub(super) const PARSE_OF_TYPED: f64 = 1.3;
