//! Opening connections, and what runs on one: transactions, savepoints, statements that differ per database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text};

use crate::config::{Target, without_password};
use crate::watch::{Watch, Watcher};
use crate::{AnyConnection, DatabaseConfig, DbError};

/// Which database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// SQLite, in the process.
    Sqlite,
    /// PostgreSQL, over libpq.
    Postgres,
}

impl AnyConnection {
    /// Which database this connection speaks to.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// SQLite: opened read-only.
    Reading,
    /// Reading and writing.
    Writing,
}

/// A connection with its watch.
pub(crate) struct Link {
    pub(crate) conn: AnyConnection,
    pub(crate) watch: Arc<Watch>,
}

impl Link {
    /// Connects as the URL's scheme says; diesel's own `establish` would try each database in turn and hide the cause.
    pub(crate) fn open(config: &DatabaseConfig, purpose: Purpose) -> Result<Self, DbError> {
        let mut conn = match config.target()? {
            Target::Sqlite(path) => AnyConnection::Sqlite(open_sqlite(&path, config, purpose)?),
            Target::Postgres(url) => AnyConnection::Postgres(open_postgres(&url, config)?),
        };
        let watch = Watch::new();
        let slow = Duration::from_millis(config.slow_statement_ms);
        conn.set_instrumentation(Watcher::new(Arc::clone(&watch), slow));
        Ok(Self { conn, watch })
    }

    pub(crate) fn begin(&mut self, purpose: Purpose) -> QueryResult<()> {
        match &mut self.conn {
            AnyConnection::Sqlite(conn) => {
                // Without IMMEDIATE a transaction that reads first and writes later fails at once when somebody else
                // wrote in between; no timeout applies to that upgrade.
                let sql = if purpose == Purpose::Writing { "BEGIN IMMEDIATE" } else { "BEGIN" };
                AnsiTransactionManager::begin_transaction_sql(conn, sql)
            }
            AnyConnection::Postgres(conn) => {
                let sql = match purpose {
                    Purpose::Writing => "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
                    Purpose::Reading => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                };
                AnsiTransactionManager::begin_transaction_sql(conn, sql)
            }
        }?;
        self.watch.reset();
        Ok(())
    }

    pub(crate) fn begin_savepoint(&mut self) -> QueryResult<()> {
        AnyConnection::begin_transaction(&mut self.conn)?;
        self.watch.reset();
        Ok(())
    }

    pub(crate) fn commit(&mut self) -> QueryResult<()> {
        AnyConnection::commit_transaction(&mut self.conn)
    }

    pub(crate) fn roll_back(&mut self) -> QueryResult<()> {
        AnyConnection::rollback_transaction(&mut self.conn)
    }

    /// How many transactions and savepoints are open; `None` when nobody can tell any more.
    pub(crate) fn depth(&mut self) -> Option<u32> {
        let status = AnyConnection::transaction_manager_status_mut(&mut self.conn);
        status.transaction_depth().ok().map(|depth| depth.map_or(0, std::num::NonZero::get))
    }
}

#[derive(QueryableByName)]
struct Pragma {
    #[diesel(sql_type = Integer)]
    foreign_keys: i32,
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

fn open_sqlite(path: &Path, config: &DatabaseConfig, purpose: Purpose) -> Result<SqliteConnection, DbError> {
    let unavailable = |cause: String| DbError::Unavailable(format!("{}: {cause}", path.display()));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder
        && !folder.is_dir()
    {
        return Err(unavailable(format!("the folder {} does not exist", folder.display())));
    }
    let mode = if purpose == Purpose::Reading { "ro" } else { "rwc" };
    let mut conn = SqliteConnection::establish(&format!("file:{}?mode={mode}", escaped_path(path)?))
        .map_err(|error| unavailable(error.to_string()))?;
    let mut run = |sql: String| conn.batch_execute(&sql).map_err(|error| unavailable(error.to_string()));
    run(format!("PRAGMA busy_timeout = {}", config.busy_timeout_ms))?;
    if purpose == Purpose::Writing {
        // Large pages for large copies; a file that exists keeps its own.
        if config.can_be_made_anew {
            run("PRAGMA page_size = 16384".into())?;
        }
        let synchronous = if config.can_be_made_anew { "NORMAL" } else { "FULL" };
        run(format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; \
             PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864"
        ))?;
    } else {
        run("PRAGMA query_only = ON".into())?;
    }
    let temp_store = if config.can_be_made_anew { "FILE" } else { "MEMORY" };
    run(format!(
        "PRAGMA foreign_keys = ON; PRAGMA temp_store = {temp_store}; PRAGMA trusted_schema = OFF; \
         PRAGMA cache_size = -{}; PRAGMA mmap_size = {}",
        config.cache_kib, config.mmap_bytes
    ))?;
    let pragma: Pragma = diesel::sql_query("PRAGMA foreign_keys").get_result(&mut conn)?;
    if pragma.foreign_keys != 1 {
        return Err(unavailable("this build of SQLite does not check foreign keys".into()));
    }
    let journal: JournalMode = diesel::sql_query("PRAGMA journal_mode").get_result(&mut conn)?;
    if journal.journal_mode != "wal" {
        return Err(unavailable(format!(
            "this file system does not allow a write-ahead log (journal mode `{}`)",
            journal.journal_mode
        )));
    }
    Ok(conn)
}

