//! Heads: where a chain ends, signed by its service, with what it has seen of the other's chain.

use serde::{Deserialize, Serialize};

use crate::chain::AuditKey;
use crate::digest::{Digest, PublicKey, Signature};
use crate::entry::Details;

/// A place on a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Which chain.
    pub chain: String,
    /// After which entry.
    pub seq: i64,
    /// The public chain there.
    pub hash: Digest,
}

/// Where a chain ended at an instant, and how much of the other service's chain had been seen by then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Whose chain: `ticket-service` or `crm-bridge`.
    pub service: String,
    /// The place.
    #[serde(flatten)]
    pub place: Seen,
    /// When: milliseconds since 1970 in UTC.
    pub at_ms: i64,
    /// The newest head of the other service that this one has; signing it is the countersignature.
    pub seen: Option<Seen>,
}

/// A head with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedHead {
    /// What is signed.
    #[serde(flatten)]
    pub head: Head,
    /// By whom.
    pub key: PublicKey,
    /// Over the canonical form.
    pub signature: Signature,
}

/// Why a head is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// The signature does not fit.
    #[error("the head is not signed by the key that it names")]
    Signature,
    /// Signed by somebody else than the other service.
    #[error("the head is signed by another key than the one known")]
    Key,
    /// Members are missing or of another shape.
    #[error("not a head")]
    Shape,
}

impl Head {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"guichet audit head 1\0".to_vec();
        let mut text = |text: &str| {
            bytes.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend(text.as_bytes());
        };
        text(&self.service);
        for seen in std::iter::once(&self.place).chain(&self.seen) {
            text(&seen.chain);
            text(&seen.seq.to_string());
            text(&seen.hash.to_string());
        }
        text(&self.at_ms.to_string());
        bytes
    }

    /// Signs it.
    #[must_use]
    pub fn sign(self, key: &AuditKey) -> SignedHead {
        let signature = key.sign(&self.bytes());
        SignedHead { head: self, key: key.public(), signature }
    }
}

impl SignedHead {
    /// Whether it is signed by the key that it names, and by the expected one if there is one.
    ///
    /// # Errors
    /// [`HeadError::Signature`], [`HeadError::Key`].
    pub fn check(&self, expected: Option<&PublicKey>) -> Result<(), HeadError> {
        if expected.is_some_and(|key| *key != self.key) {
            return Err(HeadError::Key);
        }
        if self.key.has_signed(&self.head.bytes(), &self.signature) {
            Ok(())
        } else {
            Err(HeadError::Signature)
        }
    }

    /// As the details of an entry, in which the other service keeps it.
    #[must_use]
    pub fn to_details(&self) -> Details {
        let Head { service, place, at_ms, seen } = &self.head;
        let details = Details::new()
            .with("service", service)
            .with("chain", &place.chain)
            .with("seq", place.seq)
            .with("hash", place.hash)
            .with("at", at_ms);
        let details = match seen {
            None => details,
            Some(seen) => details
                .with("seen_chain", &seen.chain)
                .with("seen_seq", seen.seq)
                .with("seen_hash", seen.hash),
        };
        details.with("key", self.key).with("signature", self.signature)
    }

    /// Out of the details of an entry.
    ///
    /// # Errors
    /// [`HeadError::Shape`]. The signature is not checked.
    pub fn from_details(details: &Details) -> Result<Self, HeadError> {
        let word = |key: &str| details.get(key).ok_or(HeadError::Shape);
        let number = |key: &str| word(key)?.parse::<i64>().map_err(|_| HeadError::Shape);
        let digest = |key: &str| word(key)?.parse::<Digest>().map_err(|_| HeadError::Shape);
        let seen = match details.get("seen_chain") {
            None => None,
            Some(chain) => {
                Some(Seen { chain: chain.to_owned(), seq: number("seen_seq")?, hash: digest("seen_hash")? })
            }
        };
        let place = Seen { chain: word("chain")?.to_owned(), seq: number("seq")?, hash: digest("hash")? };
        Ok(Self {
            head: Head { service: word("service")?.to_owned(), place, at_ms: number("at")?, seen },
            key: word("key")?.parse().map_err(|_| HeadError::Shape)?,
            signature: word("signature")?.parse().map_err(|_| HeadError::Shape)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seen: bool) -> Head {
        let seen = seen.then(|| Seen { chain: "b".into(), seq: 3, hash: Digest([3; 32]) });
        let place = Seen { chain: "a".into(), seq: 7, hash: Digest([7; 32]) };
        Head { service: "ticket-service".into(), place, at_ms: 5, seen }
    }

    #[test]
    fn a_head_survives_the_log_of_the_other_service() {
        let key = AuditKey::from_seed(&[1; 32]).unwrap();
        for seen in [true, false] {
            let signed = head(seen).sign(&key);
            let read = SignedHead::from_details(&signed.to_details()).unwrap();
            assert_eq!(read, signed);
            assert_eq!(read.check(Some(&key.public())), Ok(()));
            let json = serde_json::to_string(&signed).unwrap();
            assert_eq!(serde_json::from_str::<SignedHead>(&json).unwrap(), signed);
        }
    }

    #[test]
    fn a_changed_head_and_a_head_of_somebody_else_are_refused() {
        let (key, other) = (AuditKey::from_seed(&[1; 32]).unwrap(), AuditKey::from_seed(&[2; 32]).unwrap());
        let mut signed = head(true).sign(&key);
        assert_eq!(signed.check(Some(&other.public())), Err(HeadError::Key));
        signed.head.place.seq = 8;
        assert_eq!(signed.check(None), Err(HeadError::Signature));
        let mut signed = head(true).sign(&key);
        signed.head.seen = None;
        assert_eq!(signed.check(None), Err(HeadError::Signature));
    }
}
