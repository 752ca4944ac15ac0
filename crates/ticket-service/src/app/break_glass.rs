//! Showing a card beyond the operator's viewing budget: with a reason, on the record, and every supervisor is told.

use bridge_contract::BrokenGlass;

use crate::app::show_card::{CardView, show_card};
use crate::app::{App, permit};
use crate::domain::{Actor, TicketNumber};
use crate::error::TicketError;

/// Shows the card of the customer whom the ticket belongs to, although the budget is spent.
///
/// # Errors
/// Those of [`show_card`]; [`TicketError::Forbidden`] for API keys: a program has no reason that somebody could answer for.
pub async fn break_glass(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    glass: BrokenGlass,
    request_id: &str,
) -> Result<CardView, TicketError> {
    permit::person(actor)?;
    show_card(app, actor, number, Some(glass), request_id).await
}
