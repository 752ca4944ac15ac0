//! `POST /v1/ticket-events`.

use actix_web::post;
use actix_web::web::Json;
use bridge_contract::{EventReceipt, TicketEvent};
use service_kit::Problem;

use super::caller::{Current, Granted};
use super::problems::problem;
use crate::app::crm_api::receive::receive;

/// Take what became of a ticket. Only what the ticket policy lists is kept; what was taken need not be sent again.
#[utoipa::path(
    tag = "events",
    operation_id = "takeTicketEvent",
    security(("grant" = [])),
    responses(
        (status = 200, description = "It was taken", body = EventReceipt),
        (status = 401, description = "token_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "grant_refused", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "body_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "database_unavailable; send it again", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/ticket-events")]
pub(super) async fn ticket_event(
    caller: Granted,
    bridge: Current,
    event: Json<TicketEvent>,
) -> Result<Json<EventReceipt>, Problem> {
    let receipt = receive(&bridge, &caller.grant, &event).await;
    receipt.map(Json).map_err(|error| problem(&error, &caller.request_id))
}
