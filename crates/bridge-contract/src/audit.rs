//! Heads of the two audit logs, by which each service countersigns the other's. Digests, numbers of entries and
//! signatures; nothing of what the entries say.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Version;
use crate::card::AsOf;
use crate::text::{bounded_text, plain_debug};

fn is_base64(text: &str, chars: usize) -> bool {
    text.len() == chars
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

bounded_text! {
    /// The name of a chain: made at random when a log begins.
    ChainName, "name of a chain", "`chn_` and 8 to 64 letters or digits", 68, |text| {
        text.strip_prefix("chn_").is_some_and(|rest| {
            (8..=64).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    }
}
plain_debug!(ChainName);

bounded_text! {
    /// 32 bytes in base64 (URL-safe, no padding): a SHA-256 value or an Ed25519 public key.
    Bytes32, "32 bytes", "43 characters of base64 in the URL-safe alphabet", 43, |text| is_base64(text, 43)
}
plain_debug!(Bytes32);

bounded_text! {
    /// An Ed25519 signature in base64 (URL-safe, no padding).
    SignatureText, "signature", "86 characters of base64 in the URL-safe alphabet", 86, |text| is_base64(text, 86)
}
plain_debug!(SignatureText);

/// A place on a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditPlace {
    /// Which chain.
    pub chain: ChainName,
    /// After which entry; 0 before the first.
    pub seq: u64,
    /// The public chain there.
    pub hash: Bytes32,
}

/// Where a service's audit log ends, and how much of the other service's it has seen; signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// Where it ends.
    pub place: AuditPlace,
    /// When.
    #[schema(value_type = String)]
    pub at: AsOf,
    /// The newest head of the other service in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<AuditPlace>,
    /// By which key it is signed.
    pub key: Bytes32,
    /// The signature (Ed25519) over the members above and the service's name.
    pub signature: SignatureText,
}

/// So many heads an answer holds at most.
pub const HEADS_MAX: usize = 64;

/// Take my head and give me yours; or, without a head, say which heads of mine you have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditQuestion {
    /// The version of the contract.
    pub version: Version,
    /// The head of the ticket service's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<AuditHead>,
    /// Where the list of heads goes on: `next` of the answer before.
    #[serde(default)]
    pub after: u64,
}

/// The bridge's head, which says what it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditAnswer {
    /// The version of the contract.
    pub version: Version,
    /// The head of the bridge's log.
    pub head: AuditHead,
    /// Heads of the ticket service that the bridge has, the oldest first, at most [`HEADS_MAX`]; none if it was handed one.
    #[serde(default)]
    pub held: Vec<AuditHead>,
    /// Where the list goes on, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_names_have_one_length_and_a_plain_alphabet() {
        assert!(Bytes32::new("A".repeat(43)).is_ok() && SignatureText::new("-_".repeat(43)).is_ok());
        assert!(ChainName::new("chn_0193aabb").is_ok());
        for wrong in ["", "short", &"A".repeat(44), &"=".repeat(43), &" ".repeat(43)] {
            assert!(Bytes32::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(ChainName::new("chn_a b c d e f").is_err());
    }

    #[test]
    fn a_question_with_more_members_is_refused() {
        assert!(serde_json::from_str::<AuditQuestion>(r#"{"version":1}"#).is_ok());
        assert!(serde_json::from_str::<AuditQuestion>(r#"{"version":1,"entries":[]}"#).is_err());
    }
}
