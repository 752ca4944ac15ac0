//! What the bridge keeps: which reference is whom, which customers belong to which ticket, sealed cards, and who saw
//! what. The one place that names diesel.

pub mod audit;
mod changes;
pub mod crm_address;
pub mod crm_keys;
pub mod deliveries;
mod looks;
pub mod oversight;
pub mod policies;
mod recent;
mod schema;
pub mod sync;
pub mod tickets;
pub mod tokens;
pub mod vault;

use std::collections::BTreeSet;
use std::sync::Arc;

use audit_log::{AuditLog, Event};
use bridge_contract::{CustomerRef, ViewerId, ViewerRole};
use db_kit::{AnyConnection, Database, DbError, FixedSql, Migrations, embed_migrations, on_both};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use service_kit::Timestamp;

use self::audit::LogLine;
use self::looks::Looks;
use self::oversight::{Meter, place, settle};
use self::recent::Recent;
use self::schema::{address_links, cards, customers, ticket_links};
use self::vault::{AddressHash, ErasedIds};
use crate::oversight::budget::Standing;
use crate::walls::{Wall, Walls};

/// The tables of this service, for both databases.
pub static MIGRATIONS: Migrations = Migrations {
    sqlite: embed_migrations!("migrations/sqlite"),
    postgres: embed_migrations!("migrations/postgres"),
};

/// The bridge's database. Cards go in sealed and come out sealed; the keys are elsewhere ([`vault`]).
#[derive(Clone)]
pub struct Store {
    database: Database,
    walls: Walls,
    audit: AuditLog,
    looks: Looks,
    recent: Recent,
    /// None in commands, which meet no customers.
    erased_ids: Option<ErasedIds>,
}

/// Who looks, at whom, for which ticket: from a checked grant. Every question about a customer takes one.
#[derive(Debug, Clone)]
pub struct Viewing {
    /// The person at the screen.
    pub operator: ViewerId,
    /// That person's role.
    pub role: ViewerRole,
    /// For which ticket.
    pub ticket: i64,
    /// Whose card.
    pub customer_ref: CustomerRef,
    /// The request, to find it in the log.
    pub request_id: String,
}

/// A customer that the CRM named for a ticket.
#[derive(Debug, Clone)]
pub struct Person {
    /// The CRM's id.
    pub crm_id: String,
    /// The reference to give it if it has none yet.
    pub new_ref: CustomerRef,
}

/// A card on its way into the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCard {
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// The plan it was read under: policy, profile and settings.
    pub policy_hash: String,
    /// When the CRM gave it.
    pub as_of: Timestamp,
}

/// What is known of a customer who belongs to a ticket.
#[derive(Debug, Clone)]
pub struct Customer {
    /// The reference that stands for this customer: another than was asked for, if the CRM merged both.
    pub customer_ref: CustomerRef,
    /// The CRM's id.
    pub crm_id: String,
    /// Whether the CRM has erased this customer.
    pub erased: bool,
    /// The card as last kept.
    pub card: Option<SealedCard>,
}

impl Store {
    /// A store on that database.
    #[must_use]
    pub fn new(database: Database, walls: Walls, audit: AuditLog) -> Self {
        Self { database, walls, audit, looks: Looks::default(), recent: Recent::default(), erased_ids: None }
    }

    /// A store that meets customers, and knows those again who were erased.
    #[must_use]
    pub fn with_erased_ids(self, erased_ids: ErasedIds) -> Self {
        Self { erased_ids: Some(erased_ids), ..self }
    }

    fn names(&self, source: String) -> Names {
        Names { source, erased_ids: self.erased_ids.clone() }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn ping(&self) -> Result<(), DbError> {
        self.database.ping().await
    }

    /// Finishes what is waiting and closes.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// The CRM has said who is behind an address: remembers exactly these for the address and for the ticket, with the card
    /// that `seal` makes of each one's reference, and gives the references, new ones for people not seen before, in the same
    /// order.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn record_answer(
        &self,
        source: String,
        ticket: i64,
        address: AddressHash,
        people: Vec<Person>,
        seal: impl Fn(usize, &str) -> Option<SealedCard> + Send + 'static,
        event: Event,
    ) -> Result<Vec<CustomerRef>, DbError> {
        let (audit, now) = (self.audit.clone(), event.at);
        let names = self.names(source);
        self.database
            .write(move |conn| {
                let refs: Vec<String> = people
                    .iter()
                    .map(|person| customer_ref_of(conn, &names, person, now))
                    .collect::<Result<_, _>>()?;
                lead_to(conn, &address, &refs, now)?;
                for (position, customer_ref) in refs.iter().enumerate() {
                    link_ticket(conn, ticket, customer_ref, now)?;
                    if let Some(card) = seal(position, customer_ref) {
                        keep_card(conn, customer_ref, &card)?;
                    }
                }
                audit.append(conn, &[audit::answered(event, &refs)])?;
                typed(refs)
            })
            .await
    }

