//! Some CRMs end a subscription to their webhooks after a day or a week. It is renewed in time, by one process, and what goes wrong
//! is told and tried again. Without webhooks nothing is lost: changes are then seen with the next look for them.

use db_kit::DbError;
use service_kit::{Secret, Timestamp};

use super::Sync;
use crate::app::Bridge;
use crate::connector::profile::digest::sha256;
use crate::connector::profile::webhook::Renew;
use crate::connector::trouble::Trouble;
use crate::store::sync::{Feed, Phase};

/// In `sync status` and the metrics, the subscription.
pub const NAME: &str = "webhook";
/// A renewal takes shorter than this; it ends the lease when it is done.
const LEASE_MS: i64 = 300_000;
/// After a failure; doubled with each further one.
const RETRY_FIRST_MS: i64 = 60_000;
const RETRY_MS_MAX: i64 = 3_600_000;
/// However little the CRM gives, it is not asked more often.
const PAUSE_MS_MIN: i64 = 60_000;
const DOUBLINGS_MAX: i64 = 10;

/// The subscription that is to be renewed. Clones are the same one.
#[derive(Clone)]
pub struct Subscription {
    address: Secret,
}

impl Subscription {
    /// That of webhooks to this address, which is a secret.
    #[must_use]
    pub fn new(address: Secret) -> Self {
        Self { address }
    }

    /// Names it without telling it; another address or another profile is another subscription.
    fn name(&self, bridge: &Bridge) -> String {
        let profile = &bridge.connector.profile().digests.whole;
        sha256(format!("{profile} {}", self.address.expose()).as_bytes())
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It is not time yet.
    NotDue,
    /// Another process is at it.
    Elsewhere,
    /// The CRM sends until then.
    Until(Timestamp),
    /// It is tried again later.
    Failed(Trouble),
}

/// Renews the subscription if it is time. A row of [`Feed`] says how it stands: `since` is until when the CRM sends, `newest` when it
/// is asked next, `records` how often it was renewed, `pass` how often in a row it was not.
///
/// # Errors
/// [`DbError`].
pub async fn renew_when_due(bridge: &Bridge, subscription: &Subscription) -> Result<Renewed, DbError> {
    let Some((sync, renew)) = bridge.sync.as_ref().zip(rules(bridge)) else { return Ok(Renewed::NotDue) };
    let name = subscription.name(bridge);
    let now = bridge.clock.now();
    // Looked at before anything is written, as it is hardly ever due.
    if !is_due(sync.store.feed(NAME).await?.as_ref(), &name, now) {
        return Ok(Renewed::NotDue);
    }
    if !sync.store.take_lease(NAME, &sync.holder, now, now.plus_ms(LEASE_MS)).await? {
        return Ok(Renewed::Elsewhere);
    }
    let outcome = renewed(bridge, sync, renew, subscription, &name).await;
    sync.store.end_lease(NAME, &sync.holder).await?;
    outcome
}

/// There is nothing to renew any more, so nothing of it is in trouble.
///
/// # Errors
/// [`DbError`].
pub async fn renew_no_more(bridge: &Bridge) -> Result<(), DbError> {
    match &bridge.sync {
        Some(sync) => sync.store.forget_feed(NAME).await,
        None => Ok(()),
    }
}

fn rules(bridge: &Bridge) -> Option<&Renew> {
    bridge.connector.profile().webhook.as_ref()?.renew.as_ref()
}

fn is_due(feed: Option<&Feed>, name: &str, now: Timestamp) -> bool {
    feed.is_none_or(|feed| feed.plan != name || feed.newest.is_none_or(|due| due <= now))
}

async fn renewed(
    bridge: &Bridge,
    sync: &Sync,
    renew: &Renew,
    subscription: &Subscription,
    name: &str,
) -> Result<Renewed, DbError> {
    let now = bridge.clock.now();
    // Whoever had the lease before may just have done it.
    let known = sync.store.feed(NAME).await?;
    if !is_due(known.as_ref(), name, now) {
        return Ok(Renewed::NotDue);
    }
    let feed = known.filter(|feed| feed.plan == name).unwrap_or_else(|| Feed::new(Phase::Delta, name));
    let outcome = bridge.connector.renew_webhook(subscription.address.clone(), now).await;
    let (feed, outcome) = match outcome {
        Ok(until) => {
            let until = until.unwrap_or_else(|| now.plus_ms(renew.lasts_ms()));
            if until <= now {
                tracing::warn!(
                    "the CRM says that its webhooks have ended at the moment they were renewed: compare the clocks"
                );
            }
            (well(feed, renew, now, until), Renewed::Until(until))
        }
        Err(trouble) => {
            let feed = failed(feed, renew, trouble, now, |most| bridge.ids.below(most));
            tell(&feed, trouble, now);
            (feed, Renewed::Failed(trouble))
        }
    };
    let troubled_ms = feed.trouble_at.map(|at| now.since_ms(at));
    bridge.metrics.followed(NAME, troubled_ms);
    sync.store.set_feed(NAME, feed).await?;
    Ok(outcome)
}

/// Renewed until then: the next time comes by the rule, or sooner where the CRM gave less.
fn well(feed: Feed, renew: &Renew, now: Timestamp, until: Timestamp) -> Feed {
    let pause_ms = renew.every_ms().min(until.since_ms(now) / 2).max(PAUSE_MS_MIN);
    Feed {
        since: Some(until),
        newest: Some(now.plus_ms(pause_ms)),
        ended_well_at: Some(now),
        records: feed.records.saturating_add(1),
        pass: 0,
        trouble: None,
        trouble_at: None,
        ..feed
    }
}

/// Not renewed: tried again soon, then ever more rarely, and so often in a life that one of the attempts may do.
fn failed(feed: Feed, renew: &Renew, trouble: Trouble, now: Timestamp, below: impl Fn(u64) -> u64) -> Feed {
    let doubled = RETRY_FIRST_MS << feed.pass.clamp(0, DOUBLINGS_MAX);
    let pause_ms = doubled.min(RETRY_MS_MAX).min(renew.every_ms() / 4).max(PAUSE_MS_MIN / 2);
    // Half to one and a half of it, so that several bridges do not come back at once.
    let by_chance = below(u64::try_from(pause_ms).unwrap_or(1).max(1));
    let pause_ms = pause_ms / 2 + i64::try_from(by_chance).unwrap_or(0);
    Feed {
        newest: Some(now.plus_ms(pause_ms)),
        pass: feed.pass.saturating_add(1),
        trouble: Some(trouble.as_str().to_owned()),
        trouble_at: feed.trouble_at.or(Some(now)),
        ..feed
    }
}

fn tell(feed: &Feed, trouble: Trouble, now: Timestamp) {
    match feed.since.map(|until| until.since_ms(now) / 1_000) {
        Some(left_s) if left_s > 0 => tracing::warn!(
            crm.reason = trouble.as_str(),
            webhook.left_s = left_s,
            webhook.attempts = feed.pass,
            "the subscription to the CRM's webhooks could not be renewed; trying again"
        ),
        _ => tracing::error!(
            crm.reason = trouble.as_str(),
            webhook.attempts = feed.pass,
            "the subscription to the CRM's webhooks could not be renewed and has run out, or was never made: subscribe in the CRM as \
             its profile says. Changes are seen with the next look for them; trying again"
        ),
    }
}
