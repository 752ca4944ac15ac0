//! What has just changed, for everybody who has it on the screen.

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::domain::{Line, Reach};

/// So many changes may be on their way to a slow listener before it has to reload.
const BACKLOG_CHANGES_MAX: usize = 1024;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: Line,
    /// The assignee.
    pub assignee_id: Option<String>,
}

impl Place {
    fn within(&self, reach: &Reach) -> bool {
        reach.includes(self.line, self.assignee_id.as_deref())
    }
}

impl TicketChange {
    /// Whether somebody with this reach may hear of it: they see the ticket now, or saw it until now.
    pub fn concerns(&self, reach: &Reach) -> bool {
        self.after.within(reach) || self.before.as_ref().is_some_and(|place| place.within(reach))
    }
}

/// Passes changes on to all listeners in this process. Clones share it.
#[derive(Clone, Debug)]
pub struct ChangeFeed(broadcast::Sender<Arc<TicketChange>>);

impl ChangeFeed {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(BACKLOG_CHANGES_MAX).0)
    }

    pub(crate) fn publish(&self, changes: Vec<TicketChange>) {
        for change in changes {
            // Nobody listening is no error.
            let _ = self.0.send(Arc::new(change));
        }
    }

    /// A listener from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<TicketChange>> {
        self.0.subscribe()
    }
}
