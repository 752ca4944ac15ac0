//! Counting looks: what an operator has used of the budget, who was looked at, and what supervisors are told. All of it in
//! the transaction of the look itself, so that nothing is shown that was not counted.

mod notices;
mod pages;

use std::sync::Arc;

use bridge_contract::{BrokenGlass, BudgetWindow, NoticeKind, ViewerId, ViewerRole};
use db_kit::{AnyConnection, Backend, DbError, FixedSql, on_both};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use service_kit::{Ids, Timestamp};

pub use self::notices::Acknowledged;
pub use self::pages::LooksFilter;
pub(super) use self::pages::forget_customers;

use self::notices::News;
use super::audit::{Action, LogLine, Refusal};
use super::schema::{looks, notices as notices_table, tallies, viewed_customers, viewing_budgets};
use super::{Store, Viewing};
use crate::oversight::Rules;
use crate::oversight::anomaly::{Tally, next_in_row, one_more, passes};
use crate::oversight::budget::{Seen, Standing, Used, Verdict, verdict};
use crate::oversight::window::Windows;

/// By what a look is measured: the rules, the instant, and the reason if there is one.
#[derive(Debug, Clone)]
pub struct Meter {
    /// The budgets and the rules for anomalies.
    pub rules: Arc<Rules>,
    /// The instant.
    pub now: Timestamp,
    /// The number of the policy in force.
    pub policy: u32,
    /// Why the glass is to be broken, if it is.
    pub glass: Option<BrokenGlass>,
    /// Where ids come from.
    pub ids: Ids,
    /// Whether wall 4 stands; only a test build takes it away.
    pub counts: bool,
}

/// How an operator stands towards a customer, and what is stored about it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) standing: Standing,
    /// The role that the day's limits come from.
    role: ViewerRole,
    /// Whether the last look at this customer was for the same ticket.
    same_ticket: bool,
}

impl Place {
    /// The reason, if this look needs it.
    pub(super) fn glass<'a>(&self, meter: &'a Meter) -> Option<&'a BrokenGlass> {
        let needed =
            matches!(self.standing.verdict, Verdict::Costs { glass: true, .. } | Verdict::GlassSpent);
        meter.glass.as_ref().filter(|_| needed)
    }
}

impl LogLine {
    /// The same question, not answered.
    pub(super) fn refused(self) -> Self {
        Self { action: Action::Refused(Refusal::BudgetSpent), shown: vec![], masked: vec![], ..self }
    }
}

/// How the operator stands towards the customer. Unless the look is free, whoever comes next waits until this transaction
/// has ended, so that one last place is given once.
pub(super) fn place(conn: &mut AnyConnection, viewing: &Viewing, meter: &Meter) -> Result<Place, DbError> {
    let place = read_place(conn, viewing, meter)?;
    // SQLite has one writer at a time anyway.
    if place.standing.verdict == Verdict::Free || conn.backend() == Backend::Sqlite {
        return Ok(place);
    }
    let operator = viewing.operator.as_str();
    let none = row_of(viewing, &place.standing.windows, place.role, Used::default());
    on_both!(conn, |conn| diesel::insert_into(viewing_budgets::table)
        .values(none)
        .on_conflict_do_nothing()
        .execute(conn))?;
    let lock = FixedSql {
        before: "UPDATE viewing_budgets SET operator = operator WHERE operator = (",
        values: (operator.into_sql::<Text>(),),
        after: ")",
    };
    on_both!(conn, |conn| lock.execute(conn))?;
    read_place(conn, viewing, meter)
}

