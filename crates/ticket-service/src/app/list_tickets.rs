//! Lists, counters and search: what there is to do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use service_kit::Personal;
use utoipa::ToSchema;

use crate::app::view::{Page, TicketSummary};
use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::ticket::named_enum;
use crate::domain::{Actor, Line};
use crate::error::TicketError;
use crate::store::search::Words;
use crate::store::tickets::{AssigneeFilter, Direction, Filter, PageStart, SortKey, TicketRow};
use crate::store::{counts, search, tickets};

use crate::domain::ticket::UnknownName;
use std::fmt;
use std::str::FromStr;

named_enum! {
    /// A ready-made selection, narrowed further by the filters.
    View {
        /// Open tickets on the caller's lines that nobody has taken.
        Inbox = "inbox",
        /// Open tickets assigned to the caller.
        Mine = "mine",
        /// Open tickets of the first line.
        Line1 = "line1",
        /// Open tickets of the second line.
        Line2 = "line2",
        /// Open tickets of the third line.
        Line3 = "line3",
        /// Everything, also what is resolved and closed.
        All = "all",
    }
}

/// Which tickets to list.
#[derive(Clone, Debug)]
pub struct ListQuestion {
    /// The selection to begin with.
    pub view: View,
    /// Narrowed by these.
    pub filter: Filter,
    /// In this order.
    pub order: (SortKey, Direction),
    /// From here on.
    pub start: Option<PageStart>,
    /// So many rows at most.
    pub limit: usize,
}

impl ListQuestion {
    /// The filter with the view's own conditions. A status that was asked for overrides "open only".
    fn whole_filter(&self, actor: &Actor) -> Filter {
        let mut filter = self.filter.clone();
        let open = filter.statuses.is_empty().then_some(true);
        match self.view {
            View::Inbox => {
                filter.open = open;
                filter.line = filter.line.or(actor.role.and_then(|role| role.line()));
                filter.assignee = filter.assignee.or(Some(AssigneeFilter::Nobody));
            }
            View::Mine => {
                filter.open = open;
                let me = actor.operator_id().unwrap_or_default().to_owned();
                filter.assignee = Some(AssigneeFilter::Operator(me));
            }
            View::Line1 => (filter.open, filter.line) = (open, Some(Line::ALL[0])),
            View::Line2 => (filter.open, filter.line) = (open, Some(Line::ALL[1])),
            View::Line3 => (filter.open, filter.line) = (open, Some(Line::ALL[2])),
            View::All => {}
        }
        filter
    }
}

/// One page of a list of tickets. The rows carry their own sort keys, so the caller can make the next cursor.
///
/// # Errors
/// [`TicketError::Forbidden`] without the scope `tickets:read`.
pub async fn list_tickets(
    app: &App,
    actor: &Actor,
    question: ListQuestion,
    cursor_of: impl FnOnce(PageStart) -> String + Send + 'static,
) -> Result<Page<TicketSummary>, TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    let filter = question.whole_filter(actor);
    app.store
        .read(actor, move |scope| {
            let limit = question.limit as i64 + 1;
            let rows = tickets::page(scope, &filter, question.order, question.start, limit)?;
            let start_after = |row: &TicketRow| {
                cursor_of(PageStart { key: row.sort_key(question.order.0), number: row.ticket.number })
            };
            Ok(Page::cut(rows, question.limit, start_after, TicketSummary::from))
        })
        .await
}

/// How many open tickets there are, as far as they exist for the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counters {
    /// On the caller's lines and taken by nobody.
    pub inbox: i64,
    /// Assigned to the caller.
    pub mine: i64,
    /// Per line that the caller sees.
    pub lines: BTreeMap<String, i64>,
}

/// The counters beside the views.
///
/// # Errors
/// [`TicketError::Forbidden`] without the scope `tickets:read`.
pub async fn count_open(app: &App, actor: &Actor) -> Result<Counters, TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    app.store
        .read(actor, |scope| {
            let own_line = scope.actor.role.and_then(|role| role.line());
            let me = scope.actor.operator_id().map(str::to_owned);
            let mut counters = Counters::default();
            let mut lines: Vec<Line> = own_line.into_iter().collect();
            if lines.is_empty() {
                lines.extend(Line::ALL);
            }
            counters.lines.extend(lines.iter().map(|line| (line.number().to_string(), 0)));
            for count in counts::visible(scope)? {
                if let Some(sum) = counters.lines.get_mut(&count.line.to_string()) {
                    *sum += count.tickets;
                    if count.assignee_id.is_none() {
                        counters.inbox += count.tickets;
                    }
                }
                if count.assignee_id.is_some() && count.assignee_id == me {
                    counters.mine += count.tickets;
                }
            }
            Ok(counters)
        })
        .await
}

/// A found ticket with the passage where it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundTicket {
    /// The ticket.
    #[serde(flatten)]
    pub ticket: TicketSummary,
    /// The passage as HTML: escaped text with `<mark>` around the found words.
    #[schema(value_type = String)]
    pub snippet: Personal<String>,
}

/// Tickets that hold all words of `text` (the last one may be a beginning) or have this number, newest first.
///
/// # Errors
/// [`TicketError::Invalid`] if the text has no word.
pub async fn search_tickets(
    app: &App,
    actor: &Actor,
    text: String,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<FoundTicket>, TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    let words = Words::of(&text).ok_or_else(|| {
        TicketError::invalid("q", "has no word to look for; write at least one letter or digit")
    })?;
    let number = text.trim().trim_start_matches('#').parse::<i64>().ok();
    app.store
        .read(actor, move |scope| {
            let mut hits = search::hits(scope, &words, before, limit as i64 + 1)?;
            if let (Some(number), None) = (number, before)
                && hits.iter().all(|hit| hit.number != number)
            {
                hits.insert(0, search::Hit { number, snippet: String::new() });
            }
            let more = hits.len() > limit;
            hits.truncate(limit);
            let next_cursor = if more { hits.last().map(|hit| hit.number.to_string()) } else { None };
            let numbers: Vec<i64> = hits.iter().map(|hit| hit.number).collect();
            let mut rows: BTreeMap<i64, TicketRow> =
                tickets::find_all(scope, &numbers)?.into_iter().map(|row| (row.ticket.number, row)).collect();
            let found = hits.into_iter().filter_map(|hit| {
                let row = rows.remove(&hit.number)?;
                Some(FoundTicket { ticket: row.into(), snippet: Personal::new(marked(&hit.snippet)) })
            });
            Ok(Page { items: found.collect(), next_cursor })
        })
        .await
}

/// Escapes a passage and turns the engines' signs around found words into `<mark>`.
fn marked(snippet: &str) -> String {
    let mut html = String::with_capacity(snippet.len() + 32);
    for char in snippet.chars() {
        match char {
            '\u{1}' => html.push_str("<mark>"),
            '\u{2}' => html.push_str("</mark>"),
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            char if char.is_control() => html.push(' '),
            char => html.push(char),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passage_is_escaped_but_for_its_marks() {
        assert_eq!(
            marked("<b>\u{1}stuck\u{2}</b>\n& \"x\""),
            "&lt;b&gt;<mark>stuck</mark>&lt;/b&gt; &amp; &quot;x&quot;"
        );
    }
}
