//! Somebody whom the CRM counts as deleted or merged, and goes on naming, is not found again.

use bridge_contract::ViewerRole;
use crm_bridge::app::crm_api::keys::Scope;
use db_kit::testing::block_on;
use db_kit::{Backend, both_databases};
use serde_json::{Value, json};

use crate::crm_api::CrmTown;
use crate::registry::Registry;
use crate::support::{Town, field};

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
        registry.set("a", "archived", json!(true));
        registry.set("b", "archived", json!(true));
        town.later();
        assert_eq!(town.card(1, &customer_ref, ViewerRole::Line1).await.0, 410);
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
