//! What can be configured. The defaults with their explanations are in `config/ticket-service.default.toml`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use db_kit::DatabaseConfig;
use serde::Deserialize;
use service_kit::config::{ConfigError, environment, load};
use service_kit::telemetry::TelemetryConfig;

/// The commented defaults that ship with the program.
pub const DEFAULTS: &str = include_str!("../../../config/ticket-service.default.toml");
/// What the names of environment variables begin with.
pub const ENVIRONMENT_PREFIX: &str = "GUICHET_TICKETS";

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The listener.
    pub server: ServerConfig,
    /// The ticket database.
    pub database: DatabaseConfig,
    /// The way to the CRM bridge.
    pub bridge: BridgeConfig,
    /// Attached files.
    pub attachments: AttachmentsConfig,
    /// How long people stay signed in.
    pub sessions: SessionsConfig,
    /// How often the same caller may try.
    pub limits: LimitsConfig,
    /// How tickets behave.
    pub tickets: TicketsConfig,
    /// Work outside requests.
    pub jobs: JobsConfig,
    /// Live updates.
    pub live: LiveConfig,
    /// Who did what, on the record.
    pub audit: AuditConfig,

    /// What supervisors are told.
    pub oversight: OversightConfig,
    /// The log.
    pub telemetry: TelemetryConfig,
}

/// Section `[server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// The address as people type it.
    pub public_url: String,
    /// Threads that answer requests; 0 means one per processor.
    pub workers: usize,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// The longest request body, but for attachments.
    pub body_bytes_max: usize,
    /// How long requests in flight may take after the signal to stop.
    pub shutdown_s: u64,
}

impl ServerConfig {
    /// Whether the browser reaches the service over TLS.
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The public address as browsers write it in `Origin`: scheme, host and port without a path.
    pub fn origin(&self) -> &str {
        let after_scheme = self.public_url.find("://").map_or(0, |start| start + 3);
        let path = self.public_url.bytes().skip(after_scheme).position(|byte| byte == b'/');
        path.and_then(|length| self.public_url.get(..after_scheme + length)).unwrap_or(&self.public_url)
    }
}

/// Section `[bridge]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgeConfig {
    /// The bridge's address; empty means that there is none.
    pub url: String,
    /// The private key that signs grants.
    pub signing_key_file: PathBuf,
    /// How long to wait for an answer.
    pub timeout_ms: u64,
    /// Whether the bridge is told what becomes of tickets that belong to a customer.
    pub ticket_events: bool,
    /// The bridge's public key; empty means that the bridge opens no tickets.
    pub verify_key_file: PathBuf,
}

/// Section `[attachments]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentsConfig {
    /// Where the files are.
    pub dir: PathBuf,
    /// The largest file.
    pub bytes_max: u64,
    /// How many files one message may carry.
    pub count_max: usize,
    /// When an uploaded file that was never sent is removed.
    pub unsent_hours: u32,
}

/// Section `[sessions]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionsConfig {
    /// A session ends after so long without a request.
    pub idle_minutes: u32,
    /// A session ends after so long whatever happens.
    pub absolute_hours: u32,
}

impl SessionsConfig {
    /// Idle time in milliseconds.
    pub fn idle_ms(self) -> i64 {
        i64::from(self.idle_minutes) * 60_000
    }

    /// Whole life in milliseconds.
    pub fn absolute_ms(self) -> i64 {
        i64::from(self.absolute_hours) * 3_600_000
    }
}

/// Section `[limits]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Failed attempts to sign in from one address within the window.
    pub sign_in_per_address: u32,
    /// Failed attempts to sign in for one mail address within the window.
    pub sign_in_per_email: u32,
    /// The window for signing in.
    pub sign_in_window_s: u32,
    /// Requests through the public form from one address within the window.
    pub form_per_address: u32,
    /// The window for the form.
    pub form_window_s: u32,
    /// Nobody fills in the form faster than this.
    pub form_seconds_min: u32,
}

/// Section `[tickets]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketsConfig {
    /// Resolved tickets are closed after so many days; 0 means never.
    pub close_after_days: u32,
    /// The name of the helpdesk on the public form.
    pub helpdesk_name: String,
}

/// Section `[oversight]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OversightConfig {
    /// Tickets in a day whose customer somebody looked at without working on the ticket; 0 means that nobody compares.
    pub idle_tickets_max: u32,
    /// How long after the day's end (UTC) it is compared, so that work may follow.
    pub idle_grace_hours: u32,
}

/// Section `[jobs]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsConfig {
    /// How many jobs run at the same time.
    pub concurrency: usize,
    /// How long to sleep when there is nothing to do.
    pub poll_ms: u64,
}

