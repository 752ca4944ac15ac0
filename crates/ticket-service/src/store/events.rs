//! The history of a ticket: one row per change, never altered.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Caller, TicketNumber};
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::schema::ticket_events;
use crate::store::tickets::TicketRecord;

/// One member that changed, as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldChange {
    /// Which member, such as `status`.
    pub field: String,
    /// What it was.
    pub from: Option<String>,
    /// What it is.
    pub to: Option<String>,
}

impl FieldChange {
    /// A change, unless nothing changed.
    pub fn between(field: &str, from: Option<String>, to: Option<String>) -> Option<Self> {
        (from != to).then(|| Self { field: field.to_owned(), from, to })
    }
}

/// An entry of the history as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = ticket_events)]
pub struct EventRecord {
    /// The id; sorts by time.
    pub id: String,
    /// The ticket's number.
    pub ticket: i64,
    /// When.
    pub at: i64,
    /// `operator`, `api_key`, `requester` or `system`.
    pub actor_kind: String,
    /// The name at that time.
    pub actor_name: String,
    /// What happened, such as `opened` or `handed_over`.
    pub kind: String,
    /// A JSON list of [`FieldChange`].
    pub changes: String,
    /// What somebody wrote about it, such as the reason of a hand-over.
    pub note: Option<String>,
}

/// Writes an entry on behalf of the actor.
pub fn record(
    scope: &mut Scope<'_>,
    ticket: TicketNumber,
    kind: &str,
    changes: &[FieldChange],
    note: Option<String>,
) -> Result<(), TicketError> {
    let actor_kind = match scope.actor.caller {
        Caller::Operator { .. } => "operator",
        Caller::ApiKey { .. } => "api_key",
        Caller::Public => "requester",
        Caller::System => "system",
    };
    let changes = serde_json::to_string(changes).map_err(|error| TicketError::Internal(error.to_string()))?;
    let event = EventRecord {
        id: scope.new_id("evt"),
        ticket: ticket.0,
        at: scope.now.ms(),
        actor_kind: actor_kind.to_owned(),
        actor_name: scope.actor.name.clone(),
        kind: kind.to_owned(),
        changes,
        note,
    };
    diesel::insert_into(ticket_events::table).values(event).execute(scope.conn)?;
    Ok(())
}

/// The history of a ticket that the actor has found, newest first, before the entry `before`.
pub fn page(
    scope: &mut Scope<'_>,
    ticket: &TicketRecord,
    before: Option<&str>,
    limit: i64,
) -> Result<Vec<EventRecord>, TicketError> {
    let mut events = ticket_events::table
        .filter(ticket_events::ticket.eq(ticket.number))
        .into_boxed::<db_kit::MultiBackend>();
    if let Some(before) = before {
        events = events.filter(ticket_events::id.lt(before.to_owned()));
    }
    Ok(events
        .order(ticket_events::id.desc())
        .limit(limit)
        .select(EventRecord::as_select())
        .load(scope.conn)?)
}
