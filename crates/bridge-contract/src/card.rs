//! The customer card: typed fields, each with a key and a label that the field policy gave it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Version;
use crate::oversight::BudgetState;
use crate::text::{CustomerRef, bounded_text, is_line, plain_debug, redacted_debug};

/// A shown value has at most this many characters.
pub const VALUE_CHARS_MAX: usize = 500;
/// A mask has at most this many characters.
pub const MASK_CHARS_MAX: usize = 64;
/// A card has at most this many fields.
pub const FIELDS_MAX: usize = 64;

/// `person.` or `company.` and a lower-case name.
fn is_key(text: &str) -> bool {
    let name = text.strip_prefix("person.").or_else(|| text.strip_prefix("company."));
    name.is_some_and(|name| {
        (1..=40).contains(&name.len())
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    })
}

/// 2026-11-21
fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

bounded_text! {
    /// The name of a field in the policy, such as `person.phone`.
    FieldKey, "field key", "`person.` or `company.` and a name of lower-case letters, digits and _", 48, is_key
}
plain_debug!(FieldKey);

bounded_text! {
    /// What the field is called on the screen.
    Label, "label", "1 to 60 characters on one line", 60, |text| is_line(text, 60)
}
plain_debug!(Label);

bounded_text! {
    /// A value in one line.
    Line, "value", "1 to 500 characters on one line", 500, |text| is_line(text, VALUE_CHARS_MAX)
}
redacted_debug!(Line);

bounded_text! {
    /// What is shown in place of a value.
    Mask, "mask", "1 to 64 characters on one line", 64, |text| is_line(text, MASK_CHARS_MAX)
}
redacted_debug!(Mask);

bounded_text! {
    /// A calendar date (ISO 8601, `2026-11-21`).
    DateText, "date", "a calendar date such as 2026-11-21", 10, is_date
}
redacted_debug!(DateText);

bounded_text! {
    /// The SHA-256 of the policy in lower-case hexadecimal.
    PolicyHash, "policy hash", "64 hexadecimal digits", 64, |text| {
        text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    }
}
plain_debug!(PolicyHash);

/// What support may see of one customer, for one operator and one ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerCard {
    /// The version of the contract.
    pub version: Version,
    /// The customer.
    pub customer_ref: CustomerRef,
    /// The policy under which it is shown.
    pub policy: PolicyStamp,
    /// When the CRM gave these values: RFC 3339 in UTC.
    pub as_of: AsOf,
    /// Whether the CRM could not be asked just now, so that an older answer is shown.
    pub stale: bool,
    /// How much of the viewing budget is used, once the soft limit is passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetState>,
    /// The fields that this operator's role sees, in the policy's order.
    #[serde(deserialize_with = "few_fields")]
    pub fields: Vec<CardField>,
}

fn few_fields<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<CardField>, D::Error> {
    let fields = Vec::<CardField>::deserialize(deserializer)?;
    if fields.len() <= FIELDS_MAX {
        Ok(fields)
    } else {
        Err(serde::de::Error::custom("a card has at most 64 fields"))
    }
}

/// Names the policy under which something was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyStamp {
    /// The number that the data owner gave this version.
    pub number: u32,
    /// The hash of its canonical form.
    pub hash: PolicyHash,
}

bounded_text! {
    /// An instant as RFC 3339 in UTC.
    AsOf, "instant", "RFC 3339, for example 2026-11-21T09:12:00Z", 40, |text| text.parse::<jiff::Timestamp>().is_ok()
}
plain_debug!(AsOf);

/// One field of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CardField {
    /// Its name in the policy.
    pub key: FieldKey,
    /// What it is called on the screen.
    pub label: Label,
    /// Its value.
    pub value: FieldValue,
}

