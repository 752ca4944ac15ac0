//! Grants as the ticket service makes them, under a key agreed on with the bridge; made here so that one lasts for many
//! questions.

use std::fs;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_kit::{Client, Stack};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

const TOKEN_LIFETIME_S: u64 = 60;

/// Makes grants as the ticket service of a stack.
pub(super) struct Notary {
    key_id: String,
    key: hmac::Key,
}

impl Notary {
    /// Agrees on a key with the bridge, as the ticket service does.
    pub(super) fn of(stack: &Stack) -> Result<Self> {
        let pem = fs::read_to_string(stack.dir().join("ticket-service/signing-key.pem"))?;
        let signing_key = SigningKey::from_pkcs8_pem(&pem).context("the key of the ticket service")?;
        let broken = |_| anyhow!("no key could be agreed on with the bridge");
        let private = PrivateKey::generate(&X25519).map_err(broken)?;
        let ours = private.compute_public_key().map_err(broken)?;
        let half = URL_SAFE_NO_PAD.encode(&ours);
        let sign = |signed: &str| signing_key.sign(signed.as_bytes()).to_bytes().to_vec();
        let purpose = json!({ "kind": "agreement", "half": half });
        let token = token(&json!({ "typ": "JWT", "alg": "EdDSA" }), 0, &purpose, sign)?;
        let bridge = Client::new(stack.bridge_url()).with_key(&token);
        let answer = bridge.post("/v1/agreed-keys", &json!({ "version": 1, "half": half }))?;
        let theirs =
            URL_SAFE_NO_PAD.decode(answer["half"].as_str().context("the bridge has sent no half")?)?;
        let mut halves = [ours.as_ref(), theirs.as_slice()];
        halves.sort_unstable();
        let mut key = [0_u8; 32];
        agree(&private, UnparsedPublicKey::new(&X25519, &theirs), Unspecified, |secret| {
            let extracted = Salt::new(HKDF_SHA256, &halves.concat()).extract(secret);
            extracted.expand(&[b"guichet agreed key 1"], Length)?.fill(&mut key)
        })
        .map_err(broken)?;
        let key_id = answer["key_id"].as_str().context("the bridge has named no key")?.to_owned();
        Ok(Self { key_id, key: hmac::Key::new(hmac::HMAC_SHA256, &key) })
    }

    /// A token for that ticket and purpose (JWT, HS256).
    pub(super) fn grant(&self, ticket: u64, purpose: &Value) -> Result<String> {
        let header = json!({ "typ": "JWT", "alg": "HS256", "kid": self.key_id });
        token(&header, ticket, purpose, |signed| hmac::sign(&self.key, signed.as_bytes()).as_ref().to_vec())
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

#[expect(clippy::disallowed_methods, reason = "the bridge compares the token with the time on the wall")]
fn token(header: &Value, ticket: u64, purpose: &Value, sign: impl Fn(&str) -> Vec<u8>) -> Result<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let claims = json!({
        "iss": "ticket-service", "aud": "crm-bridge", "iat": now, "exp": now + TOKEN_LIFETIME_S,
        "jti": format!("bench-{ticket}"),
        "grant": { "ticket": ticket, "purpose": purpose },
    });
    let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", encode(header), encode(&claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(&signed));
    Ok(format!("{signed}.{signature}"))
}
