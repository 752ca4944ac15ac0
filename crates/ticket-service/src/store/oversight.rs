//! What oversight needs of support's own data: names, whether somebody worked on a ticket, and how far the review has come.

use std::collections::{BTreeSet, HashMap};

use db_kit::on_both;
use diesel::prelude::*;

use crate::domain::Role;
use crate::error::TicketError;
use crate::store::schema::{api_keys, messages, operators, oversight_marks, ticket_events};
use crate::store::{CHANNEL, Scope, Store, tickets};

/// Names by id.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Of operators and API keys.
    pub people: HashMap<String, String>,
    /// Of requesters, by ticket number.
    pub requesters: HashMap<i64, String>,
}

/// What is remembered between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The newest notice that supervisors were told of.
    NewestNotice,
    /// The first day that has not been reviewed: its start in milliseconds.
    DayToReview,
}

impl Mark {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NewestNotice => "newest_notice",
            Self::DayToReview => "day_to_review",
        }
    }
}

/// Names of these operators and keys, and of the requesters of these tickets, as far as the actor sees the tickets.
pub fn names(scope: &mut Scope<'_>, people: Vec<String>, numbers: Vec<i64>) -> Result<Names, TicketError> {
    let of_operators: Vec<(String, String)> = operators::table
        .filter(operators::id.eq_any(people.clone()))
        .select((operators::id, operators::name))
        .load(scope.conn)?;
    let of_keys: Vec<(String, String)> = api_keys::table
        .filter(api_keys::id.eq_any(people))
        .select((api_keys::id, api_keys::name))
        .load(scope.conn)?;
    let rows = tickets::find_all(scope, &numbers)?;
    let requesters = rows.into_iter().map(|row| (row.ticket.number, row.requester.name)).collect();
    Ok(Names { people: of_operators.into_iter().chain(of_keys).collect(), requesters })
}

/// Whether there is another supervisor who may sign in.
pub fn has_other_supervisor(scope: &mut Scope<'_>, id: &str) -> Result<bool, TicketError> {
    let others = operators::table
        .filter(operators::role.eq(Role::Supervisor.as_str()))
        .filter(operators::active.eq(true))
        .filter(operators::id.ne(id));
    Ok(diesel::select(diesel::dsl::exists(others)).get_result(scope.conn)?)
}

/// On how many of these tickets the operator has done nothing: no message, no entry in the history, not the assignee.
/// Tickets that are gone count as worked on; nobody can tell any more.
pub fn idle(scope: &mut Scope<'_>, operator_id: &str, numbers: &BTreeSet<i64>) -> Result<usize, TicketError> {
    let name: Option<String> = operators::table
        .filter(operators::id.eq(operator_id))
        .select(operators::name)
        .get_result(scope.conn)
        .optional()?;
    let Some(name) = name else { return Ok(0) };
    let mut idle = 0;
    for number in numbers {
        let Some(row) = tickets::find_all(scope, &[*number])?.pop() else { continue };
        let wrote =
            messages::table.filter(messages::ticket.eq(number).and(messages::operator_id.eq(operator_id)));
        // The history keeps names, not ids: the name at that time.
        let changed = ticket_events::table.filter(
            ticket_events::ticket
                .eq(number)
                .and(ticket_events::actor_kind.eq("operator"))
                .and(ticket_events::actor_name.eq(&name)),
        );
        let worked: bool = diesel::select(diesel::dsl::exists(wrote).or(diesel::dsl::exists(changed)))
            .get_result(scope.conn)?;
        idle += usize::from(!worked && row.ticket.assignee_id.as_deref() != Some(operator_id));
    }
    Ok(idle)
}

/// What was remembered.
pub fn mark(scope: &mut Scope<'_>, mark: Mark) -> Result<Option<String>, TicketError> {
    Ok(oversight_marks::table
        .filter(oversight_marks::name.eq(mark.as_str()))
        .select(oversight_marks::value)
        .get_result(scope.conn)
        .optional()?)
}

/// Remembers.
pub fn set_mark(scope: &mut Scope<'_>, mark: Mark, value: &str) -> Result<(), TicketError> {
    on_both!(scope.conn, |conn| diesel::insert_into(oversight_marks::table)
        .values((oversight_marks::name.eq(mark.as_str()), oversight_marks::value.eq(value)))
        .on_conflict(oversight_marks::name)
        .do_update()
        .set(oversight_marks::value.eq(value))
        .execute(conn))?;
    Ok(())
}

impl Store {
    /// Tells the supervisors who listen, on all nodes, that there is something new to know. The notice itself is kept by
    /// the bridge, so a lost word costs a minute and nothing else.
    pub async fn tell_supervisors(&self) {
        self.changes.publish_oversight();
        if self.database.backend() != db_kit::Backend::Postgres {
            return;
        }
        let Some(told) = self.changes.told_oversight() else { return };
        let sent =
            self.database.write(move |conn| Ok::<_, TicketError>(db_kit::notify(conn, CHANNEL, &told)?));
        if let Err(error) = sent.await {
            tracing::warn!(error.cause = %error, "other nodes could not be told of a notice");
        }
    }
}
