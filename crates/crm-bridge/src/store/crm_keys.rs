//! Keys of the CRM, and the orders that came under them. Of a key's secret only its hash is kept; of an order only what
//! tells it from another.

use bridge_contract::{CustomerRef, OrderId};
use db_kit::{DbError, on_both};
use diesel::prelude::*;
use service_kit::Timestamp;

use super::schema::{crm_keys, crm_orders, customers};
use super::{Person, Store, customer_ref_of, link_ticket};

/// A key of the CRM.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = crm_keys)]
pub struct CrmKeyRow {
    /// Its id, which stands in front of the secret.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the secret.
    pub secret_hash: Vec<u8>,
    /// What it may do, separated by spaces.
    pub scopes: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used, to the minute.
    pub last_used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// What is known of an order that comes (again).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// It has to be carried out, under this id.
    Open(OrderId),
    /// It was carried out: the ticket's number.
    Done(i64),
    /// Another order came under this key.
    Mismatch,
}

/// An order as it comes.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// The caller's key.
    pub key_id: String,
    /// The caller's name for the order.
    pub idempotency_key: String,
    /// SHA-256 of what was ordered.
    pub fingerprint: String,
    /// The id to give it if it is new.
    pub order_id: OrderId,
    /// For whom.
    pub customer_ref: CustomerRef,
}

