//! What the bridge has yet to be told of tickets that belong to a customer. Each event is written in the transaction of
//! the change that it tells of, and goes when the bridge has taken it.
//!
//! Only what the customer knows anyway is told: a change of assignee, queue or tags and an internal note leave no event,
//! not even by a changed time.

use bridge_contract::{
    AsOf, CustomerRef, TicketChange, TicketEvent, TicketLine, TicketNews, TicketPriority, TicketStatus,
    TicketSubject, TicketSummary, Version,
};
use diesel::prelude::*;
use service_kit::Timestamp;

use crate::domain::{CustomerState, Job, MessageKind, Status, TicketNumber};
use crate::error::TicketError;
use crate::store::schema::{messages, ticket_outbox};
use crate::store::tickets::TicketRecord;
use crate::store::{Scope, jobs};

/// Queues the event that follows from a stored change, if the bridge is to hear of it. `kind` is what listeners of live
/// updates are told.
pub(super) fn note(
    scope: &mut Scope<'_>,
    before: &TicketRecord,
    after: &TicketRecord,
    kind: &str,
) -> Result<(), TicketError> {
    if !scope.tells_bridge {
        return Ok(());
    }
    let news = match (&before.customer_ref, &after.customer_ref) {
        (None, None) => return Ok(()),
        (Some(old), None) => TicketNews::Withdrawn { customer_ref: reference(old)? },
        (old, Some(new)) => {
            let Some(change) = change(before, after, kind) else { return Ok(()) };
            let previous_ref =
                old.as_ref().filter(|old| *old != new).map(|old| reference(old)).transpose()?;
            let summary = summary(scope, after)?;
            TicketNews::Changed { change, customer_ref: reference(new)?, previous_ref, summary }
        }
    };
    let event = TicketEvent {
        version: Version,
        ticket: u64::try_from(after.number).unwrap_or(0),
        sequence: u64::try_from(after.version).unwrap_or(0),
        at: instant(scope.now.ms())?,
        news,
    };
    let text = serde_json::to_string(&event).map_err(|error| TicketError::Internal(error.to_string()))?;
    diesel::insert_into(ticket_outbox::table)
        .values((
            ticket_outbox::ticket.eq(after.number),
            ticket_outbox::sequence.eq(after.version),
            ticket_outbox::event.eq(text),
        ))
        .execute(scope.conn)?;
    jobs::enqueue_again(scope, &Job::TellBridge { ticket: after.number })
}

/// What the customer would say has happened; none if they would not have noticed.
fn change(before: &TicketRecord, after: &TicketRecord, kind: &str) -> Option<TicketChange> {
    if before.customer_ref != after.customer_ref {
        let known_at_once = before.customer_state == CustomerState::Pending;
        return Some(if known_at_once { TicketChange::Opened } else { TicketChange::Linked });
    }
    if before.status != after.status {
        let resolved = after.status == Status::Resolved;
        return Some(if resolved { TicketChange::Resolved } else { TicketChange::StatusChanged });
    }
    if kind == "answered" {
        return Some(TicketChange::Answered);
    }
    let same =
        (&before.subject, before.priority, before.line) == (&after.subject, after.priority, after.line);
    (!same).then_some(TicketChange::Changed)
}

fn summary(scope: &mut Scope<'_>, ticket: &TicketRecord) -> Result<TicketSummary, TicketError> {
    let wrong = |what: &str| TicketError::Internal(format!("the ticket's {what} does not fit the contract"));
    let line = u8::try_from(ticket.line.number()).ok().and_then(|line| TicketLine::try_from(line).ok());
    Ok(TicketSummary {
        subject: TicketSubject::new(ticket.subject.clone()).map_err(|_| wrong("subject"))?,
        status: TicketStatus::from_word(ticket.status.as_str()).ok_or_else(|| wrong("status"))?,
        priority: TicketPriority::from_word(ticket.priority.as_str()).ok_or_else(|| wrong("priority"))?,
        line: line.ok_or_else(|| wrong("line"))?,
        created_at: instant(ticket.created_at)?,
        // Not the ticket's own time, which an internal note moves.
        updated_at: instant(scope.now.ms())?,
        resolved_at: ticket.resolved_at.map(instant).transpose()?,
        rating: None,
        public_messages: public_messages(scope, ticket.number)?,
    })
}

/// Counted among the messages of one ticket, by its index.
fn public_messages(scope: &mut Scope<'_>, ticket: i64) -> Result<u32, TicketError> {
    let count: i64 = messages::table
        .filter(messages::ticket.eq(ticket).and(messages::kind.ne(MessageKind::Note.as_str())))
        .count()
        .get_result(scope.conn)?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

fn instant(ms: i64) -> Result<AsOf, TicketError> {
    AsOf::new(Timestamp::from_ms(ms).to_string()).map_err(|error| TicketError::Internal(error.to_string()))
}

fn reference(text: &str) -> Result<CustomerRef, TicketError> {
    CustomerRef::new(text).map_err(|error| TicketError::Internal(error.to_string()))
}

/// The oldest events of a ticket that the bridge has not taken, at most `limit`.
///
/// # Errors
/// [`TicketError::Database`]; [`TicketError::Internal`] for an event that this version can't read.
pub fn waiting(
    scope: &mut Scope<'_>,
    ticket: TicketNumber,
    limit: i64,
) -> Result<Vec<TicketEvent>, TicketError> {
    let texts: Vec<String> = ticket_outbox::table
        .filter(ticket_outbox::ticket.eq(ticket.0))
        .order(ticket_outbox::sequence)
        .limit(limit)
        .select(ticket_outbox::event)
        .load(scope.conn)?;
    let read = |text: String| {
        serde_json::from_str(&text).map_err(|error| TicketError::Internal(format!("an event: {error}")))
    };
    texts.into_iter().map(read).collect()
}

/// The bridge has taken this event.
pub fn taken(scope: &mut Scope<'_>, ticket: TicketNumber, sequence: u64) -> Result<(), TicketError> {
    let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
    let row = ticket_outbox::ticket.eq(ticket.0).and(ticket_outbox::sequence.eq(sequence));
    diesel::delete(ticket_outbox::table.filter(row)).execute(scope.conn)?;
    Ok(())
}

/// More waits than one run could tell: the job runs once more.
pub fn go_on(scope: &mut Scope<'_>, ticket: TicketNumber) -> Result<(), TicketError> {
    jobs::enqueue_again(scope, &Job::TellBridge { ticket: ticket.0 })
}
