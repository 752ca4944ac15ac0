//! Plain numbers about the door, for a service's metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counted since the database was opened, except for the two `waiting` values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Reads answered.
    pub reads: u64,
    /// Writes answered, failed ones included.
    pub writes: u64,
    /// Commits on SQLite; fewer than `writes` when waiting writes share one.
    pub commits: u64,
    /// The most writes that shared one commit.
    pub group_writes_highest: u64,
    /// Callers refused because a queue was full.
    pub refused: u64,
    /// Times the write lock was not to be had or a commit failed.
    pub failed_groups: u64,
    /// Connections opened to PostgreSQL.
    pub connections_opened: u64,
    /// Reads waiting now (PostgreSQL: reads and writes).
    pub reads_waiting: u64,
    /// Writes waiting now (SQLite).
    pub writes_waiting: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) reads: AtomicU64,
    pub(crate) writes: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) group_writes_highest: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed_groups: AtomicU64,
    pub(crate) connections_opened: AtomicU64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        Stats {
            reads: self.reads.load(Relaxed),
            writes: self.writes.load(Relaxed),
            commits: self.commits.load(Relaxed),
            group_writes_highest: self.group_writes_highest.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failed_groups: self.failed_groups.load(Relaxed),
            connections_opened: self.connections_opened.load(Relaxed),
            reads_waiting: 0,
            writes_waiting: 0,
        }
    }
}
