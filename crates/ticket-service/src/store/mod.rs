//! The only place that names the database.
//!
//! No context, no data: every function of this module takes a [`Scope`], and a scope can only be had through
//! [`Store::read`] and [`Store::write`], which want an [`Actor`]. One use case is one closure and one transaction; its
//! jobs and its history are written in that same transaction, and live updates go out after the commit.
//!
//! A single row is asked for with `get_result`, not with `first`, which adds `LIMIT ?`: SQLite plans a statement anew
//! each time a value for its limit is bound.

pub mod api_keys;
pub mod attachments;
pub mod audit;
pub mod changes;
pub mod counts;
pub mod customers;
pub mod events;
pub mod idempotency;
pub mod jobs;
pub mod messages;
pub mod operators;
pub mod outbox;
pub mod oversight;
mod pages;
pub mod queues;
pub mod requesters;
pub mod schema;
pub mod search;
pub mod sessions;
pub mod tickets;

use std::sync::Arc;

use audit_log::AuditLog;
use audit_log::chain::AuditKey;
use db_kit::{AnyConnection, Backend, Database, Heard, Migrations, embed_migrations};
use diesel::connection::SimpleConnection;
use service_kit::http::current_request_id;
use service_kit::{Clock, Ids, Timestamp};
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;

use crate::domain::Actor;
use crate::error::TicketError;
use crate::store::changes::{ChangeFeed, TicketChange};

/// The tables of the ticket service, for both databases.
pub const MIGRATIONS: Migrations = Migrations {
    sqlite: embed_migrations!("migrations/sqlite"),
    postgres: embed_migrations!("migrations/postgres"),
};

/// The channel on which nodes tell each other of changes (PostgreSQL).
const CHANNEL: &str = "ticket_changes";

/// The door to the ticket database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    clock: Clock,
    ids: Ids,
    changes: ChangeFeed,
    jobs_bell: Arc<Notify>,
    log: AuditLog,
    tells_bridge: bool,
}

/// One transaction on behalf of one actor.
pub struct Scope<'c> {
    conn: &'c mut AnyConnection,
    /// On whose behalf.
    pub actor: Actor,
    /// The instant of the use case: the same for everything that it writes.
    pub now: Timestamp,
    ids: Ids,
    changes: Vec<TicketChange>,
    jobs_queued: bool,
    request_id: String,
    log: AuditLog,
    audit: audit::Pending,
    tells_bridge: bool,
}

impl From<diesel::result::Error> for TicketError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.into())
    }
}

impl Scope<'_> {
    /// A new id with this prefix.
    pub fn new_id(&self, prefix: &str) -> String {
        self.ids.new_id(prefix)
    }

    /// Tells nobody after all: for generated data that nobody waits for.
    pub(crate) fn forget_announcements(&mut self) {
        self.changes.clear();
    }

    /// Tells everybody who may see it, once the transaction is committed.
    pub fn announce(&mut self, change: TicketChange) {
        self.changes.push(change);
    }
}

impl Store {
    /// A store over an opened and migrated database.
    pub fn new(database: Database, clock: Clock, ids: Ids, key: AuditKey) -> Self {
        let changes = ChangeFeed::new(ids.token(9));
        let log = AuditLog::new(audit::SERVICE, key, ids.clone());
        Self { database, clock, ids, changes, jobs_bell: Arc::default(), log, tells_bridge: false }
    }

    /// The same, and the bridge is told what becomes of tickets that belong to a customer, if `tells`.
    #[must_use]
    pub fn telling_the_bridge(mut self, tells: bool) -> Self {
        self.tells_bridge = tells;
        self
    }

