//! Files: taken in before their message is sent, handed out to whoever sees the ticket.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::fs::File;

use crate::app::view::Attachment;
use crate::app::{App, permit};
use crate::domain::Actor;
use crate::domain::actor::KeyScope;
use crate::domain::file_name::FileName;
use crate::error::TicketError;
use crate::store::attachments::{self, AttachmentRecord};

/// A sender that is silent for so long has gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Takes a file in. It belongs to the caller until it is sent with a message.
///
/// # Errors
/// [`TicketError::TooLarge`], [`TicketError::Unreadable`] if it breaks off or is empty, `storage_full`,
/// [`TicketError::Forbidden`] without the scope `tickets:write`.
pub async fn upload(
    app: &App,
    actor: &Actor,
    name: FileName,
    content: impl Stream<Item = Result<Bytes, TicketError>>,
) -> Result<Attachment, TicketError> {
    permit::scope(actor, KeyScope::TicketsWrite)?;
    let id = app.ids.new_id("att");
    let mut incoming = app.files.begin(&id).await?;
    let mut content = std::pin::pin!(content);
    loop {
        match tokio::time::timeout(SILENCE_MAX, content.next()).await {
            Ok(Some(chunk)) => incoming.write(&chunk?).await?,
            Ok(None) => break,
            Err(_) => return Err(TicketError::Unreadable("The upload broke off".into())),
        }
    }
    if incoming.bytes() == 0 {
        return Err(TicketError::invalid("file", "is empty"));
    }
    let stored = app.files.keep(&id, incoming).await?;
    let record = AttachmentRecord {
        id: id.clone(),
        ticket: None,
        message_id: None,
        uploaded_by: actor.caller_key().to_owned(),
        name: name.as_str().to_owned(),
        media_type: stored.media_type.to_owned(),
        bytes: stored.bytes,
        sha256: stored.sha256,
        created_at: app.clock.now().ms(),
    };
    let view = Attachment::from(record.clone());
    let inserted = app.store.write(actor, move |scope| attachments::insert(scope, &record)).await;
    if let Err(error) = inserted {
        app.files.remove(&id).await?;
        return Err(error);
    }
    Ok(view)
}

/// Refuses a message with more files than the configuration allows.
///
/// # Errors
/// [`TicketError::Invalid`].
pub(crate) fn refuse_too_many(app: &App, ids: &[String]) -> Result<(), TicketError> {
    let count_max = app.config.attachments.count_max;
    if ids.len() <= count_max {
        return Ok(());
    }
    let message = format!("are more than {count_max}; send the rest with another message");
    Err(TicketError::invalid("attachment_ids", message))
}

/// Opens a file for somebody who sees its ticket, or who uploaded it and has not sent it yet.
///
/// # Errors
/// [`TicketError::NotFound`]; [`TicketError::FileGone`] if the row is there and the file is not.
pub async fn open(app: &App, actor: &Actor, id: String) -> Result<(AttachmentRecord, File), TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    let record = app.store.read(actor, move |scope| attachments::find(scope, &id)).await?;
    match app.files.open(&record.id).await? {
        Some(file) => Ok((record, file)),
        None => Err(TicketError::FileGone(record.id)),
    }
}
