//! Who looked at whom, and what is used of the budgets: page by page, by key.

use bridge_contract::{
    Count, CustomerRef, ERASED_CUSTOMER, EntryId, FieldKey, LookAction, LookEntry, OperatorBudget,
    PAGE_ENTRIES_MAX, Spending, ViewerId,
};
use db_kit::{AnyConnection, DbError};
use diesel::prelude::*;
use service_kit::Timestamp;

use super::notices::{damaged, glass, instant};
use super::role_of;
use crate::oversight::Rules;
use crate::store::Store;
use crate::store::schema::{looks, notices, viewed_customers, viewing_budgets};

/// Which looks are asked for. Everything given narrows the answer.
#[derive(Debug, Clone, Default)]
pub struct LooksFilter {
    /// For this ticket.
    pub ticket: Option<i64>,
    /// By this operator.
    pub operator: Option<ViewerId>,
    /// At this customer.
    pub customer_ref: Option<CustomerRef>,
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// Older than this entry.
    pub before: Option<EntryId>,
}

/// The smallest id of that instant: ids begin with the milliseconds in hexadecimal, so a time is a range of ids.
pub(super) fn first_id(prefix: &str, instant: Timestamp) -> String {
    format!("{prefix}_{:012x}", instant.ms().max(0))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = looks)]
struct Row {
    id: String,
    at: i64,
    action: String,
    operator: String,
    role: String,
    ticket: i64,
    customer_ref: String,
    shown: String,
    policy: i64,
    ground: Option<String>,
    reason: Option<String>,
}

impl Row {
    fn entry(self) -> Result<LookEntry, DbError> {
        let fields = self.shown.split_whitespace().map(FieldKey::new).collect::<Result<Vec<_>, _>>();
        Ok(LookEntry {
            id: EntryId::new(self.id).map_err(damaged)?,
            at: instant(self.at)?,
            action: match self.action.as_str() {
                "card" => LookAction::Card,
                "reveal" => LookAction::Reveal,
                _ => LookAction::Refused,
            },
            operator: ViewerId::new(self.operator).map_err(damaged)?,
            role: role_of(&self.role)?,
            ticket: u64::try_from(self.ticket).map_err(damaged)?,
            customer_ref: CustomerRef::new(self.customer_ref).map_err(damaged)?,
            fields: fields.map_err(damaged)?,
            policy: u32::try_from(self.policy).map_err(damaged)?,
            break_glass: glass(self.ground, self.reason)?,
        })
    }
}

/// The customer under these references was erased: that somebody looked, and what it cost of their budget, stays.
pub(in crate::store) fn forget_customers(conn: &mut AnyConnection, refs: &[String]) -> Result<(), DbError> {
    diesel::update(looks::table.filter(looks::customer_ref.eq_any(refs)))
        .set(looks::customer_ref.eq(ERASED_CUSTOMER))
        .execute(conn)?;
    diesel::update(notices::table.filter(notices::customer_ref.eq_any(refs)))
        .set(notices::customer_ref.eq(None::<String>))
        .execute(conn)?;
    diesel::delete(viewed_customers::table.filter(viewed_customers::customer_ref.eq_any(refs)))
        .execute(conn)?;
    Ok(())
}

impl Store {
    /// A page of looks, newest first, and whether there are more.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn looks_page(&self, filter: LooksFilter) -> Result<(Vec<LookEntry>, bool), DbError> {
        self.database
            .read(move |conn| {
                let mut query = looks::table.into_boxed::<db_kit::MultiBackend>();
                if let Some(ticket) = filter.ticket {
                    query = query.filter(looks::ticket.eq(ticket));
                }
                if let Some(operator) = &filter.operator {
                    query = query.filter(looks::operator.eq(operator.as_str().to_owned()));
                }
                if let Some(customer_ref) = &filter.customer_ref {
                    query = query.filter(looks::customer_ref.eq(customer_ref.as_str().to_owned()));
                }
                if let Some(from) = filter.from {
                    query = query.filter(looks::id.ge(first_id("lok", from)));
                }
                if let Some(until) = filter.until {
                    query = query.filter(looks::id.lt(first_id("lok", until)));
                }
                if let Some(before) = &filter.before {
                    query = query.filter(looks::id.lt(before.as_str().to_owned()));
                }
                let rows: Vec<Row> = query
                    .order(looks::id.desc())
                    .limit(i64::from(PAGE_ENTRIES_MAX) + 1)
                    .select(Row::as_select())
                    .load(conn)?;
                let more = rows.len() > usize::from(PAGE_ENTRIES_MAX);
                let page = rows.into_iter().take(usize::from(PAGE_ENTRIES_MAX)).map(Row::entry);
                Ok((page.collect::<Result<Vec<_>, _>>()?, more))
            })
            .await
    }

    /// What is used of the budgets at that instant, by operator, of those who looked at anybody today; and whether there
    /// are more.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn budgets_page(
        &self,
        rules: Rules,
        after: Option<ViewerId>,
        now: Timestamp,
    ) -> Result<(Vec<OperatorBudget>, bool), DbError> {
        type Row = (String, String, i64, i64, i64, i64);
        let windows = rules.windows(now);
        let after = after.map_or_else(String::new, |after| after.as_str().to_owned());
        self.database
            .read(move |conn| {
                let rows: Vec<Row> = viewing_budgets::table
                    .filter(viewing_budgets::day_at.ge(windows.day_start.ms()))
                    .filter(viewing_budgets::day_used.gt(0))
                    .filter(viewing_budgets::operator.gt(after))
                    .order(viewing_budgets::operator)
                    .limit(i64::from(PAGE_ENTRIES_MAX) + 1)
                    .select((
                        viewing_budgets::operator,
                        viewing_budgets::role,
                        viewing_budgets::hour_at,
                        viewing_budgets::hour_used,
                        viewing_budgets::day_used,
                        viewing_budgets::glass_used,
                    ))
                    .load(conn)?;
                let more = rows.len() > usize::from(PAGE_ENTRIES_MAX);
                let budget = |(operator, role, hour_at, hour_used, day_used, glass_used): Row| {
                    let operator = ViewerId::new(operator).map_err(damaged)?;
                    let role = role_of(&role)?;
                    let limits = rules.limits(&operator, role);
                    let glass = rules.break_glass_day(&operator);
                    let hour_used = if hour_at >= windows.hour_start.ms() { hour_used } else { 0 };
                    Ok(OperatorBudget {
                        operator,
                        role,
                        hour: spending(hour_used, limits.hour_soft, limits.hour_hard),
                        day: spending(day_used, limits.day_soft, limits.day_hard),
                        break_glass: spending(glass_used, glass, glass),
                    })
                };
                let page = rows.into_iter().take(usize::from(PAGE_ENTRIES_MAX)).map(budget);
                Ok((page.collect::<Result<Vec<_>, DbError>>()?, more))
            })
            .await
    }
}

fn spending(used: i64, soft: u32, hard: u32) -> Spending {
    let count = Count::saturating;
    Spending { used: count(u32::try_from(used).unwrap_or(u32::MAX)), soft: count(soft), hard: count(hard) }
}
