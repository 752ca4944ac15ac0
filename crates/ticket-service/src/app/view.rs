//! What the API shows of tickets: one shape per screen, made from records in one place.

use serde::{Deserialize, Serialize};
use service_kit::{Personal, Timestamp};
use utoipa::ToSchema;

use crate::domain::life_cycle;
use crate::domain::text::initials;
use crate::domain::{Actor, Channel, CustomerState, Line, MessageKind, Priority, Status};
use crate::error::TicketError;
use crate::store::events::{EventRecord, FieldChange};
use crate::store::messages::MessageRecord;
use crate::store::queues::QueueRecord;
use crate::store::tickets::TicketRow;

/// An operator as colleagues see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The operator's id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// At most two letters.
    pub initials: String,
}

impl Person {
    /// A person with the initials of their name.
    pub fn new(id: String, name: String) -> Self {
        let initials = initials(&name);
        Self { id, name, initials }
    }
}

/// A queue as a ticket names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TicketQueue)]
pub struct QueueName {
    /// The queue's id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// Its place in lists, from 0.
    pub position: i32,
    /// Whether new tickets may go there.
    pub active: bool,
}

impl From<QueueRecord> for Queue {
    fn from(record: QueueRecord) -> Self {
        Self { id: record.id, name: record.name, position: record.position, active: record.active }
    }
}

/// Who asks, as a list shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequesterName {
    /// Their name as they wrote it.
    #[schema(value_type = String)]
    pub name: Personal<String>,
}

/// Who asks: what they themselves told support.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Requester {
    /// The id.
    pub id: String,
    /// Their name as they wrote it.
    #[schema(value_type = String)]
    pub name: Personal<String>,
    /// The address to answer to.
    #[schema(value_type = String)]
    pub email: Personal<String>,
    /// A phone number, if they gave one.
    #[schema(value_type = Option<String>)]
    pub phone: Option<Personal<String>>,
}

/// A ticket as a row of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketSummary {
    /// Its number.
    pub number: i64,
    /// What it is about.
    #[schema(value_type = String)]
    pub subject: Personal<String>,
    /// Where it stands.
    pub status: Status,
    /// How much it matters.
    pub priority: Priority,
    /// The line that works on it.
    pub line: Line,
    /// Its queue.
    pub queue: QueueName,
    /// Who works on it.
    pub assignee: Option<Person>,
    /// Who asked.
    pub requester: RequesterName,
    /// How it came in.
    pub channel: Channel,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When anything about it last changed, other than what the CRM says about its customer.
    pub updated_at: Timestamp,
    /// When the last message was written.
    pub last_message_at: Timestamp,
    /// Whether the requester wrote after you last had it open.
    pub unread: bool,
    /// Counts its changes; the ETag.
    pub version: i64,
}

impl From<TicketRow> for TicketSummary {
    fn from(row: TicketRow) -> Self {
        let ticket = row.ticket;
        let tags = ticket.tag_list();
        let assignee = ticket.assignee_id.zip(row.assignee_name).map(|(id, name)| Person::new(id, name));
        Self {
            number: ticket.number,
            subject: Personal::new(ticket.subject),
            status: ticket.status,
            priority: ticket.priority,
            line: ticket.line,
            queue: QueueName { id: ticket.queue_id, name: row.queue_name },
            assignee,
            requester: RequesterName { name: Personal::new(row.requester.name) },
            channel: ticket.channel,
            tags,
            created_at: Timestamp::from_ms(ticket.created_at),
            updated_at: Timestamp::from_ms(ticket.updated_at),
            last_message_at: Timestamp::from_ms(ticket.last_message_at),
            unread: row.seen_at.is_none_or(|seen| seen < ticket.last_request_at),
            version: ticket.version,
        }
    }
}

/// What is known about the customer behind the requester. The card itself has its own address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomerLink {
    /// How far the question has come.
    pub state: CustomerState,
}

/// A ticket as the head of its conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// Its number.
    pub number: i64,
    /// What it is about.
    #[schema(value_type = String)]
    pub subject: Personal<String>,
    /// Where it stands.
    pub status: Status,
    /// How much it matters.
    pub priority: Priority,
    /// The line that works on it.
    pub line: Line,
    /// Its queue.
    pub queue: QueueName,
    /// Who works on it.
    pub assignee: Option<Person>,
    /// Who asked.
    pub requester: Requester,
    /// How it came in.
    pub channel: Channel,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When anything about it last changed, other than what the CRM says about its customer.
    pub updated_at: Timestamp,
    /// When the last message was written.
    pub last_message_at: Timestamp,
    /// When it was resolved, if it is.
    pub resolved_at: Option<Timestamp>,
    /// What is known about the customer.
    pub customer: CustomerLink,
    /// Where you may move it from here.
    pub allowed_moves: Vec<Status>,
    /// Counts its changes; the ETag.
    pub version: i64,
}

