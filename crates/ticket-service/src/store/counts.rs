//! How many open tickets there are per line and assignee, kept as they change: nothing is ever counted.

use db_kit::on_both;
use diesel::prelude::*;

use crate::domain::Reach;
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::changes::Place;
use crate::store::schema::open_counts;

/// In the key, for tickets without an assignee.
const NOBODY: &str = "";

/// The open tickets of one line and one assignee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCount {
    /// The line's number.
    pub line: i32,
    /// The assignee, if there is one.
    pub assignee_id: Option<String>,
    /// How many.
    pub tickets: i64,
}

/// Adds `by` to the open tickets at this place.
pub(crate) fn add(scope: &mut Scope<'_>, place: &Place, by: i64) -> Result<(), TicketError> {
    let assignee_id = place.assignee_id.as_deref().unwrap_or(NOBODY);
    let row = (
        open_counts::line.eq(place.line.number()),
        open_counts::assignee_id.eq(assignee_id),
        open_counts::tickets.eq(by),
    );
    on_both!(scope.conn, |conn| diesel::insert_into(open_counts::table)
        .values(row)
        .on_conflict((open_counts::line, open_counts::assignee_id))
        .do_update()
        .set(open_counts::tickets.eq(open_counts::tickets + by))
        .execute(conn))?;
    Ok(())
}

/// The counters of what exists for the actor.
pub fn visible(scope: &mut Scope<'_>) -> Result<Vec<OpenCount>, TicketError> {
    let rows = open_counts::table.into_boxed::<db_kit::MultiBackend>();
    let rows = match scope.actor.reach() {
        Reach::All => rows,
        Reach::Line { line, operator_id: None } => rows.filter(open_counts::line.eq(line.number())),
        Reach::Line { line, operator_id: Some(id) } => {
            rows.filter(open_counts::line.eq(line.number()).or(open_counts::assignee_id.eq(id)))
        }
        Reach::Nothing => rows.filter(open_counts::line.lt(0)),
    };
    let counts: Vec<(i32, String, i64)> =
        rows.select((open_counts::line, open_counts::assignee_id, open_counts::tickets)).load(scope.conn)?;
    Ok(counts
        .into_iter()
        .map(|(line, assignee, tickets)| OpenCount {
            line,
            assignee_id: (assignee != NOBODY).then_some(assignee),
            tickets,
        })
        .collect())
}
