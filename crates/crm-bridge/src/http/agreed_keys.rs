//! `POST /v1/agreed-keys`.

use actix_web::post;
use actix_web::web::{Data, Json};
use bridge_contract::{AgreementAnswer, AgreementQuestion};
use service_kit::Problem;
use service_kit::token::Verifier;

use super::caller::{Current, Granted};
use super::problems::problem;
use crate::app;

/// Agree on a key for the grants of the next minutes: a mark under it takes the place of a signature. Under a signature only.
#[utoipa::path(
    tag = "grants",
    operation_id = "agreeOnKey",
    security(("grant" = [])),
    responses(
        (status = 200, description = "The bridge's half, and the name of the key", body = AgreementAnswer),
        (status = 401, description = "token_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "grant_refused", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "body_invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/agreed-keys")]
pub(super) async fn agree(
    caller: Granted,
    bridge: Current,
    verifier: Data<Verifier>,
    question: Json<AgreementQuestion>,
) -> Result<Json<AgreementAnswer>, Problem> {
    let granted = (&caller.grant, caller.is_signed);
    let answer = app::agreed_keys::agree(&bridge, granted, &question, verifier.public_key());
    answer.map(Json).map_err(|error| problem(&error, &caller.request_id))
}
