//! Bringing a database to the schema the program was built for.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use crate::connection::{Link, Purpose};
use crate::database::in_background;
use crate::{AnyConnection, Database, DatabaseConfig, DbError};

/// Two sets of migrations that lead to the same schema; the folders have the same names in both.
///
/// ```ignore
/// pub static MIGRATIONS: Migrations = Migrations {
///     sqlite: embed_migrations!("migrations/sqlite"),
///     postgres: embed_migrations!("migrations/postgres"),
/// };
/// ```
pub struct Migrations {
    /// For SQLite. They run together in one transaction with foreign keys switched off, so that a table can be rebuilt,
    /// and are refused if a foreign key points nowhere afterwards.
    pub sqlite: EmbeddedMigrations,
    /// For PostgreSQL. Each runs in a transaction of its own, under a lock that keeps other nodes out.
    pub postgres: EmbeddedMigrations,
}

/// Any number, the same for all nodes of all services of one database.
const POSTGRES_LOCK: i64 = 0x6775_6963_6865_7401;

impl Migrations {
    /// Names of the migrations of either set, in order, to compare them with each other.
    pub fn names(&self) -> Result<(Vec<String>, Vec<String>), DbError> {
        let sqlite = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&self.sqlite).map_err(failed)?;
        let postgres = MigrationSource::<diesel::pg::Pg>::migrations(&self.postgres).map_err(failed)?;
        Ok((names(&sqlite), names(&postgres)))
    }
}

impl Database {
    /// Applies what is pending and returns its names. On a connection of its own; services may already be running.
    pub async fn migrate(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        let config = self.config();
        in_background(move || migrate(&config, migrations)).await
    }

    /// Names of the migrations that have not been applied.
    pub async fn pending(&self, migrations: &'static Migrations) -> Result<Vec<String>, DbError> {
        let config = Arc::clone(&self.config());
        in_background(move || {
            let mut link = Link::open(&config, Purpose::Writing)?;
            match &mut link.conn {
                AnyConnection::Sqlite(conn) => {
                    Ok(names(&conn.pending_migrations(by_reference(&migrations.sqlite)).map_err(failed)?))
                }
                AnyConnection::Postgres(conn) => {
                    Ok(names(&conn.pending_migrations(by_reference(&migrations.postgres)).map_err(failed)?))
                }
            }
        })
        .await
    }
}

pub(crate) fn migrate(config: &DatabaseConfig, migrations: &Migrations) -> Result<Vec<String>, DbError> {
    // A migration may take long; the limits are for requests.
    let config = DatabaseConfig { statement_timeout_ms: 0, lock_timeout_ms: 60_000, ..config.clone() };
    let mut link = Link::open(&config, Purpose::Writing)?;
    match &mut link.conn {
        AnyConnection::Sqlite(conn) => migrate_sqlite(conn, &migrations.sqlite),
        AnyConnection::Postgres(conn) => migrate_postgres(conn, &migrations.postgres),
    }
}

fn migrate_sqlite(conn: &mut SqliteConnection, source: &EmbeddedMigrations) -> Result<Vec<String>, DbError> {
    conn.batch_execute("PRAGMA foreign_keys = OFF")?;
    conn.immediate_transaction(|conn| {
        let pending = conn.pending_migrations(by_reference(source)).map_err(failed)?;
        if pending.is_empty() {
            // The check below reads the whole database; a start that changes nothing must not wait for it.
            return Ok(Vec::new());
        }
        conn.run_migrations(&pending).map_err(failed)?;
        let dangling: Vec<Dangling> = diesel::sql_query("PRAGMA foreign_key_check").load(conn)?;
        match dangling.first() {
            None => Ok(names(&pending)),
            Some(first) => Err(DbError::Migration(format!(
                "a row of table `{}` refers to a missing row of `{}`",
                first.table, first.parent
            ))),
        }
    })
}

fn migrate_postgres(conn: &mut PgConnection, source: &EmbeddedMigrations) -> Result<Vec<String>, DbError> {
    conn.batch_execute(&format!("SELECT pg_advisory_lock({POSTGRES_LOCK})"))?;
    let outcome = conn.pending_migrations(by_reference(source)).and_then(|pending| {
        conn.run_migrations(&pending)?;
        Ok(names(&pending))
    });
    conn.batch_execute(&format!("SELECT pg_advisory_unlock({POSTGRES_LOCK})"))?;
    outcome.map_err(failed)
}

#[derive(QueryableByName)]
struct Dangling {
    #[diesel(sql_type = diesel::sql_types::Text)]
    table: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    parent: String,
}

/// `EmbeddedMigrations` can be neither cloned nor borrowed as a source; this borrows it.
struct Borrowed<'a>(&'a EmbeddedMigrations);

fn by_reference(source: &EmbeddedMigrations) -> Borrowed<'_> {
    Borrowed(source)
}

impl<DB: diesel::backend::Backend> MigrationSource<DB> for Borrowed<'_> {
    fn migrations(&self) -> diesel::migration::Result<Vec<Box<dyn Migration<DB>>>> {
        self.0.migrations()
    }
}

fn names<DB: diesel::backend::Backend>(migrations: &[Box<dyn Migration<DB>>]) -> Vec<String> {
    migrations.iter().map(|migration| migration.name().to_string()).collect()
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> DbError {
    DbError::Migration(error.to_string())
}
