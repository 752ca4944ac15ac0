//! The panel: a customer's tickets as a small page that the CRM shows in a frame. The link is the key to it, so it is short
//! lived and good for one customer.
//!
//! A link ends in `base64url(payload).base64url(HMAC-SHA256(secret, payload))`, where payload is
//! `1:{expires}:{key id}:{customer id}`, expires is in seconds since 1970, and the secret is the text `gps_…` that was
//! shown with the key. The CRM may ask the bridge for a link or make it itself.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use service_kit::Timestamp;
use service_kit::rate_limit::caller_of;
use sha2::Sha256;
use utoipa::ToSchema;

use super::keys::{Caller, Scope, panel_secret};
use super::tickets::check_customer_id;
use super::wire::TicketView;
use super::{CrmApi, CrmError};

/// The panel shows so many tickets; the newest.
const TICKETS_MAX: i64 = 50;
/// So far may the CRM's clock be ahead.
const LEEWAY_S: i64 = 30;
const LINK_BYTES_MAX: usize = 1024;

/// For whom a link is wanted.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PanelWish {
    /// The CRM's id of the customer.
    #[schema(max_length = 200)]
    pub customer_id: String,
}

/// A link to the panel.
#[derive(Clone, Serialize, ToSchema)]
pub struct PanelUrl {
    /// The address for the frame. Whoever has it sees the panel until it expires.
    pub url: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why a panel is not shown.
#[derive(Debug)]
pub enum PanelRefusal {
    /// The signature is right, and the time is over.
    Expired,
    /// Anything else; what it is is for the log only.
    Invalid(&'static str),
    /// Too many wrong links came from this address.
    TooMany(u64),
    /// It could not be looked up.
    Failed(CrmError),
}

/// A link for one customer.
///
/// # Errors
/// [`CrmError`].
pub fn sign(api: &CrmApi, caller: &Caller, wish: &PanelWish) -> Result<PanelUrl, CrmError> {
    caller.needs(Scope::PanelSign)?;
    check_customer_id(&wish.customer_id)?;
    let life_ms = i64::from(api.settings.panel_life_s) * 1_000;
    let expires_at = Timestamp::from_ms(api.bridge.clock.now().plus_ms(life_ms).seconds() * 1_000);
    let payload = format!("1:{}:{}:{}", expires_at.seconds(), caller.key_id, wish.customer_id);
    let secret = panel_secret(&api.bridge.vault, &caller.key_id);
    let mac = mac(secret.expose(), &payload).ok_or(CrmError::Internal("panel signature"))?;
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    let base = api.settings.public_url.trim_end_matches('/');
    let url = format!("{base}/panel/{}.{signature}", URL_SAFE_NO_PAD.encode(&payload));
    Ok(PanelUrl { url, expires_at })
}

/// What the panel of a link shows. Reads what the bridge keeps and nothing else.
///
/// # Errors
/// [`PanelRefusal`].
pub async fn show(api: &CrmApi, link: &str, peer: IpAddr) -> Result<Vec<TicketView>, PanelRefusal> {
    let (key_id, customer_id) = match check(api, link).await {
        Ok(checked) => checked,
        Err(PanelRefusal::Invalid(why)) => {
            tracing::warn!(panel.refused = why, "a link to the panel was refused");
            api.limits.failed.attempt(&caller_of(peer)).map_err(PanelRefusal::TooMany)?;
            return Err(PanelRefusal::Invalid(why));
        }
        Err(other) => return Err(other),
    };
    api.limits.requests.attempt(&key_id).map_err(PanelRefusal::TooMany)?;
    let policy = api.policy().map_err(PanelRefusal::Failed)?;
    let source = api.bridge.source().to_owned();
    let rows = api.bridge.store.tickets_of(source, customer_id, None, TICKETS_MAX).await;
    let rows = rows.map_err(|error| PanelRefusal::Failed(error.into()))?;
    Ok(rows.into_iter().map(|row| TicketView::new(policy, row)).collect())
}

/// Key and customer of a link that is good now.
async fn check(api: &CrmApi, link: &str) -> Result<(String, String), PanelRefusal> {
    let wrong = PanelRefusal::Invalid;
    if link.len() > LINK_BYTES_MAX {
        return Err(wrong("it is too long"));
    }
    let (payload, signature) = link.split_once('.').ok_or(wrong("it has no signature"))?;
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let payload = decode(payload).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(wrong("payload"))?;
    let signature = decode(signature).ok_or(wrong("signature"))?;
    let mut parts = payload.splitn(4, ':');
    let (version, expires) = (parts.next(), parts.next().and_then(|text| text.parse::<i64>().ok()));
    let (Some("1"), Some(expires), Some(key_id), Some(customer_id)) =
        (version, expires, parts.next(), parts.next())
    else {
        return Err(wrong("payload"));
    };
    // The signature first, so that nothing can be learned of keys without it.
    let secret = panel_secret(&api.bridge.vault, key_id);
    let mac = mac(secret.expose(), &payload).ok_or(wrong("signature"))?;
    mac.verify_slice(&signature).map_err(|_| wrong("signature"))?;
    let key = api.bridge.store.crm_key(key_id.to_owned()).await;
    let key = key.map_err(|error| PanelRefusal::Failed(error.into()))?.ok_or(wrong("the key is revoked"))?;
    Caller::of(&key).needs(Scope::PanelSign).map_err(|_| wrong("the key may not"))?;
    let now = api.bridge.clock.now().seconds();
    if expires <= now {
        return Err(PanelRefusal::Expired);
    }
    if expires > now + i64::from(api.settings.panel_life_s) + LEEWAY_S {
        return Err(wrong("it lasts too long; see crm_api.panel_life_s and the CRM's clock"));
    }
    check_customer_id(customer_id).map_err(|_| wrong("customer"))?;
    Ok((key_id.to_owned(), customer_id.to_owned()))
}

fn mac(secret: &str, payload: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(payload.as_bytes());
    Some(mac)
}
