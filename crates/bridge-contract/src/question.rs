//! The two questions that the bridge answers, and the request to show one masked field.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Version;
use crate::card::FieldKey;
use crate::text::{CustomerRef, LookupEmail, LookupPhone};

/// A `several` answer names at most this many candidates.
pub const CANDIDATES_MAX: usize = 5;

/// Who is this? Asked with the address or number that the customer wrote from; at least one of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveQuestion {
    /// The version of the contract.
    pub version: Version,
    /// The ticket for which it is asked; the same as in the grant.
    pub ticket: u64,
    /// The mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub email: Option<LookupEmail>,
    /// The phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub phone: Option<LookupPhone>,
}

/// Who it is, as opaque references.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveAnswer {
    /// The version of the contract.
    pub version: Version,
    /// Who it is.
    pub outcome: ResolveOutcome,
}

/// How a look-up ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResolveOutcome {
    /// Exactly one customer.
    Matched {
        /// The customer.
        customer_ref: CustomerRef,
    },
    /// Several customers share the address or number.
    Several {
        /// Two to [`CANDIDATES_MAX`] customers.
        candidates: Vec<CustomerRef>,
    },
    /// Nobody.
    None {},
}

/// Show the card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardQuestion {
    /// The version of the contract.
    pub version: Version,
    /// The ticket; the same as in the grant.
    pub ticket: u64,
    /// The customer; the same as in the grant.
    pub customer_ref: CustomerRef,
}

/// Show one masked field in clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevealQuestion {
    /// The version of the contract.
    pub version: Version,
    /// The ticket; the same as in the grant.
    pub ticket: u64,
    /// The customer; the same as in the grant.
    pub customer_ref: CustomerRef,
    /// The field; the same as in the grant.
    pub field: FieldKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_version_or_with_more_members_is_refused() {
        let right = r#"{"version":1,"outcome":{"kind":"none"}}"#;
        assert!(serde_json::from_str::<ResolveAnswer>(right).is_ok());
        for wrong in [
            r#"{"version":2,"outcome":{"kind":"none"}}"#,
            r#"{"version":1,"outcome":{"kind":"none"},"deal":1}"#,
            r#"{"version":1,"outcome":{"kind":"none","amount":"7"}}"#,
            r#"{"version":1,"outcome":{"kind":"matched","customer_ref":"4711"}}"#,
        ] {
            assert!(serde_json::from_str::<ResolveAnswer>(wrong).is_err(), "{wrong}");
        }
    }
}
