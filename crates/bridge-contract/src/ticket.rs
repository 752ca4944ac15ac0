//! The other direction: what the bridge may learn of a ticket, and how it has one opened.
//!
//! A summary has room for what a customer knows anyway. There is none for a message, an internal note, an operator or
//! another customer; what of it the CRM may read is decided by the bridge's ticket policy.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Version;
use crate::card::AsOf;
use crate::text::{
    CustomerRef, LookupEmail, LookupPhone, bounded_text, is_line, plain_debug, redacted_debug,
};

/// Longest text of a ticket that is opened from the CRM, in characters.
pub const ORDER_CHARS_MAX: usize = 20_000;

bounded_text! {
    /// What a ticket is about.
    TicketSubject, "subject", "1 to 200 characters on one line", 200, |text| {
        is_line(text, 200) && !text.trim().is_empty()
    }
}
redacted_debug!(TicketSubject);

bounded_text! {
    /// The first message of a ticket that is opened from the CRM, as plain text.
    OrderText, "text", "1 to 20000 characters; line breaks and tabs are the only control characters", 20000, |text| {
        text.chars().count() <= ORDER_CHARS_MAX
            && !text.trim().is_empty()
            && !text.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\r' | '\t'))
    }
}
redacted_debug!(OrderText);

bounded_text! {
    /// The name of a requester.
    RequesterName, "name", "1 to 120 characters on one line", 120, |text| is_line(text, 120) && !text.trim().is_empty()
}
redacted_debug!(RequesterName);

bounded_text! {
    /// The bridge's id of one order: the same order sent twice opens one ticket.
    OrderId, "order id", "`ord_` and 8 to 64 letters or digits", 68, |text| {
        text.strip_prefix("ord_").is_some_and(|rest| {
            (8..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    }
}
plain_debug!(OrderId);

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketStatus {
    /// Nobody has looked at it yet.
    New,
    /// Somebody works on it.
    Open,
    /// The requester has to answer.
    WaitingCustomer,
    /// Somebody outside has to do something.
    WaitingThirdParty,
    /// Done as far as support can tell.
    Resolved,
    /// Done and put away.
    Closed,
}

impl TicketStatus {
    /// All of them, in their natural order.
    pub const ALL: [Self; 6] =
        [Self::New, Self::Open, Self::WaitingCustomer, Self::WaitingThirdParty, Self::Resolved, Self::Closed];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Open => "open",
            Self::WaitingCustomer => "waiting_customer",
            Self::WaitingThirdParty => "waiting_third_party",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// The status with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// How much a ticket matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketPriority {
    /// Can wait.
    Low,
    /// The ordinary case.
    Normal,
    /// Before the ordinary ones.
    High,
    /// Before everything else.
    Urgent,
}

impl TicketPriority {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// The priority with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Low, Self::Normal, Self::High, Self::Urgent].into_iter().find(|one| one.as_str() == word)
    }
}

/// Declares a whole number within a range that can't be built wrong.
macro_rules! small_number {
    ($(#[$doc:meta])* $name:ident, $min:tt, $max:tt, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "u8", into = "u8")]
        #[schema(value_type = i32, minimum = $min, maximum = $max)]
        pub struct $name(u8);

        impl TryFrom<u8> for $name {
            type Error = crate::text::TextError;

            fn try_from(number: u8) -> Result<Self, Self::Error> {
                if ($min..=$max).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(crate::text::TextError { kind: "number", expected: $expected })
                }
            }
        }

        impl From<$name> for u8 {
            fn from(number: $name) -> Self {
                number.0
            }
        }
    };
}

small_number! {
    /// The support line that works on a ticket.
    TicketLine, 1, 3, "1 to 3"
}
small_number! {
    /// How content the requester was: 1 not at all, 5 very.
    Rating, 1, 5, "1 to 5"
}

/// A ticket as its customer knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketSummary {
    /// What it is about.
    pub subject: TicketSubject,
    /// Where it stands.
    pub status: TicketStatus,
    /// How much it matters.
    pub priority: TicketPriority,
    /// The line that works on it.
    pub line: TicketLine,
    /// When it was opened.
    pub created_at: AsOf,
    /// When something of this summary last changed. An internal note does not move it.
    pub updated_at: AsOf,
    /// When it was resolved, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<AsOf>,
    /// How content the requester was, if they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<Rating>,
    /// How many messages went between requester and support; internal notes do not count.
    pub public_messages: u32,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TicketChange {
    /// It is new, and known to be this customer's from the beginning.
    Opened,
    /// It was found to be this customer's.
    Linked,
    /// It stands elsewhere.
    StatusChanged,
    /// It is done.
    Resolved,
    /// A message went between requester and support.
    Answered,
    /// The requester said how content they were.
    Rated,
    /// Subject, priority or line are others.
    Changed,
}

impl TicketChange {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Linked => "linked",
            Self::StatusChanged => "status_changed",
            Self::Resolved => "resolved",
            Self::Answered => "answered",
            Self::Rated => "rated",
            Self::Changed => "changed",
        }
    }
}

