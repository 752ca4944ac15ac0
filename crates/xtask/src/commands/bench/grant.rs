//! Grants as the ticket service signs them, made here so that one lasts for many questions.

use std::fs;
use std::time::SystemTime;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_kit::Stack;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

const TOKEN_LIFETIME_S: u64 = 60;

/// Signs as the ticket service of a stack.
pub(super) struct Notary(SigningKey);

impl Notary {
    pub(super) fn of(stack: &Stack) -> Result<Self> {
        let key = fs::read_to_string(stack.dir().join("ticket-service/signing-key.pem"))?;
        Ok(Self(SigningKey::from_pkcs8_pem(&key).context("the key of the ticket service")?))
    }

    /// A token for that ticket and purpose (JWT, EdDSA).
    #[expect(clippy::disallowed_methods, reason = "the bridge compares the token with the time on the wall")]
    pub(super) fn grant(&self, ticket: u64, purpose: &Value) -> Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
        let claims = json!({
            "iss": "ticket-service", "aud": "crm-bridge", "iat": now, "exp": now + TOKEN_LIFETIME_S,
            "jti": format!("bench-{ticket}"),
            "grant": { "ticket": ticket, "purpose": purpose },
        });
        let encode = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", encode(json!({ "typ": "JWT", "alg": "EdDSA" })), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()).to_bytes());
        Ok(format!("{signed}.{signature}"))
    }
}
