//! What the commands do with the log: check it, export it, take a customer out. Each of it is recorded.

use std::path::Path;

use audit_log::chain::{PublicKey, Report, SignedHead};
use audit_log::{ExportFailed, Exported};
use bridge_contract::{CustomerRef, OversightAsk};
use service_kit::Timestamp;

use super::heads;
use crate::app::App;
use crate::domain::Actor;
use crate::domain::audit::Deed;
use crate::error::TicketError;
use crate::store::{Scope, audit};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum NotExported {
    /// The file or the log can't be used.
    #[error(transparent)]
    Export(#[from] ExportFailed),
    /// It could not be recorded.
    #[error(transparent)]
    Record(#[from] TicketError),
}

/// Goes along the whole log. `held`: heads of it that the bridge has.
///
/// # Errors
/// [`TicketError::Database`].
pub async fn verify(
    app: &App,
    held: &[SignedHead],
    other_key: Option<PublicKey>,
) -> Result<Report, TicketError> {
    let report = app.store.verify_audit(held, other_key).await?;
    app.job_metrics.audit_verified(&report);
    let (unaltered, complete) = (report.unaltered.as_str(), report.complete.as_str());
    let entries = report.entries;
    let record = move |scope: &mut Scope<'_>| {
        audit::record(scope, Deed::AuditVerified, |event| {
            event.with("unaltered", unaltered).with("complete", complete).with("entries", entries)
        });
        Ok(())
    };
    // A log that can't take this entry is told of all the same.
    if let Err(error) = app.store.write(&Actor::system(), record).await {
        tracing::warn!(error.cause = %error, "the result of the verification could not be recorded");
    }
    Ok(report)
}

/// Goes along the log if nobody did for a day, and compares it with the heads that the bridge has, if the bridge answers.
/// What is wrong is an error in the log of the service, each day again until somebody acts.
///
/// # Errors
/// [`TicketError::Database`].
pub async fn verify_if_due(app: &App, request_id: &str) -> Result<bool, TicketError> {
    let due = |scope: &mut Scope<'_>| {
        let last = audit::newest(scope, Deed::AuditVerified)?;
        Ok(last.is_none_or(|last| scope.now.ms() - last.at_ms >= DAY_MS))
    };
    if !app.store.read(&Actor::system(), due).await? {
        return Ok(false);
    }
    let held = match heads::held_by_bridge(app, request_id).await {
        Ok(held) => held,
        Err(error) => {
            tracing::warn!(error.cause = %error, "the audit log is not compared with what the bridge holds");
            Vec::new()
        }
    };
    let report = verify(app, &held, app.other_audit_key).await?;
    if report.passes() {
        tracing::info!(audit.entries = report.entries, "the audit log is as it was");
    } else {
        tracing::error!(
            audit.unaltered = report.unaltered.as_str(),
            audit.complete = report.complete.as_str(),
            "the audit log is not what it was: run `ticket-service audit verify`, which says where it begins"
        );
        if let Some(bridge) = &app.bridge
            && let Err(error) = bridge.oversight(None, OversightAsk::ReportAudit {}, request_id).await
        {
            tracing::warn!(error.cause = %error, "supervisors could not be told of the audit log");
        }
    }
    Ok(true)
}

/// Writes a stretch of the log into a new file.
///
/// # Errors
/// [`NotExported`].
pub async fn export(
    app: &App,
    stretch: (Option<Timestamp>, Option<Timestamp>),
    path: &Path,
) -> Result<Exported, NotExported> {
    let exported = app.store.export_audit(stretch, path).await?;
    let record = move |scope: &mut Scope<'_>| {
        audit::record(scope, Deed::AuditExported, |event| {
            event.with("first", exported.first).with("last", exported.last)
        });
        Ok(())
    };
    app.store.write(&Actor::system(), record).await?;
    Ok(exported)
}

/// Takes a customer out of the log.
///
/// # Errors
/// [`TicketError::Database`].
pub async fn erase(app: &App, customer_ref: CustomerRef) -> Result<(), TicketError> {
    let erase = move |scope: &mut Scope<'_>| {
        audit::forget_customer(scope, customer_ref.as_str());
        Ok(())
    };
    app.store.write(&Actor::system(), erase).await
}
