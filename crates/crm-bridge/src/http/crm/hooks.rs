//! `POST /hooks/{path}`: what the CRM sends by itself. Answered at once; what it leads to is fetched later.

use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use service_kit::Problem;
use service_kit::http::RequestId;

use super::caller::peer;
use crate::app::crm_api::CrmApi;
use crate::app::webhooks::{Turned, Webhooks};
use crate::connector::hook::{Delivery, Refusal};

/// Takes a delivery.
pub(super) async fn take(
    request: HttpRequest,
    path: Path<String>,
    body: Bytes,
    hooks: Data<Webhooks>,
    api: Data<CrmApi>,
) -> Result<HttpResponse, Problem> {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let query = |name: &str| {
        let pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    // As the sender knows it: the address that the settings give, not the one behind a proxy.
    let uri = format!("{}{}", api.settings.public_url.trim_end_matches('/'), request.uri());
    let delivery = Delivery {
        method: request.method().as_str(),
        uri: &uri,
        header: &header,
        query: &query,
        body: &body,
    };
    match hooks.take(&api.bridge, &path, peer(&request), &delivery).await {
        Ok(_) => Ok(HttpResponse::Accepted().finish()),
        Err(turned) => Err(problem(&turned, RequestId::of(&request).as_str())),
    }
}

fn problem(turned: &Turned, request_id: &str) -> Problem {
    let problem = match turned {
        Turned::Unknown => Problem::new("not_found", 404, "There is nothing here").detail(
            "Send webhooks to the address that the bridge's administrator gave, as the CRM's profile says.",
        ),
        Turned::TooMany => Problem::new("too_many_requests", 429, "Too many deliveries")
            .detail("Wait a minute and send them again; the bridge also looks for changes by itself.")
            .header(RETRY_AFTER, "60"),
        Turned::Refused(Refusal::Signature) => {
            Problem::new("webhook_refused", 401, "The delivery is not signed as agreed")
                .detail("Sign it with the key that the bridge knows as crm.secrets.webhook.")
        }
        Turned::Refused(Refusal::Stale) => {
            Problem::new("webhook_stale", 401, "The delivery was signed at another time")
                .detail("Send it within minutes of signing it, and set the clocks of both machines.")
        }
        Turned::Refused(Refusal::Unreadable) => {
            Problem::new("webhook_unreadable", 422, "The delivery can't be read")
                .detail("Its body is not as the CRM's profile says.")
        }
        Turned::Bridge(error) => {
            tracing::error!(error.cause = %error, "a webhook could not be noted");
            Problem::new("internal_error", 500, "The delivery could not be noted")
                .detail("Send it again later.")
        }
    };
    problem.request_id(request_id)
}
