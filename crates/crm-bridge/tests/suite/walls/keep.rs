//! Wall 5.

use bridge_contract::ViewerRole;
use db_kit::{Backend, DbError};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};

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

pub(super) async fn wall_holds(down: Down) -> Result<(), String> {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let (url, _crm) = sandbox();
        holds_on(Town::beside(backend, &url, &[], down).await).await?;
    }
    Ok(())
}

async fn holds_on(town: Town) -> Result<(), String> {
    let contact = town.contacts().await[0].clone();
    let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
    town.card(1, &customer_ref, ViewerRole::Supervisor).await;
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
    if let Some(path) = town.database.config().url.strip_prefix("sqlite:") {
        let pages =
            [std::fs::read(path).unwrap(), std::fs::read(format!("{path}-wal")).unwrap_or_default()].concat();
        for member in ["full_name", "email"] {
            let value = contact[member].as_str().unwrap().as_bytes();
            ensure(
                !pages.windows(value.len()).any(|window| window == value),
                format!("{member} is in the file"),
            )?;
        }
    }

    town.erase_contact(contact["id"].as_str().unwrap()).await;
    town.later();
    town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    let left = town
        .database
        .read(|conn| {
            diesel::sql_query(
                "SELECT (SELECT COUNT(*) FROM cards) + (SELECT COUNT(*) FROM address_links) AS count",
            )
            .get_result::<Count>(conn)
            .map_err(DbError::from)
        })
        .await
        .unwrap();
    ensure(left.count == 0, "something of an erased customer is left")
}
