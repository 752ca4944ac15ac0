//! `POST /v1/audit/head`.

use actix_web::post;
use actix_web::web::Json;
use bridge_contract::{AuditAnswer, AuditQuestion};
use service_kit::Problem;

use super::caller::{Current, Granted};
use super::problems::problem;
use crate::app;

/// Exchange heads of the audit logs: the bridge writes the ticket service's into its own log and answers with its own.
#[utoipa::path(
    tag = "audit",
    operation_id = "exchangeAuditHeads",
    security(("grant" = [])),
    responses(
        (status = 200, description = "The bridge's head, which names what it has seen", body = AuditAnswer),
        (status = 401, description = "token_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "grant_refused", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "audit_head_conflict", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "body_invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/audit/head")]
pub(super) async fn head(
    caller: Granted,
    bridge: Current,
    question: Json<AuditQuestion>,
) -> Result<Json<AuditAnswer>, Problem> {
    let answer = app::audit::exchange_heads(&bridge, &caller.grant, &question).await;
    answer.map(Json).map_err(|error| problem(&error, &caller.request_id))
}
