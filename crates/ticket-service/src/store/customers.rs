//! Which customer a ticket belongs to: opaque references of the bridge and nothing else.

use diesel::prelude::*;

use crate::domain::CustomerState;
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::events::{self, FieldChange};
use crate::store::schema::customer_candidates;
use crate::store::tickets::{self, TicketRecord};

/// What is to be known about the customer of a ticket from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// The bridge found exactly this one.
    Found(String),
    /// The bridge found these, of which an operator chooses.
    FoundSeveral(Vec<String>),
    /// The bridge found nobody.
    FoundNobody,
    /// An operator chose this one of the candidates.
    Chosen(String),
    /// An operator said that it is none of them.
    Unlinked,
    /// The customer was erased in the CRM.
    Erased,
}

impl Link {
    fn state(&self) -> CustomerState {
        match self {
            Self::Found(_) | Self::Chosen(_) => CustomerState::Linked,
            Self::FoundSeveral(_) => CustomerState::Several,
            Self::FoundNobody | Self::Unlinked => CustomerState::None,
            Self::Erased => CustomerState::Erased,
        }
    }

    fn customer_ref(&self) -> Option<String> {
        match self {
            Self::Found(customer_ref) | Self::Chosen(customer_ref) => Some(customer_ref.clone()),
            _ => None,
        }
    }

    /// What history and live updates call it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Found(_) | Self::Chosen(_) => "customer_linked",
            Self::FoundSeveral(_) => "customer_several",
            Self::FoundNobody => "customer_not_found",
            Self::Unlinked => "customer_unlinked",
            Self::Erased => "customer_erased",
        }
    }
}

/// The candidates that the bridge named last for a ticket that the actor has found, best first.
pub fn candidates(scope: &mut Scope<'_>, ticket: &TicketRecord) -> Result<Vec<String>, TicketError> {
    Ok(customer_candidates::table
        .filter(customer_candidates::ticket.eq(ticket.number))
        .order(customer_candidates::position)
        .select(customer_candidates::customer_ref)
        .load(scope.conn)?)
}

/// Stores the link, writes the history and tells listeners. Nothing is written if it is so already.
///
/// # Errors
/// [`TicketError::VersionConflict`] if somebody changed the ticket meanwhile.
pub fn set(scope: &mut Scope<'_>, before: &TicketRecord, link: &Link) -> Result<TicketRecord, TicketError> {
    match link {
        Link::Found(one) => replace_candidates(scope, before, std::slice::from_ref(one))?,
        Link::FoundSeveral(several) => replace_candidates(scope, before, several)?,
        Link::FoundNobody | Link::Erased => replace_candidates(scope, before, &[])?,
        // They stay, so that a wrong choice can be put right.
        Link::Chosen(_) | Link::Unlinked => {}
    }
    if (before.customer_state, &before.customer_ref) == (link.state(), &link.customer_ref())
        && link.state() != CustomerState::Several
    {
        return Ok(before.clone());
    }
    let mut after = before.clone();
    (after.customer_state, after.customer_ref) = (link.state(), link.customer_ref());
    let after = tickets::save(scope, before, after, link.kind())?;
    let change = FieldChange::between(
        "customer",
        Some(before.customer_state.as_str().to_owned()),
        Some(after.customer_state.as_str().to_owned()),
    );
    let changes: Vec<FieldChange> = change.into_iter().collect();
    events::record(scope, after.ticket_number(), link.kind(), &changes, None)?;
    Ok(after)
}

/// Drops one candidate, which was erased in the CRM.
pub fn drop_candidate(
    scope: &mut Scope<'_>,
    ticket: &TicketRecord,
    customer_ref: &str,
) -> Result<(), TicketError> {
    let gone =
        customer_candidates::ticket.eq(ticket.number).and(customer_candidates::customer_ref.eq(customer_ref));
    diesel::delete(customer_candidates::table.filter(gone)).execute(scope.conn)?;
    Ok(())
}

fn replace_candidates(
    scope: &mut Scope<'_>,
    ticket: &TicketRecord,
    new: &[String],
) -> Result<(), TicketError> {
    let old = customer_candidates::table.filter(customer_candidates::ticket.eq(ticket.number));
    diesel::delete(old).execute(scope.conn)?;
    for (position, customer_ref) in (0..).zip(new) {
        diesel::insert_into(customer_candidates::table)
            .values((
                customer_candidates::ticket.eq(ticket.number),
                customer_candidates::customer_ref.eq(customer_ref),
                customer_candidates::position.eq(position),
            ))
            .execute(scope.conn)?;
    }
    Ok(())
}
