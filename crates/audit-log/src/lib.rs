//! The audit log of a service in its database: the tables `audit_log` and `audit_head`, which both services have alike.
//! The chain itself, and what it proves to whom, is [`audit_chain`].
//!
//! * [`AuditLog::append`] is called inside the transaction whose deed it records, as its last statement: on PostgreSQL it
//!   holds the one row of `audit_head` until the commit, so that several nodes write one chain; on SQLite there is one
//!   writer anyway. Nothing can be committed without its entry, and no entry without what it records.
//! * [`AuditLog::erase`] takes a person out: value and salt go, the commitment stays, the chain stays valid.
//! * [`heads`]: what is exchanged with the other service. [`AuditLog::verify`], [`AuditLog::export`]: for those who doubt.
//!
//! The tables' triggers refuse every change but an erasure. They keep accidents away, not the owner of the database; for
//! the owner there is the chain.

mod export;
mod heads;
mod key;
mod rows;
mod verify;
pub mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use audit_chain as chain;
use audit_chain::{AuditKey, Details, Entry, Link, Salt, Seal};
use db_kit::{AnyConnection, Database, DbError, FixedSql, on_both};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use service_kit::{Ids, Timestamp};

pub use self::export::{ExportFailed, Exported, check_file, heads_in_file, public_key_file};
pub use self::heads::{Conflict, Countersigned};
pub use self::key::{KeyFileError, key_file, open_key};
use self::rows::{HeadRow, Row, audit_customers, audit_head, audit_log, of_block};

/// The one row of `audit_head`.
const HEAD: i64 = 1;

/// What is to be recorded. `action` and the keys of `details` stand in the source code; nobody's input gets there.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Who: an opaque id.
    pub actor: String,
    /// What was done, as `thing.done`.
    pub action: &'static str,
    /// For which ticket.
    pub ticket: Option<i64>,
    /// To which customer; the part that an erasure takes away.
    pub customer_ref: Option<String>,
    /// More, as words.
    pub details: Details,
    /// Hash of the field policy in force.
    pub policy: Option<String>,
    /// The request's id.
    pub request_id: String,
}

impl Event {
    /// An event of which only this is known.
    #[must_use]
    pub fn new(at: Timestamp, actor: impl Into<String>, action: &'static str) -> Self {
        Self {
            at,
            actor: actor.into(),
            action,
            ticket: None,
            customer_ref: None,
            details: Details::new(),
            policy: None,
            request_id: String::new(),
        }
    }

    /// Adds a word.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl std::fmt::Display) -> Self {
        self.details = self.details.with(key, value);
        self
    }

    /// For this ticket.
    #[must_use]
    pub fn ticket(mut self, ticket: i64) -> Self {
        self.ticket = Some(ticket);
        self
    }

    /// To this customer.
    #[must_use]
    pub fn customer(mut self, customer_ref: impl Into<String>) -> Self {
        self.customer_ref = Some(customer_ref.into());
        self
    }

    /// In this request.
    #[must_use]
    pub fn request(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = request_id.into();
        self
    }
}

/// Which entries to show.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this actor.
    pub actor: Option<String>,
    /// With this action.
    pub action: Option<String>,
    /// For this ticket.
    pub ticket: Option<i64>,
}

/// The audit log of one service. Clones share the key.
#[derive(Clone)]
pub struct AuditLog {
    service: &'static str,
    key: Arc<AuditKey>,
    ids: Ids,
}

impl std::fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditLog({}, {})", self.service, self.key.public())
    }
}

impl AuditLog {
    /// The log of this service, written with this key.
    #[must_use]
    pub fn new(service: &'static str, key: AuditKey, ids: Ids) -> Self {
        Self { service, key: Arc::new(key), ids }
    }

    /// The public key, for the other service and for auditors.
    #[must_use]
    pub fn public_key(&self) -> audit_chain::PublicKey {
        self.key.public()
    }

