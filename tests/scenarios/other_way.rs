//! The other direction with both real programs: the CRM reads its customers' tickets, opens one, and is told in order what
//! becomes of them, although its receiver fails and the bridge is killed in between. Nothing internal goes with it.

use anyhow::{Context, Result, bail, ensure};
use dev_kit::{CrmKind, StackDatabase};
use serde_json::{Value, json};
use system_tests::api::Api;
use system_tests::crm_side::{Receiver, Way, bridge, said};
use system_tests::desk::{Desk, Setup};
use system_tests::{places, wait};

/// In an internal note, and nowhere else.
const NOTE: &str = "INTERNAL-NOTE-7c1f the customer is on the watch list";
/// In an answer to the customer; a message is no part of a summary.
const ANSWER: &str = "PUBLIC-ANSWER-5b2e please restart the unit";
/// How a status looks after each step.
const STEPS: [&str; 4] = ["open", "waiting_third_party", "open", "resolved"];

#[test]
fn the_crm_sees_opens_and_is_told_of_tickets_in_order_on_sqlite() -> Result<()> {
    other_way(StackDatabase::Sqlite)
}

#[test]
fn the_crm_sees_opens_and_is_told_of_tickets_in_order_on_postgres() -> Result<()> {
    let server = std::env::var_os("GUICHET_TEST_POSTGRES_URL").and_then(|url| url.into_string().ok());
    let server = server.context("GUICHET_TEST_POSTGRES_URL is not set: run `cargo xtask test`")?;
    other_way(StackDatabase::Postgres(server))
}

fn other_way(database: StackDatabase) -> Result<()> {
    let way = Way::new()?;
    let setup = Setup { database, ticket_settings: way.ticket_settings(), ..Setup::with(CrmKind::Sandbox) };
    let mut desk = Desk::start(&setup)?;
    let crm_api = way.listen(&mut desk, "")?;
    let receiver = Receiver::start()?;
    said(bridge(&mut desk)?.args(["crm-webhooks", "add", &receiver.url]))?;
    let key = way.key(&mut desk)?;
    let crm = Api::new(&crm_api).with_bearer(&key);
    let mut told = Vec::new();

    let (first, path) = a_request_appears(&desk, &crm, &mut told)?;
    receiver.fail_next(2);
    step_through(&mut desk, &path)?;
    let expected = expected_types();
    let come = || Ok(receiver.types_of(&first));
    wait::until("the receiver is told of everything", come, |types| types.len() >= expected.len())?;
    in_order(&receiver.taken_of(&first), &expected)?;

    let second = the_crm_opens_one(&desk, &crm, &mut told)?;
    wait::until("the receiver is told of it", || Ok(receiver.types_of(&second)), |types| !types.is_empty())?;
    let events = crm.get("/v1/events?limit=100")?;
    ensure!(events.status == 200, "{}", events.text());
    told.push(events.text());
    panel(&desk, &crm, &crm_api, &mut told)?;
    told.extend(receiver.all());
    nothing_internal(&mut desk, &told)
}

fn a_request_appears(desk: &Desk, crm: &Api, told: &mut Vec<String>) -> Result<(Value, String)> {
    let customer = desk.customer(0)?;
    let form = json!({"name": "A visitor", "email": customer.email, "subject": "Coupling stuck, unit 16",
        "text": "The line stops.", "website": "", "opened_at": "2026-01-01T00:00:00Z"});
    let number = desk.visitor().post("/api/v1/public/requests", &form)?.expect(201)?["number"].clone();
    let path = format!("/v1/customers/{}/tickets", customer.id);
    // The bridge knows the customer once the ticket is linked; the feed can be asked before.
    let feed = || crm.get("/v1/events")?.expect(200);
    wait::until("the CRM is told", feed, |feed| feed["items"][0]["ticket"]["number"] == number)?;
    let page = crm.get(&path)?.expect(200)?;
    ensure!(page["items"][0]["number"] == number, "{page}");
    ensure!(page["items"][0]["subject"] == "Coupling stuck, unit 16", "{page}");
    ensure!(page["items"][0]["status"] == "new", "{page}");
    told.push(page.to_string());
    Ok((number.clone(), format!("/api/v1/tickets/{number}")))
}

/// Changes the ticket; in the middle of it the bridge is killed, and starts again only after more has happened.
fn step_through(desk: &mut Desk, path: &str) -> Result<()> {
    let anna = desk.operator("anna")?;
    let messages = format!("{path}/messages");
    anna.post(&messages, &json!({"kind": "note", "text": NOTE}))?.expect(201)?;
    let answer = json!({"kind": "answer", "text": ANSWER, "then_status": "waiting_customer"});
    anna.post(&messages, &answer)?.expect(201)?;
    for (place, status) in STEPS.iter().enumerate() {
        if place == 1 {
            desk.stack().kill_bridge()?;
        }
        let now = anna.get(path)?.expect(200)?;
        anna.change("PATCH", path, &now["version"], &json!({"status": status}))?.expect(200)?;
        anna.post(&messages, &json!({"kind": "note", "text": NOTE}))?.expect(201)?;
        if place == 2 {
            desk.stack().start_bridge()?;
        }
    }
    Ok(())
}

