//! The test of the tests: with walls taken away, the suite must find what they held back.
//!
//! The walls stand behind one another, so most leaks take more than one hole. What this file says, and what the walls'
//! own tests in crm-bridge say in more detail:
//!
//! | taken away                 | what then comes through                                                   |
//! |----------------------------|---------------------------------------------------------------------------|
//! | ask                        | nothing: the CRM sends everything, and *parse* skips it                   |
//! | ask, parse                 | nothing on a card: *exit* stops what the policy does not list; yet the    |
//! |                            | bridge has had it in its hands                                            |
//! | parse, exit                | what an over-sharing CRM sends                                            |
//! | ask, parse, exit           | deals, amounts, invoices, bank accounts, notes, owners: everything        |
//! | type, tripwire, view, exit | a bank account that stands where a phone number belongs                   |
//! | view, exit                 | what a role sees masked only                                              |
//! | seal, unsealed             | cards lie in the bridge's database in clear                               |
//!
//! One wall at a time, and for each kind of leak, this is measured in `crates/crm-bridge/tests/suite/leaks`.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use dev_kit::CrmKind;
use marker_search::Hit;
use serde_json::{Value, json};
use system_tests::desk::{Desk, Setup};
use system_tests::places::{files, joined};

use crate::flow::{Story, card, field, linked, write_in};
use crate::look;

/// A short day: two customers write, an operator looks at their cards.
fn day(desk: &mut Desk, behaviour: &Value) -> Result<Story> {
    desk.crm_behaves(behaviour)?;
    let anna = desk.operator("anna")?;
    let customer = desk.busiest()?.clone();
    let ticket = write_in(desk, &customer.email, "Coupling stuck")?;
    ensure!(linked(&anna, ticket)? == "linked", "the customer is not found");
    ensure!(card(&anna, ticket)?["state"] == "card", "no card");
    Ok(Story { ticket, customer, typed: Vec::new(), seen: None, outputs: Vec::new() })
}

/// What is found after such a day.
fn found(without_walls: &[&'static str], behaviour: &Value) -> Result<Vec<Hit>> {
    let setup = Setup { without_walls: without_walls.to_vec(), ..Setup::with(CrmKind::Sandbox) };
    let mut desk = Desk::start(&setup)?;
    let story = day(&mut desk, behaviour)?;
    let places = look::places(&desk, &story)?;
    look::hits(&mut desk, &story, &places)
}

fn fields(hits: &[Hit]) -> BTreeSet<String> {
    hits.iter().map(|hit| hit.means.split(" of ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn with_every_wall_standing_the_same_search_finds_nothing() -> Result<()> {
    for behaviour in [json!({}), json!({"ignore_fields": true})] {
        let hits = found(&[], &behaviour)?;
        ensure!(hits.is_empty(), "{:?}", hits.first());
    }
    Ok(())
}

#[test]
fn without_ask_parse_and_exit_everything_comes_through_and_is_found() -> Result<()> {
    let hits = found(&["ask", "parse", "exit"], &json!({}))?;
    let fields = fields(&hits);
    let expected = [
        "deal.title",
        "deal.amount",
        "invoice.number",
        "invoice.amount",
        "invoice.iban",
        "note.text",
        "owner.name",
        "owner.phone",
        "company.credit_limit",
        "company.annual_revenue",
        "company.outstanding_balance",
        "company.iban",
        "contact.tags",
    ];
    for field in expected {
        ensure!(fields.contains(field), "{field} came through and was not found; found: {fields:?}");
    }
    for place in ["ticket service: answer", "bridge: answer", "memory of process"] {
        ensure!(hits.iter().any(|hit| hit.place.starts_with(place)), "nothing was found in {place}");
    }
    Ok(())
}

#[test]
fn without_parse_and_exit_an_over_sharing_crm_is_found_out() -> Result<()> {
    let hits = found(&["parse", "exit"], &json!({"ignore_fields": true}))?;
    ensure!(fields(&hits).contains("deal.amount"), "{:?}", fields(&hits));
    Ok(())
}

#[test]
fn without_ask_parse_holds_and_without_both_the_door_is_still_shut() -> Result<()> {
    for without in [&["ask"][..], &["ask", "parse"]] {
        let hits = found(without, &json!({}))?;
        ensure!(hits.is_empty(), "without {without:?}: {:?}", hits.first());
    }
    Ok(())
}

#[test]
fn without_type_tripwire_view_and_exit_a_bank_account_in_the_place_of_a_phone_number_is_found() -> Result<()>
{
    let misplaced = json!({"ignore_fields": true, "fault": {"kind": "iban_in_phone"}});
    let standing = found(&[], &misplaced)?;
    ensure!(standing.is_empty(), "{:?}", standing.first());
    let hits = found(&["type", "tripwire", "view", "exit"], &misplaced)?;
    ensure!(fields(&hits).contains("company.iban"), "{:?}", fields(&hits));
    Ok(())
}

#[test]
fn without_view_and_exit_the_first_line_sees_what_is_masked() -> Result<()> {
    for (without, kind) in [(vec![], "masked"), (vec!["view", "exit"], "phone")] {
        let setup = Setup { without_walls: without, ..Setup::with(CrmKind::Sandbox) };
        let mut desk = Desk::start(&setup)?;
        let story = day(&mut desk, &json!({}))?;
        let shown = card(&desk.operator("anna")?, story.ticket)?;
        ensure!(field(&shown, "person.phone")["kind"] == kind, "{shown}");
    }
    Ok(())
}

#[test]
fn without_seal_and_unsealed_cards_lie_open_in_the_bridges_database() -> Result<()> {
    for (without, open) in [(vec![], false), (vec!["seal", "unsealed"], true)] {
        let setup = Setup { without_walls: without, ..Setup::with(CrmKind::Sandbox) };
        let mut desk = Desk::start(&setup)?;
        let story = day(&mut desk, &json!({}))?;
        desk.stack().stop_bridge()?;
        let kept = joined(&files(&desk.home("crm-bridge"))?, "data.db");
        let name = story.customer.name.as_bytes();
        let found = kept.windows(name.len()).any(|window| window == name);
        ensure!(found == open, "the name is {}in the bridge's database", if found { "" } else { "not " });
    }
    Ok(())
}
