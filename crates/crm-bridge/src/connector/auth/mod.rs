//! How the bridge proves who it is to a CRM. Some keys are fixed; some are given for an hour and have to be renewed, by
//! one request for all who wait, and where each renewal ends the old key, by one process at a time ([`keeper`]).

pub mod keeper;
mod place;
mod sign;
mod token;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use service_kit::Secret;
use url::Url;
use zeroize::Zeroizing;

pub use self::keeper::Keeper;
pub(super) use self::sign::sign;

/// What goes into a request so that the CRM knows who asks. No `Debug`.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    /// Headers, marked as sensitive.
    pub(super) headers: HeaderMap,
    /// A parameter of the query.
    pub(super) query: Option<(String, Secret)>,
    /// A member or parameter of the body.
    pub(super) body: Option<(String, Secret)>,
    /// What stands where an operation has `{token}`.
    pub(super) token: Option<Secret>,
    /// The base address that came with the token.
    pub(super) base: Option<Url>,
    /// Counts the tokens of this process, so that a refused one is renewed once for all.
    pub(super) generation: u64,
}

/// A header that no log prints.
pub(super) fn sensitive(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = HeaderName::try_from(name).map_err(|_| "[auth] has a header name that is none".to_owned())?;
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| "the CRM's secret has letters that no header can carry".to_owned())?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// HTTP Basic (RFC 7617).
pub(super) fn basic(user: &str, password: &str) -> Result<(HeaderName, HeaderValue), String> {
    use base64::Engine;
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let text = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
    sensitive("authorization", &Zeroizing::new(format!("Basic {text}")))
}
