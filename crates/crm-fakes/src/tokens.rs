//! Access and refresh tokens as a token endpoint hands them out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use crate::World;
use crate::switch::Fault;

/// What a token endpoint remembers.
#[derive(Debug)]
pub struct Tokens {
    name: &'static str,
    lifetime_s: i64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    made: u32,
    valid: BTreeMap<String, Timestamp>,
    refresh: String,
    used: Vec<String>,
    planting: BTreeSet<String>,
}

/// What an access token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It may be used.
    Valid,
    /// It was valid once.
    Expired,
    /// It was never handed out.
    Unknown,
}

/// What a refresh token is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// A new pair; the old refresh token is spent.
    Pair {
        /// The new access token.
        access: String,
        /// The new refresh token.
        refresh: String,
    },
    /// It was used before.
    Spent,
    /// It was never handed out.
    Unknown,
}

impl Tokens {
    /// Tokens that begin with `name` and live so long; `refresh` is the first refresh token.
    pub fn new(name: &'static str, lifetime_s: i64, refresh: &str) -> Self {
        let state = State {
            made: 0,
            valid: BTreeMap::new(),
            refresh: refresh.to_owned(),
            used: Vec::new(),
            planting: BTreeSet::new(),
        };
        Self { name, lifetime_s, state: Mutex::new(state) }
    }

    /// How long an access token lives.
    pub fn lifetime_s(&self) -> i64 {
        self.lifetime_s
    }

    /// A new access token.
    pub fn issue(&self, world: &World) -> String {
        self.with(|state| self.access(state, world))
    }

    /// A new access token that may write.
    pub fn issue_planting(&self, world: &World) -> String {
        self.with(|state| {
            let access = self.access(state, world);
            state.planting.insert(access.clone());
            access
        })
    }

    /// Whether an access token may write.
    pub fn plants(&self, token: &str) -> bool {
        self.with(|state| state.planting.contains(token))
    }

    /// Whether an access token may be used. [`Fault::TokenExpired`] makes it expire early.
    pub fn worth(&self, token: &str, world: &World) -> Worth {
        let early = world.switch.is_on(Fault::TokenExpired);
        self.with(|state| match state.valid.get_mut(token) {
            None => Worth::Unknown,
            Some(until) => {
                if early && *until > world.now() && world.switch.take(Fault::TokenExpired) {
                    *until = world.now();
                }
                if *until > world.now() { Worth::Valid } else { Worth::Expired }
            }
        })
    }

    /// A new access token for a refresh token that stays valid.
    pub fn with_lasting(&self, refresh: &str, world: &World) -> Option<String> {
        self.with(|state| (state.refresh == refresh).then(|| self.access(state, world)))
    }

    /// A new pair for a refresh token that can be used once.
    pub fn rotate(&self, refresh: &str, world: &World) -> Refreshed {
        self.with(|state| {
            if state.used.iter().any(|used| used == refresh) {
                return Refreshed::Spent;
            }
            if state.refresh != refresh {
                return Refreshed::Unknown;
            }
            state.used.push(refresh.to_owned());
            let access = self.access(state, world);
            let next = token(self.name, "refresh", state.made);
            world.log.hide(&next);
            state.refresh.clone_from(&next);
            Refreshed::Pair { access, refresh: next }
        })
    }

    /// The refresh token that is valid now.
    pub fn refresh(&self) -> String {
        self.with(|state| state.refresh.clone())
    }

    fn access(&self, state: &mut State, world: &World) -> String {
        state.made += 1;
        let access = token(self.name, "access", state.made);
        world.log.hide(&access);
        state.valid.insert(access.clone(), world.now() + self.lifetime_s.seconds());
        access
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn token(name: &str, kind: &str, number: u32) -> String {
    let hash = Sha256::digest(format!("{name} {kind} {number}").as_bytes());
    let letters: String = hash.iter().take(20).map(|byte| char::from(b'a' + byte % 26)).collect();
    format!("{name}.{kind}.{number}.{letters}")
}
