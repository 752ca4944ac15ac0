//! Messages of a ticket: read them, answer, leave a note.

use actix_web::{HttpResponse, get, post, web};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::post_message::{self, NewMessage, PostedMessage, WrittenKind};
use crate::app::show_ticket;
use crate::app::view::{Message, Page};
use crate::domain::{Status, TicketNumber};
use crate::error::TicketError;
use crate::http::extract::{Body, Query, SignedIn};
use crate::http::tickets::{PageParameters, limit, message_body};

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(post);
}

/// List a ticket's messages
///
/// Requests, answers and internal notes, oldest first.
#[utoipa::path(
    operation_id = "listMessages", tag = "messages",
    params(("number" = i64, Path, description = "The ticket's number"), PageParameters),
    responses(
        (status = 200, description = "A page of messages", body = Page<Message>),
        (status = 404, description = "No such ticket for you"),
    )
)]
#[get("/tickets/{number}/messages")]
pub(crate) async fn list(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    Query(page): Query<PageParameters>,
) -> Result<web::Json<Page<Message>>, TicketError> {
    let rows = limit(page.limit)?;
    show_ticket::list_messages(&app, &actor, *number, page.cursor, rows).await.map(web::Json)
}

/// A message to write. Give `text` or `html`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostMessageBody {
    /// An answer to the requester, or a note for colleagues.
    kind: WrittenKind,
    /// As plain text.
    text: Option<String>,
    /// As HTML; it is sanitised.
    html: Option<String>,
    /// Files uploaded before.
    #[serde(default)]
    attachment_ids: Vec<String>,
    /// The status that the ticket should have afterwards.
    then_status: Option<Status>,
    /// The newest message that you have seen; if the requester wrote after it, the answer is not sent.
    seen_message_id: Option<String>,
}

/// Answer, or leave a note
///
/// An answer goes to the requester and takes a ticket that nobody has; a note is for colleagues only. Pressing twice
/// with the same `Idempotency-Key` writes once.
#[utoipa::path(
    operation_id = "postMessage", tag = "messages",
    params(("number" = i64, Path, description = "The ticket's number"),
        ("Idempotency-Key" = Option<String>, Header, description = "Chosen by you; the same key writes once")),
    request_body = PostMessageBody,
    responses(
        (status = 201, description = "The message and the ticket afterwards", body = PostedMessage),
        (status = 404, description = "No such ticket for you"),
        (status = 409, description = "Unseen messages, or no such move"),
        (status = 422, description = "Something in it is wrong"),
    )
)]
#[post("/tickets/{number}/messages")]
pub(crate) async fn post(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    body: Body<PostMessageBody>,
) -> Result<HttpResponse, TicketError> {
    let Body { value: body, idempotency_key } = body;
    let new = NewMessage {
        kind: body.kind,
        body: message_body(body.text.as_deref(), body.html.as_deref())?,
        attachment_ids: body.attachment_ids,
        then_status: body.then_status,
        seen_message_id: body.seen_message_id,
    };
    let posted = post_message::post_message(&app, &actor, *number, new, idempotency_key).await?;
    Ok(HttpResponse::Created().json(posted))
}
