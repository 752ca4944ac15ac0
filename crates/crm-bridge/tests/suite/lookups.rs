//! `POST /v1/resolve`.

use db_kit::both_databases;
use serde_json::json;

use crate::support::{Town, WireCrm, json_answer};

both_databases! {
    async fn a_known_address_is_matched_however_it_is_written(town: Town) {
        let contact = &town.contacts().await[0];
        let email = contact["email"].as_str().unwrap();
        let first = town.matched(1, email).await;
        assert_eq!(town.matched(2, &email.to_uppercase()).await, first, "one customer, one reference");
        assert!(!first.contains(contact["id"].as_str().unwrap()), "the reference says nothing");
    }

    async fn a_further_address_of_a_customer_is_matched_too(town: Town) {
        let contacts = town.contacts().await;
        let contact = contacts.iter().find(|c| c["other_emails"].as_array().is_some_and(|list| !list.is_empty())).unwrap();
        let other = contact["other_emails"][0].as_str().unwrap();
        assert_eq!(town.matched(1, other).await, town.matched(1, contact["email"].as_str().unwrap()).await);
    }

    async fn a_number_is_matched_when_there_is_no_address_or_a_strange_one(town: Town) {
        let contact = &town.contacts().await[3];
        let wanted = town.matched(1, contact["email"].as_str().unwrap()).await;
        let phone = contact["phone"].as_str().unwrap().replacen('+', "00", 1);
        for question in [json!({ "phone": phone }), json!({ "phone": phone, "email": "nobody@else.example" })] {
            let (status, body) = town.resolve(2, question).await;
            assert_eq!((status, body["outcome"]["customer_ref"].as_str()), (200, Some(wanted.as_str())), "{body}");
        }
    }

    async fn an_unknown_address_is_nobody(town: Town) {
        let (status, body) = town.resolve(1, json!({ "email": "nobody@else.example" })).await;
        assert_eq!((status, &body["outcome"]), (200, &json!({ "kind": "none" })));
    }

    async fn an_address_that_several_share_gives_candidates_of_whom_each_has_a_card(town: Town) {
        let contacts = town.contacts().await;
        for contact in &contacts[..3] {
            town.change_contact(contact["id"].as_str().unwrap(), json!({ "email": "office@shared.example" })).await;
        }
        let (_, body) = town.resolve(9, json!({ "email": "office@shared.example" })).await;
        assert_eq!(body["outcome"]["kind"], "several");
        let candidates = body["outcome"]["candidates"].as_array().unwrap();
        assert_eq!(candidates.len(), 3);
        for candidate in candidates {
            let (status, _) = town.card(9, candidate.as_str().unwrap(), bridge_contract::ViewerRole::Line1).await;
            assert_eq!(status, 200);
        }
    }

    async fn while_the_crm_is_away_those_who_wrote_before_are_still_known(town: Town) {
        let contacts = town.contacts().await;
        let (known, strange) = (contacts[0]["email"].as_str().unwrap(), contacts[1]["email"].as_str().unwrap());
        let wanted = town.matched(1, known).await;
        town.stop_crm().await;
        assert_eq!(town.matched(2, known).await, wanted);
        let (status, body) = town.resolve(2, json!({ "email": strange })).await;
        assert_eq!((status, body["code"].as_str()), (503, Some("crm_unavailable")), "{body}");
    }

    async fn an_address_that_moved_to_somebody_else_no_longer_finds_the_first(town: Town) {
        let contacts = town.contacts().await;
        let email = contacts[0]["email"].as_str().unwrap();
        let first = town.matched(1, email).await;
        town.change_contact(contacts[0]["id"].as_str().unwrap(), json!({ "email": "new@home.example" })).await;
        town.change_contact(contacts[1]["id"].as_str().unwrap(), json!({ "email": email })).await;
        let second = town.matched(2, email).await;
        assert_ne!(first, second);
        town.stop_crm().await;
        assert_eq!(town.matched(3, email).await, second, "in memory too");
    }
}

#[test]
fn a_hit_of_the_crm_that_has_another_address_is_none() {
    db_kit::testing::block_on(async {
        // Several CRMs search by prefix, by words, or not at all.
        let crm = WireCrm::answering(|_| {
            json_answer(&json!({ "items": [
                { "id": "a", "full_name": "Ann", "email": "ann@x.example.org" },
                { "id": "b", "full_name": "Bob", "email": "someone@x.example" },
                { "id": "c", "full_name": "Cid", "email": "ANN@x.example" },
            ], "next_cursor": null }))
        })
        .await;
        let town = Town::on_sqlite(&crm.url, &[]).await;
        let (_, body) = town.resolve(1, json!({ "email": "ann@x.example" })).await;
        assert_eq!(body["outcome"]["kind"], "matched", "{body}");
        let (_, body) = town.resolve(1, json!({ "email": "an@x.example" })).await;
        assert_eq!(body["outcome"]["kind"], "none", "{body}");
    });
}

#[test]
fn more_candidates_than_five_are_cut_to_the_most_recently_changed() {
    db_kit::testing::block_on(async {
        let crm = WireCrm::answering(|_| {
            let items: Vec<_> = (0..9)
                .map(|i| json!({ "id": format!("c{i}"), "email": "a@x.example", "updated_at": format!("2026-11-0{}T00:00:00Z", i + 1) }))
                .collect();
            json_answer(&json!({ "items": items, "next_cursor": null }))
        })
        .await;
        let town = Town::on_sqlite(&crm.url, &[]).await;
        let (_, body) = town.resolve(1, json!({ "email": "a@x.example" })).await;
        assert_eq!(body["outcome"]["candidates"].as_array().unwrap().len(), 5, "{body}");
    });
}
