//! The same helpdesk, started again elsewhere: as the demo is when its port is taken.

use anyhow::{Context, Result, ensure};
use dev_kit::Stack;
use serde_json::{Value, json};
use system_tests::desk::programs;
use system_tests::wait;

/// A helpdesk in that folder at ports that are free; the CRM's is another each time.
fn start(folder: &std::path::Path) -> Result<Stack> {
    let policy = dev_kit::workspace::root().join("config/field-policy.toml");
    Stack::builder(programs()?, folder).policy(policy).customers(3, 1).start()
}

fn card(stack: &Stack, number: &Value) -> Result<Value> {
    let operator = stack.signed_in("line1")?;
    let look = || operator.get(&format!("/api/v1/tickets/{number}/card"));
    wait::until("the card is there", look, |card| card["state"] == "card")
}

#[test]
fn a_helpdesk_that_is_started_again_at_other_ports_shows_the_cards_of_before() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let stack = start(folder.path())?;
    let customer = stack.customers()?.into_iter().next().context("the CRM has nobody")?;
    let new = json!({"subject": "Here before", "text": "And after.",
        "requester": {"name": customer.name, "email": customer.email}});
    let number = stack.signed_in("line1")?.post("/api/v1/tickets", &new)?["number"].clone();
    let (before, crm) = (card(&stack, &number)?, stack.crm_url().to_owned());
    stack.stop()?;

    let stack = start(folder.path())?;
    ensure!(stack.crm_url() != crm, "the CRM is where it was: this proves nothing");
    let after = card(&stack, &number)?;
    ensure!(after["card"]["customer_ref"] == before["card"]["customer_ref"], "{before} {after}");
    stack.stop()
}
