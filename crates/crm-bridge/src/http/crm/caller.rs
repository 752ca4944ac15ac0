//! The caller: a handler gets one by naming it among its arguments, and no use case can be called without, so no operation
//! can forget to check the key.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest};
use futures_util::future::LocalBoxFuture;
use service_kit::Problem;
use service_kit::http::RequestId;

use super::problems::problem;
use crate::app::crm_api::keys::{Caller, authenticate};
use crate::app::crm_api::record::{Call, record};
use crate::app::crm_api::{CrmApi, CrmError};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// A program of the CRM with a valid key, and its request.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) caller: Caller,
    pub(super) api: Data<CrmApi>,
    pub(super) request_id: String,
}

impl Known {
    /// Puts a call on the record and shapes its error.
    pub(super) async fn recorded<T>(
        &self,
        operation: &'static str,
        ticket: Option<i64>,
        outcome: Result<T, CrmError>,
    ) -> Result<T, Problem> {
        let call =
            Call { key_id: Some(&self.caller.key_id), operation, ticket, request_id: &self.request_id };
        record(&self.api, &call, outcome).await.map_err(|error| problem(&error, &self.request_id))
    }
}

/// The key that was used, for the headers that say what is left of its minute.
struct UsedKey(String);

impl FromRequest for Known {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let request_id = RequestId::of(&request).as_str().to_owned();
            let api = request.app_data::<Data<CrmApi>>().cloned();
            let api = api.ok_or_else(|| problem(&CrmError::Internal("no api"), &request_id))?;
            let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let shown = header.and_then(|value| value.strip_prefix("Bearer "));
            let outcome = authenticate(&api, shown, peer(&request)).await;
            let call =
                Call { key_id: None, operation: "authenticate", ticket: None, request_id: &request_id };
            let caller = match outcome {
                Ok(caller) => caller,
                // Only failures: a good key is on the record with what it was used for.
                failed => record(&api, &call, failed).await.map_err(|error| problem(&error, &request_id))?,
            };
            request.extensions_mut().insert(UsedKey(caller.key_id.clone()));
            Ok(Self { caller, api, request_id })
        })
    }
}

/// The address at the other end of the connection. A proxy's word is not taken; behind one all failures count together.
pub(super) fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// Middleware: says with every answer to a key how much is left of its minute.
///
/// # Errors
/// Passes on what the handler reports.
pub(super) async fn limit_headers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut answer = next.call(request).await?;
    let key = answer.request().extensions().get::<UsedKey>().map(|used| used.0.clone());
    let api = answer.request().app_data::<Data<CrmApi>>().cloned();
    if let (Some(key), Some(api)) = (key, api) {
        let (left, reset_s) = api.limits.requests.left(&key);
        let headers = answer.headers_mut();
        headers.insert(LIMIT, HeaderValue::from(api.settings.requests_per_minute));
        headers.insert(REMAINING, HeaderValue::from(left));
        headers.insert(RESET, HeaderValue::from(reset_s));
    }
    Ok(answer)
}
