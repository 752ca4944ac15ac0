//! Opening tickets from the CRM: once, for the right customer, with nothing but what the order says.

use bridge_contract::BridgeGrant;
use crm_bridge::app::crm_api::keys::Scope;
use db_kit::both_databases;
use serde_json::{Value, json};

use super::{Answer, CrmTown, looks};

async fn order(crm: &CrmTown, key: &str, customer: &str, idempotency: &str, body: Value) -> Answer {
    crm.post(key, &format!("/v1/customers/{customer}/tickets"), &[("idempotency-key", idempotency)], body)
        .await
}

fn new_order() -> Value {
    json!({ "subject": "Coupling stuck", "text": "The line stops.",
            "requester": { "name": "Ilya Sorin", "email": "ilya@volga.example", "phone": "+7 846 555-01-41" } })
}

/// The grant of a token, unchecked; the ticket service's own tests check the signature.
fn grant_of(token: &str) -> BridgeGrant {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    let claims: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        (claims["iss"].as_str(), claims["aud"].as_str()),
        (Some("crm-bridge"), Some("ticket-service"))
    );
    serde_json::from_value(claims["grant"].clone()).unwrap()
}

both_databases! {
    async fn an_order_goes_to_the_ticket_service_with_its_own_grant_and_nothing_of_the_crm(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsCreate]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        crm.desk.always(201, json!({ "version": 1, "ticket": 10_002 }));
        assert_eq!(order(&crm, &key, &id, "k1", new_order()).await.expect(201), json!({ "number": 10_002 }));
        let came = crm.desk.came();
        let sent = came[0].body();
        assert_eq!((sent["customer_ref"].as_str(), sent["subject"].as_str()), (Some(customer.as_str()), Some("Coupling stuck")));
        assert_eq!(sent["requester"], new_order()["requester"]);
        let members: Vec<&str> = sent.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["customer_ref", "order", "requester", "subject", "text", "version"]);
        assert!(!came[0].text.contains(&id), "the CRM's id stays in the bridge");
        let BridgeGrant::OpenTicket { order, customer_ref } = grant_of(came[0].header("authorization"));
        assert_eq!((order.as_str(), customer_ref.as_str()), (sent["order"].as_str().unwrap(), customer.as_str()));
    }

    async fn the_same_order_again_opens_nothing_and_another_under_its_key_is_refused(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsCreate]).await;
        let (id, _) = crm.customer(0, 10_001).await;
        crm.desk.always(201, json!({ "version": 1, "ticket": 10_002 }));
        for _ in 0..3 {
            order(&crm, &key, &id, "k1", new_order()).await.expect(201);
        }
        assert_eq!(crm.desk.came().len(), 1);
        let mut other = new_order();
        other["text"] = "Something else".into();
        order(&crm, &key, &id, "k1", other).await.problem(422, "idempotency_mismatch");
        let (second, _) = crm.customer(1, 10_001).await;
        order(&crm, &key, &second, "k1", new_order()).await.problem(422, "idempotency_mismatch");
        let stranger = crm.key(&[Scope::TicketsCreate]).await;
        order(&crm, &stranger, &id, "k1", new_order()).await.expect(201);
        assert_eq!(crm.desk.came().len(), 2, "another key has its own orders");
    }

    async fn an_order_that_was_not_answered_is_repeated_under_the_same_id(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsCreate]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        crm.desk.answers([(500, json!({})), (201, json!({ "version": 1, "ticket": "x" })), (201, json!({ "version": 1, "ticket": 10_002 }))]);
        for _ in 0..2 {
            let away = order(&crm, &key, &id, "k1", new_order()).await;
            away.problem(503, "ticket_service_unavailable");
            assert_eq!(away.header("retry-after"), "5");
        }
        // The ticket is there, and its event comes before the CRM repeats the order: it is believed, once.
        assert!(crm.tells(10_002, 2, looks(&customer, "opened", "Coupling stuck", "new")).await);
        assert!(!crm.tells(10_003, 2, looks(&customer, "opened", "Another", "new")).await);
        assert_eq!(order(&crm, &key, &id, "k1", new_order()).await.expect(201)["number"], 10_002);
        let orders: Vec<Value> = crm.desk.came().iter().map(|came| came.body()["order"].clone()).collect();
        assert!(orders.len() == 3 && orders.iter().all(|order| *order == orders[0]), "{orders:?}");
    }

    async fn an_event_that_comes_before_the_answers_mixes_up_no_two_orders_of_a_customer(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsCreate]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        let other = || json!({ "subject": "Second", "text": "Another matter." });
        // The answers to both orders are lost; their tickets are 10_002 and 10_003.
        crm.desk.always(500, json!({}));
        order(&crm, &key, &id, "k1", new_order()).await.problem(503, "ticket_service_unavailable");
        crm.town.clock.advance_ms(1_000);
        order(&crm, &key, &id, "k2", other()).await.problem(503, "ticket_service_unavailable");
        // The event of the second one's ticket comes first.
        assert!(crm.tells(10_003, 2, looks(&customer, "opened", "Second", "new")).await);
        crm.desk.answers([(201, json!({ "version": 1, "ticket": 10_002 })), (201, json!({ "version": 1, "ticket": 10_003 }))]);
        assert_eq!(order(&crm, &key, &id, "k1", new_order()).await.expect(201)["number"], 10_002);
        assert_eq!(order(&crm, &key, &id, "k2", other()).await.expect(201)["number"], 10_003);
        assert!(crm.tells(10_002, 2, looks(&customer, "opened", "Coupling stuck", "new")).await);
        // Two orders vouch for two tickets.
        assert!(!crm.tells(10_004, 2, looks(&customer, "opened", "Third", "new")).await);
    }

    async fn a_customer_whom_the_bridge_meets_here_first_is_asked_for_in_the_crm(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsCreate]).await;
        crm.desk.always(201, json!({ "version": 1, "ticket": 10_002 }));
        let id = crm.town.contacts().await[7]["id"].as_str().unwrap().to_owned();
        order(&crm, &key, &id, "k1", new_order()).await.expect(201);
        let customer = crm.desk.came()[0].body()["customer_ref"].as_str().unwrap().to_owned();
        // From now on the card may be shown beside this ticket, and beside no other.
        let (status, card) = crm.town.card(10_002, &customer, bridge_contract::ViewerRole::Line2).await;
        assert_eq!(status, 200, "{card}");
        assert_eq!(crm.town.card(10_003, &customer, bridge_contract::ViewerRole::Line2).await.0, 404);
        order(&crm, &key, "c-424242", "k2", new_order()).await.problem(404, "customer_unknown");
        assert_eq!(crm.desk.came().len(), 1);
    }

    async fn while_the_crm_is_away_a_stranger_can_have_no_ticket_and_a_known_customer_can(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsCreate]).await;
        let (id, _) = crm.customer(0, 10_001).await;
        let stranger = crm.town.contacts().await[7]["id"].as_str().unwrap().to_owned();
        crm.desk.always(201, json!({ "version": 1, "ticket": 10_002 }));
        crm.crm.as_ref().unwrap().stop(false).await;
        order(&crm, &key, &id, "k1", new_order()).await.expect(201);
        order(&crm, &key, &stranger, "k2", new_order()).await.problem(503, "crm_unavailable");
    }

    async fn what_can_be_no_ticket_is_refused_with_every_member_that_is_wrong(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsCreate]).await;
        let (id, _) = crm.customer(0, 10_001).await;
        let path = format!("/v1/customers/{id}/tickets");
        crm.post(&key, &path, &[], new_order()).await.problem(422, "idempotency_key_missing");
        let long = "x".repeat(129);
        for wrong in ["", "with space", long.as_str()] {
            order(&crm, &key, &id, wrong, new_order()).await.problem(422, "invalid");
        }
        let huge = json!({ "subject": "x".repeat(1_048_576), "text": "T" });
        order(&crm, &key, &id, "k", huge).await.problem(413, "body_too_large");
        let wrong = json!({ "subject": "a\u{0}b", "text": "\u{1b}[31m", "requester": { "name": "", "email": "a@b@c", "phone": "call me" } });
        let problem = order(&crm, &key, &id, "k", wrong).await.problem(422, "invalid");
        let fields: Vec<&str> = problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(fields, ["subject", "text", "requester.name", "requester.email", "requester.phone"]);
        for wrong in [json!({ "subject": "S" }), json!({ "subject": "S", "text": "T", "line": 3 }), json!([])] {
            order(&crm, &key, &id, "k", wrong).await.problem(422, "body_invalid");
        }
        assert!(crm.desk.came().is_empty());
        // The ticket service knows better still; then the order is forgotten, and a corrected one may come.
        crm.desk.answers([(422, json!({})), (201, json!({ "version": 1, "ticket": 10_002 }))]);
        order(&crm, &key, &id, "k", new_order()).await.problem(422, "invalid");
        order(&crm, &key, &id, "k", json!({ "subject": "Other", "text": "Other" })).await.expect(201);
    }
}
