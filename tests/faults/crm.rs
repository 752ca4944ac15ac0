//! A CRM that answers with rubbish, with too much, too slowly or not at all.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dev_kit::CrmKind;
use serde_json::{Value, json};
use system_tests::api::Api;
use system_tests::desk::{Desk, Setup};
use system_tests::wait;

/// The bridge gives a CRM so long, and everything above it a little more.
const CRM_MAY_TAKE: &str = "CRM__TOTAL_TIMEOUT_MS=2000\n";
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

fn setup() -> Setup {
    Setup { bridge_settings: CRM_MAY_TAKE, ..Setup::with(CrmKind::Sandbox) }
}

/// Each fault of the list, and the reason that the bridge gives for it in one word.
fn faults() -> Vec<(&'static str, Value)> {
    vec![
        ("server_error", json!({"kind": "status", "status": 500})),
        ("refused", json!({"kind": "status", "status": 422})),
        ("credentials", json!({"kind": "status", "status": 403})),
        ("not_json", json!({"kind": "html"})),
        ("too_large", json!({"kind": "huge", "bytes": 200_000_000})),
        ("empty", json!({"kind": "empty"})),
        ("broken", json!({"kind": "close"})),
        ("too_deep", json!({"kind": "deep_json", "levels": 100_000})),
        ("not_json", json!({"kind": "broken_utf8"})),
        ("redirect", json!({"kind": "redirect", "to": "http://127.0.0.2:9"})),
        ("timeout", json!({"kind": "slow_drip", "byte_every_ms": 100})),
    ]
}

fn write_in(desk: &Desk, email: &str) -> Result<i64> {
    let form = json!({"name": "A visitor", "email": email, "subject": "A question", "text": "How?",
        "website": "", "opened_at": "2026-01-01T00:00:00Z"});
    let made = desk.visitor().post("/api/v1/public/requests", &form)?.expect(201)?;
    made["number"].as_i64().context("no number")
}

/// The state of the card, which must come in time.
fn state(operator: &Api, ticket: i64) -> Result<Value> {
    let began = Instant::now();
    let card = operator.get(&format!("/api/v1/tickets/{ticket}/card"))?.expect(200)?;
    ensure!(began.elapsed() < ANSWER_WITHIN, "the card took {:?}", began.elapsed());
    Ok(card)
}

fn until_linked(operator: &Api, ticket: i64) -> Result<()> {
    let look =
        || Ok(operator.get(&format!("/api/v1/tickets/{ticket}"))?.expect(200)?["customer"]["state"].clone());
    wait::until("the customer is linked", look, |state| state == "linked")?;
    Ok(())
}

#[test]
fn whatever_the_crm_answers_work_goes_on_and_the_bridge_names_the_reason() -> Result<()> {
    let desk = Desk::start(&setup())?;
    let anna = desk.operator("anna")?;
    let known = write_in(&desk, &desk.customer(0)?.email)?;
    until_linked(&anna, known)?;
    ensure!(state(&anna, known)?["state"] == "card", "no card at first");
    for (number, (reason, fault)) in faults().into_iter().enumerate() {
        desk.crm_behaves(&json!({"fault": fault}))?;
        // Somebody seen before: the kept card, with its age. Somebody new: the ticket, without a card.
        let old = state(&anna, known)?;
        ensure!(old["state"] == "card" && old["card"]["stale"] == true, "{fault}: {old}");
        let new = write_in(&desk, &desk.customer(1 + number)?.email)?;
        ensure!(state(&anna, new)?["state"] == "pending", "{fault}: a card from nowhere");
        let counted = desk.bridge().get("/metrics")?.text();
        let counter = format!("crm_requests_total{{outcome=\"{reason}\"}}");
        ensure!(counted.contains(&counter), "{fault} is not counted as {reason}: {counted}");
        desk.crm_behaves(&json!({}))?;
        until_linked(&anna, new).with_context(|| format!("after {fault}"))?;
        ensure!(state(&anna, new)?["state"] == "card", "{fault}: no card afterwards");
    }
    Ok(())
}

#[test]
fn values_of_another_type_are_withheld_and_nothing_else_changes() -> Result<()> {
    let desk = Desk::start(&setup())?;
    let anna = desk.operator("anna")?;
    let ticket = write_in(&desk, &desk.customer(0)?.email)?;
    until_linked(&anna, ticket)?;
    desk.crm_behaves(&json!({"fault": {"kind": "wrong_types"}}))?;
    let card = state(&anna, ticket)?;
    let kinds: Vec<_> = card["card"]["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| field["value"]["kind"].clone())
        .collect();
    ensure!(!kinds.is_empty() && kinds.iter().all(|kind| kind == "withheld" || kind == "empty"), "{card}");
    Ok(())
}

#[test]
fn a_redirect_to_another_host_is_not_followed() -> Result<()> {
    let desk = Desk::start(&setup())?;
    let elsewhere = std::net::TcpListener::bind("127.0.0.2:0")?;
    elsewhere.set_nonblocking(true)?;
    let anna = desk.operator("anna")?;
    let ticket = write_in(&desk, &desk.customer(0)?.email)?;
    until_linked(&anna, ticket)?;
    let to = format!("http://{}", elsewhere.local_addr()?);
    desk.crm_behaves(&json!({"fault": {"kind": "redirect", "to": to}}))?;
    ensure!(state(&anna, ticket)?["card"]["stale"] == true, "the redirect was answered");
    ensure!(elsewhere.accept().is_err(), "the bridge, with its key, went to another host");
    Ok(())
}

#[test]
fn a_customer_erased_in_the_crm_is_erased_here_and_the_card_is_gone() -> Result<()> {
    let desk = Desk::start(&setup())?;
    let anna = desk.operator("anna")?;
    let customer = desk.customer(0)?;
    let ticket = write_in(&desk, &customer.email)?;
    until_linked(&anna, ticket)?;
    ensure!(state(&anna, ticket)?["state"] == "card", "no card at first");
    desk.crm().send("DELETE", &format!("/api/v1/contacts/{}", customer.id), &[], b"")?;
    ensure!(state(&anna, ticket)?["state"] == "erased", "an erased customer has a card");
    // Also when the CRM can no longer be asked.
    desk.crm_behaves(&json!({"fault": {"kind": "close"}}))?;
    ensure!(state(&anna, ticket)?["state"] == "erased", "an erased customer came back");
    let shown = anna.get(&format!("/api/v1/tickets/{ticket}"))?.expect(200)?;
    ensure!(shown["customer"]["state"] == "erased", "{shown}");
    Ok(())
}
