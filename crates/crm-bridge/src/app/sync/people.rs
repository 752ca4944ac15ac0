//! The feed of people: the first copy, page after page, and then what [changed](super::changes).

use std::sync::Arc;

use db_kit::DbError;
use service_kit::Timestamp;
use tokio::task::JoinHandle;

use super::progress::{beginning, begun, ended, mark_of, progress};
use super::{Run, SyncError};
use crate::connector::Found;
use crate::connector::ask::Question;
use crate::connector::trouble::Trouble;
use crate::policy::Entity;
use crate::store::sync::mirror::Row;
use crate::store::sync::{Feed, Phase, SyncStore};

pub(super) const NAME: &str = "person";
/// Pages of one run; the next run goes on.
pub(super) const PAGES_MAX: u32 = 20_000;
/// Pages between two words to the log.
const TELL_EVERY: u32 = 200;

/// Rows that are written in one commit, or a few more: with each commit the last pages of the file are written again. What is not
/// written when the process dies is read again.
const ROWS_A_COMMIT: usize = 2_000;
/// A CRM that gives less than that in so much time is not asked for much of it twice.
const COMMIT_EVERY_MS: i64 = 2_000;

/// Pages on their way into the copy. Dropped, what has been begun is written all the same.
struct Writing {
    store: SyncStore,
    policy: String,
    waiting: Vec<Row>,
    waiting_since: Option<Timestamp>,
    under_way: Option<JoinHandle<Result<(), DbError>>>,
}

impl Writing {
    fn new(store: SyncStore, policy: String) -> Self {
        Self { store, policy, waiting: Vec::new(), waiting_since: None, under_way: None }
    }

    /// Takes the rows of a page, with which the feed is so far. They are written when there are enough of them, or have
    /// waited for long.
    async fn take(&mut self, feed: &Feed, rows: Vec<Row>, now: Timestamp) -> Result<(), SyncError> {
        self.waiting.extend(rows);
        let waited_ms = now.since_ms(*self.waiting_since.get_or_insert(now));
        if self.waiting.len() >= ROWS_A_COMMIT || waited_ms >= COMMIT_EVERY_MS {
            self.begin(feed).await
        } else {
            Ok(())
        }
    }

    /// Waits until all that was taken is written, and that the feed is so far.
    async fn end(&mut self, feed: &Feed) -> Result<(), SyncError> {
        self.begin(feed).await?;
        self.written().await
    }

    async fn begin(&mut self, feed: &Feed) -> Result<(), SyncError> {
        self.written().await?;
        let (store, policy, feed) = (self.store.clone(), self.policy.clone(), feed.clone());
        let rows = std::mem::take(&mut self.waiting);
        self.waiting_since = None;
        self.under_way =
            Some(tokio::spawn(async move { store.append_page(NAME, feed, &policy, rows).await }));
        Ok(())
    }

    async fn written(&mut self) -> Result<(), SyncError> {
        let Some(writing) = self.under_way.take() else { return Ok(()) };
        let gone = |_| DbError::Unavailable("writing was broken off".to_owned());
        Ok(writing.await.map_err(gone)??)
    }
}

