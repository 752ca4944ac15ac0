//! `POST /v1/customers/{customer_id}/tickets`.

use actix_web::web::{Json, Path};
use actix_web::{HttpRequest, HttpResponse, post};
use service_kit::Problem;

use super::caller::Known;
use crate::app::crm_api::open::{self, NewTicket, Opened};

/// Open a ticket for a customer
///
/// The ticket belongs to the customer from the beginning. `requester` is who support answers to; the bridge adds nothing of
/// what the CRM knows. Scope `tickets:create`.
#[utoipa::path(
    tag = "tickets",
    operation_id = "openTicket",
    security(("crm_key" = [])),
    params(("customer_id" = String, Path, description = "The CRM's id of the customer"),
        ("Idempotency-Key" = String, Header, description = "A random text; the same order repeated with it opens one ticket")),
    request_body = NewTicket,
    responses(
        (status = 201, description = "The ticket's number", body = Opened),
        (status = 401, description = "key_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "scope_missing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "customer_unknown", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "body_too_large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid, idempotency_key_missing, idempotency_mismatch, body_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too_many_requests, too_many_unknown_customers", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "ticket_service_unavailable, crm_unavailable, opening_off", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/customers/{customer_id}/tickets")]
pub(super) async fn open_ticket(
    known: Known,
    request: HttpRequest,
    customer_id: Path<String>,
    body: Json<NewTicket>,
) -> Result<HttpResponse, Problem> {
    let key = request.headers().get("idempotency-key").map(|value| value.to_str().unwrap_or_default());
    let opened = open::open(&known.api, &known.caller, &customer_id, key, &body).await;
    let number = opened.as_ref().ok().map(|opened| opened.number);
    let opened: Opened = known.recorded("open_ticket", number, opened).await?;
    Ok(HttpResponse::Created().json(opened))
}
