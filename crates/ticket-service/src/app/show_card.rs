//! The customer card: passes from the bridge to the screen of one operator, for one ticket, and stays nowhere here.

use bridge_contract::{BrokenGlass, CustomerCard, CustomerRef, ViewerId, ViewerRole};
use futures_util::future::join_all;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::link_customer::mark_erased;
use crate::app::{App, oversight, permit};
use crate::bridge::{BridgeClient, BridgeError, Viewer};
use crate::domain::actor::{KeyScope, Role};
use crate::domain::audit::Deed;
use crate::domain::{Actor, CustomerState, TicketNumber};
use crate::error::TicketError;
use crate::store::tickets::{self, TicketRecord};
use crate::store::{Scope, audit, customers};

/// What the card pane shows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CardView {
    /// The customer, as far as the field policy lets the operator's role see them.
    Card {
        /// The card.
        card: CustomerCard,
    },
    /// Several customers share the address or number; choose with `PUT /tickets/{number}/customer`.
    Several {
        /// Two or more.
        candidates: Vec<Candidate>,
    },
    /// The requester is nobody in the CRM, or an operator said so.
    None {},
    /// The bridge has not answered yet who it is. A live update tells when it has.
    Pending {},
    /// The customer was erased in the CRM.
    Erased {},
    /// The bridge or the CRM does not answer just now. The ticket works without it.
    Unavailable {},
    /// Your role sees no cards.
    Withheld {},
}

/// One of several customers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Candidate {
    /// What to choose it by.
    #[schema(value_type = String)]
    pub customer_ref: CustomerRef,
    /// The card; none if it can't be had just now.
    pub card: Option<CustomerCard>,
}

/// Shows the card of the customer whom the ticket belongs to; with a reason also beyond the operator's viewing budget.
///
/// # Errors
/// [`TicketError::TicketNotFound`]; [`TicketError::Forbidden`] for a key without the scope `cards:read`;
/// [`TicketError::BudgetSpent`] if the viewer's budget is.
pub async fn show_card(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    glass: Option<BrokenGlass>,
    request_id: &str,
) -> Result<CardView, TicketError> {
    let viewer = viewer(actor)?;
    let (ticket, candidates) = app.store.read(actor, move |scope| customers_of(scope, number)).await?;
    let Some(viewer) = viewer else { return Ok(CardView::Withheld {}) };
    let Some(bridge) = &app.bridge else { return Ok(CardView::None {}) };
    asked(app, actor, number, ticket.customer_ref.iter().chain(&candidates)).await?;
    let look = Look { app, bridge, viewer, number, glass, request_id };
    match ticket.customer_state {
        CustomerState::Pending => Ok(CardView::Pending {}),
        CustomerState::None => Ok(CardView::None {}),
        CustomerState::Erased => Ok(CardView::Erased {}),
        CustomerState::Linked => look.at_one(linked_customer(&ticket)?).await,
        CustomerState::Several => look.at_several(&candidates).await,
    }
}

fn customers_of(
    scope: &mut Scope<'_>,
    number: TicketNumber,
) -> Result<(TicketRecord, Vec<String>), TicketError> {
    let ticket = tickets::find(scope, number)?.ticket;
    let several = ticket.customer_state == CustomerState::Several;
    let candidates = if several { customers::candidates(scope, &ticket)? } else { vec![] };
    Ok((ticket, candidates))
}

/// Puts on the record whose cards are asked for, before they are.
async fn asked(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    whose: impl Iterator<Item = &String>,
) -> Result<(), TicketError> {
    let whose: Vec<String> = whose.cloned().collect();
    if whose.is_empty() {
        return Ok(());
    }
    let record = move |scope: &mut Scope<'_>| {
        for customer_ref in whose {
            audit::record(scope, Deed::CardAsked, |event| event.ticket(number.0).customer(customer_ref));
        }
        Ok(())
    };
    app.store.write(actor, record).await
}

/// The customer whom the ticket belongs to.
pub(crate) fn linked_customer(ticket: &TicketRecord) -> Result<CustomerRef, TicketError> {
    let text = ticket.customer_ref.as_deref().ok_or(TicketError::NotFound("customer of this ticket"))?;
    stored_ref(text)
}

