//! Erasures and merges in the CRM, as the ticket service hears of them.

use bridge_contract::{CustomerRef, Grant, Purpose, ViewerRole};
use crm_bridge::store::Person;
use db_kit::both_databases;
use serde_json::{Value, json};

use crate::support::{Town, field};

pub(crate) async fn changes(town: &Town, after: u64) -> Vec<Value> {
    let grant = Grant { ticket: 0, purpose: Purpose::Changes {} };
    let body = json!({ "version": 1, "after": after });
    let (status, answer) = town.ask("/v1/customer-changes", &grant, &body).await;
    assert_eq!(status, 200, "{answer}");
    answer["changes"].as_array().unwrap().clone()
}

both_databases! {
    async fn an_erasure_is_told_once_and_in_order(town: Town) {
        let contacts = town.contacts().await;
        let mut refs = Vec::new();
        for (ticket, contact) in (1..).zip(&contacts[..2]) {
            refs.push(town.matched(ticket, contact["email"].as_str().unwrap()).await);
            town.erase_contact(contact["id"].as_str().unwrap()).await;
        }
        town.later();
        for (ticket, customer_ref) in (1..).zip(&refs) {
            for _ in 0..2 {
                assert_eq!(town.card(ticket, customer_ref, ViewerRole::Line1).await.0, 410);
            }
        }
        let told = changes(&town, 0).await;
        let told_refs: Vec<&str> = told.iter().map(|change| change["customer_ref"].as_str().unwrap()).collect();
        assert_eq!(told_refs, refs);
        assert_eq!(told[0]["change"], json!({ "kind": "erased" }));
        assert_eq!(changes(&town, told[0]["number"].as_u64().unwrap()).await.len(), 1);
    }

    async fn after_a_merge_the_old_reference_shows_the_customer_who_stays(town: Town) {
        let contacts = town.contacts().await;
        let (old, new) = (&contacts[0], &contacts[5]);
        let old_ref = town.matched(7, old["email"].as_str().unwrap()).await;
        let person = |id: &Value, text: &str| Person {
            crm_id: id.as_str().unwrap().to_owned(),
            new_ref: CustomerRef::new(text).unwrap(),
        };
        let now = town.clock.now();
        let id = old["id"].as_str().unwrap().to_owned();
        let into = person(&new["id"], "cus_00000000000000aa");
        assert!(town.bridge.store.merge("sandbox".into(), id.clone(), into.clone(), now).await.unwrap());
        assert!(!town.bridge.store.merge("sandbox".into(), id.clone(), into, now).await.unwrap(), "once");
        let back = person(&old["id"], "cus_00000000000000bb");
        let in_circles = town.bridge.store.merge("sandbox".into(), new["id"].as_str().unwrap().into(), back, now).await;
        assert!(in_circles.unwrap());
        let back = town.bridge.store.merge("sandbox".into(), id, person(&new["id"], "cus_00000000000000cc"), now);
        assert!(back.await.unwrap(), "the last word of the CRM holds");
        let told = changes(&town, 0).await;
        assert_eq!(told.len(), 3);
        assert_eq!(told[0]["change"], json!({ "kind": "merged", "into": "cus_00000000000000aa" }));
        let (status, card) = town.card(7, &old_ref, ViewerRole::Line3).await;
        assert_eq!(status, 200, "{card}");
        assert_eq!(field(&card, "person.name")["value"], new["full_name"]);
        let (status, card) = town.card(7, "cus_00000000000000aa", ViewerRole::Line3).await;
        assert_eq!((status, &field(&card, "person.name")["value"]), (200, &new["full_name"]));
        assert_eq!(town.card(8, "cus_00000000000000aa", ViewerRole::Line3).await.0, 404, "for its tickets only");
    }
}
