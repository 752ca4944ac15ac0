//! Now and then: is everybody we know still there? Finds what no feed told, such as deletions in a CRM that leaves no
//! tombstones.

use super::{Run, SyncError};
use crate::connector::ask::Question;
use crate::policy::Entity;
use crate::store::sync::{Feed, Phase};

const NAME: &str = "reconcile";
/// Customers asked about in one run; the next run goes on.
const A_RUN: i64 = 50;

impl Run<'_> {
    /// Asks about some of those we know, one by one, if a walk is due or under way.
    pub(super) async fn reconcile_when_due(&mut self) -> Result<(), SyncError> {
        let now = self.bridge.clock.now();
        let feed = match self.sync.store.feed(NAME).await? {
            Some(feed) => feed,
            // The first walk is due one interval after the beginning.
            None => {
                let feed = Feed { ended_well_at: Some(now), ..Feed::new(Phase::Delta, "") };
                return Ok(self.sync.store.set_feed(NAME, feed).await?);
            }
        };
        if !self.is_due(&feed, self.sync.settings.reconcile_ms) {
            return Ok(());
        }
        let after = feed.mark.clone().unwrap_or_default();
        let some = self.bridge.store.known_after(self.source(), after, A_RUN).await?;
        for (crm_id, _) in &some {
            let question = Question::ById(Entity::Person, crm_id.clone());
            match self.bridge.connector.ask_in_background(question).await {
                Ok(found) if found.records.is_empty() => self.really_gone(crm_id, now).await?,
                Ok(found) => {
                    let same = found.records.iter().all(|record| record.id.as_deref() == Some(crm_id));
                    if same {
                        self.renew(&found.records, now).await?;
                    }
                }
                Err(trouble) if trouble.concerns_all() => return self.failed(NAME, &feed, trouble).await,
                Err(_) => {}
            }
        }
        let last = some.last().map(|(_, customer_ref)| customer_ref.as_str().to_owned());
        let walked = i64::try_from(some.len()).unwrap_or(0);
        let whole = walked < A_RUN;
        let feed = Feed {
            mark: last.filter(|_| !whole),
            records: if feed.mark.is_none() { walked } else { feed.records + walked },
            ended_well_at: if whole { Some(now) } else { feed.ended_well_at },
            pass: feed.pass + i64::from(whole),
            ..feed
        };
        Ok(self.sync.store.set_feed(NAME, feed).await?)
    }
}
