//! Somebody whom the CRM counts as deleted or merged, and goes on naming, is not found again.

use bridge_contract::{CustomerRef, ViewerRole};
use crm_bridge::app::crm_api::keys::Scope;
use db_kit::testing::block_on;
use db_kit::{Backend, both_databases};
use diesel::RunQueryDsl;
use serde_json::{Value, json};

use crate::crm_api::CrmTown;
use crate::registry::Registry;
use crate::support::{Town, field};
use crate::years::Years;

/// What is said of somebody who writes from that address.
async fn outcome(town: &Town, ticket: u64, email: &str) -> Value {
    let (status, body) = town.resolve(ticket, json!({ "email": email })).await;
    assert_eq!(status, 200, "{body}");
    body["outcome"].clone()
}

both_databases! {
    async fn somebody_who_is_deleted_in_the_crm_is_not_found_and_stays_erased(backend: Backend) {
        let (registry, town) = Registry::with_town(backend).await;
        registry.has(&["a", "b"]);
        let customer_ref = town.matched(1, "a@x.example").await;
        assert_eq!(town.card(1, &customer_ref, ViewerRole::Line1).await.0, 200);
        let in_memory = || town.bridge.store.recent_card(&CustomerRef::new(customer_ref.as_str()).unwrap());
        assert!(in_memory().is_some());
        registry.set("a", "archived", json!(true));
        registry.set("b", "archived", json!(true));
        town.later();
        assert_eq!(town.card(1, &customer_ref, ViewerRole::Line1).await.0, 410);
        assert!(in_memory().is_none(), "not even sealed");
        for (ticket, email) in [(2, "a@x.example"), (3, "b@x.example")] {
            assert_eq!(outcome(&town, ticket, email).await["kind"], "none");
        }
        assert_eq!(town.rows_with(&customer_ref, &["cards", "address_links"]).await, 0);
        assert_eq!(town.card(1, &customer_ref, ViewerRole::Line1).await.0, 410);
        // The CRM has them again, under the same id.
        registry.set("a", "archived", json!(false));
        assert_eq!(town.matched(4, "a@x.example").await, customer_ref);
        assert_eq!(town.card(4, &customer_ref, ViewerRole::Line1).await.0, 200);
    }

    async fn who_was_merged_is_found_as_the_one_who_stays(backend: Backend) {
        let (registry, town) = Registry::with_town(backend).await;
        registry.has(&["a", "b", "c"]);
        registry.merged(&["a", "b"]);
        let stays = town.matched(1, "b@x.example").await;
        assert_eq!(town.matched(2, "a@x.example").await, stays);
        let (_, card) = town.card(2, &stays, ViewerRole::Line3).await;
        assert_eq!(field(&card, "person.name")["value"], "Person b", "{card}");
        // Both at one address are one.
        registry.set("a", "email", json!("b@x.example"));
        assert_eq!(town.matched(3, "b@x.example").await, stays);
        // Nobody, if nobody stays.
        registry.set("a", "email", json!("a@x.example"));
        registry.set("b", "archived", json!(true));
        assert_eq!(outcome(&town, 4, "a@x.example").await["kind"], "none");
        registry.set("b", "broken", json!(true));
        assert_eq!(outcome(&town, 5, "a@x.example").await["kind"], "none");
        registry.set("b", "broken", json!(false));
        registry.merged(&["b", "a"]);
        assert_eq!(outcome(&town, 6, "a@x.example").await["kind"], "none", "in a circle");
    }

    async fn of_an_erased_customer_neither_id_nor_tickets_are_kept(backend: Backend) {
        let (registry, town) = Registry::with_town(backend).await;
        registry.has(&["a-telling-id", "b"]);
        let customer_ref = town.matched(1, "a-telling-id@x.example").await;
        town.matched(2, "a-telling-id@x.example").await;
        let other = town.matched(5, "b@x.example").await;
        registry.merged(&["b", "a-telling-id"]);
        town.later();
        assert_eq!(town.card(5, &other, ViewerRole::Line1).await.0, 200);
        registry.lost("a-telling-id");
        town.later();
        assert_eq!(town.card(1, &customer_ref, ViewerRole::Line1).await.0, 410);
        assert_eq!(town.rows_with(&customer_ref, &["ticket_links", "cards", "address_links"]).await, 0);
        assert_eq!(town.rows_with(&other, &["ticket_links", "cards", "address_links"]).await, 0);
        let rows = town.rows_of_customers().await;
        assert!(rows.lines().count() == 2 && rows.lines().all(|row| row.contains(" erased:")), "{rows}");
        for (ticket, customer_ref) in [(1, &customer_ref), (2, &customer_ref), (5, &other)] {
            let (status, body) = town.card(ticket, customer_ref, ViewerRole::Line1).await;
            assert_eq!((status, body["code"].as_str()), (410, Some("customer_erased")), "{body}");
        }
        // Whoever comes back is the same, and belongs to the tickets that are resolved from then on.
        registry.has(&["a-telling-id"]);
        assert_eq!(town.matched(3, "a-telling-id@x.example").await, customer_ref);
        assert_eq!(town.card(3, &customer_ref, ViewerRole::Line1).await.0, 200);
        assert_eq!(town.card(1, &customer_ref, ViewerRole::Line1).await.0, 404);
    }

    async fn what_an_earlier_version_kept_of_the_erased_goes_too(backend: Backend) {
        let (registry, town) = Registry::with_town(backend).await;
        registry.has(&["a", "b"]);
        let customer_ref = town.matched(1, "a@x.example").await;
        let stays = town.matched(2, "b@x.example").await;
        let sql = format!("UPDATE customers SET erased_at = 1 WHERE customer_ref = '{customer_ref}'");
        let erased = town.database.write(move |conn| diesel::sql_query(sql).execute(conn).map_err(db_kit::DbError::from));
        assert_eq!(erased.await.unwrap(), 1);
        assert_eq!(town.bridge.store.unname_erased().await.unwrap(), 1);
        assert_eq!(town.bridge.store.unname_erased().await.unwrap(), 0);
        assert_eq!(town.rows_with(&customer_ref, &["ticket_links"]).await, 0);
        assert_eq!(town.rows_with(&stays, &["ticket_links"]).await, 1);
        assert_eq!(town.rows_of_customers().await.matches(" erased:").count(), 1);
        assert_eq!(town.matched(3, "a@x.example").await, customer_ref);
    }
}