    /// The CRM can't be asked: who was last found under the address, now for this ticket too.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn recall_answer(
        &self,
        source: String,
        ticket: i64,
        address: AddressHash,
        event: Event,
    ) -> Result<Vec<CustomerRef>, DbError> {
        let (audit, now) = (self.audit.clone(), event.at);
        self.database
            .write(move |conn| {
                let refs: Vec<String> = address_links::table
                    .inner_join(customers::table.on(customers::customer_ref.eq(address_links::customer_ref)))
                    .filter(address_links::address_hash.eq(&address.0))
                    .filter(customers::source.eq(&source))
                    .filter(customers::erased_at.is_null())
                    .order(customers::customer_ref)
                    .select(customers::customer_ref)
                    .load(conn)?;
                for customer_ref in &refs {
                    link_ticket(conn, ticket, customer_ref, now)?;
                }
                audit.append(conn, &[audit::answered(event.with("from", "memory"), &refs)])?;
                typed(refs)
            })
            .await
    }

    /// Finds the customer, if it was resolved for this ticket before, and lets `decide` say what comes of it. If that is
    /// worth an entry in the audit log, the entry is written and the look is counted in the same transaction.
    ///
    /// # Errors
    /// [`DbError`]; then nothing may be shown.
    pub async fn look<T: Send + 'static>(
        &self,
        viewing: Viewing,
        source: String,
        meter: Meter,
        mut decide: impl FnMut(Option<Customer>, &Standing) -> (T, Option<LogLine>) + Send + 'static,
    ) -> Result<T, DbError> {
        let any_ticket = !self.walls.stands(Wall::Link);
        let operator = viewing.operator.clone();
        self.together(&operator, move |conn, events| {
            let customer = customer_of(conn, &viewing, &source, any_ticket)?;
            let place = place(conn, &viewing, &meter)?;
            let is_known = customer.is_some();
            let (outcome, line) = decide(customer, &place.standing);
            if let Some(line) = line {
                settle(conn, &viewing, &meter, &place, &line, is_known)?;
                events.push(audit::looked(&viewing, &line, place.glass(&meter)));
            }
            Ok(outcome)
        })
        .await
    }

    /// The card that was last found for this customer, so that a look can be made ready before its turn. It may be another one
    /// by then, or none.
    #[must_use]
    pub fn recent_card(&self, customer_ref: &CustomerRef) -> Option<Arc<SealedCard>> {
        self.recent.card(customer_ref)
    }

    /// Remembers the card that a look has found.
    pub fn remember_card(&self, customer_ref: &CustomerRef, card: SealedCard) {
        self.recent.remember(customer_ref, card);
    }

    /// Keeps a card.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn keep_cards(&self, kept: Vec<(CustomerRef, SealedCard)>) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                for (customer_ref, card) in &kept {
                    upsert_card(conn, customer_ref.as_str(), card)?;
                }
                Ok(())
            })
            .await
    }

    /// Writes an entry of the audit log, counts the look and, if the card is a new one, keeps it. Done before anything is
    /// shown; nothing may be shown if the budget was spent in the meantime.
    ///
    /// # Errors
    /// [`DbError`]; then nothing may be shown.
    pub async fn record_view(
        &self,
        viewing: Viewing,
        line: LogLine,
        card: Option<(CustomerRef, SealedCard)>,
        meter: Meter,
    ) -> Result<Standing, DbError> {
        let operator = viewing.operator.clone();
        self.together(&operator, move |conn, events| {
            if let Some((customer_ref, card)) = &card {
                upsert_card(conn, customer_ref.as_str(), card)?;
            }
            let place = place(conn, &viewing, &meter)?;
            let closed = place.standing.closed_until().is_some();
            let line = if closed { line.clone().refused() } else { line.clone() };
            settle(conn, &viewing, &meter, &place, &line, true)?;
            events.push(audit::looked(&viewing, &line, place.glass(&meter)));
            Ok(place.standing)
        })
        .await
    }

    /// Removes cards from before that instant and says how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn forget_cards_before(&self, instant: Timestamp) -> Result<usize, DbError> {
        if !self.walls.stands(Wall::Sweep) {
            return Ok(0);
        }
        self.recent.forget();
        self.database
            .write(move |conn| {
                Ok(diesel::delete(cards::table.filter(cards::as_of.lt(instant.ms()))).execute(conn)?)
            })
            .await
    }
}

