//! What the service does for oversight on its own: it tells supervisors of new notices, also of those that nobody's click
//! has caused, and compares each day's looks with the work on the tickets.

use std::collections::{BTreeMap, BTreeSet};

use bridge_contract::{Count, LookAction, OversightAsk, OversightFound, ViewerId};
use service_kit::Timestamp;

use crate::app::App;
use crate::bridge::{BridgeClient, BridgeError};
use crate::domain::Actor;
use crate::error::TicketError;
use crate::store::oversight::{self, Mark};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The job: new notices, and every day once its looks.
///
/// # Errors
/// [`TicketError::Bridge`] if the bridge can't be asked now, [`TicketError::Database`]. What was done stays done.
pub async fn watch(app: &App, request_id: &str) -> Result<(), TicketError> {
    let Some(bridge) = &app.bridge else { return Ok(()) };
    tell_of_new_notices(app, bridge, request_id).await?;
    let limits = app.config.oversight;
    let now = app.clock.now();
    let today = now.ms().div_euclid(DAY_MS) * DAY_MS;
    let system = Actor::system();
    let mark = app.store.read(&system, |scope| oversight::mark(scope, Mark::DayToReview)).await?;
    // The first time there is nothing to look back on.
    let day = mark.and_then(|text| text.parse().ok()).unwrap_or(today);
    let is_over = now.ms() >= day + DAY_MS + i64::from(limits.idle_grace_hours) * HOUR_MS;
    if limits.idle_tickets_max > 0 && is_over {
        review_day(app, bridge, day, request_id).await?;
    }
    let next = if is_over { day + DAY_MS } else { day };
    app.store
        .write(&system, move |scope| oversight::set_mark(scope, Mark::DayToReview, &next.to_string()))
        .await
}

async fn tell_of_new_notices(app: &App, bridge: &BridgeClient, request_id: &str) -> Result<(), TicketError> {
    let ask = OversightAsk::Notices { anomalies: false, open: true, before: None };
    let found = bridge.oversight(None, ask, request_id).await?;
    let OversightFound::Notices { items, .. } = found else { return Err(other_answer()) };
    let Some(newest) = items.first().map(|notice| notice.id.as_str().to_owned()) else { return Ok(()) };
    let is_new = app
        .store
        .write(&Actor::system(), move |scope| {
            let told = oversight::mark(scope, Mark::NewestNotice)?;
            let is_new = told.is_none_or(|told| told < newest);
            if is_new {
                oversight::set_mark(scope, Mark::NewestNotice, &newest)?;
            }
            Ok(is_new)
        })
        .await?;
    if is_new {
        app.store.tell_supervisors().await;
    }
    Ok(())
}

/// Whoever looked at the customers of many tickets and worked on none of them is reported.
async fn review_day(app: &App, bridge: &BridgeClient, day: i64, request_id: &str) -> Result<(), TicketError> {
    let (from, until) = (Timestamp::from_ms(day), Timestamp::from_ms(day + DAY_MS));
    let looked = tickets_looked_at(bridge, from, until, request_id).await?;
    let max = app.config.oversight.idle_tickets_max;
    for (operator, tickets) in looked {
        let id = operator.as_str().to_owned();
        let idle =
            app.store.read(&Actor::system(), move |scope| oversight::idle(scope, &id, &tickets)).await?;
        let idle = u32::try_from(idle).unwrap_or(u32::MAX);
        if idle > max {
            let ask = OversightAsk::ReportIdle {
                operator,
                since: super::view::instant(from)?,
                counted: Count::saturating(idle),
                threshold: Count::saturating(max),
            };
            bridge.oversight(None, ask, request_id).await?;
        }
    }
    Ok(())
}

/// The tickets whose customer somebody saw, by operator. A program works by other means than messages, so it is left out.
async fn tickets_looked_at(
    bridge: &BridgeClient,
    from: Timestamp,
    until: Timestamp,
    request_id: &str,
) -> Result<BTreeMap<ViewerId, BTreeSet<i64>>, TicketError> {
    let mut looked: BTreeMap<ViewerId, BTreeSet<i64>> = BTreeMap::new();
    let mut before = None;
    loop {
        let ask = OversightAsk::Looks {
            ticket: None,
            operator: None,
            customer_ref: None,
            from: Some(super::view::instant(from)?),
            until: Some(super::view::instant(until)?),
            before: before.take(),
        };
        let OversightFound::Looks { items, next } = bridge.oversight(None, ask, request_id).await? else {
            return Err(other_answer());
        };
        let seen = items
            .into_iter()
            .filter(|look| look.action != LookAction::Refused && look.operator.as_str().starts_with("opr_"));
        for look in seen {
            if let Ok(ticket) = i64::try_from(look.ticket) {
                looked.entry(look.operator).or_default().insert(ticket);
            }
        }
        match next {
            Some(next) => before = Some(next),
            None => return Ok(looked),
        }
    }
}

fn other_answer() -> TicketError {
    BridgeError::Unavailable("the bridge answered another question").into()
}
