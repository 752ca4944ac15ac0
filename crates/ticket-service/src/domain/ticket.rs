//! The closed sets that describe a ticket.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares an enum with one stable name per value: in JSON, in the database and in addresses.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:tt),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// All values, in their natural order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownName;

            fn try_from(text: String) -> Result<Self, UnknownName> {
                text.parse()
            }
        }

        impl FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownName { expected: concat!($($text, " "),+).trim_ascii_end() }),
                }
            }
        }
    };
}
pub(crate) use named_enum;

/// A name that stands for none of the known values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is none of: {expected}")]
pub struct UnknownName {
    /// The known names, separated by spaces.
    pub expected: &'static str,
}

named_enum! {
    /// Where a ticket stands in its life.
    Status {
        /// Nobody has looked at it yet.
        New = "new",
        /// Somebody works on it.
        Open = "open",
        /// The requester has to answer.
        WaitingCustomer = "waiting_customer",
        /// Somebody outside has to do something.
        WaitingThirdParty = "waiting_third_party",
        /// Done as far as support can tell; an answer reopens it.
        Resolved = "resolved",
        /// Done and put away.
        Closed = "closed",
    }
}

impl Status {
    /// Whether the ticket still waits for work: everything that counts in the inbox.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Resolved | Self::Closed)
    }
}

named_enum! {
    /// How much a ticket matters.
    Priority {
        /// Can wait.
        Low = "low",
        /// The ordinary case.
        Normal = "normal",
        /// Before the ordinary ones.
        High = "high",
        /// Before everything else.
        Urgent = "urgent",
    }
}

impl Priority {
    /// The rank by which lists are sorted: 0 is the least.
    pub const fn rank(self) -> i32 {
        self as i32
    }
}

named_enum! {
    /// How a ticket or a message came in or went out.
    Channel {
        /// The public web form.
        WebForm = "web_form",
        /// The REST API.
        Api = "api",
        /// Written by an operator, for example during a phone call.
        Operator = "operator",
        /// From the CRM, by way of the bridge.
        Crm = "crm",
    }
}

named_enum! {
    /// What a message is.
    MessageKind {
        /// From the requester.
        Request = "request",
        /// From support to the requester.
        Answer = "answer",
        /// For colleagues only; the requester never sees it.
        Note = "note",
    }
}

named_enum! {
    /// What is known about who the requester is in the CRM.
    CustomerState {
        /// The bridge has not answered yet.
        Pending = "pending",
        /// Exactly one customer.
        Linked = "linked",
        /// Several candidates; an operator chooses.
        Several = "several",
        /// Nobody, or unlinked by an operator.
        None = "none",
        /// The customer was erased in the CRM.
        Erased = "erased",
    }
}

/// A support line: 1, 2 or 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "i32", into = "i32")]
#[schema(value_type = i32, minimum = 1, maximum = 3)]
pub struct Line(i32);

impl Line {
    /// Where every ticket begins.
    pub const FIRST: Self = Self(1);
    /// All lines.
    pub const ALL: [Self; 3] = [Self(1), Self(2), Self(3)];

    /// The line's number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Line {
    type Error = UnknownName;

    fn try_from(number: i32) -> Result<Self, UnknownName> {
        if (1..=3).contains(&number) { Ok(Self(number)) } else { Err(UnknownName { expected: "1 2 3" }) }
    }
}

impl From<Line> for i32 {
    fn from(line: Line) -> Self {
        line.0
    }
}

/// The number by which everybody names a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct TicketNumber(pub i64);

impl fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_back_from_its_name() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse::<Status>(), Ok(*status));
        }
        let error = "done".parse::<Status>().unwrap_err().to_string();
        assert_eq!(error, "is none of: new open waiting_customer waiting_third_party resolved closed");
    }

    #[test]
    fn there_are_three_lines() {
        assert!(Line::try_from(0).is_err() && Line::try_from(4).is_err());
        assert_eq!(Line::ALL.map(Line::number), [1, 2, 3]);
    }
}
