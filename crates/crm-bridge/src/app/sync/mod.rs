//! Following the CRM: what changed there changes here, without asking for everything again and again.
//!
//! [`run_due`] does whatever is due and returns; a background job calls it, and so do tests with a clock of their own.
//! One process at a time follows (a lease); lookups of people at screens always go first. Feeds, each with its own
//! progress that outlives the process:
//!
//! - `person`: the first copy, if the policy asks for a copy ([`people`]); then what changed, with an overlap ([`changes`]).
//! - `gone` and child feeds: tombstones, and changes that do not touch the person's own record ([`news`]).
//! - hints: records that a webhook named ([`news`]).
//! - reconciliation: now and then, are those we know still there ([`reconcile`])?

mod changes;
mod keep;
mod news;
mod people;
mod progress;
mod reconcile;
pub mod renew;

pub(super) use self::keep::{copy_bond, short};
pub(super) use self::reconcile::falls_short;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use db_kit::DbError;
use service_kit::Timestamp;

use super::Bridge;
use crate::connector::hook::Hint;
use crate::connector::trouble::Trouble;
use crate::policy::Entity;
use crate::store::sync::{Feed, Phase, SyncStore};

/// How the CRM is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncSettings {
    /// Between two looks for changes.
    pub interval_ms: i64,
    /// Between two walks over everybody we know.
    pub reconcile_ms: i64,
    /// After a hint, before its record is fetched: more hints about the same record cost nothing.
    pub debounce_ms: i64,
    /// Records that may wait to be fetched again; more hints are dropped and left to the next look for changes.
    pub hints_waiting_max: i64,
    /// Records fetched again in one run.
    pub hints_a_run: i64,
    /// For how long nobody else follows after a process has last said that it does; it says so three times as often.
    pub lease_ms: i64,
}

/// Following one CRM. Clones share everything.
#[derive(Clone, Debug)]
pub struct Sync {
    /// Progress and copy.
    pub store: SyncStore,
    /// How.
    pub settings: SyncSettings,
    holder: String,
    state: Arc<State>,
}

/// What questions at a screen want to know without asking the database: instants in milliseconds, 0 for never.
#[derive(Debug, Default)]
struct State {
    /// All changes from then on …
    followed_from: AtomicI64,
    /// … up to then are in.
    followed_to: AtomicI64,
    /// The copy is complete.
    copy_complete: AtomicI64,
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The CRM.
    #[error("the CRM could not be followed: {}", .0.as_str())]
    Crm(Trouble),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A card could not be sealed.
    #[error("a card could not be sealed")]
    Seal,
}

impl From<Trouble> for SyncError {
    fn from(trouble: Trouble) -> Self {
        Self::Crm(trouble)
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Records read.
    pub records: u64,
    /// Customers who are gone.
    pub erased: u64,
    /// Customers who were merged into others.
    pub merged: u64,
    /// Requests to the CRM.
    pub requests: u64,
    /// Somebody else follows at present.
    pub elsewhere: bool,
}

impl Sync {
    /// Begins to follow; nothing is asked yet. `holder` names this process.
    #[must_use]
    pub fn new(store: SyncStore, settings: SyncSettings, holder: String) -> Self {
        Self { store, settings, holder, state: Arc::default() }
    }

    /// Until when a card from then is known to be true: changes are followed, and none came.
    #[must_use]
    pub fn confirmed(&self, as_of: Timestamp) -> Option<Timestamp> {
        let from = self.state.followed_from.load(Ordering::Relaxed);
        let to = self.state.followed_to.load(Ordering::Relaxed);
        (from > 0 && from <= as_of.ms() && to > as_of.ms()).then(|| Timestamp::from_ms(to))
    }

    /// Until when the copy is true; none while there is no complete copy.
    #[must_use]
    pub fn copy_as_of(&self) -> Option<Timestamp> {
        let to = self.state.copy_complete.load(Ordering::Relaxed);
        (to > 0).then(|| Timestamp::from_ms(to))
    }

    /// There is no copy any more, or another is begun.
    fn forget_copy(&self) {
        self.state.copy_complete.store(0, Ordering::Relaxed);
        self.lose_the_thread();
    }

    /// Something was missed: cards from before are asked for again before they are believed.
    fn lose_the_thread(&self) {
        self.state.followed_from.store(0, Ordering::Relaxed);
    }

