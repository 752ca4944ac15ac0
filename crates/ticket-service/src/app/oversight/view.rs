//! How oversight is shown: the bridge's entries with the names of people and requesters. Nothing of it came out of the CRM.

use bridge_contract::{
    AsOf, BrokenGlass, CustomerRef, EntryId, FieldKey, LookAction, LookEntry, NoticeKind, Spending, ViewerId,
    ViewerRole,
};
use serde::Serialize;
use service_kit::{Personal, Timestamp};
use utoipa::ToSchema;

use crate::domain::text::initials;
use crate::error::TicketError;
use crate::store::oversight::Names;

/// Who looked: an operator, or a program with an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Onlooker {
    /// The operator's or the key's id.
    pub id: String,
    /// The name, or the id if nobody has it any more.
    pub name: String,
    /// At most two letters.
    pub initials: String,
    /// Whether it is a program.
    pub is_program: bool,
}

impl Onlooker {
    fn new(id: &ViewerId, names: &Names) -> Self {
        let id = id.as_str().to_owned();
        let name = names.people.get(&id).cloned().unwrap_or_else(|| id.clone());
        Self { initials: initials(&name), is_program: id.starts_with("key_"), id, name }
    }
}

/// The ticket for which somebody looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LookedAtTicket {
    /// Its number.
    pub number: i64,
    /// Who asked, as they called themselves; none if the ticket is gone.
    #[schema(value_type = Option<String>)]
    pub requester: Option<Personal<String>>,
}

impl LookedAtTicket {
    fn new(number: u64, names: &Names) -> Result<Self, TicketError> {
        let number = i64::try_from(number)
            .map_err(|_| TicketError::Internal("a ticket number of the bridge".to_owned()))?;
        let requester = names.requesters.get(&number).cloned().map(Personal::new);
        Ok(Self { number, requester })
    }
}

/// One look at a customer. Looking again within an hour, for the same ticket, is the same look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Look {
    /// Its id; sorts by time.
    #[schema(value_type = String)]
    pub id: EntryId,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: LookAction,
    /// By whom.
    pub by: Onlooker,
    /// In which role.
    pub role: ViewerRole,
    /// For which ticket.
    pub ticket: LookedAtTicket,
    /// At whom: the bridge's opaque reference.
    #[schema(value_type = String)]
    pub customer_ref: CustomerRef,
    /// The fields that were shown in clear.
    #[schema(value_type = Vec<String>)]
    pub fields: Vec<FieldKey>,
    /// The number of the field policy that allowed it.
    pub policy: u32,
    /// Why the glass was broken, if it was.
    pub break_glass: Option<BrokenGlass>,
}

impl Look {
    pub(super) fn new(look: LookEntry, names: &Names) -> Result<Self, TicketError> {
        Ok(Self {
            id: look.id,
            at: timestamp(&look.at)?,
            action: look.action,
            by: Onlooker::new(&look.operator, names),
            role: look.role,
            ticket: LookedAtTicket::new(look.ticket, names)?,
            customer_ref: look.customer_ref,
            fields: look.fields,
            policy: look.policy,
            break_glass: look.break_glass,
        })
    }
}

/// What somebody has used of the viewing budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ViewingBudget)]
pub struct OperatorBudget {
    /// Who.
    pub by: Onlooker,
    /// The role whose limits hold.
    pub role: ViewerRole,
    /// Different customers in this hour.
    pub hour: Spending,
    /// Different customers today.
    pub day: Spending,
    /// Customers today for whom the glass was broken.
    pub break_glass: Spending,
}

impl OperatorBudget {
    pub(super) fn new(budget: bridge_contract::OperatorBudget, names: &Names) -> Self {
        Self {
            by: Onlooker::new(&budget.operator, names),
            role: budget.role,
            hour: budget.hour,
            day: budget.day,
            break_glass: budget.break_glass,
        }
    }
}

/// Something that supervisors are to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OversightNotice)]
pub struct Notice {
    /// Its id; sorts by time.
    #[schema(value_type = String)]
    pub id: EntryId,
    /// When.
    pub at: Timestamp,
    /// What about.
    pub about: NoticeKind,
    /// Who did it; none for what the public form did.
    pub by: Option<Onlooker>,
    /// For which ticket, if it is about one.
    pub ticket: Option<LookedAtTicket>,
    /// At whom, if it is about one customer.
    #[schema(value_type = Option<String>)]
    pub customer_ref: Option<CustomerRef>,
    /// From when on it was counted.
    pub since: Timestamp,
    /// How many.
    pub counted: u32,
    /// So many are allowed.
    pub threshold: u32,
    /// Why the glass was broken, if it is about that.
    pub break_glass: Option<BrokenGlass>,
    /// Who has seen it.
    pub acknowledged_by: Option<Onlooker>,
    /// When they have.
    pub acknowledged_at: Option<Timestamp>,
}

impl Notice {
    pub(super) fn new(notice: bridge_contract::Notice, names: &Names) -> Result<Self, TicketError> {
        let acknowledged = notice.acknowledged.as_ref();
        Ok(Self {
            id: notice.id,
            at: timestamp(&notice.at)?,
            about: notice.about,
            by: notice.operator.map(|id| Onlooker::new(&id, names)),
            ticket: notice.ticket.map(|number| LookedAtTicket::new(number, names)).transpose()?,
            customer_ref: notice.customer_ref,
            since: timestamp(&notice.since)?,
            counted: notice.counted.get(),
            threshold: notice.threshold.get(),
            break_glass: notice.break_glass,
            acknowledged_by: acknowledged.map(|seen| Onlooker::new(&seen.by, names)),
            acknowledged_at: acknowledged.map(|seen| timestamp(&seen.at)).transpose()?,
        })
    }
}

/// A page of notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NoticePage {
    /// The newest first.
    pub items: Vec<Notice>,
    /// Pass it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// How many nobody has acknowledged, all pages together.
    pub open: u32,
}

fn timestamp(text: &AsOf) -> Result<Timestamp, TicketError> {
    text.as_str().parse().map_err(|_| TicketError::Internal("an instant of the bridge".to_owned()))
}

pub(super) fn instant(at: Timestamp) -> Result<AsOf, TicketError> {
    AsOf::new(at.to_string()).map_err(|error| TicketError::Internal(format!("an instant: {error}")))
}
