//! What the bridge does on its own.

use std::time::Duration;

use crate::app::policies::Live;
use crate::app::sync::renew::{self, Renewed, Subscription};
use crate::app::{Bridge, audit, sync};

mod watch_policy;

pub use self::watch_policy::watch_policy;

const INTERVAL: Duration = Duration::from_secs(600);
const HOUR: Duration = Duration::from_secs(3_600);

/// Removes cards that have passed their age, now and then, for ever.
pub async fn forget_old_cards(bridge: Bridge) {
    let mut ticks = tokio::time::interval(INTERVAL);
    unname_erased(&bridge).await;
    loop {
        ticks.tick().await;
        let limit = bridge.clock.now().plus_ms(-bridge.cache.age_max_ms);
        match bridge.store.forget_cards_before(limit).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(cards.count = count, "removed cards that had passed their age"),
            Err(error) => {
                tracing::warn!(error = %error, "old cards could not be removed; trying again later")
            }
        }
        if let Err(error) = bridge.store.forget_old_looks(&bridge.rules, bridge.clock.now()).await {
            tracing::warn!(error = %error, "old looks could not be removed; trying again later");
        }
    }
}

/// Those who were erased by a version that kept the CRM's ids of them lose these now.
async fn unname_erased(bridge: &Bridge) {
    loop {
        match bridge.store.unname_erased().await {
            Ok(0) => return,
            Ok(count) => tracing::info!(customers.count = count, "removed the CRM's ids of erased customers"),
            Err(error) => {
                tracing::warn!(error = %error, "ids of erased customers could not be removed; trying again at the next start");
                return;
            }
        }
    }
}

/// Goes along the audit log once a day, for ever.
pub async fn verify_audit(bridge: Bridge) {
    let mut ticks = tokio::time::interval(HOUR);
    loop {
        ticks.tick().await;
        if let Err(error) = audit::verify_if_due(&bridge).await {
            tracing::error!(error = %error, "the audit log could not be checked; trying again in an hour");
        }
    }
}

/// Between two looks whether the subscription to webhooks is to be renewed.
const RENEW_INTERVAL: Duration = Duration::from_secs(30);

/// Renews the subscription to the CRM's webhooks whenever it is time, for ever. None if there is nothing to renew.
pub async fn renew_webhook(live: Live, subscription: Option<Subscription>) {
    let Some(subscription) = subscription else {
        if let Err(error) = renew::renew_no_more(&live.now()).await {
            tracing::warn!(error = %error, "what was noted of the webhooks' subscription could not be removed");
        }
        return;
    };
    let mut ticks = tokio::time::interval(RENEW_INTERVAL);
    loop {
        ticks.tick().await;
        match renew::renew_when_due(&live.now(), &subscription).await {
            Ok(Renewed::Until(until)) => {
                tracing::info!(webhook.until = %until, "renewed the subscription to the CRM's webhooks");
            }
            Ok(Renewed::NotDue | Renewed::Elsewhere | Renewed::Failed(_)) => {}
            Err(error) => {
                tracing::warn!(error = %error, "whether the webhooks' subscription is due could not be read");
            }
        }
    }
}

/// Between two looks at what is due in following the CRM.
const FOLLOW_INTERVAL: Duration = Duration::from_secs(2);
/// After failures in a row the looks get rarer, up to this.
const FOLLOW_PAUSE_MAX: Duration = Duration::from_secs(300);

/// Follows the CRM, for ever. Trouble makes it try again later, each time later by chance, so that several bridges do not
/// come back at once.
pub async fn follow_crm(live: Live) {
    let mut pause = FOLLOW_INTERVAL;
    loop {
        let bridge = live.now();
        match sync::run_due(&bridge).await {
            Ok(done) => {
                pause = FOLLOW_INTERVAL;
                if done.records + done.erased + done.merged > 0 {
                    tracing::info!(
                        sync.records = done.records,
                        sync.erased = done.erased,
                        sync.merged = done.merged,
                        "followed the CRM"
                    );
                }
            }
            Err(error) => {
                pause = (pause * 2).min(FOLLOW_PAUSE_MAX);
                tracing::warn!(error = %error, sync.pause_s = pause.as_secs(), "the CRM is not followed for now");
            }
        }
        let half_ms = u64::try_from(pause.as_millis() / 2).unwrap_or(1_000);
        tokio::time::sleep(Duration::from_millis(half_ms + bridge.ids.below(half_ms))).await;
    }
}
