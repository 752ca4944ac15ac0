//! The audit log, for supervisors and administrators.

use actix_web::{get, web};
use audit_log::Filter;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::audit::{self, AuditEntry, AuditState};
use crate::app::view::Page;
use crate::error::TicketError;
use crate::http::extract::{Query, SignedIn};
use crate::http::tickets::limit;

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(state);
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditParameters {
    /// Of this operator or API key, by id; or of `system`, `public`, `crm-bridge`.
    actor: Option<String>,
    /// With this action, such as `session.started`.
    action: Option<String>,
    /// For this ticket.
    ticket: Option<i64>,
    /// Where the page begins: `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100 entries; 50 by default.
    limit: Option<usize>,
}

/// Read the audit log
///
/// Who signed in, changed what, asked for whose card; the newest first. Reading it is recorded, too.
#[utoipa::path(
    operation_id = "listAuditEntries", tag = "audit", params(AuditParameters),
    responses(
        (status = 200, description = "A page of entries", body = Page<AuditEntry>),
        (status = 403, description = "Only supervisors and administrators"),
    )
)]
#[get("/audit")]
async fn list(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    Query(parameters): Query<AuditParameters>,
) -> Result<web::Json<Page<AuditEntry>>, TicketError> {
    let rows = limit(parameters.limit)?;
    let before = parameters.cursor.map(|cursor| cursor.parse::<i64>()).transpose();
    let before = before
        .map_err(|_| TicketError::invalid("cursor", "is none that this list gave; begin without one"))?;
    let AuditParameters { actor: of, action, ticket, .. } = parameters;
    let filter = Filter { actor: of, action, ticket };
    audit::list(&app, &actor, filter, before, rows).await.map(web::Json)
}

/// How the audit log stands
///
/// When it was last checked, and how far the bridge vouches for it.
#[utoipa::path(
    operation_id = "showAuditState", tag = "audit",
    responses(
        (status = 200, description = "How the log stands", body = AuditState),
        (status = 403, description = "Only supervisors and administrators"),
    )
)]
#[get("/audit/state")]
async fn state(app: web::Data<App>, SignedIn(actor): SignedIn) -> Result<web::Json<AuditState>, TicketError> {
    audit::state(&app, &actor).await.map(web::Json)
}