impl Run<'_> {
    /// Copies or follows people as far as it goes now, and answers how far that is.
    pub(super) async fn follow_people(&mut self) -> Result<Feed, SyncError> {
        let feed = self.begin_people().await?;
        match feed.phase {
            Phase::First => self.copy(feed).await,
            Phase::Delta => self.changes(feed).await,
        }
    }

    /// The feed as it was left; from the beginning if other fields are asked for than before.
    async fn begin_people(&self) -> Result<Feed, SyncError> {
        let plan = self.bridge.plan_name();
        let phase = if self.copies() { Phase::First } else { Phase::Delta };
        let begun = self.sync.store.feed(NAME).await?;
        // Who is to be followed from now on is not followed before it is known when that is.
        let has_begun =
            |feed: &Feed| feed.plan == plan && (feed.phase == Phase::First || feed.since.is_some());
        if let Some(feed) = begun.filter(has_begun) {
            return Ok(feed);
        }
        self.sync.forget_copy();
        self.sync.store.clear_copy().await?;
        self.put_off_reconciling().await?;
        let feed = Feed::new(phase, plan);
        let feed = match phase {
            Phase::First => feed,
            Phase::Delta => Feed { since: Some(self.now_in_the_crm(&feed).await?), ..feed },
        };
        self.sync.store.set_feed(NAME, feed.clone()).await?;
        Ok(feed)
    }

    /// Who is not copied is followed from now on: what was before is asked for when somebody writes.
    async fn now_in_the_crm(&self, feed: &Feed) -> Result<Timestamp, SyncError> {
        let question = Question::Page { entity: Entity::Person, size: 1, mark: None };
        match self.bridge.connector.ask_in_background(question).await {
            Ok(found) => Ok(beginning(&found, self.bridge.clock.now())),
            Err(trouble) => self.failed(NAME, feed, trouble).await,
        }
    }

    /// The first copy. While one page is typed and sealed, those before are written and the next one is on its way.
    async fn copy(&mut self, mut feed: Feed) -> Result<Feed, SyncError> {
        feed = begun(feed, self.bridge.clock.now());
        let mut found = self.page(&feed).await?;
        // What changes from here on is asked for when the copy is complete.
        feed.since = feed.since.or_else(|| Some(beginning(&found, self.bridge.clock.now())));
        let mut writing = Writing::new(self.sync.store.clone(), self.bridge.plan_name().to_owned());
        for pages in 1..=PAGES_MAX {
            let now = self.bridge.clock.now();
            self.done.records += u64::try_from(found.records.len()).unwrap_or(0);
            progress(&mut feed, &found);
            let next = match feed.mark {
                Some(_) => Some(self.begin_to_ask(&feed).await),
                None => None,
            };
            let records = found.records.iter();
            let alive = records.filter(|record| !record.deleted && record.merged_into.is_none());
            writing.take(&feed, self.bridge.rows(alive, now), now).await?;
            let Some(next) = next else {
                writing.end(&feed).await?;
                let since = feed.since;
                feed = Feed { phase: Phase::Delta, since, ..ended(feed, &found, now) };
                self.judge_copy(&feed).await?;
                let shifted = self.sync.store.finish_copy(NAME, feed.clone()).await?;
                if shifted || feed.expected.is_some_and(|expected| feed.records < expected) {
                    // Who moved from one page to another took the place of somebody who was on neither.
                    self.reconcile_now().await?;
                }
                tracing::info!(
                    sync.records = feed.records,
                    "the first copy of the customer base is complete"
                );
                return Ok(feed);
            };
            found = match next.await.unwrap_or(Err(Trouble::Broken)) {
                Ok(next) => next,
                Err(trouble) => {
                    writing.end(&feed).await?;
                    return self.failed(NAME, &feed, trouble).await;
                }
            };
            if pages.is_multiple_of(TELL_EVERY) {
                tracing::info!(sync.records = feed.records, "copying the customer base");
            }
        }
        writing.end(&feed).await?;
        Ok(feed)
    }

    /// Asks for the next page and does not wait for it.
    async fn begin_to_ask(&self, feed: &Feed) -> JoinHandle<Result<Arc<Found>, Trouble>> {
        let (connector, question) = (self.bridge.connector.clone(), self.question(feed));
        let asking = tokio::spawn(async move { connector.ask_in_background(question).await });
        // So that the request leaves before this thread has other things to do.
        tokio::task::yield_now().await;
        asking
    }

    async fn page(&self, feed: &Feed) -> Result<Arc<Found>, SyncError> {
        match self.bridge.connector.ask_in_background(self.question(feed)).await {
            Ok(found) => Ok(found),
            Err(trouble) => self.failed(NAME, feed, trouble).await,
        }
    }

    fn question(&self, feed: &Feed) -> Question {
        let size = self.bridge.connector.page_size(Entity::Person);
        Question::Page { entity: Entity::Person, size, mark: mark_of(feed) }
    }
}
