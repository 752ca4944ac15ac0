//! What every HTTP listener of ours does: request ids, one log line and one metric a request, safe headers, health.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use tracing::Instrument;

use crate::ids::Ids;
use crate::metrics::Metrics;
use crate::problem::Problem;

/// The header that names a request across services and logs.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request or job that this task works for; empty if it works for none. For what is written down about it.
#[must_use]
pub fn current_request_id() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Runs `work` for the request or job with this id.
pub async fn with_request_id<F: Future>(id: &str, work: F) -> F::Output {
    CURRENT.scope(id.to_owned(), work).await
}

const REQUEST_ID_CHARS_MAX: usize = 64;

/// The id of the request at hand; in the request's extensions, in every log line and in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of this request; empty outside the [`observe`] middleware.
    pub fn of(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_else(|| Self(String::new()))
    }

    fn accept(value: Option<&HeaderValue>) -> Option<Self> {
        let text = value?.to_str().ok()?;
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (plain && (8..=REQUEST_ID_CHARS_MAX).contains(&text.len())).then(|| Self(text.to_owned()))
    }
}

/// Middleware: takes over or makes the request id, opens the log span, writes one line and counts one request.
///
/// Use with `actix_web::middleware::from_fn`; needs `web::Data<Ids>` and `web::Data<Metrics>`.
///
/// # Errors
/// Passes on what the handler reports.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let id = RequestId::accept(request.headers().get(REQUEST_ID))
        .or_else(|| request.app_data::<web::Data<Ids>>().map(|ids| RequestId(ids.new_id("req"))))
        .unwrap_or_else(|| RequestId(String::from("req_unknown")));
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let metrics = request.app_data::<web::Data<Metrics>>().cloned();
    let span = tracing::info_span!("request", request.id = id.as_str());
    let mut answer = with_request_id(id.as_str(), next.call(request).instrument(span.clone())).await?;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    let route = answer.request().match_pattern().unwrap_or_else(|| String::from("(no route)"));
    let status = answer.status().as_u16();
    let elapsed = started.elapsed();
    span.in_scope(|| {
        tracing::info!(
            http.method = %method, http.route = route, http.status = status,
            time.ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            "answered a request"
        );
    });
    if let Some(metrics) = metrics {
        metrics.count_request(method.as_str(), &route, status, elapsed.as_secs_f64());
    }
    Ok(answer)
}

/// Middleware: headers that make a browser careful. An answer that says nothing about caching is not stored.
///
/// # Errors
/// Passes on what the handler reports.
pub async fn careful_headers(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut answer = next.call(request).await?;
    let headers = answer.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    default(X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(X_FRAME_OPTIONS, "DENY");
    default(REFERRER_POLICY, "no-referrer");
    default(CACHE_CONTROL, "no-store");
    Ok(answer)
}

/// The answer to a path that does not exist.
pub async fn not_found() -> Problem {
    Problem::new("not_found", 404, "Not found")
        .detail("There is nothing at this address. The API is described at /api/docs.")
}

/// `GET /health/live`: the process answers.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "live" }))
}

/// `GET /metrics`: all metrics in the OpenMetrics text format.
///
/// # Errors
/// A 500 problem if the metrics can't be written.
pub async fn metrics(metrics: web::Data<Metrics>) -> Result<HttpResponse, Problem> {
    let text = metrics.to_text().map_err(|_| {
        Problem::new("internal_error", 500, "Internal error")
            .detail("The metrics could not be written. Try again.")
    })?;
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::{App, test};

    use crate::time::Clock;

    async fn answer_with(header: Option<&str>) -> (String, String) {
        let metrics = Metrics::new("t");
        let app = test::init_service(
            App::new()
                .app_data(web::Data::new(Ids::seeded(Clock::system(), 1)))
                .app_data(web::Data::new(metrics.clone()))
                .wrap(from_fn(careful_headers))
                .wrap(from_fn(observe))
                .route("/x/{id}", web::get().to(live)),
        )
        .await;
        let mut request = test::TestRequest::get().uri("/x/17");
        if let Some(value) = header {
            request = request.insert_header((REQUEST_ID, value));
        }
        let answer = test::call_service(&app, request.to_request()).await;
        assert_eq!(answer.headers().get(CACHE_CONTROL).unwrap(), "no-store");
        let id = answer.headers().get(REQUEST_ID).unwrap().to_str().unwrap().to_owned();
        (id, metrics.to_text().unwrap())
    }

    #[actix_web::test]
    async fn a_request_id_is_taken_over_when_it_is_plain() {
        assert_eq!(answer_with(Some("req_0123456789")).await.0, "req_0123456789");
    }

    #[actix_web::test]
    async fn a_request_id_with_odd_characters_is_replaced() {
        assert!(answer_with(Some("a b <script>")).await.0.starts_with("req_"));
        assert!(answer_with(None).await.0.starts_with("req_"));
    }

    #[actix_web::test]
    async fn the_metric_names_the_route_and_not_the_path() {
        let text = answer_with(None).await.1;
        assert!(text.contains("route=\"/x/{id}\"") && !text.contains("/x/17"), "{text}");
    }
}