impl Store {
    /// Keeps a new key.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn insert_crm_key(&self, key: CrmKeyRow) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                diesel::insert_into(crm_keys::table).values(key).execute(conn)?;
                Ok(())
            })
            .await
    }

    /// All keys, oldest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn crm_keys(&self) -> Result<Vec<CrmKeyRow>, DbError> {
        self.database
            .read(|conn| Ok(crm_keys::table.order((crm_keys::created_at, crm_keys::id)).load(conn)?))
            .await
    }

    /// The key with this id, if it is not revoked.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn crm_key(&self, id: String) -> Result<Option<CrmKeyRow>, DbError> {
        self.database
            .read(move |conn| {
                let key = crm_keys::table.filter(crm_keys::id.eq(id).and(crm_keys::revoked_at.is_null()));
                Ok(key.get_result(conn).optional()?)
            })
            .await
    }

    /// Revokes a key; false if there is none that was not revoked.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn revoke_crm_key(&self, id: String, now: Timestamp) -> Result<bool, DbError> {
        self.database
            .write(move |conn| {
                let key = crm_keys::table.filter(crm_keys::id.eq(id).and(crm_keys::revoked_at.is_null()));
                Ok(diesel::update(key).set(crm_keys::revoked_at.eq(Some(now.ms()))).execute(conn)? == 1)
            })
            .await
    }

    /// The key was used.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn touch_crm_key(&self, id: String, now: Timestamp) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                diesel::update(crm_keys::table.filter(crm_keys::id.eq(id)))
                    .set(crm_keys::last_used_at.eq(Some(now.ms())))
                    .execute(conn)?;
                Ok(())
            })
            .await
    }

    /// The customer with this id of the CRM, if the bridge has a reference for them; true if they are
    /// erased or merged into another.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn customer_by_crm_id(
        &self,
        source: String,
        crm_id: String,
    ) -> Result<Option<(CustomerRef, bool)>, DbError> {
        let names = self.names(source);
        let ids: Vec<String> = [names.erased(&crm_id), Some(crm_id)].into_iter().flatten().collect();
        self.database
            .read(move |conn| {
                let found: Option<(String, bool)> = customers::table
                    .filter(customers::source.eq(names.source).and(customers::crm_id.eq_any(ids)))
                    .select((
                        customers::customer_ref,
                        customers::erased_at.is_not_null().or(customers::merged_into.is_not_null()),
                    ))
                    .get_result(conn)
                    .optional()?;
                let typed = |(text, erased)| Ok((CustomerRef::new(text).map_err(not_a_reference)?, erased));
                found.map(typed).transpose()
            })
            .await
    }

    /// The CRM has said that this customer exists: their reference, a new one if they had none.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn record_customer(
        &self,
        source: String,
        person: Person,
        now: Timestamp,
    ) -> Result<CustomerRef, DbError> {
        let names = self.names(source);
        self.database
            .write(move |conn| {
                let customer_ref = customer_ref_of(conn, &names, &person, now)?;
                CustomerRef::new(customer_ref).map_err(not_a_reference)
            })
            .await
    }

    /// Writes an order down before it is carried out, or says what became of it when it came before.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn begin_order(&self, new: NewOrder, now: Timestamp) -> Result<Order, DbError> {
        self.database
            .write(move |conn| {
                let row = (
                    crm_orders::key_id.eq(&new.key_id),
                    crm_orders::idempotency_key.eq(&new.idempotency_key),
                    crm_orders::fingerprint.eq(&new.fingerprint),
                    crm_orders::order_id.eq(new.order_id.as_str()),
                    crm_orders::customer_ref.eq(new.customer_ref.as_str()),
                    crm_orders::created_at.eq(now.ms()),
                );
                on_both!(conn, |conn| diesel::insert_into(crm_orders::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(conn))?;
                let same = crm_orders::key_id
                    .eq(&new.key_id)
                    .and(crm_orders::idempotency_key.eq(&new.idempotency_key));
                let (fingerprint, order_id, ticket): (String, String, Option<i64>) = crm_orders::table
                    .filter(same)
                    .select((crm_orders::fingerprint, crm_orders::order_id, crm_orders::ticket))
                    .get_result(conn)?;
                if fingerprint != new.fingerprint {
                    return Ok(Order::Mismatch);
                }
                let open = || {
                    OrderId::new(order_id)
                        .map(Order::Open)
                        .map_err(|error| DbError::Configuration(error.to_string()))
                };
                ticket.map_or_else(open, |ticket| Ok(Order::Done(ticket)))
            })
            .await
    }

    /// The order was carried out: from now on this customer's card may be shown for the ticket.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn finish_order(&self, order: NewOrder, ticket: i64, now: Timestamp) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let mine = crm_orders::key_id
                    .eq(&order.key_id)
                    .and(crm_orders::idempotency_key.eq(&order.idempotency_key));
                // An event of this ticket may have been believed on the word of another order of this customer; that one vouches
                // for what was believed on the word of this one.
                let vouched: Option<Option<i64>> =
                    crm_orders::table.filter(mine).select(crm_orders::adopted).get_result(conn).optional()?;
                let theirs = crm_orders::customer_ref
                    .eq(order.customer_ref.as_str())
                    .and(crm_orders::adopted.eq(Some(ticket)));
                diesel::update(crm_orders::table.filter(theirs))
                    .set(crm_orders::adopted.eq(vouched.flatten()))
                    .execute(conn)?;
                diesel::update(crm_orders::table.filter(mine))
                    .set((crm_orders::ticket.eq(Some(ticket)), crm_orders::adopted.eq(Some(ticket))))
                    .execute(conn)?;
                link_ticket(conn, ticket, order.customer_ref.as_str(), now)
            })
            .await
    }

    /// The order can't be carried out as it is; a corrected one may come under the same name.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn drop_order(&self, order: NewOrder) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let mine = crm_orders::key_id
                    .eq(&order.key_id)
                    .and(crm_orders::idempotency_key.eq(&order.idempotency_key))
                    .and(crm_orders::ticket.is_null());
                diesel::delete(crm_orders::table.filter(mine)).execute(conn)?;
                Ok(())
            })
            .await
    }

    /// Forgets orders from before that instant.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn forget_orders_before(&self, instant: Timestamp) -> Result<usize, DbError> {
        self.database
            .write(move |conn| {
                let old = crm_orders::table.filter(crm_orders::created_at.lt(instant.ms()));
                Ok(diesel::delete(old).execute(conn)?)
            })
            .await
    }
}

fn not_a_reference(error: bridge_contract::TextError) -> DbError {
    DbError::Configuration(error.to_string())
}
