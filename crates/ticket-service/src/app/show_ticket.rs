//! One ticket: its head, its messages, its history.

use crate::app::view::{Attachment, HistoryEntry, Message, Page, Ticket};
use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::{Actor, TicketNumber};
use crate::error::TicketError;
use crate::store::messages::MessageRecord;
use crate::store::{Scope, attachments, events, messages, tickets};

use service_kit::Personal;

/// The head of a ticket.
///
/// # Errors
/// [`TicketError::TicketNotFound`] if it does not exist for the actor.
pub async fn show_ticket(app: &App, actor: &Actor, number: TicketNumber) -> Result<Ticket, TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    app.store
        .read(actor, move |scope| tickets::find(scope, number).map(|row| Ticket::new(row, &scope.actor)))
        .await
}

/// One page of a ticket's messages, oldest first, after the message `cursor`.
///
/// # Errors
/// [`TicketError::TicketNotFound`] if it does not exist for the actor.
pub async fn list_messages(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    cursor: Option<String>,
    limit: usize,
) -> Result<Page<Message>, TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    app.store
        .read(actor, move |scope| {
            let row = tickets::find(scope, number)?;
            let mut records = messages::page(scope, &row.ticket, cursor.as_deref(), limit as i64 + 1)?;
            let more = records.len() > limit;
            records.truncate(limit);
            let next_cursor = if more { records.last().map(|record| record.id.clone()) } else { None };
            Ok(Page { items: with_attachments(scope, records)?, next_cursor })
        })
        .await
}

/// Notes that the actor has the ticket open.
///
/// # Errors
/// [`TicketError::TicketNotFound`] if it does not exist for the actor.
pub async fn mark_read(app: &App, actor: &Actor, number: TicketNumber) -> Result<(), TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    app.store
        .write(actor, move |scope| {
            tickets::find(scope, number)?;
            let now = scope.now;
            tickets::mark_read(scope, number, now)
        })
        .await
}

/// One page of a ticket's history, newest first, before the entry `cursor`.
///
/// # Errors
/// [`TicketError::TicketNotFound`] if it does not exist for the actor.
pub async fn list_history(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    cursor: Option<String>,
    limit: usize,
) -> Result<Page<HistoryEntry>, TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    app.store
        .read(actor, move |scope| {
            let row = tickets::find(scope, number)?;
            let records = events::page(scope, &row.ticket, cursor.as_deref(), limit as i64 + 1)?;
            let page = Page::cut(records, limit, |record| record.id.clone(), HistoryEntry::try_from);
            let items = page.items.into_iter().collect::<Result<_, _>>()?;
            Ok(Page { items, next_cursor: page.next_cursor })
        })
        .await
}

/// Messages with their files, read in one go.
pub(crate) fn with_attachments(
    scope: &mut Scope<'_>,
    records: Vec<MessageRecord>,
) -> Result<Vec<Message>, TicketError> {
    let ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
    let mut files = attachments::of_messages(scope, &ids)?;
    Ok(records
        .into_iter()
        .map(|record| {
            let (mine, rest) =
                files.drain(..).partition(|file| file.message_id.as_deref() == Some(&record.id));
            files = rest;
            let mine: Vec<attachments::AttachmentRecord> = mine;
            Message::new(record, mine.into_iter().map(Attachment::from).collect())
        })
        .collect())
}

impl From<attachments::AttachmentRecord> for Attachment {
    fn from(record: attachments::AttachmentRecord) -> Self {
        Self {
            id: record.id,
            name: Personal::new(record.name),
            media_type: record.media_type,
            bytes: record.bytes,
        }
    }
}
