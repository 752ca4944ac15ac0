//! Queues: what tickets are about.

use diesel::prelude::*;

use crate::domain::QueueName;
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::schema::queues;

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = queues)]
pub struct QueueRecord {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The name in lower case: unique.
    pub name_folded: String,
    /// Its place in lists.
    pub position: i32,
    /// Whether new tickets may go there.
    pub active: bool,
}

/// All queues in their order.
pub fn list(scope: &mut Scope<'_>) -> Result<Vec<QueueRecord>, TicketError> {
    Ok(queues::table
        .order((queues::position, queues::name_folded))
        .select(QueueRecord::as_select())
        .load(scope.conn)?)
}

/// The queue with this id.
///
/// # Errors
/// [`TicketError::NotFound`].
pub fn find(scope: &mut Scope<'_>, id: &str) -> Result<QueueRecord, TicketError> {
    queues::table
        .filter(queues::id.eq(id))
        .select(QueueRecord::as_select())
        .get_result(scope.conn)
        .optional()?
        .ok_or(TicketError::NotFound("queue"))
}

/// The queue where tickets go that name none: the first active one; made when there is none yet.
pub fn default(scope: &mut Scope<'_>) -> Result<QueueRecord, TicketError> {
    let first = queues::table
        .filter(queues::active.eq(true))
        .order((queues::position, queues::name_folded))
        .select(QueueRecord::as_select())
        .get_result(scope.conn)
        .optional()?;
    match first {
        Some(queue) => Ok(queue),
        None => insert(scope, "General", 0),
    }
}

/// Adds a queue.
///
/// # Errors
/// [`TicketError::Exists`] if the name is taken, in whatever case.
pub fn add(scope: &mut Scope<'_>, name: &QueueName, position: i32) -> Result<QueueRecord, TicketError> {
    refuse_taken(scope, name, None)?;
    insert(scope, name.as_str(), position)
}

/// Stores a changed queue.
///
/// # Errors
/// [`TicketError::Exists`] if the name is taken, [`TicketError::NotFound`].
pub fn save(scope: &mut Scope<'_>, queue: &QueueRecord, name: &QueueName) -> Result<(), TicketError> {
    refuse_taken(scope, name, Some(&queue.id))?;
    let written = diesel::update(queues::table.filter(queues::id.eq(&queue.id)))
        .set(queue.clone())
        .execute(scope.conn)?;
    if written == 1 { Ok(()) } else { Err(TicketError::NotFound("queue")) }
}

fn refuse_taken(scope: &mut Scope<'_>, name: &QueueName, except: Option<&str>) -> Result<(), TicketError> {
    let owner: Option<String> = queues::table
        .filter(queues::name_folded.eq(name.as_str().to_lowercase()))
        .select(queues::id)
        .get_result(scope.conn)
        .optional()?;
    match owner {
        Some(id) if Some(id.as_str()) != except => Err(TicketError::Exists("a queue of this name")),
        _ => Ok(()),
    }
}

fn insert(scope: &mut Scope<'_>, name: &str, position: i32) -> Result<QueueRecord, TicketError> {
    let queue = QueueRecord {
        id: scope.new_id("que"),
        name: name.to_owned(),
        name_folded: name.to_lowercase(),
        position,
        active: true,
    };
    diesel::insert_into(queues::table).values(queue.clone()).execute(scope.conn).map_err(|error| {
        let error = db_kit::DbError::from(error);
        if error.is_conflict() { TicketError::Exists("a queue of this name") } else { error.into() }
    })?;
    Ok(queue)
}
