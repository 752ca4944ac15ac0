//! Threads that own one connection each: the readers of SQLite, and every connection to PostgreSQL.
//!
//! A connection stays with its thread, so its prepared statements stay warm, and a call costs one hop there and one back.

use std::sync::Arc;

use crate::connection::{Link, Purpose};
use crate::job::{Task, finish_transaction};
use crate::queue::Queue;
use crate::stats::Counters;
use crate::{Backend, DatabaseConfig, DbError};

/// What one worker thread owns.
pub(crate) struct Worker {
    /// Opened when first needed, dropped when broken.
    pub(crate) link: Option<Link>,
    pub(crate) backend: Backend,
    pub(crate) queue: Arc<Queue<Task>>,
    pub(crate) config: Arc<DatabaseConfig>,
    pub(crate) counters: Arc<Counters>,
}

impl Worker {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        while let Some(Task { purpose, mut job }) = self.queue.pop() {
            if purpose == Purpose::Reading && job.is_abandoned() {
                continue;
            }
            match self.begin(purpose) {
                Err(error) => job.fail(error),
                Ok(mut link) => {
                    finish_transaction(&mut link, &mut *job);
                    if link.depth() == Some(0) {
                        self.link = Some(link);
                    }
                }
            }
            let counter =
                if purpose == Purpose::Reading { &self.counters.reads } else { &self.counters.writes };
            Counters::add(counter, 1);
            job.answer();
        }
    }

    /// A connection in a fresh transaction. One that died while idle is replaced: nothing of the caller has run yet.
    fn begin(&mut self, purpose: Purpose) -> Result<Link, DbError> {
        if let Some(mut link) = self.link.take()
            && link.begin(purpose).is_ok()
        {
            return Ok(link);
        }
        if self.backend == Backend::Postgres {
            Counters::add(&self.counters.connections_opened, 1);
        }
        let access = if self.backend == Backend::Postgres { Purpose::Writing } else { Purpose::Reading };
        let mut link = Link::open(&self.config, access)?;
        link.begin(purpose)?;
        Ok(link)
    }
}
