//! The one door to SQLite and PostgreSQL for both services. It has no tables of its own.
//!
//! ```ignore
//! // Once, at start-up.
//! let db = Database::open(&DatabaseConfig::for_url("sqlite:data/tickets.db")).await?;
//! db.migrate(&MIGRATIONS).await?;                    // static MIGRATIONS: Migrations = Migrations { sqlite, postgres }
//!
//! // One use case = one closure = one transaction. No await inside, no effect outside the database.
//! let number: i64 = db.write(move |conn| {
//!     let number = diesel::insert_into(tickets::table)
//!         .values(&row)
//!         .returning(tickets::number)                // column tuples work on the enum, `as_returning` needs `on_both!`
//!         .get_result(conn)?;
//!     for tag in &tags {
//!         on_both!(conn, |conn| diesel::insert_into(tags::table).values(tag).on_conflict_do_nothing().execute(conn))?;
//!     }
//!     Ok::<_, StoreError>(number)                    // StoreError: From<DbError> (and From<diesel::result::Error> for `?`)
//! }).await?;
//!
//! // Reads see one state of the database and cannot write.
//! let rows = db.read(move |conn| scope.tickets().limit(50).load::<Row>(conn).map_err(DbError::from)).await?;
//!
//! db.close().await;                                  // finishes what waits
//! ```
//!
//! Rules, each of them checked on both databases by the tests of this crate:
//!
//! * `Ok` from [`Database::write`] means committed (SQLite: on the disk). `Err` or a panic undoes everything of this
//!   closure and nothing of another, although SQLite commits waiting writes together.
//! * A closure runs once and late: move owned values in, return plain values, take time and ids from outside.
//! * Never ignore a database error inside a closure: `Ok` after a failed statement becomes [`DbError::ErrorIgnored`].
//!   For the rare try there is [`savepoint`]; for "insert unless there" an on-conflict clause in [`on_both!`].
//! * Map [`DbError::Conflict`] where the statement is; SQLite does not tell the constraint's name.
//! * Types of columns: `Text`, `BigInt`, `Bool`, `Double`, `Binary`. Ids are text, times `BigInt` milliseconds UTC, enums
//!   text with a CHECK. The same folder names in `migrations/sqlite` and `migrations/postgres`;
//!   [`schema_report`] lets a test compare both.
//! * Services put their own type in front ("no actor, no data") and keep [`Database`] private to it.
//! * Tests: [`testing`] and [`both_databases!`].

pub use any::{AnyConnection, MultiBackend, MultiField, MultiRawValue, MultiRow};
pub use config::DatabaseConfig;
pub use connection::{Backend, savepoint};
pub use database::Database;
pub use diesel_migrations::{EmbeddedMigrations, embed_migrations};
pub use error::DbError;
pub use fixed_sql::FixedSql;
pub use migrations::Migrations;
pub use notify::{Heard, notify};
pub use schema::{Column, SchemaReport, TypeClass, schema_report};
pub use stats::Stats;

mod any;
mod config;
mod connection;
mod database;
mod error;
mod fixed_sql;
mod job;
mod migrations;
mod notify;
mod queue;
mod schema;
mod stats;
pub mod testing;
mod watch;
mod worker;
mod writer;
