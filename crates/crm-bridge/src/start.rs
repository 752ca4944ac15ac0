//! From settings to a bridge that can answer.

use std::sync::Arc;

use audit_log::AuditLog;
use audit_log::chain::PublicKey;
use db_kit::Database;
use service_kit::metrics::Metrics;
use service_kit::token::{self, Verifier};
use service_kit::{Clock, Ids, Secret};

use crate::app::ceiling::Ceiling;
use crate::app::crm_api::Outward;
use crate::app::policies::{self, Live};
use crate::app::same_crm;
use crate::app::sync::Sync;
use crate::app::{Bridge, BridgeMetrics, CacheLimits};
use crate::config::{Config, GivenSecret};
use crate::connector::auth::Keeper;
use crate::connector::auth::keeper::KeeperParts;
use crate::connector::client::Client;
use crate::connector::guard::{Guard, GuardLimits};
use crate::connector::net::{self, Hosts, Net, NetConfig};
use crate::connector::plans::Plans;
use crate::connector::plant::Planter;
use crate::connector::profile::Profile;
use crate::connector::profile::auth::Auth;
use crate::connector::projection::{KeyWatch, Limits};
use crate::connector::{Connector, Parts, Settings, Waits};
use crate::oversight::Rules;
use crate::policy::Policy;
use crate::policy::lexicon::Lexicon;
use crate::store::Store;
use crate::store::audit::SERVICE;
use crate::store::sync::{MIGRATIONS as SYNC_MIGRATIONS, SyncStore};
use crate::store::tokens::TokenStore;
use crate::store::vault::Vault;
use crate::ticket_policy::TicketPolicy;
use crate::walls::Walls;

/// Who signs grants, and for whom.
const ISSUER: &str = "ticket-service";
const AUDIENCE: &str = "crm-bridge";

/// Why the bridge can't start: one sentence or several, each with what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl From<String> for StartError {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// The walls as configured: all of them, unless this is a test build.
#[must_use]
pub fn walls(config: &Config) -> Walls {
    #[cfg(feature = "sabotage")]
    return Walls::without(&config.sabotage.without);
    #[cfg(not(feature = "sabotage"))]
    {
        let _ = config;
        Walls::standing()
    }
}

/// Reads the policy file and refuses it if it may not be used with this profile.
///
/// # Errors
/// All that is wrong, a line each.
pub fn policy(config: &Config, profile: &Profile) -> Result<Policy, StartError> {
    let file = config.policy.file.display();
    policies::read_behind(&policy_text(config)?, profile, walls(config)).map_err(|reasons| {
        StartError(reasons.iter().map(|reason| format!("{file}, {reason}")).collect::<Vec<_>>().join("\n"))
    })
}

fn policy_text(config: &Config) -> Result<String, StartError> {
    let file = &config.policy.file;
    std::fs::read_to_string(file)
        .map_err(|error| StartError(format!("the field policy {} can't be read: {error}", file.display())))
}

/// Reads the ticket policy; none if the settings name no file.
///
/// # Errors
/// All that is wrong, a line each.
pub fn ticket_policy(config: &Config) -> Result<Option<TicketPolicy>, StartError> {
    let file = &config.ticket_policy.file;
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("the ticket policy {} can't be read: {error}", file.display()))?;
    TicketPolicy::load(&text).map(|policy| Some(policy.behind(walls(config)))).map_err(|errors| {
        let lines = errors.iter().map(|error| format!("{}, {error}", file.display()));
        StartError(lines.collect::<Vec<_>>().join("\n"))
    })
}

/// What a connector needs beside policy and profile.
pub struct Around<'a> {
    /// The time.
    pub clock: &'a Clock,
    /// Random values.
    pub ids: &'a Ids,
    /// Where what is watched is shown.
    pub metrics: &'a Metrics,
    /// What is counted.
    pub counts: &'a BridgeMetrics,
    /// The bridge's database, for keys of the CRM that change with each use; a CRM with such keys can't be asked without.
    pub database: Option<&'a Database>,
}

