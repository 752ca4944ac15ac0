//! The two chains over the entries, and the key of a service.

use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::digest::{Digest, PublicKey, Signature};
use crate::entry::Entry;

/// Why a key can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No PEM of an Ed25519 key.
    #[error("not an Ed25519 key in PEM; make one with `keys generate`")]
    Format,
}

/// The key of one service's log: signs heads, and makes the keyed chain with a second key that is derived from it.
#[derive(Clone)]
pub struct AuditKey {
    signing: SigningKey,
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AuditKey({})", self.public())
    }
}

impl AuditKey {
    /// From 32 random bytes.
    ///
    /// # Errors
    /// None in practice; HMAC takes keys of any length.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let derived = |key: &[u8], what: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| KeyError::Format)?;
            mac.update(what);
            Ok(Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes())))
        };
        // Two keys out of one: a MAC can never help with a signature.
        let mac = derived(seed, b"guichet audit chain key 1")?;
        let mac = Hmac::new_from_slice(mac.as_slice()).map_err(|_| KeyError::Format)?;
        Ok(Self { signing: SigningKey::from_bytes(seed), mac })
    }

    /// From a private key in PKCS#8 PEM, as `service_kit::token::generate_key_pair` makes it.
    ///
    /// # Errors
    /// [`KeyError::Format`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let signing = SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError::Format)?;
        Self::from_seed(&Zeroizing::new(signing.to_bytes()))
    }

    /// The public half, which an auditor needs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.signing.verifying_key().to_bytes())
    }

    /// The next link of both chains.
    #[must_use]
    pub fn link(&self, before: &Link, entry: &Entry) -> Link {
        let hash = hash_after(&before.hash, entry);
        Link { seq: entry.seq, hash, mac: self.mac_after(&before.mac, &hash) }
    }

    /// The next value of the keyed chain.
    #[must_use]
    pub fn mac_after(&self, before: &Digest, hash: &Digest) -> Digest {
        let mut mac = self.mac.clone();
        mac.update(before.as_bytes());
        mac.update(hash.as_bytes());
        Digest(mac.finalize().into_bytes().into())
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Signature {
        Signature(self.signing.sign(bytes).to_bytes())
    }
}

impl PublicKey {
    /// From a public key in SPKI PEM.
    ///
    /// # Errors
    /// [`KeyError::Format`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        VerifyingKey::from_public_key_pem(pem).map(|key| Self(key.to_bytes())).map_err(|_| KeyError::Format)
    }

    pub(crate) fn has_signed(&self, bytes: &[u8], signature: &Signature) -> bool {
        let Ok(key) = VerifyingKey::from_bytes(&self.0) else { return false };
        key.verify_strict(bytes, &ed25519_dalek::Signature::from_bytes(&signature.0)).is_ok()
    }
}

/// Where both chains are after an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The entry's number; 0 before the first.
    pub seq: i64,
    /// Of the public chain.
    pub hash: Digest,
    /// Of the keyed chain.
    pub mac: Digest,
}

impl Link {
    /// Before the first entry.
    #[must_use]
    pub fn genesis(service: &str, chain: &str) -> Self {
        Self { seq: 0, hash: genesis(service, chain), mac: Digest([0; 32]) }
    }
}

/// What the public chain begins with: its own name, so that two chains never share an entry.
#[must_use]
pub fn genesis(service: &str, chain: &str) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"guichet audit chain 1\0");
    for text in [service, chain] {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text.as_bytes());
    }
    Digest(hash.finalize().into())
}

/// The next value of the public chain.
#[must_use]
pub fn hash_after(before: &Digest, entry: &Entry) -> Digest {
    let mut hash = Sha256::new();
    hash.update(before.as_bytes());
    entry.canonical(&mut hash);
    Digest(hash.finalize().into())
}
