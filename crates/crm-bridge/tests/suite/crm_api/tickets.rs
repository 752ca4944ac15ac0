//! What the CRM reads: its customers' tickets and the feed, and nothing else.

use crm_bridge::app::crm_api::keys::Scope;
use crm_bridge::ticket_policy::TicketField;
use db_kit::{Backend, both_databases};
use serde_json::json;

use super::{Answer, CrmTown, looks, withdrawn};

/// Whatever else a ticket holds.
const NEVER: [&str; 6] = ["urgent", "priority", "line", "77", "public_messages", "rating"];

/// The audit log as text, oldest first.
async fn audit_lines(crm: &CrmTown) -> Vec<String> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = diesel::sql_types::Text)]
        line: String,
    }
    const SQL: &str = "SELECT action || ' ' || actor AS line FROM audit_log ORDER BY seq";
    let lines = crm
        .town
        .database
        .read(|conn| diesel::sql_query(SQL).load::<Line>(conn).map_err(db_kit::DbError::from));
    lines.await.unwrap().into_iter().map(|row| row.line).collect()
}

both_databases! {
    async fn a_ticket_shows_what_the_policy_lists_and_nothing_else(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        assert!(crm.tells(10_001, 2, looks(&customer, "opened", "Coupling stuck", "new")).await);
        let page = crm.get(&key, &format!("/v1/customers/{id}/tickets")).await;
        let expected = json!({ "items": [{
            "number": 10_001, "sequence": 2, "subject": "Coupling stuck", "status": "new",
            "created_at": "2026-11-21T08:00:00.000Z", "updated_at": "2026-11-21T09:00:00.000Z",
        }] });
        assert_eq!(page.expect(200), expected);
        let one = crm.get(&key, &format!("/v1/customers/{id}/tickets/10001")).await;
        assert_eq!(one.expect(200), expected["items"][0]);
        let feed = crm.get(&key, "/v1/events").await;
        for answer in [&page, &one, &feed] {
            for word in NEVER {
                assert!(!answer.text.contains(word), "{word}: {}", answer.text);
            }
            assert!(!answer.text.contains("cus_"), "the bridge's references stay inside: {}", answer.text);
        }
    }

    async fn old_news_and_repetitions_change_nothing(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        assert!(crm.tells(10_001, 5, looks(&customer, "resolved", "Third", "resolved")).await);
        assert!(!crm.tells(10_001, 5, looks(&customer, "resolved", "Third", "resolved")).await);
        assert!(!crm.tells(10_001, 4, looks(&customer, "status_changed", "Second", "open")).await);
        assert!(!crm.tells(10_001, 3, withdrawn(&customer)).await);
        let ticket = crm.get(&key, &format!("/v1/customers/{id}/tickets/10001")).await.expect(200);
        assert_eq!((ticket["subject"].as_str(), ticket["sequence"].as_i64()), (Some("Third"), Some(5)));
        assert_eq!(crm.get(&key, "/v1/events").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn the_same_event_from_several_nodes_at_once_is_news_once(crm: CrmTown) {
        let key = crm.key(&[Scope::EventsRead]).await;
        let (_, customer) = crm.customer(0, 10_001).await;
        let news = looks(&customer, "opened", "S", "new");
        let tell = || crm.tells(10_001, 2, news.clone());
        let (one, two, three, four) = tokio::join!(tell(), tell(), tell(), tell());
        assert_eq!([one, two, three, four].iter().filter(|news| **news).count(), 1);
        assert_eq!(crm.get(&key, "/v1/events").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn a_ticket_of_another_customer_is_withdrawn_from_the_first(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
        let (first, first_ref) = crm.customer(0, 10_001).await;
        let (second, second_ref) = crm.customer(1, 10_001).await;
        assert!(crm.tells(10_001, 2, looks(&first_ref, "opened", "Private to the first", "new")).await);
        let mut relinked = looks(&second_ref, "linked", "Private to the second", "new");
        relinked["previous_ref"] = first_ref.clone().into();
        assert!(crm.tells(10_001, 3, relinked).await);
        let of = async |id: &str| crm.get(&key, &format!("/v1/customers/{id}/tickets")).await.expect(200);
        assert_eq!(of(&first).await["items"], json!([]));
        assert_eq!(of(&second).await["items"][0]["subject"], "Private to the second");
        crm.get(&key, &format!("/v1/customers/{first}/tickets/10001")).await.problem(404, "ticket_unknown");
        let feed = crm.get(&key, "/v1/events?after=1").await.expect(200);
        let kinds: Vec<_> = feed["items"].as_array().unwrap().iter().map(|event| {
            (event["type"].as_str().unwrap().to_owned(), event["customer_id"].as_str().unwrap().to_owned())
        }).collect();
        assert_eq!(kinds, [("ticket.withdrawn".into(), first.clone()), ("ticket.linked".into(), second.clone())]);
        assert!(feed["items"][0]["ticket"]["subject"].is_null(), "{feed}");
        // And back to nobody.
        assert!(crm.tells(10_001, 4, withdrawn(&second_ref)).await);
        assert_eq!(of(&second).await["items"], json!([]));
    }

    async fn a_ticket_service_that_lies_about_the_customer_is_not_believed(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        // Resolved for 10001, never for 10002.
        assert!(!crm.tells(10_002, 2, looks(&customer, "opened", "Not theirs", "new")).await);
        assert!(!crm.tells(10_003, 2, looks("cus_0193aabbccdd", "opened", "Nobody's", "new")).await);
        assert_eq!(crm.get(&key, &format!("/v1/customers/{id}/tickets")).await.expect(200)["items"], json!([]));
        assert_eq!(crm.get(&key, "/v1/events").await.expect(200)["items"], json!([]));
        assert!(crm.town.metrics.to_text().unwrap().contains("ticket_events_total{outcome=\"stranger\"} 2"));
    }

    async fn a_page_is_by_key_and_an_unchanged_one_is_not_sent_again(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        for ticket in 10_001..=10_005 {
            crm.customer(0, ticket).await;
            assert!(crm.tells(ticket, 2, looks(&customer, "opened", &format!("No {ticket}"), "new")).await);
        }
        let path = format!("/v1/customers/{id}/tickets?limit=2");
        let numbers = |answer: &Answer| -> Vec<i64> {
            let body = answer.expect(200);
            body["items"].as_array().unwrap().iter().map(|ticket| ticket["number"].as_i64().unwrap()).collect()
        };
        let first = crm.get(&key, &path).await;
        assert_eq!(numbers(&first), [10_005, 10_004]);
        let next = first.body()["next"].as_i64().unwrap();
        let second = crm.get(&key, &format!("{path}&before={next}")).await;
        assert_eq!(numbers(&second), [10_003, 10_002]);
        let last = crm.get(&key, &format!("{path}&before={}", second.body()["next"])).await;
        assert_eq!((numbers(&last), last.body()["next"].is_null()), (vec![10_001], true));

        let ask = |tag: &str| crm.town.http.get(format!("{}{path}", crm.crm_api)).bearer_auth(&key).header("if-none-match", tag);
        let same = Answer::of(ask(first.header("etag"))).await;
        assert_eq!((same.status, same.text.as_str()), (304, ""));
        assert!(crm.tells(10_004, 3, looks(&customer, "resolved", "No 10004", "resolved")).await);
        let changed = Answer::of(ask(first.header("etag"))).await;
        assert_eq!(changed.expect(200)["items"][1]["status"], "resolved");
    }

    async fn who_is_not_known_has_no_tickets_and_is_counted(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead]).await;
        let answer = crm.get(&key, "/v1/customers/c-999999/tickets").await;
        assert_eq!(answer.expect(200), json!({ "items": [] }));
        crm.get(&key, "/v1/customers/c-999999/tickets/10001").await.problem(404, "ticket_unknown");
        assert!(crm.town.metrics.to_text().unwrap().contains("crm_unknown_customers_total 2"));
    }

    async fn the_feed_goes_on_where_it_ended_and_says_what_it_has_forgotten(crm: CrmTown) {
        let key = crm.key(&[Scope::EventsRead]).await;
        let (_, customer) = crm.customer(0, 10_001).await;
        for sequence in 2..=6 {
            assert!(crm.tells(10_001, sequence, looks(&customer, "changed", &format!("S{sequence}"), "open")).await);
        }
        let page = crm.get(&key, "/v1/events?limit=3").await.expect(200);
        assert_eq!((page["next"].as_i64(), page["more"].as_bool()), (Some(3), Some(true)));
        let rest = crm.get(&key, "/v1/events?limit=3&after=3").await.expect(200);
        assert_eq!((rest["items"][0]["ticket"]["subject"].as_str(), rest["more"].as_bool()), (Some("S5"), Some(false)));
        assert_eq!(crm.get(&key, "/v1/events?after=5").await.expect(200)["next"], 5);
        // A month later.
        crm.town.clock.advance_ms(31 * 24 * 3_600_000);
        crm.deliver().await;
        let gone = crm.get(&key, "/v1/events?after=2").await.problem(410, "events_forgotten");
        assert!(gone["detail"].as_str().unwrap().contains("after=5"), "{gone}");
        assert_eq!(crm.get(&key, "/v1/events?after=5").await.expect(200)["items"], json!([]));
    }

    async fn an_erased_customer_has_no_tickets_and_the_feed_forgets_them(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        assert!(crm.tells(10_001, 2, looks(&customer, "opened", "A-secret-subject", "new")).await);
        let reference = bridge_contract::CustomerRef::new(customer.clone()).unwrap();
        crm.town.bridge.store.erase(&reference, crm.town.clock.now()).await.unwrap();
        assert_eq!(crm.get(&key, &format!("/v1/customers/{id}/tickets")).await.expect(200)["items"], json!([]));
        assert!(!crm.get(&key, "/v1/events").await.text.contains("A-secret-subject"));
        // What was under way when it happened is taken, and nothing of it kept.
        assert!(!crm.tells(10_001, 3, looks(&customer, "changed", "A-secret-subject", "open")).await);
        assert!(!crm.get(&key, "/v1/events").await.text.contains("A-secret-subject"));
    }

    async fn what_a_new_policy_does_not_list_is_gone_from_the_database(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        assert!(crm.tells(10_001, 2, looks(&customer, "opened", "Coupling stuck", "new")).await);
        crm.town.bridge.store.withhold(vec![TicketField::Subject]).await.unwrap();
        let ticket = crm.get(&key, &format!("/v1/customers/{id}/tickets/10001")).await.expect(200);
        assert!(ticket["subject"].is_null() && ticket["status"] == "new", "{ticket}");
        assert!(!crm.get(&key, "/v1/events").await.text.contains("Coupling"));
    }

    async fn every_call_is_on_the_record_without_a_customers_id_or_a_subject(crm: CrmTown) {
        let key = crm.key(&[Scope::TicketsRead]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        crm.tells(10_001, 2, looks(&customer, "opened", "A-secret-subject", "new")).await;
        crm.get(&key, &format!("/v1/customers/{id}/tickets/10001")).await.expect(200);
        crm.get(&key, "/v1/events").await.problem(403, "scope_missing");
        let record = audit_lines(&crm).await;
        let key_id: String = key.chars().take(20).collect();
        let of_key: Vec<&String> = record.iter().filter(|line| line.contains(&key_id)).collect();
        assert!(of_key.len() == 2 && of_key[0].contains("crm.show_ticket") && of_key[1].contains("crm.list_events"), "{record:?}");
        assert!(record.iter().all(|line| !line.contains("A-secret-subject") && !line.contains(&key)));
    }

    async fn without_a_policy_events_are_taken_and_nothing_is_kept_or_shown(backend: Backend) {
        let crm = CrmTown::with(backend, &[("TICKET_POLICY__FILE", "")]).await;
        let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
        let (id, customer) = crm.customer(0, 10_001).await;
        assert!(!crm.tells(10_001, 2, looks(&customer, "opened", "Coupling stuck", "new")).await);
        crm.get(&key, &format!("/v1/customers/{id}/tickets")).await.problem(503, "ticket_policy_missing");
        assert_eq!(crm.town.bridge.store.feed_head().await.unwrap(), (0, 0));
    }
}
