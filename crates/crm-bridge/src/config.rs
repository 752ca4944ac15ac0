//! Settings of the service. The commented defaults are `config/crm-bridge.default.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use db_kit::DatabaseConfig;
use serde::Deserialize;
use service_kit::config::{self, ConfigError};
use service_kit::telemetry::TelemetryConfig;
use service_kit::{Secret, token};

use crate::app::policies::Rules;
use crate::app::sync::SyncSettings;
use crate::app::webhooks::WebhooksConfig;
use crate::connector::profile::{BUILT_IN, Profile};
use crate::connector::{Settings, SettingsGiven};
use crate::oversight::{BudgetsConfig, OversightConfig};
use crate::policy::approval::{Approvers, PERSONS_NEEDED};
use crate::policy::value::PhoneRules;

/// Records fetched again in one run; the next one goes on.
const HINTS_A_RUN: i64 = 100;

/// How long another process waits before it follows in the place of one that is silent.
const LEASE_MS: i64 = 60_000;

/// The defaults, as text.
pub const DEFAULTS: &str = include_str!("../../../config/crm-bridge.default.toml");
/// Begins the names of environment variables.
pub const ENVIRONMENT_PREFIX: &str = "GUICHET_BRIDGE";

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The listener.
    pub server: ServerConfig,
    /// The bridge's own database.
    pub database: DatabaseConfig,
    /// Who may ask.
    pub ticket_service: TicketServiceConfig,
    /// Whom to ask.
    pub crm: CrmConfig,
    /// What may be shown.
    pub policy: PolicyConfig,
    /// What is kept.
    pub cache: CacheConfig,
    /// Who did what, on the record.
    pub audit: AuditConfig,
    /// How national numbers are read.
    pub phones: PhonesConfig,
    /// Limits on everything.
    pub limits: LimitsConfig,
    /// How many customers one operator may look at.
    pub budgets: BudgetsConfig,
    /// How many customers all operators together may look at.
    pub ceiling: CeilingConfig,
    /// What supervisors are told.
    pub oversight: OversightConfig,
    /// The listener for the CRM.
    pub crm_api: crate::app::crm_api::CrmApiConfig,
    /// What the CRM may read of tickets.
    pub ticket_policy: TicketPolicyConfig,
    /// Following the CRM.
    pub sync: SyncConfig,
    /// What the CRM may send by itself.
    pub webhooks: WebhooksConfig,
    /// The log.
    pub telemetry: TelemetryConfig,
    /// Walls that a test takes away.
    #[cfg(feature = "sabotage")]
    #[serde(default)]
    pub sabotage: crate::walls::Sabotage,
}

/// Section `[server]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: std::net::SocketAddr,
    /// Threads that answer.
    pub workers: usize,
    /// How long requests under way may take to finish.
    pub shutdown_timeout_s: u64,
}

/// Section `[ticket_service]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketServiceConfig {
    /// Its public key.
    pub verify_key_file: PathBuf,
    /// From where it asks.
    pub allow_from: Vec<String>,
}

/// Section `[ceiling]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CeilingConfig {
    /// Different customers in an hour of the clock.
    pub customers_per_hour: usize,
}

/// Section `[crm]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrmConfig {
    /// Name of a profile that ships, or a file.
    pub profile: String,
    /// Where the CRM is.
    pub base_url: String,
    /// The host from which the same CRM has moved to `base_url`.
    pub moved_from: String,
    /// File with the key.
    pub secret_file: PathBuf,
    /// The key itself.
    pub secret: Secret,
    /// Further keys by name.
    pub secrets: BTreeMap<String, GivenSecret>,
    /// What the profile wants to know beside.
    #[serde(deserialize_with = "texts")]
    pub settings: BTreeMap<String, String>,
    /// Allows http to another machine.
    pub allow_plain_http: bool,
    /// Where tokens are given, if not where the profile says.
    pub token_url: String,
    /// Certificates of the company's own authority.
    pub ca_file: PathBuf,
    /// Time to connect.
    pub connect_timeout_ms: u64,
    /// Time between two pieces of an answer.
    pub idle_timeout_ms: u64,
    /// Time for everything.
    pub total_timeout_ms: u64,
}

/// A key, or the file that it is in.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a key, or { file = \"…\" }")]
pub enum GivenSecret {
    /// The key itself.
    Text(Secret),
    /// A file with it.
    File {
        /// The file.
        file: PathBuf,
    },
}

/// Texts; numbers, which an environment variable may look like, pass as their digits.
fn texts<'de, D: serde::Deserializer<'de>>(toml: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values = BTreeMap::<String, toml::Value>::deserialize(toml)?;
    let text = |(name, value)| match value {
        toml::Value::String(text) => Ok((name, text)),
        toml::Value::Integer(number) => Ok((name, number.to_string())),
        toml::Value::Boolean(flag) => Ok((name, flag.to_string())),
        _ => Err(serde::de::Error::custom(format!("crm.settings.{name} is a text"))),
    };
    values.into_iter().map(text).collect()
}

