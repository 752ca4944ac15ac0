//! Who looked at whom: viewing budgets, breaking the glass, and what supervisors are told. References, counts and names of
//! fields; never a value of a customer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Version;
use crate::card::{AsOf, FieldKey};
use crate::grant::ViewerRole;
use crate::text::{CustomerRef, ViewerId, bounded_text, is_line, plain_debug, redacted_debug};

/// A reason has at least this many characters.
pub const REASON_CHARS_MIN: usize = 10;
/// A reason has at most this many characters.
pub const REASON_CHARS_MAX: usize = 300;
/// A page has at most this many entries.
pub const PAGE_ENTRIES_MAX: u8 = 50;
/// Nothing is counted further than this.
pub const COUNT_MAX: u32 = 100_000;

fn is_reason(text: &str) -> bool {
    is_line(text, REASON_CHARS_MAX) && text.trim().chars().count() >= REASON_CHARS_MIN
}

fn is_entry_id(text: &str) -> bool {
    let rest = text.strip_prefix("lok_").or_else(|| text.strip_prefix("ntc_"));
    rest.is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

bounded_text! {
    /// Why somebody breaks the glass, in their own words.
    Reason, "reason", "10 to 300 characters on one line", 300, is_reason
}
redacted_debug!(Reason);

bounded_text! {
    /// The id of a look or a notice. Ids sort by time.
    EntryId, "entry id", "`lok_` or `ntc_` and 32 hexadecimal digits", 36, is_entry_id
}
plain_debug!(EntryId);

/// A number of looks, questions or tickets; at most [`COUNT_MAX`], so that nothing else can ride along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Count(u32);

impl Count {
    /// The number, or [`COUNT_MAX`] if it is larger.
    #[must_use]
    pub fn saturating(number: u32) -> Self {
        Self(number.min(COUNT_MAX))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Count {
    type Error = &'static str;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number <= COUNT_MAX { Ok(Self(number)) } else { Err("a count is at most 100000") }
    }
}

impl From<Count> for u32 {
    fn from(count: Count) -> Self {
        count.0
    }
}

impl utoipa::PartialSchema for Count {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(COUNT_MAX))
            .description(Some("How many."))
            .build()
            .into()
    }
}

impl ToSchema for Count {}

/// Over which time customers are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetWindow {
    /// The hour by the clock.
    Hour,
    /// The day by the clock.
    Day,
}

/// How much of a viewing budget is used. On a card only once the soft limit is passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetState {
    /// The hour or the day.
    pub window: BudgetWindow,
    /// Customers looked at in it, each counted once.
    pub used: Count,
    /// Beyond it the supervisor is told.
    pub soft: Count,
    /// Beyond it nothing is shown.
    pub hard: Count,
    /// When the window ends and counting begins anew.
    pub resets_at: AsOf,
}

/// On what ground somebody breaks the glass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    /// The customer waits on the phone or in the chat.
    CustomerWaiting,
    /// One incident brings many customers at once.
    Incident,
    /// Somebody has to be warned, or damage kept small.
    Safety,
    /// Something else; the reason says what.
    Other,
}

impl Ground {
    /// All grounds, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::CustomerWaiting, Self::Incident, Self::Safety, Self::Other];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CustomerWaiting => "customer_waiting",
            Self::Incident => "incident",
            Self::Safety => "safety",
            Self::Other => "other",
        }
    }
}

/// Why the glass was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokenGlass {
    /// The ground.
    pub ground: Ground,
    /// The reason in the operator's words.
    pub reason: Reason,
}

/// What a supervisor, or the ticket service's own review, asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OversightQuestion {
    /// The version of the contract.
    pub version: Version,
    /// What is asked.
    pub ask: OversightAsk,
}

