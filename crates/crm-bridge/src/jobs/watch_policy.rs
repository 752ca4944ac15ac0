//! Takes a newer policy without a restart.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::app::policies::Live;

/// Looks for a newer policy so often, and whenever the process gets SIGHUP, for ever.
pub async fn watch_policy(live: Live, watch_s: u32) {
    let Ok(mut hang_ups) = signal(SignalKind::hangup()) else {
        tracing::error!("SIGHUP can't be listened to; a newer policy is found by looking for it only");
        return look_now_and_then(&live, watch_s).await;
    };
    loop {
        tokio::select! {
            _ = hang_ups.recv() => {
                let outcome = live.reload().await;
                tracing::info!(policy.outcome = outcome.as_str(), "looked for a newer policy, as told by SIGHUP");
            }
            () = look_now_and_then(&live, watch_s) => {}
        }
    }
}

async fn look_now_and_then(live: &Live, watch_s: u32) {
    if watch_s == 0 {
        return std::future::pending().await;
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(u64::from(watch_s)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        live.look().await;
    }
}
