//! Tells the bridge what became of a ticket: its events in order, each until the bridge has taken it.
//!
//! Several nodes may be at it for the same ticket. Each begins with the oldest event that nobody has seen taken and goes
//! on only when the bridge has taken it, so no event can overtake another; the bridge forgets what it has heard before.

use crate::app::App;
use crate::domain::{Actor, TicketNumber};
use crate::error::TicketError;
use crate::store::outbox;

/// So many events in one run; then the job is queued anew, so that its lease does not end while it works.
const EVENTS_MAX: i64 = 20;

/// The job after a change.
///
/// # Errors
/// [`TicketError::Bridge`] if the bridge did not take an event now; it and those behind it stay.
pub async fn tell(app: &App, number: TicketNumber, request_id: &str) -> Result<(), TicketError> {
    let system = Actor::system();
    // Without a bridge nobody has to be told; what waits is told when there is one.
    let Some(bridge) = &app.bridge else { return Ok(()) };
    let events = app.store.read(&system, move |scope| outbox::waiting(scope, number, EVENTS_MAX + 1)).await?;
    let more = i64::try_from(events.len()).unwrap_or(i64::MAX) > EVENTS_MAX;
    for event in events.into_iter().take(usize::try_from(EVENTS_MAX).unwrap_or(usize::MAX)) {
        bridge.ticket_event(&event, request_id).await.inspect_err(|error| {
            tracing::warn!(
                ticket.number = number.0, event.sequence = event.sequence, error.cause = %error,
                "the bridge did not take a ticket's event"
            );
        })?;
        let sequence = event.sequence;
        app.store.write(&system, move |scope| outbox::taken(scope, number, sequence)).await?;
    }
    if more {
        app.store.write(&system, move |scope| outbox::go_on(scope, number)).await?;
    }
    Ok(())
}