/// The questions that oversight has. Pages are newest first and begin before an entry that the last page named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OversightAsk {
    /// Who looked at whom. Everything given narrows the answer.
    Looks {
        /// For this ticket.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<u64>,
        /// By this operator or program.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<ViewerId>,
        /// At this customer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer_ref: Option<CustomerRef>,
        /// Not before this instant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<AsOf>,
        /// Before this instant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<AsOf>,
        /// Older than this entry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<EntryId>,
    },
    /// What is used of the budgets now, by operator.
    Budgets {
        /// Operators after this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<ViewerId>,
    },
    /// What supervisors are to know.
    Notices {
        /// Anomalies only.
        anomalies: bool,
        /// Only those that nobody has acknowledged.
        open: bool,
        /// Older than this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<EntryId>,
    },
    /// The supervisor has seen the notice.
    Acknowledge {
        /// Which.
        notice: EntryId,
        /// Whether it may be about the supervisor themselves, because there is no other.
        may_be_own: bool,
    },
    /// An operator looked at so many cards without working on the tickets; the ticket service found out.
    ReportIdle {
        /// Who.
        operator: ViewerId,
        /// From when on it was counted.
        since: AsOf,
        /// How many tickets.
        counted: Count,
        /// So many were allowed.
        threshold: Count,
    },
    /// The ticket service's audit log failed its daily check.
    ReportAudit {},
}

/// The answer, of the kind of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OversightAnswer {
    /// The version of the contract.
    pub version: Version,
    /// What is answered.
    pub found: OversightFound,
}

/// What oversight answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum OversightFound {
    /// A page of looks.
    Looks {
        /// The newest first.
        items: Vec<LookEntry>,
        /// More than this page, before this entry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<EntryId>,
    },
    /// A page of budgets.
    Budgets {
        /// By operator's id.
        items: Vec<OperatorBudget>,
        /// More than this page, after this operator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<ViewerId>,
    },
    /// A page of notices.
    Notices {
        /// The newest first.
        items: Vec<Notice>,
        /// More than this page, before this notice.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<EntryId>,
        /// How many nobody has acknowledged, all pages together.
        open: Count,
    },
    /// The notice as it is now.
    Acknowledged {
        /// The notice.
        notice: Notice,
    },
    /// It is written down.
    Reported {},
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LookAction {
    /// A card was shown.
    Card,
    /// A masked field was shown in clear.
    Reveal,
    /// Asked for and not shown.
    Refused,
}

/// In the place of the reference in a [`LookEntry`] once the customer was erased: that somebody looked at somebody stays, at
/// whom does not.
pub const ERASED_CUSTOMER: &str = "cus_erased00";

/// One look: by whom, at whom, for which ticket, and why. Repeated looks of one operator at one customer for one ticket
/// within an hour are one entry; the audit log has each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LookEntry {
    /// Its id; sorts by time.
    pub id: EntryId,
    /// When.
    pub at: AsOf,
    /// What was done.
    pub action: LookAction,
    /// By whom.
    pub operator: ViewerId,
    /// In which role.
    pub role: ViewerRole,
    /// For which ticket.
    pub ticket: u64,
    /// At whom.
    pub customer_ref: CustomerRef,
    /// The fields that were shown in clear.
    pub fields: Vec<FieldKey>,
    /// The number of the policy that allowed it.
    pub policy: u32,
    /// Why the glass was broken, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BrokenGlass>,
}

/// How much of one budget is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Spending {
    /// So many.
    pub used: Count,
    /// Beyond it the supervisor is told.
    pub soft: Count,
    /// Beyond it nothing is shown.
    pub hard: Count,
}

