//! What the CRM sends by itself: checked, counted, noted as hints, and answered at once. Nothing is fetched while the
//! sender waits.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use serde::Deserialize;
use service_kit::metrics::Metrics;
use service_kit::rate_limit::RateLimit;
use service_kit::{Clock, Secret};

use super::{Bridge, BridgeError, sync};
use crate::connector::hook::{self, Delivery, Refusal};
use crate::walls::Wall;

const MINUTE_MS: i64 = 60_000;
/// Wrong addresses that one sender may try in a minute.
const GUESSES_A_MINUTE: u32 = 30;

/// Section `[webhooks]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Last part of the address, hard to guess; empty: none are taken.
    pub path: Secret,
    /// Whether the bridge renews a subscription that the CRM would end.
    pub renew: bool,
    /// Largest delivery.
    pub body_bytes_max: usize,
    /// Deliveries a minute; more are told to come again.
    pub per_minute_max: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Why a delivery was turned away.
#[derive(Debug, thiserror::Error)]
pub enum Turned {
    /// There are no webhooks at this address.
    #[error("no webhooks are taken here")]
    Unknown,
    /// Too many in this minute.
    #[error("too many deliveries in this minute")]
    TooMany,
    /// Not from the CRM, too old, or unreadable.
    #[error("the delivery was refused: {}", .0.as_str())]
    Refused(Refusal),
    /// The database.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
}

/// Takes webhooks. Clones share the counts.
#[derive(Clone)]
pub struct Webhooks {
    config: WebhooksConfig,
    secret: Option<Secret>,
    clock: Clock,
    minute: Arc<(AtomicI64, AtomicU32)>,
    guesses: Arc<RateLimit<IpAddr>>,
    taken: Family<Outcome, Counter>,
}

impl Webhooks {
    /// A door for webhooks; closed if the settings name no path. `secret` is what the CRM and the bridge share.
    #[must_use]
    pub fn new(config: WebhooksConfig, secret: Option<Secret>, clock: Clock, metrics: &Metrics) -> Self {
        let taken = Family::default();
        metrics.register("webhooks", "Deliveries of the CRM by outcome", taken.clone());
        let guesses = Arc::new(RateLimit::new(clock.clone(), GUESSES_A_MINUTE, 60));
        Self { config, secret, clock, minute: Arc::default(), guesses, taken }
    }

    /// Largest delivery in bytes.
    #[must_use]
    pub fn body_bytes_max(&self) -> usize {
        self.config.body_bytes_max
    }

    /// Takes a delivery that came in at `path` from that address; answers how many records are noted.
    ///
    /// # Errors
    /// [`Turned`].
    pub async fn take(
        &self,
        bridge: &Bridge,
        path: &str,
        from: IpAddr,
        delivery: &Delivery<'_>,
    ) -> Result<usize, Turned> {
        let outcome = self.taken(bridge, path, from, delivery).await;
        let word = match &outcome {
            Ok(0) => "nothing_of_ours",
            Ok(_) => "noted",
            Err(Turned::Unknown) => "unknown",
            Err(Turned::TooMany) => "too_many",
            Err(Turned::Refused(why)) => why.as_str(),
            Err(Turned::Bridge(_)) => "failed",
        };
        self.taken.get_or_create(&Outcome { outcome: word }).inc();
        outcome
    }

    async fn taken(
        &self,
        bridge: &Bridge,
        path: &str,
        from: IpAddr,
        delivery: &Delivery<'_>,
    ) -> Result<usize, Turned> {
        let right = self.config.path.expose();
        let hook = bridge.connector.profile().webhook.as_ref();
        let Some(hook) = hook.filter(|_| !right.is_empty() && hook::same(path.as_bytes(), right.as_bytes()))
        else {
            // Who guesses is counted by where they are, and never against the CRM, which would be silenced by that.
            let may_guess = self.guesses.attempt(&from).is_ok();
            return Err(if may_guess { Turned::Unknown } else { Turned::TooMany });
        };
        // Counted before a signature is looked at, so that a flood costs little.
        if self.count_this() > self.config.per_minute_max {
            return Err(Turned::TooMany);
        }
        if bridge.walls.stands(Wall::Hook) {
            hook::verify(hook, self.secret.as_ref(), delivery, self.clock.now()).map_err(Turned::Refused)?;
        }
        #[cfg_attr(not(feature = "sabotage"), expect(unused_mut, reason = "only a test build adds to it"))]
        let mut hints = hook::hints(hook, delivery.body).map_err(Turned::Refused)?;
        #[cfg(feature = "sabotage")]
        if !bridge.walls.stands(Wall::Hint) {
            let body = String::from_utf8_lossy(delivery.body).into_owned();
            hints.push(hook::Hint::Changed(crate::policy::Entity::Person, body));
        }
        Ok(sync::take_hints(bridge, hints).await.map_err(BridgeError::from)?)
    }

    fn count_this(&self) -> u32 {
        let (minute, count) = &*self.minute;
        let now = self.clock.now().ms().div_euclid(MINUTE_MS);
        if minute.swap(now, Ordering::Relaxed) != now {
            count.store(0, Ordering::Relaxed);
        }
        count.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }
}
