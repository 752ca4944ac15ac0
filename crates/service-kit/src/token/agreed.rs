//! A key that both services agree on, so that not every token costs a signature: each side sends one half (X25519, RFC 7748),
//! the key is made of both (HKDF, RFC 5869), and tokens under it are JWT with HS256 (RFC 7518) that name the key (`kid`).
//!
//! The side that is asked knows the other one by the signature of the token that brings its half. Whoever only listens
//! learns nothing; whoever changes a half on the way has a key that the other side does not know.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Claims, KeyError, Signer, TOKEN_BYTES_MAX, TokenError, Verifier};
use crate::ids::Ids;
use crate::secret::Secret;

/// An agreed key is good for so long.
pub const AGREED_KEY_LIFETIME_S: i64 = 600;

const BYTES: usize = 32;
const PURPOSE: &[u8] = b"guichet agreed key 1";

/// One side's half of an agreement, for one agreement only.
pub struct Half {
    private: PrivateKey,
    public: Vec<u8>,
}

impl Half {
    /// A new one.
    ///
    /// # Errors
    /// [`KeyError::Format`] if the library can't make a key, which does not happen with a sound one.
    pub fn new(ids: &Ids) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        ids.fill(bytes.as_mut());
        let private = PrivateKey::from_private_key(&X25519, bytes.as_ref()).map_err(|_| KeyError::Format)?;
        let public = private.compute_public_key().map_err(|_| KeyError::Format)?.as_ref().to_vec();
        Ok(Self { private, public })
    }

    /// What the other side gets: 43 characters of base64url.
    #[must_use]
    pub fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.public)
    }

    /// The key that is made of this half and the other side's public one.
    ///
    /// # Errors
    /// [`KeyError::Format`] if the other half is none.
    pub fn agree(self, theirs: &str) -> Result<AgreedKey, KeyError> {
        let theirs = URL_SAFE_NO_PAD.decode(theirs).map_err(|_| KeyError::Format)?;
        // Both sides put the halves in the same order.
        let mut halves = [self.public.as_slice(), theirs.as_slice()];
        halves.sort_unstable();
        agree(&self.private, UnparsedPublicKey::new(&X25519, &theirs), KeyError::Format, |secret| {
            let mut key = Zeroizing::new([0_u8; BYTES]);
            let extracted = Salt::new(HKDF_SHA256, &halves.concat()).extract(secret);
            let expanded = extracted.expand(&[PURPOSE], Length).map_err(|_| KeyError::Format)?;
            expanded.fill(key.as_mut()).map_err(|_| KeyError::Format)?;
            Ok(AgreedKey(key))
        })
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        BYTES
    }
}

/// What both sides have agreed on. Has no `Debug`; wiped when dropped.
#[derive(Clone)]
pub struct AgreedKey(Zeroizing<[u8; BYTES]>);

impl AgreedKey {
    /// The key of these bytes, if they are as many as a key has.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The bytes, to be sealed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }
}

/// A token under an agreed key, of which nothing is checked yet.
pub struct AgreedToken<'a> {
    key_id: String,
    /// What the mark was made of.
    marked: &'a str,
    claims: &'a str,
    mark: &'a str,
}

impl<'a> AgreedToken<'a> {
    /// None if the token is not of this kind, but carries a signature.
    #[must_use]
    pub fn read(token: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Kind {
            alg: Algorithm,
            kid: Option<String>,
        }

        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (marked, mark) = token.rsplit_once('.')?;
        let (header, claims) = marked.split_once('.')?;
        let kind: Kind = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let key_id = kind.kid.filter(|_| kind.alg == Algorithm::HS256)?;
        Some(Self { key_id, marked, claims, mark })
    }

    /// The name of the key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

impl Signer {
    /// A token as [`Signer::sign`] makes it, under the agreed key with this name.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if the grant can't be written as JSON.
    pub fn sign_agreed<G: Serialize>(
        &self,
        grant: G,
        key: &AgreedKey,
        id: &str,
    ) -> Result<Secret, TokenError> {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::HS256) };
        self.token(&header, grant, &EncodingKey::from_secret(key.bytes()))
    }
}

impl Verifier {
    /// The claims of a token that was made under this agreed key, for this service, and is valid now.
    ///
    /// # Errors
    /// Any [`TokenError`].
    pub fn verify_agreed<G: DeserializeOwned>(
        &self,
        token: &AgreedToken<'_>,
        key: &AgreedKey,
    ) -> Result<Claims<G>, TokenError> {
        let invalid = |_| TokenError::Invalid;
        let mark = URL_SAFE_NO_PAD.decode(token.mark).map_err(invalid)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.bytes());
        hmac::verify(&key, token.marked.as_bytes(), &mark).map_err(|_| TokenError::Invalid)?;
        let claims = URL_SAFE_NO_PAD.decode(token.claims).map_err(invalid)?;
        self.for_us_now(serde_json::from_slice(&claims).map_err(|_| TokenError::Invalid)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LEEWAY_S, LIFETIME_S_MAX, generate_key_pair};
    use super::*;
    use crate::time::{Clock, Timestamp};

