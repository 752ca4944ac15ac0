//! Watches the statements of one connection: remembers a failed one until its savepoint is rolled back, and logs slow ones.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};

const CLEAN: u32 = u32::MAX;

/// What the worker of a connection asks after a closure has run. The instrumentation on the connection writes it; both
/// are on the same thread, the atomics only satisfy `Send`.
pub(crate) struct Watch {
    depth: AtomicU32,
    failed_at_depth: AtomicU32,
    failure: Mutex<String>,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            depth: AtomicU32::new(0),
            failed_at_depth: AtomicU32::new(CLEAN),
            failure: Mutex::default(),
        })
    }

    /// Forgets what happened before.
    pub(crate) fn reset(&self) {
        self.failed_at_depth.store(CLEAN, Relaxed);
    }

    /// The message of a statement that failed and whose savepoint was not rolled back.
    pub(crate) fn unhandled_failure(&self) -> Option<String> {
        if self.failed_at_depth.load(Relaxed) == CLEAN {
            return None;
        }
        Some(self.last_failure())
    }

    /// The message of the last statement that failed, handled or not.
    pub(crate) fn last_failure(&self) -> String {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn failed(&self, message: String) {
        let depth = self.depth.load(Relaxed);
        if self.failed_at_depth.fetch_min(depth, Relaxed) == CLEAN {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = message;
        }
    }

    fn begun(&self, depth: u32) {
        self.depth.store(depth, Relaxed);
    }

    /// A failure inside a savepoint that is kept becomes one of the level around it.
    fn committed(&self, depth: u32) {
        self.depth.store(depth.saturating_sub(1), Relaxed);
        let failed_at = self.failed_at_depth.load(Relaxed);
        if failed_at != CLEAN && failed_at >= depth {
            self.failed_at_depth.store(depth.saturating_sub(1), Relaxed);
        }
    }

    fn rolled_back(&self, depth: u32) {
        self.depth.store(depth.saturating_sub(1), Relaxed);
        if self.failed_at_depth.load(Relaxed) >= depth {
            self.reset();
        }
    }
}

/// The instrumentation that feeds a [`Watch`].
pub(crate) struct Watcher {
    watch: Arc<Watch>,
    slow: Duration,
    started: Option<Instant>,
}

impl Watcher {
    pub(crate) fn new(watch: Arc<Watch>, slow: Duration) -> Self {
        Self { watch, slow, started: None }
    }
}

impl Instrumentation for Watcher {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { .. } => self.started = Some(Instant::now()),
            InstrumentationEvent::FinishQuery { query, error, .. } => {
                if let Some(error) = error {
                    self.watch.failed(error.to_string());
                }
                if let Some(taken) = self.started.take().map(|started| started.elapsed())
                    && taken >= self.slow
                {
                    let shown = query.to_string();
                    // Values may be personal data; diesel appends them after this mark.
                    let statement = shown.split(" -- binds").next().unwrap_or_default();
                    tracing::warn!(
                        db.statement = statement,
                        db.ms = taken.as_millis() as u64,
                        "slow statement"
                    );
                }
            }
            InstrumentationEvent::BeginTransaction { depth, .. } => self.watch.begun(depth.get()),
            InstrumentationEvent::CommitTransaction { depth, .. } => self.watch.committed(depth.get()),
            InstrumentationEvent::RollbackTransaction { depth, .. } => self.watch.rolled_back(depth.get()),
            _ => {}
        }
    }
}
