//! API keys, for administrators.

use actix_web::{HttpResponse, delete, get, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::api_keys::{self, ApiKeyList, MadeApiKey, NewApiKey};
use crate::error::TicketError;
use crate::http::extract::{Body, SignedIn};

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list_api_keys).service(create_api_key).service(revoke_api_key);
}

/// List API keys
#[utoipa::path(operation_id = "listApiKeys", tag = "api-keys", responses((status = 200, description = "All keys, the newest first", body = ApiKeyList)))]
#[get("/api-keys")]
async fn list_api_keys(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
) -> Result<web::Json<ApiKeyList>, TicketError> {
    api_keys::list(&app, &actor).await.map(web::Json)
}

/// Make an API key
///
/// Only a signed-in administrator can. The secret is in this answer and nowhere else.
#[utoipa::path(
    operation_id = "createApiKey", tag = "api-keys", request_body = NewApiKey,
    responses((status = 201, description = "The key and its secret", body = MadeApiKey))
)]
#[post("/api-keys")]
async fn create_api_key(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    body: Body<NewApiKey>,
) -> Result<HttpResponse, TicketError> {
    let made = api_keys::create(&app, &actor, body.value).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Revoke an API key
///
/// At once and for good. Revoking it again changes nothing.
#[utoipa::path(
    operation_id = "revokeApiKey", tag = "api-keys", params(("id" = String, Path, description = "The key's id")),
    responses((status = 204, description = "The key is revoked"))
)]
#[delete("/api-keys/{id}")]
async fn revoke_api_key(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, TicketError> {
    api_keys::revoke(&app, &actor, id.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