/// The path inside a `file:` URI.
fn escaped_path(path: &Path) -> Result<String, DbError> {
    let text =
        path.to_str().ok_or_else(|| DbError::Configuration("the database path is not valid UTF-8".into()))?;
    Ok(text.replace('%', "%25").replace('?', "%3f").replace('#', "%23"))
}

fn open_postgres(url: &str, config: &DatabaseConfig) -> Result<PgConnection, DbError> {
    let unavailable = |cause: String| DbError::Unavailable(without_password(cause.trim(), url));
    let mut address = url.to_owned();
    if !url.contains("connect_timeout=") {
        address.push(if url.contains('?') { '&' } else { '?' });
        address.push_str(&format!("connect_timeout={}", config.connect_timeout_s));
    }
    let mut conn = PgConnection::establish(&address).map_err(|error| unavailable(error.to_string()))?;
    conn.batch_execute(&format!(
        "SET application_name = '{}'; SET statement_timeout = {}; SET lock_timeout = {}; \
         SET idle_in_transaction_session_timeout = {}; SET standard_conforming_strings = on",
        config.application_name.replace('\'', "''"),
        config.statement_timeout_ms,
        config.lock_timeout_ms,
        config.statement_timeout_ms.saturating_mul(2),
    ))
    .map_err(|error| unavailable(error.to_string()))?;
    Ok(conn)
}

/// Tries something that may fail without giving up the transaction: an error of `f` undoes what `f` wrote, and only that.
///
/// Needed because after a failed statement PostgreSQL refuses everything else in the transaction, and because
/// [`Database::write`](crate::Database::write) refuses to commit after an ignored failure on either database.
pub fn savepoint<T, E: From<DbError>>(
    conn: &mut AnyConnection,
    f: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
) -> Result<T, E> {
    let in_terms_of_caller = |error: diesel::result::Error| E::from(DbError::from(error));
    AnyConnection::begin_transaction(conn).map_err(in_terms_of_caller)?;
    match f(conn) {
        Ok(value) => {
            AnyConnection::commit_transaction(conn).map_err(in_terms_of_caller)?;
            Ok(value)
        }
        Err(error) => {
            AnyConnection::rollback_transaction(conn).map_err(in_terms_of_caller)?;
            Err(error)
        }
    }
}

/// Runs a statement that [`AnyConnection`] cannot: matches the connection and compiles the body once for each database.
///
/// One body for what both can do but the enum cannot: `on_conflict…`, `.returning(T::as_returning())`, batch insert.
///
/// ```ignore
/// on_both!(conn, |conn| diesel::insert_into(tags::table)
///     .values(&row)
///     .on_conflict(tags::name)
///     .do_nothing()
///     .execute(conn))?;
/// ```
///
/// Two arms for what truly differs: full text, pragmas.
///
/// ```ignore
/// on_both!(conn,
///     sqlite |conn| sql_query("INSERT INTO search(search) VALUES ('optimize')").execute(conn),
///     postgres |_conn| Ok(0),
/// )?;
/// ```
///
/// What compiles and is wrong, on the enum as in here:
///
/// * **Ignoring an error** in a transaction: PostgreSQL refuses every further statement. Use an on-conflict clause or
///   [`savepoint`](crate::savepoint); a write whose closure ignored a failure is refused on both databases.
/// * **`LIKE`**: SQLite ignores case for ASCII only, PostgreSQL never. Store a column folded in Rust.
/// * **Claiming a row without a lock**: `UPDATE … WHERE id IN (SELECT … WHERE free LIMIT 1) RETURNING` claims a row
///   twice on PostgreSQL unless `free` is asked again in the outer `WHERE`; no row then means "look again".
/// * **Time**: SQLite keeps text with a varying fraction, PostgreSQL microseconds, Rust nanoseconds. Store `BigInt`
///   milliseconds.
/// * **Name of a violated constraint**: unknown on SQLite. Map conflicts where the statement is.
/// * **Batch insert with `on_conflict`** does not compile on SQLite; insert row by row, the transaction is open anyway.
/// * **Deferrable constraints** fail at commit, and a commit is shared by several writes on SQLite. Do not use them.
/// * **`TEXT PRIMARY KEY`** allows NULL on SQLite; write `NOT NULL` as well.
#[macro_export]
macro_rules! on_both {
    ($conn:expr, sqlite |$sqlite:ident| $on_sqlite:expr, postgres |$postgres:ident| $on_postgres:expr $(,)?) => {
        match &mut *$conn {
            $crate::AnyConnection::Sqlite($sqlite) => $on_sqlite,
            $crate::AnyConnection::Postgres($postgres) => $on_postgres,
        }
    };
    ($conn:expr, |$each:ident| $body:expr $(,)?) => {
        match &mut *$conn {
            $crate::AnyConnection::Sqlite($each) => $body,
            $crate::AnyConnection::Postgres($each) => $body,
        }
    };
}
