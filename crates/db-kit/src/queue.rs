//! A bounded queue between async callers, who never wait to enter it, and threads that work it off.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why something could not be queued.
pub(crate) enum Refused {
    Full,
    Closed,
}

struct State<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

/// First in, first out; many producers, many consumers.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    arrived: Condvar,
    length_max: usize,
}

impl<T> Queue<T> {
    pub(crate) fn new(length_max: usize) -> Self {
        let state = State { waiting: VecDeque::with_capacity(length_max.min(64)), closed: false };
        Self { state: Mutex::new(state), arrived: Condvar::new(), length_max }
    }

    // A panic never happens while the lock is held, so a poisoned lock still guards a sound queue.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues it, or gives it back.
    pub(crate) fn push(&self, item: T) -> Result<(), (Refused, T)> {
        let mut state = self.lock();
        if state.closed {
            return Err((Refused::Closed, item));
        }
        if state.waiting.len() >= self.length_max {
            return Err((Refused::Full, item));
        }
        state.waiting.push_back(item);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for the next item; `None` when the queue is closed and worked off.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.waiting.pop_front() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same for a thread that has just been at work: looks a few times more before it sleeps, for waking it takes longer.
    pub(crate) fn pop_soon(&self, patience: Duration) -> Option<T> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(item) = self.try_pop() {
                return Some(item);
            }
            std::thread::yield_now();
        }
        self.pop()
    }

    pub(crate) fn try_pop(&self) -> Option<T> {
        self.lock().waiting.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Refuses what comes from now on; what waits is still worked off.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }
}
