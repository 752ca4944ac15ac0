//! Who wrote? The question to the bridge, and what its answer makes of the ticket.

use bridge_contract::{CustomerRef, LookupEmail, LookupPhone, ResolveOutcome, ViewerId};

use crate::app::link_customer::{set_link, to_view};
use crate::app::view::Ticket;
use crate::app::{App, permit};
use crate::bridge::BridgeError;
use crate::domain::actor::KeyScope;
use crate::domain::audit::Deed;
use crate::domain::{Actor, CustomerState, TicketNumber};
use crate::error::TicketError;
use crate::store::customers::Link;
use crate::store::{audit, tickets};

/// By what somebody is looked up; at least one of both.
#[derive(Clone, Debug)]
pub struct LookUp {
    /// A mail address.
    pub email: Option<LookupEmail>,
    /// A phone number.
    pub phone: Option<LookupPhone>,
}

/// The job after a ticket was opened: asks the bridge who wrote. Does nothing once that is known.
///
/// # Errors
/// [`TicketError::Bridge`] if the bridge can't be asked now; [`TicketError::Database`].
pub async fn resolve_opened(app: &App, number: TicketNumber, request_id: &str) -> Result<(), TicketError> {
    let system = Actor::system();
    let row = match app.store.read(&system, move |scope| tickets::find(scope, number)).await {
        Err(TicketError::TicketNotFound(_)) => return Ok(()),
        found => found?,
    };
    if row.ticket.customer_state != CustomerState::Pending {
        return Ok(());
    }
    // What the requester wrote may be no address for the bridge; then it can't be asked by it.
    let look_up = LookUp {
        email: LookupEmail::new(row.requester.email).ok(),
        phone: row.requester.phone.and_then(|phone| LookupPhone::new(phone).ok()),
    };
    let link = ask(app, number, look_up, None, request_id).await?;
    let pending = |state: CustomerState| state == CustomerState::Pending;
    set_link(app, &system, number, link, pending).await?;
    Ok(())
}

/// An operator has another address or phone number of the customer: asks again, on the record.
///
/// # Errors
/// [`TicketError::Bridge`] if the bridge can't be asked now, [`TicketError::TicketNotFound`],
/// [`TicketError::Forbidden`] without the scope `tickets:write`.
pub async fn look_up_again(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    look_up: LookUp,
    request_id: &str,
) -> Result<Ticket, TicketError> {
    permit::scope(actor, KeyScope::TicketsWrite)?;
    if look_up.email.is_none() && look_up.phone.is_none() {
        return Err(TicketError::invalid("email", "is missing, and so is phone; give one of both"));
    }
    let by = [("email", look_up.email.is_some()), ("phone", look_up.phone.is_some())];
    let by: Vec<&str> = by.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    let by = by.join(",");
    app.store
        .write(actor, move |scope| {
            tickets::find(scope, number)?;
            audit::record(scope, Deed::CustomerLookedUp, |event| event.ticket(number.0).with("by", by));
            Ok(())
        })
        .await?;
    let asked_by = ViewerId::new(actor.caller_key()).ok();
    let link = ask(app, number, look_up, asked_by, request_id).await?;
    let row = set_link(app, actor, number, link, |_| true).await?;
    Ok(to_view(row, actor))
}

async fn ask(
    app: &App,
    number: TicketNumber,
    by: LookUp,
    asked_by: Option<ViewerId>,
    request_id: &str,
) -> Result<Link, TicketError> {
    let nothing_to_ask = by.email.is_none() && by.phone.is_none();
    let Some(bridge) = app.bridge.as_ref().filter(|_| !nothing_to_ask) else {
        return Ok(Link::FoundNobody);
    };
    let answer = bridge.resolve(number, by.email, by.phone, asked_by, request_id).await;
    if answer == Err(BridgeError::LookupMissing) {
        // "12345" is a phone number to us and none to the bridge: nobody can be found by it, today or tomorrow.
        return Ok(Link::FoundNobody);
    }
    let outcome = answer.inspect_err(|error| {
        if *error == BridgeError::GrantRefused {
            tracing::error!(ticket.number = number.0, error.cause = %error, "the bridge refused to look a customer up");
        } else {
            tracing::warn!(ticket.number = number.0, error.cause = %error, "a customer could not be looked up");
        }
    })?;
    let text = |customer_ref: CustomerRef| customer_ref.as_str().to_owned();
    Ok(match outcome {
        ResolveOutcome::Matched { customer_ref } => Link::Found(text(customer_ref)),
        ResolveOutcome::Several { candidates } => {
            let mut refs: Vec<String> = vec![];
            for candidate in candidates.into_iter().take(bridge_contract::CANDIDATES_MAX).map(text) {
                if !refs.contains(&candidate) {
                    refs.push(candidate);
                }
            }
            match <[String; 1]>::try_from(refs) {
                Ok([only]) => Link::Found(only),
                Err(refs) if refs.is_empty() => Link::FoundNobody,
                Err(refs) => Link::FoundSeveral(refs),
            }
        }
        ResolveOutcome::None {} => Link::FoundNobody,
    })
}
