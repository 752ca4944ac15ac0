//! Live updates as server-sent events, and presence.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, HttpResponse, get, put, web};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::live::Told;
use crate::app::presence::Activity;
use crate::app::{App, live, presence};
use crate::domain::TicketNumber;
use crate::error::TicketError;
use crate::http::extract::{Body, Shown, SignedIn};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Asks proxies not to hold events back.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A browser that lost the line comes back after so long.
const RETRY_MS: u32 = 2_000;

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(events).service(set_presence);
}

/// Listen to live updates
///
/// A stream of server-sent events, for what you may see and nothing else:
///
/// - `ticket` with a `TicketUpdate`: a ticket changed, came into your sight or left it;
/// - `presence` with a `PresenceUpdate`: who has a ticket open; for all open tickets when you begin to listen;
/// - `oversight` with `{}`, for supervisors: there is a new notice, or one more look to know of;
/// - `reload` with `{}`: updates were missed, so read again what is on the screen.
///
/// A comment every 15 seconds keeps the line alive. `Last-Event-ID` goes on where a broken line ended. The stream ends when
/// you sign out, when your role changes and when the service stops.
#[utoipa::path(
    operation_id = "listenToEvents", tag = "live",
    params(("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that you heard")),
    responses(
        (status = 200, description = "The events", content((String = "text/event-stream"))),
        (status = 429, description = "`too_many_attempts`: you listen in too many places; see `Retry-After`"),
    )
)]
#[get("/events")]
async fn events(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    Shown(credential): Shown,
    request: HttpRequest,
) -> Result<HttpResponse, TicketError> {
    let last_heard = request.headers().get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let told = live::listen(app.get_ref().clone(), actor, credential, last_heard)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header((ACCEL_BUFFERING, "no"))
        .streaming(written(told)))
}

fn written(told: impl Stream<Item = Told>) -> impl Stream<Item = Result<Bytes, actix_web::Error>> {
    let begin = futures_util::stream::once(async { format!("retry: {RETRY_MS}\n\n") });
    begin.chain(told.map(|told| event(&told))).map(|text| Ok(Bytes::from(text)))
}

/// One event as the HTML standard has it. An event without data is not shown to the page, but its id is remembered.
fn event(told: &Told) -> String {
    match told {
        Told::Listening(mark) => format!("id: {mark}\n\n"),
        Told::Heartbeat(mark) => format!(": alive\nid: {mark}\n\n"),
        Told::Oversight(mark) => format!("event: oversight\nid: {mark}\ndata: {{}}\n\n"),
        Told::Reload(mark) => format!("event: reload\nid: {mark}\ndata: {{}}\n\n"),
        Told::Ticket(mark, update) => format!("event: ticket\nid: {mark}\ndata: {}\n\n", json(update)),
        Told::Presence(update) => format!("event: presence\ndata: {}\n\n", json(update)),
    }
}

/// JSON has no line breaks outside texts and none inside them, so it is one `data` line.
fn json(update: &impl Serialize) -> String {
    serde_json::to_string(update).unwrap_or_default()
}

/// What you do with a ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PresenceBody {
    /// `away` when you close it.
    state: Activity,
}

/// Say what you do with a ticket
///
/// Colleagues who see the ticket are told that you read or answer it. Say it again within half a minute, or you have gone.
#[utoipa::path(
    operation_id = "setPresence", tag = "live", params(("number" = i64, Path, description = "The ticket's number")),
    request_body = PresenceBody, responses((status = 204, description = "Told"))
)]
#[put("/tickets/{number}/presence")]
async fn set_presence(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    body: Body<PresenceBody>,
) -> Result<HttpResponse, TicketError> {
    presence::set_presence(&app, &actor, *number, body.value.state).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::live::TicketUpdate;

    #[test]
    fn events_are_written_as_browsers_read_them() {
        let update = TicketUpdate { number: 10_001, version: 2, kind: "answered" };
        assert_eq!(
            event(&Told::Ticket("ep-7".into(), update)),
            "event: ticket\nid: ep-7\ndata: {\"number\":10001,\"version\":2,\"kind\":\"answered\"}\n\n"
        );
        assert_eq!(event(&Told::Reload("ep-8".into())), "event: reload\nid: ep-8\ndata: {}\n\n");
        assert_eq!(event(&Told::Heartbeat("ep-8".into())), ": alive\nid: ep-8\n\n");
    }
}
