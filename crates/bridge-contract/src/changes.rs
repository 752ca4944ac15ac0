//! What became of customers that the ticket service knows by reference: erased, or merged into another.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Version;
use crate::text::CustomerRef;

/// An answer has at most this many changes.
pub const CHANGES_MAX: usize = 200;

/// What became of customers after the change with this number?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangesQuestion {
    /// The version of the contract.
    pub version: Version,
    /// The number of the last change that the asker has dealt with; 0 at the beginning.
    pub after: u64,
}

/// The changes after that, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangesAnswer {
    /// The version of the contract.
    pub version: Version,
    /// At most [`CHANGES_MAX`]; none: there is nothing new.
    #[serde(deserialize_with = "few_changes")]
    pub changes: Vec<CustomerChange>,
}

fn few_changes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<CustomerChange>, D::Error> {
    let changes = Vec::<CustomerChange>::deserialize(deserializer)?;
    if changes.len() <= CHANGES_MAX {
        Ok(changes)
    } else {
        Err(serde::de::Error::custom("an answer has at most 200 changes"))
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerChange {
    /// Counts up; gaps are possible.
    pub number: u64,
    /// Who.
    pub customer_ref: CustomerRef,
    /// What.
    pub change: ChangeKind,
}

/// What became of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChangeKind {
    /// Erased in the CRM: nothing of this customer is kept.
    Erased {},
    /// The CRM holds both to be one: from now on the other reference stands for both.
    Merged {
        /// The reference that stays.
        into: CustomerRef,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_carries_references_and_nothing_else() {
        let right = r#"{"version":1,"changes":[{"number":7,"customer_ref":"cus_0193aabb","change":{"kind":"merged","into":"cus_0193ccdd"}}]}"#;
        let answer: ChangesAnswer = serde_json::from_str(right).unwrap();
        assert_eq!(serde_json::to_string(&answer).unwrap(), right);
        for wrong in [
            right.replace("\"number\":7", "\"number\":7,\"name\":\"Ilya\""),
            right.replace("cus_0193ccdd", "4711"),
            right.replace("\"into\"", "\"email\":\"a@b.example\",\"into\""),
        ] {
            assert!(serde_json::from_str::<ChangesAnswer>(&wrong).is_err(), "{wrong}");
        }
    }
}