/// Section `[live]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveConfig {
    /// How often a stream without news shows that it is alive, and asks whether its listener is still signed in.
    pub heartbeat_ms: u64,
    /// In how many places one operator or API key may listen.
    pub streams_per_caller_max: usize,
}

/// Section `[audit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// The private key of the log.
    pub key_file: PathBuf,
    /// The public key of the bridge's log.
    pub other_key_file: PathBuf,
    /// The bridge countersigns at least every so many minutes,
    pub heads_minutes: u32,
    /// and after so many entries.
    pub heads_entries: u32,
}

/// A setting that has the right type and still can't be used.
#[derive(Debug, thiserror::Error)]
pub enum UnusableConfig {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ConfigError),
    /// A value is out of range or does not go with another.
    #[error("{key} can't be used: {why}")]
    Value {
        /// The setting.
        key: &'static str,
        /// What is wrong and what would be right.
        why: String,
    },
}

impl Config {
    /// The defaults, then the file, then the environment of this process.
    ///
    /// # Errors
    /// [`UnusableConfig`] that names the key.
    pub fn read(file: Option<&Path>) -> Result<Self, UnusableConfig> {
        let config: Self = load(DEFAULTS, file, ENVIRONMENT_PREFIX, environment())?;
        config.check()?;
        Ok(config)
    }

    /// The defaults alone, for tests and tools.
    ///
    /// # Errors
    /// None, unless the shipped file is broken.
    pub fn defaults() -> Result<Self, UnusableConfig> {
        Ok(load(DEFAULTS, None, ENVIRONMENT_PREFIX, [])?)
    }

    /// Whether the values make sense together.
    ///
    /// # Errors
    /// [`UnusableConfig::Value`] with the first setting that does not.
    pub fn check(&self) -> Result<(), UnusableConfig> {
        let wrong = |key, why: &str| Err(UnusableConfig::Value { key, why: why.to_owned() });
        let url = &self.server.public_url;
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return wrong("[server] public_url", "write http:// or https:// and the host that people type");
        }
        if !self.bridge.url.is_empty() && self.bridge.signing_key_file.as_os_str().is_empty() {
            return wrong(
                "[bridge] signing_key_file",
                "a bridge needs a key; make a pair with `ticket-service keys generate`",
            );
        }
        if self.sessions.idle_minutes == 0 || self.sessions.absolute_hours == 0 {
            return wrong("[sessions]", "idle_minutes and absolute_hours must be at least 1");
        }
        let limits = &self.limits;
        let smallest = [
            limits.sign_in_per_address,
            limits.sign_in_per_email,
            limits.sign_in_window_s,
            limits.form_per_address,
            limits.form_window_s,
        ];
        if smallest.contains(&0) {
            return wrong("[limits]", "every number but form_seconds_min must be at least 1");
        }
        if self.server.body_bytes_max < 1024 {
            return wrong("[server] body_bytes_max", "must be at least 1024");
        }
        if self.jobs.concurrency == 0 || self.jobs.poll_ms == 0 {
            return wrong("[jobs]", "concurrency and poll_ms must be at least 1");
        }
        if self.live.heartbeat_ms == 0 || self.live.streams_per_caller_max == 0 {
            return wrong("[live]", "heartbeat_ms and streams_per_caller_max must be at least 1");
        }
        if self.audit.heads_minutes == 0 || self.audit.heads_entries == 0 {
            return wrong("[audit]", "heads_minutes and heads_entries must be at least 1");
        }
        self.database
            .backend()
            .map(drop)
            .map_err(|error| UnusableConfig::Value { key: "[database]", why: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_defaults_can_be_used() {
        let config = Config::defaults().unwrap();
        config.check().unwrap();
        assert_eq!(config.server.origin(), "http://127.0.0.1:8080");
        assert!(!config.server.is_https());
    }

    #[test]
    fn the_origin_is_the_public_address_without_its_path() {
        let mut config = Config::defaults().unwrap();
        config.server.public_url = "https://help.example.org:8443/desk/".into();
        assert_eq!(config.server.origin(), "https://help.example.org:8443");
        assert!(config.server.is_https());
    }

    #[test]
    fn a_bridge_without_a_key_is_refused_with_the_command_that_makes_one() {
        let mut config = Config::defaults().unwrap();
        config.bridge.url = "http://127.0.0.1:8090".into();
        let error = config.check().unwrap_err().to_string();
        assert!(error.contains("signing_key_file") && error.contains("keys generate"), "{error}");
    }
}
