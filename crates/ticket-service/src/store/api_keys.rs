//! API keys. Only hashes of the secrets are stored.

use diesel::prelude::*;

use crate::domain::Role;
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::schema::{api_keys, operators};

/// So many keys a list holds at most.
const KEYS_MAX: i64 = 1000;

/// A key as stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub struct ApiKeyRecord {
    /// The id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the secret in hexadecimal.
    pub secret_hash: String,
    /// As which role it acts.
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub role: Role,
    /// Its scopes, separated by spaces.
    pub scopes: String,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used, to the minute.
    pub last_used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// All keys, the newest first, each with the name of who made it.
pub fn list(scope: &mut Scope<'_>) -> Result<Vec<(ApiKeyRecord, String)>, TicketError> {
    Ok(api_keys::table
        .inner_join(operators::table)
        .select((ApiKeyRecord::as_select(), operators::name))
        .order(api_keys::id.desc())
        .limit(KEYS_MAX)
        .load(scope.conn)?)
}

/// Adds a key.
pub fn insert(scope: &mut Scope<'_>, record: ApiKeyRecord) -> Result<(), TicketError> {
    diesel::insert_into(api_keys::table).values(record).execute(scope.conn)?;
    Ok(())
}

/// The key with this hash, if it was not revoked.
pub fn find_valid(scope: &mut Scope<'_>, secret_hash: &str) -> Result<Option<ApiKeyRecord>, TicketError> {
    Ok(api_keys::table
        .filter(api_keys::secret_hash.eq(secret_hash).and(api_keys::revoked_at.is_null()))
        .select(ApiKeyRecord::as_select())
        .get_result(scope.conn)
        .optional()?)
}

/// Notes that the key was used.
pub fn touch(scope: &mut Scope<'_>, secret_hash: &str) -> Result<(), TicketError> {
    let row = api_keys::table.filter(api_keys::secret_hash.eq(secret_hash));
    diesel::update(row).set(api_keys::last_used_at.eq(scope.now.ms())).execute(scope.conn)?;
    Ok(())
}

/// Revokes a key for good.
///
/// # Errors
/// [`TicketError::NotFound`] if there is none with this id.
pub fn revoke(scope: &mut Scope<'_>, id: &str) -> Result<(), TicketError> {
    let row = api_keys::table.filter(api_keys::id.eq(id).and(api_keys::revoked_at.is_null()));
    let revoked = diesel::update(row).set(api_keys::revoked_at.eq(scope.now.ms())).execute(scope.conn)?;
    let known: i64 = api_keys::table.filter(api_keys::id.eq(id)).count().get_result(scope.conn)?;
    if revoked == 0 && known == 0 { Err(TicketError::NotFound("API key")) } else { Ok(()) }
}