impl Ticket {
    /// The ticket as this actor sees it.
    pub fn new(row: TicketRow, actor: &Actor) -> Self {
        let allowed_moves = life_cycle::moves_from(row.ticket.status, actor.mover());
        let customer = CustomerLink { state: row.ticket.customer_state };
        let resolved_at = row.ticket.resolved_at.map(Timestamp::from_ms);
        let requester = Requester {
            id: row.requester.id.clone(),
            name: Personal::new(row.requester.name.clone()),
            email: Personal::new(row.requester.email.clone()),
            phone: row.requester.phone.clone().map(Personal::new),
        };
        let summary = TicketSummary::from(row);
        Self {
            number: summary.number,
            subject: summary.subject,
            status: summary.status,
            priority: summary.priority,
            line: summary.line,
            queue: summary.queue,
            assignee: summary.assignee,
            requester,
            channel: summary.channel,
            tags: summary.tags,
            created_at: summary.created_at,
            updated_at: summary.updated_at,
            last_message_at: summary.last_message_at,
            resolved_at,
            customer,
            allowed_moves,
            version: summary.version,
        }
    }
}

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Author {
    /// Whether it was the requester, an operator, or a program.
    pub kind: AuthorKind,
    /// The operator's id.
    pub id: Option<String>,
    /// The name at that time.
    #[schema(value_type = String)]
    pub name: Personal<String>,
    /// At most two letters.
    pub initials: String,
}

/// What kind of author wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthorKind {
    /// The person who asked.
    Requester,
    /// A person of support.
    Operator,
    /// A program.
    System,
}

/// A file that came with a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    /// The id, for `GET /attachments/{id}`.
    pub id: String,
    /// Its name.
    #[schema(value_type = String)]
    pub name: Personal<String>,
    /// What its content looks like (sniffed, not believed).
    pub media_type: String,
    /// Its size.
    pub bytes: i64,
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// The id; sorts by time.
    pub id: String,
    /// Request, answer or internal note.
    pub kind: MessageKind,
    /// Who wrote it.
    pub author: Author,
    /// Sanitised HTML.
    #[schema(value_type = String)]
    pub html: Personal<String>,
    /// The same as plain text.
    #[schema(value_type = String)]
    pub text: Personal<String>,
    /// How it came in or went out.
    pub channel: Channel,
    /// When.
    pub created_at: Timestamp,
    /// Its files.
    pub attachments: Vec<Attachment>,
}

impl Message {
    /// A message with its files.
    pub fn new(record: MessageRecord, attachments: Vec<Attachment>) -> Self {
        let kind = match (record.kind, &record.operator_id) {
            (MessageKind::Request, _) => AuthorKind::Requester,
            (_, Some(_)) => AuthorKind::Operator,
            (_, None) => AuthorKind::System,
        };
        let initials = initials(&record.author_name);
        Self {
            id: record.id,
            kind: record.kind,
            author: Author {
                kind,
                id: record.operator_id,
                name: Personal::new(record.author_name),
                initials,
            },
            html: Personal::new(record.html),
            text: Personal::new(record.plain),
            channel: record.channel,
            created_at: Timestamp::from_ms(record.created_at),
            attachments,
        }
    }
}

/// An entry of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// The id; sorts by time.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: HistoryActor,
    /// What happened: `opened`, `changed`, `answered`, `noted`, `handed_over`, `customer_linked`, …
    pub kind: String,
    /// What changed, from what to what.
    #[schema(value_type = Vec<FieldChange>)]
    pub changes: Personal<Vec<FieldChange>>,
    /// What somebody wrote about it.
    #[schema(value_type = Option<String>)]
    pub note: Option<Personal<String>>,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryActor {
    /// `operator`, `api_key`, `requester` or `system`.
    pub kind: String,
    /// The name at that time.
    pub name: String,
}

impl TryFrom<EventRecord> for HistoryEntry {
    type Error = TicketError;

    fn try_from(record: EventRecord) -> Result<Self, TicketError> {
        let changes = serde_json::from_str(&record.changes)
            .map_err(|error| TicketError::Internal(format!("history entry {}: {error}", record.id)))?;
        Ok(Self {
            id: record.id,
            at: Timestamp::from_ms(record.at),
            actor: HistoryActor { kind: record.actor_kind, name: record.actor_name },
            kind: record.kind,
            changes: Personal::new(changes),
            note: record.note.map(Personal::new),
        })
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Pass it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page from rows that were read one further than `limit`; `cursor_of` makes the cursor from the last row shown.
    pub fn cut<R>(
        mut rows: Vec<R>,
        limit: usize,
        cursor_of: impl FnOnce(&R) -> String,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(cursor_of) } else { None };
        Self { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}
