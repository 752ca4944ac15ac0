//! The other direction: what the bridge is told of tickets, and how it has one opened.

use db_kit::{Backend, both_databases};
use serde_json::{Value, json};
use ticket_service::app::tell_bridge::tell;
use ticket_service::domain::TicketNumber;
use ticket_service::domain::job::ATTEMPTS_MAX;

use crate::support::bridge::{Asked, WithBridge};
use crate::support::{Answer, TestApp};

const ILYA: &str = "cus_0193aabb01";
const IRINA: &str = "cus_0193aabb02";
const NOTE: &str = "INTERNAL-NOTE-7c1f";

/// A ticket of Ilya, known to the bridge.
async fn ticket_of_ilya(with: &WithBridge) -> i64 {
    with.bridge.knows("ilya@volga.example", &[ILYA]);
    let body = json!({"subject": "Coupling stuck", "text": "The line stops.",
        "requester": {"name": "Ilya Sorin", "email": "ilya@volga.example"}});
    let opened = with.app.as_line1().post("/tickets", body).await.expect(201);
    with.app.run_jobs().await;
    opened["number"].as_i64().unwrap()
}

fn events(with: &WithBridge) -> Vec<Asked> {
    with.bridge.asked().into_iter().filter(|asked| asked.path == "ticket-events").collect()
}

/// What was told, as `change status`, with a growing sequence.
fn told(with: &WithBridge) -> Vec<String> {
    let mut last = 0;
    let word = |asked: Asked| {
        let event = asked.question;
        assert_eq!(asked.grant["purpose"], json!({"kind": "ticket_event", "sequence": event["sequence"]}));
        assert_eq!(asked.grant["ticket"], event["ticket"]);
        assert!(event["sequence"].as_i64().unwrap() > last, "{event}");
        last = event["sequence"].as_i64().unwrap();
        let news = &event["news"];
        match news["kind"].as_str().unwrap() {
            "withdrawn" => format!("withdrawn {}", news["customer_ref"].as_str().unwrap()),
            _ => format!(
                "{} {}",
                news["change"].as_str().unwrap(),
                news["summary"]["status"].as_str().unwrap()
            ),
        }
    };
    events(with).into_iter().map(word).collect()
}

async fn change(with: &WithBridge, number: i64, changes: Value) -> Answer {
    let client = with.app.as_supervisor();
    let now = client.get(&format!("/tickets/{number}")).await.expect(200);
    client.if_match(&now["version"]).patch(&format!("/tickets/{number}"), changes).await
}

async fn write(with: &WithBridge, number: i64, kind: &str, text: &str) {
    let body = json!({"kind": kind, "text": text});
    with.app.as_line1().post(&format!("/tickets/{number}/messages"), body).await.expect(201);
}

async fn order(with: &WithBridge, token: &str, body: &Value) -> Answer {
    with.app.as_nobody().with_key(token).post("/bridge/tickets", body.clone()).await
}

fn an_order(order: &str) -> Value {
    json!({"version": 1, "order": order, "customer_ref": ILYA, "subject": "Asked by phone", "text": "When does he come?"})
}

