//! Health and metrics.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde::Serialize;
use service_kit::Problem;
use service_kit::http as common;
use service_kit::metrics::Metrics;
use utoipa::ToSchema;

use crate::app::policies::Live;

/// Whether the bridge can answer.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// `ready` or `not_ready`.
    status: &'static str,
    /// `ok` or `unavailable`. Without the database nothing is answered.
    database: &'static str,
    /// `asked` or `paused`. Without the CRM kept cards are shown, so this does not decide.
    crm: &'static str,
    /// `current`, or `newer_refused`: a newer policy may not be used, and the one before stays in force; the log says why.
    policy: &'static str,
}

/// The process answers.
#[utoipa::path(tag = "health", operation_id = "live", responses((status = 200, description = "It lives")))]
#[get("/health/live")]
pub(super) async fn live() -> HttpResponse {
    common::live().await
}

/// The bridge can answer questions.
#[utoipa::path(
    tag = "health",
    operation_id = "ready",
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "The database does not answer", body = Readiness),
    )
)]
#[get("/health/ready")]
pub(super) async fn ready(bridge: Data<Live>) -> HttpResponse {
    let policy = if bridge.newer_is_refused() { "newer_refused" } else { "current" };
    let bridge = bridge.now();
    let crm = if bridge.connector.is_paused() { "paused" } else { "asked" };
    match bridge.store.ping().await {
        Ok(()) => HttpResponse::Ok().json(Readiness { status: "ready", database: "ok", crm, policy }),
        Err(error) => {
            tracing::error!(error = %error, "the database does not answer");
            HttpResponse::ServiceUnavailable().json(Readiness {
                status: "not_ready",
                database: "unavailable",
                crm,
                policy,
            })
        }
    }
}

/// Numbers in the OpenMetrics text format.
#[utoipa::path(
    tag = "health",
    operation_id = "metrics",
    responses((status = 200, description = "OpenMetrics", body = String, content_type = "application/openmetrics-text"))
)]
#[get("/metrics")]
pub(super) async fn metrics(metrics: Data<Metrics>) -> Result<HttpResponse, Problem> {
    common::metrics(metrics).await
}
