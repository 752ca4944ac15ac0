//! The audit log: exchanging heads with the ticket service, and what is on the record when the bridge starts and stops.

use audit_log::chain::{Report, SignedHead};
use audit_log::wire::{from_wire, to_wire};
use audit_log::{Conflict, Countersigned};
use bridge_contract::{AuditAnswer, AuditQuestion, Grant, HEADS_MAX, NoticeKind, Purpose, Version};

use super::{Bridge, BridgeError};
use crate::store::audit::{TICKET_SERVICE, verified};

/// Takes the head of the ticket service's log into this one, and answers with this one's. Without a head it only says
/// which it has.
///
/// # Errors
/// [`BridgeError::AuditConflict`] if one of both logs is not what it was; [`BridgeError::GrantRefused`].
pub async fn exchange_heads(
    bridge: &Bridge,
    grant: &Grant,
    question: &AuditQuestion,
) -> Result<AuditAnswer, BridgeError> {
    if grant.purpose != (Purpose::AuditHead {}) {
        return Err(BridgeError::GrantRefused("it is not for heads of audit logs"));
    }
    let Some(theirs) = &question.head else {
        let (head, held) = bridge.store.heads(bridge.clock.now(), question.after).await?;
        let next = held.last().filter(|_| held.len() >= HEADS_MAX);
        let next = next.and_then(|(seq, _)| u64::try_from(*seq).ok());
        let held = held.iter().filter_map(|(_, head)| to_wire(head)).collect();
        return Ok(AuditAnswer { held, next, ..answer(&head)? });
    };
    // A head that can't be read is signed by nobody.
    let theirs =
        from_wire(TICKET_SERVICE, theirs).ok_or(BridgeError::AuditConflict(Conflict::Key.as_str()))?;
    let event = bridge.event(TICKET_SERVICE, "audit.countersigned");
    match bridge.store.countersign(theirs, bridge.other_audit_key, event).await? {
        Countersigned::Yes(head) => answer(&head),
        Countersigned::No(conflict) => {
            tracing::error!(
                audit.conflict = conflict.as_str(),
                "heads of the audit logs do not fit: {conflict}"
            );
            Err(BridgeError::AuditConflict(conflict.as_str()))
        }
    }
}

fn answer(head: &SignedHead) -> Result<AuditAnswer, BridgeError> {
    let head = to_wire(head).ok_or(BridgeError::Internal("the head of the audit log"))?;
    Ok(AuditAnswer { version: Version, head, held: Vec::new(), next: None })
}

/// The bridge begins to answer: under which policy, with which profile. The first entry also shows that the key fits.
///
/// # Errors
/// [`BridgeError::Database`]; then the bridge must not start.
pub async fn started(bridge: &Bridge) -> Result<(), BridgeError> {
    let event = bridge.event("system", "service.started").with("profile", bridge.source());
    let event = event.with("profile_sha256", &bridge.connector.profile().digests.whole);
    let event = event.with("policy_number", bridge.policy.number).with("version", env!("CARGO_PKG_VERSION"));
    Ok(bridge.store.record(event).await?)
}

/// The bridge stops.
///
/// # Errors
/// [`BridgeError::Database`].
pub async fn stopped(bridge: &Bridge) -> Result<(), BridgeError> {
    Ok(bridge.store.record(bridge.event("system", "service.stopped")).await?)
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Goes along the log if nobody did for a day. What is wrong is an error in the log of the service, each day again until
/// somebody acts. What the ticket service holds is compared by `audit verify --other`: the bridge asks nobody.
///
/// # Errors
/// [`BridgeError::Database`].
pub async fn verify_if_due(bridge: &Bridge) -> Result<Option<Report>, BridgeError> {
    let now = bridge.clock.now();
    let last = bridge.store.last_verified().await?;
    if last.is_some_and(|at| now.since_ms(at) < DAY_MS) {
        return Ok(None);
    }
    let report = bridge.store.verify_audit(&[], bridge.other_audit_key).await?;
    bridge.metrics.audit_verified(&report);
    if report.passes() {
        tracing::info!(audit.entries = report.entries, "the audit log is as it was");
    } else {
        tracing::error!(
            audit.unaltered = report.unaltered.as_str(),
            audit.complete = report.complete.as_str(),
            "the audit log is not what it was: run `crm-bridge audit verify`, which says where it begins"
        );
        bridge.store.report_audit(NoticeKind::BridgeAuditFailed, bridge.meter(None)).await?;
    }
    bridge.store.record(verified(now, &report)).await?;
    Ok(Some(report))
}
