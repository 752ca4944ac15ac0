//! Tickets: the one base query that every read starts from, and the one function through which every change goes.

use std::collections::BTreeSet;

use db_kit::{MultiBackend, on_both};
use diesel::dsl::{AsSelect, auto_type};
use diesel::prelude::*;
use service_kit::Timestamp;

use crate::domain::{Actor, Channel, CustomerState, Line, Priority, Reach, Status, TicketNumber};
use crate::error::TicketError;
use crate::store::changes::{Place, TicketChange};
use crate::store::pages::OnPage;
use crate::store::schema::{operators, queues, requesters, ticket_reads, ticket_tags, tickets};
use crate::store::{Scope, counts, outbox, search};

/// A ticket as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = tickets, treat_none_as_null = true)]
pub struct TicketRecord {
    /// Its number.
    pub number: i64,
    /// What it is about.
    pub subject: String,
    /// Where it stands.
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub status: Status,
    /// Whether it still waits for work; follows from the status.
    pub is_open: bool,
    /// How much it matters.
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub priority: Priority,
    /// Follows from the priority.
    pub priority_rank: i32,
    /// The line that works on it.
    #[diesel(serialize_as = i32, deserialize_as = i32)]
    pub line: Line,
    /// Its queue.
    pub queue_id: String,
    /// Who works on it.
    pub assignee_id: Option<String>,
    /// Who asked.
    pub requester_id: String,
    /// How it came in.
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub channel: Channel,
    /// A JSON list of its tags.
    pub tags: String,
    /// What is known about the customer.
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub customer_state: CustomerState,
    /// The bridge's opaque reference.
    pub customer_ref: Option<String>,
    /// When it was opened.
    pub created_at: i64,
    /// When anything about it last changed, other than what the CRM says about its customer.
    pub updated_at: i64,
    /// When the last message was written.
    pub last_message_at: i64,
    /// When the requester last wrote.
    pub last_request_at: i64,
    /// When it was resolved, if it is.
    pub resolved_at: Option<i64>,
    /// Counts its changes.
    pub version: i64,
}

impl TicketRecord {
    /// Its number as a type.
    pub fn ticket_number(&self) -> TicketNumber {
        TicketNumber(self.number)
    }

    /// Its tags as a list.
    pub fn tag_list(&self) -> Vec<String> {
        serde_json::from_str(&self.tags).unwrap_or_default()
    }

    /// What decides who may see it.
    pub fn place(&self) -> Place {
        Place { line: self.line, assignee_id: self.assignee_id.clone() }
    }
}

/// A ticket with the names that a list row and the head of a conversation show.
#[derive(Clone, Debug, Queryable)]
pub struct TicketRow {
    /// The ticket.
    pub ticket: TicketRecord,
    /// Who asked.
    pub requester: RequesterRecord,
    /// The name of its queue.
    pub queue_name: String,
    /// The name of its assignee.
    pub assignee_name: Option<String>,
    /// When the actor last had it open.
    pub seen_at: Option<i64>,
}

impl TicketRow {
    /// What a list sorted by `key` sorts it by.
    pub fn sort_key(&self, key: SortKey) -> i64 {
        match key {
            SortKey::Updated => self.ticket.updated_at,
            SortKey::Created => self.ticket.number,
            SortKey::Priority => i64::from(self.ticket.priority_rank),
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = requesters)]
pub struct RequesterRecord {
    /// The id.
    pub id: String,
    /// The name as they wrote it.
    pub name: String,
    /// The address to answer to.
    pub email: String,
    /// The same in lower case: one mailbox is one requester.
    pub email_folded: String,
    /// A phone number, if they gave one.
    pub phone: Option<String>,
    /// Since when they are known.
    pub created_at: i64,
}

/// Which tickets a list shows, beyond the reach of the actor.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this line.
    pub line: Option<Line>,
    /// Only open ones, or only those that are not.
    pub open: Option<bool>,
    /// In one of these statuses; empty means any.
    pub statuses: Vec<Status>,
    /// In this queue.
    pub queue_id: Option<String>,
    /// By assignee.
    pub assignee: Option<AssigneeFilter>,
    /// With this priority.
    pub priority: Option<Priority>,
    /// With this tag.
    pub tag: Option<String>,
    /// Of this requester.
    pub requester_id: Option<String>,
}

