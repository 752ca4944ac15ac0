//! Erasures and merges in the CRM are followed here: a ticket keeps no reference to somebody who is gone.

use bridge_contract::{ChangeKind, CustomerChange};

use crate::app::App;
use crate::domain::Actor;
use crate::error::TicketError;
use crate::store::customers::{self, Link};
use crate::store::{Scope, audit, tickets};

/// So many tickets of one customer are changed in one transaction.
const BATCH: i64 = 50;
/// A run ends after so many questions; the next run goes on.
const QUESTIONS_MAX: usize = 20;

/// Asks the bridge what became of customers and changes their tickets; answers how many changes were followed.
///
/// # Errors
/// [`TicketError::Bridge`] if the bridge can't be asked now, [`TicketError::Database`]; what was followed stays so.
pub async fn follow_customers(app: &App, request_id: &str) -> Result<usize, TicketError> {
    let Some(bridge) = &app.bridge else { return Ok(0) };
    let system = Actor::system();
    let mut count = 0;
    for _ in 0..QUESTIONS_MAX {
        let after = app.store.read(&system, customers::followed).await?;
        let changes = bridge.changes(after, request_id).await?;
        if changes.is_empty() {
            break;
        }
        for change in changes.iter().filter(|change| change.number > after) {
            follow(app, change).await?;
            count += 1;
        }
    }
    Ok(count)
}

/// One change, a batch of tickets at a time. The last batch also notes that it is done, so a crash repeats and skips nothing.
async fn follow(app: &App, change: &CustomerChange) -> Result<(), TicketError> {
    loop {
        let change = change.clone();
        let rest = app.store.write(&Actor::system(), move |scope| follow_batch(scope, &change)).await?;
        if rest == 0 {
            return Ok(());
        }
    }
}

fn follow_batch(scope: &mut Scope<'_>, change: &CustomerChange) -> Result<usize, TicketError> {
    let old = change.customer_ref.as_str();
    let link = match &change.change {
        ChangeKind::Erased {} => Link::Erased,
        ChangeKind::Merged { into } => Link::Merged(into.as_str().to_owned()),
    };
    if link == Link::Merged(old.to_owned()) {
        // Such tickets would be due for ever.
        customers::set_followed(scope, change.number)?;
        return Ok(0);
    }
    let due = tickets::of_customer(scope, old, BATCH)?;
    for ticket in &due {
        customers::set(scope, ticket, &link)?;
    }
    if due.is_empty() {
        let new = match &link {
            Link::Merged(into) => Some(into.as_str()),
            _ => None,
        };
        if link == Link::Erased {
            audit::forget_customer(scope, old);
        }
        customers::replace_candidate(scope, old, new)?;
        customers::set_followed(scope, change.number)?;
    }
    Ok(due.len())
}