/// The connector alone, as `policy dry-run` needs it.
///
/// # Errors
/// [`StartError`].
pub fn connector(
    config: &Config,
    policy: &Policy,
    profile: Profile,
    around: &Around<'_>,
) -> Result<Connector, StartError> {
    let walls = walls(config);
    let limits = &config.limits;
    let parse_limits = Limits {
        answer_bytes_max: limits.answer_bytes_max,
        depth_max: limits.depth_max.clamp(1, 100),
        records_max: limits.records_max,
    };
    let settings = config.crm_settings(&profile)?;
    let settings = settings.clone().at(&base(config, &profile, &settings)?);
    let client = client(config, &profile, &settings, around)?;
    let at_once = profile.limits.at_once.map_or(usize::MAX, usize::from);
    let guard = GuardLimits {
        requests_at_once_max: limits.requests_at_once_max.min(at_once).max(1),
        failures_max: limits.failures_max.max(1),
        pause_ms: i64::from(limits.pause_ms),
        turn_timeout_ms: limits.turn_timeout_ms,
    };
    let waits = Waits {
        look_up_ms: limits.turn_timeout_ms,
        sync_ms: SYNC_WAIT_MS,
        retries_max: limits.retries_max.min(10),
        retry_pause_ms: limits.retry_pause_ms,
    };
    let watch = KeyWatch::new(Lexicon::with(&profile.deny.words)?).behind(walls);
    watch.register(around.metrics);
    let counts = around.counts.clone();
    Ok(Connector::new(Parts {
        client,
        guard: Guard::new(guard, around.clock.clone()),
        waits,
        plans: Plans::compile(policy, &profile, &settings, parse_limits),
        profile,
        watch,
        settings,
        walls,
        report: Box::new(move |outcome, seconds| counts.crm_request(outcome, seconds)),
        ids: around.ids.clone(),
    }))
}

/// How long what nobody waits for may wait for leave to ask.
const SYNC_WAIT_MS: u64 = 60_000;

fn client(
    config: &Config,
    profile: &Profile,
    settings: &Settings,
    around: &Around<'_>,
) -> Result<Client, StartError> {
    let crm = &config.crm;
    let base = Some(base(config, profile, settings)?);
    let token_url = match crm.token_url.as_str() {
        "" => None,
        text => Some(net::parse_base(text, "crm.token_url", crm.allow_plain_http)?),
    };
    let net_config = NetConfig {
        connect_timeout_ms: crm.connect_timeout_ms,
        idle_timeout_ms: crm.idle_timeout_ms,
        total_timeout_ms: crm.total_timeout_ms,
        answer_bytes_max: config.limits.answer_bytes_max,
        ca_file: Some(crm.ca_file.clone()).filter(|file| !file.as_os_str().is_empty()),
    };
    let walls = walls(config);
    let store = match around.database {
        Some(database) if profile.has_refresh_token() => {
            Some(TokenStore::new(database.clone(), vault(config)?, around.ids.clone()))
        }
        _ => None,
    };
    let keeper = Keeper::new(KeeperParts {
        profile,
        settings,
        configured: base.clone(),
        token_url,
        store,
        clock: around.clock.clone(),
    })?;
    let trusted: Vec<&url::Url> = base.iter().chain(keeper.token_url()).collect();
    let from_token = profile.host.from_token.iter().flat_map(|from| &from.suffixes);
    let ends = profile.host.also.iter().chain(from_token).cloned().collect();
    let net = Net::new(&net_config, Hosts::new(&trusted, ends), walls)?;
    Ok(Client::new(net, keeper, base, around.clock.clone(), walls))
}

fn base(config: &Config, profile: &Profile, settings: &Settings) -> Result<url::Url, StartError> {
    let crm = &config.crm;
    Ok(match (crm.base_url.as_str(), &profile.host.base) {
        ("", Some(template)) => {
            let text = settings.text(template).ok_or_else(|| "host.base can't be filled in".to_owned())?;
            net::parse_base(&text, "the profile's host.base", false)?
        }
        ("", None) => return Err(StartError("set crm.base_url to the address of the CRM".to_owned())),
        (text, _) => net::parse_base(text, "crm.base_url", crm.allow_plain_http)?,
    })
}

