//! A database of its own for every test, on both databases, in a few milliseconds.
//!
//! SQLite: a copy of a file that was migrated once. PostgreSQL: a clone of a template that was migrated once, on the
//! server named by `GUICHET_TEST_POSTGRES_URL`. Templates are kept per build of the test program.
//!
//! [`both_databases!`](crate::both_databases) turns each function into two tests, `name::sqlite` and `name::postgres`:
//!
//! ```ignore
//! both_databases! {
//!     /// One doc comment for both.
//!     async fn a_ticket_that_was_written_is_found(db: TicketDatabase) {
//!         let number = db.write(|conn| insert(conn)).await.unwrap();
//!         assert!(db.read(move |conn| find(conn, number)).await.is_ok());
//!     }
//! }
//! ```
//!
//! The argument is whatever implements [`StartOn`]: usually a wrapper that keeps its [`TestDatabase`] alive. A test that
//! only wants to know the database takes a [`Backend`]. `cargo nextest run -E 'not test(postgres)'` runs the fast half.
//!
//! ```ignore
//! struct TicketDatabase(TestDatabase);
//! impl StartOn for TicketDatabase {
//!     async fn start_on(backend: Backend) -> Self {
//!         Self(TestDatabase::new(backend, &ticket_service::MIGRATIONS).await)
//!     }
//! }
//! ```
//!
//! Always compiled, not a feature: a feature would make every crate above be built twice.
#![expect(clippy::panic, reason = "test support: a test that cannot get its database has failed")]

use std::collections::hash_map::DefaultHasher;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::migrations::migrate;
use crate::{Backend, Database, DatabaseConfig, DbError, Migrations};

const POSTGRES_VARIABLE: &str = "GUICHET_TEST_POSTGRES_URL";
const TEMPLATE_LOCK: i64 = 0x6775_6963_6865_7402;

/// What a test of [`both_databases!`](crate::both_databases) gets, made anew for each run.
pub trait StartOn: Sized {
    /// Makes it on this database.
    fn start_on(backend: Backend) -> impl Future<Output = Self>;
}

impl StartOn for Backend {
    async fn start_on(backend: Backend) -> Self {
        backend
    }
}

/// A migrated, empty database that vanishes with this value.
pub struct TestDatabase {
    database: Database,
    config: DatabaseConfig,
    place: Place,
}

enum Place {
    Sqlite { _folder: tempfile::TempDir },
    Postgres { server: String, name: String },
}

impl TestDatabase {
    /// A database of this kind. Panics with a sentence when it cannot be had.
    pub async fn new(backend: Backend, migrations: &'static Migrations) -> Self {
        let prepared = tokio::task::spawn_blocking(move || match backend {
            Backend::Sqlite => sqlite_copy(migrations),
            Backend::Postgres => postgres_clone(migrations),
        });
        let (config, place) = match prepared.await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(text)) => panic!("{text}"),
            Err(error) => panic!("the test database could not be prepared: {error}"),
        };
        match Database::open(&config).await {
            Ok(database) => Self { database, config, place },
            Err(error) => panic!("the test database could not be opened: {error}"),
        }
    }

    /// On SQLite.
    pub async fn sqlite(migrations: &'static Migrations) -> Self {
        Self::new(Backend::Sqlite, migrations).await
    }

    /// On PostgreSQL.
    pub async fn postgres(migrations: &'static Migrations) -> Self {
        Self::new(Backend::Postgres, migrations).await
    }

    /// The door to it.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// How it was opened; to open it a second time, or to hand the URL to a program.
    #[must_use]
    pub fn config(&self) -> &DatabaseConfig {
        &self.config
    }

    /// Opens the same database once more with other limits.
    pub async fn reopened(&self, change: impl FnOnce(&mut DatabaseConfig)) -> Database {
        let mut config = self.config.clone();
        change(&mut config);
        match Database::open(&config).await {
            Ok(database) => database,
            Err(error) => panic!("the test database could not be opened again: {error}"),
        }
    }
}

