//! Show one masked field in clear, for the operator who asked, on the record.

use bridge_contract::{Grant, Purpose, RevealQuestion, RevealedField, Version};

use super::look::{Granted, Wish, look, viewing};
use super::{Bridge, BridgeError};
use crate::walls::Wall;

/// Answers with the one field.
///
/// # Errors
/// [`BridgeError`].
pub async fn reveal(
    bridge: &Bridge,
    grant: &Grant,
    question: &RevealQuestion,
    request_id: &str,
) -> Result<RevealedField, BridgeError> {
    let Purpose::Reveal { operator, role, customer_ref, field } = &grant.purpose else {
        return Err(BridgeError::GrantRefused("it is not for showing a masked field"));
    };
    if *field != question.field && bridge.walls.stands(Wall::Grant) {
        return Err(BridgeError::GrantRefused("it is for another field"));
    }
    let granted = Granted { ticket: grant.ticket, operator, role: *role, customer_ref };
    let viewing = viewing(bridge, &granted, (question.ticket, &question.customer_ref), request_id)?;
    let policy = bridge.policy_stamp()?;
    let shown = look(bridge, viewing, Wish::Reveal(question.field.clone()), None).await?;
    let field = shown.fields.into_iter().next().ok_or(BridgeError::FieldNotRevealable)?;
    Ok(RevealedField { version: Version, field, policy })
}