both_databases! {
    async fn what_a_customer_would_notice_is_told_in_order_and_nothing_internal(backend: Backend) {
        let with = WithBridge::start(backend, true).await;
        let number = ticket_of_ilya(&with).await;
        write(&with, number, "note", NOTE).await;
        change(&with, number, json!({"tags": ["coupling"]})).await.expect(200);
        change(&with, number, json!({"assignee_id": "opr_ann"})).await.expect(200);
        write(&with, number, "answer", "Please restart it.").await;
        with.app.advance_s(60);
        write(&with, number, "note", NOTE).await;
        write(&with, number, "answer", "And now?").await;
        change(&with, number, json!({"priority": "high"})).await.expect(200);
        change(&with, number, json!({"status": "resolved"})).await.expect(200);
        with.app.run_jobs().await;
        let told = told(&with);
        assert_eq!(told.first().map(String::as_str), Some("opened new"));
        assert_eq!(told.last().map(String::as_str), Some("resolved resolved"));
        assert!(told.iter().filter(|word| word.starts_with("changed")).count() == 1 && told.len() == 5, "{told:?}");
        let last = events(&with).pop().unwrap().question;
        assert_eq!(last["news"]["summary"]["public_messages"], 3, "notes do not count: {last}");
        let everything = events(&with).iter().map(|asked| asked.question.to_string()).collect::<String>();
        for word in [NOTE, "Please restart", "Ann", "Sofia", "opr_", "coupling\""] {
            assert!(!everything.contains(word), "{word}: {everything}");
        }
    }

    async fn an_internal_note_does_not_even_move_a_time(backend: Backend) {
        let with = WithBridge::start(backend, true).await;
        let number = ticket_of_ilya(&with).await;
        let before = events(&with).len();
        with.app.advance_s(3600);
        write(&with, number, "note", NOTE).await;
        assert_eq!((with.app.run_jobs().await, events(&with).len()), (0, before), "not even a job");
    }

    async fn while_the_bridge_is_away_nothing_is_lost_or_given_up_and_then_all_comes_in_order(backend: Backend) {
        let mut with = WithBridge::start(backend, true).await;
        let number = ticket_of_ilya(&with).await;
        with.bridge.go_down().await;
        for status in ["open", "waiting_customer", "open", "resolved"] {
            change(&with, number, json!({"status": status})).await.expect(200);
        }
        for _ in 0..=ATTEMPTS_MAX {
            with.app.run_jobs().await;
            with.app.advance_s(1800);
        }
        with.bridge.come_up();
        with.app.run_jobs().await;
        assert_eq!(told(&with), [
            "opened new", "status_changed open", "status_changed waiting_customer", "status_changed open", "resolved resolved",
        ]);
    }

    async fn two_nodes_at_once_tell_the_same_story(backend: Backend) {
        let with = WithBridge::start(backend, true).await;
        let number = ticket_of_ilya(&with).await;
        for priority in ["high", "low", "urgent", "normal", "high", "low"] {
            change(&with, number, json!({"priority": priority})).await.expect(200);
        }
        let one = tell(&with.app.app, TicketNumber(number), "req_node_one");
        let other = tell(&with.app.app, TicketNumber(number), "req_node_two");
        let (one, other) = tokio::join!(one, other);
        assert!(one.is_ok() && other.is_ok());
        with.app.run_jobs().await;
        // Some may have come twice, and in each node's own story nothing goes back; a place is only taken once the one
        // before it was.
        let mut newest = 0;
        for asked in events(&with) {
            let sequence = asked.question["sequence"].as_i64().unwrap();
            assert!(sequence <= newest + 1 || newest == 0, "{sequence} came before {} was taken", newest + 1);
            newest = newest.max(sequence);
        }
    }

    async fn a_ticket_that_is_unlinked_is_withdrawn_and_one_without_a_customer_is_not_told(backend: Backend) {
        let with = WithBridge::start(backend, true).await;
        let number = ticket_of_ilya(&with).await;
        with.app.as_line1().delete(&format!("/tickets/{number}/customer")).await.expect(200);
        change(&with, number, json!({"status": "open"})).await.expect(200);
        with.app.run_jobs().await;
        assert_eq!(told(&with), ["opened new".to_owned(), format!("withdrawn {ILYA}")]);
        with.bridge.knows("irina@volga.example", &[IRINA]);
        let again = json!({"email": "irina@volga.example"});
        with.app.as_line1().post(&format!("/tickets/{number}/customer/resolve"), again).await.expect(200);
        with.app.run_jobs().await;
        assert_eq!(told(&with).last().map(String::as_str), Some("linked open"));
    }

    async fn nothing_is_told_unless_the_settings_say_so(with: WithBridge) {
        let number = ticket_of_ilya(&with).await;
        change(&with, number, json!({"status": "resolved"})).await.expect(200);
        with.app.run_jobs().await;
        assert!(events(&with).is_empty());
    }

    async fn an_order_of_the_crm_opens_one_ticket_of_that_customer_however_often_it_comes(backend: Backend) {
        let with = WithBridge::start(backend, true).await;
        let token = with.order_token("ord_0193aabb01", ILYA);
        let first = order(&with, &token, &an_order("ord_0193aabb01")).await.expect(201);
        let again = order(&with, &token, &an_order("ord_0193aabb01")).await.expect(201);
        assert_eq!(first, again);
        with.app.run_jobs().await;
        assert_eq!(told(&with), ["opened new"]);
        let ticket = with.app.as_line1().get(&format!("/tickets/{}", first["ticket"])).await.expect(200);
        assert_eq!((ticket["channel"].as_str(), ticket["customer"]["state"].as_str()), (Some("crm"), Some("linked")));
        assert_eq!((ticket["line"].as_i64(), ticket["requester"]["name"].as_str()), (Some(1), Some("CRM")));
        assert!(!ticket.to_string().contains("cus_"), "{ticket}");
        assert!(with.bridge.asked().iter().all(|asked| asked.path != "resolve"), "whose it is was known");
        // Another order under the same id is noticed.
        let mut other = an_order("ord_0193aabb01");
        other["text"] = "Something else".into();
        order(&with, &token, &other).await.problem(422, "idempotency_mismatch");
    }

    async fn a_token_is_good_for_its_order_and_customer_only(with: WithBridge) {
        let body = an_order("ord_0193aabb01");
        let others = [with.order_token("ord_0193aabb02", ILYA), with.order_token("ord_0193aabb01", IRINA)];
        for token in others {
            order(&with, &token, &body).await.problem(403, "forbidden");
        }
        let token = with.order_token("ord_0193aabb01", ILYA);
        with.app.advance_s(66);
        order(&with, &token, &body).await.problem(401, "not_signed_in");
        let token = with.order_token("ord_0193aabb01", ILYA);
        for (member, wrong) in [("text", json!("\u{1b}[31m")), ("subject", json!("x".repeat(201))), ("operator", json!("Ann"))] {
            let mut body = body.clone();
            body[member] = wrong;
            let answer = order(&with, &token, &body).await;
            assert!((400..500).contains(&answer.status), "{member}: {}", answer.text());
        }
        with.app.leave_jobs();
    }

    async fn without_the_bridges_key_there_is_no_such_operation(app: TestApp) {
        let answer = app.as_nobody().with_key("x").post("/bridge/tickets", an_order("ord_0193aabb01")).await;
        answer.problem(404, "not_found");
    }
}
