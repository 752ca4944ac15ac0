//! Answers and notes.

use db_kit::both_databases;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::tickets::{open, path};

fn answer(text: &str) -> Value {
    json!({ "kind": "answer", "text": text })
}

both_databases! {
    async fn who_answers_first_takes_the_ticket(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let posted = app.as_line1().post(&path(&ticket, "/messages"), answer("Which number?")).await.expect(201);
        assert_eq!(posted["ticket"]["assignee"]["id"], "opr_ann");
        assert_eq!(posted["ticket"]["status"], "open");
        assert_eq!(posted["message"]["author"], json!({
            "kind": "operator", "id": "opr_ann", "name": "Ann Koval", "initials": "AK"
        }));
        let again = app.as_other_line1().post(&path(&ticket, "/messages"), answer("And I?")).await.expect(201);
        assert_eq!(again["ticket"]["assignee"]["id"], "opr_ann", "a second answer does not take it away");
    }

    async fn an_answer_can_leave_the_ticket_waiting(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let mut body = answer("Which number?");
        body["then_status"] = json!("waiting_customer");
        let posted = app.as_line1().post(&path(&ticket, "/messages"), body.clone()).await.expect(201);
        assert_eq!(posted["ticket"]["status"], "waiting_customer");
        body["then_status"] = json!("closed");
        app.as_line1().post(&path(&ticket, "/messages"), body).await.problem(409, "move_refused");
        let messages = app.as_line1().get(&path(&ticket, "/messages")).await.expect(200);
        assert_eq!(messages["items"].as_array().unwrap().len(), 2, "the refused answer was not sent");
    }

    async fn a_note_changes_neither_status_nor_assignee(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let note = json!({ "kind": "note", "html": "<p>See <b>#10391</b></p><script>alert(1)</script>" });
        let posted = app.as_line1().post(&path(&ticket, "/messages"), note).await.expect(201);
        assert_eq!((&posted["ticket"]["status"], &posted["ticket"]["assignee"]), (&json!("new"), &Value::Null));
        let html = posted["message"]["html"].as_str().unwrap();
        assert!(html.contains("<strong>#10391</strong>") || html.contains("<b>#10391</b>"), "{html}");
        assert!(!html.contains("script"), "{html}");
    }

    async fn pressing_send_twice_sends_once(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let ann = app.as_line1().with("Idempotency-Key", "send-1");
        let first = ann.post(&path(&ticket, "/messages"), answer("Which number?")).await.expect(201);
        let second = ann.post(&path(&ticket, "/messages"), answer("Which number?")).await.expect(201);
        assert_eq!(first["message"]["id"], second["message"]["id"]);
        let messages = app.as_line1().get(&path(&ticket, "/messages")).await.expect(200);
        assert_eq!(messages["items"].as_array().unwrap().len(), 2);
    }

    async fn messages_come_in_pages_oldest_first(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        for number in 1..=4 {
            app.advance_s(1);
            app.as_line1().post(&path(&ticket, "/messages"), answer(&format!("Number {number}"))).await.expect(201);
        }
        let mut texts = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app.as_line1().get(&path(&ticket, &format!("/messages?limit=2{cursor}"))).await.expect(200);
            texts.extend(page["items"].as_array().unwrap().iter().map(|message| message["text"].clone()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(texts.len(), 5);
        assert_eq!((&texts[1], &texts[4]), (&json!("Number 1"), &json!("Number 4")));
    }

    async fn an_answer_past_an_unseen_request_is_not_sent(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let mut body = answer("Which number?");
        // As seen before the request itself was there: every id of ours sorts after it.
        body["seen_message_id"] = json!("msg_0");
        let problem = app.as_line1().post(&path(&ticket, "/messages"), body.clone()).await.problem(409, "unseen_messages");
        assert_eq!(problem["current"][0]["text"], "The line stops after eight.");
        body["seen_message_id"] = problem["current"][0]["id"].clone();
        app.as_line1().post(&path(&ticket, "/messages"), body).await.expect(201);
    }

    async fn a_key_may_answer_within_its_scope(app: TestApp) {
        use ticket_service::domain::Role;
        use ticket_service::domain::actor::KeyScope::{TicketsRead, TicketsWrite};
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let reader = app.with_key(&[TicketsRead], Role::Line1).await;
        reader.get(&path(&ticket, "")).await.expect(200);
        reader.post(&path(&ticket, "/messages"), answer("Hello")).await.problem(403, "forbidden");
        let writer = app.with_key(&[TicketsRead, TicketsWrite], Role::Line1).await;
        let posted = writer.post(&path(&ticket, "/messages"), answer("Hello")).await.expect(201);
        assert_eq!(posted["message"]["author"]["name"], "Test program");
        let foreign = app.with_key(&[TicketsRead, TicketsWrite], Role::Line2).await;
        foreign.get(&path(&ticket, "")).await.problem(404, "ticket_not_found");
    }
}
