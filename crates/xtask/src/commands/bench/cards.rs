//! Customer cards that the bridge has: asked of the bridge itself, and through the ticket service.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use dev_kit::{Client, Stack};
use serde_json::json;

use super::grant::Notary;
use super::request::{get, in_turn, post};
use super::tickets::session;
use super::{Bench, Question, aims};

/// Customers whose cards are asked for in turn.
const CUSTOMERS: usize = 20;
const LOOK_UP_WITHIN: Duration = Duration::from_secs(20);

pub(super) fn measure(bench: &mut Bench<'_>, stack: &mut Stack) -> Result<()> {
    let service = stack.tickets().map(|service| service.pid());
    let bridge = stack.bridge().map(|service| service.pid());
    let stack = &*stack;
    let (operator, headers) = session(stack, "line1")?;
    let tickets = tickets_with_cards(stack, &operator)?;
    let url = stack.tickets_url();
    bench.floor("ticket-service", service, url)?;
    let requests =
        tickets.iter().map(|(number, _)| get(url, &format!("/api/v1/tickets/{number}/card"), &headers));
    let requests = requests.collect::<Result<Vec<_>>>()?;
    let question = Question {
        name: "cached card, through the ticket service",
        url,
        status: 200,
        connections: &[1, 8, 32],
        aim: None,
    };
    bench.ask(&question, &mut in_turn(&requests))?;

    let url = stack.bridge_url();
    bench.floor("crm-bridge", bridge, url)?;
    let me = operator.get("/api/v1/session")?;
    let notary = Notary::of(stack)?;
    let requests = tickets.iter().map(|(number, customer_ref)| {
        let purpose = json!({
            "kind": "card", "operator": me["id"], "role": me["role"], "customer_ref": customer_ref,
        });
        let token = notary.grant(*number, &purpose)?;
        let body = json!({ "version": 1, "ticket": number, "customer_ref": customer_ref });
        post(url, "/v1/card", &format!("authorization: Bearer {token}\r\n"), &body.to_string())
    });
    let requests = requests.collect::<Result<Vec<_>>>()?;
    let question = Question {
        name: "cached card, from the bridge, each on the record",
        url,
        status: 200,
        connections: &[1, 8, 32],
        aim: Some(aims::CARD),
    };
    bench.ask(&question, &mut in_turn(&requests))?;
    Ok(())
}

/// Opens tickets of customers and waits until their cards are there; number and reference.
pub(super) fn tickets_with_cards(stack: &Stack, operator: &Client) -> Result<Vec<(u64, String)>> {
    let mut numbers = Vec::new();
    for customer in stack.customers()?.iter().take(CUSTOMERS) {
        let new = json!({
            "subject": "A ticket beside a card", "text": "Who am I?",
            "requester": { "name": customer.name, "email": customer.email },
        });
        let ticket = operator.post("/api/v1/tickets", &new)?;
        numbers.push(ticket["number"].as_u64().context("the new ticket has no number")?);
    }
    let until = Instant::now() + LOOK_UP_WITHIN;
    let mut found = Vec::new();
    for number in numbers {
        let path = format!("/api/v1/tickets/{number}/card");
        let customer_ref = loop {
            let card = operator.get(&path)?;
            match (card["state"].as_str(), card["card"]["customer_ref"].as_str()) {
                (Some("card"), Some(customer_ref)) => break Some(customer_ref.to_owned()),
                // Two customers may share an address; the others are enough.
                (Some("several"), _) => break None,
                _ if Instant::now() > until => bail!("ticket {number} has no card, but {card}"),
                _ => sleep(Duration::from_millis(50)),
            }
        };
        found.extend(customer_ref.map(|customer_ref| (number, customer_ref)));
    }
    Ok(found)
}
