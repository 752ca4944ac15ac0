//! Files that came with messages: the rows. The bytes are on disk, or wherever the file store keeps them.
//!
//! A file belongs to its uploader until its message is sent; from then on the ticket decides who may read it.

use db_kit::MultiBackend;
use diesel::prelude::*;

use crate::domain::TicketNumber;
use crate::error::TicketError;
use crate::store::schema::attachments;
use crate::store::{Scope, tickets};

/// A file as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = attachments)]
pub struct AttachmentRecord {
    /// The id.
    pub id: String,
    /// The ticket, once its message is sent.
    pub ticket: Option<i64>,
    /// The message, once it is sent.
    pub message_id: Option<String>,
    /// The caller who uploaded it.
    pub uploaded_by: String,
    /// Its cleaned name.
    pub name: String,
    /// What its content looks like.
    pub media_type: String,
    /// Its size.
    pub bytes: i64,
    /// SHA-256 of its content in hexadecimal.
    pub sha256: String,
    /// When it was uploaded.
    pub created_at: i64,
}

/// Stores the row of an uploaded file.
pub fn insert(scope: &mut Scope<'_>, attachment: &AttachmentRecord) -> Result<(), TicketError> {
    diesel::insert_into(attachments::table).values(attachment.clone()).execute(scope.conn)?;
    Ok(())
}

/// The file with this id, if the actor may see its ticket or, before it is sent, uploaded it.
///
/// # Errors
/// [`TicketError::NotFound`].
pub fn find(scope: &mut Scope<'_>, id: &str) -> Result<AttachmentRecord, TicketError> {
    const NOT_FOUND: TicketError = TicketError::NotFound("attachment");
    let record = attachments::table
        .filter(attachments::id.eq(id))
        .select(AttachmentRecord::as_select())
        .get_result(scope.conn)
        .optional()?
        .ok_or(NOT_FOUND)?;
    match record.ticket {
        Some(number) => {
            tickets::find(scope, TicketNumber(number)).map_err(|error| match error {
                TicketError::TicketNotFound(_) => NOT_FOUND,
                other => other,
            })?;
        }
        None if record.uploaded_by != scope.actor.caller_key() => return Err(NOT_FOUND),
        None => {}
    }
    Ok(record)
}

/// Binds files that the actor uploaded to the message that is being sent.
///
/// # Errors
/// [`TicketError::Invalid`] if one of them is not the actor's or has been sent before.
pub fn attach(
    scope: &mut Scope<'_>,
    ids: &[String],
    ticket: TicketNumber,
    message_id: &str,
) -> Result<Vec<AttachmentRecord>, TicketError> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let caller = scope.actor.caller_key().to_owned();
    let mine = attachments::id
        .eq_any(ids.to_vec())
        .and(attachments::uploaded_by.eq(caller))
        .and(attachments::message_id.is_null());
    let bound = diesel::update(attachments::table.filter(mine))
        .set((attachments::ticket.eq(ticket.0), attachments::message_id.eq(message_id)))
        .execute(scope.conn)?;
    if bound != ids.len() {
        let message = "names a file that you have not uploaded or have sent before; upload it again";
        return Err(TicketError::invalid("attachment_ids", message));
    }
    of_messages(scope, &[message_id.to_owned()])
}

/// The files of these messages, of a ticket that the actor has found.
pub fn of_messages(
    scope: &mut Scope<'_>,
    message_ids: &[String],
) -> Result<Vec<AttachmentRecord>, TicketError> {
    if message_ids.is_empty() {
        return Ok(vec![]);
    }
    Ok(attachments::table
        .into_boxed::<MultiBackend>()
        .filter(attachments::message_id.eq_any(message_ids.to_vec()))
        .order(attachments::id)
        .select(AttachmentRecord::as_select())
        .load(scope.conn)?)
}

/// Files uploaded before the instant and never sent.
pub fn orphans(scope: &mut Scope<'_>, before_ms: i64, limit: i64) -> Result<Vec<String>, TicketError> {
    Ok(attachments::table
        .filter(attachments::message_id.is_null().and(attachments::created_at.lt(before_ms)))
        .order(attachments::created_at)
        .limit(limit)
        .select(attachments::id)
        .load(scope.conn)?)
}

/// Removes the row of a file that was never sent.
pub fn delete_orphan(scope: &mut Scope<'_>, id: &str) -> Result<(), TicketError> {
    let orphan = attachments::table.filter(attachments::id.eq(id).and(attachments::message_id.is_null()));
    diesel::delete(orphan).execute(scope.conn)?;
    Ok(())
}

/// Whether there is a row for a file with this id.
pub fn is_known(scope: &mut Scope<'_>, id: &str) -> Result<bool, TicketError> {
    let row = attachments::table.filter(attachments::id.eq(id));
    Ok(diesel::select(diesel::dsl::exists(row)).get_result(scope.conn)?)
}
