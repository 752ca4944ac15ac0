//! Signing in and out, and the own account.

use actix_web::http::header::SET_COOKIE;
use actix_web::{HttpResponse, delete, get, patch, post, put, web};
use serde::Deserialize;
use service_kit::Secret;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::me::{self, Me, MeChange, PasswordChange};
use crate::app::{App, sign_in};
use crate::config::Config;
use crate::error::TicketError;
use crate::http::extract::{Body, ClientAddress, SESSION_COOKIE, SameSite, Shown, SignedIn};

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(start_session)
        .service(show_session)
        .service(change_session)
        .service(change_password)
        .service(end_session);
}

/// Mail address and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The mail address.
    pub email: String,
    /// The password.
    #[schema(value_type = String, format = "password")]
    pub password: Secret,
}

/// The header that sets or ends the cookie. Scripts can't read it, and no other site can make a browser send it.
fn cookie(config: &Config, value: &str, seconds: i64) -> (actix_web::http::header::HeaderName, String) {
    let secure = if config.server.is_https() { "; Secure" } else { "" };
    let text =
        format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    (SET_COOKIE, text)
}

/// Sign in
///
/// Sets the session cookie. Failed attempts are limited per network address and per mail address.
#[utoipa::path(
    operation_id = "startSession", tag = "session", security(()), request_body = SignIn,
    responses(
        (status = 200, description = "Signed in; the cookie is set", body = Me),
        (status = 401, description = "`credentials_wrong`"),
        (status = 429, description = "`too_many_attempts`; see `Retry-After`"),
    )
)]
#[post("/session")]
async fn start_session(
    app: web::Data<App>,
    _: SameSite,
    ClientAddress(address): ClientAddress,
    body: Body<SignIn>,
) -> Result<HttpResponse, TicketError> {
    let SignIn { email, password } = body.value;
    let (token, me) = sign_in::sign_in(&app, address, &email, password).await?;
    let seconds = app.config.sessions.absolute_ms() / 1000;
    Ok(HttpResponse::Ok().insert_header(cookie(&app.config, token.expose(), seconds)).json(me))
}

/// Who is signed in
#[utoipa::path(operation_id = "showSession", tag = "session", responses((status = 200, description = "The signed-in operator", body = Me)))]
#[get("/session")]
async fn show_session(app: web::Data<App>, SignedIn(actor): SignedIn) -> Result<web::Json<Me>, TicketError> {
    me::show(&app, &actor).await.map(web::Json)
}

/// Change the own account
#[utoipa::path(
    operation_id = "changeSession", tag = "session", request_body = MeChange,
    responses((status = 200, description = "The account as it is now", body = Me))
)]
#[patch("/session")]
async fn change_session(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    body: Body<MeChange>,
) -> Result<web::Json<Me>, TicketError> {
    me::change(&app, &actor, body.value).await.map(web::Json)
}

/// Change the own password
///
/// Ends all other sessions of the operator.
#[utoipa::path(
    operation_id = "changePassword", tag = "session", request_body = PasswordChange,
    responses((status = 204, description = "The password is changed"))
)]
#[put("/session/password")]
async fn change_password(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    Shown(credential): Shown,
    body: Body<PasswordChange>,
) -> Result<HttpResponse, TicketError> {
    me::change_password(&app, &actor, &credential, body.value).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sign out
///
/// Ends the session and removes the cookie.
#[utoipa::path(operation_id = "endSession", tag = "session", responses((status = 204, description = "Signed out")))]
#[delete("/session")]
async fn end_session(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    Shown(credential): Shown,
) -> Result<HttpResponse, TicketError> {
    sign_in::sign_out(&app, &actor, &credential).await?;
    Ok(HttpResponse::NoContent().insert_header(cookie(&app.config, "", 0)).finish())
}
