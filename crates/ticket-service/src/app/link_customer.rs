//! Choosing one of several candidates, and saying that it is none of them.

use bridge_contract::CustomerRef;

use crate::app::view::Ticket;
use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::{Actor, CustomerState, TicketNumber};
use crate::error::TicketError;
use crate::store::audit;
use crate::store::customers::{self, Link};
use crate::store::tickets::{self, TicketRow};

/// Somebody else may change the ticket at the same moment; then what was read is read again, at most so often.
const TRIES_MAX: usize = 3;

/// Says which of the candidates that the bridge named for this ticket it is.
///
/// # Errors
/// [`TicketError::Invalid`] if it is none of them, [`TicketError::TicketNotFound`], [`TicketError::Forbidden`].
pub async fn choose_customer(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    customer_ref: CustomerRef,
) -> Result<Ticket, TicketError> {
    permit::scope(actor, KeyScope::TicketsWrite)?;
    let chosen = customer_ref.as_str().to_owned();
    let known = {
        let chosen = chosen.clone();
        app.store
            .read(actor, move |scope| {
                let row = tickets::find(scope, number)?;
                Ok(customers::candidates(scope, &row.ticket)?.contains(&chosen))
            })
            .await?
    };
    if !known {
        let message = "is none of this ticket's candidates; reload the card and choose one of those shown";
        return Err(TicketError::invalid("customer_ref", message));
    }
    let row = set_link(app, actor, number, Link::Chosen(chosen), |_| true).await?;
    Ok(to_view(row, actor))
}

/// Says that the ticket belongs to no customer of the CRM, or not to the one that was found.
///
/// # Errors
/// [`TicketError::TicketNotFound`], [`TicketError::Forbidden`].
pub async fn unlink_customer(app: &App, actor: &Actor, number: TicketNumber) -> Result<Ticket, TicketError> {
    permit::scope(actor, KeyScope::TicketsWrite)?;
    let row = set_link(app, actor, number, Link::Unlinked, |_| true).await?;
    Ok(to_view(row, actor))
}

/// The bridge says that the customer was erased: so the ticket forgets the reference.
pub(crate) async fn mark_erased(
    app: &App,
    number: TicketNumber,
    erased: CustomerRef,
) -> Result<(), TicketError> {
    let system = Actor::system();
    with_tries(|| {
        let erased = erased.as_str().to_owned();
        app.store.write(&system, move |scope| {
            let row = tickets::find(scope, number)?;
            if row.ticket.customer_ref.as_deref() == Some(&erased) {
                customers::set(scope, &row.ticket, &Link::Erased)?;
            } else {
                customers::drop_candidate(scope, &row.ticket, &erased)?;
                audit::forget_customer(scope, &erased);
            }
            Ok(())
        })
    })
    .await
}

/// Stores the link if the ticket's state is still one that `applies`; answers the ticket as it is then.
pub(crate) async fn set_link(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    link: Link,
    applies: fn(CustomerState) -> bool,
) -> Result<TicketRow, TicketError> {
    with_tries(|| {
        let link = link.clone();
        app.store.write(actor, move |scope| {
            let row = tickets::find(scope, number)?;
            if !applies(row.ticket.customer_state) {
                return Ok(row);
            }
            let ticket = customers::set(scope, &row.ticket, &link)?;
            Ok(TicketRow { ticket, ..row })
        })
    })
    .await
}

pub(crate) fn to_view(row: TicketRow, actor: &Actor) -> Ticket {
    Ticket::new(row, actor)
}

async fn with_tries<T, F>(mut work: impl FnMut() -> F) -> Result<T, TicketError>
where
    F: Future<Output = Result<T, TicketError>>,
{
    for _ in 1..TRIES_MAX {
        match work().await {
            Err(TicketError::VersionConflict(_)) => {}
            done => return done,
        }
    }
    work().await
}
