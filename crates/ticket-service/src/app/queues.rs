//! Queues: everybody sees them, administrators change them.

use crate::app::view::Queue;
use crate::app::{App, permit};
use crate::domain::actor::KeyScope;
use crate::domain::audit::Deed;
use crate::domain::{Actor, QueueName};
use crate::error::TicketError;
use crate::store::{audit, queues, tickets};

/// All queues in their order.
///
/// # Errors
/// [`TicketError::Forbidden`] without the scope `tickets:read`.
pub async fn list_queues(app: &App, actor: &Actor) -> Result<Vec<Queue>, TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    app.store.read(actor, |scope| Ok(queues::list(scope)?.into_iter().map(Queue::from).collect())).await
}

/// Adds a queue at the end.
///
/// # Errors
/// [`TicketError::Forbidden`] unless the actor administers, [`TicketError::Exists`] if the name is taken.
pub async fn add_queue(app: &App, actor: &Actor, name: QueueName) -> Result<Queue, TicketError> {
    permit::admin(actor)?;
    app.store
        .write(actor, move |scope| {
            let last = queues::list(scope)?.iter().map(|queue| queue.position).max();
            let queue = queues::add(scope, &name, last.map_or(0, |last| last.saturating_add(1)))?;
            audit::record(scope, Deed::QueueAdded, |event| event.with("queue", &queue.id));
            Ok(queue.into())
        })
        .await
}

/// What to change of a queue; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct QueueChanges {
    /// Its name.
    pub name: Option<QueueName>,
    /// Its place in lists.
    pub position: Option<i32>,
    /// Whether new tickets may go there.
    pub active: Option<bool>,
}

/// Changes a queue.
///
/// # Errors
/// As [`add_queue`], and [`TicketError::NotFound`].
pub async fn change_queue(
    app: &App,
    actor: &Actor,
    id: String,
    changes: QueueChanges,
) -> Result<Queue, TicketError> {
    permit::admin(actor)?;
    app.store
        .write(actor, move |scope| {
            let mut queue = queues::find(scope, &id)?;
            let name = match changes.name {
                Some(name) => name,
                None => {
                    QueueName::new(&queue.name).map_err(|error| TicketError::Internal(error.to_string()))?
                }
            };
            queue.name = name.as_str().to_owned();
            queue.name_folded = name.as_str().to_lowercase();
            queue.position = changes.position.unwrap_or(queue.position);
            queue.active = changes.active.unwrap_or(queue.active);
            queues::save(scope, &queue, &name)?;
            audit::record(scope, Deed::QueueChanged, |event| {
                event.with("queue", &queue.id).with("position", queue.position).with("active", queue.active)
            });
            Ok(queue.into())
        })
        .await
}

/// Tags in use that begin with these letters.
///
/// # Errors
/// [`TicketError::Forbidden`] without the scope `tickets:read`.
pub async fn list_tags(app: &App, actor: &Actor, prefix: String) -> Result<Vec<String>, TicketError> {
    permit::scope(actor, KeyScope::TicketsRead)?;
    app.store.read(actor, move |scope| tickets::tags_like(scope, &prefix.to_lowercase(), 20)).await
}