impl std::ops::Deref for TestDatabase {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Place::Postgres { server, name } = &self.place
            && let Ok(mut conn) = PgConnection::establish(server)
            && let Err(error) =
                conn.batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))
        {
            tracing::warn!(error = %error, "a test database was left over");
        }
    }
}

/// Runs the body of a test. One thread, with room for tasks that stay on it, as actix needs.
pub fn block_on<F: Future>(future: F) -> F::Output {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => tokio::task::LocalSet::new().block_on(&runtime, future),
        Err(error) => panic!("no async runtime: {error}"),
    }
}

/// Turns each `async fn name(arg: Type) { … }` into the tests `name::sqlite` and `name::postgres`; `Type` implements
/// [`StartOn`](crate::testing::StartOn). See [`testing`](crate::testing) for an example.
#[macro_export]
macro_rules! both_databases {
    ($( $(#[$meta:meta])* async fn $name:ident($($arg:ident)+ : $type:ty) $body:block )+) => {$(
        $(#[$meta])*
        #[cfg(test)]
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "some tests need nothing from outside")]
            use super::*;

            async fn body($($arg)+: $type) $body

            fn run(backend: $crate::Backend) {
                $crate::testing::block_on(async move {
                    body(<$type as $crate::testing::StartOn>::start_on(backend).await).await;
                });
            }

            #[test]
            fn sqlite() {
                run($crate::Backend::Sqlite);
            }

            #[test]
            fn postgres() {
                run($crate::Backend::Postgres);
            }
        }
    )+};
}

fn sqlite_copy(migrations: &Migrations) -> Result<(DatabaseConfig, Place), String> {
    let template = sqlite_template(migrations)?;
    let failed = |error: std::io::Error| format!("the SQLite template could not be copied: {error}");
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join("test.db");
    std::fs::copy(&template, &path).map_err(failed)?;
    Ok((test_config(&sqlite_url(&path)), Place::Sqlite { _folder: folder }))
}

fn sqlite_url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn test_config(url: &str) -> DatabaseConfig {
    DatabaseConfig { readers_max: 2, connections_max: 4, ..DatabaseConfig::for_url(url) }
}

fn sqlite_template(migrations: &Migrations) -> Result<PathBuf, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the SQLite template could not be made: {error}");
    let (program, build) = this_build().map_err(|error| failed(&error))?;
    let folder = program.parent().unwrap_or(Path::new(".")).join("test-databases");
    let stem = format!("{}-{:08x}", stem(&program), set_of(migrations));
    let template = folder.join(format!("{stem}-{build:016x}.db"));
    if template.is_file() {
        return Ok(template);
    }
    std::fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
    // Several processes may get here at once; each makes its own and the last rename wins, all being equal.
    let making = tempfile::tempdir_in(&folder).map_err(|error| failed(&error))?;
    let path = making.path().join("template.db");
    migrate(&test_config(&sqlite_url(&path)), migrations).map_err(|error| failed(&error))?;
    forget_older(&folder, &stem, &template);
    std::fs::rename(&path, &template).map_err(|error| failed(&error))?;
    Ok(template)
}

/// Templates of earlier builds of this program with the same migrations; not this build's, which somebody quicker may be copying.
fn forget_older(folder: &Path, stem: &str, template: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let of_this_program = name.to_string_lossy().rsplit_once('-').is_some_and(|(start, _)| start == stem);
        if of_this_program && entry.path() != template {
            // Somebody else may have been quicker.
            let _gone = std::fs::remove_file(entry.path());
        }
    }
}

