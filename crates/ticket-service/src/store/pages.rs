//! One page of a list, at a cost that does not grow with the number of tickets or with the depth of the page.
//!
//! A list is cut into *cells*: one line, open or done, and where the question names one, an assignee. Within a cell an
//! index has the tickets in the order of the list, so a page is the beginning of a merge of a few indexes, wherever the
//! page begins. Asked in one piece ("this line `OR` assigned to me, in any state") the engine would read and sort
//! everything within the actor's reach.

use db_kit::{Backend, MultiBackend};
use diesel::expression::{AppearsOnTable, Expression, ValidGrouping, is_aggregate};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::Bool;

use crate::domain::{Line, Reach};
use crate::store::schema::{ticket_tags, tickets};
use crate::store::tickets::{AssigneeFilter, Direction, Filter, PageStart, SortKey};

/// Part of a list that one index has in order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    line: Line,
    open: bool,
    assignee: Option<AssigneeFilter>,
}

/// The cells of what the actor may see of what the filter asks for. They do not overlap.
fn cells(reach: &Reach, filter: &Filter) -> Vec<Cell> {
    let asked_of_me = |me: &String| match &filter.assignee {
        None => true,
        Some(AssigneeFilter::Operator(asked)) => asked == me,
        Some(AssigneeFilter::Nobody) => false,
    };
    let lines = Line::ALL.iter().copied().filter(|line| filter.line.is_none_or(|asked| asked == *line));
    let parts = lines.filter_map(|line| match reach {
        Reach::All => Some((line, filter.assignee.clone())),
        Reach::Line { line: own, .. } if *own == line => Some((line, filter.assignee.clone())),
        Reach::Line { operator_id: Some(me), .. } if asked_of_me(me) => {
            Some((line, Some(AssigneeFilter::Operator(me.clone()))))
        }
        Reach::Line { .. } | Reach::Nothing => None,
    });
    let states: Vec<bool> = [true, false].into_iter().filter(|open| holds(filter, *open)).collect();
    parts
        .flat_map(|(line, assignee)| {
            states.iter().map(move |open| Cell { line, open: *open, assignee: assignee.clone() })
        })
        .collect()
}

/// Whether the filter asks for tickets that are open, or for those that are not.
fn holds(filter: &Filter, open: bool) -> bool {
    filter.open.is_none_or(|asked| asked == open)
        && (filter.statuses.is_empty() || filter.statuses.iter().any(|status| status.is_open() == open))
}

impl Cell {
    fn rows(&self, filter: &Filter) -> tickets::BoxedQuery<'static, MultiBackend> {
        let mut rows = tickets::table
            .filter(tickets::line.eq(self.line.number()))
            .filter(tickets::is_open.eq(self.open))
            .into_boxed::<MultiBackend>();
        match &self.assignee {
            Some(AssigneeFilter::Nobody) => rows = rows.filter(tickets::assignee_id.is_null()),
            Some(AssigneeFilter::Operator(id)) => rows = rows.filter(tickets::assignee_id.eq(id.clone())),
            None => {}
        }
        if !filter.statuses.is_empty() {
            let names: Vec<&str> = filter.statuses.iter().map(|status| status.as_str()).collect();
            rows = rows.filter(tickets::status.eq_any(names));
        }
        if let Some(queue_id) = &filter.queue_id {
            rows = rows.filter(tickets::queue_id.eq(queue_id.clone()));
        }
        if let Some(priority) = filter.priority {
            rows = rows.filter(tickets::priority.eq(priority.as_str()));
        }
        if let Some(tag) = &filter.tag {
            let tagged = ticket_tags::table.filter(ticket_tags::tag.eq(tag.clone()));
            rows = rows.filter(tickets::number.eq_any(tagged.select(ticket_tags::ticket)));
        }
        if let Some(requester_id) = &filter.requester_id {
            rows = rows.filter(tickets::requester_id.eq(requester_id.clone()));
        }
        rows
    }

    /// The numbers of its tickets from `start` on, with the key by which the list is sorted, as queries that an index
    /// answers in order: rows with the key of the last row seen, and rows beyond it.
    fn stretches(&self, filter: &Filter, by: (SortKey, Direction), start: Option<PageStart>) -> Vec<Stretch> {
        macro_rules! keyed {
            ($column:expr, $type:ty) => {{
                let all = || self.rows(filter).select((tickets::number, $column));
                let Some(PageStart { key, number }) = start else { return vec![Box::new(all())] };
                let edge = <$type>::try_from(key).unwrap_or_default();
                let level = all().filter($column.eq(edge));
                match by.1 {
                    Direction::Descending => vec![
                        Box::new(level.filter(tickets::number.lt(number))),
                        Box::new(all().filter($column.lt(edge))),
                    ],
                    Direction::Ascending => vec![
                        Box::new(level.filter(tickets::number.gt(number))),
                        Box::new(all().filter($column.gt(edge))),
                    ],
                }
            }};
        }
        match by {
            (SortKey::Updated, _) => keyed!(tickets::updated_at, i64),
            (SortKey::Priority, _) => keyed!(tickets::priority_rank, i32),
            (SortKey::Created, direction) => {
                let rows = self.rows(filter).select(tickets::number);
                let rows = match (start, direction) {
                    (None, _) => rows,
                    (Some(start), Direction::Descending) => rows.filter(tickets::number.lt(start.number)),
                    (Some(start), Direction::Ascending) => rows.filter(tickets::number.gt(start.number)),
                };
                vec![Box::new(rows)]
            }
        }
    }
}

