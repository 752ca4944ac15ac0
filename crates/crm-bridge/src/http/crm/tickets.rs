//! `GET /v1/customers/{customer_id}/tickets`, and one of them.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::web::{Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};
use serde::{Deserialize, Serialize};
use service_kit::Problem;
use utoipa::IntoParams;

use super::caller::Known;
use crate::app::crm_api::tickets::{self, TicketPage};
use crate::app::crm_api::wire::TicketView;

/// A browser or a program may keep it, and asks each time whether it is still so.
const ASK_EACH_TIME: &str = "private, no-cache";

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Tickets with smaller numbers only: `next` of the page before.
    before: Option<i64>,
    /// How many, 1 to 100; 50 if it is not given.
    limit: Option<u32>,
}

/// The tickets of a customer
///
/// Newest first. A customer who is not known has none. Scope `tickets:read`.
#[utoipa::path(
    tag = "tickets",
    operation_id = "listTickets",
    security(("crm_key" = [])),
    params(("customer_id" = String, Path, description = "The CRM's id of the customer"), PageQuery,
        ("If-None-Match" = Option<String>, Header, description = "The ETag of what is known already")),
    responses(
        (status = 200, description = "A page of tickets", body = TicketPage, headers(("ETag" = String))),
        (status = 304, description = "Nothing has changed"),
        (status = 401, description = "key_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "scope_missing", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too_many_requests, too_many_unknown_customers", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "ticket_policy_missing", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/v1/customers/{customer_id}/tickets")]
pub(super) async fn list_tickets(
    known: Known,
    request: HttpRequest,
    customer_id: Path<String>,
    query: Query<PageQuery>,
) -> Result<HttpResponse, Problem> {
    let page = tickets::list(&known.api, &known.caller, &customer_id, query.before, query.limit).await;
    let page = known.recorded("list_tickets", None, page).await?;
    Ok(tagged(&request, &page.etag, &page))
}

/// One ticket of a customer
///
/// Scope `tickets:read`.
#[utoipa::path(
    tag = "tickets",
    operation_id = "showTicket",
    security(("crm_key" = [])),
    params(("customer_id" = String, Path, description = "The CRM's id of the customer"),
        ("number" = i64, Path, description = "The ticket's number"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of what is known already")),
    responses(
        (status = 200, description = "The ticket", body = TicketView, headers(("ETag" = String))),
        (status = 304, description = "Nothing has changed"),
        (status = 401, description = "key_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "scope_missing", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "ticket_unknown", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too_many_requests, too_many_unknown_customers", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "ticket_policy_missing", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/v1/customers/{customer_id}/tickets/{number}")]
pub(super) async fn show_ticket(
    known: Known,
    request: HttpRequest,
    path: Path<(String, i64)>,
) -> Result<HttpResponse, Problem> {
    let (customer_id, number) = path.into_inner();
    let found = tickets::one(&known.api, &known.caller, &customer_id, number).await;
    let (ticket, etag) = known.recorded("show_ticket", Some(number), found).await?;
    Ok(tagged(&request, &etag, &ticket))
}

/// The answer with its tag, or that the caller has it already (RFC 9110, 13.1.2).
fn tagged<T: Serialize>(request: &HttpRequest, etag: &str, body: &T) -> HttpResponse {
    let known = request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = |tag: &str| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag;
    let mut answer = if known.is_some_and(|tags| tags.split(',').any(same)) {
        HttpResponse::NotModified().finish()
    } else {
        HttpResponse::Ok().json(body)
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, actix_web::http::header::HeaderValue::from_static(ASK_EACH_TIME));
    if let Ok(etag) = etag.parse() {
        headers.insert(ETAG, etag);
    }
    answer
}