/// The host of the CRM, with its port if it is not the usual one.
///
/// # Errors
/// [`StartError`].
pub fn crm_host(config: &Config, profile: &Profile) -> Result<String, StartError> {
    Ok(same_crm::host_of(&base(config, profile, &config.crm_settings(profile)?)?))
}

/// Whether the CRM is still the one whose customers the database knows.
///
/// # Errors
/// [`StartError`]; then nobody must be asked.
pub async fn same_crm(config: &Config, bridge: &Bridge) -> Result<(), StartError> {
    let profile = bridge.connector.profile();
    let base = base(config, profile, &config.crm_settings(profile)?)?;
    same_crm::check(bridge, &base, &config.crm.moved_from)
        .await
        .map_err(|error| StartError(error.to_string()))
}

/// What plants markers in a sandbox of the CRM, with a key of its own. For `crm-bridge prove`; the server has none.
///
/// # Errors
/// [`StartError`].
pub fn planter(
    config: &Config,
    profile: &Profile,
    key: Secret,
    around: &Around<'_>,
) -> Result<Planter, StartError> {
    let (mut config, mut profile) = (config.clone(), profile.clone());
    let plant = profile.plant.clone();
    if let Some(headers) = plant.as_ref().and_then(|plant| plant.headers.clone()) {
        profile.auth = Auth::Headers(headers);
    }
    match plant.and_then(|plant| plant.key) {
        Some(name) => drop(config.crm.secrets.insert(name, GivenSecret::Text(key))),
        None => config.crm.secret = key,
    }
    let wanted: Vec<String> = profile.secret_names().into_iter().flatten().collect();
    config.crm.secrets.retain(|name, _| name == "webhook" || wanted.contains(name));
    let settings = config.crm_settings(&profile)?;
    let client = client(&config, &profile, &settings, around)?;
    Ok(Planter::new(client, profile, settings, Walls::standing()))
}

/// The whole bridge, on an open and migrated database.
///
/// # Errors
/// [`StartError`].
pub fn bridge(
    config: &Config,
    database: Database,
    clock: Clock,
    ids: Ids,
    metrics: &Metrics,
) -> Result<Bridge, StartError> {
    let policy = policy(config, &config.profile()?)?;
    bridge_under(config, policy, database, clock, ids, metrics)
}

/// The policy in force, from where the settings say. One from the file is remembered as in force.
///
/// # Errors
/// [`StartError`].
pub async fn policy_in_force(
    config: &Config,
    database: &Database,
    clock: &Clock,
    ids: &Ids,
) -> Result<Policy, StartError> {
    let rules = config.policy_rules()?;
    let profile = config.profile()?;
    let store = Store::new(database.clone(), walls(config), audit_log(config, ids)?);
    if rules.from_database {
        return policies::in_force(&store, &rules, &profile)
            .await
            .map_err(|error| StartError(error.to_string()));
    }
    let policy = policy(config, &profile)?;
    let body = policy_text(config)?;
    let recorded = policies::record_file(&store, &policy, &profile, &body, clock.now()).await;
    recorded.map_err(|error| StartError(format!("the policy can't be remembered: {error}")))?;
    Ok(policy)
}

/// Holds a bridge whose policy can change.
///
/// # Errors
/// [`StartError`].
pub fn live(config: &Config, bridge: Bridge) -> Result<Live, StartError> {
    bridge.metrics.policy_number(bridge.policy.number);
    Ok(Live::new(bridge, config.policy_rules()?, config.policy.file.clone()))
}

