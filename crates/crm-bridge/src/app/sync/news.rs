//! What the feed of people does not say: tombstones, changes of what hangs on a person, and hints of webhooks.

use service_kit::Timestamp;

use super::people::{ended, mark_of, progress};
use super::{Run, SyncError};
use crate::connector::Found;
use crate::connector::ask::{PageMark, Question};
use crate::connector::trouble::Trouble;
use crate::policy::Entity;
use crate::store::sync::hints::Hint;
use crate::store::sync::{Feed, Phase};

const PAGES_MAX: u32 = 1_000;
const HINT_ATTEMPTS_MAX: i64 = 6;
const HINT_RETRY_MS: i64 = 30_000;

impl Run<'_> {
    /// Follows tombstones. False if this CRM has none.
    pub(super) async fn follow_gone(&mut self) -> Result<bool, SyncError> {
        let person = &self.bridge.connector.profile().person;
        if person.gone.is_none() {
            return Ok(person.deleted.is_some());
        }
        let question = |since, mark| Question::Gone { since, mark };
        let Some(pages) = self.read_feed("gone", question).await? else { return Ok(true) };
        let now = self.bridge.clock.now();
        for found in &pages {
            for record in &found.records {
                match (&record.id, &record.merged_into) {
                    (Some(id), Some(into)) => self.merged(id, into, now).await?,
                    (Some(id), None) => self.gone(id, now).await?,
                    (None, _) => {}
                }
            }
        }
        Ok(true)
    }

    /// Follows records that hang on a person: whom they belong to is fetched again. Always true: what a CRM's child
    /// feeds are is for the profile to say.
    pub(super) async fn follow_children(&mut self) -> Result<bool, SyncError> {
        for feed in 0..self.bridge.connector.profile().person.children.len() {
            let question = move |since, mark| Question::Children { feed, since, mark };
            let Some(pages) = self.read_feed(&format!("child {feed}"), question).await? else { continue };
            let parents =
                pages.iter().flat_map(|found| &found.records).filter_map(|child| child.parent.clone());
            let mut parents: Vec<String> = parents.collect();
            parents.sort_unstable();
            parents.dedup();
            if !self.copies() {
                let known = self.bridge.store.known(self.source(), parents).await?;
                parents = known.into_iter().map(|(crm_id, _)| crm_id).collect();
            }
            let now = self.bridge.clock.now();
            let room = self.sync.settings.hints_waiting_max;
            self.sync.store.hint(parents, now, now, room).await?;
        }
        self.follow_hints().await?;
        Ok(true)
    }

    /// Reads a feed from where it was left to its end, if it is due.
    async fn read_feed(
        &mut self,
        name: &str,
        question: impl Fn(Timestamp, Option<PageMark>) -> Question,
    ) -> Result<Option<Vec<std::sync::Arc<Found>>>, SyncError> {
        let now = self.bridge.clock.now();
        let feed = match self.sync.store.feed(name).await? {
            Some(feed) => feed,
            None => Feed { since: Some(now), ..Feed::new(Phase::Delta, "") },
        };
        if !self.is_due(&feed, self.sync.settings.interval_ms) {
            return Ok(None);
        }
        // Read whole, dealt with whole: a crash in between reads it again, which does no harm.
        let mut feed = Feed { run_started_at: Some(now), mark: None, ..feed };
        let since = feed.since.unwrap_or(now).plus_ms(-self.overlap_ms());
        let mut pages = Vec::new();
        for _ in 0..PAGES_MAX {
            let found = match self.bridge.connector.ask_in_background(question(since, mark_of(&feed))).await {
                Ok(found) => found,
                Err(trouble) => return self.failed(name, &feed, trouble).await,
            };
            self.done.requests += 1;
            progress(&mut feed, &found);
            pages.push(found);
            if feed.mark.is_none() {
                break;
            }
        }
        feed.since = feed.since.max(feed.newest).max(feed.run_started_at);
        self.sync.store.set_feed(name, ended(feed, now)).await?;
        Ok(Some(pages))
    }

    /// Fetches again what was named.
    pub(super) async fn follow_hints(&mut self) -> Result<(), SyncError> {
        let now = self.bridge.clock.now();
        let due = self.sync.store.due_hints(now, self.sync.settings.hints_a_run).await?;
        for hint in due {
            let question = Question::ById(Entity::Person, hint.crm_id.clone());
            match self.bridge.connector.ask_in_background(question).await {
                Ok(found) => self.fetched(&hint, &found).await?,
                Err(trouble) if trouble.concerns_all() => return Err(trouble.into()),
                Err(_) => {
                    let again = now.plus_ms(HINT_RETRY_MS << hint.attempts.clamp(0, 10));
                    self.sync.store.hint_failed(hint, again, HINT_ATTEMPTS_MAX).await?;
                }
            }
        }
        Ok(())
    }

    async fn fetched(&mut self, hint: &Hint, found: &Found) -> Result<(), SyncError> {
        let now = self.bridge.clock.now();
        let same = |id: Option<&str>| id == Some(hint.crm_id.as_str());
        if found.records.is_empty() {
            self.really_gone(&hint.crm_id, now).await?;
        } else if found.records.iter().all(|record| same(record.id.as_deref())) {
            let alive = self.renew(&found.records, now).await?;
            if self.copies() {
                let rows = alive.iter().filter_map(|record| self.bridge.row(record, now)).collect();
                let pass = self.sync.store.feed("person").await?.map_or(1, |feed| feed.pass);
                self.sync.store.replace_rows(None, &self.bridge.policy_hash(), pass, rows).await?;
            }
        }
        Ok(self.sync.store.hint_done(hint.clone()).await?)
    }

    /// "Not found" is also what a wrong path or a half-started CRM says; only a CRM that finds somebody has erased one.
    pub(super) async fn really_gone(&mut self, crm_id: &str, now: Timestamp) -> Result<(), SyncError> {
        let probe = Question::Page { entity: Entity::Person, size: 1, mark: None };
        let probe = self.bridge.connector.ask_in_background(probe).await?;
        if probe.records.is_empty() {
            return Err(SyncError::Crm(Trouble::UnexpectedShape));
        }
        self.gone(crm_id, now).await
    }
}