    struct Sides {
        clock: Clock,
        ids: Ids,
        signer: Signer,
        verifier: Verifier,
    }

    fn sides() -> Sides {
        let clock = Clock::manual(Timestamp::from_ms(1_795_252_320_000));
        let ids = Ids::seeded(clock.clone(), 1);
        let (private, public) = generate_key_pair(&ids).unwrap();
        let signer = Signer::new(&private, "tickets", "bridge", clock.clone(), ids.clone()).unwrap();
        let verifier = Verifier::new(&public, "tickets", "bridge", clock.clone()).unwrap();
        Sides { clock, ids, signer, verifier }
    }

    fn agreed(ids: &Ids) -> (AgreedKey, AgreedKey) {
        let (one, other) = (Half::new(ids).unwrap(), Half::new(ids).unwrap());
        let (first, second) = (one.public(), other.public());
        (one.agree(&second).unwrap(), other.agree(&first).unwrap())
    }

    #[test]
    fn both_sides_come_to_one_key_and_each_agreement_to_another() {
        let ids = sides().ids;
        let (one, other) = agreed(&ids);
        assert_eq!(one.bytes(), other.bytes());
        assert_ne!(one.bytes(), agreed(&ids).0.bytes());
    }

    #[test]
    fn the_halves_are_those_of_rfc_7748() {
        // Section 6.1.
        let bytes = |hex: &str| -> Vec<u8> {
            let digits: Vec<u8> =
                hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
            digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect()
        };
        let bob = bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let private = PrivateKey::from_private_key(&X25519, &bob).unwrap();
        let public = private.compute_public_key().unwrap();
        let expected = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        assert_eq!(public.as_ref(), expected.as_slice());
        let alice = bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let shared =
            agree(&private, UnparsedPublicKey::new(&X25519, &alice), (), |s| Ok(s.to_vec())).unwrap();
        assert_eq!(shared, bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
    }

    #[test]
    fn a_half_that_is_none_or_leads_to_a_known_key_is_refused() {
        let ids = sides().ids;
        for wrong in ["", "x", "!!", &URL_SAFE_NO_PAD.encode([1; 31]), &URL_SAFE_NO_PAD.encode([0; 32])] {
            assert!(Half::new(&ids).unwrap().agree(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_token_under_the_key_carries_its_grant_and_names_the_key() {
        let Sides { ids, signer, verifier, clock } = sides();
        let (key, same) = agreed(&ids);
        let token = signer.sign_agreed("ticket 7", &key, "key-1").unwrap();
        let read = AgreedToken::read(token.expose()).unwrap();
        assert_eq!(read.key_id(), "key-1");
        let claims: Claims<String> = verifier.verify_agreed(&read, &same).unwrap();
        assert_eq!(claims.grant, "ticket 7");
        clock.advance_ms((LIFETIME_S_MAX + LEEWAY_S) * 1000);
        let error = verifier.verify_agreed::<String>(&read, &same).unwrap_err();
        assert_eq!(error, TokenError::Expired);
    }

    #[test]
    fn neither_kind_of_token_passes_for_the_other_and_no_other_key_opens_it() {
        let Sides { ids, signer, verifier, .. } = sides();
        let (key, other) = (agreed(&ids).0, agreed(&ids).0);
        let token = signer.sign_agreed((), &key, "key-1").unwrap();
        assert_eq!(verifier.verify::<()>(token.expose()).unwrap_err(), TokenError::Invalid);
        let read = AgreedToken::read(token.expose()).unwrap();
        assert!(verifier.verify_agreed::<()>(&read, &key).is_ok());
        assert_eq!(verifier.verify_agreed::<()>(&read, &other).unwrap_err(), TokenError::Invalid);
        let (marked, mark) = token.expose().rsplit_once('.').unwrap();
        let (header, claims) = marked.split_once('.').unwrap();
        let changed = claims.replacen("ey", "eY", 1);
        for forged in [
            format!("{header}.{changed}.{mark}"),
            format!("{marked}."),
            format!("{marked}.{}", mark.chars().skip(1).collect::<String>()),
            format!("{header}.{claims}.{claims}.{mark}"),
        ] {
            let read = AgreedToken::read(&forged).unwrap();
            let error = verifier.verify_agreed::<()>(&read, &key).unwrap_err();
            assert_eq!(error, TokenError::Invalid, "{forged}");
        }
        let signed = signer.sign(()).unwrap();
        assert!(AgreedToken::read(signed.expose()).is_none());
        // The public key is no secret: what is made with its text as the key is refused, too.
        let public = EncodingKey::from_secret(verifier.public_key().as_bytes());
        let header = Header { kid: Some("key-1".into()), ..Header::new(Algorithm::HS256) };
        let forged = signer.token(&header, (), &public).unwrap();
        assert_eq!(verifier.verify::<()>(forged.expose()).unwrap_err(), TokenError::Invalid);
    }

    #[test]
    fn a_key_is_as_long_as_a_key_is() {
        assert!(AgreedKey::from_bytes(&[1; 32]).is_some());
        assert!(AgreedKey::from_bytes(&[1; 31]).is_none() && AgreedKey::from_bytes(&[]).is_none());
    }
}