/// The budgets of one operator or program at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorBudget {
    /// Who.
    pub operator: ViewerId,
    /// The role whose limits hold.
    pub role: ViewerRole,
    /// Customers in this hour.
    pub hour: Spending,
    /// Customers in this day.
    pub day: Spending,
    /// Customers in this day for whom the glass was broken.
    pub break_glass: Spending,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Somebody broke the glass.
    BreakGlass,
    /// More customers in an hour than the soft limit.
    HourSoft,
    /// The hour's budget is spent, and more was asked for.
    HourHard,
    /// More customers in a day than the soft limit.
    DaySoft,
    /// The day's budget is spent, and more was asked for.
    DayHard,
    /// Many addresses were looked up that nobody in the CRM has.
    ResolveMisses,
    /// Cards of neighbouring ticket numbers, one quickly after the other.
    NeighbouringTickets,
    /// Many masked fields were shown in clear.
    RevealsInSeries,
    /// Cards outside of the usual hours.
    OutsideHours,
    /// Customers were asked for who do not belong to the ticket.
    UnknownCustomers,
    /// Cards without any work on their tickets.
    IdleLooks,
    /// The bridge's audit log failed its daily check.
    BridgeAuditFailed,
    /// The ticket service's audit log failed its daily check.
    TicketAuditFailed,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::BreakGlass,
        Self::HourSoft,
        Self::HourHard,
        Self::DaySoft,
        Self::DayHard,
        Self::ResolveMisses,
        Self::NeighbouringTickets,
        Self::RevealsInSeries,
        Self::OutsideHours,
        Self::UnknownCustomers,
        Self::IdleLooks,
        Self::BridgeAuditFailed,
        Self::TicketAuditFailed,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BreakGlass => "break_glass",
            Self::HourSoft => "hour_soft",
            Self::HourHard => "hour_hard",
            Self::DaySoft => "day_soft",
            Self::DayHard => "day_hard",
            Self::ResolveMisses => "resolve_misses",
            Self::NeighbouringTickets => "neighbouring_tickets",
            Self::RevealsInSeries => "reveals_in_series",
            Self::OutsideHours => "outside_hours",
            Self::UnknownCustomers => "unknown_customers",
            Self::IdleLooks => "idle_looks",
            Self::BridgeAuditFailed => "bridge_audit_failed",
            Self::TicketAuditFailed => "ticket_audit_failed",
        }
    }

    /// Whether it is a pattern that nobody asked for, in contrast to a budget or a broken glass.
    #[must_use]
    pub const fn is_anomaly(self) -> bool {
        !matches!(self, Self::BreakGlass | Self::HourSoft | Self::HourHard | Self::DaySoft | Self::DayHard)
    }
}

/// Something that supervisors are to know. Stays open until one of them acknowledges it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Its id; sorts by time.
    pub id: EntryId,
    /// When.
    pub at: AsOf,
    /// What about.
    pub about: NoticeKind,
    /// Who did it; none for what the public form did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<ViewerId>,
    /// For which ticket, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<u64>,
    /// At whom, if it is about one customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_ref: Option<CustomerRef>,
    /// From when on it was counted.
    pub since: AsOf,
    /// How many.
    pub counted: Count,
    /// So many are allowed.
    pub threshold: Count,
    /// Why the glass was broken, if it is about that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BrokenGlass>,
    /// Who has seen it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
}

/// Who has seen a notice, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The supervisor.
    pub by: ViewerId,
    /// When.
    pub at: AsOf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_ten_to_three_hundred_characters() {
        for right in ["0123456789", &"я".repeat(300)] {
            assert!(Reason::new(right).is_ok(), "{right}");
        }
        for wrong in ["", "too short", "         x", "two lines\nof text", &"x".repeat(301)] {
            assert!(Reason::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_count_has_no_room_for_an_amount() {
        assert_eq!(serde_json::from_str::<Count>("60").unwrap().get(), 60);
        for wrong in ["987654", "-1", "1.5", "\"1\""] {
            assert!(serde_json::from_str::<Count>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn questions_and_answers_have_no_room_for_anything_else() {
        let right = r#"{"version":1,"ask":{"kind":"looks","ticket":7}}"#;
        assert!(serde_json::from_str::<OversightQuestion>(right).is_ok());
        for wrong in [
            r#"{"version":1,"ask":{"kind":"looks","email":"a@b.example"}}"#,
            r#"{"version":1,"ask":{"kind":"cards"}}"#,
            r#"{"version":1,"ask":{"kind":"looks"},"all":true}"#,
            r#"{"version":2,"ask":{"kind":"looks"}}"#,
        ] {
            assert!(serde_json::from_str::<OversightQuestion>(wrong).is_err(), "{wrong}");
        }
        let wrong = r#"{"version":1,"found":{"kind":"reported","name":"Ilya"}}"#;
        assert!(serde_json::from_str::<OversightAnswer>(wrong).is_err());
    }

    #[test]
    fn kinds_are_called_on_the_wire_as_in_the_database() {
        for kind in NoticeKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for ground in Ground::ALL {
            assert_eq!(serde_json::to_value(ground).unwrap(), ground.as_str());
        }
    }
}
