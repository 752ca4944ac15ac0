//! What supervisors see: who looked at which customers and why, what is used of the viewing budgets, what looks odd. The
//! bridge knows it in references; names of people and tickets are added here, from support's own data.

pub mod review;
pub mod view;

use bridge_contract::{CustomerCard, CustomerRef, EntryId, OversightAsk, OversightFound, ViewerId};
use service_kit::Timestamp;

use self::view::{Look, Notice, NoticePage, OperatorBudget};
use crate::app::view::Page;
use crate::app::{App, permit};
use crate::bridge::BridgeError;
use crate::domain::actor::Role;
use crate::domain::{Actor, TicketNumber};
use crate::error::TicketError;
use crate::store::oversight::{self, Names};

/// Which looks are asked for. Everything given narrows the answer.
#[derive(Clone, Debug, Default)]
pub struct LooksQuery {
    /// For this ticket.
    pub ticket: Option<TicketNumber>,
    /// By this operator or program.
    pub operator: Option<ViewerId>,
    /// At this customer.
    pub customer_ref: Option<CustomerRef>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// `next_cursor` of the page before.
    pub cursor: Option<EntryId>,
}

/// The caller is a supervisor who signed in.
///
/// # Errors
/// [`TicketError::Forbidden`] for everybody else, [`TicketError::NotSignedIn`] for the public.
pub fn supervisor(actor: &Actor) -> Result<&str, TicketError> {
    let id = permit::person(actor)?;
    if actor.role == Some(Role::Supervisor) {
        return Ok(id);
    }
    Err(TicketError::Forbidden("Only supervisors see who looked at which customers. Ask one of them."))
}

/// Whether supervisors should hear of it at once.
pub(crate) fn is_news(card: &Result<CustomerCard, BridgeError>) -> bool {
    match card {
        Ok(card) => card.budget.is_some(),
        Err(error) => matches!(error, BridgeError::BudgetSpent { .. } | BridgeError::BreakGlassSpent { .. }),
    }
}

/// A page of looks, newest first.
///
/// # Errors
/// [`TicketError::Forbidden`] for all but supervisors, [`TicketError::Bridge`] if the bridge can't be asked.
pub async fn list_looks(
    app: &App,
    actor: &Actor,
    query: LooksQuery,
    request_id: &str,
) -> Result<Page<Look>, TicketError> {
    let ask = OversightAsk::Looks {
        ticket: query.ticket.map(|ticket| u64::try_from(ticket.0).unwrap_or(0)),
        operator: query.operator,
        customer_ref: query.customer_ref,
        from: query.from.map(view::instant).transpose()?,
        until: query.until.map(view::instant).transpose()?,
        before: query.cursor,
    };
    let Some(found) = ask_bridge(app, actor, ask, request_id).await? else {
        return Ok(Page { items: vec![], next_cursor: None });
    };
    let OversightFound::Looks { items, next } = found else { return Err(other_answer()) };
    let who = items.iter().map(|look| look.operator.clone()).collect();
    let names = names(app, actor, who, items.iter().map(|look| look.ticket).collect()).await?;
    let items = items.into_iter().map(|look| Look::new(look, &names)).collect::<Result<_, _>>()?;
    Ok(Page { items, next_cursor: next.map(|next| next.as_str().to_owned()) })
}

/// What is used of the viewing budgets now, of everybody who looked at anybody today.
///
/// # Errors
/// [`TicketError::Forbidden`] for all but supervisors, [`TicketError::Bridge`] if the bridge can't be asked.
pub async fn list_budgets(
    app: &App,
    actor: &Actor,
    cursor: Option<ViewerId>,
    request_id: &str,
) -> Result<Page<OperatorBudget>, TicketError> {
    let ask = OversightAsk::Budgets { after: cursor };
    let Some(found) = ask_bridge(app, actor, ask, request_id).await? else {
        return Ok(Page { items: vec![], next_cursor: None });
    };
    let OversightFound::Budgets { items, next } = found else { return Err(other_answer()) };
    let who = items.iter().map(|budget| budget.operator.clone()).collect();
    let names = names(app, actor, who, vec![]).await?;
    let items = items.into_iter().map(|budget| OperatorBudget::new(budget, &names)).collect();
    Ok(Page { items, next_cursor: next.map(|next| next.as_str().to_owned()) })
}