/// By assignee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssigneeFilter {
    /// Assigned to nobody.
    Nobody,
    /// Assigned to this operator.
    Operator(String),
}

/// By what a list is sorted; ties are broken by number, in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// When anything last changed.
    Updated,
    /// When it was opened, which is the order of the numbers.
    Created,
    /// How much it matters.
    Priority,
}

/// In which direction a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Least first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// Where a page begins: after the row with this key and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageStart {
    /// The sort key of the last row seen.
    pub key: i64,
    /// The number of the last row seen.
    pub number: i64,
}

#[auto_type]
fn joined(operator_id: String) -> _ {
    let my_read = ticket_reads::ticket.eq(tickets::number).and(ticket_reads::operator_id.eq(operator_id));
    let ticket: AsSelect<TicketRecord, MultiBackend> = TicketRecord::as_select();
    let requester: AsSelect<RequesterRecord, MultiBackend> = RequesterRecord::as_select();
    tickets::table
        .inner_join(requesters::table)
        .inner_join(queues::table)
        .left_join(operators::table)
        .left_join(ticket_reads::table.on(my_read))
        .select((
            ticket,
            requester,
            queues::name,
            operators::name.nullable(),
            ticket_reads::seen_at.nullable(),
        ))
}

/// Rows that exist for an actor, to be narrowed further.
type VisibleRows = diesel::dsl::IntoBoxed<'static, joined, MultiBackend>;

/// A ticket's line, to be checked and not to be looked up: with the bare column in the reach, SQLite would rather read
/// all tickets of the line by its index than the few whose numbers are asked for.
#[auto_type]
fn checked_line() -> _ {
    tickets::line + 0_i32
}

/// Every read of tickets begins here: the rows that exist for the actor, and no others.
fn visible(scope: &Scope<'_>) -> VisibleRows {
    let rows = joined(scope.actor.operator_id().unwrap_or_default().to_owned()).into_boxed();
    match scope.actor.reach() {
        Reach::All => rows,
        Reach::Line { line, operator_id: None } => rows.filter(checked_line().eq(line.number())),
        Reach::Line { line, operator_id: Some(id) } => {
            rows.filter(checked_line().eq(line.number()).nullable().or(tickets::assignee_id.eq(id)))
        }
        Reach::Nothing => rows.filter(tickets::number.lt(0)),
    }
}

/// The ticket with this number, if it exists for the actor.
///
/// # Errors
/// [`TicketError::TicketNotFound`] if it does not.
pub fn find(scope: &mut Scope<'_>, number: TicketNumber) -> Result<TicketRow, TicketError> {
    let row: Option<TicketRow> =
        visible(scope).filter(tickets::number.eq(number.0)).get_result(scope.conn).optional()?;
    row.filter(|row| is_within(&scope.actor, row)).ok_or(TicketError::TicketNotFound(number))
}

/// Whether a ticket that was found exists for the actor: the rule itself, beside the query that was made of it.
#[must_use]
pub fn is_within(actor: &Actor, row: &TicketRow) -> bool {
    actor.reach().includes(row.ticket.line, row.ticket.assignee_id.as_deref())
}

/// The tickets with these numbers that exist for the actor, in no particular order.
pub(crate) fn find_all(scope: &mut Scope<'_>, numbers: &[i64]) -> Result<Vec<TicketRow>, TicketError> {
    Ok(visible(scope).filter(tickets::number.eq_any(numbers.to_vec())).load(scope.conn)?)
}

/// One page of tickets: at most `limit` rows after `start`.
pub fn page(
    scope: &mut Scope<'_>,
    filter: &Filter,
    (key, direction): (SortKey, Direction),
    start: Option<PageStart>,
    limit: i64,
) -> Result<Vec<TicketRow>, TicketError> {
    let (backend, reach) = (scope.conn.backend(), scope.actor.reach());
    let Some(on_page) = OnPage::new(backend, &reach, filter, (key, direction), start, limit) else {
        return Ok(vec![]);
    };
    let mut rows: Vec<TicketRow> = visible(scope).filter(on_page).load(scope.conn)?;
    rows.sort_by_cached_key(|row| (row.sort_key(key), row.ticket.number));
    if direction == Direction::Descending {
        rows.reverse();
    }
    Ok(rows)
}

