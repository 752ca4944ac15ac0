//! The connection that is one of two. In a file of its own because the derive generates undocumented public items.
#![expect(missing_docs, reason = "the derive emits public types without doc comments")]

use diesel::{MultiConnection, PgConnection, SqliteConnection};

/// A connection to either database. Most queries of diesel run on it unchanged; see
/// [`on_both!`](crate::on_both) for the few that do not, and for the traps.
#[derive(MultiConnection)]
pub enum AnyConnection {
    /// SQLite, in the process.
    Sqlite(SqliteConnection),
    /// PostgreSQL, over libpq.
    Postgres(PgConnection),
}
