//! Show the card: one role's view of one customer, for one ticket, on the record.

use bridge_contract::{AsOf, CardQuestion, CustomerCard, Grant, Purpose, Version};

use super::look::{Granted, Wish, look, viewing};
use super::{Bridge, BridgeError};

/// Answers with the card as this operator's role sees it.
///
/// # Errors
/// [`BridgeError`].
pub async fn show_card(
    bridge: &Bridge,
    grant: &Grant,
    question: &CardQuestion,
    request_id: &str,
) -> Result<CustomerCard, BridgeError> {
    let Purpose::Card { operator, role, customer_ref } = &grant.purpose else {
        return Err(BridgeError::GrantRefused("it is not for a card"));
    };
    let granted = Granted { ticket: grant.ticket, operator, role: *role, customer_ref };
    let viewing = viewing(bridge, &granted, (question.ticket, &question.customer_ref), request_id)?;
    let policy = bridge.policy_stamp()?;
    let shown = look(bridge, viewing, Wish::Card).await?;
    Ok(CustomerCard {
        version: Version,
        customer_ref: question.customer_ref.clone(),
        policy,
        as_of: AsOf::new(shown.as_of.to_string()).map_err(|_| BridgeError::Internal("as_of"))?,
        stale: shown.stale,
        fields: shown.fields,
    })
}
