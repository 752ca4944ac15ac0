//! What could stay and must not.

use bridge_contract::ViewerRole;
use db_kit::{Backend, DbError};
use diesel::prelude::*;
use diesel::sql_types::Binary;
use serde_json::{Value, json};

use super::fields::nothing;
use super::measure::Outcome;
use crate::support::{Down, Town, sandbox};

/// Longer than a card may be kept.
const TOO_LONG_MS: i64 = 604_801_000;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Binary)]
    sealed: Vec<u8>,
}

async fn kept(town: &Town) -> Vec<Vec<u8>> {
    let rows = town
        .database
        .read(|conn| diesel::sql_query("SELECT sealed FROM cards").load::<Row>(conn).map_err(DbError::from));
    rows.await.unwrap().into_iter().map(|row| row.sealed).collect()
}

/// A bridge that has shown the card of one customer.
async fn after_a_card(down: Down) -> (Town, Value, String, actix_web::dev::ServerHandle) {
    let (url, crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, &[], down).await;
    let contact = town.contacts().await[0].clone();
    let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
    let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    assert_eq!(status, 200, "{card}");
    (town, contact, customer_ref, crm)
}

/// Removes what has its age, as a job does every ten minutes.
async fn sweep(town: &Town) {
    let limit = town.clock.now().plus_ms(-town.bridge.cache.age_max_ms);
    town.bridge.store.forget_cards_before(limit).await.unwrap();
}

pub(super) async fn stolen_database(down: Down) -> Outcome {
    let (town, contact, ..) = after_a_card(down).await;
    let mut bytes = kept(&town).await.concat();
    let path = town.database.config().url.strip_prefix("sqlite:").unwrap().to_owned();
    bytes.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
    bytes.extend(std::fs::read(path).unwrap());
    for member in ["full_name", "email", "phone", "city"] {
        let value = contact[member].as_str().unwrap().as_bytes();
        let readable = bytes.windows(value.len()).any(|window| window == value);
        nothing(readable, || format!("{member} can be read in the database"))?;
    }
    Ok(())
}

pub(super) async fn erased_customer(down: Down) -> Outcome {
    let (town, contact, customer_ref, _crm) = after_a_card(down).await;
    town.erase_contact(contact["id"].as_str().unwrap()).await;
    town.later();
    town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    town.clock.advance_ms(TOO_LONG_MS);
    sweep(&town).await;
    nothing(!kept(&town).await.is_empty(), || "the card of somebody who is erased is kept".to_owned())
}

pub(super) async fn outdated_card(down: Down) -> Outcome {
    let (town, _, customer_ref, _crm) = after_a_card(down).await;
    town.behave(json!({ "fault": { "kind": "status", "status": 500 } })).await;
    town.clock.advance_ms(TOO_LONG_MS);
    sweep(&town).await;
    let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    nothing(status == 200, || format!("a card past its age: {card}"))
}