fn read_place(conn: &mut AnyConnection, viewing: &Viewing, meter: &Meter) -> Result<Place, DbError> {
    type Row = ((String, i64, i64, i64, i64, i64), Option<(i64, i64, i64)>);
    let windows = meter.rules.windows(meter.now);
    let own = meter.rules.limits(&viewing.operator, viewing.role);
    let free = Standing { verdict: Verdict::Free, used: Used::default(), limits: own, windows };
    if !meter.counts {
        return Ok(Place { standing: free, role: viewing.role, same_ticket: true });
    }
    let this_customer = viewed_customers::operator
        .eq(viewing_budgets::operator)
        .and(viewed_customers::customer_ref.eq(viewing.customer_ref.as_str()));
    let row = viewing_budgets::table
        .left_join(viewed_customers::table.on(this_customer))
        .filter(viewing_budgets::operator.eq(viewing.operator.as_str()))
        .select((
            (
                viewing_budgets::role,
                viewing_budgets::hour_at,
                viewing_budgets::hour_used,
                viewing_budgets::day_at,
                viewing_budgets::day_used,
                viewing_budgets::glass_used,
            ),
            (viewed_customers::hour_at, viewed_customers::day_at, viewed_customers::ticket).nullable(),
        ));
    let row = on_both!(conn, |conn| row.get_result::<Row>(conn)).optional()?;
    let mut place = Place { standing: free, role: viewing.role, same_ticket: false };
    let standing = &mut place.standing;
    let mut seen = Seen::default();
    if let Some(((role, hour_at, hour_used, day_at, day_used, glass_used), viewed)) = row {
        // A clock that was set back is no new window.
        let (this_hour, today) = (|at| at >= windows.hour_start.ms(), |at| at >= windows.day_start.ms());
        let used = |is_now: bool, used: i64| if is_now { u32::try_from(used).unwrap_or(u32::MAX) } else { 0 };
        standing.used = Used {
            hour: used(this_hour(hour_at), hour_used),
            day: used(today(day_at), day_used),
            glass: used(today(day_at), glass_used),
        };
        if today(day_at) {
            place.role = role_of(&role)?;
            standing.limits = own.stricter(meter.rules.limits(&viewing.operator, place.role));
        }
        if let Some((hour_at, day_at, ticket)) = viewed {
            seen = Seen { this_hour: this_hour(hour_at), today: today(day_at) };
            place.same_ticket = ticket == viewing.ticket;
        }
    }
    let with_reason = meter.glass.as_ref().map(|_| meter.rules.break_glass_day(&viewing.operator));
    standing.verdict = verdict(standing.limits, standing.used, seen, with_reason);
    Ok(place)
}

/// Writes down what a look has cost, who was looked at, and what supervisors are to know of it.
pub(super) fn settle(
    conn: &mut AnyConnection,
    viewing: &Viewing,
    meter: &Meter,
    place: &Place,
    line: &LogLine,
    is_known: bool,
) -> Result<(), DbError> {
    if !meter.counts {
        return Ok(());
    }
    let mut ledger = Ledger { conn, viewing, meter, windows: place.standing.windows };
    match line.action {
        // There is nobody to be counted any more, and nobody to be named.
        Action::Refused(Refusal::Erased) => Ok(()),
        Action::Refused(_) => ledger.refused(&place.standing, line, is_known),
        Action::Card | Action::Reveal => ledger.shown(place, line),
    }
}

/// One look on its way into the books.
struct Ledger<'a> {
    conn: &'a mut AnyConnection,
    viewing: &'a Viewing,
    meter: &'a Meter,
    windows: Windows,
}

