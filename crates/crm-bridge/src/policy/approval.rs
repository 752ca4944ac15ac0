//! Signatures under a policy: Ed25519 (RFC 8032) over its hash and the name of the person who signs.
//!
//! The public keys stand in the settings, so that neither the database's owner nor one person alone can bring a policy in.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use service_kit::Secret;
use sha2::{Digest, Sha256};

/// Persons that two-person activation asks for.
pub const PERSONS_NEEDED: usize = 2;
const KEY_ID_HEX_DIGITS: usize = 16;

/// Who may approve a policy, and with which key.
#[derive(Debug, Clone, Default)]
pub struct Approvers(BTreeMap<String, VerifyingKey>);

/// A signature that a person has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Which key.
    pub key_id: String,
    /// 128 hex digits.
    pub signature: String,
}

impl Approvers {
    /// Takes names and public keys in PEM.
    ///
    /// # Errors
    /// A sentence: a key that is none, or one key under two names.
    pub fn new(keys: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut approvers = BTreeMap::new();
        for (name, pem) in keys {
            let key = VerifyingKey::from_public_key_pem(&pem)
                .map_err(|_| format!("policy.approvers.{name}: not a public key; make one with `crm-bridge keys generate --approver FILE`"))?;
            if let Some((other, _)) = approvers.iter().find(|(_, known)| **known == key) {
                return Err(format!(
                    "policy.approvers: {other} and {name} have the same key; each person needs their own"
                ));
            }
            approvers.insert(name, key);
        }
        Ok(Self(approvers))
    }

    /// Whether somebody of that name is listed.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether this is that person's signature under that hash.
    #[must_use]
    pub fn accepts(&self, hash: &str, name: &str, signature: &str) -> bool {
        let Some(key) = self.0.get(name) else { return false };
        bytes_of(signature)
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .is_some_and(|signature| key.verify_strict(message(hash, name).as_bytes(), &signature).is_ok())
    }
}

/// Signs a policy's hash with a private key in PEM.
///
/// # Errors
/// A sentence, if the key is none.
pub fn sign(private_pem: &Secret, hash: &str, name: &str) -> Result<Signed, String> {
    let key = SigningKey::from_pkcs8_pem(private_pem.expose())
        .map_err(|_| "the key file holds no private key of an approver; make one with `crm-bridge keys generate --approver FILE`".to_owned())?;
    let signature = key.sign(message(hash, name).as_bytes());
    Ok(Signed { key_id: key_id(&key.verifying_key()), signature: hex(&signature.to_bytes()) })
}

fn key_id(key: &VerifyingKey) -> String {
    hex(&Sha256::digest(key.as_bytes())).chars().take(KEY_ID_HEX_DIGITS).collect()
}

fn message(hash: &str, name: &str) -> String {
    // JSON, so that no name can be written into another one's message.
    serde_json::json!(["guichet policy approval", 1, hash, name]).to_string()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        hex.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect())
}

#[cfg(test)]
mod tests {
    use service_kit::token::generate_key_pair;
    use service_kit::{Clock, Ids};

    use super::*;

    #[test]
    fn a_signature_counts_for_one_person_and_one_policy_only() {
        let ids = Ids::seeded(Clock::system(), 1);
        let (anna, anna_public) = generate_key_pair(&ids).unwrap();
        let (_, boris_public) = generate_key_pair(&ids).unwrap();
        let list = vec![("anna".to_owned(), anna_public.clone()), ("boris".to_owned(), boris_public)];
        let approvers = Approvers::new(list).unwrap();
        let signed = sign(&anna, "aa", "anna").unwrap();
        assert!(approvers.accepts("aa", "anna", &signed.signature));
        assert!(!approvers.accepts("ab", "anna", &signed.signature), "another policy");
        assert!(!approvers.accepts("aa", "boris", &signed.signature), "another person");
        assert!(!approvers.accepts("aa", "eve", &signed.signature), "nobody");
        let as_boris = sign(&anna, "aa", "boris").unwrap();
        assert!(!approvers.accepts("aa", "boris", &as_boris.signature), "another's key under one's name");
        assert!(!approvers.accepts("aa", "anna", "zz"));
        assert_eq!(signed.key_id.len(), 16);
        let twice =
            Approvers::new([("anna".to_owned(), anna_public.clone()), ("anna2".to_owned(), anna_public)]);
        assert!(twice.unwrap_err().contains("same key"));
        assert!(Approvers::new([("x".to_owned(), "nonsense".to_owned())]).is_err());
    }
}