    /// The feed of people is up to date; `confirms` if that goes for everything else that a card shows, too.
    fn note_followed(&self, feed: &Feed, confirms: bool, copies: bool) {
        let Some(to) = feed.ended_well_at else { return };
        let to = to.ms();
        if copies && feed.phase == Phase::Delta {
            self.state.copy_complete.store(to, Ordering::Relaxed);
        }
        if confirms {
            // A card from before the thread was lost is not confirmed by what came after.
            if self.state.followed_from.load(Ordering::Relaxed) == 0 {
                self.state.followed_from.store(to, Ordering::Relaxed);
            }
            self.state.followed_to.store(to, Ordering::Relaxed);
        } else {
            self.state.followed_from.store(0, Ordering::Relaxed);
        }
    }
}

/// Does whatever is due. What was done before a trouble stays done; the next run goes on from there.
///
/// # Errors
/// [`SyncError`].
pub async fn run_due(bridge: &Bridge) -> Result<Done, SyncError> {
    let Some(sync) = &bridge.sync else { return Ok(Done::default()) };
    let now = bridge.clock.now();
    if !sync.store.take_lease("follow", &sync.holder, now, now.plus_ms(sync.settings.lease_ms)).await? {
        return Ok(Done { elsewhere: true, ..Done::default() });
    }
    let mut run = Run { bridge, sync, done: Done::default() };
    // A page may take longer than the lease lasts, so it is kept by time and not by pages.
    let outcome = tokio::select! {
        outcome = run.all() => outcome,
        lost = keep_the_lease(bridge, sync) => Err(lost),
    };
    let done = run.done;
    for (name, feed) in sync.store.feeds().await? {
        let for_ms = feed.trouble_at.filter(|_| feed.trouble.is_some()).map(|at| now.since_ms(at));
        bridge.metrics.followed(&name, for_ms);
    }
    bridge.metrics.waiting(sync.store.hints_waiting().await?);
    sync.store.end_lease("follow", &sync.holder).await?;
    match outcome {
        Ok(()) => Ok(done),
        Err(error) => {
            sync.lose_the_thread();
            Err(error)
        }
    }
}

/// Says again and again that this process follows. Ends only if another one does.
async fn keep_the_lease(bridge: &Bridge, sync: &Sync) -> SyncError {
    let every = Duration::from_millis(u64::try_from(sync.settings.lease_ms / 3).unwrap_or(0).max(1));
    loop {
        tokio::time::sleep(every).await;
        let now = bridge.clock.now();
        let until = now.plus_ms(sync.settings.lease_ms);
        // A database that does not answer ends the run by itself.
        if let Ok(false) = sync.store.take_lease("follow", &sync.holder, now, until).await {
            return SyncError::Crm(Trouble::Busy);
        }
    }
}

/// One run: what it works with and what it did.
struct Run<'a> {
    bridge: &'a Bridge,
    sync: &'a Sync,
    done: Done,
}

/// An error that ends the run, or else what came of one feed.
fn bearable<T>(outcome: Result<T, SyncError>) -> Result<Result<T, SyncError>, SyncError> {
    match outcome {
        Err(SyncError::Crm(trouble)) if !trouble.is_outage() => Ok(Err(SyncError::Crm(trouble))),
        Err(other) => Err(other),
        Ok(well) => Ok(Ok(well)),
    }
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), SyncError> {
        // Hints first: somebody may be waiting for exactly this customer.
        self.follow_hints().await?;
        let person = self.follow_people().await;
        let people = self.sync.store.feed(people::NAME).await?;
        if people.is_none_or(|feed| feed.phase == Phase::First || feed.since.is_none()) {
            return person.map(drop);
        }
        // What one feed can't be asked says nothing of the others.
        let person = bearable(person)?;
        let children = bearable(self.follow_children().await)?;
        let gone = bearable(self.follow_gone().await)?;
        bearable(self.reconcile_when_due().await)??;
        let (person, children, gone) = (person?, children?, gone?);
        // Without tombstones, or with a company that changes on its own, a card stays true only until it is asked for again.
        let confirms = children && gone && !self.bridge.companies_change_unseen();
        if self.sync.store.hints_waiting().await? == 0 || !confirms {
            let copied = self.copies() && !self.copy_is_short().await?;
            self.sync.note_followed(&person, confirms, copied);
        }
        Ok(())
    }

    /// Whether the policy asks for a copy of everybody.
    fn copies(&self) -> bool {
        self.bridge.policy.copy.is_some()
    }

    fn source(&self) -> String {
        self.bridge.source().to_owned()
    }

    /// How far each look goes back before the last one: CRMs write late, and clocks differ.
    fn overlap_ms(&self) -> i64 {
        i64::from(self.bridge.connector.profile().time.overlap_s) * 1_000
    }

    /// Whether a feed that last ended then is due again.
    fn is_due(&self, feed: &Feed, every_ms: i64) -> bool {
        let under_way = feed.mark.is_some() && !progress::is_for_next_time(feed);
        under_way
            || feed.ended_well_at.is_none_or(|ended| self.bridge.clock.now().since_ms(ended) >= every_ms)
    }

    /// Notes a trouble with a feed, for `sync status`, and passes it on.
    async fn failed<T>(&self, name: &str, feed: &Feed, trouble: Trouble) -> Result<T, SyncError> {
        self.sync.store.set_feed(name, progress::troubled(feed, trouble, self.bridge.clock.now())).await?;
        Err(trouble.into())
    }
}

impl Bridge {
    /// Whether cards show something of a company that is a record of its own in the CRM. Such records are neither
    /// followed nor copied.
    pub(super) fn companies_change_unseen(&self) -> bool {
        self.connector.profile().linked_company().is_some()
            && self.policy.fields.iter().any(|field| field.entity == Entity::Company)
    }
}

/// A webhook named records: those that concern us are noted. Answers how many.
///
/// # Errors
/// [`DbError`].
pub async fn take_hints(bridge: &Bridge, hints: Vec<Hint>) -> Result<usize, DbError> {
    let Some(sync) = &bridge.sync else { return Ok(0) };
    let people = hints.into_iter().filter_map(|hint| match hint {
        Hint::Changed(Entity::Person, id) | Hint::Gone(id) => Some(id),
        // A company's change reaches its people with the next look for changes, or when their cards are asked for again.
        Hint::Changed(Entity::Company, _) => None,
    });
    let mut ids: Vec<String> = people.collect();
    ids.sort_unstable();
    ids.dedup();
    if bridge.policy.copy.is_none() {
        let known = bridge.store.known(bridge.source().to_owned(), ids).await?;
        ids = known.into_iter().map(|(crm_id, _)| crm_id).collect();
    }
    if ids.is_empty() {
        return Ok(0);
    }
    let now = bridge.clock.now();
    let due_at = now.plus_ms(sync.settings.debounce_ms);
    sync.store.hint(ids, now, due_at, sync.settings.hints_waiting_max).await
}
