//! What the feed of people does not say: tombstones, changes of what hangs on a person, and hints of webhooks.

use std::sync::Arc;

use service_kit::Timestamp;

use super::progress::{
    CLOCK_DOUBT_MS, begun, ended, is_for_next_time, mark_of, passed_over, progress, troubled,
    until_next_time, well_again,
};
use super::{Run, SyncError};
use crate::connector::Found;
use crate::connector::ask::{PageMark, Question};
use crate::connector::trouble::Trouble;
use crate::policy::Entity;
use crate::store::sync::hints::Hint;
use crate::store::sync::{Feed, Phase};

/// In `sync status`, what a webhook or a child feed named.
const HINTS: &str = "hints";
const PAGES_MAX: u32 = 1_000;
const HINT_ATTEMPTS_MAX: i64 = 6;
const HINT_RETRY_MS: i64 = 30_000;
/// A feed that is left here may be refused because the CRM keeps such news no longer. More than it is set back to then.
const LONG_AGO_MS: i64 = 2 * CLOCK_DOUBT_MS;

/// A feed beside that of the people, while it is read.
struct News {
    name: String,
    feed: Feed,
    is_at_its_end: bool,
    pages: u32,
    /// Its mark is one that the CRM handed out the last time, and that it may have forgotten since.
    may_be_forgotten: bool,
}

