//! What becomes of customers in the CRM after they were resolved: erased, merged. The ticket service follows the list.

use audit_log::Event;
use bridge_contract::{CHANGES_MAX, ChangeKind, CustomerChange, CustomerRef};
use db_kit::{AnyConnection, DbError, on_both};
use diesel::prelude::*;
use service_kit::Timestamp;
use service_kit::http::current_request_id;

use super::schema::{address_links, cards, customer_changes, customers, ticket_links};
use super::vault::ErasedIds;
use super::{Person, SealedCard, Store, customer_ref_of, sealed_card, typed};
use crate::walls::Wall;

/// A merge leads to a merge leads to a merge; beyond this somebody runs in circles.
const MERGES_MAX: usize = 8;
/// So many are done in one transaction.
const UNNAME_MAX: i64 = 500;
/// On PostgreSQL numbers are drawn before they are committed, so a smaller one can appear after a larger one was read.
/// One writer at a time in this list keeps their order; any number will do that nobody else locks.
const LIST_LOCK: i64 = 0x6775_6963_6865;

impl Store {
    /// The CRM has erased this customer: the card, the CRM's id, the links to addresses and tickets and the references in the
    /// audit log go, also of those who were merged into this one; that there was somebody stays, and the ticket service is
    /// told. Nothing happens if it was erased before.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn erase(&self, customer_ref: &CustomerRef, now: Timestamp) -> Result<(), DbError> {
        if !self.walls.stands(Wall::Erase) {
            return Ok(());
        }
        let customer_ref = customer_ref.as_str().to_owned();
        let (audit, event) = (self.audit.clone(), by_the_crm(now, "customer.erased"));
        let erased_ids = self.erased_ids.clone();
        let erased: Result<(), DbError> = self
            .database
            .write(move |conn| {
                let refs = erase_in(conn, erased_ids.as_ref(), customer_ref, now)?;
                if !refs.is_empty() {
                    super::oversight::forget_customers(conn, &refs)?;
                    audit.erase(conn, &refs, event)?;
                }
                Ok(())
            })
            .await;
        self.recent.forget();
        erased
    }

    /// The CRM has taken one customer's record into another's: card and addresses of the first go, its tickets belong to
    /// the second as well, its reference leads there, and the ticket service is told. Nothing happens if the first was
    /// never resolved.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn merge(
        &self,
        source: String,
        crm_id: String,
        into: Person,
        now: Timestamp,
    ) -> Result<bool, DbError> {
        if !self.walls.stands(Wall::Erase) {
            return Ok(false);
        }
        let (audit, event) = (self.audit.clone(), by_the_crm(now, "customer.merged"));
        let names = self.names(source);
        let merged = self
            .database
            .write(move |conn| {
                let before: Option<(String, Option<String>)> = customers::table
                    .filter(customers::source.eq(&names.source).and(customers::crm_id.eq(&crm_id)))
                    .select((customers::customer_ref, customers::merged_into))
                    .first(conn)
                    .optional()?;
                let Some((old, None)) = before else { return Ok(false) };
                // Naming the other one also ends an earlier merge of that one, and whoever was merged into the first is
                // merged into the second with it: a reference leads to the one who stays in one step, and never in circles.
                let new = customer_ref_of(conn, &names, &into, now)?;
                if old == new {
                    return Ok(false);
                }
                forget(conn, &old)?;
                let tickets: Vec<i64> = ticket_links::table
                    .filter(ticket_links::customer_ref.eq(&old))
                    .select(ticket_links::ticket)
                    .load(conn)?;
                for ticket in tickets {
                    super::link_ticket(conn, ticket, &new, now)?;
                }
                let moved =
                    customers::customer_ref.eq(&old).or(customers::merged_into.eq(&old).assume_not_null());
                diesel::update(customers::table.filter(moved))
                    .set(customers::merged_into.eq(Some(&new)))
                    .execute(conn)?;
                tell(conn, &old, Some(&new), now)?;
                audit.append(conn, &[event.customer(new)])?;
                Ok(true)
            })
            .await;
        self.recent.forget();
        merged
    }

    /// Takes ids and tickets of those who were erased by an earlier version, which kept both. Answers how many they were.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn unname_erased(&self) -> Result<usize, DbError> {
        let erased_ids = self.erased_ids.clone();
        self.database
            .write(move |conn| {
                let refs: Vec<String> = customers::table
                    .filter(customers::erased_at.is_not_null())
                    .filter(customers::crm_id.not_like(format!("{}%", ErasedIds::PREFIX)))
                    .select(customers::customer_ref)
                    .limit(UNNAME_MAX)
                    .load(conn)?;
                unname(conn, erased_ids.as_ref(), &refs)?;
                Ok(refs.len())
            })
            .await
    }

    /// The changes after that number, oldest first, at most [`CHANGES_MAX`].
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn changes_after(&self, after: u64) -> Result<Vec<CustomerChange>, DbError> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        self.database
            .read(move |conn| {
                let rows: Vec<(i64, String, Option<String>)> = customer_changes::table
                    .filter(customer_changes::number.gt(after))
                    .order(customer_changes::number)
                    .limit(CHANGES_MAX as i64)
                    .select((
                        customer_changes::number,
                        customer_changes::customer_ref,
                        customer_changes::into_ref,
                    ))
                    .load(conn)?;
                rows.into_iter().map(change).collect()
            })
            .await
    }

    /// Which of these ids of the CRM stand for customers that were resolved before, and their references.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn known(
        &self,
        source: String,
        crm_ids: Vec<String>,
    ) -> Result<Vec<(String, CustomerRef)>, DbError> {
        self.database
            .read(move |conn| {
                let rows: Vec<(String, String)> = customers::table
                    .filter(customers::source.eq(&source).and(customers::crm_id.eq_any(&crm_ids)))
                    .filter(customers::erased_at.is_null().and(customers::merged_into.is_null()))
                    .select((customers::crm_id, customers::customer_ref))
                    .load(conn)?;
                let (ids, refs): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
                Ok(ids.into_iter().zip(typed(refs)?).collect())
            })
            .await
    }

    /// Those of these ids of the CRM whose customers were erased since that instant, or are merged.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn left_since(
        &self,
        source: String,
        read: Vec<(String, Timestamp)>,
    ) -> Result<Vec<String>, DbError> {
        if read.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.names(source);
        self.database
            .read(move |conn| {
                let ids = read.iter().flat_map(|(crm_id, _)| [Some(crm_id.clone()), names.erased(crm_id)]);
                let ids: Vec<String> = ids.flatten().collect();
                let rows: Vec<(String, Option<i64>, Option<String>)> = customers::table
                    .filter(customers::source.eq(&names.source).and(customers::crm_id.eq_any(&ids)))
                    .select((customers::crm_id, customers::erased_at, customers::merged_into))
                    .load(conn)?;
                let left = read.into_iter().filter(|(crm_id, read_at)| {
                    rows.iter().any(|(known, erased_at, merged_into)| {
                        let is_erased = erased_at.is_some_and(|at| at >= read_at.ms());
                        let is_this = known == crm_id || Some(known) == names.erased(crm_id).as_ref();
                        is_this && (is_erased || merged_into.is_some())
                    })
                });
                Ok(left.map(|(crm_id, _)| crm_id).collect())
            })
            .await
    }

    /// [`Store::known`] with what is kept of each.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn known_cards(
        &self,
        source: String,
        crm_ids: Vec<String>,
    ) -> Result<Vec<(String, CustomerRef, Option<SealedCard>)>, DbError> {
        type Row = (String, String, Option<(Vec<u8>, String, i64)>);
        self.database
            .read(move |conn| {
                let rows: Vec<Row> = customers::table
                    .left_join(cards::table.on(cards::customer_ref.eq(customers::customer_ref)))
                    .filter(customers::source.eq(&source).and(customers::crm_id.eq_any(&crm_ids)))
                    .filter(customers::erased_at.is_null().and(customers::merged_into.is_null()))
                    .select((
                        customers::crm_id,
                        customers::customer_ref,
                        (cards::sealed, cards::policy_hash, cards::as_of).nullable(),
                    ))
                    .load(conn)?;
                let (refs, rest): (Vec<_>, Vec<_>) =
                    rows.into_iter().map(|(id, customer_ref, card)| (customer_ref, (id, card))).unzip();
                let all = rest.into_iter().zip(typed(refs)?);
                Ok(all.map(|((id, card), customer_ref)| (id, customer_ref, card.map(sealed_card))).collect())
            })
            .await
    }

    /// Customers that were resolved before and are still there, by reference, after that one; for reconciliation.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn known_after(
        &self,
        source: String,
        after: String,
        limit: i64,
    ) -> Result<Vec<(String, CustomerRef)>, DbError> {
        self.database
            .read(move |conn| {
                let rows: Vec<(String, String)> = customers::table
                    .filter(customers::source.eq(&source).and(customers::customer_ref.gt(&after)))
                    .filter(customers::erased_at.is_null().and(customers::merged_into.is_null()))
                    .order(customers::customer_ref)
                    .limit(limit)
                    .select((customers::crm_id, customers::customer_ref))
                    .load(conn)?;
                let (ids, refs): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
                Ok(ids.into_iter().zip(typed(refs)?).collect())
            })
            .await
    }
}