    /// Records events, in this order. Call it last in the transaction: it keeps other writers of the log waiting.
    ///
    /// # Errors
    /// [`DbError`]; then the transaction must not be committed. [`DbError::Configuration`] if the log was begun with
    /// another key.
    pub fn append(&self, conn: &mut AnyConnection, events: &[Event]) -> Result<(), DbError> {
        if events.is_empty() {
            return Ok(());
        }
        let (_, mut at) = self.locked(conn)?;
        let mut rows = Vec::with_capacity(events.len());
        for event in events {
            let entry = self.entry(at.seq.saturating_add(1), event);
            at = self.key.link(&at, &entry);
            rows.push(Row::new(&entry, &at));
        }
        remember_places(conn, &rows)?;
        insert(conn, rows)?;
        let (hash, mac) = (at.hash.to_string(), at.mac.to_string());
        let update = FixedSql {
            before: "UPDATE audit_head SET (seq, hash, mac) = (",
            values: (at.seq.into_sql::<BigInt>(), hash.into_sql::<Text>(), mac.into_sql::<Text>()),
            after: ") WHERE id = 1",
        };
        on_both!(conn, |conn| update.execute(conn))?;
        Ok(())
    }

    fn entry(&self, seq: i64, event: &Event) -> Entry {
        let customer = event.customer_ref.as_ref().map(|customer_ref| {
            let mut salt = [0_u8; 16];
            self.ids.fill(&mut salt);
            Seal::new(customer_ref, Salt(salt))
        });
        Entry {
            seq,
            at_ms: event.at.ms(),
            actor: event.actor.clone(),
            action: event.action.to_owned(),
            ticket: event.ticket,
            customer,
            details: event.details.clone(),
            policy: event.policy.clone(),
            request_id: event.request_id.clone(),
        }
    }

    /// The chain's name and its end, which nobody else can move before this transaction ends. Begins the log if need be.
    fn locked(&self, conn: &mut AnyConnection) -> Result<(String, Link), DbError> {
        let row = match find_head(conn)? {
            Some(row) => row,
            None => {
                self.begin_chain(conn)?;
                find_head(conn)?.ok_or(DbError::NotFound)?
            }
        };
        if row.key != self.key.public().to_string() || row.service != self.service {
            return Err(DbError::Configuration(format!(
                "the audit log was begun by {} with the key {} and is not continued by {} with the key {}: put the right \
                 key file in its place, or point audit.key_file at it",
                row.service,
                row.key,
                self.service,
                self.key.public()
            )));
        }
        let link = row.link();
        Ok((row.chain, link))
    }

    fn begin_chain(&self, conn: &mut AnyConnection) -> Result<(), DbError> {
        let chain = self.ids.new_id("chn");
        let genesis = Link::genesis(self.service, &chain);
        let row = HeadRow {
            id: HEAD,
            service: self.service.to_owned(),
            chain,
            key: self.key.public().to_string(),
            seq: 0,
            hash: genesis.hash.to_string(),
            mac: genesis.mac.to_string(),
        };
        // Two nodes may begin at once; the second one continues what the first one began.
        on_both!(conn, |conn| diesel::insert_into(audit_head::table)
            .values(&row)
            .on_conflict(audit_head::id)
            .do_nothing()
            .execute(conn))?;
        Ok(())
    }