impl Ledger<'_> {
    fn refused(&mut self, standing: &Standing, line: &LogLine, is_known: bool) -> Result<(), DbError> {
        self.add_look(line, None)?;
        if !is_known {
            return self.count(NoticeKind::UnknownCustomers, self.windows.hour_start);
        }
        let Verdict::Spent(window) = standing.verdict else { return Ok(()) };
        let (about, since, counted, threshold) = match window {
            BudgetWindow::Hour => {
                (NoticeKind::HourHard, self.windows.hour_start, standing.used.hour, standing.limits.hour_hard)
            }
            BudgetWindow::Day => {
                (NoticeKind::DayHard, self.windows.day_start, standing.used.day, standing.limits.day_hard)
            }
        };
        self.tell(&News { about, since, counted, threshold, ..self.news() })
    }

    fn shown(&mut self, place: &Place, line: &LogLine) -> Result<(), DbError> {
        let standing = &place.standing;
        let glass = match standing.verdict {
            Verdict::Costs { glass, .. } => {
                self.charge(place)?;
                self.meter.glass.as_ref().filter(|_| glass)
            }
            _ if place.same_ticket && line.action == Action::Card => return Ok(()),
            _ => None,
        };
        if !matches!(standing.verdict, Verdict::Costs { .. }) && !place.same_ticket {
            self.remember_ticket()?;
        }
        self.add_look(line, glass)?;
        if let Some(glass) = glass {
            let (counted, threshold) =
                (standing.used_after().glass, self.meter.rules.break_glass_day(&self.viewing.operator));
            let since = self.windows.day_start;
            let news = News { about: NoticeKind::BreakGlass, since, counted, threshold, ..self.news() };
            self.tell(&News {
                ticket: Some(self.viewing.ticket),
                customer_ref: Some(self.viewing.customer_ref.as_str()),
                glass: Some(glass),
                ..news
            })?;
        }
        for (window, counted, threshold) in standing.passes_soft() {
            let (about, since) = match window {
                BudgetWindow::Hour => (NoticeKind::HourSoft, self.windows.hour_start),
                BudgetWindow::Day => (NoticeKind::DaySoft, self.windows.day_start),
            };
            self.tell(&News { about, since, counted, threshold, ..self.news() })?;
        }
        if line.action == Action::Reveal {
            self.count(NoticeKind::RevealsInSeries, self.windows.hour_start)?;
        } else {
            self.count_row()?;
        }
        if self.meter.rules.is_unusual(self.meter.now) {
            self.count(NoticeKind::OutsideHours, self.windows.day_start)?;
        }
        Ok(())
    }

    /// Takes the places that the look costs, and remembers that this customer is counted.
    fn charge(&mut self, place: &Place) -> Result<(), DbError> {
        let (operator, used) = (self.viewing.operator.as_str(), place.standing.used_after());
        let (hour_at, day_at) = (self.windows.hour_start.ms(), self.windows.day_start.ms());
        let budget = FixedSql {
            before: "INSERT INTO viewing_budgets (operator, role, hour_at, hour_used, day_at, day_used, glass_used) VALUES (",
            values: (
                operator.into_sql::<Text>(),
                place.role.as_str().into_sql::<Text>(),
                hour_at.into_sql::<BigInt>(),
                i64::from(used.hour).into_sql::<BigInt>(),
                day_at.into_sql::<BigInt>(),
                i64::from(used.day).into_sql::<BigInt>(),
                i64::from(used.glass).into_sql::<BigInt>(),
            ),
            after: ") ON CONFLICT (operator) DO UPDATE SET role = excluded.role, hour_at = excluded.hour_at, \
                    hour_used = excluded.hour_used, day_at = excluded.day_at, day_used = excluded.day_used, \
                    glass_used = excluded.glass_used",
        };
        on_both!(self.conn, |conn| budget.execute(conn))?;
        let viewed = FixedSql {
            before: "INSERT INTO viewed_customers (operator, customer_ref, hour_at, day_at, ticket) VALUES (",
            values: (
                operator.into_sql::<Text>(),
                self.viewing.customer_ref.as_str().into_sql::<Text>(),
                hour_at.into_sql::<BigInt>(),
                day_at.into_sql::<BigInt>(),
                self.viewing.ticket.into_sql::<BigInt>(),
            ),
            after: ") ON CONFLICT (operator, customer_ref) DO UPDATE SET hour_at = excluded.hour_at, \
                    day_at = excluded.day_at, ticket = excluded.ticket",
        };
        on_both!(self.conn, |conn| viewed.execute(conn))?;
        Ok(())
    }

    fn remember_ticket(&mut self) -> Result<(), DbError> {
        let this = viewed_customers::operator
            .eq(self.viewing.operator.as_str())
            .and(viewed_customers::customer_ref.eq(self.viewing.customer_ref.as_str()));
        diesel::update(viewed_customers::table.filter(this))
            .set(viewed_customers::ticket.eq(self.viewing.ticket))
            .execute(self.conn)?;
        Ok(())
    }

    fn add_look(&mut self, line: &LogLine, glass: Option<&BrokenGlass>) -> Result<(), DbError> {
        let row = (
            (
                looks::id.eq(self.meter.ids.new_id("lok")),
                looks::at.eq(self.meter.now.ms()),
                looks::action.eq(line.action.as_str()),
                looks::operator.eq(self.viewing.operator.as_str()),
                looks::role.eq(self.viewing.role.as_str()),
                looks::ticket.eq(self.viewing.ticket),
            ),
            (
                looks::customer_ref.eq(self.viewing.customer_ref.as_str()),
                looks::shown.eq(line.shown.join(" ")),
                looks::policy.eq(i64::from(self.meter.policy)),
                looks::ground.eq(glass.map(|glass| glass.ground.as_str())),
                looks::reason.eq(glass.map(|glass| glass.reason.as_str())),
            ),
        );
        on_both!(self.conn, |conn| diesel::insert_into(looks::table).values(row).execute(conn))?;
        Ok(())
    }

    /// One more of its kind in the window that began at `start`.
    fn count(&mut self, rule: NoticeKind, start: Timestamp) -> Result<(), DbError> {
        let (now, ticket, max) = (self.meter.now, self.viewing.ticket, self.meter.rules.thresholds.of(rule));
        self.tally(rule, max, |before| one_more(before, start, now, ticket))
    }

    fn count_row(&mut self) -> Result<(), DbError> {
        let thresholds = &self.meter.rules.thresholds;
        let (now, ticket) = (self.meter.now, self.viewing.ticket);
        let gap_ms = i64::from(thresholds.neighbours_gap_s) * 1_000;
        let max = thresholds.neighbours_max;
        self.tally(NoticeKind::NeighbouringTickets, max, |before| next_in_row(before, now, ticket, gap_ms))
    }

    fn tally(
        &mut self,
        rule: NoticeKind,
        max: u32,
        next: impl Fn(Option<Tally>) -> Tally,
    ) -> Result<(), DbError> {
        let passed = tally(self.conn, self.viewing.operator.as_str(), rule, max, next)?;
        let Some(tally) = passed else { return Ok(()) };
        self.tell(&News {
            about: rule,
            since: tally.since,
            counted: tally.counted,
            threshold: max,
            ..self.news()
        })
    }

    fn news(&self) -> News<'static> {
        News::default()
    }

    fn tell(&mut self, news: &News<'_>) -> Result<(), DbError> {
        notices::tell(self.conn, self.meter, Some(&self.viewing.operator), news)
    }
}