fn stored_ref(text: &str) -> Result<CustomerRef, TicketError> {
    CustomerRef::new(text)
        .map_err(|error| TicketError::Internal(format!("a stored customer reference: {error}")))
}

/// As whom the bridge is asked; none for roles that see no cards. A program is recorded under its key's id.
///
/// # Errors
/// [`TicketError::Forbidden`] for a key without the scope `cards:read`, [`TicketError::NotSignedIn`] for the public.
pub(crate) fn viewer(actor: &Actor) -> Result<Option<Viewer>, TicketError> {
    permit::scope(actor, KeyScope::CardsRead)?;
    let role = match actor.role {
        Some(Role::Line1) => ViewerRole::Line1,
        Some(Role::Line2) => ViewerRole::Line2,
        Some(Role::Line3) => ViewerRole::Line3,
        Some(Role::Supervisor) => ViewerRole::Supervisor,
        Some(Role::Admin) | None => return Ok(None),
    };
    let operator = ViewerId::new(actor.caller_key())
        .map_err(|error| TicketError::Internal(format!("a caller's id: {error}")))?;
    Ok(Some(Viewer { operator, role }))
}

struct Look<'a> {
    app: &'a App,
    bridge: &'a BridgeClient,
    viewer: Viewer,
    number: TicketNumber,
    glass: Option<BrokenGlass>,
    request_id: &'a str,
}

impl Look<'_> {
    async fn at(&self, customer_ref: &CustomerRef) -> Result<CustomerCard, BridgeError> {
        let glass = self.glass.as_ref();
        let card = self.bridge.card(&self.viewer, self.number, customer_ref, glass, self.request_id).await;
        if oversight::is_news(&card) {
            self.app.store.tell_supervisors().await;
        }
        card
    }

    async fn at_one(&self, customer_ref: CustomerRef) -> Result<CardView, TicketError> {
        match self.at(&customer_ref).await {
            Ok(card) => Ok(CardView::Card { card }),
            Err(BridgeError::CustomerErased) => {
                mark_erased(self.app, self.number, customer_ref).await?;
                Ok(CardView::Erased {})
            }
            // The bridge has lost its links; looking up again heals it.
            Err(BridgeError::CustomerUnknown) => Ok(CardView::None {}),
            Err(error) => self.without_card(error).map(|()| CardView::Unavailable {}),
        }
    }

    async fn at_several(&self, candidates: &[String]) -> Result<CardView, TicketError> {
        let refs = candidates.iter().map(|text| stored_ref(text)).collect::<Result<Vec<_>, _>>()?;
        let cards = join_all(refs.iter().map(|customer_ref| self.at(customer_ref))).await;
        let mut shown = vec![];
        for (customer_ref, card) in refs.into_iter().zip(cards) {
            let card = match card {
                Ok(card) => Some(card),
                Err(BridgeError::CustomerErased) => {
                    mark_erased(self.app, self.number, customer_ref).await?;
                    continue;
                }
                Err(BridgeError::CustomerUnknown) => continue,
                Err(error) => {
                    self.without_card(error)?;
                    None
                }
            };
            shown.push(Candidate { customer_ref, card });
        }
        Ok(if shown.is_empty() {
            CardView::None {}
        } else if shown.iter().all(|candidate| candidate.card.is_none()) {
            CardView::Unavailable {}
        } else {
            CardView::Several { candidates: shown }
        })
    }

    /// Whether the pane stays calm, or the operator has to be told.
    fn without_card(&self, error: BridgeError) -> Result<(), TicketError> {
        match error {
            BridgeError::BudgetSpent { .. } | BridgeError::BreakGlassSpent { .. } => return Err(error.into()),
            BridgeError::GrantRefused => {
                tracing::error!(ticket.number = self.number.0, error.cause = %error, "the bridge refused to show a card");
            }
            _ => {
                tracing::warn!(ticket.number = self.number.0, error.cause = %error, "a card could not be had")
            }
        }
        Ok(())
    }
}
