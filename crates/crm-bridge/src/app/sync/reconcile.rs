//! Now and then: is everybody we know still there? Finds what no feed told, such as deletions in a CRM that leaves no
//! tombstones. Those we know are asked about one by one; where everybody is copied, all pages are read once more.

use super::progress::{mark_of, passed_over, progress, walked};
use super::{Run, SyncError};
use crate::connector::ask::Question;
use crate::connector::trouble::Trouble;
use crate::policy::Entity;
use crate::store::sync::{Feed, Phase};

pub(super) const NAME: &str = "reconcile";
/// In `sync status`, whether the copy is complete.
const COPY: &str = "copy";
const SHORT: &str = "the CRM has far more records than its pages show";
/// Customers asked about in one run; the next run goes on.
const A_RUN: i64 = 50;
/// In the place of a page's mark: all pages are read.
const UNSEEN: &str = "unseen";
/// Pages read again in one run: hints and changes come first after each.
const PAGES_A_RUN: u32 = 50;

/// Whether so many records can't be all that the CRM has, which says that there are `expected`. What it counts may be more than it
/// shows to us, so a tenth may be missing.
pub(in crate::app) fn falls_short(records: i64, expected: i64) -> bool {
    records.saturating_mul(10) < expected.saturating_mul(9)
}

