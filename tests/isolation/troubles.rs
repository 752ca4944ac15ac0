//! A CRM that sends what it was not asked for, breaks, lies or is away, while people work.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use system_tests::desk::Desk;

use crate::flow::{Story, card, field, linked, write_in};

/// Each misbehaviour; most of them over-share on top.
fn misbehaviours() -> Vec<Value> {
    let fault = |fault: Value| json!({"fault": fault});
    vec![
        json!({"ignore_fields": true}),
        fault(json!({"kind": "iban_in_phone"})),
        json!({"ignore_fields": true, "fault": {"kind": "iban_in_phone"}}),
        json!({"ignore_fields": true, "fault": {"kind": "status", "status": 500}}),
        json!({"ignore_fields": true, "fault": {"kind": "status", "status": 403}}),
        json!({"ignore_fields": true, "fault": {"kind": "status", "status": 422}}),
        json!({"ignore_fields": true, "fault": {"kind": "wrong_types"}}),
        json!({"ignore_fields": true, "fault": {"kind": "broken_utf8"}}),
        json!({"ignore_fields": true, "fault": {"kind": "cut"}}),
        fault(json!({"kind": "html"})),
        fault(json!({"kind": "empty"})),
        fault(json!({"kind": "close"})),
        fault(json!({"kind": "deep_json", "levels": 50_000})),
        fault(json!({"kind": "huge", "bytes": 20_000_000})),
        fault(json!({"kind": "redirect"})),
    ]
}

/// Every misbehaviour while a card is looked at and while somebody new is looked up.
pub(crate) fn crm_misbehaves(desk: &mut Desk, story: &Story) -> Result<()> {
    let (anna, mia) = (desk.operator("anna")?, desk.operator("mia")?);
    let misbehaviours = misbehaviours();
    let mut new = Vec::new();
    for (number, behaviour) in misbehaviours.iter().enumerate() {
        desk.crm_behaves(behaviour)?;
        let shown = card(&mia, story.ticket).with_context(|| behaviour.to_string())?;
        ensure!(shown["state"] == "card" || shown["state"] == "unavailable", "{behaviour}: {shown}");
        if behaviour.to_string().contains("iban_in_phone") {
            let kind = &field(&shown, "person.phone")["kind"];
            ensure!(kind == "withheld", "a bank account in the place of a phone number is shown as {shown}");
        }
        let email = desk.customer(2 + number)?.email.clone();
        new.push(write_in(desk, &email, &format!("While the CRM misbehaves, {number}"))?);
        // Asked by hand too: the answer to a look-up that fails is an answer of ours.
        anna.post(&format!("/api/v1/tickets/{}/customer/resolve", new[number]), &json!({"email": email}))?;
        anna.get(&format!("/api/v1/tickets/{}/card", new[number]))?;
        let bridge = desk.bridge();
        for path in ["/metrics", "/health/ready"] {
            bridge.get(path)?;
            desk.visitor().get(path)?;
        }
    }
    desk.crm_behaves(&json!({}))?;
    // Once the CRM is well again, everybody is found, and nothing was lost.
    for (number, ticket) in new.into_iter().enumerate() {
        if linked(&anna, ticket)? == "none" {
            // An answer in which no address can be read finds nobody; one looks again by hand.
            let email = json!({"email": desk.customer(2 + number)?.email});
            anna.post(&format!("/api/v1/tickets/{ticket}/customer/resolve"), &email)?.expect(200)?;
        }
        ensure!(linked(&anna, ticket)? == "linked", "ticket {ticket} was never looked up again");
        ensure!(card(&anna, ticket)?["state"] == "card", "ticket {ticket} has no card");
    }
    erased(desk)
}

/// A customer who is erased in the CRM is erased here.
fn erased(desk: &Desk) -> Result<()> {
    let anna = desk.operator("anna")?;
    let customer = desk.customer(40)?;
    let ticket = write_in(desk, &customer.email, "Before the erasure")?;
    ensure!(linked(&anna, ticket)? == "linked", "not linked");
    card(&anna, ticket)?;
    let gone = desk.crm().send("DELETE", &format!("/api/v1/contacts/{}", customer.id), &[], b"")?;
    ensure!(gone.status == 204, "{}", gone.text());
    ensure!(card(&anna, ticket)?["state"] == "erased", "an erased customer has a card");
    Ok(())
}

/// The CRM ends, then the bridge. Ticket work goes on.
pub(crate) fn crm_and_bridge_are_gone(desk: &mut Desk, story: &Story) -> Result<()> {
    let mia = desk.operator("mia")?;
    desk.stack().stop_crm();
    let old = card(&mia, story.ticket)?;
    ensure!(old["state"] == "card" && old["card"]["stale"] == true, "without the CRM: {old}");
    desk.stack().stop_bridge()?;
    ensure!(card(&mia, story.ticket)?["state"] == "unavailable", "without the bridge there is a card");
    let ticket = write_in(desk, "somebody@else.example", "While nobody can be asked")?;
    let anna = desk.operator("anna")?;
    let messages = format!("/api/v1/tickets/{ticket}/messages");
    anna.post(&messages, &json!({"kind": "answer", "text": "We are looking into it."}))?.expect(201)?;
    Ok(())
}
