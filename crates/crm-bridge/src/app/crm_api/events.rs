//! The feed: everything that happened to tickets of customers, for a CRM that would rather ask than be called.

use serde::Serialize;
use utoipa::ToSchema;

use super::keys::{Caller, Scope};
use super::tickets::{PAGE_MAX, PAGE_USUAL};
use super::wire::EventView;
use super::{CrmApi, CrmError};

/// A page of the feed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events, oldest first.
    pub items: Vec<EventView>,
    /// Give it as `after` next time, also when there was nothing new.
    pub next: i64,
    /// Whether there is more at once.
    pub more: bool,
}

/// What happened after that place of the feed. An event may come twice; its `seq` tells.
///
/// # Errors
/// [`CrmError::Forgotten`] if the feed no longer reaches back so far; [`CrmError`].
pub async fn after(
    api: &CrmApi,
    caller: &Caller,
    after: i64,
    limit: Option<u32>,
) -> Result<EventPage, CrmError> {
    caller.needs(Scope::EventsRead)?;
    let policy = api.policy()?;
    let limit = limit.unwrap_or(PAGE_USUAL);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(CrmError::Invalid(vec![("limit", format!("is between 1 and {PAGE_MAX}"))]));
    }
    if after < 0 {
        return Err(CrmError::Invalid(vec![("after", "is 0 or the `next` of the page before".to_owned())]));
    }
    let source = api.bridge.source().to_owned();
    let Some(rows) = api.bridge.store.feed_after(source, after, i64::from(limit) + 1).await? else {
        return Err(CrmError::Forgotten(api.bridge.store.feed_head().await?.1));
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    let items: Vec<EventView> = rows.into_iter().take(limit).map(|row| EventView::new(policy, row)).collect();
    let next = items.last().map_or(after, |last| last.seq);
    Ok(EventPage { items, next, more })
}
