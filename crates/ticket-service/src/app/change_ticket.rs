//! Changing a ticket's properties and handing it over to another line.

use std::collections::BTreeSet;

use crate::app::view::Ticket;
use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::life_cycle;
use crate::domain::{Actor, Line, Note, Priority, Status, Subject, Tag, TicketNumber};
use crate::error::TicketError;
use crate::store::events::FieldChange;
use crate::store::tickets::{TicketRecord, TicketRow, tags_as_json};
use crate::store::{Scope, events, operators, queues, tickets};

/// What to change; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct TicketChanges {
    /// What it is about.
    pub subject: Option<Subject>,
    /// Where it stands.
    pub status: Option<Status>,
    /// How much it matters.
    pub priority: Option<Priority>,
    /// Its queue.
    pub queue_id: Option<String>,
    /// Who works on it; `Some(None)` takes it away from everybody.
    pub assignee_id: Option<Option<String>>,
    /// All its tags.
    pub tags: Option<BTreeSet<Tag>>,
}

/// Changes a ticket that the actor saw at version `seen`.
///
/// # Errors
/// [`TicketError::VersionConflict`] if somebody was first, [`TicketError::MoveRefused`] by the life cycle,
/// [`TicketError::Invalid`] for an unknown queue or assignee, [`TicketError::TicketNotFound`].
pub async fn change_ticket(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    seen: i64,
    changes: TicketChanges,
) -> Result<Ticket, TicketError> {
    permit::scope(actor, KeyScope::TicketsWrite)?;
    app.store
        .write(actor, move |scope| {
            let row = find_unchanged(scope, number, seen)?;
            let (after, names) = apply(scope, &row, &changes)?;
            let difference = difference(&row, &after, &names);
            if difference.is_empty() {
                return Ok(Ticket::new(row, &scope.actor));
            }
            let after = save(scope, &row.ticket, after, "changed")?;
            events::record(scope, number, "changed", &difference, None)?;
            Ok(show_after(scope, row, after, names))
        })
        .await
}

/// Hands a ticket over to another line: nobody has it there yet, and the history says why and what was tried.
///
/// # Errors
/// [`TicketError::Invalid`] if it is on that line already, else as [`change_ticket`].
pub async fn hand_over(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    seen: i64,
    to: Line,
    reason: Note,
    tried: Option<Note>,
) -> Result<Ticket, TicketError> {
    permit::scope(actor, KeyScope::TicketsWrite)?;
    app.store
        .write(actor, move |scope| {
            let row = find_unchanged(scope, number, seen)?;
            if row.ticket.line == to {
                return Err(TicketError::invalid("line", "is the line where the ticket is; choose another"));
            }
            let mut after = row.ticket.clone();
            (after.line, after.assignee_id) = (to, None);
            let names = Names { queue: row.queue_name.clone(), assignee: None };
            let difference = difference(&row, &after, &names);
            let after = save(scope, &row.ticket, after, "handed_over")?;
            let note = match &tried {
                Some(tried) => format!("{}\n\n{}", reason.as_str(), tried.as_str()),
                None => reason.as_str().to_owned(),
            };
            events::record(scope, number, "handed_over", &difference, Some(note))?;
            Ok(show_after(scope, row, after, names))
        })
        .await
}

/// The ticket, if it exists for the actor and is still at the version that they saw.
pub(crate) fn find_unchanged(
    scope: &mut Scope<'_>,
    number: TicketNumber,
    seen: i64,
) -> Result<TicketRow, TicketError> {
    let row = tickets::find(scope, number)?;
    if row.ticket.version == seen {
        return Ok(row);
    }
    let current = serde_json::to_value(Ticket::new(row, &scope.actor));
    Err(TicketError::VersionConflict(Box::new(current.unwrap_or_default())))
}

