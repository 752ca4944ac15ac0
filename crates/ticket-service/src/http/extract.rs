//! What handlers take from a request: who is calling, the body, the version a change was made from.
//!
//! Everything that can be wrong with a request is told as a problem with a sentence that helps.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::Payload;
use actix_web::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, IF_MATCH, ORIGIN,
};
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use futures_util::future::{LocalBoxFuture, Ready, ready};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::app::sign_in::{Credential, KEY_PREFIX, who_is};
use crate::domain::Actor;
use crate::error::TicketError;
use crate::http::unread::{from_json, from_query};
use crate::store::idempotency::IdempotencyKey;

/// The name of the session cookie.
pub(crate) const SESSION_COOKIE: &str = "guichet_session";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 128;
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The service, as handlers see it.
pub(crate) fn app_of(request: &HttpRequest) -> Result<web::Data<App>, TicketError> {
    let app = request.app_data::<web::Data<App>>().cloned();
    app.ok_or_else(|| TicketError::Internal("the application data is missing".into()))
}

fn header<'r>(request: &'r HttpRequest, name: &HeaderName) -> Option<&'r str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The caller: a signed-in operator or an API key. A change with a cookie must come from our own pages.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn(pub(crate) Actor);

impl FromRequest for SignedIn {
    type Error = TicketError;
    type Future = LocalBoxFuture<'static, Result<Self, TicketError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let (app, credential) = (app_of(&request)?, credential_of(&request)?);
            let actor = who_is(&app, &credential).await?;
            if matches!(credential, Credential::Session { .. }) && !request.method().is_safe() {
                same_site(&request, &app, true)?;
            }
            Ok(Self(actor))
        })
    }
}

/// What the caller showed to prove who they are; for signing out, and for asking again during a long answer.
#[derive(Clone, Debug)]
pub(crate) struct Shown(pub(crate) Credential);

impl FromRequest for Shown {
    type Error = TicketError;
    type Future = Ready<Result<Self, TicketError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(credential_of(request).map(Self))
    }
}

/// A request that a browser did not send on behalf of another site. For what needs no sign-in but sets a cookie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SameSite;

impl FromRequest for SameSite {
    type Error = TicketError;
    type Future = Ready<Result<Self, TicketError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(app_of(request).and_then(|app| same_site(request, &app, false)).map(|()| Self))
    }
}

fn credential_of(request: &HttpRequest) -> Result<Credential, TicketError> {
    if let Some(value) = request.headers().get(AUTHORIZATION) {
        let text = value.to_str().map_err(|_| TicketError::NotSignedIn)?;
        let (scheme, secret) = text.split_once(' ').ok_or(TicketError::NotSignedIn)?;
        let known = scheme.eq_ignore_ascii_case("bearer") && secret.starts_with(KEY_PREFIX);
        return if known { Ok(Credential::api_key(secret)) } else { Err(TicketError::NotSignedIn) };
    }
    let cookies = request.headers().get_all(COOKIE).filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let token = pairs.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value);
    token.map(Credential::session).ok_or(TicketError::NotSignedIn)
}

/// Refuses what a browser sends for another site (OWASP: Fetch Metadata, then `Origin`). `strict`: without either
/// header it is refused too.
fn same_site(request: &HttpRequest, app: &App, strict: bool) -> Result<(), TicketError> {
    let verdict = match (header(request, &SEC_FETCH_SITE), header(request, &ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = header(request, &HOST).unwrap_or_default();
            let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            origin == app.config.server.origin() || (!host.is_empty() && rest == Some(host))
        }
        (None, None) => !strict,
    };
    if verdict { Ok(()) } else { Err(TicketError::CrossSite) }
}

/// The JSON body, and the idempotency key if the caller sent one.
#[derive(Clone, Debug)]
pub(crate) struct Body<T> {
    /// What was sent.
    pub(crate) value: T,
    /// From the header `Idempotency-Key`, with the fingerprint of this request.
    pub(crate) idempotency_key: Option<IdempotencyKey>,
}

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = TicketError;
    type Future = LocalBoxFuture<'static, Result<Self, TicketError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !is_json(&request) {
                return Err(TicketError::NotJson);
            }
            let bytes_max = app_of(&request)?.config.server.body_bytes_max;
            let bytes = read_body(&request, payload, bytes_max).await?;
            let idempotency_key = idempotency_key(&request, &bytes)?;
            Ok(Self { value: from_json(&bytes)?, idempotency_key })
        })
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let kind =
        header(request, &CONTENT_TYPE).unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
}