/// Section `[policy]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// The field policy.
    pub file: PathBuf,
    /// Where the policy in force comes from.
    pub source: PolicySource,
    /// Whether a policy that widens what anybody sees needs two persons.
    pub two_persons: bool,
    /// Whether one person is enough when nobody sees more than before.
    pub narrowing_by_one: bool,
    /// How often to look for a newer policy; 0 for only when asked (SIGHUP).
    pub watch_s: u32,
    /// Who may approve: name and file of the public key.
    pub approvers: BTreeMap<String, PathBuf>,
}

/// Where the policy in force comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicySource {
    /// `policy.file`.
    File,
    /// The database, where `policy activate` puts it.
    Database,
}

/// Section `[ticket_policy]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketPolicyConfig {
    /// The ticket policy; empty: the CRM may read nothing.
    pub file: PathBuf,
}

/// Section `[cache]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// The key.
    pub key_file: PathBuf,
    /// A card younger than this is shown without asking.
    pub fresh_s: u32,
    /// A card older than this is not shown.
    pub age_max_s: u32,
}

/// Section `[audit]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// The private key of the log.
    pub key_file: PathBuf,
    /// The public key of the ticket service's log.
    pub other_key_file: PathBuf,
}

/// Section `[sync]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncConfig {
    /// Whether the CRM is followed at all.
    pub enabled: bool,
    /// Where its store is.
    pub database_url: String,
    /// Between two looks for changes.
    pub interval_s: u32,
    /// Between two walks over all known customers.
    pub reconcile_s: u32,
    /// Wait after a hint.
    pub debounce_ms: u32,
    /// Hints that may wait.
    pub hints_waiting_max: u32,
}

/// Section `[phones]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhonesConfig {
    /// Home country.
    pub country_code: String,
    /// What is dialled before a national number.
    pub trunk_prefix: String,
}

/// Section `[limits]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// A question of the ticket service.
    pub body_bytes_max: usize,
    /// An answer of the CRM.
    pub answer_bytes_max: usize,
    /// Nesting of an answer of the CRM.
    pub depth_max: usize,
    /// Records of one answer.
    pub records_max: usize,
    /// Requests to the CRM at once.
    pub requests_at_once_max: usize,
    /// Wait for a turn.
    pub turn_timeout_ms: u64,
    /// Failures before a pause.
    pub failures_max: u32,
    /// The pause.
    pub pause_ms: u32,
    /// Retries of what nobody waits for.
    pub retries_max: u32,
    /// The pause before the first retry.
    pub retry_pause_ms: u64,
}

