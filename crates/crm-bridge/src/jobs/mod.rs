//! What the bridge does on its own.

use std::time::Duration;

use crate::app::Bridge;

mod watch_policy;

pub use self::watch_policy::watch_policy;

const INTERVAL: Duration = Duration::from_secs(600);

/// Removes cards that have passed their age, now and then, for ever.
pub async fn forget_old_cards(bridge: Bridge) {
    let mut ticks = tokio::time::interval(INTERVAL);
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
