//! Which customer a ticket belongs to: opaque references of the bridge and nothing else.

use db_kit::on_both;
use diesel::prelude::*;

use crate::domain::CustomerState;
use crate::domain::audit::Deed;
use crate::error::TicketError;
use crate::store::events::{self, FieldChange};
use crate::store::schema::{customer_candidates, customer_feed};
use crate::store::tickets::{self, TicketRecord};
use crate::store::{Scope, audit};

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
    /// The CRM merged the customer into this one.
    Merged(String),
}

impl Link {
    fn state(&self) -> CustomerState {
        match self {
            Self::Found(_) | Self::Chosen(_) | Self::Merged(_) => CustomerState::Linked,
            Self::FoundSeveral(_) => CustomerState::Several,
            Self::FoundNobody | Self::Unlinked => CustomerState::None,
            Self::Erased => CustomerState::Erased,
        }
    }

    fn customer_ref(&self) -> Option<String> {
        match self {
            Self::Found(customer_ref) | Self::Chosen(customer_ref) | Self::Merged(customer_ref) => {
                Some(customer_ref.clone())
            }
            _ => None,
        }
    }

    /// Whether an operator says so, not the CRM.
    fn is_chosen(&self) -> bool {
        matches!(self, Self::Chosen(_) | Self::Unlinked)
    }

    /// What history and live updates call it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Found(_) | Self::Chosen(_) => "customer_linked",
            Self::FoundSeveral(_) => "customer_several",
            Self::FoundNobody => "customer_not_found",
            Self::Unlinked => "customer_unlinked",
            Self::Erased => "customer_erased",
            Self::Merged(_) => "customer_merged",
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
        Link::Chosen(_) | Link::Unlinked | Link::Merged(_) => {}
    }
    if (before.customer_state, &before.customer_ref) == (link.state(), &link.customer_ref())
        && link.state() != CustomerState::Several
    {
        return Ok(before.clone());
    }
    let mut after = before.clone();
    (after.customer_state, after.customer_ref) = (link.state(), link.customer_ref());
    let save = if link.is_chosen() { tickets::save } else { tickets::save_in_place };
    let after = save(scope, before, after, link.kind())?;
    let change = FieldChange::between(
        "customer",
        Some(before.customer_state.as_str().to_owned()),
        Some(after.customer_state.as_str().to_owned()),
    );
    let changes: Vec<FieldChange> = change.into_iter().collect();
    events::record(scope, after.ticket_number(), link.kind(), &changes, None)?;
    audit::record(scope, Deed::CustomerLinked, |event| {
        let event = event.ticket(after.number).with("how", link.kind());
        match link.customer_ref() {
            Some(customer_ref) => event.customer(customer_ref),
            None => event,
        }
    });
    if let (Link::Erased, Some(erased)) = (link, &before.customer_ref) {
        audit::forget_customer(scope, erased);
    }
    Ok(after)
}

/// How far the bridge's changes of customers have been followed.
pub fn followed(scope: &mut Scope<'_>) -> Result<u64, TicketError> {
    let after: Option<i64> =
        customer_feed::table.select(customer_feed::after).first(scope.conn).optional()?;
    Ok(after.and_then(|after| u64::try_from(after).ok()).unwrap_or(0))
}

/// Changes of customers are followed up to this one.
pub fn set_followed(scope: &mut Scope<'_>, after: u64) -> Result<(), TicketError> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let row = (customer_feed::id.eq(1), customer_feed::after.eq(after));
    on_both!(scope.conn, |conn| diesel::insert_into(customer_feed::table)
        .values(row)
        .on_conflict(customer_feed::id)
        .do_update()
        .set(customer_feed::after.eq(after))
        .execute(conn))?;
    Ok(())
}

/// Wherever one customer stood among candidates, another stands from now on; nobody, if there is no other.
pub fn replace_candidate(scope: &mut Scope<'_>, old: &str, new: Option<&str>) -> Result<(), TicketError> {
    if let Some(new) = new {
        let both: Vec<i64> = customer_candidates::table
            .filter(customer_candidates::customer_ref.eq(new))
            .select(customer_candidates::ticket)
            .load(scope.conn)?;
        let old_alone = customer_candidates::customer_ref
            .eq(old)
            .and(diesel::dsl::not(customer_candidates::ticket.eq_any(both)));
        diesel::update(customer_candidates::table.filter(old_alone))
            .set(customer_candidates::customer_ref.eq(new))
            .execute(scope.conn)?;
    }
    diesel::delete(customer_candidates::table.filter(customer_candidates::customer_ref.eq(old)))
        .execute(scope.conn)?;
    Ok(())
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
