//! What goes out to the CRM on the bridge's own account: webhooks, activities, and orders for the ticket service. Beside the
//! connector the only place that opens connections.

pub mod guard;
pub mod orders;
pub mod webhook;

use std::time::Duration;

use db_kit::DbError;
use futures_util::future::join_all;
use service_kit::Timestamp;

use self::webhook::WebhookClient;
use crate::app::Bridge;
use crate::app::crm_api::CrmApiConfig;
use crate::app::crm_api::wire::EventView;
use crate::connector::Activity;
use crate::store::deliveries::Claimed;

/// So many deliveries are under way at once.
const AT_ONCE_MAX: i64 = 8;
/// A claim outlives the longest attempt by so much.
const LEASE_EXTRA_MS: i64 = 3_000;
/// An activity takes at most so long: it waits for leave to ask the CRM, maybe for a new key, and is tried again with it.
const ACTIVITY_MS_MAX: i64 = 90_000;
/// With nothing to do the courier looks again after so long; the bell wakes it before.
const IDLE: Duration = Duration::from_secs(30);
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// A receiver can ask for a pause of at most so long.
const PAUSE_S_MAX: i64 = 3_600;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened, from a closed set of words and the status; never what the receiver said.
    pub why: String,
    /// For the metrics.
    pub word: &'static str,
    /// The receiver wants to be left alone for so long.
    pub pause_s: Option<i64>,
    /// The receiver says that it is gone for good.
    pub gone: bool,
}

impl Failure {
    /// A failure that is tried again.
    #[must_use]
    pub fn new(word: &'static str, why: impl Into<String>) -> Self {
        Self { why: why.into(), word, pause_s: None, gone: false }
    }
}

/// How a delivery leaves the house.
enum Deliver<'a> {
    /// As a signed webhook to this address.
    Webhook {
        /// The webhook, from whose id its secret follows.
        id: &'a str,
        /// The address.
        url: &'a str,
    },
    /// As an activity of the customer in the CRM, as the profile says.
    Activity,
}

/// An event in the words of the CRM's people. What the policy does not list is not in it.
fn activity(event: &EventView) -> Activity {
    let (ticket, number) = (&event.ticket, event.ticket.number);
    let what = match event.kind.as_str() {
        "ticket.opened" => "was opened",
        "ticket.linked" => "was found to be this customer's",
        "ticket.resolved" => "is resolved",
        "ticket.answered" => "was answered",
        "ticket.rated" => "was rated",
        "ticket.withdrawn" => "is not this customer's any more",
        _ => "has changed",
    };
    let status = ticket.status.clone().unwrap_or_default();
    let now = if status.is_empty() { String::new() } else { format!(" (now: {})", status.replace('_', " ")) };
    Activity {
        customer_id: event.customer_id.clone(),
        ticket_number: u64::try_from(number).unwrap_or(0),
        subject: ticket.subject.clone().unwrap_or_else(|| format!("Ticket {number}")),
        event: format!("Support ticket {number} {what}{now}"),
        status,
        at: event.at,
        key: format!("guichet-{}", event.seq),
    }
}

/// Carries out what waits, in order for each ticket and target, again and again until it was taken or is dead.
#[derive(Clone)]
pub struct Courier {
    bridge: Bridge,
    webhooks: WebhookClient,
    timeout_ms: i64,
    attempts_max: i32,
    retry_first_ms: i64,
    retry_max_ms: i64,
    feed_ms: i64,
    dead_ms: i64,
}

impl Courier {
    /// A courier with these settings.
    ///
    /// # Errors
    /// A sentence, if the HTTP client can't be built.
    pub fn new(bridge: Bridge, settings: &CrmApiConfig) -> Result<Self, String> {
        let timeout_ms = settings.webhook_timeout_ms.clamp(100, 30_000);
        let webhooks = WebhookClient::new(timeout_ms, settings.webhook_allow_private)?;
        Ok(Self {
            bridge,
            webhooks,
            timeout_ms: i64::try_from(timeout_ms).unwrap_or(30_000),
            attempts_max: i32::try_from(settings.delivery_attempts_max).unwrap_or(i32::MAX).max(1),
            retry_first_ms: i64::from(settings.delivery_retry_first_ms).max(1),
            retry_max_ms: i64::from(settings.delivery_retry_max_s).max(1) * 1_000,
            feed_ms: i64::from(settings.feed_days.max(1)) * 24 * 3_600_000,
            dead_ms: i64::from(settings.delivery_dead_days.max(1)) * 24 * 3_600_000,
        })
    }