    /// Passes on what other nodes change from now on; SQLite has no other nodes.
    ///
    /// # Errors
    /// [`TicketError::Database`] if nothing can be heard.
    pub fn follow_other_nodes(&self) -> Result<(), TicketError> {
        if self.database.backend() != Backend::Postgres {
            return Ok(());
        }
        let (mut heard, feed) = (self.database.listen(CHANNEL)?, self.changes.clone());
        tokio::spawn(async move {
            loop {
                match heard.recv().await {
                    Ok(Heard::Payload(text)) => feed.hear(&text),
                    Ok(Heard::Gap) | Err(RecvError::Lagged(_)) => feed.publish_gap(),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Ok(())
    }

    /// Rings when jobs have been queued by this process.
    pub fn jobs_bell(&self) -> &Notify {
        &self.jobs_bell
    }

    /// The present instant, by the clock of the store.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The live changes of all tickets; whoever passes them on checks who may see them.
    pub fn changes(&self) -> &ChangeFeed {
        &self.changes
    }

    /// The database itself, for health, metrics and shutting down.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Lets PostgreSQL learn how much was written at once; by itself it would within minutes, and plan badly until then.
    ///
    /// # Errors
    /// [`TicketError::Database`].
    pub async fn gather_statistics(&self) -> Result<(), TicketError> {
        if self.database.backend() != Backend::Postgres {
            return Ok(());
        }
        self.database.write(|conn| Ok::<_, TicketError>(conn.batch_execute("ANALYZE")?)).await
    }

    /// Makes the scope of one use case, with the instant and the request of now.
    fn beginning(
        &self,
        actor: &Actor,
    ) -> impl for<'c> FnOnce(&'c mut AnyConnection) -> Scope<'c> + Send + use<> {
        let (actor, now, ids, log) = (actor.clone(), self.clock.now(), self.ids.clone(), self.log.clone());
        let (request_id, tells_bridge) = (current_request_id(), self.tells_bridge);
        move |conn| Scope {
            conn,
            actor,
            now,
            ids,
            changes: Vec::new(),
            jobs_queued: false,
            request_id,
            log,
            audit: audit::Pending::default(),
            tells_bridge,
        }
    }

    /// Runs a use case that only reads, in one transaction.
    ///
    /// # Errors
    /// What the use case returns, or [`TicketError::Database`].
    pub async fn read<T, F>(&self, actor: &Actor, use_case: F) -> Result<T, TicketError>
    where
        F: FnOnce(&mut Scope<'_>) -> Result<T, TicketError> + Send + 'static,
        T: Send + 'static,
    {
        let begin = self.beginning(actor);
        self.database.read(move |conn| use_case(&mut begin(conn))).await
    }

    /// Runs a use case that writes, in one transaction. `Ok` means: committed, and on the disk.
    ///
    /// Runs to its end even if the caller goes away, so that nobody misses the live update of a committed change.
    ///
    /// # Errors
    /// What the use case returns, or [`TicketError::Database`]; in both cases nothing was written.
    pub async fn write<T, F>(&self, actor: &Actor, use_case: F) -> Result<T, TicketError>
    where
        F: FnOnce(&mut Scope<'_>) -> Result<T, TicketError> + Send + 'static,
        T: Send + 'static,
    {
        let begin = self.beginning(actor);
        let (database, feed, bell) =
            (self.database.clone(), self.changes.clone(), Arc::clone(&self.jobs_bell));
        let told_by = feed.clone();
        let span = tracing::Span::current();
        let work = async move {
            let (value, changes, jobs_queued) = database
                .write(move |conn| {
                    let mut scope = begin(conn);
                    let value = use_case(&mut scope)?;
                    audit::flush(&mut scope)?;
                    for told in scope.changes.iter().filter_map(|change| told_by.told(change)) {
                        db_kit::notify(scope.conn, CHANNEL, &told)?;
                    }
                    Ok::<_, TicketError>((value, scope.changes, scope.jobs_queued))
                })
                .await?;
            feed.publish(changes);
            if jobs_queued {
                bell.notify_one();
            }
            Ok(value)
        };
        tokio::spawn(tracing::Instrument::instrument(work, span))
            .await
            .unwrap_or_else(|error| Err(TicketError::Internal(format!("a write task ended early: {error}"))))
    }
}
