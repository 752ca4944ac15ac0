//! Lost connections and notifications: what only PostgreSQL needs.

use std::time::Duration;

use db_kit::testing::TestDatabase;
use db_kit::{AnyConnection, DbError, Heard, notify};
use diesel::prelude::*;

use crate::support::{MIGRATIONS, insert, names};

/// Cuts every other connection to this database, as a restarted server would.
fn cut_all(conn: &mut AnyConnection) -> Result<(), DbError> {
    diesel::sql_query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(conn)?;
    Ok(())
}

async fn heard(receiver: &mut tokio::sync::broadcast::Receiver<Heard>) -> Heard {
    tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn connections_cut_while_idle_are_replaced_unnoticed() {
    let db = TestDatabase::postgres(&MIGRATIONS).await;
    db.write(|conn| insert(conn, "a", "one")).await.unwrap();
    let other = db.reopened(|config| config.connections_max = 1).await;
    other.write(cut_all).await.unwrap();
    for _ in 0..8 {
        assert_eq!(names(&db).await, ["one"]);
    }
    db.write(|conn| insert(conn, "b", "two")).await.unwrap();
}

#[tokio::test]
async fn a_connection_cut_in_a_transaction_is_an_error_and_saves_nothing() {
    let db = TestDatabase::postgres(&MIGRATIONS).await;
    let outcome = db
        .write(|conn| {
            insert(conn, "a", "one")?;
            diesel::sql_query("SELECT pg_terminate_backend(pg_backend_pid())").execute(conn)?;
            insert(conn, "b", "two")
        })
        .await;
    assert!(matches!(&outcome, Err(error) if error.is_transient()), "{outcome:?}");
    assert_eq!(names(&db).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_notification_arrives_when_its_transaction_commits() {
    let db = TestDatabase::postgres(&MIGRATIONS).await;
    let mut receiver = db.listen("ticket_changed").unwrap();
    // The listener is up when the first notification arrives.
    let door = db.database().clone();
    let first = loop {
        door.write(|conn| notify(conn, "ticket_changed", "hello")).await.unwrap();
        if let Ok(first) = tokio::time::timeout(Duration::from_millis(100), receiver.recv()).await {
            break first.unwrap();
        }
    };
    assert_eq!(first, Heard::Payload("hello".into()));
    let undone: Result<(), DbError> = db
        .write(|conn| {
            notify(conn, "ticket_changed", "undone")?;
            Err(DbError::NotFound)
        })
        .await;
    assert!(undone.is_err());
    db.write(|conn| notify(conn, "ticket_changed", "10001")).await.unwrap();
    loop {
        match heard(&mut receiver).await {
            Heard::Payload(text) if text == "hello" => {}
            other => break assert_eq!(other, Heard::Payload("10001".into())),
        }
    }
    db.write(cut_all).await.unwrap();
    assert_eq!(heard(&mut receiver).await, Heard::Gap);
    db.write(|conn| notify(conn, "ticket_changed", "10002")).await.unwrap();
    assert_eq!(heard(&mut receiver).await, Heard::Payload("10002".into()));
    db.close().await;
}
