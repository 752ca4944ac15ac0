//! The bridge as it is now. Each request takes it once and keeps it, so that one policy decides what is asked for, what a
//! value must look like and who sees it; a new policy comes with the next request.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use sha2::{Digest, Sha256};

use super::{PolicyTrouble, Rules, in_force, read, record_file};
use crate::app::Bridge;
use crate::policy::Policy;
use crate::policy::diff::changes;

/// What came of a look for a newer policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The one in force is the newest.
    Unchanged,
    /// A newer one is in force now.
    Replaced,
    /// A newer one may not be used; the old one stays.
    Refused,
}

impl Reload {
    /// The word in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Replaced => "replaced",
            Self::Refused => "refused",
        }
    }
}

/// Holds the bridge. Clones share it.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    now: RwLock<Arc<Bridge>>,
    rules: Rules,
    file: PathBuf,
    refused: AtomicBool,
    /// The state that was tried last, so that a refused file is not refused anew every few seconds.
    tried: Mutex<Option<Tried>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    File([u8; 32]),
    Database(i64),
}

impl Live {
    /// Begins with that bridge.
    #[must_use]
    pub fn new(bridge: Bridge, rules: Rules, file: PathBuf) -> Self {
        let inner = Inner {
            now: RwLock::new(Arc::new(bridge)),
            rules,
            file,
            refused: AtomicBool::new(false),
            tried: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        };
        Self(Arc::new(inner))
    }

    /// The bridge with the policy in force.
    #[must_use]
    pub fn now(&self) -> Arc<Bridge> {
        Arc::clone(&self.0.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a newer policy was refused and the old one stayed.
    #[must_use]
    pub fn newer_is_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Takes the policy in force from where the settings say, whatever was tried before.
    pub async fn reload(&self) -> Reload {
        self.0.tried.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.look().await
    }

    /// Takes the policy in force if anything has changed since the last look.
    pub async fn look(&self) -> Reload {
        let _turn = self.0.turn.lock().await;
        let bridge = self.now();
        let outcome = match self.changed(&bridge).await {
            Ok(None) => return Reload::Unchanged,
            Ok(Some(body)) => self.take(&bridge, body).await,
            Err(trouble) => Err(trouble),
        };
        let outcome = match outcome {
            Ok(outcome) => {
                self.0.refused.store(false, Ordering::Relaxed);
                outcome
            }
            Err(PolicyTrouble::Refused(reasons)) => {
                for reason in &reasons {
                    tracing::error!(
                        policy.refused = reason,
                        "the newer policy is refused; the one in force stays"
                    );
                }
                self.0.refused.store(true, Ordering::Relaxed);
                Reload::Refused
            }
            Err(PolicyTrouble::Database(error)) => {
                // Not the policy's fault: tried again at the next look.
                self.0.tried.lock().unwrap_or_else(PoisonError::into_inner).take();
                tracing::warn!(error = %error, "the policy in force could not be looked up; trying again");
                return Reload::Unchanged;
            }
        };
        bridge.metrics.policy_look(outcome.as_str());
        outcome
    }

    /// Something new to try: the file's text, or nothing if the database has it.
    async fn changed(&self, bridge: &Bridge) -> Result<Option<Option<String>>, PolicyTrouble> {
        let (state, body) = if self.0.rules.from_database {
            let seq = bridge.store.policy_in_force().await?.map_or(0, |(last, _)| last.seq);
            (Tried::Database(seq), None)
        } else {
            match tokio::fs::read_to_string(&self.0.file).await {
                Ok(text) => (Tried::File(Sha256::digest(&text).into()), Some(text)),
                Err(error) => {
                    let text = format!("{} can't be read: {error}", self.0.file.display());
                    let state = Tried::File(Sha256::digest(&text).into());
                    return if self.is_new(state) { Err(PolicyTrouble::sentence(text)) } else { Ok(None) };
                }
            }
        };
        Ok(self.is_new(state).then_some(body))
    }

    fn is_new(&self, state: Tried) -> bool {
        let mut tried = self.0.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.replace(state) != Some(state)
    }

    async fn take(&self, bridge: &Bridge, body: Option<String>) -> Result<Reload, PolicyTrouble> {
        let profile = bridge.connector.profile();
        let policy = match &body {
            Some(body) => {
                let file = self.0.file.display();
                read(body, profile).map_err(|reasons| {
                    PolicyTrouble::Refused(
                        reasons.into_iter().map(|reason| format!("{file}, {reason}")).collect(),
                    )
                })?
            }
            None => in_force(&bridge.store, &self.0.rules, profile).await?,
        };
        if policy.hash() == bridge.policy.hash() {
            return Ok(Reload::Unchanged);
        }
        if let Some(body) = &body {
            record_file(&bridge.store, &policy, profile, body, bridge.clock.now()).await?;
        }
        self.replace(bridge, policy);
        Ok(Reload::Replaced)
    }

    fn replace(&self, bridge: &Bridge, policy: Policy) {
        for change in changes(&bridge.policy, &policy) {
            tracing::info!(policy.change = %change, "the policy changes");
        }
        tracing::info!(policy.number = policy.number, policy.hash = %policy.hash(), "another policy is in force");
        bridge.metrics.policy_number(policy.number);
        let connector = bridge.connector.under(&policy);
        let next = Bridge { policy: Arc::new(policy), connector, ..bridge.clone() };
        *self.0.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }
}
