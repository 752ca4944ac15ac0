//! Who has a ticket open just now: "Anna is answering". Kept in memory, for half a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use service_kit::{Clock, Timestamp};
use tokio::sync::broadcast;
use utoipa::ToSchema;

use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::{Actor, TicketNumber};
use crate::error::TicketError;
use crate::store::changes::Place;
use crate::store::tickets;

/// Whoever is not heard of for so long has gone.
pub const EXPIRY_MS: i64 = 30_000;
/// So many events may be on their way to a slow listener.
const BACKLOG_EVENTS_MAX: usize = 256;

/// What somebody does with a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Has it open.
    Reading,
    /// Writes an answer.
    Answering,
    /// Has closed it.
    Away,
}

/// A colleague who has the ticket open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PresentPerson {
    /// The operator's id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// What they do.
    pub state: Activity,
}

/// Everybody who has a ticket open, after somebody came, went or began to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceEvent {
    /// The ticket's number.
    pub ticket: i64,
    /// Where it is, which decides who may hear of it.
    pub place: Place,
    /// Who has it open, by name.
    pub people: Vec<PresentPerson>,
}

/// Knows who has which ticket open in this process. Clones share it.
#[derive(Clone, Debug)]
pub struct Presence {
    clock: Clock,
    tickets: Arc<Mutex<HashMap<i64, OpenTicket>>>,
    events: broadcast::Sender<Arc<PresenceEvent>>,
}

#[derive(Debug)]
struct OpenTicket {
    place: Place,
    people: Vec<(PresentPerson, Timestamp)>,
}

impl Presence {
    /// Nobody has anything open.
    pub fn new(clock: Clock) -> Self {
        Self { clock, tickets: Arc::default(), events: broadcast::channel(BACKLOG_EVENTS_MAX).0 }
    }

    /// What happens from now on; whoever passes it on checks who may hear of it.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<PresenceEvent>> {
        self.events.subscribe()
    }

    /// Everything that is open just now.
    pub fn snapshot(&self) -> Vec<PresenceEvent> {
        self.forget_silent();
        let tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events: Vec<_> = tickets.iter().map(|(number, ticket)| ticket.event(*number)).collect();
        events.sort_by_key(|event| event.ticket);
        events
    }

    /// Somebody does something with a ticket.
    pub fn set(&self, ticket: i64, place: Place, person: PresentPerson) {
        let now = self.clock.now();
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        let open =
            tickets.entry(ticket).or_insert_with(|| OpenTicket { place: place.clone(), people: vec![] });
        let before = open.event(ticket);
        open.place = place;
        open.people.retain(|(other, _)| other.id != person.id);
        if person.state != Activity::Away {
            open.people.push((person, now));
            open.people.sort_by(|(one, _), (other, _)| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        }
        let after = open.event(ticket);
        if open.people.is_empty() {
            tickets.remove(&ticket);
        }
        if before != after {
            // Nobody listening is no error.
            let _ = self.events.send(Arc::new(after));
        }
    }

    /// A ticket is somewhere else now; who may hear of it changes with it.
    pub fn moved(&self, ticket: i64, place: &Place) {
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = tickets.get_mut(&ticket) {
            open.place = place.clone();
        }
    }

    /// Whoever was not heard of for [`EXPIRY_MS`] has gone, and everybody is told.
    pub fn forget_silent(&self) {
        let oldest = self.clock.now().plus_ms(-EXPIRY_MS);
        let mut tickets = self.tickets.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|number, open| {
            let count = open.people.len();
            open.people.retain(|(_, heard)| *heard > oldest);
            if open.people.len() != count {
                let _ = self.events.send(Arc::new(open.event(*number)));
            }
            !open.people.is_empty()
        });
    }
}

impl OpenTicket {
    fn event(&self, ticket: i64) -> PresenceEvent {
        let people = self.people.iter().map(|(person, _)| person.clone()).collect();
        PresenceEvent { ticket, place: self.place.clone(), people }
    }
}

/// An operator says what they do with a ticket; colleagues who see it are told.
///
/// # Errors
/// [`TicketError::TicketNotFound`]; [`TicketError::Forbidden`] for API keys.
pub async fn set_presence(
    app: &App,
    actor: &Actor,
    number: TicketNumber,
    state: Activity,
) -> Result<(), TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    let id = permit::person(actor)?.to_owned();
    let row = app.store.read(actor, move |scope| tickets::find(scope, number)).await?;
    app.presence.set(number.0, row.ticket.place(), PresentPerson { id, name: actor.name.clone(), state });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Line;

    fn person(id: &str, state: Activity) -> PresentPerson {
        PresentPerson { id: id.into(), name: id.to_uppercase(), state }
    }

    fn place() -> Place {
        Place { line: Line::FIRST, assignee_id: None }
    }

    fn shown(event: &PresenceEvent) -> String {
        let people: Vec<_> =
            event.people.iter().map(|person| format!("{} {:?}", person.name, person.state)).collect();
        format!("{}: {}", event.ticket, people.join(", "))
    }

    #[test]
    fn everybody_hears_who_comes_writes_and_goes() {
        let presence = Presence::new(Clock::manual(Timestamp::from_ms(0)));
        let mut events = presence.subscribe();
        for (id, state) in [
            ("bob", Activity::Reading),
            ("ann", Activity::Answering),
            ("ann", Activity::Answering),
            ("bob", Activity::Away),
            ("bob", Activity::Away),
        ] {
            presence.set(7, place(), person(id, state));
        }
        let mut heard = vec![];
        while let Ok(event) = events.try_recv() {
            heard.push(shown(&event));
        }
        assert_eq!(heard, ["7: BOB Reading", "7: ANN Answering, BOB Reading", "7: ANN Answering"]);
    }

    #[test]
    fn whoever_falls_silent_is_gone_after_half_a_minute() {
        let clock = Clock::manual(Timestamp::from_ms(0));
        let presence = Presence::new(clock.clone());
        presence.set(7, place(), person("ann", Activity::Reading));
        clock.advance_ms(EXPIRY_MS - 1);
        presence.set(7, place(), person("bob", Activity::Reading));
        assert_eq!(presence.snapshot().first().map(shown).as_deref(), Some("7: ANN Reading, BOB Reading"));
        let mut events = presence.subscribe();
        clock.advance_ms(1);
        presence.forget_silent();
        assert_eq!(shown(&events.try_recv().unwrap()), "7: BOB Reading");
        clock.advance_ms(EXPIRY_MS);
        presence.forget_silent();
        assert_eq!(shown(&events.try_recv().unwrap()), "7: ");
        assert!(presence.snapshot().is_empty());
    }
}
