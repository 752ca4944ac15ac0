//! Following the CRM: what changes there changes here, without asking for everything again.

use bridge_contract::ViewerRole;
use crm_bridge::app::sync::{SyncError, run_due, take_hints};
use crm_bridge::connector::hook::Hint;
use crm_bridge::policy::Entity;
use db_kit::testing::block_on;
use serde_json::json;

use crate::support::field;
use crate::years::Years;

#[test]
fn a_change_in_the_crm_reaches_the_kept_card_of_somebody_who_wrote_and_of_nobody_else() {
    block_on(async {
        let years = Years::new(false, None).await;
        let contacts = years.town.contacts().await;
        let (known, stranger) = (&contacts[0], &contacts[1]);
        let customer_ref = years.town.matched(1, known["email"].as_str().unwrap()).await;
        years.run().await;
        years.pass(30);
        for contact in [known, stranger] {
            years
                .town
                .change_contact(contact["id"].as_str().unwrap(), json!({ "full_name": "Renamed" }))
                .await;
        }
        years.pass(60);
        assert_eq!(years.run().await.records, 2);
        let calls = years.town.crm_calls().await;
        assert_eq!(years.name_on_card(1, &customer_ref).await, "Renamed");
        assert_eq!(years.town.crm_calls().await, calls, "without having been asked");
        assert_eq!(years.town.bridge.sync.as_ref().unwrap().store.rows().await.unwrap(), 0, "no copy");
    });
}

#[test]
fn while_the_crm_is_followed_an_old_card_is_known_to_be_true() {
    block_on(async {
        let years = Years::new(false, None).await;
        years.run().await;
        years.pass(60);
        years.run().await;
        let contact = years.town.contacts().await[0].clone();
        let customer_ref = years.town.matched(1, contact["email"].as_str().unwrap()).await;
        for _ in 0..20 {
            years.pass(60);
            years.run().await;
        }
        let calls = years.town.crm_calls().await;
        let (_, card) = years.town.card(1, &customer_ref, ViewerRole::Line1).await;
        assert_eq!(years.town.crm_calls().await, calls, "nobody had to be asked");
        assert_eq!(card["as_of"], years.town.clock.now().to_string());
        years.town.behave(json!({"fault": {"kind": "status", "status": 500}})).await;
        years.pass(60);
        assert!(run_due(&years.town.bridge).await.is_err());
        years.town.behave(json!({})).await;
        years.name_on_card(1, &customer_ref).await;
        assert!(years.town.crm_calls().await > calls + 1, "once the thread is lost the CRM is asked again");
    });
}

#[test]
fn erased_and_merged_customers_are_followed() {
    block_on(async {
        let years = Years::new(false, None).await;
        let contacts = years.town.contacts().await;
        let id = |position: usize| contacts[position]["id"].as_str().unwrap();
        let mut refs = Vec::new();
        for (ticket, contact) in (1..).zip(&contacts[..2]) {
            refs.push(years.town.matched(ticket, contact["email"].as_str().unwrap()).await);
        }
        years.run().await;
        years.pass(60);
        years.town.erase_contact(id(0)).await;
        years.merge(id(1), id(3)).await;
        years.pass(60);
        let done = years.run().await;
        assert_eq!((done.erased, done.merged), (1, 1));
        assert_eq!(years.town.card(1, &refs[0], ViewerRole::Line1).await.0, 410);
        assert_eq!(years.name_on_card(2, &refs[1]).await, contacts[3]["full_name"]);
    });
}

#[test]
fn a_merge_that_nobody_has_told_of_yet_is_found_when_the_card_is_asked_for() {
    block_on(async {
        let years = Years::new(false, None).await;
        let contacts = years.town.contacts().await;
        let customer_ref = years.town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
        years.merge(contacts[0]["id"].as_str().unwrap(), contacts[4]["id"].as_str().unwrap()).await;
        years.pass(301);
        assert_eq!(years.name_on_card(1, &customer_ref).await, contacts[4]["full_name"]);
    });
}

#[test]
fn a_copy_answers_without_the_crm_and_even_when_it_is_gone() {
    block_on(async {
        let years = Years::new(true, Some(1_000)).await;
        assert_eq!(years.run().await.records, 1_000);
        years.pass(60);
        years.run().await;
        let calls = years.town.crm_calls().await;
        let customer_ref = years.town.matched(1, "Person417@crowd.example").await;
        assert_eq!(years.name_on_card(1, &customer_ref).await, "Renée Müller 417");
        let by_phone = years.town.resolve(2, json!({ "phone": "+49 30 00000417" })).await.1;
        assert_eq!(by_phone["outcome"]["customer_ref"], customer_ref);
        assert_eq!(years.town.crm_calls().await, calls);
        years.town.change_contact("cr_0000417", json!({})).await;
        years.town.erase_contact("cr_0000500").await;
        years.pass(60);
        years.run().await;
        assert_eq!(years.name_on_card(1, &customer_ref).await, "Renée Müller 417 (1)");
        assert_eq!(
            years.town.resolve(3, json!({ "email": "person500@crowd.example" })).await.1["outcome"]["kind"],
            "none"
        );
        let answers = years.town.kept_card(&customer_ref).await;
        assert!(!answers.contains("VIP"), "only listed members are copied");
        // A connection that is open may be answered once more while the CRM stops.
        years.town.behave(json!({"fault": {"kind": "cut"}})).await;
        years.crm.stop(false).await;
        years.pass(3_600);
        let other = years.town.matched(4, "person9@crowd.example").await;
        let (status, card) = years.town.card(4, &other, ViewerRole::Line1).await;
        assert_eq!((status, &card["stale"]), (200, &json!(true)), "{card}");
    });
}

