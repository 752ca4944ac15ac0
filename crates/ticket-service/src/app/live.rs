//! Live updates: what one listener hears, within their reach, for as long as they are signed in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use utoipa::ToSchema;

use crate::app::presence::{PresenceEvent, PresentPerson};
use crate::app::sign_in::{Credential, who_would_be};
use crate::app::{App, oversight, permit};
use crate::domain::actor::KeyScope;
use crate::domain::{Actor, Reach};
use crate::error::TicketError;
use crate::store::changes::{Live, Subscription, TicketChange};

/// A ticket changed: read it again if it is on the screen. If it is no longer yours to see, it is 404 then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketUpdate {
    /// Its number.
    pub number: i64,
    /// Its version after the change.
    pub version: i64,
    /// What happened: `opened`, `changed`, `answered`, `noted`, `handed_over`, `customer_linked`, `closed`, …
    pub kind: &'static str,
}

/// Who has a ticket open just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PresenceUpdate {
    /// The ticket's number.
    pub number: i64,
    /// Everybody who has it open, by name, the listener included.
    pub people: Vec<PresentPerson>,
}

/// One thing that a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// From here on they listen; the mark to come back with.
    Listening(String),
    /// A ticket changed; the mark to come back with.
    Ticket(String, TicketUpdate),
    /// Somebody came, went or began to write.
    Presence(PresenceUpdate),
    /// There is something new to know for supervisors; the mark to come back with.
    Oversight(String),
    /// Something was missed: read everything again; the mark to come back with.
    Reload(String),
    /// Nothing happened, but the line is alive; the mark to come back with.
    Heartbeat(String),
}

/// How many listeners each caller has. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Arc<Mutex<HashMap<String, usize>>>);

struct Seat {
    listeners: Listeners,
    caller: String,
}

impl Listeners {
    fn sit_down(&self, caller: &str, seats_max: usize) -> Option<Seat> {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = seats.entry(caller.to_owned()).or_insert(0);
        if *taken >= seats_max {
            return None;
        }
        *taken += 1;
        Some(Seat { listeners: self.clone(), caller: caller.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = seats.get_mut(&self.caller) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.caller);
            }
        }
    }
}

/// Listens on behalf of the actor, from the mark of the last thing heard, until the service stops or they may no longer.
///
/// # Errors
/// [`TicketError::Forbidden`] without the scope `tickets:read`; [`TicketError::TooMany`] if the caller has too many
/// listeners already.
pub fn listen(
    app: App,
    actor: Actor,
    credential: Credential,
    last_heard: Option<&str>,
) -> Result<impl Stream<Item = Told> + use<>, TicketError> {
    permit::scope(&actor, KeyScope::TicketsRead)?;
    let live = &app.config.live;
    let heartbeat = Duration::from_millis(live.heartbeat_ms);
    let seat = app.listeners.sit_down(actor.caller_key(), live.streams_per_caller_max);
    let seat = seat.ok_or(TicketError::TooMany(live.heartbeat_ms.div_ceil(1_000)))?;
    // Presence first: what happens while the rest is set up is then heard, perhaps twice.
    let presence = app.presence.subscribe();
    let Subscription { mark, missed, live } = app.store.changes().subscribe(last_heard);
    let hole = last_heard.is_some() && missed.is_none();
    let reach = actor.reach();
    let listener = Listener { app, actor, credential, reach, mark, live, presence, _seat: seat };
    Ok(listener.told(hole, missed.unwrap_or_default(), heartbeat))
}

struct Listener {
    app: App,
    actor: Actor,
    credential: Credential,
    reach: Reach,
    /// Of the last change that was looked at, whether it was told or not.
    mark: String,
    live: broadcast::Receiver<Live>,
    presence: broadcast::Receiver<Arc<PresenceEvent>>,
    _seat: Seat,
}

impl Listener {
    fn told(
        mut self,
        hole: bool,
        missed: Vec<(u64, TicketChange)>,
        heartbeat: Duration,
    ) -> impl Stream<Item = Told> + use<> {
        async_stream::stream! {
            for (number, change) in missed {
                let mark = self.app.store.changes().mark(number);
                if let Some(update) = self.within_reach(&change) {
                    yield Told::Ticket(mark, update);
                }
            }
            yield if hole { Told::Reload(self.mark.clone()) } else { Told::Listening(self.mark.clone()) };
            for event in self.app.presence.snapshot() {
                if let Some(told) = self.presence_within_reach(&event) {
                    yield told;
                }
            }
            let mut ticks = interval_at(Instant::now() + heartbeat, heartbeat);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = self.app.stopped() => return,
                    change = self.live.recv() => match change {
                        Ok(live) => if let Some(told) = self.heard(live) { yield told },
                        Err(RecvError::Lagged(_)) => yield self.catch_up(),
                        Err(RecvError::Closed) => return,
                    },
                    event = self.presence.recv() => match event {
                        Ok(event) => if let Some(told) = self.presence_within_reach(&event) { yield told },
                        Err(RecvError::Lagged(_)) => for event in self.app.presence.snapshot() {
                            if let Some(told) = self.presence_within_reach(&event) { yield told }
                        },
                        Err(RecvError::Closed) => return,
                    },
                    _ = ticks.tick() => {
                        self.app.presence.forget_silent();
                        if !self.may_still_listen().await {
                            return;
                        }
                        yield Told::Heartbeat(self.mark.clone());
                    }
                }
            }
        }
    }

    fn heard(&mut self, live: Live) -> Option<Told> {
        match live {
            Live::Change(number, change) => {
                self.mark = self.app.store.changes().mark(number);
                // Whoever loses sight of a ticket must not go on hearing who reads it.
                self.app.presence.moved(change.ticket, &change.after);
                self.within_reach(&change).map(|update| Told::Ticket(self.mark.clone(), update))
            }
            Live::Oversight => {
                oversight::supervisor(&self.actor).is_ok().then(|| Told::Oversight(self.mark.clone()))
            }
            Live::Gap => Some(self.catch_up()),
        }
    }

    /// Too much happened to be told one by one.
    fn catch_up(&mut self) -> Told {
        let Subscription { mark, live, .. } = self.app.store.changes().subscribe(None);
        (self.mark, self.live) = (mark, live);
        Told::Reload(self.mark.clone())
    }

    fn within_reach(&self, change: &TicketChange) -> Option<TicketUpdate> {
        let TicketChange { ticket, version, kind, .. } = *change;
        change.concerns(&self.reach).then_some(TicketUpdate { number: ticket, version, kind })
    }

    fn presence_within_reach(&self, event: &PresenceEvent) -> Option<Told> {
        let update = || PresenceUpdate { number: event.ticket, people: event.people.clone() };
        event.place.is_within(&self.reach).then(|| Told::Presence(update()))
    }

    /// Signed in still, and with the same role. Whoever has another role now comes back and hears by that one.
    async fn may_still_listen(&self) -> bool {
        match who_would_be(&self.app, &self.credential).await {
            Ok(actor) => actor == self.actor,
            Err(TicketError::Database(_)) => true,
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_so_many_seats_and_gets_up_when_the_stream_ends() {
        let listeners = Listeners::default();
        let first = listeners.sit_down("opr_ann", 2);
        let second = listeners.sit_down("opr_ann", 2);
        assert!(first.is_some() && second.is_some());
        assert!(listeners.sit_down("opr_ann", 2).is_none());
        assert!(listeners.sit_down("opr_bob", 2).is_some());
        drop(first);
        assert!(listeners.sit_down("opr_ann", 2).is_some());
    }
}
