//! Who is let in: the sweep over every operation of the CRM's document, and what floods and guesses come to.

use std::collections::BTreeSet;

use crm_bridge::app::crm_api::keys::Scope;
use db_kit::{Backend, both_databases};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, CrmTown, looks};

/// Operation, what it needs, its body.
type Row = (&'static str, Option<Scope>, fn() -> Value);

/// An operation that is not here fails the test, and so does a row without one.
const TABLE: [Row; 6] = [
    ("listTickets", Some(Scope::TicketsRead), || Value::Null),
    ("showTicket", Some(Scope::TicketsRead), || Value::Null),
    ("openTicket", Some(Scope::TicketsCreate), || json!({ "subject": "S", "text": "T" })),
    ("listEvents", Some(Scope::EventsRead), || Value::Null),
    ("signPanelUrl", Some(Scope::PanelSign), || json!({ "customer_id": "x" })),
    // The link is the key.
    ("showPanel", None, || Value::Null),
];

async fn call(crm: &CrmTown, method: &Method, path: &str, key: Option<&str>, body: &Value) -> Answer {
    let mut request = crm.town.http.request(method.clone(), format!("{}{path}", crm.crm_api));
    request = request.header("idempotency-key", "sweep");
    if let Some(key) = key {
        request = request.header("authorization", key);
    }
    Answer::of(if body.is_null() { request } else { request.json(body) }).await
}

both_databases! {
    async fn every_operation_lets_in_whom_it_should_and_nobody_else(backend: Backend) {
        let crm = CrmTown::with(backend, &[("CRM_API__FAILED_KEYS_PER_MINUTE", "1000")]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "S", "new")).await;
        crm.desk.always(201, json!({ "version": 1, "ticket": 10_002 }));
        let revoked = crm.key(&Scope::ALL).await;
        let revoked_id: String = revoked.chars().take(20).collect();
        assert!(crm.town.bridge.store.revoke_crm_key(revoked_id, crm.town.clock.now()).await.unwrap());
        let right = crm.key(&Scope::ALL).await;
        let mut changed = right.clone();
        changed.pop();
        let wrong = [
            None, Some(String::new()), Some("Bearer".into()), Some("Bearer gck_".into()), Some(format!("Bearer {revoked}")),
            Some(format!("Bearer {changed}")), Some(format!("Bearer {changed}~")), Some(format!("Basic {right}")), Some(right.clone()),
            Some("Bearer gck_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into()),
        ];
        let url = format!("{}/api/openapi.json", crm.crm_api);
        let document = Answer::of(crm.town.http.get(url)).await.expect(200);
        let mut met = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, described) in item.as_object().unwrap() {
                let operation = described["operationId"].as_str().unwrap().to_owned();
                let (_, scope, body) = TABLE.iter().find(|(known, ..)| *known == operation)
                    .unwrap_or_else(|| panic!("add {operation} to the table"));
                let method: Method = method.to_uppercase().parse().unwrap();
                let body = body();
                let path = path.replace("{customer_id}", &id).replace("{number}", "10001").replace("{signed}", "x.y");
                met.insert(operation.clone());
                let Some(scope) = scope else {
                    assert_eq!(described["security"], json!([{}]), "{operation}");
                    assert_eq!(call(&crm, &method, &path, None, &body).await.status, 403, "{operation}");
                    continue;
                };
                for key in &wrong {
                    let answer = call(&crm, &method, &path, key.as_deref(), &body).await;
                    answer.problem(401, "key_invalid");
                    assert_eq!(answer.header("www-authenticate"), "Bearer", "{operation}");
                }
                // Who is not let in learns nothing about the request either.
                call(&crm, &method, &path, None, &json!({ "rubbish": 1 })).await.problem(401, "key_invalid");
                let others: Vec<Scope> = Scope::ALL.into_iter().filter(|other| other != scope).collect();
                let other = format!("Bearer {}", crm.key(&others).await);
                let refused = call(&crm, &method, &path, Some(&other), &body).await.problem(403, "scope_missing");
                assert!(refused["detail"].as_str().unwrap().contains(scope.as_str()), "{refused}");
                let only = format!("Bearer {}", crm.key(&[*scope]).await);
                let answer = call(&crm, &method, &path, Some(&only), &body).await;
                assert!((200..300).contains(&answer.status), "{operation}: {}", answer.text);
                assert!(described["responses"][answer.status.to_string()].is_object(), "{operation}: {}", answer.status);
                assert_eq!(answer.header("ratelimit-limit"), "600", "{operation}");
            }
        }
        let rows: BTreeSet<String> = TABLE.iter().map(|(operation, ..)| (*operation).to_owned()).collect();
        assert_eq!(met, rows);
    }

    async fn a_flood_is_slowed_down_per_key_and_says_until_when(backend: Backend) {
        let crm = CrmTown::with(backend, &[("CRM_API__REQUESTS_PER_MINUTE", "5")]).await;
        let (one, other) = (crm.key(&[Scope::EventsRead]).await, crm.key(&[Scope::EventsRead]).await);
        for left in (0..5).rev() {
            let answer = crm.get(&one, "/v1/events").await;
            assert_eq!((answer.status, answer.header("ratelimit-remaining")), (200, left.to_string().as_str()));
        }
        let slowed = crm.get(&one, "/v1/events").await;
        slowed.problem(429, "too_many_requests");
        assert_eq!(slowed.header("retry-after"), "12");
        crm.get(&other, "/v1/events").await.expect(200);
        crm.town.clock.advance_ms(12_000);
        crm.get(&one, "/v1/events").await.expect(200);
    }

    async fn wrong_keys_are_slowed_down_and_right_ones_from_the_same_address_are_not(backend: Backend) {
        let crm = CrmTown::with(backend, &[("CRM_API__FAILED_KEYS_PER_MINUTE", "3")]).await;
        let right = crm.key(&[Scope::EventsRead]).await;
        for _ in 0..3 {
            crm.get("gck_x", "/v1/events").await.problem(401, "key_invalid");
        }
        crm.get("gck_x", "/v1/events").await.problem(429, "too_many_requests");
        crm.get(&right, "/v1/events").await.expect(200);
    }

    async fn guessing_ids_one_after_the_other_ends_in_a_pause_that_hides_known_ones_too(backend: Backend) {
        let crm = CrmTown::with(backend, &[("CRM_API__UNKNOWN_PER_HOUR", "4")]).await;
        let key = crm.key(&[Scope::TicketsRead, Scope::TicketsCreate]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "S", "new")).await;
        // The same one again is no guessing.
        for guess in [0, 0, 0, 0, 1, 2, 3] {
            crm.get(&key, &format!("/v1/customers/guess-{guess}/tickets")).await.expect(200);
        }
        for path in [format!("/v1/customers/{id}/tickets"), "/v1/customers/guess-9/tickets".into(), format!("/v1/customers/{id}/tickets/10001")] {
            crm.get(&key, &path).await.problem(429, "too_many_unknown_customers");
        }
        let order = json!({ "subject": "S", "text": "T" });
        crm.post(&key, &format!("/v1/customers/{id}/tickets"), &[("idempotency-key", "k")], order).await
            .problem(429, "too_many_unknown_customers");
        crm.town.clock.advance_ms(3_600_000);
        crm.get(&key, &format!("/v1/customers/{id}/tickets")).await.expect(200);
    }

    async fn a_key_is_marked_as_used_and_a_revoked_one_opens_nothing(crm: CrmTown) {
        let key = crm.key(&[Scope::EventsRead]).await;
        let used = async || crm.town.bridge.store.crm_keys().await.unwrap()[0].last_used_at;
        assert_eq!(used().await, None);
        crm.get(&key, "/v1/events").await.expect(200);
        let first = used().await;
        assert_eq!(first, Some(crm.town.clock.now().ms()));
        crm.town.clock.advance_ms(59_999);
        crm.get(&key, "/v1/events").await.expect(200);
        assert_eq!(used().await, first, "written down at most once a minute");
        let id: String = key.chars().take(20).collect();
        assert!(crm.town.bridge.store.revoke_crm_key(id.clone(), crm.town.clock.now()).await.unwrap());
        assert!(!crm.town.bridge.store.revoke_crm_key(id, crm.town.clock.now()).await.unwrap());
        crm.get(&key, "/v1/events").await.problem(401, "key_invalid");
    }

    async fn odd_ids_and_parameters_are_refused_with_a_sentence(crm: CrmTown) {
        let key = crm.key(&Scope::ALL).await;
        for id in ["%00", "a%0Ab", "..%2Fdeals%0d", &"x".repeat(201)] {
            crm.get(&key, &format!("/v1/customers/{id}/tickets")).await.problem(422, "invalid");
        }
        for query in ["limit=0", "limit=101", "limit=x", "before=x", "all=1"] {
            crm.get(&key, &format!("/v1/customers/c/tickets?{query}")).await.problem(422, "invalid");
        }
        for query in ["after=-1", "after=x", "limit=1000"] {
            crm.get(&key, &format!("/v1/events?{query}")).await.problem(422, "invalid");
        }
        crm.get(&key, "/v1/customers/c/tickets/abc").await.problem(404, "not_found");
        crm.get(&key, "/v1/deals").await.expect(404);
    }
}