/// The one way to a customer: through a ticket that it belongs to.
fn customer_of(
    conn: &mut AnyConnection,
    viewing: &Viewing,
    source: &str,
    any_ticket: bool,
) -> Result<Option<Customer>, DbError> {
    let asked = viewing.customer_ref.as_str();
    let row = customer_row(conn, asked, viewing.ticket, source, any_ticket)?;
    // The ticket service follows merges a little later; until then the old reference leads to the new customer.
    let merged = matches!(row, Some((.., Some(_))));
    let (row, customer_ref) = match if merged { changes::final_ref(conn, asked)? } else { None } {
        Some(last) => (customer_row(conn, &last, viewing.ticket, source, any_ticket)?, last),
        None => (row, asked.to_owned()),
    };
    let customer_ref =
        CustomerRef::new(customer_ref).map_err(|error| DbError::Configuration(error.to_string()))?;
    Ok(row.map(|(crm_id, erased, card, _)| Customer {
        customer_ref,
        crm_id,
        erased,
        card: card.map(sealed_card),
    }))
}

fn sealed_card((sealed, policy_hash, as_of): (Vec<u8>, String, i64)) -> SealedCard {
    SealedCard { sealed, policy_hash, as_of: Timestamp::from_ms(as_of) }
}

type CustomerRow = (String, bool, Option<(Vec<u8>, String, i64)>, Option<String>);

fn customer_row(
    conn: &mut AnyConnection,
    customer_ref: &str,
    ticket: i64,
    source: &str,
    any_ticket: bool,
) -> Result<Option<CustomerRow>, DbError> {
    let linked = ticket_links::table
        .filter(ticket_links::ticket.eq(ticket))
        .filter(ticket_links::customer_ref.eq(customers::customer_ref));
    let row = customers::table
        .left_join(cards::table.on(cards::customer_ref.eq(customers::customer_ref)))
        .filter(customers::customer_ref.eq(customer_ref))
        .filter(customers::source.eq(source))
        .filter(
            diesel::dsl::exists(linked)
                .or(any_ticket.into_sql::<diesel::sql_types::Bool>())
                // Of the erased it is not kept which tickets were theirs, and all that is told is that they are erased.
                .or(customers::erased_at.is_not_null()),
        )
        .select((
            customers::crm_id,
            customers::erased_at.is_not_null(),
            (cards::sealed, cards::policy_hash, cards::as_of).nullable(),
            customers::merged_into,
        ));
    Ok(on_both!(conn, |conn| row.get_result::<CustomerRow>(conn)).optional()?)
}

/// The CRM of ids, and what stands for those of erased customers.
#[derive(Clone)]
struct Names {
    source: String,
    erased_ids: Option<ErasedIds>,
}

impl Names {
    /// What stands for the id of somebody who was erased. Without a key nobody is known again.
    fn erased(&self, crm_id: &str) -> Option<String> {
        Some(self.erased_ids.as_ref()?.of(&self.source, crm_id))
    }
}

