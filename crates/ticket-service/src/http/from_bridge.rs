//! What the bridge may ask of this service: to open a ticket on an order of the CRM. Nobody else can: the token must be
//! signed with the bridge's key.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, HttpResponse, post, web};
use bridge_contract::{BridgeGrant, OpenedTicket, TicketOrder, Version};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::open_for_customer::open_for_customer;
use crate::error::TicketError;
use crate::http::extract::{Body, app_of};

/// The described route of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(open_ticket_of_order);
}

/// What the bridge has signed for this request.
#[derive(Clone, Debug)]
pub(crate) struct FromBridge(pub(crate) BridgeGrant);

impl FromRequest for FromBridge {
    type Error = TicketError;
    type Future = Ready<Result<Self, TicketError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(grant_of(request).map(Self))
    }
}

fn grant_of(request: &HttpRequest) -> Result<BridgeGrant, TicketError> {
    let app = app_of(request)?;
    // Without the bridge's key there is no such operation; what is not there needs no credentials.
    let verifier = app.bridge_verifier.as_ref().ok_or(TicketError::NotFound("operation"))?;
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or(TicketError::NotSignedIn)?;
    let claims = verifier.verify::<BridgeGrant>(token).map_err(|error| {
        tracing::warn!(token.refused = %error, "a token for the bridge's operation was refused");
        TicketError::NotSignedIn
    })?;
    Ok(claims.grant)
}

/// Open a ticket on an order of the CRM
///
/// For the bridge only: the token is signed with its key (EdDSA, at most 60 seconds) and names order and customer. The
/// same order sent again opens nothing and answers with the same number.
#[utoipa::path(
    operation_id = "openTicketOfOrder", tag = "customers", security(("bridge" = [])), request_body = TicketOrder,
    responses(
        (status = 201, description = "The ticket's number", body = OpenedTicket),
        (status = 401, description = "`not_signed_in`: no token of the bridge"),
        (status = 403, description = "`forbidden`: the token is for another order"),
        (status = 404, description = "`not_found`: this service has no key of a bridge"),
    )
)]
#[post("/bridge/tickets")]
async fn open_ticket_of_order(
    app: web::Data<App>,
    FromBridge(grant): FromBridge,
    body: Body<TicketOrder>,
) -> Result<HttpResponse, TicketError> {
    let number = open_for_customer(&app, &grant, &body.value).await?;
    let ticket = u64::try_from(number.0).unwrap_or(0);
    Ok(HttpResponse::Created().json(OpenedTicket { version: Version, ticket }))
}