/// A typed value. There is no type for money, numbers or nested data, so none can cross.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FieldValue {
    /// Text on one line.
    Text {
        /// The text.
        #[schema(value_type = String, max_length = 500)]
        value: Line,
    },
    /// A mail address.
    Email {
        /// The address.
        #[schema(value_type = String, max_length = 500)]
        value: Line,
    },
    /// A phone number in E.164 form.
    Phone {
        /// The number.
        #[schema(value_type = String, max_length = 500)]
        value: Line,
    },
    /// A web address (http or https).
    Url {
        /// The address.
        #[schema(value_type = String, max_length = 500)]
        value: Line,
    },
    /// A calendar date.
    Date {
        /// The date.
        value: DateText,
    },
    /// One of the values that the policy lists.
    Enum {
        /// The value.
        #[schema(value_type = String, max_length = 500)]
        value: Line,
    },
    /// Yes or no.
    Flag {
        /// The value.
        value: bool,
    },
    /// There is a value, but this role sees only a mask.
    Masked {
        /// What is shown instead.
        mask: Mask,
        /// Whether this role may have it shown, on the record.
        revealable: bool,
    },
    /// The CRM has a value, but it does not fit the policy's type; nobody sees it.
    Withheld {},
    /// The CRM has no value.
    Empty {},
}

/// A masked field in clear, for the one operator who asked, on the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevealedField {
    /// The version of the contract.
    pub version: Version,
    /// The field.
    pub field: CardField,
    /// The policy under which it was shown.
    pub policy: PolicyStamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card_with(field: &str) -> String {
        let hash = "0".repeat(64);
        format!(
            r#"{{"version":1,"customer_ref":"cus_0193aabb","policy":{{"number":3,"hash":"{hash}"}},
               "as_of":"2026-11-21T09:12:00Z","stale":false,"fields":[{field}]}}"#
        )
    }

    #[test]
    fn a_card_carries_typed_values() {
        let card = card_with(
            r#"{"key":"person.name","label":"Name","value":{"kind":"text","value":"Ilya Sorin"}},
               {"key":"person.phone","label":"Phone","value":{"kind":"masked","mask":"+7 ••• •• 41","revealable":true}},
               {"key":"company.since","label":"Since","value":{"kind":"date","value":"2024-02-29"}}"#,
        );
        let card: CustomerCard = serde_json::from_str(&card).unwrap();
        let wire = serde_json::to_string(&card).unwrap();
        assert_eq!(serde_json::from_str::<CustomerCard>(&wire).unwrap(), card);
    }

    #[test]
    fn a_card_has_no_room_for_anything_else() {
        for wrong in [
            r#"{"key":"person.name","label":"Name","value":{"kind":"money","value":"987654.32"}}"#,
            r#"{"key":"person.name","label":"Name","value":{"kind":"text","value":987654.32}}"#,
            r#"{"key":"person.name","label":"Name","value":{"kind":"text","value":{"amount":1}}}"#,
            r#"{"key":"person.name","label":"Name","value":{"kind":"text","value":"x","raw":"y"}}"#,
            r#"{"key":"deal.amount","label":"Name","value":{"kind":"text","value":"x"}}"#,
            r#"{"key":"person.name","label":"Name","value":{"kind":"date","value":"2026-02-30"}}"#,
            r#"{"key":"person.name","label":"Name","value":{"kind":"text","value":"two\nlines"}}"#,
            r#"{"key":"person.name","label":"Name","value":{"kind":"withheld","was":"x"}}"#,
            r#"{"key":"person.name","label":"Name","value":{"kind":"text","value":"x"},"note":"y"}"#,
        ] {
            assert!(serde_json::from_str::<CustomerCard>(&card_with(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_not_printed() {
        let value = FieldValue::Text { value: Line::new("Ilya").unwrap() };
        assert!(!format!("{value:?}").contains("Ilya"));
    }

    proptest! {
        #[test]
        fn a_text_is_accepted_exactly_when_it_is_one_line_of_the_allowed_length(text in ".{0,520}") {
            let fits = !text.is_empty() && text.chars().count() <= VALUE_CHARS_MAX && !text.chars().any(char::is_control);
            prop_assert_eq!(Line::new(text).is_ok(), fits);
        }
    }
}
