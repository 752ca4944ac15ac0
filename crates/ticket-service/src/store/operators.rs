//! The people of support.

use db_kit::{DbError, on_both};
use diesel::prelude::*;

use crate::domain::Role;
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::schema::operators;

/// So many operators a list holds at most.
const OPERATORS_MAX: i64 = 1000;

/// An operator as stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = operators, treat_none_as_null = true)]
pub struct OperatorRecord {
    /// The id.
    pub id: String,
    /// The address to sign in with.
    pub email: String,
    /// The same in lower case: one mailbox is one operator.
    pub email_folded: String,
    /// The name that colleagues see.
    pub name: String,
    /// What they are there for.
    #[diesel(serialize_as = String, deserialize_as = String)]
    pub role: Role,
    /// argon2id, as a PHC text.
    pub password_hash: String,
    /// The language they chose.
    pub locale: Option<String>,
    /// Whether they may sign in.
    pub active: bool,
    /// When they were added.
    pub created_at: i64,
    /// Counts its changes.
    pub version: i64,
}

/// Everybody, by name; only those who may sign in, if asked so.
pub fn list(scope: &mut Scope<'_>, only_active: bool) -> Result<Vec<OperatorRecord>, TicketError> {
    let mut query = operators::table.select(OperatorRecord::as_select()).into_boxed();
    if only_active {
        query = query.filter(operators::active.eq(true));
    }
    Ok(query.order((operators::name, operators::id)).limit(OPERATORS_MAX).load(scope.conn)?)
}

/// One operator.
///
/// # Errors
/// [`TicketError::NotFound`] if there is none with this id.
pub fn find(scope: &mut Scope<'_>, id: &str) -> Result<OperatorRecord, TicketError> {
    let found =
        operators::table.find(id).select(OperatorRecord::as_select()).get_result(scope.conn).optional()?;
    found.ok_or(TicketError::NotFound("operator"))
}

/// The operator with this mail address, in whatever case it is written.
pub fn find_by_email(scope: &mut Scope<'_>, folded: &str) -> Result<Option<OperatorRecord>, TicketError> {
    Ok(operators::table
        .filter(operators::email_folded.eq(folded))
        .select(OperatorRecord::as_select())
        .get_result(scope.conn)
        .optional()?)
}

/// Adds an operator.
///
/// # Errors
/// [`TicketError::Exists`] if the mail address is taken.
pub fn insert(scope: &mut Scope<'_>, record: OperatorRecord) -> Result<(), TicketError> {
    diesel::insert_into(operators::table).values(record).execute(scope.conn).map_err(taken)?;
    Ok(())
}

/// Stores a changed operator.
///
/// # Errors
/// [`TicketError::Exists`] if the mail address is taken.
pub fn update(scope: &mut Scope<'_>, record: OperatorRecord) -> Result<(), TicketError> {
    let row = operators::table.filter(operators::id.eq(record.id.clone()));
    diesel::update(row).set(record).execute(scope.conn).map_err(taken)?;
    Ok(())
}

fn taken(error: diesel::result::Error) -> TicketError {
    match DbError::from(error) {
        DbError::Conflict(_) => TicketError::Exists("an operator with this mail address"),
        other => TicketError::Database(other),
    }
}

/// Ids of the administrators who may sign in. Holds them until the end of the transaction, so that two of them can't
/// remove each other at the same moment.
pub fn active_admins(scope: &mut Scope<'_>) -> Result<Vec<String>, TicketError> {
    let admins = operators::table
        .filter(operators::role.eq(Role::Admin.as_str()).and(operators::active.eq(true)))
        .select(operators::id)
        .order(operators::id);
    let ids = on_both!(
        scope.conn,
        sqlite | conn | admins.load(conn),
        postgres | conn | admins.for_update().load(conn),
    )?;
    Ok(ids)
}