impl Run<'_> {
    /// Follows tombstones. False if this CRM has none.
    pub(super) async fn follow_gone(&mut self) -> Result<bool, SyncError> {
        let person = &self.bridge.connector.profile().person;
        if person.gone.is_none() {
            return Ok(person.deleted.is_some());
        }
        let question = |since, mark| Question::Gone { since, mark };
        let Some(mut news) = self.begin_news("gone").await? else { return Ok(true) };
        while let Some(found) = self.next_news(&mut news, question).await? {
            let now = self.bridge.clock.now();
            for record in &found.records {
                match (&record.id, &record.merged_into) {
                    (Some(id), Some(into)) => self.merged(id, into, now).await?,
                    (Some(id), None) => self.gone(id, now).await?,
                    (None, _) => {}
                }
            }
            self.dealt_with(&mut news, &found).await?;
        }
        Ok(true)
    }

    /// Follows records that hang on a person: whom they belong to is fetched again. Always true: what a CRM's child
    /// feeds are is for the profile to say.
    pub(super) async fn follow_children(&mut self) -> Result<bool, SyncError> {
        for feed in 0..self.bridge.connector.profile().person.children.len() {
            let question = move |since, mark| Question::Children { feed, since, mark };
            let Some(mut news) = self.begin_news(&format!("child {feed}")).await? else { continue };
            while let Some(found) = self.next_news(&mut news, question).await? {
                let parents = found.records.iter().flat_map(|child| child.parents.clone());
                self.fetch_again(parents.collect()).await?;
                self.dealt_with(&mut news, &found).await?;
            }
        }
        self.follow_hints().await?;
        Ok(true)
    }

    /// Has those fetched again who concern us.
    async fn fetch_again(&self, mut ids: Vec<String>) -> Result<(), SyncError> {
        ids.sort_unstable();
        ids.dedup();
        if !self.copies() {
            let known = self.bridge.store.known(self.source(), ids).await?;
            ids = known.into_iter().map(|(crm_id, _)| crm_id).collect();
        }
        let now = self.bridge.clock.now();
        // A feed is never read twice, so what it names always has room.
        self.sync.store.hint(ids, now, now, i64::MAX).await?;
        Ok(())
    }

    /// A feed beside that of the people, where it was left; none if it is not due.
    async fn begin_news(&self, name: &str) -> Result<Option<News>, SyncError> {
        let now = self.bridge.clock.now();
        let feed = match self.sync.store.feed(name).await? {
            Some(feed) => feed,
            // From when on people are followed, by the CRM's clock.
            None => {
                let people = self.sync.store.feed(super::people::NAME).await?;
                let since = people.and_then(|feed| feed.since).unwrap_or(now);
                Feed { since: Some(since), ..Feed::new(Phase::Delta, "") }
            }
        };
        if !self.is_due(&feed, self.sync.settings.interval_ms) {
            return Ok(None);
        }
        let may_be_forgotten = is_for_next_time(&feed);
        let feed = begun(feed, now);
        Ok(Some(News { name: name.to_owned(), feed, is_at_its_end: false, pages: 0, may_be_forgotten }))
    }

    /// The feed's next page; none after the last.
    async fn next_news(
        &mut self,
        news: &mut News,
        question: impl Fn(Timestamp, Option<PageMark>) -> Question,
    ) -> Result<Option<Arc<Found>>, SyncError> {
        if news.is_at_its_end || news.pages >= PAGES_MAX {
            return Ok(None);
        }
        let since = news.feed.since.unwrap_or_default().plus_ms(-self.overlap_ms());
        self.done.requests += 1;
        news.pages += 1;
        match self.bridge.connector.ask_in_background(question(since, mark_of(&news.feed))).await {
            Ok(found) => Ok(Some(found)),
            Err(Trouble::Refused | Trouble::ErrorInside) if news.may_be_forgotten => {
                self.begin_again(news).await?;
                Box::pin(self.next_news(news, question)).await
            }
            Err(Trouble::Refused | Trouble::ErrorInside) if self.is_long_ago(&news.feed) => {
                self.begin_anew(news).await?;
                Box::pin(self.next_news(news, question)).await
            }
            Err(trouble) => self.failed(&news.name, &news.feed, trouble).await,
        }
    }

    /// The CRM has forgotten the mark that it handed out: the feed begins again.
    async fn begin_again(&self, news: &mut News) -> Result<(), SyncError> {
        tracing::warn!(sync.feed = news.name, "the CRM has forgotten where this feed was; it begins again");
        news.may_be_forgotten = false;
        news.feed = Feed { mark: None, plan: String::new(), ..news.feed.clone() };
        Ok(self.sync.store.set_feed(&news.name, news.feed.clone()).await?)
    }

    fn is_long_ago(&self, feed: &Feed) -> bool {
        let now = self.bridge.clock.now();
        feed.since.is_some_and(|since| now.since_ms(since) > LONG_AGO_MS)
    }

    /// The CRM no longer tells of the time where the feed was left, because nobody was deleted since or the bridge was away: the
    /// feed begins a day back, and what happened before is found by asking about everybody we know.
    async fn begin_anew(&self, news: &mut News) -> Result<(), SyncError> {
        tracing::warn!(
            sync.feed = news.name,
            "the CRM refuses to tell of times so long ago; everybody known is compared with it instead"
        );
        self.reconcile_now().await?;
        let since = Some(self.bridge.clock.now().plus_ms(-CLOCK_DOUBT_MS));
        news.feed = Feed { since, mark: None, newest: None, ..news.feed.clone() };
        Ok(self.sync.store.set_feed(&news.name, news.feed.clone()).await?)
    }

    /// Only now is a page behind us: after a crash before this it is read again, which does no harm.
    async fn dealt_with(&self, news: &mut News, found: &Found) -> Result<(), SyncError> {
        progress(&mut news.feed, found);
        if news.feed.mark.is_none() {
            news.is_at_its_end = true;
            news.feed = ended(news.feed.clone(), found, self.bridge.clock.now());
            until_next_time(&mut news.feed, found);
            if found.next_time.is_some() && !news.may_be_forgotten {
                // The mark tells of what comes after it; who was deleted before is found by asking about everybody we know.
                self.reconcile_now().await?;
            }
        }
        Ok(self.sync.store.set_feed(&news.name, news.feed.clone()).await?)
    }

    /// Fetches again what was named. A record that can't be read is put off and costs the others nothing; while the CRM can't be
    /// asked at all everything stays as it is.
    pub(super) async fn follow_hints(&mut self) -> Result<(), SyncError> {
        let now = self.bridge.clock.now();
        let due = self.sync.store.due_hints(now, self.sync.settings.hints_a_run).await?;
        if due.is_empty() {
            return self.hints_are_well(now).await;
        }
        for hint in due {
            match self.follow_hint(&hint).await {
                Ok(()) => {}
                Err(SyncError::Crm(trouble)) if self.is_its_own(trouble).await => {
                    self.hint_failed(hint, trouble, now).await?;
                }
                Err(SyncError::Crm(trouble)) => {
                    let feed = troubled(&self.hints_feed().await?, trouble, now);
                    return Ok(self.sync.store.set_feed(HINTS, feed).await?);
                }
                Err(other) => return Err(other),
            }
        }
        self.hints_are_well(now).await
    }

    async fn follow_hint(&mut self, hint: &Hint) -> Result<(), SyncError> {
        let question = Question::ById(Entity::Person, hint.crm_id.clone());
        let found = self.bridge.connector.ask_in_background(question).await?;
        self.fetched(hint, &found).await
    }

    /// Puts a hint off, or gives it up: what we have of that record is not known to be true any more then.
    async fn hint_failed(&mut self, hint: Hint, trouble: Trouble, now: Timestamp) -> Result<(), SyncError> {
        let again = now.plus_ms(HINT_RETRY_MS << hint.attempts.clamp(0, 10));
        let crm_id = hint.crm_id.clone();
        let is_dropped = self.sync.store.hint_failed(hint, again, HINT_ATTEMPTS_MAX).await?;
        let feed = passed_over(self.hints_feed().await?, Some(trouble), now);
        let feed = Feed { records: feed.records + i64::from(is_dropped), ..feed };
        self.sync.store.set_feed(HINTS, feed).await?;
        if is_dropped {
            tracing::warn!(
                crm.reason = trouble.as_str(),
                "a record that changed can't be read and is given up"
            );
            self.is_in_doubt(&crm_id).await?;
        }
        Ok(())
    }

    /// A record can't be read: what was copied of it goes, and cards are asked for again before they are believed.
    pub(super) async fn is_in_doubt(&mut self, crm_id: &str) -> Result<(), SyncError> {
        if self.copies() {
            self.sync.store.remove_rows(vec![crm_id.to_owned()]).await?;
        }
        self.sync.lose_the_thread();
        Ok(())
    }

    async fn hints_feed(&self) -> Result<Feed, SyncError> {
        Ok(self.sync.store.feed(HINTS).await?.unwrap_or_else(|| Feed::new(Phase::Delta, "")))
    }

    /// Hints are followed again, all but those that failed by themselves.
    async fn hints_are_well(&self, now: Timestamp) -> Result<(), SyncError> {
        let Some(feed) = self.sync.store.feed(HINTS).await?.filter(|feed| feed.trouble.is_some()) else {
            return Ok(());
        };
        let failing = self.sync.store.hints_failing().await? > 0;
        let well = if failing { passed_over(feed.clone(), None, now) } else { well_again(feed.clone()) };
        if well != feed {
            self.sync.store.set_feed(HINTS, well).await?;
        }
        Ok(())
    }

    /// Whether a trouble is that of the record that was asked for: the CRM answers others.
    pub(super) async fn is_its_own(&mut self, trouble: Trouble) -> bool {
        if trouble.is_outage() || !trouble.may_be_the_records() {
            return !trouble.is_outage();
        }
        match self.anybody().await {
            Ok(found) => !found.records.is_empty(),
            Err(trouble) => trouble == Trouble::NotOffered,
        }
    }

    /// Whoever comes first in the CRM.
    async fn anybody(&mut self) -> Result<Arc<Found>, Trouble> {
        let probe = Question::Page { entity: Entity::Person, size: 1, mark: None };
        self.done.requests += 1;
        self.bridge.connector.ask_in_background(probe).await
    }

    async fn fetched(&mut self, hint: &Hint, found: &Found) -> Result<(), SyncError> {
        let now = self.bridge.clock.now();
        let same = |id: Option<&str>| id == Some(hint.crm_id.as_str());
        if found.records.is_empty() {
            self.really_gone(&hint.crm_id, now).await?;
        } else if found.records.iter().all(|record| same(record.id.as_deref())) {
            self.take(&found.records, now).await?;
        }
        Ok(self.sync.store.hint_done(hint.clone()).await?)
    }

    /// "Not found" is also what a wrong path or a half-started CRM says; only a CRM that finds somebody has erased one.
    pub(super) async fn really_gone(&mut self, crm_id: &str, now: Timestamp) -> Result<(), SyncError> {
        if self.anybody().await?.records.is_empty() {
            return Err(SyncError::Crm(Trouble::Empty));
        }
        self.gone(crm_id, now).await
    }
}
