//! The caller: a handler gets a grant by naming it among its arguments, and without a grant no use case can be called,
//! so no operation can forget to check the token.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use bridge_contract::Grant;
use service_kit::Problem;
use service_kit::http::RequestId;
use service_kit::token::Verifier;

use crate::app::Bridge;
use crate::app::policies::Live;

/// What the ticket service has signed for this request.
pub(super) struct Granted {
    pub(super) grant: Grant,
    pub(super) request_id: String,
}

/// The bridge under the policy in force. Taken once a request, so that one policy decides from the question to the answer.
pub(super) struct Current(Arc<Bridge>);

impl std::ops::Deref for Current {
    type Target = Bridge;

    fn deref(&self) -> &Bridge {
        &self.0
    }
}

impl FromRequest for Current {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let live = request.app_data::<Data<Live>>();
        ready(live.map(|live| Self(live.now())).ok_or_else(|| {
            tracing::error!("this listener has no bridge");
            Problem::new("internal", 500, "Something went wrong")
                .request_id(RequestId::of(request).as_str().to_owned())
        }))
    }
}

impl FromRequest for Granted {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request_id = RequestId::of(request).as_str().to_owned();
        ready(match grant_of(request) {
            Ok(grant) => Ok(Self { grant, request_id }),
            Err(why) => {
                tracing::warn!(token.refused = why, "a question without a valid token");
                Err(Problem::new("token_invalid", 401, "The token is not valid")
                    .detail(
                        "Send a token that the ticket service signed for the bridge less than a minute ago.",
                    )
                    .header(WWW_AUTHENTICATE, "Bearer")
                    .request_id(request_id))
            }
        })
    }
}

/// The grant of a valid token; otherwise why there is none, for the log only.
fn grant_of(request: &HttpRequest) -> Result<Grant, String> {
    let verifier = request.app_data::<Data<Verifier>>().ok_or("this listener has no verifier")?;
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or("there is no bearer token")?;
    let claims = verifier.verify::<Grant>(token).map_err(|error| error.to_string())?;
    Ok(claims.grant)
}