fn postgres_clone(migrations: &Migrations) -> Result<(DatabaseConfig, Place), String> {
    #[expect(clippy::disallowed_methods, reason = "test support: the one variable the test runner sets")]
    let server = std::env::var(POSTGRES_VARIABLE).map_err(|_| {
        format!(
            "{POSTGRES_VARIABLE} is not set: run `cargo xtask test`, \
             or start `cargo xtask postgres` and set it to the URL printed there"
        )
    })?;
    clone_on(&server, migrations).map_err(|error| format!("the test database on PostgreSQL failed: {error}"))
}

fn clone_on(server: &str, migrations: &Migrations) -> Result<(DatabaseConfig, Place), DbError> {
    let (program, build) = this_build().map_err(|error| DbError::Unavailable(error.to_string()))?;
    // PostgreSQL cuts names at 63 bytes.
    let stem: String = stem(&program).chars().take(24).collect();
    let prefix = format!("template_{stem}_{:08x}", set_of(migrations));
    let template = format!("{prefix}_{build:016x}");
    let mut conn =
        PgConnection::establish(server).map_err(|error| DbError::Unavailable(error.to_string()))?;
    conn.batch_execute(&format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})"))?;
    make_template(&mut conn, server, migrations, &prefix, &template)?;
    // Still under the lock: a template can be cloned by one connection at a time.
    let name = format!("test_{}_{:016x}", std::process::id(), unique_number());
    conn.batch_execute(&format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""))?;
    conn.batch_execute(&format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})"))?;
    let config = test_config(&with_database(server, &name));
    Ok((config, Place::Postgres { server: server.to_owned(), name }))
}

#[derive(QueryableByName)]
struct Named {
    #[diesel(sql_type = diesel::sql_types::Text)]
    datname: String,
}

fn make_template(
    conn: &mut PgConnection,
    server: &str,
    migrations: &Migrations,
    prefix: &str,
    template: &str,
) -> Result<(), DbError> {
    let known: Vec<Named> = diesel::sql_query("SELECT datname::text FROM pg_database").load(conn)?;
    if known.iter().any(|database| database.datname == template) {
        return Ok(());
    }
    let older = known
        .iter()
        .filter(|database| database.datname.rsplit_once('_').is_some_and(|(start, _)| start == prefix));
    for database in older {
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", database.datname))?;
    }
    // Under its final name only when it is complete.
    let making = format!("making_{}_{:016x}", std::process::id(), unique_number());
    conn.batch_execute(&format!("CREATE DATABASE \"{making}\""))?;
    migrate(&test_config(&with_database(server, &making)), migrations)?;
    conn.batch_execute(&format!("ALTER DATABASE \"{making}\" RENAME TO \"{template}\""))?;
    Ok(())
}

/// The URL of another database on the same server.
fn with_database(server: &str, name: &str) -> String {
    let (address, options) =
        server.split_once('?').map_or((server, None), |(address, rest)| (address, Some(rest)));
    let (scheme, rest) = address.split_once("://").unwrap_or(("postgres", address));
    let authority = rest.split('/').next().unwrap_or_default();
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{scheme}://{authority}/{name}{options}")
}

/// The migrations are compiled into the test program, so its file stands for their text, which diesel does not show.
fn this_build() -> std::io::Result<(PathBuf, u64)> {
    let program = std::env::current_exe()?;
    let metadata = std::fs::metadata(&program)?;
    let mut hasher = DefaultHasher::new();
    (metadata.len(), metadata.modified()?).hash(&mut hasher);
    Ok((program, hasher.finish()))
}

/// Tells the sets of migrations of one program apart: a program may have several databases.
fn set_of(migrations: &Migrations) -> u32 {
    let mut hasher = DefaultHasher::new();
    migrations.names().unwrap_or_default().hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).unwrap_or(0)
}

fn stem(program: &Path) -> String {
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// Tells databases of one process apart; a counter would restart with the process, and process ids come again.
fn unique_number() -> u64 {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut hasher = DefaultHasher::new();
    (std::process::id(), count, std::time::Instant::now()).hash(&mut hasher);
    hasher.finish()
}
