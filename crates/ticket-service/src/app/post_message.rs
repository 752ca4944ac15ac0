//! Answers and internal notes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::attachments::refuse_too_many;
use crate::app::change_ticket::{Names, difference, refuse_wrong_move, save, show_after};
use crate::app::show_ticket::with_attachments;
use crate::app::view::{Message, Ticket};
use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::html::MessageBody;
use crate::domain::life_cycle;
use crate::domain::{Actor, Channel, MessageKind, Status, TicketNumber};
use crate::error::TicketError;
use crate::store::idempotency::{IdempotencyKey, once};
use crate::store::messages::MessageRecord;
use crate::store::tickets::TicketRow;
use crate::store::{Scope, attachments, events, messages, search, tickets};

/// A message to write.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// An answer to the requester, or a note for colleagues.
    pub kind: WrittenKind,
    /// The text.
    pub body: MessageBody,
    /// Uploaded files that go with it.
    pub attachment_ids: Vec<String>,
    /// The status that the ticket should have afterwards.
    pub then_status: Option<Status>,
    /// The newest message that the writer has seen; if the requester wrote after it, nothing is sent.
    pub seen_message_id: Option<String>,
}

/// What operators write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrittenKind {
    /// To the requester.
    Answer,
    /// For colleagues only.
    Note,
}

/// A written message and the ticket after it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PostedMessage {
    /// The message.
    pub message: Message,
    /// The ticket.
    pub ticket: Ticket,
}

/// Writes an answer or a note. Whoever answers a ticket that nobody has, takes it.
///
/// # Errors
/// [`TicketError::UnseenMessages`] if the requester wrote meanwhile, [`TicketError::MoveRefused`] by the life cycle,
/// [`TicketError::Invalid`] for a foreign file, [`TicketError::TicketNotFound`].
pub async fn post_message(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    new: NewMessage,
    key: Option<IdempotencyKey>,
) -> Result<PostedMessage, TicketError> {
    permit::scope(actor, KeyScope::TicketsWrite)?;
    refuse_too_many(app, &new.attachment_ids)?;
    app.store.write(actor, move |scope| once(scope, key.as_ref(), |scope| post(scope, number, &new))).await
}

fn post(scope: &mut Scope<'_>, number: TicketNumber, new: &NewMessage) -> Result<PostedMessage, TicketError> {
    let row = tickets::find(scope, number)?;
    refuse_unseen(scope, &row, new)?;
    let record = MessageRecord {
        id: scope.new_id("msg"),
        ticket: number.0,
        kind: match new.kind {
            WrittenKind::Answer => MessageKind::Answer,
            WrittenKind::Note => MessageKind::Note,
        },
        operator_id: scope.actor.operator_id().map(str::to_owned),
        author_name: scope.actor.name.clone(),
        html: new.body.html.clone(),
        plain: new.body.plain.clone(),
        channel: if scope.actor.operator_id().is_some() { Channel::Operator } else { Channel::Api },
        created_at: scope.now.ms(),
    };
    messages::insert(scope, &record)?;
    attachments::attach(scope, &new.attachment_ids, number, &record.id)?;
    search::append(scope, number, &record.plain)?;
    let ticket = change_with_message(scope, row, new)?;
    let now = scope.now;
    tickets::mark_read(scope, number, now)?;
    let message = with_attachments(scope, vec![record])?.pop();
    let message = message.ok_or_else(|| TicketError::Internal("the message just written is gone".into()))?;
    Ok(PostedMessage { message, ticket })
}

fn change_with_message(
    scope: &mut Scope<'_>,
    row: TicketRow,
    new: &NewMessage,
) -> Result<Ticket, TicketError> {
    let mut after = row.ticket.clone();
    after.last_message_at = scope.now.ms();
    let mut names = Names { queue: row.queue_name.clone(), assignee: row.assignee_name.clone() };
    if new.kind == WrittenKind::Answer {
        after.status = life_cycle::after_answer(after.status);
        if after.assignee_id.is_none()
            && let Some(me) = scope.actor.operator_id()
        {
            after.assignee_id = Some(me.to_owned());
            names.assignee = Some(scope.actor.name.clone());
        }
    }
    if let Some(status) = new.then_status {
        refuse_wrong_move(&scope.actor, row.ticket.status, status)?;
        after.status = status;
    }
    let (kind, event) = match new.kind {
        WrittenKind::Answer => ("answered", "answered"),
        WrittenKind::Note => ("noted", "noted"),
    };
    let difference = difference(&row, &after, &names);
    let number = row.ticket.ticket_number();
    let after = save(scope, &row.ticket, after, kind)?;
    events::record(scope, number, event, &difference, None)?;
    Ok(show_after(scope, row, after, names))
}

/// Nothing is sent past a message of the requester that the writer has not seen.
fn refuse_unseen(scope: &mut Scope<'_>, row: &TicketRow, new: &NewMessage) -> Result<(), TicketError> {
    let (Some(seen), WrittenKind::Answer) = (&new.seen_message_id, new.kind) else { return Ok(()) };
    let newer = messages::page(scope, &row.ticket, Some(seen), 20)?;
    let newer: Vec<_> = newer.into_iter().filter(|message| message.kind == MessageKind::Request).collect();
    if newer.is_empty() {
        return Ok(());
    }
    let shown = serde_json::to_value(with_attachments(scope, newer)?).unwrap_or_default();
    Err(TicketError::UnseenMessages(Box::new(shown)))
}
