//! Wall 4.

use bridge_contract::ViewerRole;
use db_kit::Backend;
use serde_json::{Value, json};

use super::ensure;
use crate::support::{Down, Town, card_grant, field, sandbox};

struct Two {
    town: Town,
    mine: String,
    theirs: String,
}

/// Ticket 1 is of one customer, ticket 2 of another.
async fn two(down: Down) -> Two {
    let (url, _crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, &[], down).await;
    let contacts = town.contacts().await;
    let mine = town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
    let theirs = town.matched(2, contacts[1]["email"].as_str().unwrap()).await;
    Two { town, mine, theirs }
}

pub(super) async fn views(down: Down) -> Result<(), String> {
    let Two { town, mine, .. } = two(down).await;
    let (_, card) = town.card(1, &mine, ViewerRole::Line1).await;
    ensure(field(&card, "person.phone")["kind"] == "masked", "line 1 sees a phone number")?;
    ensure(*field(&card, "person.city") == Value::Null, "line 1 sees the city")?;
    let (status, _) = town.reveal(1, &mine, ViewerRole::Line1, "person.city").await;
    ensure(status == 403, "a hidden field is revealed")
}

pub(super) async fn tickets(down: Down) -> Result<(), String> {
    let Two { town, theirs, .. } = two(down).await;
    let (status, _) = town.card(1, &theirs, ViewerRole::Supervisor).await;
    ensure(status == 404, "a customer of another ticket is shown")
}

pub(super) async fn grants(down: Down) -> Result<(), String> {
    let Two { town, mine, theirs } = two(down).await;
    let body = json!({ "version": 1, "ticket": 2, "customer_ref": theirs });
    let (status, _) = town.ask("/v1/card", &card_grant(1, &mine, ViewerRole::Line1), &body).await;
    ensure(status == 403, "a grant for one customer shows another")
}

pub(super) async fn budgets(down: Down) -> Result<(), String> {
    let (url, _crm) = sandbox();
    let settings = [("BUDGETS__LINE1__HOUR_SOFT", "1"), ("BUDGETS__LINE1__HOUR_HARD", "1")];
    let town = Town::beside(Backend::Sqlite, &url, &settings, down).await;
    let contacts = town.contacts().await;
    for (ticket, expected) in [(1, 200), (2, 429)] {
        let email = contacts[usize::try_from(ticket).unwrap()]["email"].as_str().unwrap();
        let customer_ref = town.matched(ticket, email).await;
        let (status, _) = town.card(ticket, &customer_ref, ViewerRole::Line1).await;
        ensure(status == expected, format!("customer {ticket} of one in this hour: {status}"))?;
    }
    Ok(())
}
