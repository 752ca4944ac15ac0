//! Tickets that have been resolved for long enough are closed.

use crate::app::App;
use crate::app::change_ticket::refuse_wrong_move;
use crate::domain::{Actor, Status};
use crate::error::TicketError;
use crate::store::events::FieldChange;
use crate::store::{Scope, events, tickets};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// So many tickets are closed in one transaction.
const BATCH: i64 = 50;
/// A run ends after so many transactions; the next run goes on.
const BATCHES_MAX: usize = 40;

/// Closes what has been resolved for the configured number of days; answers how many tickets.
///
/// # Errors
/// [`TicketError::Database`]; what was closed before stays closed.
pub async fn close_resolved(app: &App) -> Result<usize, TicketError> {
    let days = i64::from(app.config.tickets.close_after_days);
    if days == 0 {
        return Ok(0);
    }
    let before_ms = app.clock.now().plus_ms(-days * DAY_MS).ms();
    let mut closed = 0;
    for _ in 0..BATCHES_MAX {
        let batch = app.store.write(&Actor::system(), move |scope| close_batch(scope, before_ms)).await?;
        closed += batch;
        if batch == 0 {
            break;
        }
    }
    Ok(closed)
}

fn close_batch(scope: &mut Scope<'_>, before_ms: i64) -> Result<usize, TicketError> {
    let due = tickets::resolved_before(scope, before_ms, BATCH)?;
    for ticket in &due {
        refuse_wrong_move(&scope.actor, ticket.status, Status::Closed)?;
        let mut after = ticket.clone();
        after.status = Status::Closed;
        let after = tickets::save(scope, ticket, after, "closed")?;
        let change = FieldChange::between(
            "status",
            Some(ticket.status.as_str().to_owned()),
            Some(after.status.as_str().to_owned()),
        );
        let changes: Vec<FieldChange> = change.into_iter().collect();
        events::record(scope, after.ticket_number(), "closed", &changes, None)?;
    }
    Ok(due.len())
}
