//! `POST /v1/card` and `POST /v1/reveal`.

use bridge_contract::ViewerRole;
use crm_bridge::connector::ask::Question;
use crm_bridge::policy::Entity;
use db_kit::both_databases;
use diesel::connection::SimpleConnection;
use serde_json::{Value, json};

use crate::support::{Town, WireCrm, field, json_answer, status_answer};

async fn first(town: &Town) -> (Value, String) {
    let contact = town.contacts().await.into_iter().find(|contact| !contact["mobile"].is_null()).unwrap();
    let customer_ref = town.matched(10_001, contact["email"].as_str().unwrap()).await;
    (contact, customer_ref)
}

both_databases! {
    async fn each_role_sees_its_own_card(town: Town) {
        let (contact, customer_ref) = first(&town).await;
        let (status, card) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!(status, 200, "{card}");
        assert_eq!(field(&card, "person.name"), &json!({ "kind": "text", "value": contact["full_name"] }));
        assert_eq!(field(&card, "company.name")["value"], contact["company"]["name"]);
        assert_eq!(field(&card, "person.service_level"), &json!({ "kind": "enum", "value": contact["service_level"] }));
        assert_eq!(field(&card, "person.support_until")["kind"], "date");
        let phone = contact["phone"].as_str().unwrap();
        let end: String = phone.chars().skip(phone.chars().count() - 2).collect();
        assert_eq!(
            field(&card, "person.phone"),
            &json!({ "kind": "masked", "mask": format!("••••••{end}"), "revealable": true })
        );
        assert_eq!(field(&card, "person.city"), &Value::Null, "not for line 1");
        let (_, card) = town.card(10_001, &customer_ref, ViewerRole::Line3).await;
        assert_eq!(field(&card, "person.phone")["value"], contact["phone"]);
        assert_eq!(field(&card, "person.city")["value"], contact["city"]);
        assert_eq!((card["stale"].as_bool(), card["policy"]["number"].as_u64()), (Some(false), Some(1)));
    }

    async fn looking_and_revealing_are_on_the_record(town: Town) {
        let (contact, customer_ref) = first(&town).await;
        town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        let (status, revealed) = town.reveal(10_001, &customer_ref, ViewerRole::Line1, "person.phone").await;
        assert_eq!((status, &revealed["field"]["value"]["value"]), (200, &contact["phone"]), "{revealed}");
        let (status, refused) = town.reveal(10_001, &customer_ref, ViewerRole::Line1, "person.city").await;
        assert_eq!((status, refused["code"].as_str()), (403, Some("field_not_revealable")));
        let log = town.looks().await;
        assert_eq!(log.len(), 3, "{log:?}");
        assert!(log[0].starts_with("card.shown opr_0193aabb 10001 role=line1 shown=person.name,company.name,"), "{}", log[0]);
        assert!(log[0].contains(" masked=person.phone,person.mobile as_of="), "{}", log[0]);
        assert!(log[1].starts_with("field.revealed opr_0193aabb 10001 role=line1 shown=person.phone as_of="), "{}", log[1]);
        assert_eq!(log[2], "look.refused opr_0193aabb 10001 role=line1 reason=not_revealable");
        assert!(!log.concat().contains(contact["phone"].as_str().unwrap()), "names of fields only");
    }

    async fn what_is_on_the_record_stays_there(town: Town) {
        let (_, customer_ref) = first(&town).await;
        town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        for sql in ["UPDATE audit_log SET actor = 'opr_somebody'", "DELETE FROM audit_log"] {
            let changed = town.database.write(move |conn| conn.batch_execute(sql).map_err(db_kit::DbError::from)).await;
            assert!(changed.unwrap_err().to_string().contains("append-only"), "{sql}");
        }
        assert_eq!(town.looks().await.len(), 1);
    }

    async fn a_card_is_for_the_ticket_it_was_resolved_for(town: Town) {
        let (_, customer_ref) = first(&town).await;
        let (status, body) = town.card(10_002, &customer_ref, ViewerRole::Supervisor).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("customer_unknown")));
        let (status, body) = town.card(10_001, "cus_00000000000000000000000000000000", ViewerRole::Line1).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("customer_unknown")), "and tells nothing else");
        assert_eq!(town.looks().await.len(), 2, "refusals are on the record too");
    }

    async fn a_fresh_card_is_shown_without_asking_and_an_old_one_is_asked_for(town: Town) {
        let (contact, customer_ref) = first(&town).await;
        let calls = town.crm_calls().await;
        town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!(town.crm_calls().await, calls);
        town.change_contact(contact["id"].as_str().unwrap(), json!({ "full_name": "New Name" })).await;
        town.later();
        let (_, card) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!(field(&card, "person.name")["value"], "New Name");
    }

    async fn while_the_crm_is_away_the_card_says_how_old_it_is(town: Town) {
        let (contact, customer_ref) = first(&town).await;
        let (_, before) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        town.stop_crm().await;
        town.later();
        let (status, card) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!((status, card["stale"].as_bool()), (200, Some(true)));
        assert_eq!((&card["as_of"], &card["fields"]), (&before["as_of"], &before["fields"]));
        let (status, revealed) = town.reveal(10_001, &customer_ref, ViewerRole::Line1, "person.phone").await;
        assert_eq!((status, &revealed["field"]["value"]["value"]), (200, &contact["phone"]));
    }

    async fn an_empty_cache_is_filled_again_and_without_the_crm_there_is_no_card(town: Town) {
        let (_, customer_ref) = first(&town).await;
        let forget = || async { town.bridge.store.forget_cards_before(town.clock.now().plus_ms(1)).await.unwrap() };
        assert_eq!(forget().await, 1);
        let (status, card) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!((status, card["stale"].as_bool()), (200, Some(false)));
        assert_eq!(forget().await, 1);
        town.stop_crm().await;
        let (status, body) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!((status, body["code"].as_str()), (503, Some("crm_unavailable")));
        // A connection that was open while the CRM stopped breaks; a new one is refused.
        assert!(matches!(body["reason"].as_str(), Some("unreachable" | "broken")), "{body}");
    }

    async fn a_card_past_its_age_is_not_shown(town: Town) {
        let (_, customer_ref) = first(&town).await;
        town.stop_crm().await;
        town.clock.advance_ms(604_801_000);
        let (status, body) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!((status, body["code"].as_str()), (503, Some("crm_unavailable")));
    }

    async fn a_customer_erased_in_the_crm_is_erased_here(town: Town) {
        let (contact, customer_ref) = first(&town).await;
        town.erase_contact(contact["id"].as_str().unwrap()).await;
        town.later();
        let (status, body) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!((status, body["code"].as_str()), (410, Some("customer_erased")), "{body}");
        assert_eq!(town.bridge.store.forget_cards_before(town.clock.now().plus_ms(1)).await.unwrap(), 0, "the card is gone");
        town.stop_crm().await;
        let (status, _) = town.card(10_001, &customer_ref, ViewerRole::Line1).await;
        assert_eq!(status, 410, "without asking again");
        let (status, _) = town.resolve(2, json!({ "email": contact["email"] })).await;
        assert_eq!(status, 503, "the address is forgotten");
    }

    async fn a_value_that_does_not_fit_is_withheld_and_counted(town: Town) {
        let (_, customer_ref) = first(&town).await;
        town.later();
        town.behave(json!({ "fault": { "kind": "iban_in_phone" } })).await;
        let (status, card) = town.card(10_001, &customer_ref, ViewerRole::Line3).await;
        assert_eq!(status, 200);
        assert_eq!(field(&card, "person.phone"), &json!({ "kind": "withheld" }));
        let metrics = town.metrics.to_text().unwrap();
        assert!(metrics.contains("withheld_values_total{field=\"person.phone\",reason=\"bad_syntax\"} 1"), "{metrics}");
    }
}

