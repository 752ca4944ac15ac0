//! Tells a listener of changed contacts, as CRMs do: signed, and with the whole record although nobody needs it.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

/// Carries the time of sending, in seconds.
pub const TIMESTAMP_HEADER: &str = "X-Sandbox-Timestamp";
/// Carries `sha256=` and the hexadecimal HMAC-SHA256 of time, dot and body.
pub const SIGNATURE_HEADER: &str = "X-Sandbox-Signature";

/// Whom to tell, and the key that both know.
#[derive(Clone)]
pub struct Target {
    /// Where to post.
    pub url: String,
    /// The key of the signature.
    pub secret: String,
}

/// The signature of a body sent at that time.
#[must_use]
pub fn signature(secret: &str, timestamp_s: i64, body: &[u8]) -> String {
    // A key of any length will do for HMAC (RFC 2104), so this is never empty.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(timestamp_s.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

impl Target {
    /// Sends one event on its own; whether it arrives is of no concern to whoever changed the record.
    pub fn tell(&self, kind: &'static str, id: &str, record: Value, now: Timestamp) {
        let body = json!({ "events": [{ "kind": kind, "id": id, "record": record }] }).to_string();
        let seconds = now.as_second();
        let signature = signature(&self.secret, seconds, body.as_bytes());
        let url = self.url.clone();
        actix_web::rt::spawn(async move {
            let Ok(client) = reqwest::Client::builder().no_proxy().build() else { return };
            let request = client
                .post(url)
                .header("Content-Type", "application/json")
                .header(TIMESTAMP_HEADER, seconds.to_string())
                .header(SIGNATURE_HEADER, signature)
                .body(body);
            let _ = request.send().await;
        });
    }
}
