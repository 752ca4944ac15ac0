//! Wall 5.

use bridge_contract::ViewerRole;
use db_kit::{Backend, DbError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use serde_json::{Value, json};

use super::ensure;
use crate::support::{Down, Town, sandbox};

#[derive(QueryableByName)]
struct Sealed {
    #[diesel(sql_type = Binary)]
    sealed: Vec<u8>,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// A bridge that has shown the card of one customer.
async fn after_a_card(backend: Backend, down: Down) -> (Town, Value, String) {
    let (url, _crm) = sandbox();
    let town = Town::beside(backend, &url, &[], down).await;
    let contact = town.contacts().await[0].clone();
    let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
    town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    (town, contact, customer_ref)
}

pub(super) async fn sealing(down: Down) -> Result<(), String> {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (town, contact, _) = after_a_card(backend, down).await;
        let kept = town
            .database
            .read(|conn| {
                diesel::sql_query("SELECT sealed FROM cards").load::<Sealed>(conn).map_err(DbError::from)
            })
            .await
            .unwrap();
        ensure(kept.len() == 1, "the cards of those who wrote are kept, and of nobody else")?;
        for member in ["full_name", "email", "phone", "city"] {
            let value = contact[member].as_str().unwrap().as_bytes();
            let readable = kept[0].sealed.windows(value.len()).any(|window| window == value);
            ensure(!readable, format!("{member} can be read in the database"))?;
        }
        let Some(path) = town.database.config().url.strip_prefix("sqlite:") else { continue };
        let log = std::fs::read(format!("{path}-wal")).unwrap_or_default();
        let pages = [std::fs::read(path).unwrap(), log].concat();
        for member in ["full_name", "email"] {
            let value = contact[member].as_str().unwrap().as_bytes();
            ensure(
                !pages.windows(value.len()).any(|window| window == value),
                format!("{member} is in the file"),
            )?;
        }
    }
    Ok(())
}

pub(super) async fn erasure(down: Down) -> Result<(), String> {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (town, contact, customer_ref) = after_a_card(backend, down).await;
        town.erase_contact(contact["id"].as_str().unwrap()).await;
        town.later();
        town.card(1, &customer_ref, ViewerRole::Supervisor).await;
        ensure(left_of_customers(&town).await == 0, "something of an erased customer is left")?;
    }
    Ok(())
}

pub(super) async fn age(down: Down) -> Result<(), String> {
    let (town, _, customer_ref) = after_a_card(Backend::Sqlite, down).await;
    town.behave(json!({ "fault": { "kind": "status", "status": 500 } })).await;
    town.clock.advance_ms(604_801_000);
    let (status, _) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    ensure(status == 503, "a card past its age is shown")?;
    let limit = town.clock.now().plus_ms(-604_800_000);
    ensure(town.bridge.store.forget_cards_before(limit).await.unwrap() == 1, "a card past its age is kept")
}

async fn left_of_customers(town: &Town) -> i64 {
    const SQL: &str = "SELECT (SELECT COUNT(*) FROM cards) + (SELECT COUNT(*) FROM address_links) AS count";
    let count =
        town.database.read(|conn| diesel::sql_query(SQL).get_result::<Count>(conn).map_err(DbError::from));
    count.await.unwrap().count
}
