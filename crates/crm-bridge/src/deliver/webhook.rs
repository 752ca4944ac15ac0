//! Webhooks after the Standard Webhooks scheme: `webhook-id`, `webhook-timestamp`, and `webhook-signature` over both and the
//! body, with a secret of each receiver's own. An attempt of the same event has the same id.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::Serialize;
use service_kit::{Secret, Timestamp};
use sha2::Sha256;

use super::Failure;
use super::guard::{PublicOnly, check_target};
use crate::app::crm_api::wire::EventView;

const SECRET_PREFIX: &str = "whsec_";

/// The body of a webhook.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: Timestamp,
    data: &'a EventView,
}

/// The secret of a webhook, as its receiver is told it.
#[must_use]
pub fn secret_text(secret: &[u8]) -> Secret {
    Secret::new(format!("{SECRET_PREFIX}{}", STANDARD.encode(secret)))
}

/// Calls receivers: no redirects, no proxy, no private addresses, and nothing of their answer is read but the status.
#[derive(Clone, Debug)]
pub struct WebhookClient {
    http: reqwest::Client,
    allow_private: bool,
}

impl WebhookClient {
    /// A client that gives up after so long.
    ///
    /// # Errors
    /// A sentence, if the client can't be built.
    pub fn new(timeout_ms: u64, allow_private: bool) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("guichet-crm-bridge/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(Arc::new(PublicOnly { allow_private }))
            .timeout(Duration::from_millis(timeout_ms))
            .pool_max_idle_per_host(2)
            .build()
            .map_err(|_| {
                "the client for webhooks could not be built; is the certificate store there?".to_owned()
            })?;
        Ok(Self { http, allow_private })
    }

    /// Delivers an event; `Ok` means that the receiver has taken it.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn post(
        &self,
        url: &str,
        secret: &[u8],
        event: &EventView,
        now: Timestamp,
    ) -> Result<(), Failure> {
        // Asked again: the setting may have changed since the webhook was added.
        let url = check_target(url, self.allow_private)
            .map_err(|_| Failure::new("address_refused", "the address may not be called"))?;
        let message = Message { kind: &event.kind, timestamp: event.at, data: event };
        let body = serde_json::to_string(&message).map_err(|_| Failure::new("internal", "no message"))?;
        let (id, timestamp) = (format!("evt_{}", event.seq), now.seconds().to_string());
        let signature = signature(secret, &id, &timestamp, &body)
            .ok_or_else(|| Failure::new("internal", "no signature"))?;
        let answer = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body)
            .send()
            .await
            .map_err(|error| trouble(&error))?;
        let status = answer.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        let pause_s = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.trim().parse().ok());
        let word = if (300..400).contains(&status) { "redirect" } else { "refused" };
        Err(Failure { pause_s, gone: status == 410, ..Failure::new(word, format!("status {status}")) })
    }
}

fn trouble(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        Failure::new("timeout", "no answer in time")
    } else if error.is_connect() {
        Failure::new("unreachable", "no connection, a wrong certificate, or no public address")
    } else {
        Failure::new("broken", "the connection broke")
    }
}

/// `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64.
fn signature(secret: &[u8], id: &str, timestamp: &str, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        // The example of the Standard Webhooks specification's libraries.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}")
                .unwrap();
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
