//! The three tables, and how their rows become entries.
#![allow(
    missing_docs,
    clippy::allow_attributes,
    reason = "the macro emits public items without doc comments"
)]

use audit_chain::{Details, Digest, Entry, Link, Opening, Salt, Seal, StoredLink};
use db_kit::{AnyConnection, FixedSql, on_both};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

diesel::table! {
    audit_log (seq) {
        seq -> BigInt,
        at -> BigInt,
        actor -> Text,
        action -> Text,
        ticket -> Nullable<BigInt>,
        customer_ref -> Nullable<Text>,
        ref_salt -> Nullable<Text>,
        ref_seal -> Nullable<Text>,
        details -> Text,
        policy -> Nullable<Text>,
        request_id -> Text,
        hash -> Text,
        mac -> Text,
    }
}

diesel::table! {
    audit_head (id) {
        id -> BigInt,
        service -> Text,
        chain -> Text,
        key -> Text,
        seq -> BigInt,
        hash -> Text,
        mac -> Text,
    }
}

diesel::table! {
    audit_customers (customer_ref, block) {
        customer_ref -> Text,
        block -> BigInt,
    }
}

/// Entries of a block: so many are looked through for a customer at once. The migrations know the number, too.
const BLOCK: i64 = 256;

/// The numbers of a block's entries.
pub(crate) fn of_block(block: i64) -> (i64, i64) {
    (block.saturating_mul(BLOCK), block.saturating_mul(BLOCK).saturating_add(BLOCK - 1))
}

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_log)]
pub(crate) struct Row {
    pub(crate) seq: i64,
    at: i64,
    actor: String,
    action: String,
    ticket: Option<i64>,
    customer_ref: Option<String>,
    ref_salt: Option<String>,
    ref_seal: Option<String>,
    details: String,
    policy: Option<String>,
    request_id: String,
    hash: String,
    mac: String,
}

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_head)]
pub(crate) struct HeadRow {
    pub(crate) id: i64,
    pub(crate) service: String,
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) seq: i64,
    pub(crate) hash: String,
    pub(crate) mac: String,
}

/// What a database says that is no digest fits nothing, and so it shall be.
fn digest(text: &str) -> Digest {
    text.parse().unwrap_or(Digest([0; 32]))
}

impl HeadRow {
    pub(crate) fn link(&self) -> Link {
        Link { seq: self.seq, hash: digest(&self.hash), mac: digest(&self.mac) }
    }
}

impl Row {
    pub(crate) fn new(entry: &Entry, link: &Link) -> Self {
        let opening = entry.customer.as_ref().and_then(|seal| seal.opening.as_ref());
        Self {
            seq: entry.seq,
            at: entry.at_ms,
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            ticket: entry.ticket,
            customer_ref: opening.map(|opening| opening.value.clone()),
            ref_salt: opening.map(|opening| opening.salt.to_string()),
            ref_seal: entry.customer.as_ref().map(|seal| seal.commitment.to_string()),
            details: entry.details.as_str().to_owned(),
            policy: entry.policy.clone(),
            request_id: entry.request_id.clone(),
            hash: link.hash.to_string(),
            mac: link.mac.to_string(),
        }
    }

    /// Adds it to the table.
    pub(crate) fn insert(&self, conn: &mut AnyConnection) -> QueryResult<usize> {
        let insert = FixedSql {
            before: "INSERT INTO audit_log (seq, at, actor, action, ticket, customer_ref, ref_salt, ref_seal, details, \
                     policy, request_id, hash, mac) VALUES (",
            values: (
                self.seq.into_sql::<BigInt>(),
                self.at.into_sql::<BigInt>(),
                self.actor.as_str().into_sql::<Text>(),
                self.action.as_str().into_sql::<Text>(),
                self.ticket.into_sql::<Nullable<BigInt>>(),
                self.customer_ref.as_deref().into_sql::<Nullable<Text>>(),
                self.ref_salt.as_deref().into_sql::<Nullable<Text>>(),
                self.ref_seal.as_deref().into_sql::<Nullable<Text>>(),
                self.details.as_str().into_sql::<Text>(),
                self.policy.as_deref().into_sql::<Nullable<Text>>(),
                self.request_id.as_str().into_sql::<Text>(),
                self.hash.as_str().into_sql::<Text>(),
                self.mac.as_str().into_sql::<Text>(),
            ),
            after: ")",
        };
        on_both!(conn, |conn| insert.execute(conn))
    }

    /// Where it will be looked for when its customer is erased.
    pub(crate) fn place(&self) -> Option<(&str, i64)> {
        Some((self.customer_ref.as_deref()?, self.seq.div_euclid(BLOCK)))
    }

    /// The entry, and what stands beside it.
    pub(crate) fn read(self) -> (Entry, StoredLink) {
        let opening = match (self.customer_ref, self.ref_salt) {
            (None, None) => None,
            (value, salt) => Some(Opening {
                value: value.unwrap_or_default(),
                salt: salt.and_then(|salt| salt.parse().ok()).unwrap_or(Salt([0; 16])),
            }),
        };
        let customer = match (self.ref_seal, opening) {
            (None, None) => None,
            (seal, opening) => {
                Some(Seal { commitment: seal.map_or(Digest([0; 32]), |seal| digest(&seal)), opening })
            }
        };
        let entry = Entry {
            seq: self.seq,
            at_ms: self.at,
            actor: self.actor,
            action: self.action,
            ticket: self.ticket,
            customer,
            details: Details::stored(self.details),
            policy: self.policy,
            request_id: self.request_id,
        };
        (entry, StoredLink { hash: digest(&self.hash), mac: Some(digest(&self.mac)) })
    }
}
