//! What supervisors ask: who looked at whom and why, what is used of the budgets, what they are to know. Answers in
//! references and counts; no value of a customer passes here.

use bridge_contract::{
    AsOf, BrokenGlass, Count, Grant, NoticeKind, OversightAnswer, OversightAsk, OversightFound,
    OversightQuestion, Purpose, Version, ViewerId, ViewerRole,
};
use service_kit::Timestamp;

use super::{Bridge, BridgeError};
use crate::store::oversight::{Acknowledged, LooksFilter, Meter};
use crate::walls::Wall;

impl Bridge {
    /// By what a look is measured at this moment.
    pub(in crate::app) fn meter(&self, glass: Option<BrokenGlass>) -> Meter {
        Meter {
            rules: self.rules.clone(),
            now: self.clock.now(),
            policy: self.policy.number,
            glass,
            ids: self.ids.clone(),
            counts: self.walls.stands(Wall::Budget),
        }
    }
}

/// On whose behalf oversight is asked.
enum Asker<'a> {
    Supervisor(&'a ViewerId),
    /// The ticket service itself, which compares looks with work.
    Review,
}

/// Answers a supervisor, or the ticket service's own review.
///
/// # Errors
/// [`BridgeError::GrantRefused`] for everybody else; [`BridgeError::NoticeUnknown`], [`BridgeError::OwnNotice`];
/// [`BridgeError::Database`].
pub async fn oversight(
    bridge: &Bridge,
    grant: &Grant,
    question: &OversightQuestion,
) -> Result<OversightAnswer, BridgeError> {
    let asker = match &grant.purpose {
        Purpose::Oversight { operator, role: ViewerRole::Supervisor } => Asker::Supervisor(operator),
        Purpose::Oversight { .. } => return Err(BridgeError::GrantRefused("it is not for a supervisor")),
        Purpose::Review {} => Asker::Review,
        _ => return Err(BridgeError::GrantRefused("it is not for oversight")),
    };
    let found = match (&question.ask, asker) {
        (ask @ OversightAsk::Looks { .. }, _) => looks(bridge, ask).await?,
        (OversightAsk::Budgets { after }, Asker::Supervisor(_)) => {
            let page = bridge.store.budgets_page((*bridge.rules).clone(), after.clone(), bridge.clock.now());
            let (items, more) = page.await?;
            let next = items.last().filter(|_| more).map(|last| last.operator.clone());
            OversightFound::Budgets { items, next }
        }
        (OversightAsk::Notices { anomalies, open, before }, _) => {
            let page = bridge.store.notices_page(*anomalies, *open, before.clone());
            let (items, more, open) = page.await?;
            let next = items.last().filter(|_| more).map(|last| last.id.clone());
            OversightFound::Notices { items, next, open: Count::saturating(open) }
        }
        (OversightAsk::Acknowledge { notice, may_be_own }, Asker::Supervisor(by)) => {
            let now = bridge.clock.now();
            match bridge.store.acknowledge(notice.clone(), by.clone(), *may_be_own, now).await? {
                Acknowledged::Done(notice) => OversightFound::Acknowledged { notice: *notice },
                Acknowledged::Unknown => return Err(BridgeError::NoticeUnknown),
                Acknowledged::Own => return Err(BridgeError::OwnNotice),
            }
        }
        (OversightAsk::ReportIdle { operator, since, counted, threshold }, Asker::Review) => {
            let (since, meter) = (instant(since)?, bridge.meter(None));
            bridge.store.report_idle(operator.clone(), since, counted.get(), threshold.get(), meter).await?;
            OversightFound::Reported {}
        }
        (OversightAsk::ReportAudit {}, Asker::Review) => {
            bridge.store.report_audit(NoticeKind::TicketAuditFailed, bridge.meter(None)).await?;
            OversightFound::Reported {}
        }
        (OversightAsk::Budgets { .. } | OversightAsk::Acknowledge { .. }, Asker::Review)
        | (OversightAsk::ReportIdle { .. } | OversightAsk::ReportAudit {}, Asker::Supervisor(_)) => {
            return Err(BridgeError::GrantRefused("it is not for this question"));
        }
    };
    Ok(OversightAnswer { version: Version, found })
}

async fn looks(bridge: &Bridge, ask: &OversightAsk) -> Result<OversightFound, BridgeError> {
    let OversightAsk::Looks { ticket, operator, customer_ref, from, until, before } = ask else {
        return Err(BridgeError::Internal("a question for looks"));
    };
    let filter = LooksFilter {
        // A number that no ticket has finds nothing.
        ticket: ticket.map(|ticket| i64::try_from(ticket).unwrap_or(0)),
        operator: operator.clone(),
        customer_ref: customer_ref.clone(),
        from: from.as_ref().map(instant).transpose()?,
        until: until.as_ref().map(instant).transpose()?,
        before: before.clone(),
    };
    let (items, more) = bridge.store.looks_page(filter).await?;
    let next = items.last().filter(|_| more).map(|last| last.id.clone());
    Ok(OversightFound::Looks { items, next })
}

fn instant(text: &AsOf) -> Result<Timestamp, BridgeError> {
    text.as_str().parse().map_err(|_| BridgeError::Internal("an instant"))
}
