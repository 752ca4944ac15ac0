//! How often a CRM may be asked, and how it says that it was too often.

use serde::Deserialize;

use crate::connector::pointer::Pointer;

/// Table `[limits]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Answers that say "too often". 429 always does.
    pub throttled: Vec<Throttled>,
    /// Headers that say when to come back, the first that is there wins.
    pub wait: Vec<Wait>,
    /// So many requests ...
    pub requests: Option<u32>,
    /// ... in so many milliseconds, on average.
    pub per_ms: Option<u32>,
    /// So many at once after a rest; as many as `requests` unless given.
    pub burst: Option<u32>,
    /// Requests under way at once.
    pub at_once: Option<u16>,
}

/// An answer that says "too often".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttled {
    /// Its status.
    pub status: u16,
    /// Where the code is in its body; in a body that is a list, in the first entry.
    pub at: Option<Pointer>,
    /// The codes that mean it.
    #[serde(default)]
    pub is: Vec<String>,
}

/// A header that says when to come back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// Its name.
    pub header: String,
    /// What its number counts.
    pub unit: WaitUnit,
}

/// What the number in a header counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitUnit {
    /// Seconds from now; a date as in HTTP passes, too.
    S,
    /// Milliseconds from now.
    Ms,
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
}
