//! What became of customers: the list that the ticket service follows.

use bridge_contract::{ChangesAnswer, ChangesQuestion, Grant, Purpose, Version};

use super::{Bridge, BridgeError};

/// The changes after the one that the ticket service has dealt with.
///
/// # Errors
/// [`BridgeError::GrantRefused`], [`BridgeError::Database`].
pub async fn customer_changes(
    bridge: &Bridge,
    grant: &Grant,
    question: &ChangesQuestion,
) -> Result<ChangesAnswer, BridgeError> {
    if grant.purpose != (Purpose::Changes {}) {
        return Err(BridgeError::GrantRefused("it is not for changes of customers"));
    }
    let changes = bridge.store.changes_after(question.after).await?;
    Ok(ChangesAnswer { version: Version, changes })
}
