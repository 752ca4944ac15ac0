//! The caller: a handler gets a grant by naming it among its arguments, and without a grant no use case can be called,
//! so no operation can forget to check the token.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use bridge_contract::Grant;
use service_kit::Problem;
use service_kit::http::RequestId;
use service_kit::token::Verifier;

/// What the ticket service has signed for this request.
pub(super) struct Granted {
    pub(super) grant: Grant,
    pub(super) request_id: String,
}

impl FromRequest for Granted {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(granted(request))
    }
}

fn granted(request: &HttpRequest) -> Result<Granted, Problem> {
    let request_id = RequestId::of(request).as_str().to_owned();
    let refused = |why: &str| {
        tracing::warn!(token.refused = why, "a question without a valid token");
        Problem::new("token_invalid", 401, "The token is not valid")
            .detail("Send a token that the ticket service signed for the bridge less than a minute ago.")
            .header(WWW_AUTHENTICATE, "Bearer")
            .request_id(request_id.clone())
    };
    let verifier = request.app_data::<Data<Verifier>>().ok_or_else(|| refused("no verifier"))?;
    let token = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| refused("no bearer token"))?;
    let claims = verifier.verify::<Grant>(token).map_err(|error| refused(&error.to_string()))?;
    Ok(Granted { grant: claims.grant, request_id })
}
