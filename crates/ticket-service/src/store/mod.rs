//! The only place that names the database.
//!
//! No context, no data: every function of this module takes a [`Scope`], and a scope can only be had through
//! [`Store::read`] and [`Store::write`], which want an [`Actor`]. One use case is one closure and one transaction; its
//! jobs and its history are written in that same transaction, and live updates go out after the commit.

pub mod attachments;
pub mod changes;
pub mod counts;
pub mod events;
pub mod idempotency;
pub mod messages;
pub mod queues;
pub mod requesters;
pub mod schema;
pub mod search;
pub mod tickets;

use db_kit::{AnyConnection, Database, Migrations, embed_migrations};
use service_kit::{Clock, Ids, Timestamp};

use crate::domain::Actor;
use crate::error::TicketError;
use crate::store::changes::{ChangeFeed, TicketChange};

/// The tables of the ticket service, for both databases.
pub const MIGRATIONS: Migrations =
    Migrations { sqlite: embed_migrations!("migrations/sqlite"), postgres: embed_migrations!("migrations/postgres") };

/// The door to the ticket database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    clock: Clock,
    ids: Ids,
    changes: ChangeFeed,
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
}

impl Scope<'_> {
    /// A new id with this prefix.
    pub fn new_id(&self, prefix: &str) -> String {
        self.ids.new_id(prefix)
    }

    /// Tells everybody who may see it, once the transaction is committed.
    pub fn announce(&mut self, change: TicketChange) {
        self.changes.push(change);
    }
}

impl Store {
    /// A store over an opened and migrated database.
    pub fn new(database: Database, clock: Clock, ids: Ids) -> Self {
        Self { database, clock, ids, changes: ChangeFeed::new() }
    }

    /// The live changes of all tickets; whoever passes them on checks who may see them.
    pub fn changes(&self) -> &ChangeFeed {
        &self.changes
    }

    /// The database itself, for health, metrics and shutting down.
    pub fn database(&self) -> &Database {
        &self.database
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
        let (actor, now, ids) = (actor.clone(), self.clock.now(), self.ids.clone());
        self.database
            .read(move |conn| use_case(&mut Scope { conn, actor, now, ids, changes: Vec::new() }))
            .await
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
        let (actor, now, ids) = (actor.clone(), self.clock.now(), self.ids.clone());
        let (database, feed) = (self.database.clone(), self.changes.clone());
        let span = tracing::Span::current();
        let work = async move {
            let (value, changes) = database
                .write(move |conn| {
                    let mut scope = Scope { conn, actor, now, ids, changes: Vec::new() };
                    let value = use_case(&mut scope)?;
                    Ok::<_, TicketError>((value, scope.changes))
                })
                .await?;
            feed.publish(changes);
            Ok(value)
        };
        tokio::spawn(tracing::Instrument::instrument(work, span))
            .await
            .unwrap_or_else(|error| Err(TicketError::Internal(format!("a write task ended early: {error}"))))
    }
}
