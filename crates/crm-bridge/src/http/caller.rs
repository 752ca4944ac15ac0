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
#[cfg(feature = "sabotage")]
use service_kit::token::Claims;
use service_kit::token::{AgreedToken, TokenError, Verifier};

use super::peers::Peers;
use crate::app::policies::Live;
use crate::app::{Bridge, agreed_keys};
use crate::walls::{Wall, Walls};

/// What the ticket service has signed for this request.
pub(super) struct Granted {
    pub(super) grant: Grant,
    /// Whether the token carries a signature, not only the mark of a key agreed on.
    pub(super) is_signed: bool,
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
        if !may_ask_from_there(request) {
            tracing::warn!("a question from a machine that ticket_service.allow_from does not name");
            return ready(Err(Problem::new("peer_refused", 403, "Questions are not taken from there")
                .detail("The bridge answers the machines that its setting ticket_service.allow_from names.")
                .request_id(request_id)));
        }
        ready(match grant_of(request) {
            Ok((grant, is_signed)) => Ok(Self { grant, is_signed, request_id }),
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

/// The grant of a valid token and whether it is signed; otherwise why there is none, for the log only.
fn grant_of(request: &HttpRequest) -> Result<(Grant, bool), String> {
    let verifier = request.app_data::<Data<Verifier>>().ok_or("this listener has no verifier")?;
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or("there is no bearer token")?;
    let agreed = AgreedToken::read(token);
    let claims = match &agreed {
        None => verifier.verify::<Grant>(token),
        Some(agreed) => {
            let bridge = request.app_data::<Data<Live>>().ok_or("this listener has no bridge")?.now();
            let key = agreed_keys::open(&bridge, agreed.key_id(), verifier.public_key());
            key.ok_or(TokenError::UnknownKey).and_then(|key| verifier.verify_agreed::<Grant>(agreed, &key))
        }
    };
    #[cfg(feature = "sabotage")]
    let claims = claims.or_else(|error| unchecked(error, token, walls_of(request)));
    Ok((claims.map_err(|error| error.to_string())?.grant, agreed.is_none()))
}

fn walls_of(request: &HttpRequest) -> Walls {
    request.app_data::<Data<Live>>().map_or_else(Walls::standing, |live| live.now().walls)
}

/// Whether the caller's machine is one that may ask. Without an address there is no network between.
fn may_ask_from_there(request: &HttpRequest) -> bool {
    let peers = request.app_data::<Data<Peers>>();
    let named = match (peers, request.peer_addr()) {
        (Some(peers), Some(address)) => peers.allow(address.ip()),
        (Some(_), None) => true,
        (None, _) => false,
    };
    named || !walls_of(request).stands(Wall::Peer)
}

/// What a token says, where a test build has taken away the wall that refuses it.
#[cfg(feature = "sabotage")]
fn unchecked(error: TokenError, token: &str, walls: Walls) -> Result<Claims<Grant>, TokenError> {
    use base64::Engine;
    let wall = if error == TokenError::Expired { Wall::Expiry } else { Wall::Signature };
    if walls.stands(wall) {
        return Err(error);
    }
    let payload = token.split('.').nth(1).unwrap_or_default();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload);
    let claims = bytes.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    claims.ok_or(TokenError::Invalid)
}