impl Run<'_> {
    /// Goes on with a walk if one is due or under way.
    pub(super) async fn reconcile_when_due(&mut self) -> Result<(), SyncError> {
        let feed = match self.sync.store.feed(NAME).await? {
            Some(feed) => feed,
            // The first walk is due one interval after the beginning.
            None => return self.put_off_reconciling().await,
        };
        if !self.is_due(&feed, self.sync.settings.reconcile_ms) {
            return Ok(());
        }
        if self.copies() { self.walk_everybody(feed).await } else { self.walk_the_known(feed).await }
    }

    /// The next walk is due one interval from now.
    pub(super) async fn put_off_reconciling(&self) -> Result<(), SyncError> {
        let feed = Feed { ended_well_at: Some(self.bridge.clock.now()), ..Feed::new(Phase::Delta, "") };
        Ok(self.sync.store.set_feed(NAME, feed).await?)
    }

    /// A walk is due now; one that is under way begins again.
    pub(super) async fn reconcile_now(&self) -> Result<(), SyncError> {
        let feed = self.sync.store.feed(NAME).await?.unwrap_or(Feed::new(Phase::Delta, ""));
        // A walk that goes on from here would pass over whom it has behind it.
        let feed = Feed { ended_well_at: None, mark: None, phase: Phase::Delta, ..feed };
        Ok(self.sync.store.set_feed(NAME, feed).await?)
    }

    /// The same, and `sync status` says why.
    pub(super) async fn reconcile_because(&self, why: &str) -> Result<(), SyncError> {
        tracing::warn!(sync.why = why, "everybody known is compared with the CRM");
        let feed = self.sync.store.feed(NAME).await?.unwrap_or(Feed::new(Phase::Delta, ""));
        // One that is under way comes to its end first, or it never would.
        let under_way = feed.mark.is_some() || feed.phase == Phase::First;
        let ended_well_at = feed.ended_well_at.filter(|_| under_way);
        let trouble_at = Some(self.bridge.clock.now());
        let feed = Feed { ended_well_at, trouble: Some(why.to_owned()), trouble_at, ..feed };
        Ok(self.sync.store.set_feed(NAME, feed).await?)
    }

    /// Whether there are about as many customers in the copy as the CRM says that it has.
    pub(super) async fn judge_copy(&self, read: &Feed) -> Result<(), SyncError> {
        let (records, expected) = (read.records, read.expected.unwrap_or(0));
        let is_short = falls_short(records, expected);
        let before = self.copy_is_short().await?;
        if is_short {
            tracing::warn!(
                sync.records = records,
                sync.expected = expected,
                "the CRM has far more records than it has shown; the copy is not taken for complete"
            );
        }
        if is_short == before {
            return Ok(());
        }
        let trouble_at = is_short.then(|| self.bridge.clock.now());
        let trouble = is_short.then(|| SHORT.to_owned());
        let feed =
            Feed { records, expected: read.expected, trouble, trouble_at, ..Feed::new(Phase::Delta, "") };
        Ok(self.sync.store.set_feed(COPY, feed).await?)
    }

    /// Whether the copy lacks many customers.
    pub(super) async fn copy_is_short(&self) -> Result<bool, SyncError> {
        Ok(self.sync.store.feed(COPY).await?.is_some_and(|feed| feed.trouble.is_some()))
    }

    /// Asks about some of those we know, one by one.
    async fn walk_the_known(&mut self, mut feed: Feed) -> Result<(), SyncError> {
        let now = self.bridge.clock.now();
        if feed.mark.is_none() {
            feed.run_started_at = Some(now);
        }
        let after = feed.mark.clone().unwrap_or_default();
        let some = self.bridge.store.known_after(self.source(), after, A_RUN).await?;
        let mut passed = None;
        for (crm_id, _) in &some {
            match self.ask_again(crm_id).await {
                Err(SyncError::Crm(trouble)) => return self.failed(NAME, &feed, trouble).await,
                other => passed = other?.or(passed),
            }
        }
        let last = some.last().map(|(_, customer_ref)| customer_ref.as_str().to_owned());
        let walked_past = i64::try_from(some.len()).unwrap_or(0);
        let whole = walked_past < A_RUN;
        let feed = Feed {
            mark: last.filter(|_| !whole),
            records: if feed.mark.is_none() { walked_past } else { feed.records + walked_past },
            pass: feed.pass + i64::from(whole),
            ..passed_over(feed, passed, now)
        };
        let feed = if whole { walked(feed, now) } else { feed };
        Ok(self.sync.store.set_feed(NAME, feed).await?)
    }

    /// Reads some pages of everybody again. Of the copy's customers who were on none of them the CRM is asked one by one:
    /// pages shift while they are read.
    async fn walk_everybody(&mut self, mut feed: Feed) -> Result<(), SyncError> {
        let mut people = self.sync.store.feed(super::people::NAME).await?.unwrap_or(feed.clone());
        if feed.phase == Phase::Delta && feed.mark.is_none() {
            // From here on whatever is written into the copy has been seen.
            people.pass += 1;
            self.sync.store.set_feed(super::people::NAME, people.clone()).await?;
            let run_started_at = Some(self.bridge.clock.now());
            feed = Feed { phase: Phase::First, records: 0, run_started_at, ..feed };
        }
        for _ in 0..PAGES_A_RUN {
            if feed.phase == Phase::Delta {
                break;
            }
            let size = self.bridge.connector.page_size(Entity::Person);
            let question = Question::Page { entity: Entity::Person, size, mark: mark_of(&feed) };
            let found = match self.bridge.connector.ask_in_background(question).await {
                Ok(found) => found,
                Err(trouble) => return self.failed(NAME, &feed, trouble).await,
            };
            let now = self.bridge.clock.now();
            let alive = self.renew(&found.records, now).await?;
            let rows = self.bridge.rows(alive, now);
            let (trouble, trouble_at) = (feed.trouble.take(), feed.trouble_at);
            progress(&mut feed, &found);
            feed = passed_over(Feed { trouble, trouble_at, ..feed }, None, now);
            if feed.mark.is_none() {
                feed = Feed { phase: Phase::Delta, mark: Some(UNSEEN.to_owned()), ..feed };
            }
            let progress = Some((NAME.to_owned(), feed.clone()));
            self.sync.store.replace_rows(progress, self.bridge.plan_name(), people.pass, rows).await?;
        }
        if feed.phase == Phase::Delta { self.ask_for_unseen(feed, people.pass).await } else { Ok(()) }
    }

    async fn ask_for_unseen(&mut self, feed: Feed, pass: i64) -> Result<(), SyncError> {
        let unseen = self.sync.store.unseen(pass, A_RUN).await?;
        let now = self.bridge.clock.now();
        let mut passed = None;
        for crm_id in &unseen {
            match self.ask_again(crm_id).await {
                Err(SyncError::Crm(trouble)) => return self.failed(NAME, &feed, trouble).await,
                other => passed = other?.or(passed),
            }
        }
        let mut feed = passed_over(feed, passed, now);
        if unseen.is_empty() {
            self.judge_copy(&feed).await?;
            feed = walked(Feed { mark: None, pass, ..feed }, now);
        }
        Ok(self.sync.store.set_feed(NAME, feed).await?)
    }

    /// What does the CRM say of somebody whom we have? A trouble with this one record is answered and ends nothing; in a copy,
    /// where it would come up again and again, the record goes.
    async fn ask_again(&mut self, crm_id: &str) -> Result<Option<Trouble>, SyncError> {
        let now = self.bridge.clock.now();
        let question = Question::ById(Entity::Person, crm_id.to_owned());
        let trouble = match self.bridge.connector.ask_in_background(question).await {
            Ok(found) if found.records.is_empty() => {
                return self.really_gone(crm_id, now).await.map(|()| None);
            }
            Ok(found) if found.records.iter().all(|record| record.id.as_deref() == Some(crm_id)) => {
                return self.take(&found.records, now).await.map(|()| None);
            }
            Ok(_) => Trouble::OtherRecord,
            Err(trouble) => trouble,
        };
        if !self.is_its_own(trouble).await {
            return Err(trouble.into());
        }
        self.is_in_doubt(crm_id).await?;
        Ok(Some(trouble))
    }
}
