//! Exchanging heads of the audit logs with the bridge, so that neither service's log rests on its owner alone.

use std::time::Duration;

use audit_log::Countersigned;
use audit_log::chain::SignedHead;
use audit_log::wire::{from_wire, to_wire};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::bridge::BridgeError;
use crate::domain::Actor;
use crate::domain::audit::Deed;
use crate::error::TicketError;
use crate::store::{Scope, audit};

/// The bridge's name in heads.
pub const BRIDGE: &str = "crm-bridge";
const MINUTE_MS: i64 = 60_000;
/// A service that stops does not wait longer for its last countersignature.
const LAST_TIMEOUT: Duration = Duration::from_secs(3);

/// Exchanges heads if it is time: so many minutes after the last time, or so many entries.
///
/// # Errors
/// [`TicketError::Bridge`] if the bridge can't be asked now, [`TicketError::Database`].
pub async fn exchange_if_due(app: &App, request_id: &str) -> Result<bool, TicketError> {
    let settings = &app.config.audit;
    let (minutes, entries) = (i64::from(settings.heads_minutes), i64::from(settings.heads_entries));
    let due = move |scope: &mut Scope<'_>| {
        let Some(last) = audit::newest(scope, Deed::Countersigned)? else { return Ok(true) };
        let is_old = scope.now.ms() - last.at_ms >= minutes * MINUTE_MS;
        Ok(is_old || audit::length(scope)? - last.seq >= entries)
    };
    if app.bridge.is_none() || !app.store.read(&Actor::system(), due).await? {
        return Ok(false);
    }
    exchange(app, request_id).await.map(|()| true)
}

/// Exchanges heads now: hands over this log's, and writes the bridge's into it. Heads that do not fit are an error in the
/// log, for people; trying again would not help.
///
/// # Errors
/// As [`exchange_if_due`].
pub async fn exchange(app: &App, request_id: &str) -> Result<(), TicketError> {
    let Some(bridge) = &app.bridge else { return Ok(()) };
    let system = Actor::system();
    let ours = app.store.write(&system, audit::signed_head).await?;
    let answer = match bridge.audit_head(to_wire(&ours), 0, request_id).await {
        Err(error @ BridgeError::AuditConflict) => {
            tracing::error!(error.cause = %error, "heads of the audit logs do not fit");
            return Ok(());
        }
        answer => answer?,
    };
    let not_of_a_bridge = || BridgeError::Unavailable("its head is none");
    let theirs = from_wire(BRIDGE, &answer.head).ok_or_else(not_of_a_bridge)?;
    let key = app.other_audit_key;
    let taken = app.store.write(&system, move |scope| audit::countersign(scope, &theirs, key)).await?;
    if let Countersigned::No(conflict) = taken {
        tracing::error!(audit.conflict = conflict.as_str(), "heads of the audit logs do not fit: {conflict}");
    }
    Ok(())
}

/// The heads of this log that the bridge has; none if there is no bridge.
///
/// # Errors
/// [`TicketError::Bridge`].
pub async fn held_by_bridge(app: &App, request_id: &str) -> Result<Vec<SignedHead>, TicketError> {
    let Some(bridge) = &app.bridge else { return Ok(Vec::new()) };
    let (mut heads, mut after) = (Vec::new(), Some(0));
    while let Some(from) = after {
        let answer = bridge.audit_head(None, from, request_id).await?;
        heads.extend(answer.held.iter().filter_map(|head| from_wire(audit::SERVICE, head)));
        // A list that does not go forward has ended.
        after = answer.next.filter(|next| *next > from);
    }
    Ok(heads)
}

/// The service begins to serve: with which settings, by their hash. The first entry also shows that the key fits.
///
/// # Errors
/// [`TicketError::Database`]; then the service must not start.
pub async fn started(app: &App) -> Result<(), TicketError> {
    let settings = hex::encode(Sha256::digest(format!("{:?}", app.config)));
    let settings: String = settings.chars().take(16).collect();
    let record = move |scope: &mut Scope<'_>| {
        audit::record(scope, Deed::Started, |event| {
            event.with("settings", settings).with("version", env!("CARGO_PKG_VERSION"))
        });
        Ok(())
    };
    app.store.write(&Actor::system(), record).await
}

/// The service stops: recorded, and countersigned if the bridge answers in time.
pub async fn stopped(app: &App) {
    let record = |scope: &mut Scope<'_>| {
        audit::record(scope, Deed::Stopped, |event| event);
        Ok(())
    };
    if let Err(error) = app.store.write(&Actor::system(), record).await {
        tracing::warn!(error.cause = %error, "the end could not be recorded");
    }
    match tokio::time::timeout(LAST_TIMEOUT, exchange(app, &app.ids.new_id("req"))).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(error.cause = %error, "the last head was not countersigned"),
        Err(_) => tracing::warn!("the last head was not countersigned in time"),
    }
}