/// The news of one ticket. Tickets that belong to no customer have none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TicketNews {
    /// The ticket is this customer's and looks like this now.
    Changed {
        /// What happened.
        change: TicketChange,
        /// Whose it is.
        #[schema(value_type = String)]
        customer_ref: CustomerRef,
        /// Whose it was until now, if another's: theirs no longer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        previous_ref: Option<CustomerRef>,
        /// How it looks.
        summary: TicketSummary,
    },
    /// The ticket is no longer this customer's.
    Withdrawn {
        /// Whose it was.
        #[schema(value_type = String)]
        customer_ref: CustomerRef,
    },
}

/// One change of one ticket, in its place among the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketEvent {
    /// The version of the contract.
    pub version: Version,
    /// The ticket; the same as in the grant.
    pub ticket: u64,
    /// Grows with every event of the ticket; the same as in the grant. One that is not larger than the last one taken
    /// is old news.
    pub sequence: u64,
    /// When it happened.
    pub at: AsOf,
    /// What happened.
    pub news: TicketNews,
}

/// The event was taken: it need not be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventReceipt {
    /// The version of the contract.
    pub version: Version,
    /// Whether it was news; old news is taken, too.
    pub news: bool,
}

/// Who asks, as the CRM's user wrote it into the order. Nothing here is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequester {
    /// The name.
    #[schema(value_type = String, max_length = 120)]
    pub name: RequesterName,
    /// The mail address to answer to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub email: Option<LookupEmail>,
    /// A phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub phone: Option<LookupPhone>,
}

/// Open a ticket for a customer. Sent by the bridge to the ticket service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TicketOrder {
    /// The version of the contract.
    pub version: Version,
    /// The order; the same as in the grant.
    #[schema(value_type = String)]
    pub order: OrderId,
    /// Whose ticket it is; the same as in the grant.
    #[schema(value_type = String)]
    pub customer_ref: CustomerRef,
    /// What it is about.
    #[schema(value_type = String, max_length = 200)]
    pub subject: TicketSubject,
    /// The first message.
    #[schema(value_type = String, max_length = 20000)]
    pub text: OrderText,
    /// Who asks, if the CRM's user said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<OrderRequester>,
}

/// The ticket is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenedTicket {
    /// The version of the contract.
    pub version: Version,
    /// Its number.
    pub ticket: u64,
}

/// What the bridge signs for the ticket service (the `grant` member of its tokens).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BridgeGrant {
    /// Open the ticket of this order, for this customer.
    OpenTicket {
        /// The order.
        order: OrderId,
        /// The customer.
        customer_ref: CustomerRef,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> serde_json::Value {
        serde_json::json!({
            "version": 1, "ticket": 10482, "sequence": 3, "at": "2026-11-21T09:12:00Z",
            "news": { "kind": "changed", "change": "resolved", "customer_ref": "cus_0193aabb", "summary": {
                "subject": "Coupling stuck", "status": "resolved", "priority": "normal", "line": 1,
                "created_at": "2026-11-21T09:00:00Z", "updated_at": "2026-11-21T09:12:00Z",
                "resolved_at": "2026-11-21T09:12:00Z", "public_messages": 2
            } }
        })
    }

    #[test]
    fn an_event_survives_the_wire() {
        let read: TicketEvent = serde_json::from_value(event()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), event());
    }

    #[test]
    fn there_is_no_room_for_a_note_an_operator_or_a_text() {
        for (name, value) in
            [("note", "x"), ("assignee", "Ann"), ("operator", "Ann"), ("messages", "x"), ("requester", "x")]
        {
            for place in ["", "/news", "/news/summary"] {
                let mut event = event();
                let object = if place.is_empty() { Some(&mut event) } else { event.pointer_mut(place) };
                object.unwrap()[name] = value.into();
                assert!(serde_json::from_value::<TicketEvent>(event).is_err(), "{place}/{name}");
            }
        }
    }

    #[test]
    fn numbers_and_texts_out_of_range_are_refused() {
        for (pointer, value) in [
            ("/news/summary/line", serde_json::json!(4)),
            ("/news/summary/rating", serde_json::json!(0)),
            ("/news/summary/subject", serde_json::json!("a\nb")),
            ("/news/summary/subject", serde_json::json!("x".repeat(201))),
            ("/news/summary/status", serde_json::json!("paid")),
            ("/news/customer_ref", serde_json::json!("4711")),
            ("/at", serde_json::json!("yesterday")),
        ] {
            let mut event = event();
            match event.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => event["news"]["summary"]["rating"] = value,
            }
            assert!(serde_json::from_value::<TicketEvent>(event).is_err(), "{pointer}");
        }
    }

    #[test]
    fn the_words_of_a_status_are_those_on_the_wire() {
        for status in TicketStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
            assert_eq!(TicketStatus::from_word(status.as_str()), Some(status));
        }
    }

    #[test]
    fn an_order_has_a_text_without_control_characters() {
        assert!(OrderText::new("Line one\nline two").is_ok());
        for wrong in ["", " \n ", "a\u{0}b", "a\u{1b}[31m"] {
            assert!(OrderText::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(OrderText::new("x".repeat(ORDER_CHARS_MAX + 1)).is_err());
    }
}
