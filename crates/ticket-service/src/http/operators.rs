//! The people of support.

use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpResponse, get, patch, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::operators::{self, NewOperator, Operator, OperatorChange, OperatorList};
use crate::error::TicketError;
use crate::http::extract::{Body, IfMatch, SignedIn};

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_operators).service(create_operator).service(change_operator);
}

fn etag(operator: &Operator) -> String {
    format!("\"{}\"", operator.account.as_ref().map_or(0, |account| account.version))
}

/// List operators
///
/// Everybody who can be assigned a ticket. Administrators also see mail addresses and who was deactivated.
#[utoipa::path(operation_id = "listOperators", tag = "operators", responses((status = 200, description = "The operators by name", body = OperatorList)))]
#[get("/operators")]
async fn list_operators(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
) -> Result<web::Json<OperatorList>, TicketError> {
    operators::list(&app, &actor).await.map(web::Json)
}

/// Add an operator
///
/// For administrators. The operator signs in with the password given here and can change it.
#[utoipa::path(
    operation_id = "createOperator", tag = "operators", request_body = NewOperator,
    responses(
        (status = 201, description = "The new operator", body = Operator),
        (status = 409, description = "`exists`: the mail address is taken"),
    )
)]
#[post("/operators")]
async fn create_operator(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    body: Body<NewOperator>,
) -> Result<HttpResponse, TicketError> {
    let operator = operators::create(&app, &actor, body.value).await?;
    let place = format!("/api/v1/operators/{}", operator.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, place))
        .insert_header((ETAG, etag(&operator)))
        .json(operator))
}

/// Change an operator
///
/// For administrators. Deactivating and a new password end all sessions of the operator at once. The last active
/// administrator stays.
#[utoipa::path(
    operation_id = "changeOperator", tag = "operators", request_body = OperatorChange,
    params(
        ("id" = String, Path, description = "The operator's id"),
        ("If-Match" = String, Header, description = "The version that was changed, such as `\"3\"`"),
    ),
    responses(
        (status = 200, description = "The operator as it is now", body = Operator),
        (status = 409, description = "`exists`: the mail address is taken"),
        (status = 412, description = "`version_conflict`: somebody else changed it"),
        (status = 428, description = "`if_match_required`"),
    )
)]
#[patch("/operators/{id}")]
async fn change_operator(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    id: web::Path<String>,
    IfMatch(version): IfMatch,
    body: Body<OperatorChange>,
) -> Result<HttpResponse, TicketError> {
    let operator = operators::change(&app, &actor, id.into_inner(), version, body.value).await?;
    Ok(HttpResponse::Ok().insert_header((ETAG, etag(&operator))).json(operator))
}
