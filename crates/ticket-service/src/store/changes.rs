//! What has just changed, for everybody who has it on the screen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::domain::{Line, Reach};

/// So many changes may be on their way to a slow listener, and so many are kept for one that comes back.
const BACKLOG_CHANGES_MAX: usize = 1024;

/// What can happen to a ticket. What another node reports under a newer name is a mere change.
const KINDS: [&str; 12] = [
    "opened",
    "changed",
    "answered",
    "noted",
    "handed_over",
    "customer_linked",
    "customer_several",
    "customer_not_found",
    "customer_unlinked",
    "customer_erased",
    "customer_merged",
    "closed",
];

/// A committed change of one ticket. Holds no content: whoever hears of it reads it again, within their own reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketChange {
    /// Which ticket.
    pub ticket: i64,
    /// Its version after the change.
    pub version: i64,
    /// What happened: `opened`, `changed`, `answered`, …
    pub kind: &'static str,
    /// Line and assignee before the change, if it existed.
    pub before: Option<Place>,
    /// Line and assignee after the change.
    pub after: Place,
}

/// What decides who may see a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The line.
    pub line: Line,
    /// The assignee.
    pub assignee_id: Option<String>,
}

impl Place {
    /// Whether somebody with this reach sees a ticket here.
    pub fn is_within(&self, reach: &Reach) -> bool {
        reach.includes(self.line, self.assignee_id.as_deref())
    }
}

impl TicketChange {
    /// Whether somebody with this reach may hear of it: they see the ticket now, or saw it until now.
    pub fn concerns(&self, reach: &Reach) -> bool {
        self.after.is_within(reach) || self.before.as_ref().is_some_and(|place| place.is_within(reach))
    }
}

/// A change as one node tells it to the others.
#[derive(Serialize, Deserialize)]
struct Told {
    /// The feed that told it, so that it does not hear itself.
    by: String,
    ticket: i64,
    version: i64,
    kind: String,
    before: Option<Place>,
    after: Place,
}

/// That supervisors have something new to know, as one node tells it to the others.
#[derive(Serialize, Deserialize)]
struct OversightTold {
    by: String,
    oversight: bool,
}

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    /// A change, with its place in the order in which this process heard of it.
    Change(u64, TicketChange),
    /// There is something new to know for supervisors; whoever passes it on checks who is one.
    Oversight,
    /// Changes of other nodes may have been missed: read everything again.
    Gap,
}

/// A listener from now on, and what it missed since it last listened.
#[derive(Debug)]
pub struct Subscription {
    /// The mark of the last change before this moment.
    pub mark: String,
    /// The changes since then, oldest first; none if nobody can tell any more, or if it has not listened before.
    pub missed: Option<Vec<(u64, TicketChange)>>,
    /// What comes from now on.
    pub live: broadcast::Receiver<Live>,
}

/// Passes changes on to all listeners in this process, and remembers the last ones. Clones share it.
#[derive(Clone, Debug)]
pub struct ChangeFeed(Arc<Feed>);

#[derive(Debug)]
struct Feed {
    /// Tells this run of this process from others: places in the order mean nothing elsewhere.
    epoch: String,
    ring: Mutex<Ring>,
    live: broadcast::Sender<Live>,
}

#[derive(Debug, Default)]
struct Ring {
    last: u64,
    kept: VecDeque<(u64, TicketChange)>,
}

impl ChangeFeed {
    pub(crate) fn new(epoch: String) -> Self {
        let live = broadcast::channel(BACKLOG_CHANGES_MAX).0;
        Self(Arc::new(Feed { epoch, ring: Mutex::default(), live }))
    }