    /// Delivers for ever.
    pub async fn run(self) {
        loop {
            let pause = match self.run_due().await {
                Ok(_) => self.until_next().await.unwrap_or(AFTER_FAILURE),
                Err(error) => {
                    tracing::warn!(error = %error, "deliveries could not be looked up; trying again");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = self.bridge.outward.bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Delivers everything that is due now; answers how many attempts were made.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn run_due(&self) -> Result<usize, DbError> {
        let mut attempts = 0;
        loop {
            let now = self.bridge.clock.now();
            let lease_ms = self.attempt_ms_max() + LEASE_EXTRA_MS;
            let claimed = self.bridge.store.claim_deliveries(now, lease_ms, AT_ONCE_MAX).await?;
            if claimed.is_empty() {
                break;
            }
            attempts += claimed.len();
            let outcomes = join_all(claimed.into_iter().map(|claim| self.attempt(claim))).await;
            outcomes.into_iter().collect::<Result<Vec<()>, DbError>>()?;
        }
        self.tidy().await?;
        let backlogs = self.bridge.store.backlogs().await?;
        let sum = |part: fn(&crate::store::deliveries::Backlog) -> i64| backlogs.iter().map(part).sum();
        self.bridge.outward.metrics.backlog(sum(|one| one.waiting), sum(|one| one.dead));
        Ok(attempts)
    }

    /// An attempt that is still under way by then is broken off: when its claim runs out, another process may make it, and an
    /// event must not overtake the one before it.
    fn attempt_ms_max(&self) -> i64 {
        if self.bridge.outward.activity { self.timeout_ms.max(ACTIVITY_MS_MAX) } else { self.timeout_ms }
    }

    async fn until_next(&self) -> Result<Duration, DbError> {
        let Some(next) = self.bridge.store.next_delivery().await? else { return Ok(IDLE) };
        let wait = Timestamp::from_ms(next).since_ms(self.bridge.clock.now());
        Ok(Duration::from_millis(u64::try_from(wait).unwrap_or(0)).clamp(Duration::from_millis(10), IDLE))
    }

    /// Forgets what is too old to be asked for. The feed is kept for what has yet to be delivered, so first what nobody has cared about
    /// for long is given up.
    async fn tidy(&self) -> Result<(), DbError> {
        let now = self.bridge.clock.now();
        let given_up = self.bridge.store.give_up_dead_before(now.plus_ms(-self.dead_ms), now).await?;
        if given_up > 0 {
            self.bridge.outward.metrics.given_up(given_up);
            tracing::error!(
                delivery.count = given_up,
                delivery.dead_days = self.dead_ms / (24 * 3_600_000),
                "deliveries to the CRM were dead for crm_api.delivery_dead_days and are given up; later events of their tickets go on"
            );
        }
        self.bridge.store.forget_feed_before(now.plus_ms(-self.feed_ms)).await?;
        // The ticket service remembers orders for a day; later a repetition would open a second ticket there.
        self.bridge.store.forget_orders_before(now.plus_ms(-24 * 3_600_000)).await?;
        Ok(())
    }

    async fn attempt(&self, claim: Claimed) -> Result<(), DbError> {
        let (target, seq) = (claim.target.clone(), claim.entry.seq);
        let deliver = match &claim.url {
            Some(url) => Deliver::Webhook { id: &claim.target, url },
            None => Deliver::Activity,
        };
        let store = &self.bridge.store;
        let most = Duration::from_millis(u64::try_from(self.attempt_ms_max()).unwrap_or(0));
        let carried = tokio::time::timeout(most, self.carry(deliver, &claim)).await;
        match carried.unwrap_or_else(|_| Err(Failure::new("timeout", "it took too long"))) {
            Ok(()) => {
                self.bridge.outward.metrics.delivery("delivered");
                store.delivered(target, seq).await
            }
            Err(failure) if failure.gone => {
                self.bridge.outward.metrics.delivery("gone");
                tracing::warn!(
                    delivery.target = target,
                    "the receiver says that it is gone; it is not called again"
                );
                store.stop_webhook(target, "the receiver answered 410", self.bridge.clock.now()).await?;
                Ok(())
            }
            Err(failure) => self.failed(claim, failure).await,
        }
    }

    async fn carry(&self, deliver: Deliver<'_>, claim: &Claimed) -> Result<(), Failure> {
        let outward = &self.bridge.outward;
        let policy =
            outward.policy.as_deref().ok_or_else(|| Failure::new("no_policy", "no ticket policy"))?;
        let event = EventView::new(policy, claim.entry.clone());
        match deliver {
            Deliver::Webhook { id, url } => {
                let secret = self.bridge.vault.shared_secret("webhook", id);
                self.webhooks.post(url, &secret, &event, self.bridge.clock.now()).await
            }
            Deliver::Activity => {
                let told = self.bridge.connector.tell(activity(&event)).await;
                told.map_err(|trouble| Failure::new(trouble.as_str(), trouble.as_str()))
            }
        }
    }

    async fn failed(&self, claim: Claimed, failure: Failure) -> Result<(), DbError> {
        self.bridge.outward.metrics.delivery(failure.word);
        let attempts = claim.attempts + 1;
        let wait_ms = self.wait_ms(attempts).max(failure.pause_s.unwrap_or(0).min(PAUSE_S_MAX) * 1_000);
        let next_at = (attempts < self.attempts_max).then(|| self.bridge.clock.now().plus_ms(wait_ms).ms());
        if next_at.is_none() {
            tracing::error!(
                delivery.target = claim.target,
                delivery.seq = claim.entry.seq,
                delivery.reason = failure.word,
                "a delivery to the CRM is dead; see `crm-bridge crm-webhooks list`"
            );
        } else {
            tracing::warn!(
                delivery.target = claim.target,
                delivery.seq = claim.entry.seq,
                delivery.reason = failure.word,
                delivery.retry_in_ms = wait_ms,
                "a delivery to the CRM failed and is tried again"
            );
        }
        let now = self.bridge.clock.now();
        self.bridge.store.not_delivered(claim.target, claim.entry.seq, failure.why, next_at, now).await
    }

    /// Doubled each time, between a half and the whole of it, so that what failed together does not come back together.
    fn wait_ms(&self, attempts: i32) -> i64 {
        let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(30);
        let whole = self.retry_first_ms.saturating_mul(1_i64 << doublings).min(self.retry_max_ms);
        let half = (whole / 2).max(1);
        half + i64::try_from(self.bridge.ids.below(u64::try_from(half).unwrap_or(1))).unwrap_or(0)
    }
}
