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
/// A card that the bridge has.
pub(super) const CARD: Aim = Aim { connections: 32, per_second: 5000.0, p95: None };