/// What the receiver must have been told of the first ticket, with the status that goes with it.
fn expected_types() -> Vec<(String, String)> {
    let mut expected = vec![("ticket.opened".to_owned(), "new".to_owned())];
    expected.push(("ticket.status_changed".to_owned(), "waiting_customer".to_owned()));
    for status in STEPS {
        let change = if status == "resolved" { "ticket.resolved" } else { "ticket.status_changed" };
        expected.push((change.to_owned(), status.to_owned()));
    }
    expected
}

/// At least once, and in order: repetitions of what was told before are allowed, going back is not.
fn in_order(taken: &[Value], expected: &[(String, String)]) -> Result<()> {
    let mut seen: Vec<(i64, (String, String))> = Vec::new();
    for event in taken {
        let sequence = event["data"]["ticket"]["sequence"].as_i64().context("no sequence")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let what = (text(&event["type"]), text(&event["data"]["ticket"]["status"]));
        match seen.last() {
            Some((last, known)) if *last == sequence => ensure!(*known == what, "{event} was {known:?}"),
            Some((last, _)) if *last > sequence => bail!("{event} came after {last}"),
            _ => seen.push((sequence, what)),
        }
    }
    let told: Vec<_> = seen.into_iter().map(|(_, what)| what).collect();
    ensure!(told == expected, "told {told:?} instead of {expected:?}");
    Ok(())
}

fn the_crm_opens_one(desk: &Desk, crm: &Api, told: &mut Vec<String>) -> Result<Value> {
    let customer = desk.customer(1)?;
    let path = format!("/v1/customers/{}/tickets", customer.id);
    let order = json!({"subject": "Asked by phone", "text": "Wants to know when the fitter comes.",
        "requester": {"name": "Sales desk", "email": "sales@firm.example"}});
    let open = || crm.call("POST", &path, &[("idempotency-key", "order-1")], &order);
    let number = open()?.expect(201)?["number"].clone();
    ensure!(open()?.expect(201)?["number"] == number, "the same order opened a second ticket");
    let anna = desk.operator("anna")?;
    let ticket = anna.get(&format!("/api/v1/tickets/{number}"))?.expect(200)?;
    ensure!(ticket["channel"] == "crm" && ticket["customer"]["state"] == "linked", "{ticket}");
    let card = anna.get(&format!("/api/v1/tickets/{number}/card"))?.expect(200)?;
    ensure!(card.to_string().contains(&customer.name), "{card}");
    let history = anna.get(&format!("/api/v1/tickets/{number}/history"))?.expect(200)?;
    ensure!(history.to_string().contains("\"CRM\""), "{history}");
    let list = || crm.get(&path)?.expect(200);
    let page = wait::until("the CRM sees it", list, |page| page["items"][0]["number"] == number)?;
    told.push(page.to_string());
    Ok(number)
}

fn panel(desk: &Desk, crm: &Api, crm_api: &str, told: &mut Vec<String>) -> Result<()> {
    let wish = json!({"customer_id": desk.customer(0)?.id});
    let url = crm.post("/v1/panel-urls", &wish)?.expect(200)?["url"].as_str().unwrap_or_default().to_owned();
    let link = url.strip_prefix(crm_api).context("the link leads elsewhere")?;
    let page = Api::new(crm_api).get(link)?;
    ensure!(page.status == 200 && page.text().contains("Coupling stuck, unit 16"), "{}", page.text());
    told.push(page.text());
    Ok(())
}

/// Neither notes nor answers nor names of operators were told, or kept by the bridge, or logged.
fn nothing_internal(desk: &mut Desk, told: &[String]) -> Result<()> {
    let names: Vec<String> = desk.stack().people().iter().map(|person| person.name.clone()).collect();
    let words: Vec<&str> = [NOTE, ANSWER, "INTERNAL-NOTE", "PUBLIC-ANSWER", "opr_"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    for text in told {
        for word in &words {
            ensure!(!text.contains(word), "{word} was told: {text}");
        }
    }
    let mut kept = places::files(&desk.home("crm-bridge"))?;
    let log = desk.log("crm-bridge");
    kept.push(places::Place { name: "log".into(), bytes: std::fs::read(log)? });
    for place in &kept {
        let text = String::from_utf8_lossy(&place.bytes);
        for word in words.iter().filter(|word| **word != "opr_") {
            ensure!(!text.contains(word), "{word} is in {}", place.name);
        }
    }
    // The notes are where they belong, so the search would have found them.
    let tickets = places::files(&desk.home("ticket-service"))?;
    let there = tickets.iter().any(|place| String::from_utf8_lossy(&place.bytes).contains("INTERNAL-NOTE"));
    let sqlite = tickets.iter().any(|place| place.name.contains(".db"));
    ensure!(there || !sqlite, "the search finds nothing anywhere");
    Ok(())
}