/// A ticket that does not have its number yet.
#[derive(Debug)]
pub struct NewTicket {
    /// What it is about.
    pub subject: String,
    /// How much it matters.
    pub priority: Priority,
    /// The line that begins.
    pub line: Line,
    /// Its queue.
    pub queue_id: String,
    /// Who asks.
    pub requester_id: String,
    /// How it came in.
    pub channel: Channel,
    /// Its tags, each once.
    pub tags: BTreeSet<String>,
}

/// Stores a new ticket and returns its number. The caller writes its first message and its history.
pub fn insert(scope: &mut Scope<'_>, new: &NewTicket) -> Result<TicketNumber, TicketError> {
    let now = scope.now.ms();
    let number = diesel::insert_into(tickets::table)
        .values((
            tickets::subject.eq(&new.subject),
            tickets::status.eq(Status::New.as_str()),
            tickets::is_open.eq(true),
            tickets::priority.eq(new.priority.as_str()),
            tickets::priority_rank.eq(new.priority.rank()),
            tickets::line.eq(new.line.number()),
            tickets::queue_id.eq(&new.queue_id),
            tickets::requester_id.eq(&new.requester_id),
            tickets::channel.eq(new.channel.as_str()),
            tickets::tags.eq(tags_as_json(&new.tags)),
            tickets::customer_state.eq(CustomerState::Pending.as_str()),
            tickets::created_at.eq(now),
            tickets::updated_at.eq(now),
            tickets::last_message_at.eq(now),
            tickets::last_request_at.eq(now),
            tickets::version.eq(1),
        ))
        .returning(tickets::number)
        .get_result::<i64>(scope.conn)?;
    for tag in &new.tags {
        diesel::insert_into(ticket_tags::table)
            .values((ticket_tags::tag.eq(tag), ticket_tags::ticket.eq(number)))
            .execute(scope.conn)?;
    }
    let place = Place { line: new.line, assignee_id: None };
    counts::add(scope, &place, 1)?;
    scope.announce(TicketChange { ticket: number, version: 1, kind: "opened", before: None, after: place });
    Ok(TicketNumber(number))
}

/// Stores a changed ticket: version, time, counters, tags and search document follow; listeners are told `kind`.
///
/// The ticket must be as it was read, or nothing is written. Returns the record as stored.
///
/// # Errors
/// [`TicketError::VersionConflict`] (with nothing inside; the use case fills in what is there) if somebody was first.
pub fn save(
    scope: &mut Scope<'_>,
    before: &TicketRecord,
    mut after: TicketRecord,
    kind: &'static str,
) -> Result<TicketRecord, TicketError> {
    after.updated_at = scope.now.ms().max(before.updated_at);
    save_in_place(scope, before, after, kind)
}

/// As [`save`], but `updated_at` stays as it is given: what a program finds out about the customer must not put the
/// ticket above those on which somebody worked since, least of all while an operator moves through the list.
pub fn save_in_place(
    scope: &mut Scope<'_>,
    before: &TicketRecord,
    mut after: TicketRecord,
    kind: &'static str,
) -> Result<TicketRecord, TicketError> {
    after.is_open = after.status.is_open();
    after.priority_rank = after.priority.rank();
    after.resolved_at = match (after.status, before.resolved_at) {
        (Status::Resolved | Status::Closed, known) => known.or(Some(scope.now.ms())),
        _ => None,
    };
    after.version = before.version + 1;
    let unchanged = tickets::number.eq(before.number).and(tickets::version.eq(before.version));
    let written = diesel::update(tickets::table).filter(unchanged).set(after.clone()).execute(scope.conn)?;
    if written != 1 {
        return Err(TicketError::VersionConflict(Box::default()));
    }
    if before.is_open != after.is_open || before.place() != after.place() {
        move_count(scope, before, &after)?;
    }
    if before.tags != after.tags {
        replace_tags(scope, &after)?;
    }
    if before.subject != after.subject {
        search::set_subject(scope, after.number, &after.subject)?;
    }
    outbox::note(scope, before, &after, kind)?;
    scope.announce(TicketChange {
        ticket: after.number,
        version: after.version,
        kind,
        before: Some(before.place()),
        after: after.place(),
    });
    Ok(after)
}

