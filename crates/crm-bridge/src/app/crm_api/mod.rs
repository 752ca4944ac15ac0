//! The other direction: the CRM reads its customers' tickets, has tickets opened, and is told what becomes of them.
//!
//! [`receive`] takes the ticket service's events and cuts them to what the ticket policy lists; everything else reads what
//! was kept of them. A caller comes with a key ([`keys`]) and names customers by the CRM's own ids. What calls do goes on
//! the record in one place ([`record`]).

pub mod events;
pub mod keys;
mod metrics;
pub mod open;
pub mod panel;
pub mod receive;
pub mod record;
pub mod tickets;
pub mod wire;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use db_kit::DbError;
use serde::Deserialize;
use service_kit::metrics::Metrics;
use service_kit::rate_limit::RateLimit;
use tokio::sync::Notify;

pub use self::metrics::OutwardMetrics;
use super::Bridge;
use crate::connector::trouble::Trouble;
use crate::deliver::orders::Orders;
use crate::ticket_policy::TicketPolicy;

/// Section `[crm_api]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrmApiConfig {
    /// Address and port; empty: no listener.
    pub listen: String,
    /// How it is reached from outside.
    pub public_url: String,
    /// Threads that answer.
    pub workers: usize,
    /// The longest request.
    pub body_bytes_max: usize,
    /// Where tickets are opened.
    pub ticket_service_url: String,
    /// The bridge's private key.
    pub signing_key_file: PathBuf,
    /// How long the ticket service may take.
    pub ticket_service_timeout_ms: u64,
    /// Requests of one key.
    pub requests_per_minute: u32,
    /// Different unknown customers that one key may ask for.
    pub unknown_per_hour: u32,
    /// Wrong keys from one address.
    pub failed_keys_per_minute: u32,
    /// Who may show the panel in a frame.
    pub panel_origins: Vec<String>,
    /// How long a link to the panel lasts.
    pub panel_life_s: u32,
    /// In which zone the panel shows times.
    pub panel_time_zone: String,
    /// Whether events become activities in the CRM.
    pub activities: bool,
    /// How long a receiver of webhooks may take.
    pub webhook_timeout_ms: u64,
    /// Allows receivers in private networks, and http.
    pub webhook_allow_private: bool,
    /// After so many attempts a delivery is dead.
    pub delivery_attempts_max: u32,
    /// The first pause between attempts.
    pub delivery_retry_first_ms: u32,
    /// The longest pause.
    pub delivery_retry_max_s: u32,
    /// For how long a dead delivery waits for people.
    pub delivery_dead_days: u32,
    /// For how long the feed is kept.
    pub feed_days: u32,
}

impl CrmApiConfig {
    /// Where to listen, if anywhere.
    ///
    /// # Errors
    /// A sentence, if it is no address.
    pub fn address(&self) -> Result<Option<std::net::SocketAddr>, String> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        let wrong = |_| "crm_api.listen is an address and a port, such as 127.0.0.1:8472".to_owned();
        self.listen.parse().map(Some).map_err(wrong)
    }

    /// What browsers are told about who may frame the panel.
    ///
    /// # Errors
    /// A sentence with the entry that is no origin: whatever stands here ends up in a header.
    pub fn frame_ancestors(&self) -> Result<String, String> {
        for origin in &self.panel_origins {
            let url = url::Url::parse(origin).ok();
            let plain = url.is_some_and(|url| {
                matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == *origin
            });
            if !plain {
                return Err(format!(
                    "crm_api.panel_origins: {} is no origin; write scheme and host only, such as https://crm.example.org",
                    origin.escape_default()
                ));
            }
        }
        Ok(if self.panel_origins.is_empty() { "'none'".to_owned() } else { self.panel_origins.join(" ") })
    }
}

/// What every part of the bridge knows of the other direction.
#[derive(Clone)]
pub struct Outward {
    /// What the CRM may read; nothing, if there is none.
    pub policy: Option<Arc<TicketPolicy>>,
    /// Rings when something is to be delivered.
    pub bell: Arc<Notify>,
    /// Whether events become activities in the CRM.
    pub activity: bool,
    /// What is counted.
    pub metrics: OutwardMetrics,
}

