//! The use cases: each checks who asks, then does its work in one transaction.

pub mod api_keys;
pub mod attachments;
pub mod audit;
pub mod break_glass;
pub mod change_ticket;
pub mod close_resolved;
pub mod follow_customers;
pub mod link_customer;
pub mod list_tickets;
pub mod live;
pub mod me;
pub mod open_for_customer;
pub mod open_ticket;
pub mod operators;
pub mod oversight;
pub mod passwords;
pub mod permit;
pub mod post_message;
pub mod presence;
pub mod public_request;
pub mod queues;
pub mod rate_limit;
pub mod resolve_customer;
pub mod reveal_field;
pub mod seed;
pub mod show_card;
pub mod show_ticket;
pub mod sign_in;
pub mod sign_in_cache;
pub mod tell_bridge;
pub mod tidy_up;
pub mod view;

use std::net::IpAddr;
use std::sync::Arc;

use audit_log::chain::{AuditKey, PublicKey};
use db_kit::Database;
use service_kit::metrics::Metrics;
use service_kit::token::Verifier;
use service_kit::{Clock, Ids};
use tokio::sync::watch;

use crate::app::live::Listeners;
use crate::app::passwords::Passwords;
use crate::app::presence::Presence;
use crate::app::rate_limit::RateLimit;
use crate::app::sign_in_cache::SignInCache;
use crate::bridge::BridgeClient;
use crate::config::Config;
use crate::files::FileStore;
use crate::jobs::JobMetrics;
use crate::store::Store;

/// Everything that a use case needs. One per process; clones share it.
#[derive(Clone)]
pub struct App {
    /// The tickets.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Ids and random values.
    pub ids: Ids,
    /// The settings.
    pub config: Arc<Config>,
    /// What is counted.
    pub metrics: Metrics,
    /// Password hashes.
    pub passwords: Passwords,
    /// Who may try how often.
    pub limits: Arc<Limits>,
    /// Who was found to be signed in a moment ago.
    pub sign_ins: Arc<SignInCache>,
    /// The way to the CRM bridge, if there is one.
    pub bridge: Option<BridgeClient>,
    /// The public key of the bridge's audit log, if the settings name it.
    pub other_audit_key: Option<PublicKey>,
    /// Checks what the bridge signs, if its key is known.
    pub bridge_verifier: Option<Verifier>,
    /// Attached files.
    pub files: FileStore,
    /// Who has which ticket open.
    pub presence: Presence,
    /// Who listens to live updates.
    pub listeners: Listeners,
    /// How jobs end.
    pub job_metrics: JobMetrics,
    stopping: watch::Sender<bool>,
}

/// The limits on those who are not signed in.
#[derive(Debug)]
pub struct Limits {
    /// Attempts to sign in from one address.
    pub sign_in_address: RateLimit<IpAddr>,
    /// Attempts to sign in for one mail address.
    pub sign_in_email: RateLimit<String>,
    /// Requests through the public form from one address.
    pub form_address: RateLimit<IpAddr>,
}

impl Limits {
    fn new(clock: &Clock, config: &Config) -> Self {
        let limits = &config.limits;
        Self {
            sign_in_address: RateLimit::new(
                clock.clone(),
                limits.sign_in_per_address,
                limits.sign_in_window_s,
            ),
            sign_in_email: RateLimit::new(clock.clone(), limits.sign_in_per_email, limits.sign_in_window_s),
            form_address: RateLimit::new(clock.clone(), limits.form_per_address, limits.form_window_s),
        }
    }
}

impl App {
    /// Puts the service together over an opened and migrated database; `key` is the audit log's.
    pub fn new(config: Config, database: Database, clock: Clock, ids: Ids, key: AuditKey) -> Self {
        let metrics = Metrics::new("guichet_tickets");
        Self {
            bridge: None,
            bridge_verifier: None,
            files: FileStore::new(&config.attachments.dir, config.attachments.bytes_max),
            presence: Presence::new(clock.clone()),
            listeners: Listeners::default(),
            job_metrics: JobMetrics::registered_in(&metrics),
            store: Store::new(database, clock.clone(), ids.clone(), key)
                .telling_the_bridge(config.bridge.ticket_events && !config.bridge.url.is_empty()),
            other_audit_key: None,
            metrics,
            passwords: Passwords::new(ids.clone()),
            limits: Arc::new(Limits::new(&clock, &config)),
            sign_ins: Arc::new(SignInCache::new(clock.clone())),
            stopping: watch::Sender::new(false),
            config: Arc::new(config),
            clock,
            ids,
        }
    }

    /// The same with a way to the bridge.
    #[must_use]
    pub fn with_bridge(mut self, bridge: Option<BridgeClient>) -> Self {
        self.bridge = bridge;
        self
    }

    /// The same with the key by which the bridge is known.
    #[must_use]
    pub fn with_bridge_key(mut self, verifier: Option<Verifier>) -> Self {
        self.bridge_verifier = verifier;
        self
    }

    /// Asks everything that never ends by itself (live updates, jobs) to end.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Resolves once [`App::stop`] was called.
    pub async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // An error means that nobody is left who could ask; that is the end, too.
        let _ended = stopping.wait_for(|stopping| *stopping).await;
    }
}
