//! Working on a ticket: open, change, hand over, and who may see what of it.

use db_kit::both_databases;
use serde_json::{Value, json};

use crate::support::{Answer, Client, TestApp};

/// A request as an operator types it during a call.
pub(crate) fn request(subject: &str) -> Value {
    json!({
        "subject": subject, "text": "The line stops after eight.",
        "requester": { "name": "Ilya Sorin", "email": "ilya@volga.example" },
    })
}

/// Opens a ticket as this caller and returns it.
pub(crate) async fn open(client: &Client, subject: &str) -> Value {
    client.post("/tickets", request(subject)).await.expect(201)
}

pub(crate) fn path(ticket: &Value, rest: &str) -> String {
    format!("/tickets/{}{rest}", ticket["number"])
}

async fn change(client: &Client, ticket: &Value, changes: Value) -> Answer {
    client.clone().if_match(&ticket["version"]).patch(&path(ticket, ""), changes).await
}

both_databases! {
    async fn an_opened_ticket_is_new_on_the_own_line_and_has_a_number(app: TestApp) {
        app.leave_jobs();
        let answer = app.as_line2().post("/tickets", request("Coupling stuck")).await;
        let ticket = answer.expect(201);
        assert_eq!((ticket["number"].as_i64(), ticket["line"].as_i64()), (Some(10_001), Some(2)));
        assert_eq!((&ticket["status"], &ticket["version"]), (&json!("new"), &json!(1)));
        assert_eq!(answer.header("location"), "/api/v1/tickets/10001");
        assert_eq!(answer.header("etag"), "\"1\"");
        let shown = app.as_line2().get("/tickets/10001").await.expect(200);
        assert_eq!(shown, ticket);
    }

    async fn another_lines_ticket_does_not_exist(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let boris = app.as_line2();
        for rest in ["", "/messages", "/history"] {
            boris.get(&path(&ticket, rest)).await.problem(404, "ticket_not_found");
        }
        boris.put(&path(&ticket, "/read"), json!({})).await.problem(404, "ticket_not_found");
        change(&boris, &ticket, json!({ "priority": "high" })).await.problem(404, "ticket_not_found");
        let note = json!({ "kind": "note", "text": "x" });
        boris.post(&path(&ticket, "/messages"), note).await.problem(404, "ticket_not_found");
        let unknown = boris.get("/tickets/99999").await;
        assert_eq!(unknown.code(), "ticket_not_found", "a foreign ticket and none at all look the same");
        app.as_supervisor().get(&path(&ticket, "")).await.expect(200);
    }

    async fn a_handed_over_ticket_leaves_the_line_and_the_history_says_why(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let ann = app.as_line1().if_match(1);
        let words = json!({ "line": 2, "reason": "The plate says 05.", "tried": "Lever down, twice." });
        let after = ann.post(&path(&ticket, "/hand-over"), words).await.expect(200);
        assert_eq!((&after["line"], &after["version"]), (&json!(2), &json!(2)));
        app.as_line1().get(&path(&ticket, "")).await.problem(404, "ticket_not_found");
        let history = app.as_line2().get(&path(&ticket, "/history")).await.expect(200);
        let entry = &history["items"][0];
        assert_eq!((&entry["kind"], &entry["actor"]["name"]), (&json!("handed_over"), &json!("Ann Koval")));
        assert_eq!(entry["note"], "The plate says 05.\n\nLever down, twice.");
        assert_eq!(entry["changes"], json!([{ "field": "line", "from": "1", "to": "2" }]));
    }

    async fn an_assignee_keeps_sight_of_a_ticket_on_another_line(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let wrong = change(&app.as_line1(), &ticket, json!({ "assignee_id": "opr_boris" })).await;
        assert_eq!(wrong.field("assignee_id"), "names nobody who works on this line");
        let after = change(&app.as_line1(), &ticket, json!({ "assignee_id": "opr_lena" })).await.expect(200);
        assert_eq!(after["assignee"], json!({ "id": "opr_lena", "name": "Lena Orlova", "initials": "LO" }));
        let freed = change(&app.as_line1(), &after, json!({ "assignee_id": null })).await.expect(200);
        assert_eq!(freed["assignee"], Value::Null);
    }

    async fn whoever_comes_second_is_told_what_is_there_now(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        change(&app.as_line1(), &ticket, json!({ "priority": "high" })).await.expect(200);
        let late = change(&app.as_other_line1(), &ticket, json!({ "priority": "low" })).await;
        let problem = late.problem(412, "version_conflict");
        assert_eq!((&problem["current"]["priority"], &problem["current"]["version"]), (&json!("high"), &json!(2)));
        let blind = app.as_line1().patch(&path(&ticket, ""), json!({ "priority": "low" })).await;
        blind.problem(428, "if_match_required");
        app.as_line1().with("If-Match", "yesterday").patch(&path(&ticket, ""), json!({})).await.field("If-Match");
    }

    async fn a_change_that_changes_nothing_leaves_version_and_history_alone(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let same = change(&app.as_line1(), &ticket, json!({ "priority": "normal" })).await.expect(200);
        assert_eq!(same["version"], 1);
        let history = app.as_line1().get(&path(&ticket, "/history")).await.expect(200);
        assert_eq!(history["items"].as_array().unwrap().len(), 1);
    }

    async fn every_change_is_in_the_history_with_names_for_people_and_queues(app: TestApp) {
        app.leave_jobs();
        app.as_admin().post("/queues", json!({ "name": "First" })).await.expect(201);
        let queue = app.as_admin().post("/queues", json!({ "name": "Machines" })).await.expect(201);
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let changes = json!({
            "subject": "Coupling of unit 16 stuck", "status": "open", "priority": "urgent", "queue_id": queue["id"],
            "assignee_id": "opr_ann", "tags": ["coupling", "Batch-05"],
        });
        let after = change(&app.as_line1(), &ticket, changes).await.expect(200);
        assert_eq!(after["tags"], json!(["batch-05", "coupling"]));
        let history = app.as_line1().get(&path(&ticket, "/history")).await.expect(200);
        let told: Vec<String> = history["items"][0]["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| format!("{}: {} → {}", change["field"], change["from"], change["to"]))
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        "subject": "Coupling stuck" → "Coupling of unit 16 stuck"
        "status": "new" → "open"
        "priority": "normal" → "urgent"
        "queue": "First" → "Machines"
        "assignee": null → "Ann Koval"
        "tags": "" → "batch-05 coupling"
        "#);
    }

    async fn the_life_cycle_refuses_what_it_does_not_have(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let closed = change(&app.as_line1(), &ticket, json!({ "status": "closed" })).await;
        let problem = closed.problem(409, "move_refused");
        assert!(problem["detail"].as_str().unwrap().contains("open, waiting_customer"), "{problem}");
        let resolved = change(&app.as_line1(), &ticket, json!({ "status": "resolved" })).await.expect(200);
        assert!(resolved["resolved_at"].is_string());
        assert_eq!(resolved["allowed_moves"], json!(["open", "waiting_customer"]));
        let shown = app.as_supervisor().get(&path(&ticket, "")).await.expect(200);
        assert_eq!(shown["allowed_moves"], json!(["open", "waiting_customer", "closed"]));
    }

    async fn pressing_twice_opens_one_ticket(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1().with("Idempotency-Key", "press-1");
        let first = ann.post("/tickets", request("Coupling stuck")).await.expect(201);
        let second = ann.post("/tickets", request("Coupling stuck")).await.expect(201);
        assert_eq!(first, second);
        ann.post("/tickets", request("Something else")).await.problem(422, "idempotency_mismatch");
        let lena = app.as_other_line1().with("Idempotency-Key", "press-1");
        let other = lena.post("/tickets", request("Coupling stuck")).await.expect(201);
        assert_ne!(first["number"], other["number"], "keys are the caller's own");
    }

    async fn a_stranger_cannot_rename_a_requester_by_writing_their_address(app: TestApp) {
        app.leave_jobs();
        open(&app.as_line1(), "First").await;
        let mut second = request("Second");
        second["requester"] = json!({ "name": "Mallory", "email": "ILYA@volga.example" });
        let ticket = app.as_line1().post("/tickets", second).await.expect(201);
        assert_eq!(ticket["requester"]["name"], "Ilya Sorin");
        let messages = app.as_line1().get(&path(&ticket, "/messages")).await.expect(200);
        assert_eq!(messages["items"][0]["author"]["name"], "Mallory", "what they called themselves is not lost");
    }

    async fn wrong_members_are_named_and_nothing_is_opened(app: TestApp) {
        let ann = app.as_line1();
        let cases = [
            ("subject", json!(" "), "is empty"),
            ("subject", json!("x".repeat(201)), "has more than 200 characters; shorten it"),
            ("priority", json!("asap"), "unknown variant"),
            ("queue_id", json!("que_none"), "names no queue; see GET /queues"),
            ("line", json!(2), "is not your line; open the ticket on your own line and hand it over"),
            ("tags", json!(["two words"]), "is not a tag; use letters, digits, - and _ only"),
            ("attachment_ids", json!(["att_none"]), "names a file that you have not uploaded"),
            ("colour", json!("red"), "is not known here"),
        ];
        for (member, value, expected) in cases {
            let mut body = request("Coupling stuck");
            body[member] = value;
            let answer = ann.post("/tickets", body).await;
            let field = answer.body()["errors"][0].clone();
            assert!(field["field"].as_str().unwrap_or_default().starts_with(member), "{member}: {}", answer.text());
            assert!(field["message"].as_str().unwrap().contains(expected), "{member}: {}", answer.text());
        }
        let list = app.as_supervisor().get("/tickets?view=all").await.expect(200);
        assert_eq!(list["items"], json!([]));
    }
}