fn customer_ref_of(
    conn: &mut AnyConnection,
    names: &Names,
    person: &Person,
    now: Timestamp,
) -> Result<String, DbError> {
    let source = names.source.as_str();
    let theirs = customers::table
        .filter(customers::source.eq(source))
        .filter(customers::crm_id.eq(&person.crm_id))
        .select(customers::customer_ref);
    let living = theirs.filter(customers::erased_at.is_null()).filter(customers::merged_into.is_null());
    // Whoever is about to erase or merge this customer waits until this transaction has ended.
    let known = on_both!(
        conn,
        sqlite | conn | living.get_result::<String>(conn),
        postgres | conn | living.for_update().get_result(conn),
    );
    if let Some(known) = known.optional()? {
        return Ok(known);
    }
    if let Some(erased) = names.erased(&person.crm_id) {
        let row = customers::table.filter(customers::source.eq(source).and(customers::crm_id.eq(erased)));
        let again = diesel::update(row).set(customers::crm_id.eq(&person.crm_id));
        on_both!(conn, |conn| again.execute(conn))?;
    }
    // Two tickets of one new customer may come at once; the unique pair decides whose reference stays.
    let upsert = FixedSql {
        before: "INSERT INTO customers (customer_ref, source, crm_id, minted_at) VALUES (",
        values: (
            person.new_ref.as_str().into_sql::<Text>(),
            source.into_sql::<Text>(),
            person.crm_id.as_str().into_sql::<Text>(),
            now.ms().into_sql::<BigInt>(),
        ),
        // The CRM names the customer, so the customer is there (again).
        after: ") ON CONFLICT (source, crm_id) DO UPDATE SET erased_at = NULL, merged_into = NULL",
    };
    on_both!(conn, |conn| upsert.execute(conn))?;
    Ok(on_both!(conn, |conn| theirs.get_result(conn))?)
}

fn link_ticket(
    conn: &mut AnyConnection,
    ticket: i64,
    customer_ref: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let link = FixedSql {
        before: "INSERT INTO ticket_links (ticket, customer_ref, resolved_at) VALUES (",
        values: (ticket.into_sql::<BigInt>(), customer_ref.into_sql::<Text>(), now.ms().into_sql::<BigInt>()),
        after: ") ON CONFLICT DO NOTHING",
    };
    on_both!(conn, |conn| link.execute(conn))?;
    Ok(())
}

/// Lets an address lead to these customers and nobody else. Mostly it does already.
fn lead_to(
    conn: &mut AnyConnection,
    address: &AddressHash,
    refs: &[String],
    now: Timestamp,
) -> Result<(), DbError> {
    let links = || address_links::table.filter(address_links::address_hash.eq(&address.0));
    let known = links().select(address_links::customer_ref);
    let known: BTreeSet<String> = on_both!(conn, |conn| known.load::<String>(conn))?.into_iter().collect();
    if known.iter().eq(refs.iter().collect::<BTreeSet<_>>()) {
        return Ok(());
    }
    on_both!(conn, |conn| diesel::delete(links()).execute(conn))?;
    for customer_ref in refs {
        let link = (
            address_links::address_hash.eq(&address.0),
            address_links::customer_ref.eq(customer_ref),
            address_links::seen_at.eq(now.ms()),
        );
        on_both!(conn, |conn| diesel::insert_into(address_links::table).values(link).execute(conn))?;
    }
    Ok(())
}

/// Keeps a card, unless its customer was erased since it was asked for.
fn upsert_card(conn: &mut AnyConnection, customer_ref: &str, card: &SealedCard) -> Result<(), DbError> {
    let there =
        customers::table.filter(customers::customer_ref.eq(customer_ref).and(customers::erased_at.is_null()));
    let is_there = diesel::select(diesel::dsl::exists(there));
    if !on_both!(conn, |conn| is_there.get_result::<bool>(conn))? {
        return Ok(());
    }
    keep_card(conn, customer_ref, card)
}

/// Keeps a card of a customer who was seen to be there in this transaction.
fn keep_card(conn: &mut AnyConnection, customer_ref: &str, card: &SealedCard) -> Result<(), DbError> {
    let upsert = FixedSql {
        before: "INSERT INTO cards (customer_ref, sealed, policy_hash, as_of) VALUES (",
        values: (
            customer_ref.into_sql::<Text>(),
            card.sealed.as_slice().into_sql::<Binary>(),
            card.policy_hash.as_str().into_sql::<Text>(),
            card.as_of.ms().into_sql::<BigInt>(),
        ),
        after: ") ON CONFLICT (customer_ref) DO UPDATE SET sealed = excluded.sealed, \
                policy_hash = excluded.policy_hash, as_of = excluded.as_of",
    };
    on_both!(conn, |conn| upsert.execute(conn))?;
    Ok(())
}

fn typed(refs: Vec<String>) -> Result<Vec<CustomerRef>, DbError> {
    refs.into_iter()
        .map(|text| CustomerRef::new(text).map_err(|error| DbError::Configuration(error.to_string())))
        .collect()
}
