//! `GET /v1/events`.

use actix_web::get;
use actix_web::web::{Json, Query};
use serde::Deserialize;
use service_kit::Problem;
use utoipa::IntoParams;

use super::caller::Known;
use crate::app::crm_api::events::{self, EventPage};

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FeedQuery {
    /// `next` of the page before; 0 to begin.
    #[serde(default)]
    after: i64,
    /// How many, 1 to 100; 50 if it is not given.
    limit: Option<u32>,
}

/// What happened after that place of the feed
///
/// In order; for each ticket nothing overtakes. Scope `events:read`.
#[utoipa::path(
    tag = "events",
    operation_id = "listEvents",
    security(("crm_key" = [])),
    params(FeedQuery),
    responses(
        (status = 200, description = "A page of events", body = EventPage),
        (status = 401, description = "key_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "scope_missing", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "events_forgotten", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too_many_requests", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "ticket_policy_missing", body = Problem, content_type = "application/problem+json"),
    )
)]
#[get("/v1/events")]
pub(super) async fn list_events(known: Known, query: Query<FeedQuery>) -> Result<Json<EventPage>, Problem> {
    let page = events::after(&known.api, &known.caller, query.after, query.limit).await;
    known.recorded("list_events", None, page).await.map(Json)
}
