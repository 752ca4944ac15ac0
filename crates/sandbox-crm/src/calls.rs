//! A record of every call of the API: what was asked for, and what was not.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

const KEPT_MAX: usize = 20_000;

/// One call of the API.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// HTTP method.
    pub method: String,
    /// Path, ids included.
    pub path: String,
    /// Query, still encoded.
    pub query: String,
    /// Answered status.
    pub status: u16,
}

/// What `GET /debug/calls` shows.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CallReport {
    /// All calls since the start or the last reset.
    pub total: u64,
    /// Calls by method and path, with `{id}` for ids.
    pub by_path: BTreeMap<String, u64>,
    /// The newest calls, oldest first.
    pub calls: VecDeque<Call>,
}

/// The calls so far.
#[derive(Default)]
pub struct Calls(Mutex<CallReport>);

impl Calls {
    /// Notes a call. `route` is the path with `{id}` for ids.
    pub fn note(&self, route: &str, call: Call) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report.total += 1;
        *report.by_path.entry(format!("{} {route}", call.method)).or_default() += 1;
        if report.calls.len() == KEPT_MAX {
            report.calls.pop_front();
        }
        report.calls.push_back(call);
    }

    /// The calls so far.
    pub fn report(&self) -> CallReport {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets the calls.
    pub fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = CallReport::default();
    }
}