fn by_the_crm(now: Timestamp, action: &'static str) -> Event {
    Event::new(now, "crm", action).request(current_request_id())
}

/// The reference and those that were merged into it: the same person, who is to be forgotten under each.
fn with_merged(conn: &mut AnyConnection, customer_ref: String) -> Result<Vec<String>, DbError> {
    let mut refs = vec![customer_ref];
    for _ in 0..MERGES_MAX {
        let more: Vec<String> = customers::table
            .filter(customers::merged_into.eq_any(&refs).and(customers::customer_ref.ne_all(&refs)))
            .select(customers::customer_ref)
            .load(conn)?;
        if more.is_empty() {
            break;
        }
        refs.extend(more);
    }
    Ok(refs)
}

/// The references under which somebody was forgotten; none if that was done before.
fn erase_in(
    conn: &mut AnyConnection,
    erased_ids: Option<&ErasedIds>,
    customer_ref: String,
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    let there = customers::table
        .filter(customers::customer_ref.eq(&customer_ref).and(customers::erased_at.is_null()));
    if diesel::update(there).set(customers::erased_at.eq(Some(now.ms()))).execute(conn)? == 0 {
        return Ok(Vec::new());
    }
    let refs = with_merged(conn, customer_ref.clone())?;
    for one in &refs {
        let row = customers::table.filter(customers::customer_ref.eq(one));
        diesel::update(row).set(customers::erased_at.eq(Some(now.ms()))).execute(conn)?;
        forget(conn, one)?;
        super::tickets::forget_customer(conn, one)?;
    }
    unname(conn, erased_ids, &refs)?;
    tell(conn, &customer_ref, None, now)?;
    Ok(refs)
}

