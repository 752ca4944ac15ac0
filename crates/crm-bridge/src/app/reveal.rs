//! Show one masked field in clear, for the operator who asked, on the record.

use bridge_contract::{Grant, Purpose, RevealQuestion, RevealedField, Version};

use super::show_card::{Granted, known, line, refuse, viewing};
use super::{Bridge, BridgeError};
use crate::policy::view;
use crate::store::Action;

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
    if *field != question.field && bridge.walls.who_stands() {
        return Err(BridgeError::GrantRefused("it is for another field"));
    }
    let granted = Granted { ticket: grant.ticket, operator, role: *role, customer_ref };
    let viewing = viewing(bridge, granted, (question.ticket, &question.customer_ref), request_id)?;
    let known = known(bridge, &viewing).await?;
    let fields = &known.readings.fields;
    let Some(field) =
        view::reveal(&bridge.policy, viewing.role, question.field.as_str(), fields, bridge.walls)
    else {
        return refuse(bridge, &viewing, BridgeError::FieldNotRevealable).await;
    };
    let line = line(bridge, &known, Action::Reveal, std::slice::from_ref(&field));
    let policy = bridge.policy_stamp()?;
    bridge.store.record_view(&viewing, line, known.to_keep).await?;
    Ok(RevealedField { version: Version, field, policy })
}