/// Reads the whole body, but no more than allowed.
///
/// # Errors
/// [`TicketError::TooLarge`]; [`TicketError::Unreadable`] if the connection breaks.
pub(crate) async fn read_body(
    request: &HttpRequest,
    mut payload: Payload,
    bytes_max: usize,
) -> Result<Vec<u8>, TicketError> {
    let too_large = || TicketError::TooLarge(u64::try_from(bytes_max).unwrap_or(u64::MAX));
    let announced = header(request, &CONTENT_LENGTH).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| TicketError::Unreadable(format!("The body broke off: {error}")))?;
        if bytes.len() + chunk.len() > bytes_max {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn idempotency_key(request: &HttpRequest, body: &[u8]) -> Result<Option<IdempotencyKey>, TicketError> {
    let Some(value) = request.headers().get(&IDEMPOTENCY_KEY) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > IDEMPOTENCY_KEY_CHARS_MAX {
        let message =
            format!("write 1 to {IDEMPOTENCY_KEY_CHARS_MAX} ASCII characters, for example a random UUID");
        return Err(TicketError::invalid("Idempotency-Key", message));
    }
    let mut hash = Sha256::new();
    hash.update(request.method().as_str());
    hash.update(b" ");
    hash.update(request.path());
    hash.update(b"\n");
    hash.update(body);
    Ok(Some(IdempotencyKey { key: key.to_owned(), fingerprint: hex::encode(hash.finalize()) }))
}

/// The parameters behind the question mark. Types refuse unknown ones, so a mistyped filter is no silent "everything".
#[derive(Clone, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = TicketError;
    type Future = Ready<Result<Self, TicketError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(from_query(request.query_string()).map(Self))
    }
}

/// The version that a change was made from: the ETag in `If-Match`, such as `"7"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IfMatch(pub(crate) i64);

impl FromRequest for IfMatch {
    type Error = TicketError;
    type Future = Ready<Result<Self, TicketError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(value) = request.headers().get(IF_MATCH) else {
            return ready(Err(TicketError::IfMatchRequired));
        };
        let text = value.to_str().unwrap_or_default().trim();
        let version = text.trim_start_matches("W/").trim_matches('"').parse().ok();
        let wrong = || {
            TicketError::invalid("If-Match", "is not an ETag of ours; send it as it came, for example \"7\"")
        };
        ready(version.map(Self).ok_or_else(wrong))
    }
}

/// The address that a request comes from. A proxy's word is taken only if the configuration trusts the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl FromRequest for ClientAddress {
    type Error = TicketError;
    type Future = Ready<Result<Self, TicketError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(app_of(request).map(|app| {
            let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
            let forwarded = request.headers().get_all(&FORWARDED_FOR).filter_map(|value| value.to_str().ok());
            let forwarded: Vec<&str> = forwarded.flat_map(|text| text.split(',')).map(str::trim).collect();
            Self(client_address(peer, &forwarded, &app.config.server.trusted_proxies))
        }))
    }
}

/// From the right, the first address that is no trusted proxy: whatever stands left of it, anybody could have written.
fn client_address(peer: IpAddr, forwarded: &[&str], trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer;
    for hop in forwarded.iter().rev() {
        if !trusted.contains(&address) {
            break;
        }
        match hop.parse() {
            Ok(next) => address = next,
            Err(_) => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<IpAddr> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), forwarded, &trusted).to_string()
    }

    #[test]
    fn a_forwarded_address_is_believed_from_a_trusted_proxy_only() {
        assert_eq!(address("198.51.100.1", &["192.0.2.7"], &[]), "198.51.100.1");
        assert_eq!(address("127.0.0.1", &["192.0.2.7"], &["127.0.0.1"]), "192.0.2.7");
    }

    #[test]
    fn what_the_client_itself_wrote_in_front_is_not_believed() {
        assert_eq!(address("127.0.0.1", &["10.9.9.9", "192.0.2.7"], &["127.0.0.1"]), "192.0.2.7");
        assert_eq!(address("127.0.0.1", &["192.0.2.7", "rubbish"], &["127.0.0.1"]), "127.0.0.1");
    }
}