/// Takes the ticket out of the counter where it was and puts it into the one where it is, always in the same order of
/// rows, so that two changes at once can't wait for each other in a circle.
fn move_count(scope: &mut Scope<'_>, before: &TicketRecord, after: &TicketRecord) -> Result<(), TicketError> {
    let mut steps = vec![];
    if before.is_open {
        steps.push((before.place(), -1));
    }
    if after.is_open {
        steps.push((after.place(), 1));
    }
    steps.sort_by_key(|(place, _)| (place.line, place.assignee_id.clone()));
    steps.into_iter().try_for_each(|(place, by)| counts::add(scope, &place, by))
}

fn replace_tags(scope: &mut Scope<'_>, ticket: &TicketRecord) -> Result<(), TicketError> {
    diesel::delete(ticket_tags::table.filter(ticket_tags::ticket.eq(ticket.number))).execute(scope.conn)?;
    for tag in ticket.tag_list() {
        diesel::insert_into(ticket_tags::table)
            .values((ticket_tags::tag.eq(tag), ticket_tags::ticket.eq(ticket.number)))
            .execute(scope.conn)?;
    }
    Ok(())
}

/// Tags as they are stored.
pub fn tags_as_json(tags: &BTreeSet<String>) -> String {
    serde_json::to_string(tags).unwrap_or_else(|_| String::from("[]"))
}

/// Notes that the actor has the ticket open, so that it is no longer bold in the list. Does nothing for programs.
pub fn mark_read(scope: &mut Scope<'_>, number: TicketNumber, seen_at: Timestamp) -> Result<(), TicketError> {
    let Some(operator_id) = scope.actor.operator_id().map(str::to_owned) else { return Ok(()) };
    let row = (
        ticket_reads::operator_id.eq(operator_id),
        ticket_reads::ticket.eq(number.0),
        ticket_reads::seen_at.eq(seen_at.ms()),
    );
    on_both!(scope.conn, |conn| diesel::insert_into(ticket_reads::table)
        .values(&row)
        .on_conflict((ticket_reads::operator_id, ticket_reads::ticket))
        .do_update()
        .set(ticket_reads::seen_at.eq(seen_at.ms()))
        .execute(conn))?;
    Ok(())
}

/// Tickets that were resolved before the instant and are not closed, longest resolved first.
pub fn resolved_before(
    scope: &mut Scope<'_>,
    before_ms: i64,
    limit: i64,
) -> Result<Vec<TicketRecord>, TicketError> {
    Ok(visible(scope)
        .filter(tickets::status.eq(Status::Resolved.as_str()).and(tickets::resolved_at.lt(before_ms)))
        .order(tickets::resolved_at.asc())
        .limit(limit)
        .load::<TicketRow>(scope.conn)?
        .into_iter()
        .map(|row| row.ticket)
        .collect())
}

/// Tickets of one customer within the actor's reach, oldest first.
pub fn of_customer(
    scope: &mut Scope<'_>,
    customer_ref: &str,
    limit: i64,
) -> Result<Vec<TicketRecord>, TicketError> {
    Ok(visible(scope)
        .filter(tickets::customer_ref.eq(customer_ref.to_owned()))
        .order(tickets::number.asc())
        .limit(limit)
        .load::<TicketRow>(scope.conn)?
        .into_iter()
        .map(|row| row.ticket)
        .collect())
}

/// Tags of tickets within the actor's reach that begin with these letters, at most `limit`.
pub fn tags_like(scope: &mut Scope<'_>, prefix: &str, limit: i64) -> Result<Vec<String>, TicketError> {
    let end = format!("{prefix}\u{10ffff}");
    let tags = ticket_tags::table
        .inner_join(tickets::table)
        .filter(ticket_tags::tag.ge(prefix.to_owned()).and(ticket_tags::tag.lt(end)))
        .select(ticket_tags::tag)
        .distinct()
        .order(ticket_tags::tag)
        .limit(limit)
        .into_boxed::<MultiBackend>();
    let tags = match scope.actor.reach() {
        Reach::All => tags,
        Reach::Line { line, operator_id: None } => tags.filter(checked_line().eq(line.number())),
        Reach::Line { line, operator_id: Some(id) } => {
            tags.filter(checked_line().eq(line.number()).nullable().or(tickets::assignee_id.eq(id)))
        }
        Reach::Nothing => return Ok(vec![]),
    };
    Ok(tags.load(scope.conn)?)
}
