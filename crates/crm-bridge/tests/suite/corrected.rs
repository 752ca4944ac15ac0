//! A profile that was corrected: what was read from the wrong places is believed no more, and it is on the record which one
//! was in force.

use bridge_contract::ViewerRole;
use crm_bridge::app::audit::started;
use crm_bridge::app::sync::{Sync, run_due};
use crm_bridge::app::{Bridge, show_card};
use crm_bridge::start;
use db_kit::testing::block_on;
use serde_json::{Value, json};
use service_kit::Ids;
use service_kit::metrics::Metrics;

use crate::support::{Town, card_grant, field};
use crate::wire::{profile, with_line};
use crate::years::Years;

/// The same bridge, started again on the same databases with another profile.
fn started_again(town: &Town, profile: &str) -> Bridge {
    let mut config = town.config.clone();
    config.crm.profile = profile.to_owned();
    let (database, clock) = (town.database.database().clone(), town.clock.clone());
    let ids = Ids::seeded(clock.clone(), 77);
    let mut bridge = start::bridge(&config, database, clock, ids, &Metrics::new("again")).unwrap();
    let sync = town.bridge.sync.as_ref().unwrap();
    bridge.sync = Some(Sync::new(sync.store.clone(), sync.settings, "again".into()));
    bridge
}

async fn name_on(bridge: &Bridge, ticket: u64, customer_ref: &str) -> Value {
    let question = json!({ "version": 1, "ticket": ticket, "customer_ref": customer_ref });
    let grant = card_grant(ticket, customer_ref, ViewerRole::Line3);
    let question = serde_json::from_value(question).unwrap();
    let card = show_card::show_card(bridge, &grant, &question, "req").await.unwrap();
    field(&serde_json::to_value(card).unwrap(), "person.name")["value"].clone()
}

#[test]
fn after_a_correction_of_the_mapping_the_copy_is_made_anew_and_kept_cards_are_asked_for_again() {
    block_on(async {
        let years = Years::new(true, None).await;
        years.run().await;
        let contact = years.town.contacts().await[0].clone();
        let customer_ref = years.town.matched(1, contact["email"].as_str().unwrap()).await;
        assert_eq!(years.name_on_card(1, &customer_ref).await, contact["full_name"]);
        let folder = tempfile::tempdir().unwrap();
        let other = profile(&folder, |text| with_line(&text, "name           =", "name = \"/job_title\""));
        let bridge = started_again(&years.town, &other);
        assert_eq!(
            name_on(&bridge, 1, &customer_ref).await,
            contact["job_title"],
            "the kept card is not shown"
        );
        years.pass(60);
        assert_eq!(run_due(&bridge).await.unwrap().records, 40, "all are copied anew");
        // The CRM is not needed for the right value.
        drop(years.crm.stop(false));
        years.pass(400);
        assert_eq!(name_on(&bridge, 1, &customer_ref).await, contact["job_title"]);
    });
}

#[test]
fn a_profile_with_other_comments_only_leaves_copy_and_cards_as_they_are() {
    block_on(async {
        let years = Years::new(true, None).await;
        years.run().await;
        let contact = years.town.contacts().await[0].clone();
        let customer_ref = years.town.matched(1, contact["email"].as_str().unwrap()).await;
        let folder = tempfile::tempdir().unwrap();
        let other = profile(&folder, |text| format!("# Looked through in November.\n{text}"));
        let bridge = started_again(&years.town, &other);
        let calls = years.town.crm_calls().await;
        assert_eq!(name_on(&bridge, 1, &customer_ref).await, contact["full_name"]);
        assert_eq!(years.town.crm_calls().await, calls, "the kept card is as good as before");
        years.pass(60);
        assert_eq!(run_due(&bridge).await.unwrap().records, 0, "nothing is copied anew");
    });
}

#[test]
fn the_record_says_which_profile_was_in_force_and_what_it_said() {
    block_on(async {
        let years = Years::new(false, None).await;
        let town = &years.town;
        let folder = tempfile::tempdir().unwrap();
        let other = profile(&folder, |text| with_line(&text, "name           =", "name = \"/job_title\""));
        let mut seen = Vec::new();
        for bridge in [&town.bridge, &started_again(town, &other)] {
            started(bridge).await.unwrap();
            let sha256 = bridge.connector.profile().digests.whole.clone();
            let line = town.looks().await.pop().unwrap_or_default();
            assert!(line.starts_with("service.started system"), "{line}");
            assert!(line.contains("sandbox") && line.contains(&sha256), "{line}");
            seen.push(sha256);
        }
        assert_ne!(seen[0], seen[1]);
    });
}

#[test]
fn another_address_of_the_crm_is_refused_until_somebody_says_that_it_is_the_same_crm() {
    block_on(async {
        let years = Years::new(false, None).await;
        let town = &years.town;
        let here = town.config.clone();
        start::same_crm(&here, &town.bridge).await.unwrap();
        let mut elsewhere = here.clone();
        elsewhere.crm.base_url = "http://127.0.0.1:9".to_owned();
        start::same_crm(&elsewhere, &town.bridge).await.unwrap();
        start::same_crm(&here, &town.bridge).await.unwrap();
        let contact = town.contacts().await[0].clone();
        town.matched(1, contact["email"].as_str().unwrap()).await;
        let refused = start::same_crm(&elsewhere, &town.bridge).await.unwrap_err().to_string();
        let host = here.crm.base_url.trim_start_matches("http://");
        assert!(refused.contains(&format!("crm.moved_from = \"{host}\"")), "{refused}");
        let mut deeper = here.clone();
        deeper.crm.base_url = format!("{}/other-tenant", here.crm.base_url);
        assert!(start::same_crm(&deeper, &town.bridge).await.is_err(), "the path may be the tenant");
        let mut slash = here.clone();
        slash.crm.base_url = format!("{}/", here.crm.base_url);
        start::same_crm(&slash, &town.bridge).await.unwrap();
        host.clone_into(&mut elsewhere.crm.moved_from);
        start::same_crm(&elsewhere, &town.bridge).await.unwrap();
        let line = town.looks().await.pop().unwrap();
        assert!(line.starts_with("crm.moved system") && line.contains("127.0.0.1:9"), "{line}");
        assert!(start::same_crm(&here, &town.bridge).await.is_err(), "and it is there from now on");
    });
}
