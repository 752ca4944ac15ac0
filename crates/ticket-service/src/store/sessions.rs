//! Who is signed in. Only hashes of the cookies are stored: whoever reads the database can't sign in with it.

use diesel::prelude::*;

use crate::error::TicketError;
use crate::store::Scope;
use crate::store::operators::OperatorRecord;
use crate::store::schema::{operators, sessions};

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub struct SessionRecord {
    /// SHA-256 of the cookie's value in hexadecimal.
    pub token_hash: String,
    /// Who is signed in.
    pub operator_id: String,
    /// Since when.
    pub created_at: i64,
    /// When it was last used, to the minute.
    pub last_seen_at: i64,
    /// When it ends, whatever happens.
    pub expires_at: i64,
}

/// Starts a session.
pub fn insert(scope: &mut Scope<'_>, record: &SessionRecord) -> Result<(), TicketError> {
    diesel::insert_into(sessions::table).values(record).execute(scope.conn)?;
    Ok(())
}

/// The session with this hash and its operator, if the operator may sign in. Says nothing about its age.
pub fn find(
    scope: &mut Scope<'_>,
    token_hash: &str,
) -> Result<Option<(SessionRecord, OperatorRecord)>, TicketError> {
    Ok(sessions::table
        .inner_join(operators::table)
        .filter(sessions::token_hash.eq(token_hash).and(operators::active.eq(true)))
        .select((SessionRecord::as_select(), OperatorRecord::as_select()))
        .get_result(scope.conn)
        .optional()?)
}

/// Notes that the session was used.
pub fn touch(scope: &mut Scope<'_>, token_hash: &str) -> Result<(), TicketError> {
    let now = scope.now.ms();
    let row = sessions::table.filter(sessions::token_hash.eq(token_hash).and(sessions::last_seen_at.lt(now)));
    diesel::update(row).set(sessions::last_seen_at.eq(now)).execute(scope.conn)?;
    Ok(())
}

/// Ends one session.
pub fn delete(scope: &mut Scope<'_>, token_hash: &str) -> Result<(), TicketError> {
    diesel::delete(sessions::table.find(token_hash)).execute(scope.conn)?;
    Ok(())
}

/// Ends all sessions of an operator but, if given, the one at hand.
pub fn delete_all_of(
    scope: &mut Scope<'_>,
    operator_id: &str,
    keep: Option<&str>,
) -> Result<(), TicketError> {
    let of = sessions::operator_id.eq(operator_id.to_owned());
    match keep {
        None => diesel::delete(sessions::table.filter(of)).execute(scope.conn)?,
        Some(hash) => diesel::delete(sessions::table.filter(of.and(sessions::token_hash.ne(hash))))
            .execute(scope.conn)?,
    };
    Ok(())
}

/// Removes sessions that have ended by themselves.
pub fn delete_ended(scope: &mut Scope<'_>, idle_ms: i64) -> Result<usize, TicketError> {
    let now = scope.now.ms();
    let ended = sessions::expires_at.le(now).or(sessions::last_seen_at.lt(now - idle_ms));
    Ok(diesel::delete(sessions::table.filter(ended)).execute(scope.conn)?)
}