/// Stores the change; another process that was first at the last moment is told like one that was first before.
pub(crate) fn save(
    scope: &mut Scope<'_>,
    before: &TicketRecord,
    after: TicketRecord,
    kind: &'static str,
) -> Result<TicketRecord, TicketError> {
    tickets::save(scope, before, after, kind).map_err(|error| match error {
        TicketError::VersionConflict(_) => {
            match find_unchanged(scope, before.ticket_number(), before.version) {
                Ok(_) => TicketError::Internal("a version conflict that is none".into()),
                Err(conflict) => conflict,
            }
        }
        other => other,
    })
}

/// The names that go with a changed ticket.
pub(crate) struct Names {
    pub(crate) queue: String,
    pub(crate) assignee: Option<String>,
}

fn apply(
    scope: &mut Scope<'_>,
    row: &TicketRow,
    changes: &TicketChanges,
) -> Result<(TicketRecord, Names), TicketError> {
    let mut after = row.ticket.clone();
    let mut names = Names { queue: row.queue_name.clone(), assignee: row.assignee_name.clone() };
    if let Some(subject) = &changes.subject {
        after.subject = subject.as_str().to_owned();
    }
    if let Some(status) = changes.status {
        refuse_wrong_move(&scope.actor, after.status, status)?;
        after.status = status;
    }
    if let Some(priority) = changes.priority {
        after.priority = priority;
    }
    if let Some(queue_id) = &changes.queue_id {
        let queue = queues::find(scope, queue_id)
            .map_err(|error| named(error, "queue_id", "names no queue; see GET /queues"))?;
        (after.queue_id, names.queue) = (queue.id, queue.name);
    }
    if let Some(assignee_id) = &changes.assignee_id {
        names.assignee = match assignee_id {
            Some(id) => Some(
                assignable(scope, id, after.line)
                    .map_err(|error| named(error, "assignee_id", "names nobody who works on this line"))?,
            ),
            None => None,
        };
        after.assignee_id = assignee_id.clone();
    }
    if let Some(tags) = &changes.tags {
        after.tags = tags_as_json(&tags.iter().map(|tag| tag.as_str().to_owned()).collect());
    }
    Ok((after, names))
}

/// The name of the operator, if they may be given a ticket of this line: they work on it, or supervise all lines.
fn assignable(scope: &mut Scope<'_>, id: &str, line: Line) -> Result<String, TicketError> {
    let operator = operators::find(scope, id)?;
    let works_here = operator.role.line().is_none_or(|own| own == line);
    if operator.active && works_here { Ok(operator.name) } else { Err(TicketError::NotFound("operator")) }
}

/// Refuses a move that the life cycle does not have for this actor.
pub(crate) fn refuse_wrong_move(actor: &Actor, from: Status, to: Status) -> Result<(), TicketError> {
    if life_cycle::allows(from, to, actor.mover()) {
        return Ok(());
    }
    Err(TicketError::MoveRefused { from, to, allowed: life_cycle::moves_from(from, actor.mover()) })
}

fn named(error: TicketError, field: &'static str, message: &'static str) -> TicketError {
    match error {
        TicketError::NotFound(_) => TicketError::invalid(field, message),
        other => other,
    }
}

/// What changed, as people read it.
pub(crate) fn difference(before: &TicketRow, after: &TicketRecord, names: &Names) -> Vec<FieldChange> {
    let old = &before.ticket;
    let change = |field, from: &dyn ToString, to: &dyn ToString| {
        FieldChange::between(field, Some(from.to_string()), Some(to.to_string()))
    };
    [
        change("subject", &old.subject, &after.subject),
        change("status", &old.status, &after.status),
        change("priority", &old.priority, &after.priority),
        change("line", &old.line.number(), &after.line.number()),
        change("queue", &before.queue_name, &names.queue),
        FieldChange::between("assignee", before.assignee_name.clone(), names.assignee.clone()),
        change("tags", &old.tag_list().join(" "), &after.tag_list().join(" ")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The ticket after the change, for the one who changed it, even if it has just left their reach.
pub(crate) fn show_after(scope: &Scope<'_>, row: TicketRow, after: TicketRecord, names: Names) -> Ticket {
    let row = TicketRow { ticket: after, queue_name: names.queue, assignee_name: names.assignee, ..row };
    Ticket::new(row, &scope.actor)
}