type Stretch = Box<dyn QueryFragment<MultiBackend> + Send>;

/// The condition that a ticket stands on one page of a list.
pub(super) struct OnPage {
    backend: Backend,
    stretches: Vec<Stretch>,
    order: &'static str,
    limit: i64,
}

impl OnPage {
    /// None if the actor sees nothing of what the filter asks for.
    pub(super) fn new(
        backend: Backend,
        reach: &Reach,
        filter: &Filter,
        by: (SortKey, Direction),
        start: Option<PageStart>,
        limit: i64,
    ) -> Option<Self> {
        let cells = cells(reach, filter);
        let stretches: Vec<Stretch> =
            cells.iter().flat_map(|cell| cell.stretches(filter, by, start)).collect();
        // The columns of the stretches by their places: the number, and the key unless it is the number.
        let order = match by {
            (SortKey::Created, Direction::Ascending) => "1",
            (SortKey::Created, Direction::Descending) => "1 DESC",
            (_, Direction::Ascending) => "2, 1",
            (_, Direction::Descending) => "2 DESC, 1 DESC",
        };
        (!stretches.is_empty()).then_some(Self { backend, stretches, order, limit })
    }
}

impl Expression for OnPage {
    type SqlType = Bool;
}

impl<From> AppearsOnTable<From> for OnPage {}

impl ValidGrouping<()> for OnPage {
    type IsAggregate = is_aggregate::No;
}

impl QueryId for OnPage {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl OnPage {
    // Not bound: SQLite plans a statement anew each time a value for its LIMIT is bound, and for this one that takes
    // longer than to run it. There are few limits.
    fn push_order(&self, out: &mut AstPass<'_, '_, MultiBackend>) {
        out.push_sql(&format!(" ORDER BY {} LIMIT {}", self.order, self.limit));
    }
}

impl QueryFragment<MultiBackend> for OnPage {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        out.push_sql("tickets.number IN (SELECT number FROM (");
        for (place, stretch) in self.stretches.iter().enumerate() {
            if place > 0 {
                out.push_sql(" UNION ALL ");
            }
            // SQLite merges the stretches as far as they are needed. PostgreSQL reads each of several to its end, unless
            // it has an order and a limit of its own.
            if self.backend == Backend::Postgres && self.stretches.len() > 1 {
                out.push_sql("(");
                stretch.walk_ast(out.reborrow())?;
                self.push_order(&mut out);
                out.push_sql(")");
            } else {
                stretch.walk_ast(out.reborrow())?;
            }
        }
        self.push_order(&mut out);
        out.push_sql(") AS page)");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Status;

    fn named(reach: &Reach, filter: &Filter) -> Vec<String> {
        let name = |cell: &Cell| {
            let state = if cell.open { "open" } else { "done" };
            let assignee = match &cell.assignee {
                None => "",
                Some(AssigneeFilter::Nobody) => " nobody's",
                Some(AssigneeFilter::Operator(id)) => &format!(" of {id}"),
            };
            format!("{} {state}{assignee}", cell.line.number())
        };
        cells(reach, filter).iter().map(name).collect()
    }

    fn first_line() -> Reach {
        Reach::Line { line: Line::FIRST, operator_id: Some("me".into()) }
    }

    #[test]
    fn an_operator_sees_the_own_line_and_of_the_others_what_is_theirs() {
        let filter = Filter { open: Some(true), ..Filter::default() };
        assert_eq!(named(&first_line(), &filter), ["1 open", "2 open of me", "3 open of me"]);
        let program = Reach::Line { line: Line::FIRST, operator_id: None };
        assert_eq!(named(&program, &filter), ["1 open"]);
        assert_eq!(named(&Reach::All, &filter), ["1 open", "2 open", "3 open"]);
        assert!(named(&Reach::Nothing, &filter).is_empty());
    }

    #[test]
    fn nobody_finds_others_tickets_on_another_line_by_asking_for_their_assignee() {
        let of = |assignee| Filter { open: Some(true), assignee: Some(assignee), ..Filter::default() };
        let colleague = AssigneeFilter::Operator("colleague".into());
        assert_eq!(named(&first_line(), &of(colleague)), ["1 open of colleague"]);
        assert_eq!(named(&first_line(), &of(AssigneeFilter::Nobody)), ["1 open nobody's"]);
        let me = AssigneeFilter::Operator("me".into());
        assert_eq!(named(&first_line(), &of(me)), ["1 open of me", "2 open of me", "3 open of me"]);
    }

    #[test]
    fn statuses_say_whether_open_or_done_is_meant() {
        let with = |statuses: &[Status]| {
            let filter = Filter { statuses: statuses.to_vec(), line: Some(Line::FIRST), ..Filter::default() };
            named(&Reach::All, &filter)
        };
        assert_eq!(with(&[]), ["1 open", "1 done"]);
        assert_eq!(with(&[Status::New, Status::Open]), ["1 open"]);
        assert_eq!(with(&[Status::Closed]), ["1 done"]);
        assert_eq!(with(&[Status::New, Status::Closed]), ["1 open", "1 done"]);
    }
}