#[test]
fn a_copy_that_was_interrupted_goes_on_where_it_was() {
    block_on(async {
        let years = Years::new(true, Some(2_000)).await;
        years.town.behave(json!({"fault": {"kind": "cut"}})).await;
        let error = run_due(&years.town.bridge).await.unwrap_err();
        assert!(matches!(error, SyncError::Crm(_)), "{error}");
        years.town.behave(json!({})).await;
        let feed = |years: &Years| {
            let store = years.town.bridge.sync.as_ref().unwrap().store.clone();
            async move { store.feed("person").await.unwrap().unwrap() }
        };
        let before = feed(&years).await;
        assert!(before.trouble.is_some());
        let done = years.run().await;
        assert!(done.records <= 2_000 - u64::try_from(before.records).unwrap());
        assert_eq!(years.town.bridge.sync.as_ref().unwrap().store.rows().await.unwrap(), 2_000);
        assert_eq!(feed(&years).await.trouble, None);
    });
}

#[test]
fn a_hint_is_followed_once_and_only_for_somebody_who_wrote() {
    block_on(async {
        let years = Years::new(false, None).await;
        let contacts = years.town.contacts().await;
        let id = |position: usize| contacts[position]["id"].as_str().unwrap().to_owned();
        let customer_ref = years.town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
        years.run().await;
        years.town.change_contact(&id(0), json!({ "full_name": "Told by webhook" })).await;
        for _ in 0..50 {
            let hints = vec![Hint::Changed(Entity::Person, id(0)), Hint::Changed(Entity::Person, id(1))];
            assert_eq!(take_hints(&years.town.bridge, hints).await.unwrap(), 1);
        }
        let calls = years.town.crm_calls().await;
        years.pass(2);
        years.run().await;
        assert_eq!(years.town.crm_calls().await, calls + 1, "fifty hints, one request");
        assert_eq!(years.name_on_card(1, &customer_ref).await, "Told by webhook");
        years.town.erase_contact(&id(0)).await;
        take_hints(&years.town.bridge, vec![Hint::Gone(id(0))]).await.unwrap();
        years.pass(2);
        assert_eq!(years.run().await.erased, 1);
        assert_eq!(years.town.card(1, &customer_ref, ViewerRole::Line1).await.0, 410);
    });
}

#[test]
fn reconciliation_finds_who_is_gone_without_a_word() {
    block_on(async {
        let years = Years::new(false, None).await;
        let contacts = years.town.contacts().await;
        let customer_ref = years.town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
        years.town.behave(json!({ "forgets_the_gone": true })).await;
        years.run().await;
        years.town.erase_contact(contacts[0]["id"].as_str().unwrap()).await;
        years.pass(60);
        assert_eq!(years.run().await.erased, 0);
        years.pass(90_000);
        let done = years.run().await;
        assert_eq!(done.erased, 1);
        assert_eq!(years.town.card(1, &customer_ref, ViewerRole::Line1).await.0, 410);
    });
}

#[test]
fn a_crm_that_keeps_tombstones_for_some_days_only_is_followed_after_a_longer_time() {
    block_on(async {
        for copy in [false, true] {
            let years = Years::new(copy, None).await;
            let contacts = years.town.contacts().await;
            let customer_ref = years.town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
            years.town.behave(json!({ "gone_kept_s": 5 * 86_400 })).await;
            years.run().await;
            // The bridge is away, and somebody is erased meanwhile.
            years.town.erase_contact(contacts[0]["id"].as_str().unwrap()).await;
            years.pass(6 * 86_400);
            let erased = years.run().await.erased + years.run().await.erased;
            assert_eq!(erased, 1, "copy: {copy}");
            assert_eq!(years.town.card(1, &customer_ref, ViewerRole::Line1).await.0, 410);
            // From then on tombstones are told again.
            let second = years.town.matched(2, contacts[1]["email"].as_str().unwrap()).await;
            years.town.erase_contact(contacts[1]["id"].as_str().unwrap()).await;
            years.pass(60);
            assert_eq!(years.run().await.erased, 1, "copy: {copy}");
            assert_eq!(years.town.card(2, &second, ViewerRole::Line1).await.0, 410);
        }
    });
}

