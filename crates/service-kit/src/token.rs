//! Short-lived signed tokens between the services: JWT (RFC 7519) with EdDSA over Ed25519 (RFC 8037), or under a key that
//! both have agreed on.

mod agreed;

use std::path::Path;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::agreed::{AGREED_KEY_LIFETIME_S, AgreedKey, AgreedToken, Half};
use crate::ids::Ids;
use crate::secret::Secret;
use crate::time::Clock;

/// A token lives at most this long.
pub const LIFETIME_S_MAX: i64 = 60;
/// So far may the clocks of two machines be apart.
pub const LEEWAY_S: i64 = 5;
/// A longer token is refused unread.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// What a token says: who made it, for whom, until when, and what it grants.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims<G> {
    /// The service that signed.
    pub iss: String,
    /// The service that the token is for.
    pub aud: String,
    /// Signed at, in seconds since the Unix epoch.
    pub iat: i64,
    /// Not valid from this second on.
    pub exp: i64,
    /// The token's own id.
    pub jti: String,
    /// What it grants.
    pub grant: G,
}

/// Why a token is not accepted. The reader of an answer learns only that; the log learns which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token, another algorithm, a wrong signature, or claims of another shape.
    #[error("the token is not signed by the expected key or not of the expected shape")]
    Invalid,
    /// Made under a key that was not agreed on, or a while ago.
    #[error("the token is made under a key that was not agreed on, or too long ago")]
    UnknownKey,
    /// Made by or for another service.
    #[error("the token was made by or for another service")]
    Foreign,
    /// Too old, not yet valid, or made to live longer than allowed.
    #[error("the token has expired, is not yet valid, or lives too long")]
    Expired,
}

/// Why a key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("the key file {path} can't be used: {cause}")]
    File {
        /// The path as given.
        path: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The text is not an Ed25519 key in PEM.
    #[error("not an Ed25519 key in PEM; make a pair with `ticket-service keys generate`")]
    Format,
}

/// Reads a key file.
///
/// # Errors
/// [`KeyError::File`] with the path.
pub fn read_key_file(path: &Path) -> Result<Secret, KeyError> {
    std::fs::read_to_string(path)
        .map(Secret::new)
        .map_err(|cause| KeyError::File { path: path.display().to_string(), cause })
}

/// Makes a new key pair: the private key (PKCS#8 PEM) and the public key (SPKI PEM).
///
/// # Errors
/// [`KeyError::Format`] if the key can't be encoded, which does not happen with a sound library.
pub fn generate_key_pair(ids: &Ids) -> Result<(Secret, String), KeyError> {
    let mut seed = zeroize::Zeroizing::new([0u8; 32]);
    ids.fill(seed.as_mut());
    let key = SigningKey::from_bytes(&seed);
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Format)?;
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| KeyError::Format)?;
    Ok((Secret::new(private.to_string()), public))
}

/// Signs tokens of one service for one other service.
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    issuer: &'static str,
    audience: &'static str,
    clock: Clock,
    ids: Ids,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({} for {})", self.issuer, self.audience)
    }
}

impl Signer {
    /// A signer with a private key in PKCS#8 PEM.
    ///
    /// # Errors
    /// [`KeyError::Format`] if the key is none.
    pub fn new(
        private_pem: &Secret,
        issuer: &'static str,
        audience: &'static str,
        clock: Clock,
        ids: Ids,
    ) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(private_pem.expose()).map_err(|_| KeyError::Format)?;
        let key = EncodingKey::from_ed_pem(private_pem.expose().as_bytes()).map_err(|_| KeyError::Format)?;
        Ok(Self { key, issuer, audience, clock, ids })
    }

    /// A token that grants `grant` for [`LIFETIME_S_MAX`] seconds.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if the grant can't be written as JSON.
    pub fn sign<G: Serialize>(&self, grant: G) -> Result<Secret, TokenError> {
        self.token(&Header::new(Algorithm::EdDSA), grant, &self.key)
    }

    fn token<G: Serialize>(
        &self,
        header: &Header,
        grant: G,
        key: &EncodingKey,
    ) -> Result<Secret, TokenError> {
        let now = self.clock.now().seconds();
        let claims = Claims {
            iss: self.issuer.to_owned(),
            aud: self.audience.to_owned(),
            iat: now,
            exp: now + LIFETIME_S_MAX,
            jti: self.ids.token(12),
            grant,
        };
        jsonwebtoken::encode(header, &claims, key).map(Secret::new).map_err(|_| TokenError::Invalid)
    }
}

/// Checks tokens that one service signed for this one.
#[derive(Clone)]
pub struct Verifier {
    key: DecodingKey,
    public_pem: String,
    validation: Validation,
    issuer: &'static str,
    audience: &'static str,
    clock: Clock,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({} for {})", self.issuer, self.audience)
    }
}

