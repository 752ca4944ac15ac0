//! The whole path, as people walk it: a request comes in, somebody answers it beside a customer card.

mod again;
mod other_way;

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::{Context, Result, ensure};
use dev_kit::{CrmKind, StackDatabase};
use serde_json::{Value, json};
use system_tests::api::Api;
use system_tests::desk::{Desk, Setup};
use system_tests::wait;

#[test]
fn a_request_is_answered_beside_a_card_from_the_crm_on_sqlite() -> Result<()> {
    whole_path(StackDatabase::Sqlite)
}

#[test]
fn a_request_is_answered_beside_a_card_from_the_crm_on_postgres() -> Result<()> {
    let server = std::env::var_os("GUICHET_TEST_POSTGRES_URL").and_then(|url| url.into_string().ok());
    let server = server.context("GUICHET_TEST_POSTGRES_URL is not set: run `cargo xtask test`")?;
    whole_path(StackDatabase::Postgres(server))
}

fn whole_path(database: StackDatabase) -> Result<()> {
    let mut desk = Desk::start(&Setup { database, ..Setup::with(CrmKind::Sandbox) })?;
    let (anna, mia) = (desk.operator("anna")?, desk.operator("mia")?);
    let heard = listen(&anna)?;
    let customer = desk.customer(0)?.clone();

    let form = json!({"name": "A visitor", "email": customer.email, "subject": "Coupling stuck, unit 16",
        "text": "The line stops after ten minutes.", "website": "", "opened_at": "2026-01-01T00:00:00Z"});
    let number = desk.visitor().post("/api/v1/public/requests", &form)?.expect(201)?["number"].clone();
    let path = format!("/api/v1/tickets/{number}");

    // Live, in the list, in the counters, and under the customer's name.
    hears(&heard, &number)?;
    let listed = anna.get("/api/v1/tickets")?.expect(200)?;
    ensure!(listed["items"][0]["number"] == number && listed["items"][0]["unread"] == true, "{listed}");
    ensure!(anna.get("/api/v1/counters")?.expect(200)?["inbox"] == 1, "the inbox is not counted");
    let look = || anna.get(&format!("{path}/card"))?.expect(200);
    let card = wait::until("the card is there", look, |card| card["state"] == "card")?;
    ensure!(card.to_string().contains(&customer.name), "{card}");

    // One request id through both services.
    let asked = anna.send("GET", &format!("{path}/card"), &[("x-request-id", "req_scenario_0001")], b"")?;
    ensure!(asked.header("x-request-id") == "req_scenario_0001", "the request id is lost");
    for service in ["ticket-service", "crm-bridge"] {
        let log = || Ok(std::fs::read_to_string(desk.log(service))?.contains("req_scenario_0001"));
        wait::until("the request id is in the log", log, |there| *there).with_context(|| service)?;
    }

    // Answered, noted, handed over, resolved by the second line.
    let messages = format!("{path}/messages");
    let answer = json!({"kind": "answer", "text": "Could you send the number on the coupling?", "then_status": "waiting_customer"});
    let sent = anna.post(&messages, &answer)?.expect(201)?;
    ensure!(sent["ticket"]["status"] == "waiting_customer", "{sent}");
    anna.post(&messages, &json!({"kind": "note", "text": "Third case this week."}))?.expect(201)?;
    let now = anna.get(&path)?.expect(200)?;
    let reason = json!({"line": 2, "reason": "Needs the workshop", "tried": "Restart"});
    anna.change("POST", &format!("{path}/hand-over"), &now["version"], &reason)?.expect(200)?;
    let now = mia.get(&path)?.expect(200)?;
    ensure!(now["line"] == 2, "{now}");
    mia.change("PATCH", &path, &now["version"], &json!({"status": "resolved", "tags": ["coupling"]}))?
        .expect(200)?;
    let history = mia.get(&format!("{path}/history"))?.expect(200)?.to_string();
    for part in ["Needs the workshop", "resolved", "coupling"] {
        ensure!(history.contains(part), "{part} is not in the history: {history}");
    }

    // All of it is there after a restart, and found by its words.
    desk.stack().stop_tickets()?;
    desk.stack().start_tickets()?;
    let found = mia.get("/api/v1/search?q=coupling%20number")?.expect(200)?;
    ensure!(found["items"][0]["number"] == number, "{found}");
    ensure!(
        mia.get(&messages)?.expect(200)?["items"].as_array().map_or(0, Vec::len) == 3,
        "messages are lost"
    );
    Ok(())
}

/// Follows the live updates; each event's data as it comes.
fn listen(operator: &Api) -> Result<Receiver<Value>> {
    let stream = operator.stream("/api/v1/events")?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        // Ends with the service or with the test.
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let data = line.strip_prefix("data:").and_then(|data| serde_json::from_str(data.trim()).ok());
            if data.is_some_and(|data| sender.send(data).is_err()) {
                break;
            }
        }
    });
    Ok(receiver)
}

fn hears(heard: &Receiver<Value>, number: &Value) -> Result<()> {
    loop {
        let event = heard.recv_timeout(wait::PATIENCE).context("no live update told of the ticket")?;
        if event["number"] == *number {
            return Ok(());
        }
    }
}
