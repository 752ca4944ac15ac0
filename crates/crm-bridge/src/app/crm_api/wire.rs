//! Tickets and events as the CRM gets them: the same shapes in answers, webhooks and activities.

use serde::Serialize;
use service_kit::Timestamp;
use utoipa::ToSchema;

use crate::store::tickets::{FeedRow, Listed, TicketRow};
use crate::ticket_policy::{TicketField, TicketPolicy};

/// A ticket, with the members that the ticket policy lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketView {
    /// Its number.
    pub number: i64,
    /// Grows with every change: what has a smaller one is older.
    pub sequence: i64,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// `new`, `open`, `waiting_customer`, `waiting_third_party`, `resolved` or `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `low`, `normal`, `high` or `urgent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// The support line that works on it: 1, 2 or 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<i64>,
    /// When it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When something of it last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// When it was resolved, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// How content the requester was, from 1 to 5, if they said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<i64>,
    /// How many messages went between requester and support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_messages: Option<i64>,
}

impl TicketView {
    /// What the policy lists of this ticket. It is asked again here: what was kept under an older one must not come out.
    #[must_use]
    pub fn new(policy: &TicketPolicy, row: TicketRow) -> Self {
        Self::cut(policy, row.ticket, row.sequence, row.listed)
    }

    fn cut(policy: &TicketPolicy, number: i64, sequence: i64, listed: Listed) -> Self {
        let lists = |field| policy.tells(field);
        let time = |field, ms: Option<i64>| ms.filter(|_| lists(field)).map(Timestamp::from_ms);
        Self {
            number,
            sequence,
            subject: listed.subject.filter(|_| lists(TicketField::Subject)),
            status: listed.status.filter(|_| lists(TicketField::Status)),
            priority: listed.priority.filter(|_| lists(TicketField::Priority)),
            line: listed.line.filter(|_| lists(TicketField::Line)),
            created_at: time(TicketField::CreatedAt, listed.created_at),
            updated_at: time(TicketField::UpdatedAt, listed.updated_at),
            resolved_at: time(TicketField::ResolvedAt, listed.resolved_at),
            rating: listed.rating.filter(|_| lists(TicketField::Rating)),
            public_messages: listed.public_messages.filter(|_| lists(TicketField::PublicMessages)),
        }
    }
}

/// Something that happened to a ticket of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EventView {
    /// Its place in the feed: what to ask for next is what comes after it.
    pub seq: i64,
    /// `ticket.opened`, `ticket.linked`, `ticket.status_changed`, `ticket.resolved`, `ticket.answered`, `ticket.rated`,
    /// `ticket.changed`, or `ticket.withdrawn`: then the ticket is no longer this customer's.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    pub at: Timestamp,
    /// The CRM's id of the customer.
    pub customer_id: String,
    /// The ticket as it was then.
    pub ticket: TicketView,
}

impl EventView {
    /// An entry of the feed, as far as the policy lists it.
    #[must_use]
    pub fn new(policy: &TicketPolicy, row: FeedRow) -> Self {
        Self {
            seq: row.seq,
            kind: format!("ticket.{}", row.change),
            at: Timestamp::from_ms(row.at),
            customer_id: row.crm_id,
            ticket: TicketView::cut(policy, row.ticket, row.sequence, row.listed),
        }
    }
}
