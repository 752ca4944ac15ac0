//! The key that this process has agreed on with the bridge: a grant under it costs a fiftieth of a signature and of its check.
//! Without one, and whenever the bridge does not know it, grants are signed; nobody waits for an agreement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bridge_contract::{AgreedKeyId, AgreementAnswer, AgreementQuestion, Grant, KeyHalf, Purpose, Version};
use service_kit::Timestamp;
use service_kit::token::{AgreedKey, Half};

use super::{BridgeClient, BridgeError};

pub(super) const PATH: &str = "v1/agreed-keys";
/// Whoever does not agree is not asked again for so long.
const PAUSE_MS: i64 = 60_000;

/// A key and how long it is good.
#[derive(Clone)]
pub(super) struct Agreed {
    pub(super) id: AgreedKeyId,
    pub(super) key: AgreedKey,
    agreed_at: Timestamp,
    lasts_ms: i64,
}

impl Agreed {
    /// Some seconds before the bridge does, so that none is on its way when the key ends.
    fn is_good(&self, now: Timestamp) -> bool {
        now.since_ms(self.agreed_at) < self.lasts_ms - self.lasts_ms / 10
    }

    fn is_to_be_followed(&self, now: Timestamp) -> bool {
        now.since_ms(self.agreed_at) >= self.lasts_ms / 2
    }
}

/// The newest agreement. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Agreements(Arc<Mutex<State>>);

impl std::fmt::Debug for Agreements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Agreements")
    }
}

#[derive(Default)]
struct State {
    agreed: Option<Agreed>,
    tried_at: Option<Timestamp>,
}

impl Agreements {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key, if it is good.
    pub(super) fn current(&self, now: Timestamp) -> Option<Agreed> {
        self.lock().agreed.clone().filter(|agreed| agreed.is_good(now))
    }

    /// The bridge does not know this one.
    pub(super) fn forget(&self, id: &AgreedKeyId) {
        let mut state = self.lock();
        if state.agreed.as_ref().is_some_and(|agreed| &agreed.id == id) {
            state.agreed = None;
        }
    }

    fn keep(&self, agreed: Agreed) {
        self.lock().agreed = Some(agreed);
    }

    /// Whether it is time to agree; whoever is told so does it.
    fn is_due(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        let tried = state.tried_at.is_some_and(|at| (0..PAUSE_MS).contains(&now.since_ms(at)));
        let due = !tried && state.agreed.as_ref().is_none_or(|agreed| agreed.is_to_be_followed(now));
        if due {
            state.tried_at = Some(now);
        }
        due
    }
}

impl BridgeClient {
    /// Agrees on a key beside the work at hand, if it is time.
    pub(super) fn agree_if_due(&self) {
        if self.agreements.is_due(self.clock.now()) {
            let client = self.clone();
            tokio::spawn(async move {
                if let Err(error) = client.agree().await {
                    tracing::debug!(error = %error, "no key was agreed on with the bridge; grants are signed");
                }
            });
        }
    }

    async fn agree(&self) -> Result<(), BridgeError> {
        let broken = |_| BridgeError::Unavailable("no key could be agreed on");
        let ours = Half::new(&self.ids).map_err(broken)?;
        let half =
            KeyHalf::new(ours.public()).map_err(|_| BridgeError::Unavailable("half of a key is none"))?;
        let grant = Grant { ticket: 0, purpose: Purpose::Agreement { half: half.clone() } };
        let question = AgreementQuestion { version: Version, half };
        let agreed_at = self.clock.now();
        let request_id = self.ids.new_id("req");
        let answer: AgreementAnswer = self.ask(PATH, grant, &question, &request_id).await?;
        let key = ours.agree(answer.half.as_str()).map_err(broken)?;
        let lasts_ms = i64::from(answer.lasts_s) * 1_000;
        self.agreements.keep(Agreed { id: answer.key_id, key, agreed_at, lasts_ms });
        Ok(())
    }
}