    pub(crate) fn publish(&self, changes: Vec<TicketChange>) {
        // Numbered and sent under one lock, so that everybody hears them in the order of their numbers.
        let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            ring.last += 1;
            let number = ring.last;
            if ring.kept.len() >= BACKLOG_CHANGES_MAX {
                ring.kept.pop_front();
            }
            ring.kept.push_back((number, change.clone()));
            // Nobody listening is no error.
            let _ = self.0.live.send(Live::Change(number, change));
        }
    }

    /// Tells every listener that changes were missed, and forgets the kept ones: they have a hole.
    pub(crate) fn publish_gap(&self) {
        let mut ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.last += 1;
        ring.kept.clear();
        let _ = self.0.live.send(Live::Gap);
    }

    /// Tells every listener that supervisors have something new to know. Not kept: whoever comes back asks anyway.
    pub(crate) fn publish_oversight(&self) {
        let _ = self.0.live.send(Live::Oversight);
    }

    /// The same as a text for other nodes.
    pub(crate) fn told_oversight(&self) -> Option<String> {
        serde_json::to_string(&OversightTold { by: self.0.epoch.clone(), oversight: true }).ok()
    }

    /// A listener from now on. With the mark of the last change it heard, also what it missed since.
    pub fn subscribe(&self, last_heard: Option<&str>) -> Subscription {
        let ring = self.0.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = last_heard.and_then(|mark| ring.since(self.number_of(mark)?));
        Subscription { mark: self.mark(ring.last), missed, live: self.0.live.subscribe() }
    }

    /// The mark of a change, for [`ChangeFeed::subscribe`].
    pub fn mark(&self, number: u64) -> String {
        format!("{}-{number}", self.0.epoch)
    }

    fn number_of(&self, mark: &str) -> Option<u64> {
        mark.strip_prefix(self.0.epoch.as_str())?.strip_prefix('-')?.parse().ok()
    }

    /// A change as a text for other nodes.
    pub(crate) fn told(&self, change: &TicketChange) -> Option<String> {
        let TicketChange { ticket, version, kind, before, after } = change.clone();
        serde_json::to_string(&Told {
            by: self.0.epoch.clone(),
            ticket,
            version,
            kind: kind.to_owned(),
            before,
            after,
        })
        .ok()
    }

    /// Passes on what another node told; one's own words and what can't be understood are left alone.
    pub(crate) fn hear(&self, text: &str) {
        if let Ok(told) = serde_json::from_str::<OversightTold>(text) {
            if told.oversight && told.by != self.0.epoch {
                self.publish_oversight();
            }
            return;
        }
        match serde_json::from_str::<Told>(text) {
            Ok(told) if told.by == self.0.epoch => {}
            Ok(Told { ticket, version, kind, before, after, .. }) => {
                let kind = KINDS.into_iter().find(|known| *known == kind).unwrap_or("changed");
                self.publish(vec![TicketChange { ticket, version, kind, before, after }]);
            }
            Err(_) => {
                tracing::warn!("another node told of a change in words that this version does not know")
            }
        }
    }
}

impl Ring {
    /// The changes after this number, if none of them has been forgotten.
    fn since(&self, number: u64) -> Option<Vec<(u64, TicketChange)>> {
        let first_kept = self.kept.front().map_or(self.last + 1, |(first, _)| *first);
        let complete = number <= self.last && number + 1 >= first_kept;
        complete.then(|| self.kept.iter().filter(|(kept, _)| *kept > number).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(ticket: i64) -> TicketChange {
        let after = Place { line: Line::FIRST, assignee_id: None };
        TicketChange { ticket, version: 1, kind: "opened", before: None, after }
    }

    fn feed(changes: i64) -> ChangeFeed {
        let feed = ChangeFeed::new("ep-1".into());
        feed.publish((1..=changes).map(change).collect());
        feed
    }

    fn missed(feed: &ChangeFeed, mark: &str) -> Option<Vec<i64>> {
        let missed = feed.subscribe(Some(mark)).missed?;
        Some(missed.into_iter().map(|(_, change)| change.ticket).collect())
    }

    #[test]
    fn a_listener_that_comes_back_hears_what_it_missed() {
        let feed = feed(5);
        assert_eq!(missed(&feed, "ep-1-3"), Some(vec![4, 5]));
        assert_eq!(missed(&feed, &feed.subscribe(None).mark), Some(vec![]));
        assert_eq!(missed(&feed, "ep-1-0"), Some(vec![1, 2, 3, 4, 5]));
    }

    #[test]
    fn a_mark_of_another_run_or_from_too_long_ago_tells_nothing() {
        let feed = feed(BACKLOG_CHANGES_MAX as i64 + 5);
        for mark in ["ep-2-3", "ep-1-9999", "ep-1-", "ep-1-x", "", "ep-1-4"] {
            assert_eq!(missed(&feed, mark), None, "{mark}");
        }
        assert_eq!(missed(&feed, "ep-1-5").map(|missed| missed.len()), Some(BACKLOG_CHANGES_MAX));
        assert!(feed.subscribe(None).missed.is_none());
    }

    #[test]
    fn after_a_gap_nobody_is_told_that_they_missed_nothing() {
        let feed = feed(3);
        feed.publish_gap();
        assert_eq!(missed(&feed, "ep-1-3"), None);
    }

    #[test]
    fn a_node_hears_the_others_and_not_itself() {
        let (ours, theirs) = (ChangeFeed::new("a".into()), ChangeFeed::new("b".into()));
        let told = theirs.told(&change(7)).unwrap();
        theirs.hear(&told);
        ours.hear(&told);
        ours.hear("nonsense");
        assert_eq!(missed(&ours, "a-0"), Some(vec![7]));
        assert_eq!(missed(&theirs, "b-0"), Some(vec![]));
    }
}
