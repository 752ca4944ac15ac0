//! An event of the ticket service, cut to what the ticket policy lists before anything of it is kept.

use bridge_contract::{EventReceipt, Grant, Purpose, TicketEvent, TicketNews, TicketSummary, Version};
use service_kit::Timestamp;

use super::super::{Bridge, BridgeError};
use crate::store::tickets::{Listed, News, Taken};
use crate::ticket_policy::{TicketField, TicketPolicy};

/// Takes an event. The answer says that it need not come again, also where nothing was kept of it.
///
/// # Errors
/// [`BridgeError::GrantRefused`], [`BridgeError::Database`]; then it has to come again.
pub async fn receive(
    bridge: &Bridge,
    grant: &Grant,
    event: &TicketEvent,
) -> Result<EventReceipt, BridgeError> {
    if grant.purpose != (Purpose::TicketEvent { sequence: event.sequence }) || grant.ticket != event.ticket {
        return Err(BridgeError::GrantRefused("it is for another event"));
    }
    let outward = &bridge.outward;
    let Some(policy) = outward.policy.as_deref() else {
        outward.metrics.event("no_policy");
        return Ok(EventReceipt { version: Version, news: false });
    };
    let too_large = |_| BridgeError::GrantRefused("no such ticket number");
    let news = News {
        ticket: i64::try_from(event.ticket).map_err(too_large)?,
        sequence: i64::try_from(event.sequence).map_err(too_large)?,
        at: instant(event.at.as_str())?,
        now: match &event.news {
            TicketNews::Withdrawn { .. } => None,
            TicketNews::Changed { change, customer_ref, summary, .. } => {
                Some((customer_ref.as_str().to_owned(), change.as_str(), listed(policy, summary)?))
            }
        },
    };
    let (source, now) = (bridge.source().to_owned(), bridge.clock.now());
    let taken = bridge.store.take_news(source, news, outward.activity, now).await?;
    outward.metrics.event(match taken {
        Taken::News => "taken",
        Taken::Old => "old",
        Taken::Stranger => "stranger",
    });
    if taken == Taken::Stranger {
        tracing::warn!(
            ticket.number = event.ticket,
            "an event named a customer who was never resolved for the ticket; nothing of it was kept"
        );
    }
    outward.bell.notify_one();
    Ok(EventReceipt { version: Version, news: taken == Taken::News })
}

/// What the policy lists, and nothing else.
fn listed(policy: &TicketPolicy, summary: &TicketSummary) -> Result<Listed, BridgeError> {
    let lists = |field| policy.keeps(field);
    let ms = |field, text: &str| lists(field).then(|| instant(text).map(Timestamp::ms)).transpose();
    Ok(Listed {
        subject: lists(TicketField::Subject).then(|| summary.subject.as_str().to_owned()),
        status: lists(TicketField::Status).then(|| summary.status.as_str().to_owned()),
        priority: lists(TicketField::Priority).then(|| summary.priority.as_str().to_owned()),
        line: lists(TicketField::Line).then(|| i64::from(u8::from(summary.line))),
        created_at: ms(TicketField::CreatedAt, summary.created_at.as_str())?,
        updated_at: ms(TicketField::UpdatedAt, summary.updated_at.as_str())?,
        resolved_at: match &summary.resolved_at {
            Some(at) => ms(TicketField::ResolvedAt, at.as_str())?,
            None => None,
        },
        rating: summary
            .rating
            .filter(|_| lists(TicketField::Rating))
            .map(|rating| i64::from(u8::from(rating))),
        public_messages: lists(TicketField::PublicMessages).then(|| i64::from(summary.public_messages)),
    })
}

fn instant(text: &str) -> Result<Timestamp, BridgeError> {
    text.parse().map_err(|_| BridgeError::Internal("an instant of the contract that is none"))
}