fn person(id: &str) -> Value {
    json!({ "id": id, "full_name": "Ann", "email": "ann@x.example" })
}

#[test]
fn a_crm_that_finds_nothing_at_all_has_not_erased_anybody() {
    db_kit::testing::block_on(async {
        let broken = std::rc::Rc::new(std::cell::Cell::new(false));
        let state = std::rc::Rc::clone(&broken);
        let crm = WireCrm::answering(move |line| {
            if state.get() {
                status_answer("404 Not Found", "")
            } else if line.contains("?email=") {
                json_answer(&json!({ "items": [person("a")], "next_cursor": null }))
            } else {
                json_answer(&person("a"))
            }
        })
        .await;
        let town = Town::on_sqlite(&crm.url, &[]).await;
        let customer_ref = town.matched(1, "ann@x.example").await;
        town.later();
        broken.set(true);
        let (status, card) = town.card(1, &customer_ref, ViewerRole::Line1).await;
        assert_eq!((status, card["stale"].as_bool()), (200, Some(true)), "{card}");
    });
}

#[test]
fn a_crm_that_answers_with_somebody_else_is_not_believed() {
    db_kit::testing::block_on(async {
        let crm = WireCrm::answering(|line| {
            if line.contains("?email=") {
                json_answer(&json!({ "items": [person("a")], "next_cursor": null }))
            } else {
                json_answer(&json!({ "id": "b", "full_name": "Somebody Else" }))
            }
        })
        .await;
        let town = Town::on_sqlite(&crm.url, &[]).await;
        let customer_ref = town.matched(1, "ann@x.example").await;
        town.later();
        let (_, card) = town.card(1, &customer_ref, ViewerRole::Line1).await;
        assert_eq!(
            (card["stale"].as_bool(), &field(&card, "person.name")["value"]),
            (Some(true), &json!("Ann"))
        );
    });
}

#[test]
fn equal_questions_at_the_same_time_are_asked_once() {
    db_kit::testing::block_on(async {
        let crm = WireCrm::answering(|line| {
            if line.contains("?email=") {
                json_answer(&json!({ "items": [person("a")], "next_cursor": null }))
            } else {
                json_answer(&person("a"))
            }
        })
        .await;
        let town = Town::on_sqlite(&crm.url, &[]).await;
        let ask = || town.bridge.connector.ask(Question::ById(Entity::Person, "a".to_owned()));
        for found in futures_util::future::join_all((0..8).map(|_| ask())).await {
            assert_eq!(found.unwrap().records.len(), 1);
        }
        assert_eq!(crm.requests().len(), 1);
        ask().await.unwrap();
        assert_eq!(crm.requests().len(), 2, "a later question is a new one");
    });
}
