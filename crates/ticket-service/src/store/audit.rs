//! The audit log of the ticket service: who signed in, changed what, asked for whose card.
//!
//! [`record`] is the one way in. What is recorded in a transaction is appended when the use case is done, as the last thing
//! before the commit, so the deed and its entry are saved together or not at all, and no writer waits for another while a
//! use case works.

use audit_log::chain::{Entry, PublicKey, Report, SignedHead};
use audit_log::{Countersigned, Event, ExportFailed, Exported, Filter};
use service_kit::Timestamp;

use crate::domain::Actor;
use crate::domain::audit::Deed;
use crate::error::TicketError;
use crate::store::{Scope, Store};

/// The name of this service's log.
pub const SERVICE: &str = "ticket-service";

/// What is to be written to the log when the use case is done.
#[derive(Debug, Default)]
pub(super) struct Pending {
    events: Vec<Event>,
    forgotten: Vec<String>,
}

/// Notes that the actor at hand does this, now, in the request at hand. `more` adds what else there is to say.
pub fn record(scope: &mut Scope<'_>, deed: Deed, more: impl FnOnce(Event) -> Event) {
    let event = event(scope.now, &scope.actor, deed, &scope.request_id);
    scope.audit.events.push(more(event));
}

/// The customer was erased: the log forgets this reference, and says that it did.
pub fn forget_customer(scope: &mut Scope<'_>, customer_ref: &str) {
    if scope.audit.forgotten.iter().all(|known| known != customer_ref) {
        scope.audit.forgotten.push(customer_ref.to_owned());
    }
}

fn event(now: Timestamp, actor: &Actor, deed: Deed, request_id: &str) -> Event {
    let event = Event::new(now, actor.caller_key(), deed.as_str()).request(request_id);
    match actor.role {
        Some(role) => event.with("role", role),
        None => event,
    }
}

/// Writes what was noted; the last thing before the commit.
pub(super) fn flush(scope: &mut Scope<'_>) -> Result<(), TicketError> {
    let Pending { events, forgotten } = std::mem::take(&mut scope.audit);
    scope.log.append(scope.conn, &events)?;
    if !forgotten.is_empty() {
        let event = event(scope.now, &scope.actor, Deed::CustomerErased, &scope.request_id);
        scope.log.erase(scope.conn, &forgotten, event)?;
    }
    Ok(())
}

/// Entries, the newest first, from before that number.
pub fn page(
    scope: &mut Scope<'_>,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Entry>, TicketError> {
    Ok(scope.log.clone().page(scope.conn, filter, before, limit)?)
}

/// The newest entry about this deed.
pub fn newest(scope: &mut Scope<'_>, deed: Deed) -> Result<Option<Entry>, TicketError> {
    Ok(scope.log.clone().newest(scope.conn, deed.as_str())?)
}

/// How many entries there are.
pub fn length(scope: &mut Scope<'_>) -> Result<i64, TicketError> {
    Ok(scope.log.clone().length(scope.conn)?)
}

/// The head of this log, signed, with the newest head of the bridge's.
pub fn signed_head(scope: &mut Scope<'_>) -> Result<SignedHead, TicketError> {
    Ok(scope.log.clone().signed_head(scope.conn, scope.now)?)
}

/// Takes a head of the bridge's log, if it fits.
pub fn countersign(
    scope: &mut Scope<'_>,
    theirs: &SignedHead,
    known_key: Option<PublicKey>,
) -> Result<Countersigned, TicketError> {
    let event = event(scope.now, &scope.actor, Deed::Countersigned, &scope.request_id);
    Ok(scope.log.clone().countersign(scope.conn, theirs, known_key, event)?)
}

impl Store {
    /// Reads the whole log and says whether it is unaltered and complete. `held`: heads of it that the bridge has.
    ///
    /// # Errors
    /// [`TicketError::Database`].
    pub async fn verify_audit(
        &self,
        held: &[SignedHead],
        other_key: Option<PublicKey>,
    ) -> Result<Report, TicketError> {
        Ok(self.log.verify(&self.database, held, other_key).await?)
    }

    /// Writes a stretch of the log for an auditor.
    ///
    /// # Errors
    /// [`ExportFailed`].
    pub async fn export_audit(
        &self,
        stretch: (Option<Timestamp>, Option<Timestamp>),
        path: &std::path::Path,
    ) -> Result<Exported, ExportFailed> {
        self.log.export(&self.database, stretch, self.clock.now(), path).await
    }

    /// The public key of the log.
    #[must_use]
    pub fn audit_key(&self) -> PublicKey {
        self.log.public_key()
    }
}