#[test]
fn a_ticket_that_the_crm_opens_for_somebody_who_is_gone_is_for_nobody_or_for_the_one_who_stays() {
    block_on(async {
        let registry = Registry::start().await;
        let crm =
            CrmTown::beside(Backend::Sqlite, &registry.crm.url, &[("CRM__PROFILE", &registry.profile)]).await;
        let key = crm.key(&[Scope::TicketsCreate]).await;
        registry.has(&["a", "b", "c", "d"]);
        let (erased, stays) =
            (crm.town.matched(1, "a@x.example").await, crm.town.matched(2, "c@x.example").await);
        registry.set("a", "archived", json!(true));
        crm.town.later();
        assert_eq!(crm.town.card(1, &erased, ViewerRole::Line1).await.0, 410);
        registry.merged(&["b", "c"]);
        registry.merged(&["d", "d2"]);
        crm.desk.always(201, json!({ "version": 1, "ticket": 10_002 }));
        let order = json!({ "subject": "Coupling stuck", "text": "The line stops." });
        let open = async |id: &str| {
            let path = format!("/v1/customers/{id}/tickets");
            crm.post(&key, &path, &[("idempotency-key", id)], order.clone()).await
        };
        open("a").await.problem(404, "customer_unknown");
        open("d").await.problem(404, "customer_unknown");
        assert_eq!(crm.town.card(1, &erased, ViewerRole::Line1).await.0, 410);
        open("b").await.expect(201);
        assert_eq!(crm.desk.came()[0].body()["customer_ref"], stays);
    });
}

#[test]
fn who_was_found_to_be_gone_when_a_card_was_asked_for_leaves_the_copy_too() {
    block_on(async {
        let years = Years::new(true, None).await;
        let contacts = years.town.contacts().await;
        years.run().await;
        let email = |position: usize| contacts[position]["email"].as_str().unwrap();
        let id = |position: usize| contacts[position]["id"].as_str().unwrap();
        let erased = years.town.matched(1, email(0)).await;
        let merged = years.town.matched(2, email(1)).await;
        years.town.erase_contact(id(0)).await;
        years.merge(id(1), id(3)).await;
        // Nothing is followed any more, so the CRM is asked.
        years.pass(3_600);
        assert_eq!(years.town.card(1, &erased, ViewerRole::Line1).await.0, 410);
        assert_eq!(years.name_on_card(2, &merged).await, contacts[3]["full_name"]);
        let copy = years.town.bridge.sync.as_ref().unwrap().store.clone();
        assert!(copy.row(id(0)).await.unwrap().is_none() && copy.row(id(1)).await.unwrap().is_none());
        assert!(copy.row(id(3)).await.unwrap().is_some());
        // The CRM is away, and the copy is all there is.
        years.crm.stop(false).await;
        for (ticket, position) in [(3, 0), (4, 1)] {
            let (_, body) = years.town.resolve(ticket, json!({ "email": email(position) })).await;
            assert_ne!(body["outcome"]["kind"], "matched", "{body}");
        }
        assert_eq!(years.town.card(1, &erased, ViewerRole::Line1).await.0, 410);
    });
}

#[test]
fn a_row_of_the_copy_from_before_an_erasure_brings_nobody_back() {
    block_on(async {
        let years = Years::new(true, None).await;
        let contact = years.town.contacts().await[0].clone();
        years.run().await;
        let (email, id) = (contact["email"].as_str().unwrap(), contact["id"].as_str().unwrap());
        let customer_ref = years.town.matched(1, email).await;
        years.pass(60);
        let copy = years.town.bridge.sync.as_ref().unwrap().store.clone();
        let reference = bridge_contract::CustomerRef::new(customer_ref.clone()).unwrap();
        // Another process of the bridge has erased the customer.
        years.town.bridge.store.erase(&reference, years.town.clock.now()).await.unwrap();
        assert!(copy.row(id).await.unwrap().is_some());
        years.pass(60);
        // Instead of answering out of the copy the CRM is asked; if it can't be, nobody is known there.
        years.town.behave(json!({ "fault": { "kind": "status", "status": 422 } })).await;
        let (_, body) = years.town.resolve(2, json!({ "email": email })).await;
        assert_ne!(body["outcome"]["kind"], "matched", "{body}");
        assert_eq!(years.town.card(1, &customer_ref, ViewerRole::Line1).await.0, 410);
        // A record that was read after that brings them back, and nobody needs to be asked.
        years.town.behave(json!({})).await;
        years.town.change_contact(id, json!({ "full_name": "There again" })).await;
        years.run().await;
        let calls = years.town.crm_calls().await;
        assert_eq!(years.town.matched(3, email).await, customer_ref);
        assert_eq!(years.name_on_card(3, &customer_ref).await, "There again");
        assert_eq!(years.town.crm_calls().await, calls);
    });
}
