//! `POST /v1/resolve`, `/v1/card`, `/v1/reveal`.

use actix_web::post;
use actix_web::web::Json;
use bridge_contract::{
    CardQuestion, ChangesAnswer, ChangesQuestion, CustomerCard, ResolveAnswer, ResolveQuestion,
    RevealQuestion, RevealedField,
};
use service_kit::Problem;

use super::caller::{Current, Granted};
use super::problems::problem;
use crate::app;

/// Who is this? From a mail address or phone number to an opaque reference.
#[utoipa::path(
    tag = "questions",
    operation_id = "resolve",
    security(("grant" = [])),
    responses(
        (status = 200, description = "Who it is", body = ResolveAnswer),
        (status = 401, description = "token_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "grant_refused", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "lookup_missing, body_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "crm_unavailable, and no earlier answer is known", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/resolve")]
pub(super) async fn resolve(
    caller: Granted,
    bridge: Current,
    question: Json<ResolveQuestion>,
) -> Result<Json<ResolveAnswer>, Problem> {
    let answer = app::resolve::resolve(&bridge, &caller.grant, &question).await;
    answer.map(Json).map_err(|error| problem(&error, &caller.request_id))
}

/// Which customers were erased in the CRM, or merged, after that change? The ticket service follows them.
#[utoipa::path(
    tag = "questions",
    operation_id = "customerChanges",
    security(("grant" = [])),
    responses(
        (status = 200, description = "The changes after that, oldest first", body = ChangesAnswer),
        (status = 401, description = "token_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "grant_refused", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "body_invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/customer-changes")]
pub(super) async fn customer_changes(
    caller: Granted,
    bridge: Current,
    question: Json<ChangesQuestion>,
) -> Result<Json<ChangesAnswer>, Problem> {
    let answer = app::customer_changes::customer_changes(&bridge, &caller.grant, &question).await;
    answer.map(Json).map_err(|error| problem(&error, &caller.request_id))
}

/// Show the card: the fields of one customer that one operator's role sees, for one ticket. Goes on the record.
#[utoipa::path(
    tag = "questions",
    operation_id = "showCard",
    security(("grant" = [])),
    responses(
        (status = 200, description = "The card", body = CustomerCard),
        (status = 401, description = "token_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "grant_refused", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "customer_unknown", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "customer_erased", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "body_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "viewing_budget_spent, break_glass_spent; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "crm_unavailable, and no card is kept", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/card")]
pub(super) async fn card(
    caller: Granted,
    bridge: Current,
    question: Json<CardQuestion>,
) -> Result<Json<CustomerCard>, Problem> {
    let card = app::show_card::show_card(&bridge, &caller.grant, &question, &caller.request_id).await;
    card.map(Json).map_err(|error| problem(&error, &caller.request_id))
}

/// Show one masked field in clear. Goes on the record.
#[utoipa::path(
    tag = "questions",
    operation_id = "revealField",
    security(("grant" = [])),
    responses(
        (status = 200, description = "The field", body = RevealedField),
        (status = 401, description = "token_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "grant_refused, field_not_revealable", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "customer_unknown", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "customer_erased", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "body_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "viewing_budget_spent, break_glass_spent; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "crm_unavailable, and no card is kept", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/reveal")]
pub(super) async fn reveal(
    caller: Granted,
    bridge: Current,
    question: Json<RevealQuestion>,
) -> Result<Json<RevealedField>, Problem> {
    let field = app::reveal::reveal(&bridge, &caller.grant, &question, &caller.request_id).await;
    field.map(Json).map_err(|error| problem(&error, &caller.request_id))
}
