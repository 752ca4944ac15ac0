//! The operator who pressed twice: the same request under the same key is done once and answered alike.

use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::TicketError;
use crate::store::Scope;
use crate::store::schema::idempotency_keys;

/// A key that the caller chose and what the request was, so that another request under the same key is noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller's key.
    pub key: String,
    /// SHA-256 of operation and body in hexadecimal.
    pub fingerprint: String,
}

/// Runs `work` and keeps its answer under the key; a repetition gets the kept answer and nothing is done again.
///
/// # Errors
/// [`TicketError::IdempotencyMismatch`] if the key was used for another request; what `work` returns.
pub fn once<T, F>(scope: &mut Scope<'_>, key: Option<&IdempotencyKey>, work: F) -> Result<T, TicketError>
where
    T: Serialize + DeserializeOwned,
    F: FnOnce(&mut Scope<'_>) -> Result<T, TicketError>,
{
    let Some(key) = key else { return work(scope) };
    let caller = scope.actor.caller_key().to_owned();
    let kept: Option<(String, String)> = idempotency_keys::table
        .filter(idempotency_keys::caller.eq(&caller).and(idempotency_keys::key.eq(&key.key)))
        .select((idempotency_keys::fingerprint, idempotency_keys::body))
        .get_result(scope.conn)
        .optional()?;
    if let Some((fingerprint, body)) = kept {
        if fingerprint != key.fingerprint {
            return Err(TicketError::IdempotencyMismatch);
        }
        return serde_json::from_str(&body).map_err(|error| TicketError::Internal(error.to_string()));
    }
    let answer = work(scope)?;
    let body = serde_json::to_string(&answer).map_err(|error| TicketError::Internal(error.to_string()))?;
    // Two at the same moment: the second one fails here, is told that the database is busy, and finds the answer then.
    diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::caller.eq(&caller),
            idempotency_keys::key.eq(&key.key),
            idempotency_keys::fingerprint.eq(&key.fingerprint),
            idempotency_keys::status.eq(201),
            idempotency_keys::body.eq(body),
            idempotency_keys::created_at.eq(scope.now.ms()),
        ))
        .execute(scope.conn)
        .map_err(|error| match db_kit::DbError::from(error) {
            db_kit::DbError::Conflict(text) => db_kit::DbError::Busy(text),
            other => other,
        })?;
    Ok(answer)
}

/// Forgets keys older than the instant; answers how many.
pub fn forget_before(scope: &mut Scope<'_>, before_ms: i64) -> Result<usize, TicketError> {
    let old = idempotency_keys::table.filter(idempotency_keys::created_at.lt(before_ms));
    Ok(diesel::delete(old).execute(scope.conn)?)
}
