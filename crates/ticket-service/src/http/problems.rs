//! Middleware that has the last word: every error leaves as problem details with its request id, and every answer with
//! the headers that tell a browser what it may do with it.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, STRICT_TRANSPORT_SECURITY,
};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};
use service_kit::Problem;
use service_kit::http::RequestId;

use crate::app::App;
use crate::error::TicketError;

/// For our pages: scripts and styles of our own and nothing else.
const PAGE_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'self'; object-src 'none'";
/// For data: a browser that is tricked into showing it runs nothing.
const DATA_POLICY: &str =
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox";
/// A year.
const TLS_ONLY: &str = "max-age=31536000";

/// Middleware for `from_fn`: see the module.
///
/// # Errors
/// None of its own.
pub(crate) async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut answer = next.call(request).await?.map_into_boxed_body();
    if let Some(problem) = answer.response().error().map(problem_of) {
        let id = RequestId::of(answer.request());
        answer = answer.into_response(problem.request_id(id.as_str()).error_response());
    }
    let https = answer.request().app_data::<web::Data<App>>().is_some_and(|app| app.config.server.is_https());
    // "Not modified" stands for the page that the browser has, with that page's policy: a policy sent here replaces it.
    let unchanged = answer.status() == StatusCode::NOT_MODIFIED;
    let headers = answer.headers_mut();
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let policy = if kind.starts_with("text/html") { PAGE_POLICY } else { DATA_POLICY };
    // Some answers bring a policy of their own.
    if !unchanged && !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ONLY));
    }
    Ok(answer)
}

fn problem_of(error: &Error) -> Problem {
    if let Some(error) = error.as_error::<TicketError>() {
        return error.problem();
    }
    if let Some(problem) = error.as_error::<Problem>() {
        return problem.clone();
    }
    match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new("too_large", 413, "Too large")
            .detail("The body is larger than accepted here. Send less."),
        status if status.is_client_error() => TicketError::Unreadable(error.to_string()).problem(),
        _ => {
            let error = TicketError::Internal(error.to_string());
            tracing::error!(error.cause = %error, problem.code = "internal_error", "a request failed");
            error.problem()
        }
    }
}
