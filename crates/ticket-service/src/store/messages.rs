//! Messages of a ticket. Whoever calls has found the ticket within the actor's reach first.

use diesel::prelude::*;

use crate::domain::{Channel, MessageKind, TicketNumber};
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::schema::messages;
use crate::store::tickets::TicketRecord;

/// A message as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = messages)]
pub struct MessageRecord {
    /// The id; sorts by time.
    pub id: String,
    /// The ticket's number.
    pub ticket: i64,
    /// Request, answer or note.
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub kind: MessageKind,
    /// Which operator wrote it, if one did.
    pub operator_id: Option<String>,
    /// The author's name at that time.
    pub author_name: String,
    /// Sanitised HTML.
    pub html: String,
    /// The same as plain text.
    pub plain: String,
    /// How it came in or went out.
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub channel: Channel,
    /// When.
    pub created_at: i64,
}

/// Stores a message.
pub fn insert(scope: &mut Scope<'_>, message: &MessageRecord) -> Result<(), TicketError> {
    diesel::insert_into(messages::table).values(message.clone()).execute(scope.conn)?;
    Ok(())
}

/// Messages of a ticket that the actor has found, oldest first, after the message `after`.
pub fn page(
    scope: &mut Scope<'_>,
    ticket: &TicketRecord,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<MessageRecord>, TicketError> {
    Ok(messages::table
        .filter(messages::ticket.eq(ticket.number).and(messages::id.gt(after.unwrap_or_default())))
        .order(messages::id)
        .limit(limit)
        .select(MessageRecord::as_select())
        .load(scope.conn)?)
}

/// The message with this id, if it belongs to this ticket.
///
/// # Errors
/// [`TicketError::NotFound`].
pub fn find(scope: &mut Scope<'_>, ticket: TicketNumber, id: &str) -> Result<MessageRecord, TicketError> {
    messages::table
        .filter(messages::ticket.eq(ticket.0).and(messages::id.eq(id)))
        .select(MessageRecord::as_select())
        .get_result(scope.conn)
        .optional()?
        .ok_or(TicketError::NotFound("message"))
}