/// Counts on; gives the tally if it has just passed the limit. A rule that is off costs nothing.
fn tally(
    conn: &mut AnyConnection,
    operator: &str,
    rule: NoticeKind,
    max: u32,
    next: impl Fn(Option<Tally>) -> Tally,
) -> Result<Option<Tally>, DbError> {
    if max == 0 {
        return Ok(None);
    }
    let mut before = tally_of(conn, operator, rule)?;
    if before.is_none() && conn.backend() == Backend::Postgres {
        // A row that is not there can't be locked: two that count for the first time would both count one.
        let none = (
            (tallies::operator.eq(operator), tallies::rule.eq(rule.as_str()), tallies::since.eq(0)),
            (tallies::last_at.eq(0), tallies::last_ticket.eq(0), tallies::counted.eq(0)),
        );
        on_both!(conn, |conn| diesel::insert_into(tallies::table)
            .values(none)
            .on_conflict_do_nothing()
            .execute(conn))?;
        before = tally_of(conn, operator, rule)?;
    }
    let before = before.filter(|before| before.counted > 0);
    let after = next(before);
    let counted = FixedSql {
        before: "INSERT INTO tallies (operator, rule, since, last_at, last_ticket, counted) VALUES (",
        values: (
            operator.into_sql::<Text>(),
            rule.as_str().into_sql::<Text>(),
            after.since.ms().into_sql::<BigInt>(),
            after.last_at.ms().into_sql::<BigInt>(),
            after.last_ticket.into_sql::<BigInt>(),
            i64::from(after.counted).into_sql::<BigInt>(),
        ),
        after: ") ON CONFLICT (operator, rule) DO UPDATE SET since = excluded.since, last_at = excluded.last_at, \
                last_ticket = excluded.last_ticket, counted = excluded.counted",
    };
    on_both!(conn, |conn| counted.execute(conn))?;
    Ok(passes(before, after, max).then_some(after))
}

