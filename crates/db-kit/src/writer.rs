//! The one thread that writes to SQLite: takes what is waiting, runs each write in its savepoint, commits them together.
//!
//! With `synchronous=FULL` a commit waits for the disk. Sharing it lets many small writes be durable at the price of few;
//! nobody is answered before the shared commit has succeeded, nobody waits for others to arrive, and whoever arrives while a
//! group is at work is in the next one.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;

use crate::connection::{Link, Purpose};
use crate::job::{Job, may_be_kept};
use crate::queue::Queue;
use crate::stats::Counters;
use crate::{DatabaseConfig, DbError};

/// So long the writer looks for its next write before it sleeps.
const AWAKE: Duration = Duration::from_micros(50);

/// What the writer thread owns.
pub(crate) struct Writer {
    pub(crate) link: Link,
    pub(crate) queue: Arc<Queue<Box<dyn Job>>>,
    pub(crate) config: Arc<DatabaseConfig>,
    pub(crate) counters: Arc<Counters>,
}

struct Finished {
    job: Box<dyn Job>,
    kept: bool,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        while let Some(first) = self.queue.pop_soon(AWAKE) {
            let group = self.run_group(first);
            Counters::add(&self.counters.writes, group.len());
            self.counters.group_writes_highest.fetch_max(group.len() as u64, Relaxed);
            group.into_iter().for_each(|finished| finished.job.answer());
        }
        if let Err(error) = self.link.conn.batch_execute("PRAGMA optimize") {
            tracing::warn!(error = %error, "the query planner's statistics could not be refreshed");
        }
    }

    fn run_group(&mut self, mut first: Box<dyn Job>) -> Vec<Finished> {
        if let Err(error) = self.begin() {
            Counters::add(&self.counters.failed_groups, 1);
            first.fail(error);
            return vec![Finished { job: first, kept: false }];
        }
        let waiting = self.queue.len().saturating_add(1).min(self.config.group_writes_max);
        if waiting == 1 {
            return self.run_alone(first);
        }
        let started = Instant::now();
        let longest = Duration::from_millis(self.config.group_ms_max);
        let mut group = Vec::with_capacity(waiting);
        let mut next = Some(first);
        while let Some(mut job) = next.take() {
            let step = self.run_in_savepoint(&mut *job);
            group.push(Finished { job, kept: matches!(step, Ok(true)) });
            if let Err(cause) = step {
                self.lost(&mut group, &cause);
                return group;
            }
            if group.len() < waiting && started.elapsed() < longest {
                next = self.queue.try_pop();
            }
        }
        self.end(&mut group);
        group
    }

    /// Without a savepoint: there is nobody whose writes a failure must leave alone.
    fn run_alone(&mut self, mut job: Box<dyn Job>) -> Vec<Finished> {
        let kept = job.run(&mut self.link.conn) && may_be_kept(&self.link, &mut *job);
        let mut group = vec![Finished { job, kept }];
        self.end(&mut group);
        group
    }

    fn begin(&mut self) -> Result<(), DbError> {
        if self.link.depth() != Some(0) {
            self.link = Link::open(&self.config, Purpose::Writing)?;
        }
        self.link.begin(Purpose::Writing).map_err(DbError::from)
    }

    /// `Ok(true)`: its writes are part of the group. `Err`: the transaction around the savepoint is gone.
    fn run_in_savepoint(&mut self, job: &mut dyn Job) -> Result<bool, DbError> {
        let mut kept = false;
        match self.link.begin_savepoint() {
            Err(error) => job.fail(error.into()),
            Ok(()) if job.run(&mut self.link.conn) && may_be_kept(&self.link, job) => {
                match self.link.commit() {
                    Ok(()) => kept = true,
                    Err(error) => job.fail(error.into()),
                }
            }
            Ok(()) => {}
        }
        let cause = self.link.watch.last_failure();
        // A full disk and a failed read make SQLite roll back everything, savepoints included.
        if self.link.depth() == Some(2)
            && let Err(error) = self.link.roll_back()
        {
            tracing::warn!(error = %error, "rolling back a savepoint failed");
        }
        if self.link.depth() == Some(1) {
            return Ok(kept);
        }
        Err(DbError::from_text(&cause)
            .unwrap_or_else(|| DbError::Unavailable("another write of the same commit failed".into())))
    }

    fn end(&mut self, group: &mut [Finished]) {
        if !group.iter().any(|finished| finished.kept) {
            if let Err(error) = self.link.roll_back() {
                tracing::warn!(error = %error, "rolling back failed");
            }
            return;
        }
        match self.link.commit() {
            Ok(()) => Counters::add(&self.counters.commits, 1),
            Err(error) => self.lost(group, &error.into()),
        }
    }

    /// Nothing of the group was saved; everybody who believed otherwise is told why.
    fn lost(&mut self, group: &mut [Finished], cause: &DbError) {
        Counters::add(&self.counters.failed_groups, 1);
        tracing::error!(error = %cause, db.writes = group.len(), "a commit failed, its writes are not saved");
        for finished in group.iter_mut().filter(|finished| finished.kept) {
            finished.job.fail(cause.for_another_caller());
        }
    }
}

impl Drop for Writer {
    /// If the thread dies, nobody may wait for it: the queue is closed and whoever waits is answered by its closed reply.
    fn drop(&mut self) {
        self.queue.close();
        while let Some(job) = self.queue.try_pop() {
            drop(job);
        }
    }
}
