//! A key that both services agree on, so that not every grant costs a signature.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Version;
use crate::text::{bounded_text, plain_debug};

fn is_base64url(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

bounded_text! {
    /// The public half of an agreement (X25519, RFC 7748), in base64url without padding.
    KeyHalf, "half of a key", "43 characters of base64url", 43, |text| text.len() == 43 && is_base64url(text)
}
plain_debug!(KeyHalf);

bounded_text! {
    /// The bridge's name for an agreed key. It says nothing to anybody else.
    AgreedKeyId, "name of a key", "base64url, at most 200 characters", 200, |text| {
        !text.is_empty() && text.len() <= 200 && is_base64url(text)
    }
}
plain_debug!(AgreedKeyId);

/// Let us agree on a key. The grant must carry a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementQuestion {
    /// The version of the contract.
    pub version: Version,
    /// The asker's half; the same as in the grant.
    pub half: KeyHalf,
}

/// The bridge's half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreementAnswer {
    /// The version of the contract.
    pub version: Version,
    /// The name under which the bridge knows the key (`kid` of a token, RFC 7515).
    pub key_id: AgreedKeyId,
    /// The bridge's half.
    pub half: KeyHalf,
    /// The key is good for so many seconds, at most an hour.
    #[serde(deserialize_with = "up_to_an_hour")]
    pub lasts_s: u32,
}

fn up_to_an_hour<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let seconds = u32::deserialize(deserializer)?;
    if seconds <= 3_600 {
        Ok(seconds)
    } else {
        Err(serde::de::Error::custom("an agreed key lasts an hour at most"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agreement_carries_two_halves_and_nothing_else() {
        let half = "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo";
        let right = format!(r#"{{"version":1,"key_id":"AQ-_","half":"{half}","lasts_s":600}}"#);
        let answer: AgreementAnswer = serde_json::from_str(&right).unwrap();
        assert_eq!(serde_json::to_string(&answer).unwrap(), right);
        for wrong in [
            right.replace("AQ-_", "a b"),
            right.replace("AQ-_", &"a".repeat(201)),
            right.replace(half, "short"),
            right.replace("600", "3601"),
            right.replace("\"lasts_s\"", "\"name\":\"Ilya\",\"lasts_s\""),
        ] {
            assert!(serde_json::from_str::<AgreementAnswer>(&wrong).is_err(), "{wrong}");
        }
    }
}