/// What is counted so far. Two that count at once on PostgreSQL count one after the other.
fn tally_of(conn: &mut AnyConnection, operator: &str, rule: NoticeKind) -> Result<Option<Tally>, DbError> {
    let row = tallies::table
        .filter(tallies::operator.eq(operator).and(tallies::rule.eq(rule.as_str())))
        .select((tallies::since, tallies::last_at, tallies::last_ticket, tallies::counted));
    let row = on_both!(
        conn,
        sqlite | conn | row.get_result::<(i64, i64, i64, i64)>(conn),
        postgres | conn | row.for_update().get_result(conn),
    );
    Ok(row.optional()?.map(|(since, last_at, last_ticket, counted)| Tally {
        since: Timestamp::from_ms(since),
        last_at: Timestamp::from_ms(last_at),
        last_ticket,
        counted: u32::try_from(counted).unwrap_or(u32::MAX),
    }))
}

type BudgetRow<'a> = (
    diesel::dsl::Eq<viewing_budgets::operator, &'a str>,
    diesel::dsl::Eq<viewing_budgets::role, &'static str>,
    diesel::dsl::Eq<viewing_budgets::hour_at, i64>,
    diesel::dsl::Eq<viewing_budgets::hour_used, i64>,
    diesel::dsl::Eq<viewing_budgets::day_at, i64>,
    diesel::dsl::Eq<viewing_budgets::day_used, i64>,
    diesel::dsl::Eq<viewing_budgets::glass_used, i64>,
);

fn row_of<'a>(viewing: &'a Viewing, windows: &Windows, role: ViewerRole, used: Used) -> BudgetRow<'a> {
    (
        viewing_budgets::operator.eq(viewing.operator.as_str()),
        viewing_budgets::role.eq(role.as_str()),
        viewing_budgets::hour_at.eq(windows.hour_start.ms()),
        viewing_budgets::hour_used.eq(i64::from(used.hour)),
        viewing_budgets::day_at.eq(windows.day_start.ms()),
        viewing_budgets::day_used.eq(i64::from(used.day)),
        viewing_budgets::glass_used.eq(i64::from(used.glass)),
    )
}

pub(super) fn role_of(name: &str) -> Result<ViewerRole, DbError> {
    let role = ViewerRole::ALL.into_iter().find(|role| role.as_str() == name);
    role.ok_or_else(|| DbError::Configuration(format!("a stored role `{name}` is none")))
}

impl Store {
    /// Nobody in the CRM has an address that was looked up: by this operator, or by a new ticket of the public form.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn record_miss(
        &self,
        operator: Option<ViewerId>,
        ticket: i64,
        meter: Meter,
    ) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let (rule, thresholds) = (NoticeKind::ResolveMisses, &meter.rules.thresholds);
                let (name, max) = match &operator {
                    Some(operator) => (operator.as_str(), thresholds.misses_hour_max),
                    None => ("", thresholds.form_misses_hour_max),
                };
                let start = meter.rules.windows(meter.now).hour_start;
                let passed =
                    tally(conn, name, rule, max, |before| one_more(before, start, meter.now, ticket))?;
                let Some(tally) = passed else { return Ok(()) };
                let news = News {
                    about: rule,
                    since: tally.since,
                    counted: tally.counted,
                    threshold: max,
                    ..News::default()
                };
                notices::tell(conn, &meter, operator.as_ref(), &news)
            })
            .await
    }

    /// Removes what no page and no window needs any more: looks and acknowledged notices past their age, and whom
    /// operators looked at before yesterday.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn forget_old_looks(&self, rules: &Rules, now: Timestamp) -> Result<usize, DbError> {
        let oldest = now.plus_ms(-rules.looks_kept_ms);
        let yesterday = rules.windows(rules.windows(now).day_start.plus_ms(-1)).day_start;
        self.database
            .write(move |conn| {
                let gone = diesel::delete(looks::table.filter(looks::id.lt(pages::first_id("lok", oldest))))
                    .execute(conn)?;
                let seen = notices_table::id
                    .lt(pages::first_id("ntc", oldest))
                    .and(notices_table::acknowledged_at.is_not_null());
                diesel::delete(notices_table::table.filter(seen)).execute(conn)?;
                let passed = viewed_customers::day_at.lt(yesterday.ms());
                diesel::delete(viewed_customers::table.filter(passed)).execute(conn)?;
                Ok(gone)
            })
            .await
    }
}
