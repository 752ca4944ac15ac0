//! Where somebody is now, in the CRM's own word: asked for by id, and, where a merge leads on, along the merges. Nothing is
//! written here. Records that name each other as merged lead nowhere, and so does a chain without an end.

use std::sync::Arc;

use super::Bridge;
use crate::connector::Found;
use crate::connector::ask::{Priority, Question};
use crate::connector::projection::Record;
use crate::connector::trouble::Trouble;
use crate::policy::Entity;
use crate::walls::Wall;

/// Merges that are followed from one record.
pub(super) const MERGES_MAX: usize = 8;
/// How far back tombstones are looked through for one customer.
const TOMBSTONES_MS: i64 = 90 * 24 * 60 * 60 * 1_000;
const TOMBSTONE_PAGES_MAX: usize = 10;

/// Where somebody is after all merges.
pub(super) enum Place {
    /// In the record of the id that was asked for.
    Here(There),
    /// In the record of another, who has this id.
    With(String, There),
    /// Nowhere any more.
    Gone,
}

/// A record that is there, and that nobody has merged into another.
pub(super) struct There(Arc<Found>);

impl There {
    /// The record. There always is one.
    pub(super) fn record(&self) -> Option<&Record> {
        self.0.records.first()
    }
}

/// The CRM's word on one id.
enum Word {
    Here(There),
    MergedInto(String),
    Gone,
}

/// Asks until a record is there, or nowhere.
///
/// # Errors
/// [`Trouble::MergeLoop`] if records name each other as merged, or go on and on.
pub(super) async fn of(bridge: &Bridge, crm_id: &str, priority: Priority) -> Result<Place, Trouble> {
    let mut passed: Vec<String> = Vec::new();
    let mut here = crm_id.to_owned();
    for _ in 0..=MERGES_MAX {
        match word(bridge, &here, priority).await? {
            Word::Gone => return Ok(Place::Gone),
            Word::Here(there) if passed.is_empty() => return Ok(Place::Here(there)),
            Word::Here(there) => return Ok(Place::With(here, there)),
            Word::MergedInto(into) => passed.push(std::mem::replace(&mut here, into)),
        }
        if passed.contains(&here) {
            break;
        }
    }
    tracing::warn!(crm.merges = passed.len(), "records of the CRM are merged into each other without an end");
    Err(Trouble::MergeLoop)
}

async fn word(bridge: &Bridge, crm_id: &str, priority: Priority) -> Result<Word, Trouble> {
    let found = bridge.connector.ask_as(Question::ById(Entity::Person, crm_id.to_owned()), priority).await?;
    if let Some(record) = found.records.first() {
        // A CRM that answers with somebody else is not to be believed.
        let same = record.id.as_deref() == Some(crm_id) || !bridge.walls.stands(Wall::Identity);
        if !same {
            return Err(Trouble::OtherRecord);
        }
        return Ok(match &record.merged_into {
            Some(into) if into != crm_id => Word::MergedInto(into.clone()),
            _ if record.deleted => Word::Gone,
            _ => Word::Here(There(found)),
        });
    }
    // "Not found" is also what a wrong path or a half-started CRM says. Erasing takes a CRM that works.
    let probe = Question::Page { entity: Entity::Person, size: 1, mark: None };
    if bridge.connector.ask_as(probe, priority).await?.records.is_empty() {
        return Err(Trouble::UnexpectedShape);
    }
    Ok(match tombstone(bridge, crm_id, priority).await? {
        Some(into) => Word::MergedInto(into),
        None => Word::Gone,
    })
}

/// Whether a record that is not there any more has a tombstone that says where it went.
async fn tombstone(bridge: &Bridge, crm_id: &str, priority: Priority) -> Result<Option<String>, Trouble> {
    if bridge.connector.profile().person.gone.is_none() {
        return Ok(None);
    }
    let since = bridge.clock.now().plus_ms(-TOMBSTONES_MS);
    let mut mark = None;
    for _ in 0..TOMBSTONE_PAGES_MAX {
        let found = bridge.connector.ask_as(Question::Gone { since, mark }, priority).await?;
        let tombstone = found.records.iter().find(|record| record.id.as_deref() == Some(crm_id));
        if let Some(tombstone) = tombstone {
            return Ok(tombstone.merged_into.clone().filter(|into| into != crm_id));
        }
        mark = found.next.clone();
        if mark.is_none() {
            break;
        }
    }
    Ok(None)
}
