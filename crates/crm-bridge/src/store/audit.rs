//! What the bridge records in its audit log, and the log itself. A use case that changes something in a transaction of
//! this module records it in that same transaction; everything else goes through [`Store::record`].

use audit_log::chain::{Details, PublicKey, Report, SignedHead};
use audit_log::{AuditLog, Countersigned, Event, ExportFailed, Exported};
use bridge_contract::{BrokenGlass, HEADS_MAX};
use db_kit::DbError;
use service_kit::Timestamp;

use super::{Store, Viewing};

/// The name of this service's log.
pub const SERVICE: &str = "crm-bridge";
/// Who asks for what no person asked for.
pub const TICKET_SERVICE: &str = "ticket-service";

/// What an entry about a look says beside who, whom and which ticket.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// Keys of the fields that were shown in clear.
    pub shown: Vec<String>,
    /// Keys of the fields that were shown masked.
    pub masked: Vec<String>,
    /// The policy in force.
    pub policy_hash: String,
    /// Age of what was shown.
    pub as_of: Option<Timestamp>,
    /// Whether it was older than it should be.
    pub stale: bool,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A card was shown.
    Card,
    /// A masked field was shown in clear.
    Reveal,
    /// A card or field was asked for and not shown.
    Refused(Refusal),
}

/// Why nothing was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such customer for this ticket.
    Unknown,
    /// The customer has been erased; the entry does not name them.
    Erased,
    /// The role may not have the field in clear.
    NotRevealable,
    /// The operator has looked at too many customers.
    BudgetSpent,
}

impl Action {
    /// As supervisors filter by it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Reveal => "reveal",
            Self::Refused(_) => "refused",
        }
    }

    fn as_recorded(self) -> &'static str {
        match self {
            Self::Card => "card.shown",
            Self::Reveal => "field.revealed",
            Self::Refused(_) => "look.refused",
        }
    }
}

impl Refusal {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Erased => "erased",
            Self::NotRevealable => "not_revealable",
            Self::BudgetSpent => "budget_spent",
        }
    }
}

/// The entry about a look. The operator's own words for breaking the glass stay with the notice to supervisors.
pub(super) fn looked(viewing: &Viewing, line: &LogLine, glass: Option<&BrokenGlass>) -> Event {
    let mut details = Details::new().with("role", viewing.role.as_str());
    for (key, fields) in [("shown", &line.shown), ("masked", &line.masked)] {
        if !fields.is_empty() {
            details = details.with(key, fields.join(","));
        }
    }
    if let Some(as_of) = line.as_of {
        details = details.with("as_of", as_of.ms());
    }
    if line.stale {
        details = details.with("stale", "yes");
    }
    if let Some(glass) = glass {
        details = details.with("glass", glass.ground.as_str());
    }
    if let Action::Refused(why) = line.action {
        details = details.with("reason", why.as_str());
    }
    let is_erased = line.action == Action::Refused(Refusal::Erased);
    Event {
        at: line.at,
        actor: viewing.operator.as_str().to_owned(),
        action: line.action.as_recorded(),
        ticket: Some(viewing.ticket),
        customer_ref: (!is_erased).then(|| viewing.customer_ref.as_str().to_owned()),
        details,
        policy: Some(line.policy_hash.clone()),
        request_id: viewing.request_id.clone(),
    }
}

/// The entry about a look-up: how many customers it found, and which if it was one.
pub(super) fn answered(event: Event, refs: &[String]) -> Event {
    let event = event.with("found", refs.len());
    match refs {
        [only] => event.customer(only),
        _ => event,
    }
}

const VERIFIED: &str = "audit.verified";

/// The entry about a verification.
#[must_use]
pub fn verified(at: Timestamp, report: &Report) -> Event {
    Event::new(at, "system", VERIFIED)
        .with("unaltered", report.unaltered.as_str())
        .with("complete", report.complete.as_str())
        .with("entries", report.entries)
}

/// The entry about an export.
fn exported(at: Timestamp, stretch: Exported) -> Event {
    let event = Event::new(at, "system", "audit.exported");
    event.with("first", stretch.first).with("last", stretch.last)
}

impl Store {
    /// Records what is not done in a transaction of this store.
    ///
    /// # Errors
    /// [`DbError`]; then what was to be recorded must not happen.
    pub async fn record(&self, event: Event) -> Result<(), DbError> {
        self.audit.record(&self.database, vec![event]).await
    }

    /// The log, for those who append to it in a transaction of their own.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// Takes a head of the ticket service's log, if it fits.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn countersign(
        &self,
        theirs: SignedHead,
        known_key: Option<PublicKey>,
        event: Event,
    ) -> Result<Countersigned, DbError> {
        let audit = self.audit.clone();
        self.database.write(move |conn| audit.countersign(conn, &theirs, known_key, event)).await
    }

    /// The head of this log, and heads of the ticket service in entries after that number.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn heads(
        &self,
        now: Timestamp,
        after: u64,
    ) -> Result<(SignedHead, Vec<(i64, SignedHead)>), DbError> {
        let audit = self.audit.clone();
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        // A write: the first question begins the log if nothing has been recorded yet.
        self.database
            .write(move |conn| {
                let held = audit.heads_after(conn, after, HEADS_MAX as i64)?;
                Ok((audit.signed_head(conn, now)?, held))
            })
            .await
    }

    /// Reads the whole log and says whether it is unaltered and complete.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn verify_audit(
        &self,
        held: &[SignedHead],
        other_key: Option<PublicKey>,
    ) -> Result<Report, DbError> {
        self.audit.verify(&self.database, held, other_key).await
    }

    /// When somebody last went along the log.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn last_verified(&self) -> Result<Option<Timestamp>, DbError> {
        let audit = self.audit.clone();
        self.database
            .read(move |conn| {
                let last = audit.newest(conn, VERIFIED)?;
                Ok(last.map(|entry| Timestamp::from_ms(entry.at_ms)))
            })
            .await
    }

    /// Writes a stretch of the log for an auditor, and records that.
    ///
    /// # Errors
    /// [`ExportFailed`].
    pub async fn export_audit(
        &self,
        stretch: (Option<Timestamp>, Option<Timestamp>),
        now: Timestamp,
        path: &std::path::Path,
    ) -> Result<Exported, ExportFailed> {
        let stretch = self.audit.export(&self.database, stretch, now, path).await?;
        self.record(exported(now, stretch)).await?;
        Ok(stretch)
    }
}
