//! What the commands do with the log: check it, export it, take a customer out. Each of it is recorded.

use std::path::Path;

use audit_log::chain::{PublicKey, Report, SignedHead};
use audit_log::{ExportFailed, Exported};
use bridge_contract::CustomerRef;
use service_kit::Timestamp;

use crate::app::App;
use crate::domain::Actor;
use crate::domain::audit::Deed;
use crate::error::TicketError;
use crate::store::{Scope, audit};

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
