//! Every request that was seen: what was asked for, what was touched. Without the secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::wire::{Answer, Call};

/// Stands where a secret stood.
pub const HIDDEN: &str = "[secret]";

/// One request.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When, by the simulated clock.
    pub at: Timestamp,
    /// `GET`, `POST`, …
    pub method: String,
    /// The decoded path.
    pub path: String,
    /// The decoded query, in order.
    pub query: Vec<(String, String)>,
    /// Headers with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body as text.
    pub body: String,
    /// Answered status.
    pub status: u16,
    /// Members that were asked for.
    pub asked: BTreeSet<String>,
    /// What was touched that must never be.
    pub forbidden: Vec<String>,
}

impl Seen {
    /// `GET /path?query` for messages.
    pub fn line(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{} -> {}", self.method, self.path, query.join("&"), self.status)
    }
}

/// The requests so far.
#[derive(Debug)]
pub struct Log {
    seen: Mutex<Vec<Seen>>,
    secrets: Mutex<Vec<String>>,
}

impl Log {
    pub(crate) fn new(secrets: Vec<String>) -> Self {
        Self { seen: Mutex::new(Vec::new()), secrets: Mutex::new(secrets) }
    }

    /// Keeps a secret, such as a token just handed out, out of the log.
    pub fn hide(&self, secret: &str) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).push(secret.to_owned());
    }

    /// All requests, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests there were.
    pub fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// How many requests went to a path with that in it.
    pub fn count_of(&self, part_of_path: &str) -> usize {
        self.seen().iter().filter(|seen| seen.path.contains(part_of_path)).count()
    }

    /// The requests as lines, for messages.
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    /// Forgets the requests so far.
    pub fn clear(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Every member that any request asked for.
    pub fn asked(&self) -> BTreeSet<String> {
        self.seen().into_iter().flat_map(|seen| seen.asked).collect()
    }

    /// Everything that was touched and must never be; with the request, for the message.
    pub fn forbidden(&self) -> Vec<String> {
        let seen = self.seen();
        let touched = seen.iter().flat_map(|seen| seen.forbidden.iter().map(move |what| (what, seen)));
        touched.map(|(what, seen)| format!("{what}: {}", seen.line())).collect()
    }

    pub(crate) fn note(&self, at: Timestamp, call: &Call, answer: &Answer) {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let hide = |text: &str| {
            let secrets = secrets.iter().filter(|secret| !secret.is_empty());
            secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
        };
        let pair = |(name, value): (&String, &String)| (name.clone(), hide(value));
        let seen = Seen {
            at,
            method: call.method.clone(),
            path: hide(&call.path),
            query: call.query.iter().map(|(name, value)| pair((name, value))).collect(),
            headers: call.headers.iter().map(pair).collect(),
            body: hide(&String::from_utf8_lossy(&call.body)),
            status: answer.status,
            asked: answer.asked.iter().cloned().collect(),
            forbidden: answer.forbidden.clone(),
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}
