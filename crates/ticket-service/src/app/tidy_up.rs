//! Removing what nobody will ask for again.

use std::time::Duration;

use crate::app::App;
use crate::domain::Actor;
use crate::error::TicketError;
use crate::files::SHARDS;
use crate::store::{attachments, idempotency};

const HOUR_MS: i64 = 60 * 60 * 1_000;
/// An idempotency key is remembered for so long.
const KEY_AGE_MS: i64 = 24 * HOUR_MS;
/// Files that lie on the disk without being known are removed after so long.
const STRAY_AGE: Duration = Duration::from_secs(24 * 60 * 60);
const BATCH: i64 = 200;

/// Removes files that were uploaded and never sent, strays on the disk, and old idempotency keys.
///
/// # Errors
/// [`TicketError::Database`], or an internal error of the file system; what was removed before stays removed.
pub async fn tidy_up(app: &App) -> Result<(), TicketError> {
    let now = app.clock.now();
    let system = Actor::system();
    app.store.write(&system, move |scope| idempotency::forget_before(scope, now.ms() - KEY_AGE_MS)).await?;
    remove_unsent(app, now.ms() - i64::from(app.config.attachments.unsent_hours) * HOUR_MS).await?;
    app.files.remove_torn(STRAY_AGE).await?;
    // One folder at a time: in a week and a half every one has been looked at.
    let shard = u64::try_from(now.ms() / HOUR_MS).unwrap_or(0) % SHARDS;
    remove_strays(app, shard).await
}

async fn remove_unsent(app: &App, before_ms: i64) -> Result<(), TicketError> {
    let system = Actor::system();
    loop {
        let unsent =
            app.store.read(&system, move |scope| attachments::orphans(scope, before_ms, BATCH)).await?;
        if unsent.is_empty() {
            return Ok(());
        }
        for id in unsent {
            let row = id.clone();
            // The row first: a row without its file would look like a loss.
            app.store.write(&system, move |scope| attachments::delete_orphan(scope, &row)).await?;
            remove_if_unknown(app, id).await?;
        }
    }
}

async fn remove_strays(app: &App, shard: u64) -> Result<(), TicketError> {
    for id in app.files.older_than(shard, STRAY_AGE).await? {
        remove_if_unknown(app, id).await?;
    }
    Ok(())
}

/// A message may have taken the file in between; then it stays.
async fn remove_if_unknown(app: &App, id: String) -> Result<(), TicketError> {
    let row = id.clone();
    if app.store.read(&Actor::system(), move |scope| attachments::is_known(scope, &row)).await? {
        return Ok(());
    }
    app.files.remove(&id).await
}
