//! The audit log: reading it, on the record, and how it stands.

pub mod heads;
pub mod records;

use audit_log::Filter;
use audit_log::chain::Entry;
use serde::Serialize;
use service_kit::Timestamp;
use utoipa::ToSchema;

use crate::app::view::Page;
use crate::app::{App, permit};
use crate::domain::Actor;
use crate::domain::audit::Deed;
use crate::error::TicketError;
use crate::store::{Scope, audit};

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its number: 1, 2, 3 … without a gap.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who: the id of an operator or API key, or `system`, `public`, `crm-bridge`.
    pub actor: String,
    /// What, such as `operator.changed`.
    pub action: String,
    /// For which ticket.
    pub ticket: Option<i64>,
    /// To which customer, by the opaque reference; none if it is about none, or the customer was erased.
    pub customer_ref: Option<String>,
    /// Whether the reference was here and has been erased.
    pub erased: bool,
    /// More: names and counts, never texts.
    pub details: Vec<AuditDetail>,
    /// The request, to find it in other logs.
    pub request_id: String,
}

/// One word about a deed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditDetail {
    /// What it is about.
    pub key: String,
    /// The word.
    pub value: String,
}

/// How the log stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditState {
    /// How many entries there are.
    pub entries: i64,
    /// When `ticket-service audit verify` last went along the log.
    pub verified_at: Option<Timestamp>,
    /// What it said: whether the log is unaltered (`yes`, `no`),
    pub unaltered: Option<String>,
    /// and whether it is complete (`yes`, `no`, `not_proven`).
    pub complete: Option<String>,
    /// When the bridge last countersigned this log.
    pub countersigned_at: Option<Timestamp>,
    /// Up to which entry.
    pub countersigned_seq: Option<i64>,
    /// The public key of this log, to check exports with.
    pub public_key: String,
}

impl From<Entry> for AuditEntry {
    fn from(entry: Entry) -> Self {
        let opening = entry.customer.as_ref().and_then(|seal| seal.opening.as_ref());
        let word = |(key, value): (&str, &str)| AuditDetail { key: key.to_owned(), value: value.to_owned() };
        Self {
            seq: entry.seq,
            at: Timestamp::from_ms(entry.at_ms),
            ticket: entry.ticket,
            customer_ref: opening.map(|opening| opening.value.clone()),
            erased: entry.customer.is_some() && opening.is_none(),
            details: entry.details.words().map(word).collect(),
            actor: entry.actor,
            action: entry.action,
            request_id: entry.request_id,
        }
    }
}

/// Entries, the newest first. That somebody reads them is an entry, too.
///
/// # Errors
/// [`TicketError::Forbidden`] for all but supervisors and administrators.
pub async fn list(
    app: &App,
    actor: &Actor,
    filter: Filter,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<AuditEntry>, TicketError> {
    permit::overseer(actor)?;
    let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let read = move |scope: &mut Scope<'_>| {
        audit::record(scope, Deed::AuditRead, |event| {
            let by = [("actor", &filter.actor), ("action", &filter.action)];
            let event = by.into_iter().fold(event, |event, (key, value)| match value {
                Some(value) => event.with(key, value),
                None => event,
            });
            match filter.ticket {
                Some(ticket) => event.ticket(ticket),
                None => event,
            }
        });
        audit::page(scope, &filter, before, rows)
    };
    let entries = app.store.write(actor, read).await?;
    let page = Page::cut(entries, limit, |entry| entry.seq.to_string(), AuditEntry::from);
    Ok(page)
}

/// How the log stands: when it was last checked, and how far the bridge vouches for it.
///
/// # Errors
/// [`TicketError::Forbidden`] for all but supervisors and administrators.
pub async fn state(app: &App, actor: &Actor) -> Result<AuditState, TicketError> {
    permit::overseer(actor)?;
    let public_key = app.store.audit_key().to_string();
    app.store
        .read(actor, move |scope| {
            let verified = audit::newest(scope, Deed::AuditVerified)?;
            let countersigned = audit::newest(scope, Deed::Countersigned)?;
            let said = |key| verified.as_ref().and_then(|entry| entry.details.get(key)).map(str::to_owned);
            let seq = countersigned.as_ref().and_then(|entry| entry.details.get("seen_seq"));
            Ok(AuditState {
                entries: audit::length(scope)?,
                verified_at: verified.as_ref().map(|entry| Timestamp::from_ms(entry.at_ms)),
                unaltered: said("unaltered"),
                complete: said("complete"),
                countersigned_at: countersigned.as_ref().map(|entry| Timestamp::from_ms(entry.at_ms)),
                countersigned_seq: seq.and_then(|seq| seq.parse().ok()),
                public_key,
            })
        })
        .await
}
