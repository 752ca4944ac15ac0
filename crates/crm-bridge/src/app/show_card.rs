//! Show the card: one role's view of one customer, for one ticket, on the record.

use bridge_contract::{AsOf, BrokenGlass, CardQuestion, CustomerCard, Grant, Purpose, Version};

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
    let (operator, role, customer_ref, glass) = match &grant.purpose {
        Purpose::Card { operator, role, customer_ref } => (operator, role, customer_ref, None),
        Purpose::BreakGlass { operator, role, customer_ref, ground, reason } => {
            let glass = BrokenGlass { ground: *ground, reason: reason.clone() };
            (operator, role, customer_ref, Some(glass))
        }
        _ => return Err(BridgeError::GrantRefused("it is not for a card")),
    };
    if glass.is_some() && operator.as_str().starts_with("key_") {
        return Err(BridgeError::GrantRefused("a program breaks no glass"));
    }
    let granted = Granted { ticket: grant.ticket, operator, role: *role, customer_ref };
    let viewing = viewing(bridge, &granted, (question.ticket, &question.customer_ref), request_id)?;
    let policy = bridge.policy_stamp()?;
    let shown = look(bridge, viewing, Wish::Card, glass).await?;
    Ok(CustomerCard {
        version: Version,
        customer_ref: question.customer_ref.clone(),
        policy,
        as_of: AsOf::new(shown.as_of.to_string()).map_err(|_| BridgeError::Internal("as_of"))?,
        stale: shown.stale,
        budget: shown.budget,
        fields: shown.fields,
    })
}
