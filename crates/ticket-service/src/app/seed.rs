//! Generated tickets for benchmarks and trials: the same seed makes the same tickets.

use service_kit::{Ids, Timestamp};

use crate::app::App;
use crate::domain::audit::Deed;
use crate::domain::html::MessageBody;
use crate::domain::{Actor, Channel, EmailAddress, Line, MessageKind, PersonName, Priority, Status};
use crate::error::TicketError;
use crate::store::messages::MessageRecord;
use crate::store::{Scope, audit, events, messages, queues, requesters, search, tickets};

/// Tickets written in one transaction: enough to share the wait for the disk; SQLite's savepoints get slow with more.
const BATCH_TICKETS: u64 = 64;
/// One in so many tickets comes from a new requester.
const TICKETS_PER_REQUESTER: u64 = 8;
const MINUTE_MS: i64 = 60_000;

const THINGS: [&str; 16] = [
    "printer",
    "coupling",
    "password",
    "scanner",
    "invoice form",
    "report",
    "router",
    "calendar",
    "backup",
    "licence",
    "keyboard",
    "door lock",
    "mail folder",
    "price list",
    "conveyor",
    "dashboard",
];
const TROUBLES: [&str; 12] = [
    "does not start",
    "shows an old value",
    "is very slow",
    "stopped after the update",
    "asks for a password",
    "prints blank pages",
    "can't be found",
    "loses its settings",
    "beeps twice",
    "opens the wrong page",
    "is not reachable",
    "needs a second site",
];
const PLACES: [&str; 10] = [
    "in assembly 17",
    "on the second floor",
    "at the warehouse",
    "for the new colleague",
    "in Samara",
    "in Oulu",
    "on line 4",
    "since Monday",
    "after the move",
    "in the branch office",
];
const SENTENCES: [&str; 12] = [
    "We tried to switch it off and on again, without success.",
    "The same happened last week on another machine.",
    "A colleague sees the same on her screen.",
    "Could you tell us what we should try next?",
    "The number on the plate is hard to read.",
    "It worked well until the update of yesterday.",
    "There is no message on the screen, it just stops.",
    "We need it before the end of the shift.",
    "Please leave the lever in the lower position meanwhile.",
    "Thank you, that helps; here is what the log says.",
    "I have asked our engineers and will come back to you.",
    "Everything works again now, thank you.",
];
const FIRST_NAMES: [&str; 12] =
    ["Ilya", "Anna", "Boris", "Mia", "Olga", "Eero", "Noa", "Dewi", "Pavel", "Clara", "Marek", "Aino"];
const LAST_NAMES: [&str; 12] = [
    "Sorin", "Koval", "Dahl", "Virtanen", "Petrova", "Levi", "Santoso", "Novak", "Keller", "Moreau", "Ruiz",
    "Berg",
];

/// Writes `count` tickets with three messages each, spread over the past year, lines, queues and states.
///
/// # Errors
/// [`TicketError::Database`]; the batches before the failed one stay.
pub async fn seed(app: &App, count: u64, seed: u64) -> Result<(), TicketError> {
    let draw = Ids::seeded(app.clock.clone(), seed);
    let names: Vec<String> =
        ["Machines", "Accounts", "Printers", "Network", "Orders"].map(str::to_owned).to_vec();
    let queue_ids = app.store.write(&Actor::system(), move |scope| queues_named(scope, &names)).await?;
    let mut done = 0;
    while done < count {
        let batch = BATCH_TICKETS.min(count - done);
        let (draw, queue_ids, first) = (draw.clone(), queue_ids.clone(), done);
        app.store
            .write(&Actor::system(), move |scope| {
                for place in first..first + batch {
                    insert(scope, &draw, &queue_ids, count - place)?;
                }
                scope.forget_announcements();
                let tickets = batch;
                audit::record(scope, Deed::Seeded, |event| event.with("tickets", tickets));
                Ok(())
            })
            .await?;
        done += batch;
    }
    app.store.gather_statistics().await
}

fn queues_named(scope: &mut Scope<'_>, names: &[String]) -> Result<Vec<String>, TicketError> {
    let mut known = queues::list(scope)?;
    for (position, name) in (0..).zip(names) {
        if known.iter().all(|queue| queue.name != *name) {
            let name = crate::domain::QueueName::new(name).map_err(unexpected)?;
            known.push(queues::add(scope, &name, position)?);
        }
    }
    Ok(known.into_iter().map(|queue| queue.id).collect())
}