#[test]
fn who_is_gone_without_a_word_leaves_the_copy_with_the_next_walk() {
    block_on(async {
        let years = Years::new(true, Some(1_000)).await;
        years.town.behave(json!({ "forgets_the_gone": true })).await;
        years.run().await;
        years.town.erase_contact("cr_0000500").await;
        let store = years.town.bridge.sync.as_ref().unwrap().store.clone();
        years.pass(60);
        years.run().await;
        assert!(store.row("cr_0000500").await.unwrap().is_some(), "nobody has said so");
        years.pass(90_000);
        years.run().await;
        years.run().await;
        assert!(store.row("cr_0000500").await.unwrap().is_none());
        assert_eq!(store.rows().await.unwrap(), 999, "and nobody else has left");
        let walked = store.feed("reconcile").await.unwrap().unwrap();
        assert_eq!((walked.mark, walked.records), (None, 999));
    });
}

#[test]
fn changes_are_followed_by_the_crms_clock_however_far_off_it_is() {
    const HOUR_MS: i64 = 3_600_000;
    block_on(async {
        for ahead_ms in [-2 * HOUR_MS, 2 * HOUR_MS, -400 * 24 * HOUR_MS, 400 * 24 * HOUR_MS] {
            let years = Years::new(false, None).await;
            years.crm_clock.advance_ms(ahead_ms);
            let contact = years.town.contacts().await[0].clone();
            let customer_ref = years.town.matched(1, contact["email"].as_str().unwrap()).await;
            for name in ["First", "Second"] {
                years.run().await;
                years.pass(60);
                let change = json!({ "full_name": name });
                years.town.change_contact(contact["id"].as_str().unwrap(), change).await;
                years.pass(60);
                years.run().await;
                assert_eq!(years.name_on_card(1, &customer_ref).await, name, "{ahead_ms} ms ahead");
            }
        }
    });
}

#[test]
fn a_record_from_the_future_does_not_end_the_following() {
    block_on(async {
        let years = Years::new(false, None).await;
        let contacts = years.town.contacts().await;
        let id = |position: usize| contacts[position]["id"].as_str().unwrap().to_owned();
        let customer_ref = years.town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
        years.run().await;
        years.crm_clock.advance_ms(3_600_000);
        years.town.change_contact(&id(1), json!({ "full_name": "Typed with a wrong clock" })).await;
        years.crm_clock.advance_ms(-3_600_000);
        years.pass(60);
        years.run().await;
        years.town.change_contact(&id(0), json!({ "full_name": "Changed since" })).await;
        years.pass(60);
        years.run().await;
        assert_eq!(years.name_on_card(1, &customer_ref).await, "Changed since");
    });
}

#[test]
fn a_card_is_not_known_to_be_true_while_a_hint_waits() {
    block_on(async {
        let years = Years::new(false, None).await;
        years.run().await;
        years.pass(60);
        years.run().await;
        let contact = years.town.contacts().await[0].clone();
        let customer_ref = years.town.matched(1, contact["email"].as_str().unwrap()).await;
        let store = years.town.bridge.sync.as_ref().unwrap().store.clone();
        let now = years.town.clock.now();
        store
            .hint(vec![contact["id"].as_str().unwrap().to_owned()], now, now.plus_ms(10_000_000), 10)
            .await
            .unwrap();
        for _ in 0..20 {
            years.pass(60);
            years.run().await;
        }
        let calls = years.town.crm_calls().await;
        years.name_on_card(1, &customer_ref).await;
        assert_eq!(years.town.crm_calls().await, calls + 1, "the CRM is asked");
    });
}

#[test]
fn what_the_crm_hides_is_kept_and_what_it_empties_is_not() {
    block_on(async {
        let years = Years::new(false, None).await;
        let contact = years.town.contacts().await[0].clone();
        let id = contact["id"].as_str().unwrap();
        let customer_ref = years.town.matched(1, contact["email"].as_str().unwrap()).await;
        let on_card = async |name: &str| {
            let (_, card) = years.town.card(1, &customer_ref, ViewerRole::Line3).await;
            field(&card, name).clone()
        };
        let (language, title) = (on_card("person.language").await, on_card("person.job_title").await);
        assert_eq!(
            (&title["kind"], &language["kind"]),
            (&json!("text"), &json!("text")),
            "{title} {language}"
        );
        years.run().await;
        years.pass(60);
        years.town.behave(json!({"fault": {"kind": "hide_members", "names": ["job_title"]}})).await;
        years.town.change_contact(id, json!({ "full_name": "Renamed", "language": "" })).await;
        years.pass(60);
        years.run().await;
        assert_eq!(years.name_on_card(1, &customer_ref).await, "Renamed");
        assert_eq!(on_card("person.job_title").await, title, "hidden by the CRM");
        assert_eq!(on_card("person.language").await["kind"], "empty", "emptied in the CRM");
        // Asked while somebody looks, the same holds; but a kept value does not live for ever.
        years.pass(3_600);
        assert_eq!(on_card("person.job_title").await, title);
        years.pass(40 * 86_400);
        assert_eq!(on_card("person.job_title").await["kind"], "empty");
    });
}