    /// Takes a customer, under each of their references, out of all entries: references and salts go, the commitments
    /// stay. Says how many entries have lost one, and records that, without it. Call it last in the transaction.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn erase(
        &self,
        conn: &mut AnyConnection,
        customer_refs: &[String],
        mut event: Event,
    ) -> Result<usize, DbError> {
        let places = || audit_customers::table.filter(audit_customers::customer_ref.eq_any(customer_refs));
        let blocks: Vec<i64> = places().select(audit_customers::block).distinct().load(conn)?;
        let mut emptied = 0;
        for (first, last) in blocks.into_iter().map(of_block) {
            let theirs = audit_log::table
                .filter(audit_log::seq.between(first, last))
                .filter(audit_log::customer_ref.eq_any(customer_refs));
            emptied += diesel::update(theirs)
                .set((audit_log::customer_ref.eq(None::<String>), audit_log::ref_salt.eq(None::<String>)))
                .execute(conn)?;
        }
        diesel::delete(places()).execute(conn)?;
        event.customer_ref = None;
        self.append(conn, &[event.with("emptied", emptied)])?;
        Ok(emptied)
    }

    /// Entries that the filter lets through, the newest first, from before that number.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn page(
        &self,
        conn: &mut AnyConnection,
        filter: &Filter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Entry>, DbError> {
        let mut query = audit_log::table.select(Row::as_select()).into_boxed();
        if let Some(actor) = &filter.actor {
            query = query.filter(audit_log::actor.eq(actor.clone()));
        }
        if let Some(action) = &filter.action {
            query = query.filter(audit_log::action.eq(action.clone()));
        }
        if let Some(ticket) = filter.ticket {
            query = query.filter(audit_log::ticket.eq(ticket));
        }
        if let Some(before) = before {
            query = query.filter(audit_log::seq.lt(before));
        }
        let rows: Vec<Row> = query.order(audit_log::seq.desc()).limit(limit).load(conn)?;
        Ok(rows.into_iter().map(|row| row.read().0).collect())
    }

    /// The newest entry with this action, of those about no customer.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn newest(&self, conn: &mut AnyConnection, action: &str) -> Result<Option<Entry>, DbError> {
        let row = audit_log::table
            .filter(audit_log::action.eq(action))
            .filter(audit_log::ref_seal.is_null())
            .order(audit_log::seq.desc())
            .select(Row::as_select());
        let row: Option<Row> = row.first(conn).optional()?;
        Ok(row.map(|row| row.read().0))
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn length(&self, conn: &mut AnyConnection) -> Result<i64, DbError> {
        Ok(audit_head::table.find(HEAD).select(audit_head::seq).get_result(conn).optional()?.unwrap_or(0))
    }

    /// Records events in a transaction of their own.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn record(&self, database: &Database, events: Vec<Event>) -> Result<(), DbError> {
        let log = self.clone();
        database.write(move |conn| log.append(conn, &events)).await
    }
}

/// Notes in which blocks of entries each customer is. An index would be written to with every entry, at another place for each
/// customer; whoever is looked at again and again is in few blocks.
fn remember_places(conn: &mut AnyConnection, rows: &[Row]) -> Result<(), DbError> {
    let places: BTreeSet<_> = rows.iter().filter_map(Row::place).collect();
    if places.is_empty() {
        return Ok(());
    }
    if let AnyConnection::Postgres(conn) = conn {
        let new: Vec<_> = places
            .into_iter()
            .map(|(customer_ref, block)| {
                (audit_customers::customer_ref.eq(customer_ref), audit_customers::block.eq(block))
            })
            .collect();
        diesel::insert_into(audit_customers::table).values(new).on_conflict_do_nothing().execute(conn)?;
        return Ok(());
    }
    for (customer_ref, block) in places {
        let place = FixedSql {
            before: "INSERT INTO audit_customers (customer_ref, block) VALUES (",
            values: (customer_ref.into_sql::<Text>(), block.into_sql::<BigInt>()),
            after: ") ON CONFLICT DO NOTHING",
        };
        on_both!(conn, |conn| place.execute(conn))?;
    }
    Ok(())
}

fn insert(conn: &mut AnyConnection, rows: Vec<Row>) -> Result<(), DbError> {
    // Several rows in one statement save ways to PostgreSQL; for one, and within this process, a prepared statement is quicker.
    if rows.len() > 1
        && let AnyConnection::Postgres(conn) = conn
    {
        diesel::insert_into(audit_log::table).values(rows).execute(conn)?;
        return Ok(());
    }
    for row in &rows {
        row.insert(conn)?;
    }
    Ok(())
}

fn find_head(conn: &mut AnyConnection) -> Result<Option<HeadRow>, DbError> {
    Ok(on_both!(
        conn,
        sqlite | conn | {
            audit_head::table.find(HEAD).select(HeadRow::as_select()).get_result(conn).optional()
        },
        postgres | conn | {
            let row = audit_head::table.find(HEAD).select(HeadRow::as_select());
            row.for_update().get_result(conn).optional()
        },
    )?)
}