fn unexpected(error: impl ToString) -> TicketError {
    TicketError::Internal(error.to_string())
}

fn pick<'a>(draw: &Ids, from: &[&'a str]) -> &'a str {
    usize::try_from(draw.below(from.len() as u64))
        .ok()
        .and_then(|place| from.get(place))
        .copied()
        .unwrap_or_default()
}

fn insert(
    scope: &mut Scope<'_>,
    draw: &Ids,
    queue_ids: &[String],
    from_the_end: u64,
) -> Result<(), TicketError> {
    let age_ms = i64::try_from(from_the_end).unwrap_or(i64::MAX).saturating_mul(5 * MINUTE_MS);
    let now = scope.now;
    scope.now = Timestamp::from_ms(now.ms().saturating_sub(age_ms));
    let who = draw.below((from_the_end / TICKETS_PER_REQUESTER).max(1) + 20);
    let name = PersonName::new(&format!("{} {}", pick(draw, &FIRST_NAMES), pick(draw, &LAST_NAMES)))
        .map_err(unexpected)?;
    let email = EmailAddress::new(&format!("requester{who}@seed.example")).map_err(unexpected)?;
    let requester = requesters::find_or_insert(scope, &name, &email, None)?;
    let queue = usize::try_from(draw.below(queue_ids.len() as u64)).unwrap_or_default();
    let subject =
        format!("{} {} {}", capitalised(pick(draw, &THINGS)), pick(draw, &TROUBLES), pick(draw, &PLACES));
    let number = tickets::insert(
        scope,
        &tickets::NewTicket {
            subject: subject.clone(),
            priority: [
                Priority::Normal,
                Priority::Normal,
                Priority::Normal,
                Priority::Low,
                Priority::High,
                Priority::Urgent,
            ][usize::try_from(draw.below(6)).unwrap_or_default()],
            line: [Line::ALL[0], Line::ALL[0], Line::ALL[0], Line::ALL[1], Line::ALL[2]]
                [usize::try_from(draw.below(5)).unwrap_or_default()],
            queue_id: queue_ids.get(queue).cloned().unwrap_or_default(),
            requester_id: requester.id.clone(),
            channel: Channel::WebForm,
            tags: [pick(draw, &["batch-05", "update", "night-shift", "hardware"]).to_owned()].into(),
        },
    )?;
    let mut texts = Vec::new();
    for (kind, operator) in
        [(MessageKind::Request, None), (MessageKind::Answer, Some("Support")), (MessageKind::Request, None)]
    {
        let text = format!("{} {}", pick(draw, &SENTENCES), pick(draw, &SENTENCES));
        let body = MessageBody::from_text(&text).map_err(unexpected)?;
        texts.push(body.plain.clone());
        messages::insert(
            scope,
            &MessageRecord {
                id: scope.new_id("msg"),
                ticket: number.0,
                kind,
                operator_id: None,
                author_name: operator.map_or_else(|| requester.name.clone(), str::to_owned),
                html: body.html,
                plain: body.plain,
                channel: Channel::WebForm,
                created_at: scope.now.ms(),
            },
        )?;
        scope.now = scope.now.plus_ms(MINUTE_MS);
    }
    search::insert(
        scope,
        number,
        &subject,
        &format!("{} {}", requester.name, requester.email),
        &texts.join("\n"),
    )?;
    events::record(scope, number, "opened", &[], None)?;
    settle(scope, draw, number)?;
    scope.now = now;
    Ok(())
}

/// Most tickets of a year are done; the newest wait.
fn settle(scope: &mut Scope<'_>, draw: &Ids, number: crate::domain::TicketNumber) -> Result<(), TicketError> {
    let status = match draw.below(20) {
        0 => return Ok(()),
        1 | 2 => Status::Open,
        3 => Status::WaitingCustomer,
        4 => Status::WaitingThirdParty,
        5..=9 => Status::Resolved,
        _ => Status::Closed,
    };
    let row = tickets::find(scope, number)?;
    let mut after = row.ticket.clone();
    after.status = status;
    after.customer_state = crate::domain::CustomerState::None;
    tickets::save(scope, &row.ticket, after, "changed")?;
    Ok(())
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}
