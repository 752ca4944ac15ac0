//! Fixed numbers of bytes with one way to write each: base64 in the URL-safe alphabet without padding (RFC 4648 §5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text is not so many bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {0} in base64")]
pub struct NotBytes(pub &'static str);

macro_rules! bytes {
    ($(#[$doc:meta])* $name:ident, $length:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotBytes;

            fn from_str(text: &str) -> Result<Self, NotBytes> {
                let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBytes($what))?;
                bytes.try_into().map(Self).map_err(|_| NotBytes($what))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

bytes! {
    /// A SHA-256 or HMAC-SHA-256 value: 43 characters.
    Digest, 32, "digest of 32 bytes"
}
bytes! {
    /// The random part of a commitment: 22 characters.
    Salt, 16, "salt of 16 bytes"
}
bytes! {
    /// An Ed25519 public key: 43 characters, its own fingerprint.
    PublicKey, 32, "public key of 32 bytes"
}
bytes! {
    /// An Ed25519 signature: 86 characters.
    Signature, 64, "signature of 64 bytes"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_back_and_other_lengths_are_refused() {
        let digest = Digest([7; 32]);
        assert_eq!(digest.to_string().len(), 43);
        assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        assert!(Salt([1; 16]).to_string().parse::<Digest>().is_err());
        assert!("not base64 at all!".parse::<Salt>().is_err());
    }
}
