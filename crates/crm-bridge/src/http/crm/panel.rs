//! `POST /v1/panel-urls` and the panel itself.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, RETRY_AFTER, VARY,
    X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{Error, HttpRequest, HttpResponse, get, post};
use serde::Deserialize;
use service_kit::Problem;
use service_kit::http::RequestId;
use utoipa::IntoParams;

use super::caller::{Known, peer};
use super::panel_page::{Language, Page, Theme, style};
use crate::app::crm_api::panel::{self, PanelRefusal, PanelUrl, PanelWish};
use crate::app::crm_api::record::{Call, record};
use crate::app::crm_api::{CrmApi, CrmError};

/// Who may show the panel in a frame, as the header says it.
pub(super) struct FrameAncestors(pub(super) String);

/// How the panel should look; the browser's wishes if the CRM has none.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Looks {
    /// `en` or `ru`.
    lang: Option<String>,
    /// `light` or `dark`.
    theme: Option<String>,
}

/// A link to the panel of a customer
///
/// For a frame in the CRM. It expires soon: get one each time the page is shown. Scope `panel:sign`.
#[utoipa::path(
    tag = "panel",
    operation_id = "signPanelUrl",
    security(("crm_key" = [])),
    request_body = PanelWish,
    responses(
        (status = 200, description = "The link", body = PanelUrl),
        (status = 401, description = "key_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "scope_missing", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid, body_invalid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too_many_requests", body = Problem, content_type = "application/problem+json"),
    )
)]
#[post("/v1/panel-urls")]
pub(super) async fn sign_panel_url(known: Known, wish: Json<PanelWish>) -> Result<Json<PanelUrl>, Problem> {
    let url = panel::sign(&known.api, &known.caller, &wish);
    known.recorded("sign_panel_url", None, url).await.map(Json)
}

/// The panel
///
/// A page for a frame; the signed link is all that is needed to see it, until it expires.
#[utoipa::path(
    tag = "panel",
    operation_id = "showPanel",
    security(()),
    params(("signed" = String, Path, description = "What the link ends in"), Looks),
    responses(
        (status = 200, description = "The panel", body = String, content_type = "text/html"),
        (status = 403, description = "The link is not valid", body = String, content_type = "text/html"),
        (status = 410, description = "The link has expired", body = String, content_type = "text/html"),
        (status = 429, description = "Too many requests", body = String, content_type = "text/html"),
        (status = 503, description = "Nothing can be shown just now", body = String, content_type = "text/html"),
    )
)]
#[get("/panel/{signed}")]
pub(super) async fn show_panel(
    api: Data<CrmApi>,
    frame: Data<FrameAncestors>,
    request: HttpRequest,
    signed: Path<String>,
    looks: Query<Looks>,
) -> HttpResponse {
    let page = page(&api, &request, &looks);
    let shown = panel::show(&api, &signed, peer(&request)).await;
    let request_id = RequestId::of(&request);
    let call = Call { key_id: None, operation: "show_panel", ticket: None, request_id: request_id.as_str() };
    let (status, wait_s, html) = match shown {
        Ok(tickets) => {
            // Nothing is shown that is not on the record.
            match record(&api, &call, Ok(())).await {
                Ok(()) => (StatusCode::OK, None, page.tickets(&tickets)),
                Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Some(5), page.refusal("failed")),
            }
        }
        Err(refusal) => {
            let (status, wait_s, key, error) = told(refusal);
            let _recorded = record::<()>(&api, &call, Err(error)).await;
            (status, wait_s, page.refusal(key))
        }
    };
    let policy = format!(
        "default-src 'none'; style-src 'self'; frame-ancestors {}; base-uri 'none'; form-action 'none'",
        frame.0
    );
    let mut answer = HttpResponse::build(status);
    answer
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_LANGUAGE, page.language.code()))
        .insert_header((VARY, "Accept-Language"));
    if let Some(wait_s) = wait_s {
        answer.insert_header((RETRY_AFTER, wait_s.to_string()));
    }
    answer.body(html)
}

/// Status, wait, text and record of a refusal. Whoever has no valid signature learns only that.
fn told(refusal: PanelRefusal) -> (StatusCode, Option<u64>, &'static str, CrmError) {
    match refusal {
        PanelRefusal::Expired => (StatusCode::GONE, None, "expired", CrmError::KeyInvalid),
        PanelRefusal::Invalid(_) => (StatusCode::FORBIDDEN, None, "invalid", CrmError::KeyInvalid),
        PanelRefusal::TooMany(wait) => {
            (StatusCode::TOO_MANY_REQUESTS, Some(wait), "too_many", CrmError::TooMany(wait))
        }
        PanelRefusal::Failed(error) => {
            tracing::error!(error = %error, "a panel could not be shown");
            (StatusCode::SERVICE_UNAVAILABLE, Some(5), "failed", error)
        }
    }
}

fn page(api: &CrmApi, request: &HttpRequest, looks: &Looks) -> Page {
    let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = match looks.lang.as_deref() {
        Some("ru") => Language::Russian,
        Some("en") => Language::English,
        _ => Language::best(accepted.unwrap_or_default()),
    };
    let theme = match looks.theme.as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::AsTheBrowser,
    };
    Page { language, theme, time_zone: api.settings.panel_time_zone.clone() }
}

/// `GET /panel/style.css`: changes with releases only.
pub(super) async fn show_style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .body(style())
}

/// Middleware: an answer that says itself who may frame it does not say the opposite in the older header.
///
/// # Errors
/// Passes on what the handler reports.
pub(super) async fn in_a_frame(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut answer = next.call(request).await?;
    let policy = answer.headers().get(CONTENT_SECURITY_POLICY).and_then(|value| value.to_str().ok());
    let framed = policy.is_some_and(|policy| {
        policy.contains("frame-ancestors") && !policy.contains("frame-ancestors 'none'")
    });
    if framed {
        answer.headers_mut().remove(X_FRAME_OPTIONS);
    }
    Ok(answer)
}