/// Which notices are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that nobody has acknowledged.
    Open,
    /// All.
    All,
    /// Anomalies, acknowledged or not.
    Anomalies,
}

/// A page of notices, newest first.
///
/// # Errors
/// [`TicketError::Forbidden`] for all but supervisors, [`TicketError::Bridge`] if the bridge can't be asked.
pub async fn list_notices(
    app: &App,
    actor: &Actor,
    which: Which,
    cursor: Option<EntryId>,
    request_id: &str,
) -> Result<NoticePage, TicketError> {
    let (anomalies, open) = (which == Which::Anomalies, which == Which::Open);
    let ask = OversightAsk::Notices { anomalies, open, before: cursor };
    let Some(found) = ask_bridge(app, actor, ask, request_id).await? else {
        return Ok(NoticePage { items: vec![], next_cursor: None, open: 0 });
    };
    let OversightFound::Notices { items, next, open } = found else { return Err(other_answer()) };
    let names = names_in(app, actor, &items).await?;
    let items = items.into_iter().map(|notice| Notice::new(notice, &names)).collect::<Result<_, _>>()?;
    Ok(NoticePage { items, next_cursor: next.map(|next| next.as_str().to_owned()), open: open.get() })
}

/// The supervisor has seen the notice. What they did themselves another supervisor acknowledges, if there is one.
///
/// # Errors
/// [`TicketError::Forbidden`] for all but supervisors and for one's own notice, [`TicketError::NotFound`],
/// [`TicketError::Bridge`] if the bridge can't be asked.
pub async fn acknowledge(
    app: &App,
    actor: &Actor,
    notice: EntryId,
    request_id: &str,
) -> Result<Notice, TicketError> {
    let own_id = supervisor(actor)?.to_owned();
    let others = app.store.read(actor, move |scope| oversight::has_other_supervisor(scope, &own_id));
    let may_be_own = !others.await?;
    let ask = OversightAsk::Acknowledge { notice, may_be_own };
    let found = ask_bridge(app, actor, ask, request_id).await?.ok_or(TicketError::NotFound("notice"))?;
    let OversightFound::Acknowledged { notice } = found else { return Err(other_answer()) };
    let names = names_in(app, actor, std::slice::from_ref(&notice)).await?;
    // The other supervisors' screens drop it.
    app.store.tell_supervisors().await;
    Notice::new(notice, &names)
}

/// Asks as this supervisor; none if there is no bridge.
async fn ask_bridge(
    app: &App,
    actor: &Actor,
    ask: OversightAsk,
    request_id: &str,
) -> Result<Option<OversightFound>, TicketError> {
    let id = supervisor(actor)?;
    let Some(bridge) = &app.bridge else { return Ok(None) };
    let id = ViewerId::new(id).map_err(|error| TicketError::Internal(format!("a caller's id: {error}")))?;
    let found = bridge.oversight(Some(&id), ask, request_id).await;
    let found = found.inspect_err(
        |error| tracing::warn!(error.cause = %error, "the bridge could not be asked who looked at whom"),
    )?;
    Ok(Some(found))
}

async fn names(
    app: &App,
    actor: &Actor,
    who: Vec<ViewerId>,
    tickets: Vec<u64>,
) -> Result<Names, TicketError> {
    let who = who.into_iter().map(|id| id.as_str().to_owned()).collect();
    let tickets = tickets.into_iter().filter_map(|number| i64::try_from(number).ok()).collect();
    app.store.read(actor, move |scope| oversight::names(scope, who, tickets)).await
}

async fn names_in(
    app: &App,
    actor: &Actor,
    notices: &[bridge_contract::Notice],
) -> Result<Names, TicketError> {
    let by = notices.iter().filter_map(|notice| Some(notice.acknowledged.as_ref()?.by.clone()));
    let who = notices.iter().filter_map(|notice| notice.operator.clone()).chain(by).collect();
    names(app, actor, who, notices.iter().filter_map(|notice| notice.ticket).collect()).await
}

fn other_answer() -> TicketError {
    BridgeError::Unavailable("the bridge answered another question").into()
}
