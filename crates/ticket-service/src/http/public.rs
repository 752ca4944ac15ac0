//! What anybody may do: send a request, as JSON or through a page that works without scripts.

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, RETRY_AFTER, VARY};
use actix_web::{HttpRequest, HttpResponse, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::public_request::{self, PublicRequest, TakenRequest};
use crate::error::TicketError;
use crate::http::extract::{Body, ClientAddress};
use crate::http::request_page::{Language, Page, Trouble};

/// An hour: the style of the page changes with releases only.
const STYLE_CACHE: &str = "public, max-age=3600";

/// The described route of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(send_public_request);
}

/// The page for people, which is no part of the described interface.
pub(crate) fn pages(config: &mut web::ServiceConfig) {
    let unreadable = |error: actix_web::error::UrlencodedError, _: &HttpRequest| {
        TicketError::Unreadable(format!("The form can't be read: {error}")).into()
    };
    let form = web::resource("/request")
        .app_data(web::FormConfig::default().error_handler(unreadable))
        .get(show_form)
        .post(send_form);
    config.service(form).route("/request/style.css", web::get().to(show_style));
}

/// Send a request
///
/// For anybody. Limited per network address. Opens a ticket in the first line and tells its number.
#[utoipa::path(
    operation_id = "sendPublicRequest", tag = "public", security(()), request_body = PublicRequest,
    responses(
        (status = 201, description = "The ticket's number", body = TakenRequest),
        (status = 429, description = "`too_many_attempts`; see `Retry-After`"),
    )
)]
#[post("/public/requests")]
async fn send_public_request(
    app: web::Data<App>,
    ClientAddress(address): ClientAddress,
    body: Body<PublicRequest>,
) -> Result<HttpResponse, TicketError> {
    let number = public_request::take(&app, address, &body.value).await?;
    Ok(HttpResponse::Created().json(TakenRequest { number }))
}

fn page(app: &App, request: &HttpRequest) -> Page {
    let wanted =
        request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Page { language: Language::best(wanted), helpdesk: app.config.tickets.helpdesk_name.clone() }
}

fn answer(status: StatusCode, page: &Page, html: String) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_LANGUAGE, page.language.code()))
        .insert_header((VARY, "Accept-Language"))
        .body(html)
}

async fn show_form(app: web::Data<App>, request: HttpRequest) -> HttpResponse {
    let page = page(&app, &request);
    let empty = PublicRequest {
        opened_at: app.clock.now().to_string(),
        form_id: app.ids.token(12),
        ..PublicRequest::default()
    };
    answer(StatusCode::OK, &page, page.form(&empty, &Trouble::None))
}

async fn send_form(
    app: web::Data<App>,
    request: HttpRequest,
    ClientAddress(address): ClientAddress,
    form: web::Form<PublicRequest>,
) -> HttpResponse {
    let page = page(&app, &request);
    let error = match public_request::take(&app, address, &form).await {
        Ok(number) => return answer(StatusCode::CREATED, &page, page.taken(number, &form.email)),
        Err(error) => error,
    };
    let problem = error.problem();
    if problem.status() >= 500 {
        tracing::error!(error.cause = %error, problem.code = problem.code(), "a request of the public form failed");
    }
    let (trouble, retry_after) = match error {
        TicketError::Invalid(fields) => {
            (Trouble::Fields(fields.into_iter().map(|(field, _)| field).collect()), None)
        }
        TicketError::TooMany(seconds) => (Trouble::TooMany, Some(seconds)),
        _ => (Trouble::Ours, None),
    };
    // Whatever is wrong: the answer is the same form with everything that was typed.
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = answer(status, &page, page.form(&form, &trouble));
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

async fn show_style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((CACHE_CONTROL, STYLE_CACHE))
        .body(include_str!("request.css"))
}