/// Takes the CRM's ids and the tickets of erased customers.
fn unname(conn: &mut AnyConnection, erased_ids: Option<&ErasedIds>, refs: &[String]) -> Result<(), DbError> {
    let named: Vec<(String, String, String)> = customers::table
        .filter(customers::customer_ref.eq_any(refs))
        .filter(customers::crm_id.not_like(format!("{}%", ErasedIds::PREFIX)))
        .select((customers::customer_ref, customers::source, customers::crm_id))
        .load(conn)?;
    for (customer_ref, source, crm_id) in named {
        let instead = match erased_ids {
            Some(erased_ids) => erased_ids.of(&source, &crm_id),
            None => format!("{}{customer_ref}", ErasedIds::PREFIX),
        };
        diesel::update(customers::table.filter(customers::customer_ref.eq(customer_ref)))
            .set(customers::crm_id.eq(instead))
            .execute(conn)?;
    }
    diesel::delete(ticket_links::table.filter(ticket_links::customer_ref.eq_any(refs))).execute(conn)?;
    Ok(())
}

/// Removes what is kept of a customer's data.
fn forget(conn: &mut AnyConnection, customer_ref: &str) -> Result<(), DbError> {
    diesel::delete(cards::table.filter(cards::customer_ref.eq(customer_ref))).execute(conn)?;
    diesel::delete(address_links::table.filter(address_links::customer_ref.eq(customer_ref)))
        .execute(conn)?;
    Ok(())
}

fn tell(
    conn: &mut AnyConnection,
    customer_ref: &str,
    into: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    if let AnyConnection::Postgres(conn) = conn {
        diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
            .bind::<diesel::sql_types::BigInt, _>(LIST_LOCK)
            .execute(conn)?;
    }
    let row = (
        customer_changes::at.eq(now.ms()),
        customer_changes::customer_ref.eq(customer_ref),
        customer_changes::into_ref.eq(into),
    );
    on_both!(conn, |conn| diesel::insert_into(customer_changes::table).values(row).execute(conn))?;
    Ok(())
}

/// The reference that stands for this one after all merges. None if there is no such reference or they run in circles.
pub(super) fn final_ref(conn: &mut AnyConnection, customer_ref: &str) -> Result<Option<String>, DbError> {
    let mut here = customer_ref.to_owned();
    for _ in 0..MERGES_MAX {
        let next: Option<Option<String>> = customers::table
            .filter(customers::customer_ref.eq(&here))
            .select(customers::merged_into)
            .first(conn)
            .optional()?;
        match next {
            None => return Ok(None),
            Some(None) => return Ok(Some(here)),
            Some(Some(next)) => here = next,
        }
    }
    Ok(None)
}

fn change((number, customer_ref, into): (i64, String, Option<String>)) -> Result<CustomerChange, DbError> {
    let wrong = |error: bridge_contract::TextError| DbError::Configuration(error.to_string());
    let change = match into {
        None => ChangeKind::Erased {},
        Some(into) => ChangeKind::Merged { into: CustomerRef::new(into).map_err(wrong)? },
    };
    Ok(CustomerChange {
        number: u64::try_from(number).unwrap_or(0),
        customer_ref: CustomerRef::new(customer_ref).map_err(wrong)?,
        change,
    })
}
