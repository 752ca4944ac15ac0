//! What is to be fetched again: a webhook or a child feed said that it changed. One row a record, however often it is
//! said, so that a flood of webhooks costs one request.

use db_kit::{DbError, on_both};
use diesel::prelude::*;
use service_kit::Timestamp;

use super::SyncStore;
use super::schema::hints;

/// A record to be fetched again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The CRM's id.
    pub crm_id: String,
    /// How often that failed already.
    pub attempts: i64,
    /// When it was last said that the record changed; said again meanwhile, the hint stays.
    pub heard_at: Timestamp,
}

impl SyncStore {
    /// Notes that records changed; they are due at `due_at`. What is noted already keeps its time, so that somebody who
    /// says it every second can't put it off for ever. Answers how many were taken: those that are noted already, and
    /// new ones as long as fewer than `waiting_max` wait.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn hint(
        &self,
        crm_ids: Vec<String>,
        now: Timestamp,
        due_at: Timestamp,
        waiting_max: i64,
    ) -> Result<usize, DbError> {
        self.database
            .write(move |conn| {
                let waiting: i64 = hints::table.count().get_result(conn)?;
                let mut room = waiting_max.saturating_sub(waiting);
                let mut taken = 0;
                for crm_id in &crm_ids {
                    let again = diesel::update(hints::table.filter(hints::crm_id.eq(crm_id)))
                        .set(hints::heard_at.eq(now.ms()))
                        .execute(conn)?;
                    if again == 0 {
                        if room <= 0 {
                            continue;
                        }
                        let row = (
                            hints::crm_id.eq(crm_id),
                            hints::due_at.eq(due_at.ms()),
                            hints::attempts.eq(0),
                            hints::heard_at.eq(now.ms()),
                        );
                        on_both!(conn, |conn| diesel::insert_into(hints::table)
                            .values(row)
                            .on_conflict_do_nothing()
                            .execute(conn))?;
                        room -= 1;
                    }
                    taken += 1;
                }
                Ok(taken)
            })
            .await
    }

    /// What is due now, oldest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn due_hints(&self, now: Timestamp, limit: i64) -> Result<Vec<Hint>, DbError> {
        self.database
            .read(move |conn| {
                let rows: Vec<(String, i64, i64)> = hints::table
                    .filter(hints::due_at.le(now.ms()))
                    .order(hints::due_at)
                    .limit(limit)
                    .select((hints::crm_id, hints::attempts, hints::heard_at))
                    .load(conn)?;
                let hint = |(crm_id, attempts, heard_at)| Hint {
                    crm_id,
                    attempts,
                    heard_at: Timestamp::from_ms(heard_at),
                };
                Ok(rows.into_iter().map(hint).collect())
            })
            .await
    }

    /// A hint is done with, unless the record changed again meanwhile: then it is due once more.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn hint_done(&self, hint: Hint) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let same = hints::crm_id.eq(&hint.crm_id).and(hints::heard_at.le(hint.heard_at.ms()));
                diesel::delete(hints::table.filter(same)).execute(conn)?;
                Ok(())
            })
            .await
    }

    /// A hint could not be followed and is due again then; after `attempts_max` it is dropped, because reconciliation
    /// finds what was missed. True if it was dropped.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn hint_failed(
        &self,
        hint: Hint,
        due_at: Timestamp,
        attempts_max: i64,
    ) -> Result<bool, DbError> {
        self.database
            .write(move |conn| {
                let this = hints::table.filter(hints::crm_id.eq(&hint.crm_id));
                let is_dropped = hint.attempts + 1 >= attempts_max;
                if is_dropped {
                    diesel::delete(this).execute(conn)?;
                } else {
                    diesel::update(this)
                        .set((hints::due_at.eq(due_at.ms()), hints::attempts.eq(hint.attempts + 1)))
                        .execute(conn)?;
                }
                Ok(is_dropped)
            })
            .await
    }

    /// How many of those that wait have failed already.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn hints_failing(&self) -> Result<i64, DbError> {
        let failing = |conn: &mut db_kit::AnyConnection| {
            Ok(hints::table.filter(hints::attempts.gt(0)).count().get_result(conn)?)
        };
        self.database.read(failing).await
    }

    /// How many records wait to be fetched again.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn hints_waiting(&self) -> Result<i64, DbError> {
        self.database.read(|conn| Ok(hints::table.count().get_result(conn)?)).await
    }
}