/// The whole bridge under a policy that has been read.
///
/// # Errors
/// [`StartError`].
pub fn bridge_under(
    config: &Config,
    policy: Policy,
    database: Database,
    clock: Clock,
    ids: Ids,
    metrics: &Metrics,
) -> Result<Bridge, StartError> {
    let walls = walls(config);
    let profile = config.profile()?;
    let counts = BridgeMetrics::new(metrics);
    let vault = vault(config)?;
    let around = Around { clock: &clock, ids: &ids, metrics, counts: &counts, database: Some(&database) };
    let connector = connector(config, &policy, profile, &around)?;
    let activities = config.crm_api.activities;
    if activities && connector.profile().activity.is_none() {
        return Err(StartError(format!(
            "crm_api.activities: the profile of {} has no [activity]; set it to false",
            connector.profile().head.title
        )));
    }
    Ok(Bridge {
        policy: Arc::new(policy),
        connector,
        store: Store::new(database, walls, audit_log(config, &ids)?).with_erased_ids(vault.erased_ids()),
        vault,
        phones: config.phone_rules()?,
        cache: CacheLimits {
            fresh_ms: i64::from(config.cache.fresh_s) * 1_000,
            age_max_ms: i64::from(config.cache.age_max_s) * 1_000,
        },
        sync: None,
        rules: Arc::new(Rules::new(&config.budgets, &config.oversight)?),
        ceiling: Arc::new(Ceiling::new(config.ceiling.customers_per_hour)),
        other_audit_key: other_audit_key(config)?,
        walls,
        metrics: counts,
        clock,
        ids,
        outward: Outward::new(ticket_policy(config)?, activities, metrics),
    })
}

/// Following the CRM with a store of its own, which is opened and brought up to date here.
///
/// # Errors
/// [`StartError`].
pub async fn sync(config: &Config, policy: &Policy, ids: &Ids) -> Result<Option<Sync>, StartError> {
    let Some(settings) = config.sync_settings(policy.copy.is_some())? else { return Ok(None) };
    let mut database = SyncStore::config_beside(&config.database);
    if !config.sync.database_url.is_empty() {
        database.url.clone_from(&config.sync.database_url);
    }
    let trouble = |error: db_kit::DbError| StartError(format!("the store of the sync: {error}"));
    let database = Database::open(&database).await.map_err(trouble)?;
    database.migrate(&SYNC_MIGRATIONS).await.map_err(trouble)?;
    Ok(Some(Sync::new(SyncStore::new(database), settings, ids.new_id("bridge"))))
}

/// The keys of the cache.
///
/// # Errors
/// [`StartError`].
pub fn vault(config: &Config) -> Result<Vault, StartError> {
    let key = token::read_key_file(&config.cache.key_file).map_err(|error| {
        StartError(format!(
            "{error}. Set cache.key_file; make a key with `crm-bridge keys generate --cache FILE`"
        ))
    })?;
    Ok(Vault::new(&key, walls(config))?)
}

/// The audit log with its key, which is made if there is none.
///
/// # Errors
/// [`StartError`].
pub fn audit_log(config: &Config, ids: &Ids) -> Result<AuditLog, StartError> {
    let key = audit_log::open_key(&config.audit.key_file, &config.database.url, ids);
    let key = key.map_err(|error| StartError(error.to_string()))?;
    Ok(AuditLog::new(SERVICE, key, ids.clone()))
}

/// The public key of the ticket service's audit log, if the settings name one.
///
/// # Errors
/// [`StartError`].
pub fn other_audit_key(config: &Config) -> Result<Option<PublicKey>, StartError> {
    let file = &config.audit.other_key_file;
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let pem = token::read_key_file(file).map_err(|error| StartError(error.to_string()))?;
    let key = PublicKey::from_pem(pem.expose());
    key.map(Some).map_err(|error| StartError(format!("audit.other_key_file {}: {error}", file.display())))
}

/// Checks grants of the ticket service.
///
/// # Errors
/// [`StartError`].
pub fn verifier(config: &Config, clock: Clock) -> Result<Verifier, StartError> {
    let file = &config.ticket_service.verify_key_file;
    let key = token::read_key_file(file).map_err(|error| {
        StartError(format!("{error}. Set ticket_service.verify_key_file to the ticket service's public key"))
    })?;
    Verifier::new(key.expose(), ISSUER, AUDIENCE, clock)
        .map_err(|error| StartError(format!("{}: {error}", file.display())))
}
