//! `POST /v1/oversight`.

use actix_web::post;
use actix_web::web::Json;
use bridge_contract::{OversightAnswer, OversightQuestion};
use service_kit::Problem;

use super::caller::{Current, Granted};
use super::problems::problem;
use crate::app;

/// Who looked at whom and why, what is used of the viewing budgets, and what supervisors are to know.
#[utoipa::path(
    tag = "oversight",
    operation_id = "oversight",
    security(("grant" = [])),
    responses(
        (status = 200, description = "The answer, of the kind of the question", body = OversightAnswer),
        (status = 401, description = "token_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "grant_refused, own_notice", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "notice_unknown", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "body_invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/oversight")]
pub(super) async fn oversight(
    caller: Granted,
    bridge: Current,
    question: Json<OversightQuestion>,
) -> Result<Json<OversightAnswer>, Problem> {
    let answer = app::oversight::oversight(&bridge, &caller.grant, &question).await;
    answer.map(Json).map_err(|error| problem(&error, &caller.request_id))
}
