//! Opening a ticket: by an operator, by a program, or by anybody through the public form.

use std::collections::BTreeSet;

use crate::app::attachments::refuse_too_many;
use crate::app::view::Ticket;
use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::html::MessageBody;
use crate::domain::{
    Actor, Channel, EmailAddress, Job, Line, MessageKind, PersonName, PhoneNumber, Priority, Subject, Tag,
    TicketNumber,
};
use crate::error::TicketError;

use crate::store::idempotency::{IdempotencyKey, once};
use crate::store::messages::MessageRecord;
use crate::store::tickets::RequesterRecord;
use crate::store::{Scope, attachments, events, jobs, messages, queues, requesters, search, tickets};

/// A request that is to become a ticket.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// What it is about.
    pub subject: Subject,
    /// The first message.
    pub body: MessageBody,
    /// Who asks.
    pub requester: NewRequester,
    /// The queue; the first one if it is not given.
    pub queue_id: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// The line; the caller's own, or the first one.
    pub line: Option<Line>,
    /// Its tags.
    pub tags: BTreeSet<Tag>,
    /// How it came in.
    pub channel: Channel,
    /// Uploaded files that come with it.
    pub attachment_ids: Vec<String>,
}

/// Who asks, as they gave it.
#[derive(Clone, Debug)]
pub struct NewRequester {
    /// Their name.
    pub name: PersonName,
    /// The address to answer to.
    pub email: EmailAddress,
    /// A phone number.
    pub phone: Option<PhoneNumber>,
}

/// Opens a ticket on behalf of an operator or a program and shows it to them.
///
/// # Errors
/// [`TicketError::Forbidden`] without the scope `tickets:write`; [`TicketError::Invalid`] for a line that the caller
/// does not work on, an unknown queue or a file that is not theirs.
pub async fn open_ticket(
    app: &App,
    actor: &Actor,
    new: NewTicket,
    key: Option<IdempotencyKey>,
) -> Result<Ticket, TicketError> {
    permit::scope(actor, KeyScope::TicketsWrite)?;
    refuse_too_many(app, &new.attachment_ids)?;
    let own_line = actor.role.and_then(|role| role.line());
    if let (Some(own), Some(asked)) = (own_line, new.line)
        && own != asked
    {
        let message = "is not your line; open the ticket on your own line and hand it over";
        return Err(TicketError::invalid("line", message));
    }
    let line = new.line.or(own_line).unwrap_or(Line::FIRST);
    app.store
        .write(actor, move |scope| {
            once(scope, key.as_ref(), |scope| {
                let number = open(scope, &new, line)?;
                let row = tickets::find(scope, number)?;
                Ok(Ticket::new(row, &scope.actor))
            })
        })
        .await
}

/// Opens a ticket for anybody; they learn its number and nothing else.
///
/// # Errors
/// [`TicketError::Database`] only: what can be wrong with the texts is checked when they are made.
pub async fn open_public_request(
    app: &App,
    new: NewTicket,
    key: Option<IdempotencyKey>,
) -> Result<TicketNumber, TicketError> {
    // The history shows who asked by the name that they gave.
    let actor = Actor { name: new.requester.name.as_str().to_owned(), ..Actor::public() };
    app.store
        .write(&actor, move |scope| once(scope, key.as_ref(), |scope| open(scope, &new, Line::FIRST)))
        .await
}

fn open(scope: &mut Scope<'_>, new: &NewTicket, line: Line) -> Result<TicketNumber, TicketError> {
    let number = insert(scope, new, line)?;
    jobs::enqueue(scope, &Job::ResolveCustomer { ticket: number.0 })?;
    Ok(number)
}

/// Stores ticket, requester, first message and history. Whose it is has yet to be found out.
pub(crate) fn insert(
    scope: &mut Scope<'_>,
    new: &NewTicket,
    line: Line,
) -> Result<TicketNumber, TicketError> {
    let queue = match &new.queue_id {
        Some(id) => queues::find(scope, id).map_err(|error| match error {
            TicketError::NotFound(_) => TicketError::invalid("queue_id", "names no queue; see GET /queues"),
            other => other,
        })?,
        None => queues::default(scope)?,
    };
    if !queue.active {
        return Err(TicketError::invalid(
            "queue_id",
            "names a queue that takes no new tickets; choose another",
        ));
    }
    let NewRequester { name, email, phone } = &new.requester;
    let requester = requesters::find_or_insert(scope, name, email, phone.as_ref())?;
    let number = tickets::insert(
        scope,
        &tickets::NewTicket {
            subject: new.subject.as_str().to_owned(),
            priority: new.priority,
            line,
            queue_id: queue.id,
            requester_id: requester.id.clone(),
            channel: new.channel,
            tags: new.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
        },
    )?;
    insert_first_message(scope, new, number, &requester)?;
    events::record(scope, number, "opened", &[], None)?;
    Ok(number)
}

fn insert_first_message(
    scope: &mut Scope<'_>,
    new: &NewTicket,
    number: TicketNumber,
    requester: &RequesterRecord,
) -> Result<(), TicketError> {
    let message = MessageRecord {
        id: scope.new_id("msg"),
        ticket: number.0,
        kind: MessageKind::Request,
        operator_id: None,
        author_name: new.requester.name.as_str().to_owned(),
        html: new.body.html.clone(),
        plain: new.body.plain.clone(),
        channel: new.channel,
        created_at: scope.now.ms(),
    };
    messages::insert(scope, &message)?;
    attachments::attach(scope, &new.attachment_ids, number, &message.id)?;
    let people = format!("{} {}", requester.name, requester.email);
    search::insert(scope, number, new.subject.as_str(), &people, &message.plain)
}