impl Outward {
    /// With this policy; events become activities in the CRM, if `activity`.
    #[must_use]
    pub fn new(policy: Option<TicketPolicy>, activity: bool, metrics: &Metrics) -> Self {
        let metrics = OutwardMetrics::new(metrics);
        Self { policy: policy.map(Arc::new), bell: Arc::default(), activity, metrics }
    }
}

/// Everything that the CRM's calls need. Made once, shared by all requests.
#[derive(Clone)]
pub struct CrmApi {
    /// The bridge behind it.
    pub bridge: Bridge,
    /// The settings.
    pub settings: Arc<CrmApiConfig>,
    /// The way to the ticket service, if tickets can be opened.
    pub orders: Option<Orders>,
    /// Who may call how often.
    pub limits: Arc<Limits>,
}

/// How often callers may call.
pub struct Limits {
    /// Requests of one key.
    pub requests: RateLimit<String>,
    /// Unknown customers that one key asked for.
    pub unknown: RateLimit<String>,
    /// Key and id of unknown customers that were counted within the hour: the same one again is no guessing.
    pub counted: RateLimit<(String, String)>,
    /// Wrong keys from one address.
    pub failed: RateLimit<IpAddr>,
}

impl CrmApi {
    /// The other direction of that bridge.
    #[must_use]
    pub fn new(bridge: Bridge, settings: CrmApiConfig, orders: Option<Orders>) -> Self {
        let limits = Limits {
            requests: RateLimit::new(bridge.clock.clone(), settings.requests_per_minute, 60),
            unknown: RateLimit::new(bridge.clock.clone(), settings.unknown_per_hour, 3_600),
            counted: RateLimit::new(bridge.clock.clone(), 1, 3_600),
            failed: RateLimit::new(bridge.clock.clone(), settings.failed_keys_per_minute, 60),
        };
        Self { bridge, settings: Arc::new(settings), orders, limits: Arc::new(limits) }
    }

    /// What the CRM may read.
    ///
    /// # Errors
    /// [`CrmError::NoPolicy`] if it may read nothing.
    pub fn policy(&self) -> Result<&TicketPolicy, CrmError> {
        self.bridge.outward.policy.as_deref().ok_or(CrmError::NoPolicy)
    }
}

/// Why a call of the CRM was not answered. Becomes a problem in `http`.
#[derive(Debug, thiserror::Error)]
pub enum CrmError {
    /// No key, or one that is unknown or revoked; which of these is not told.
    #[error("the key is not valid")]
    KeyInvalid,
    /// The key may do other things.
    #[error("the key has no scope {0}")]
    ScopeMissing(&'static str),
    /// Too often; again in so many seconds.
    #[error("too many requests, wait {0} s")]
    TooMany(u64),
    /// Too many ids that nobody knows; again in so many seconds.
    #[error("too many unknown customers, wait {0} s")]
    TooManyUnknown(u64),
    /// There is no ticket policy.
    #[error("there is no ticket policy")]
    NoPolicy,
    /// The CRM itself knows no such customer.
    #[error("the customer is not known")]
    CustomerUnknown,
    /// No such ticket of this customer.
    #[error("the ticket is not known for this customer")]
    TicketUnknown,
    /// Members of the request are wrong: name and what is wrong.
    #[error("invalid input")]
    Invalid(Vec<(&'static str, String)>),
    /// The header `Idempotency-Key` is missing.
    #[error("the idempotency key is missing")]
    IdempotencyMissing,
    /// The same key with another order.
    #[error("an idempotency key was used for another order")]
    IdempotencyMismatch,
    /// The feed begins later; after this number.
    #[error("the feed begins after {0}")]
    Forgotten(i64),
    /// There is no way to the ticket service.
    #[error("tickets can't be opened here")]
    OpeningOff,
    /// The ticket service did not take the order.
    #[error("the ticket service can't be asked: {0}")]
    TicketServiceAway(&'static str),
    /// The CRM can't be asked whether the customer exists.
    #[error("the CRM can't be asked: {}", .0.as_str())]
    CrmUnavailable(Trouble),
    /// The database.
    #[error(transparent)]
    Database(#[from] DbError),
    /// Something that cannot be.
    #[error("internal: {0}")]
    Internal(&'static str),
}