impl Config {
    /// Reads defaults, file and environment.
    ///
    /// # Errors
    /// [`ConfigError`] with file and key.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        config::load(DEFAULTS, file, ENVIRONMENT_PREFIX, environment)
    }

    /// The profile, from those that ship or from a file.
    ///
    /// # Errors
    /// A sentence with name or file and line.
    pub fn profile(&self) -> Result<Profile, String> {
        let name = &self.crm.profile;
        Profile::load(&self.profile_text()?).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(|error| format!("profile {name}, {error}")).collect();
            lines.join("\n")
        })
    }

    /// The text of the profile, from those that ship or from a file.
    ///
    /// # Errors
    /// A sentence with name or file.
    pub fn profile_text(&self) -> Result<String, String> {
        let name = &self.crm.profile;
        match BUILT_IN.iter().find(|(built_in, _)| built_in == name) {
            Some((_, text)) => Ok((*text).to_owned()),
            None if name.ends_with(".toml") => std::fs::read_to_string(name)
                .map_err(|error| format!("the profile {name} can't be read: {error}")),
            None => Err(format!("there is no profile `{name}`; see `crm-bridge profile list`")),
        }
    }

    /// The CRM's key.
    ///
    /// # Errors
    /// A sentence that says which setting is missing.
    pub fn crm_secret(&self) -> Result<Secret, String> {
        if !self.crm.secret.expose().is_empty() {
            return Ok(self.crm.secret.clone());
        }
        if self.crm.secret_file.as_os_str().is_empty() {
            return Err("set crm.secret_file to a file with the CRM's key".to_owned());
        }
        secret_in(&self.crm.secret_file)
    }

    /// One of several keys by its name; without one, [`Self::crm_secret`].
    ///
    /// # Errors
    /// A sentence, if it is not set or can't be read.
    pub fn crm_secret_named(&self, name: Option<&str>) -> Result<Secret, String> {
        let Some(name) = name else { return self.crm_secret() };
        match self.crm.secrets.get(name) {
            Some(GivenSecret::Text(secret)) => not_empty(name, secret),
            Some(GivenSecret::File { file }) => secret_in(file),
            None => Err(format!("set crm.secrets.{name}")),
        }
    }

    /// What is set for the profile's holes.
    ///
    /// # Errors
    /// All that is missing or unknown, in sentences.
    pub fn crm_settings(&self, profile: &Profile) -> Result<Settings, String> {
        let names = self.crm.secrets.keys();
        let named = names.map(|name| self.crm_secret_named(Some(name)).map(|secret| (name.clone(), secret)));
        let secrets = named.collect::<Result<BTreeMap<_, _>, String>>()?;
        let secret = if profile.secret_names().contains(&None) { Some(self.crm_secret()?) } else { None };
        Settings::new(profile, SettingsGiven { secret, secrets, settings: self.crm.settings.clone() })
    }

    /// How a policy comes into force.
    ///
    /// # Errors
    /// A sentence that says which setting does not fit.
    pub fn policy_rules(&self) -> Result<Rules, String> {
        let policy = &self.policy;
        let from_database = policy.source == PolicySource::Database;
        if policy.two_persons && !from_database {
            return Err("policy.two_persons needs policy.source = \"database\": a file has no second person"
                .to_owned());
        }
        let keys = policy.approvers.iter().map(|(name, file)| {
            let key =
                token::read_key_file(file).map_err(|error| format!("policy.approvers.{name}: {error}"))?;
            Ok((name.clone(), key.expose().to_owned()))
        });
        let approvers = Approvers::new(keys.collect::<Result<Vec<_>, String>>()?)?;
        if policy.two_persons && approvers.names().count() < PERSONS_NEEDED {
            return Err(
                "policy.two_persons needs two persons in policy.approvers, each with a key of their own"
                    .to_owned(),
            );
        }
        let (two_persons, narrowing_by_one) = (policy.two_persons, policy.narrowing_by_one);
        Ok(Rules { from_database, two_persons, narrowing_by_one, approvers })
    }

    /// The key that signs the CRM's webhooks, if one is set.
    ///
    /// # Errors
    /// A sentence, if its file can't be read.
    pub fn webhook_secret(&self) -> Result<Option<Secret>, String> {
        match self.crm.secrets.get("webhook") {
            None => Ok(None),
            Some(GivenSecret::Text(secret)) => not_empty("webhook", secret).map(Some),
            Some(GivenSecret::File { file }) => secret_in(file).map(Some),
        }
    }

    /// How the CRM is followed; none if it is not.
    ///
    /// # Errors
    /// A sentence, if the copy is wanted and following is switched off.
    pub fn sync_settings(&self, copy: bool) -> Result<Option<SyncSettings>, String> {
        let sync = &self.sync;
        if !sync.enabled {
            return if copy {
                Err("the policy asks for a copy of the customer base (policy.copy): set sync.enabled = true"
                    .to_owned())
            } else {
                Ok(None)
            };
        }
        Ok(Some(SyncSettings {
            interval_ms: i64::from(sync.interval_s.max(1)) * 1_000,
            reconcile_ms: i64::from(sync.reconcile_s.max(60)) * 1_000,
            debounce_ms: i64::from(sync.debounce_ms),
            hints_waiting_max: i64::from(sync.hints_waiting_max),
            hints_a_run: HINTS_A_RUN,
            lease_ms: LEASE_MS,
        }))
    }

    /// The rules for national numbers.
    ///
    /// # Errors
    /// A sentence, if they are not digits.
    pub fn phone_rules(&self) -> Result<PhoneRules, String> {
        let digits = |key: &str, text: &str| match text {
            "" => Ok(None),
            text if text.chars().all(|c| c.is_ascii_digit()) && text.len() <= 4 => Ok(Some(text.to_owned())),
            _ => Err(format!("phones.{key} has digits only, such as \"7\"")),
        };
        Ok(PhoneRules {
            country_code: digits("country_code", &self.phones.country_code)?,
            trunk_prefix: digits("trunk_prefix", &self.phones.trunk_prefix)?,
        })
    }
}

/// A signature with an empty key is one that anybody can make.
fn not_empty(name: &str, secret: &Secret) -> Result<Secret, String> {
    if secret.expose().trim().is_empty() {
        return Err(format!("crm.secrets.{name} is empty: set it to the key, or take it out"));
    }
    Ok(secret.clone())
}

fn secret_in(file: &Path) -> Result<Secret, String> {
    let text = token::read_key_file(file).map_err(|error| error.to_string())?;
    match text.expose().trim() {
        "" => Err(format!("{} is empty", file.display())),
        key => Ok(Secret::new(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete_and_name_a_profile_that_ships() {
        let config = Config::load(None, []).unwrap();
        assert_eq!(config.profile().unwrap().head.name, "sandbox");
    }

    #[test]
    fn a_missing_secret_says_which_setting_to_set() {
        let error = Config::load(None, []).unwrap().crm_secret().unwrap_err();
        assert!(error.contains("crm.secret_file"), "{error}");
    }
}
