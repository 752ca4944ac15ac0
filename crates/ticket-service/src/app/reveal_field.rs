//! Showing one masked field in clear, to one operator, on the bridge's record.

use bridge_contract::{FieldKey, RevealedField};

use crate::app::App;
use crate::app::link_customer::mark_erased;
use crate::app::show_card::{linked_customer, viewer};
use crate::bridge::BridgeError;
use crate::domain::audit::Deed;
use crate::domain::{Actor, TicketNumber};
use crate::error::TicketError;
use crate::store::{Scope, audit, tickets};

/// Shows one masked field of the customer whom the ticket belongs to.
///
/// # Errors
/// [`TicketError::NotFound`] if the ticket has no customer, [`TicketError::Forbidden`] for roles that see no cards and
/// keys without the scope `cards:read`, [`TicketError::Bridge`] if the policy does not allow it or the bridge can't be asked.
pub async fn reveal_field(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    field: FieldKey,
    request_id: &str,
) -> Result<RevealedField, TicketError> {
    let viewer = viewer(actor)?.ok_or(TicketError::Forbidden("Your role sees no customer cards."))?;
    let row = app.store.read(actor, move |scope| tickets::find(scope, number)).await?;
    let customer_ref = linked_customer(&row.ticket)?;
    let bridge = app.bridge.as_ref().ok_or(TicketError::NotFound("customer of this ticket"))?;
    // Which field is for the bridge to record, once it knows that there is one: what was asked for may name anything.
    let whom = customer_ref.to_string();
    let asked = move |scope: &mut Scope<'_>| {
        audit::record(scope, Deed::RevealAsked, |event| event.ticket(number.0).customer(whom));
        Ok(())
    };
    app.store.write(actor, asked).await?;
    match bridge.reveal(&viewer, number, &customer_ref, &field, request_id).await {
        Ok(revealed) => Ok(revealed),
        Err(error) => {
            if error == BridgeError::CustomerErased {
                mark_erased(app, number, customer_ref).await?;
            }
            tracing::warn!(ticket.number = number.0, error.cause = %error, "a field could not be shown in clear");
            Err(error.into())
        }
    }
}
