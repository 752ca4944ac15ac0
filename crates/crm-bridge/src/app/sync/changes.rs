//! What changed since the last time, with an overlap: page after page, behind the number of records that a CRM gives at most
//! for one question, and once more if the pages may have shifted meanwhile.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use service_kit::Timestamp;

use super::people::{NAME, PAGES_MAX};
use super::progress::{ahead_ms, begun, ended, mark_of, progress};
use super::{Run, SyncError};
use crate::connector::Found;
use crate::connector::ask::Question;
use crate::connector::profile::Purpose;
use crate::connector::profile::paging::PagingKind;
use crate::connector::projection::Record;
use crate::policy::Entity;
use crate::store::sync::Feed;

/// The same changes are read so often at most, until nothing comes up that was passed over.
const PASSES_MAX: u32 = 4;
/// Instants of one run that may have more changes than the CRM lists.
const LEFT_BEHIND_MAX: u32 = 20;
/// Why everybody is compared, for `sync status`.
pub(super) const TOO_MANY: &str = "more changes at once than the CRM lists, so everybody known is compared";
pub(super) const SHIFTING: &str = "changes shift while they are read, so everybody known is compared";

/// One run through the changes.
struct Walk {
    /// Where the run began.
    since: Timestamp,
    /// From then on without overlap: what is before it was read in this run.
    from: Option<Timestamp>,
    /// Pages of this pass.
    pages: u32,
    passes: u32,
    /// The newest change of this pass, and of the first.
    newest: Option<Timestamp>,
    newest_at_first: Option<Timestamp>,
    /// Which states of which records were read.
    seen: HashSet<u64>,
    /// Instants that were left behind although there was more of them.
    left_behind: u32,
    /// This pass brought some that the ones before should have brought.
    is_news: bool,
}

impl Walk {
    fn new(since: Timestamp) -> Self {
        let seen = HashSet::new();
        Self {
            since,
            from: None,
            pages: 0,
            passes: 1,
            newest: None,
            newest_at_first: None,
            seen,
            left_behind: 0,
            is_news: false,
        }
    }

    fn read(&mut self, records: &[Record]) {
        self.pages = self.pages.saturating_add(1);
        for record in records {
            let mut hasher = DefaultHasher::new();
            (&record.id, record.updated_at).hash(&mut hasher);
            let is_new = self.seen.insert(hasher.finish());
            let is_later = self.passes > 1 && record.updated_at > self.newest_at_first;
            self.is_news |= is_new && !is_later;
            self.newest = self.newest.max(record.updated_at);
        }
    }

    fn once_more(&mut self) {
        self.newest_at_first = self.newest_at_first.or(self.newest);
        self.passes += 1;
        (self.from, self.pages, self.newest, self.is_news) = (None, 0, None, false);
    }

    /// The feed as it is kept: after an interruption a place in the middle of a walk would belong to another question.
    fn kept(&self, feed: &Feed) -> Feed {
        let goes_on_there = self.from.is_none() && self.passes == 1;
        Feed { mark: feed.mark.clone().filter(|_| goes_on_there), ..feed.clone() }
    }
}

impl Run<'_> {
    /// What changed since the last time, with an overlap.
    pub(super) async fn changes(&mut self, mut feed: Feed) -> Result<Feed, SyncError> {
        if self.bridge.connector.profile().person.changed.is_none() {
            return Ok(feed);
        }
        if !self.is_due(&feed, self.sync.settings.interval_ms) {
            return Ok(feed);
        }
        feed = begun(feed, self.bridge.clock.now());
        let mut walk = Walk::new(feed.since.unwrap_or_default());
        for _ in 1..=PAGES_MAX {
            let question = self.question_of_changes(&feed, &walk);
            let found = match self.bridge.connector.ask_in_background(question).await {
                Ok(found) => found,
                Err(trouble) => return self.failed(NAME, &walk.kept(&feed), trouble).await,
            };
            let now = self.bridge.clock.now();
            let alive = self.renew(&found.records, now).await?;
            walk.read(&found.records);
            progress(&mut feed, &found);
            let goes_on = match feed.mark {
                Some(_) => true,
                None if found.capped => self.go_on_behind(&mut feed, &mut walk, &found).await?,
                None => self.read_again(&mut walk).await?,
            };
            if !goes_on {
                feed = ended(feed, &found, now);
            }
            let kept = walk.kept(&feed);
            if self.copies() {
                let rows = self.bridge.rows(alive, now);
                let progress = Some((NAME.to_owned(), kept));
                self.sync.store.replace_rows(progress, self.bridge.plan_name(), feed.pass, rows).await?;
            } else {
                self.sync.store.set_feed(NAME, kept).await?;
            }
            if !goes_on {
                return Ok(feed);
            }
        }
        Ok(feed)
    }

    fn question_of_changes(&self, feed: &Feed, walk: &Walk) -> Question {
        let time = &self.bridge.connector.profile().time;
        let from = walk.from.unwrap_or_else(|| walk.since.plus_ms(-self.overlap_ms()));
        let since = if time.inclusive { from } else { time.instant_before(from) };
        let size = self.bridge.connector.page_size(Entity::Person);
        Question::Changed { entity: Entity::Person, since, size, mark: mark_of(feed) }
    }

    /// The CRM gives no more records of this question than it has: the next one begins where those end, without overlap. If
    /// they are all of one instant, that instant is left behind and everybody known is compared.
    async fn go_on_behind(
        &mut self,
        feed: &mut Feed,
        walk: &mut Walk,
        found: &Found,
    ) -> Result<bool, SyncError> {
        let time = &self.bridge.connector.profile().time;
        let from = walk.from.unwrap_or_else(|| walk.since.plus_ms(-self.overlap_ms()));
        let next = time.instant_after(from);
        let newest = walk.newest.filter(|newest| *newest >= next);
        if newest.is_none() {
            self.reconcile_because(TOO_MANY).await?;
            walk.left_behind += 1;
        }
        if walk.newest.is_none() || walk.left_behind > LEFT_BEHIND_MAX {
            // Without times, or with a CRM that does not mind "since", nobody can say what is newer.
            return Ok(false);
        }
        walk.from = Some(newest.unwrap_or(next));
        // What is behind us is not read again after an interruption; a time that is still to come is not believed.
        let now = self.bridge.clock.now();
        let began = feed.run_started_at.unwrap_or(now).plus_ms(ahead_ms(found, now).unwrap_or(0));
        feed.since = feed.since.max(newest.map(|newest| newest.min(began)));
        Ok(true)
    }

    /// Where pages are counted from the beginning, whoever is changed or deleted meanwhile moves the others, and somebody is on
    /// no page. So several pages are read again until they bring nothing that was passed over.
    async fn read_again(&mut self, walk: &mut Walk) -> Result<bool, SyncError> {
        let profile = self.bridge.connector.profile();
        let kind = profile
            .operation(Purpose::Changed(Entity::Person))
            .map_or(PagingKind::Single, |operation| profile.paging_of(operation).kind);
        if walk.pages <= 1 || !walk.is_news || matches!(kind, PagingKind::Keyset | PagingKind::Single) {
            return Ok(false);
        }
        if walk.passes >= PASSES_MAX {
            self.reconcile_because(SHIFTING).await?;
            return Ok(false);
        }
        walk.once_more();
        Ok(true)
    }
}