impl Verifier {
    /// A verifier with a public key in SPKI PEM.
    ///
    /// # Errors
    /// [`KeyError::Format`] if the key is none.
    pub fn new(
        public_pem: &str,
        issuer: &'static str,
        audience: &'static str,
        clock: Clock,
    ) -> Result<Self, KeyError> {
        let key = DecodingKey::from_ed_pem(public_pem.as_bytes()).map_err(|_| KeyError::Format)?;
        // One algorithm and nothing else: times and audience are checked afterwards, with the clock that was passed in.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Ok(Self { key, public_pem: public_pem.trim().to_owned(), validation, issuer, audience, clock })
    }

    /// The public key that it was made with, as text.
    #[must_use]
    pub fn public_key(&self) -> &str {
        &self.public_pem
    }

    /// The claims of a token that was signed by the expected key, for this service, and is valid now.
    ///
    /// # Errors
    /// Any [`TokenError`].
    pub fn verify<G: DeserializeOwned>(&self, token: &str) -> Result<Claims<G>, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let token = jsonwebtoken::decode::<Claims<G>>(token, &self.key, &self.validation);
        self.for_us_now(token.map_err(|_| TokenError::Invalid)?.claims)
    }

    /// Whether claims that are genuine are for this service, and now.
    fn for_us_now<G>(&self, claims: Claims<G>) -> Result<Claims<G>, TokenError> {
        if claims.iss != self.issuer || claims.aud != self.audience {
            return Err(TokenError::Foreign);
        }
        let now = self.clock.now().seconds();
        let alive = claims.iat <= now.saturating_add(LEEWAY_S) && now < claims.exp.saturating_add(LEEWAY_S);
        let short = (0..=LIFETIME_S_MAX).contains(&claims.exp.saturating_sub(claims.iat));
        if alive && short { Ok(claims) } else { Err(TokenError::Expired) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    struct Pair {
        clock: Clock,
        ids: Ids,
        private: Secret,
        public: String,
    }

    impl Pair {
        fn new() -> Self {
            let clock = Clock::manual(Timestamp::from_ms(1_795_252_320_000));
            let ids = Ids::seeded(clock.clone(), 1);
            let (private, public) = generate_key_pair(&ids).unwrap();
            Self { clock, ids, private, public }
        }

        fn signer(&self, issuer: &'static str, audience: &'static str) -> Signer {
            Signer::new(&self.private, issuer, audience, self.clock.clone(), self.ids.clone()).unwrap()
        }

        fn verifier(&self) -> Verifier {
            Verifier::new(&self.public, "tickets", "bridge", self.clock.clone()).unwrap()
        }
    }

    #[test]
    fn a_token_carries_its_grant_across() {
        let pair = Pair::new();
        let token = pair.signer("tickets", "bridge").sign("ticket 10482").unwrap();
        let claims: Claims<String> = pair.verifier().verify(token.expose()).unwrap();
        assert_eq!(claims.grant, "ticket 10482");
    }

    #[test]
    fn a_token_dies_after_a_minute_and_the_leeway() {
        let pair = Pair::new();
        let token = pair.signer("tickets", "bridge").sign(()).unwrap();
        pair.clock.advance_ms((LIFETIME_S_MAX + LEEWAY_S - 1) * 1000);
        assert!(pair.verifier().verify::<()>(token.expose()).is_ok());
        pair.clock.advance_ms(1000);
        assert_eq!(pair.verifier().verify::<()>(token.expose()).unwrap_err(), TokenError::Expired);
    }

    #[test]
    fn a_token_for_another_service_is_foreign() {
        let pair = Pair::new();
        for token in [pair.signer("tickets", "tickets").sign(()), pair.signer("bridge", "bridge").sign(())] {
            let error = pair.verifier().verify::<()>(token.unwrap().expose()).unwrap_err();
            assert_eq!(error, TokenError::Foreign);
        }
    }

    #[test]
    fn a_token_of_another_key_or_with_a_changed_letter_is_invalid() {
        let (pair, mut other) = (Pair::new(), Pair::new());
        let (private, public) = generate_key_pair(&other.ids).unwrap();
        (other.private, other.public) = (private, public);
        let foreign = other.signer("tickets", "bridge").sign(()).unwrap();
        assert_eq!(pair.verifier().verify::<()>(foreign.expose()).unwrap_err(), TokenError::Invalid);
        let token = pair.signer("tickets", "bridge").sign(()).unwrap();
        let changed = token.expose().replacen("ey", "eY", 1);
        assert_eq!(pair.verifier().verify::<()>(&changed).unwrap_err(), TokenError::Invalid);
    }

    #[test]
    fn a_token_without_signature_is_invalid() {
        let pair = Pair::new();
        let unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ0aWNrZXRzIn0.";
        assert_eq!(pair.verifier().verify::<()>(unsigned).unwrap_err(), TokenError::Invalid);
    }
}
