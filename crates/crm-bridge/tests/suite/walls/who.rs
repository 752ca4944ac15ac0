//! Wall 4.

use bridge_contract::ViewerRole;
use db_kit::Backend;
use serde_json::{Value, json};

use super::ensure;
use crate::support::{Down, Town, card_grant, field, sandbox};

pub(super) async fn wall_holds(down: Down) -> Result<(), String> {
    let (url, _crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, &[], down).await;
    let contacts = town.contacts().await;
    let mine = town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
    let theirs = town.matched(2, contacts[1]["email"].as_str().unwrap()).await;

    let (_, card) = town.card(1, &mine, ViewerRole::Line1).await;
    ensure(field(&card, "person.phone")["kind"] == "masked", "line 1 sees a phone number")?;
    ensure(*field(&card, "person.city") == Value::Null, "line 1 sees the city")?;
    let (status, _) = town.reveal(1, &mine, ViewerRole::Line1, "person.city").await;
    ensure(status == 403, "a hidden field is revealed")?;

    let (status, _) = town.card(1, &theirs, ViewerRole::Supervisor).await;
    ensure(status == 404, "a customer of another ticket is shown")?;
    let body = json!({ "version": 1, "ticket": 2, "customer_ref": theirs });
    let (status, _) = town.ask("/v1/card", &card_grant(1, &mine, ViewerRole::Line1), &body).await;
    ensure(status == 403, "a grant for one customer shows another")
}
