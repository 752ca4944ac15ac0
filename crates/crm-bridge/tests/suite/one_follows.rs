//! Several bridges beside one CRM: one of them follows it.

use std::time::Duration;

use crm_bridge::app::sync::{Sync, run_due};
use db_kit::testing::block_on;
use serde_json::json;

use crate::years::Years;

#[test]
fn while_a_page_takes_longer_than_the_lease_lasts_nobody_else_begins_to_follow() {
    block_on(async {
        let years = Years::new(true, Some(300)).await;
        let following = |holder: &str| {
            let mut bridge = years.town.bridge.clone();
            let sync = bridge.sync.take().unwrap();
            let mut settings = sync.settings;
            settings.lease_ms = 150;
            bridge.sync = Some(Sync::new(sync.store, settings, holder.to_owned()));
            bridge
        };
        let (one, other) = (following("one"), following("other"));
        years.town.behave(json!({ "delay_ms": 500 })).await;
        let others = async {
            for _ in 0..8 {
                // Both clocks go on, the one of the house as fast as the one of the wall.
                tokio::time::sleep(Duration::from_millis(55)).await;
                years.town.clock.advance_ms(55);
                assert!(run_due(&other).await.unwrap().elsewhere, "two copy at once");
            }
        };
        let (done, ()) = tokio::join!(run_due(&one), others);
        assert_eq!(done.unwrap().records, 300);
        years.town.behave(json!({})).await;
        assert!(!run_due(&other).await.unwrap().elsewhere, "afterwards anybody may");
    });
}
