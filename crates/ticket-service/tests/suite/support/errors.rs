//! Errors in the log that nobody announced make a test fail.
//!
//! The log belongs to the process, and some of it is written on threads that serve several tests at once. So what one
//! test announces is announced for all; with one process per test, as nextest runs them, that is the same.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

static STATE: Mutex<State> = Mutex::new(State { seen: Vec::new(), expected: Vec::new() });

struct State {
    seen: Vec<String>,
    expected: Vec<String>,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts listening, once per process.
pub(crate) fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::subscriber::set_global_default(registry().with(Recorder)).unwrap();
    });
}

pub(crate) fn expect(code_or_text: &str) {
    state().expected.push(code_or_text.to_owned());
}

/// Panics if an error was logged that nobody announced.
pub(crate) fn check() {
    let state = state();
    let announced = |line: &str| state.expected.iter().any(|expected| line.contains(expected));
    let surprises: Vec<_> = state.seen.iter().filter(|line| !announced(line)).cloned().collect();
    drop(state);
    assert!(surprises.is_empty(), "errors were logged that nobody announced: {surprises:#?}");
}

struct Recorder;

impl<S: Subscriber> Layer<S> for Recorder {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        // Spans stay on, so that code which works with them runs as it does in service.
        metadata.is_span() || *metadata.level() == Level::ERROR
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        state().seen.push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}
