//! Whether the service lives and is ready to work; for load balancers and service managers.

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use service_kit::Problem;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(health_live).service(health_ready);
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `live` or `ready`.
    pub status: &'static str,
}

/// Whether the process answers
#[utoipa::path(operation_id = "healthLive", tag = "health", security(()), responses((status = 200, description = "It does", body = Health)))]
#[get("/health/live")]
async fn health_live() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "live" })
}

/// Whether the service can work
///
/// Asks the database. The CRM and the bridge are no part of it: tickets work without them.
#[utoipa::path(
    operation_id = "healthReady", tag = "health", security(()),
    responses(
        (status = 200, description = "It can", body = Health),
        (status = 503, description = "`not_ready`: the database does not answer"),
    )
)]
#[get("/health/ready")]
async fn health_ready(app: web::Data<App>) -> Result<HttpResponse, Problem> {
    match app.store.database().ping().await {
        Ok(()) => Ok(HttpResponse::Ok().json(Health { status: "ready" })),
        Err(error) => {
            tracing::warn!(error.cause = %error, "the database does not answer");
            Err(Problem::new("not_ready", 503, "Not ready").detail(
                "The database does not answer. Look into the log of the service and at the database.",
            ))
        }
    }
}
