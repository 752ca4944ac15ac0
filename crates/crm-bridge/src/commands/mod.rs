//! What each command does.

pub(crate) mod audit;
pub(crate) mod crm;
mod live;
pub(crate) mod policy;
pub(crate) mod profile;
mod profile_new;
pub(crate) mod prove;
pub(crate) mod sync;

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use crm_bridge::app::{self, BridgeMetrics};
use crm_bridge::config::Config;
use crm_bridge::http::{self, Listener, Peers};
use crm_bridge::start::Around;
use crm_bridge::store::vault::Vault;
use crm_bridge::{MIGRATIONS, jobs, other_way, start};
use db_kit::Database;
use service_kit::metrics::Metrics;
use service_kit::{Clock, Ids, config, shutdown, telemetry, token};

use super::{Arguments, Command, KeysCommand};

/// What the names of this service's metrics begin with.
const METRICS_PREFIX: &str = "guichet_bridge";

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings =
        || Config::load(arguments.config.as_deref(), config::environment()).context("the settings");
    match arguments.command {
        Command::Serve { until_stdin_ends } => wait(serve(settings()?, until_stdin_ends)),
        Command::Migrate => wait(migrate(settings()?)),
        Command::CheckConfig => check_config(&settings()?),
        Command::Openapi { crm } => {
            let document = if crm { http::crm::openapi() } else { http::openapi() };
            println!("{}", document.to_pretty_json()?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(KeysCommand::GeneratePair { private, public }) => generate_pair(&private, &public),
        Command::CrmKeys(command) => wait(crm::keys(settings()?, command)),
        Command::CrmWebhooks(command) => wait(crm::webhooks(settings()?, command)),
        Command::Keys(KeysCommand::Generate { cache, approver }) => {
            generate_keys(cache.as_deref(), approver.as_deref())
        }
        Command::Policy(command) => wait(policy::run(settings()?, command)),
        Command::Audit(command) => wait(audit::run(settings, command)),
        Command::Sync(command) => wait(sync::run(settings()?, command)),
        Command::Profile(command) => wait(profile::run(settings, command)),
        Command::Prove(command) => {
            wait(async { Ok(prove::run(settings, arguments.config.as_deref(), *command).await) })
        }
    }
}

fn wait(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

async fn serve(config: Config, until_stdin_ends: bool) -> Result<ExitCode> {
    telemetry::init(&config.telemetry)?;
    let database = open(&config).await?;
    let applied = database.migrate(&MIGRATIONS).await?;
    if !applied.is_empty() {
        tracing::info!(db.migrations = applied.join(", "), "the database was brought up to date");
    }
    let clock = Clock::system();
    let metrics = Metrics::new(METRICS_PREFIX);
    let ids = Ids::random(clock.clone());
    let policy = start::policy_in_force(&config, &database, &clock, &ids).await?;
    let mut bridge = start::bridge_under(&config, policy, database, clock.clone(), ids.clone(), &metrics)?;
    start::same_crm(&config, &bridge).await?;
    bridge.sync = start::sync(&config, &bridge.policy, &ids).await?;
    let live = start::live(&config, bridge.clone())?;
    let listener = Listener {
        bridge: live.clone(),
        verifier: start::verifier(&config, clock)?,
        peers: Peers::parse(&config.ticket_service.allow_from).map_err(start::StartError)?,
        metrics: metrics.clone(),
        body_bytes_max: config.limits.body_bytes_max,
    };
    app::audit::started(&bridge).await?;
    let port = TcpListener::bind(config.server.listen)
        .with_context(|| format!("can't listen on {}: is something else there?", config.server.listen))?;
    let address = port.local_addr()?;
    let server = http::serve(listener, &config, port)?;
    let handle = server.handle();
    let server = tokio::task::spawn_local(server);
    let job = tokio::task::spawn_local(jobs::forget_old_cards(bridge.clone()));
    let verify = tokio::task::spawn_local(jobs::verify_audit(bridge.clone()));
    let watch = tokio::task::spawn_local(jobs::watch_policy(live.clone(), config.policy.watch_s));
    let to_the_crm = other_way::start(&config, &bridge, &metrics).await?;
    let follow = tokio::task::spawn_local(jobs::follow_crm(live.clone()));
    let subscription = other_way::subscription(&config, bridge.connector.profile());
    let renew = tokio::task::spawn_local(jobs::renew_webhook(live.clone(), subscription));
    println!("listening on http://{address}");
    if let Some(address) = to_the_crm.address {
        println!("listening for the CRM on http://{address}");
    }
    std::io::stdout().flush()?;
    tokio::select! {
        () = shutdown::signal_received() => {}
        () = stdin_ended(), if until_stdin_ends => {}
    }
    tracing::info!("stopping: requests under way are finished");
    handle.stop(true).await;
    job.abort();
    verify.abort();
    watch.abort();
    to_the_crm.stop().await;
    follow.abort();
    renew.abort();
    server.await??;
    app::audit::stopped(&live.now()).await?;
    if let Some(sync) = &bridge.sync {
        sync.store.close().await;
    }
    bridge.store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Reads standard input to its end, on a thread that does not hold up the end of the process.
async fn stdin_ended() {
    let (told, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // An input that can't be read has ended as well; whoever waits may have stopped for another reason.
        let _read = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _told = told.send(());
    });
    let _ended = ended.await;
}

async fn migrate(config: Config) -> Result<ExitCode> {
    let applied = open(&config).await?.migrate(&MIGRATIONS).await?;
    match applied.as_slice() {
        [] => println!("the database is up to date"),
        names => println!("applied {}", names.join(", ")),
    }
    Ok(ExitCode::SUCCESS)
}

async fn open(config: &Config) -> Result<Database> {
    Ok(Database::open(&config.database).await?)
}

fn check_config(config: &Config) -> Result<ExitCode> {
    let clock = Clock::system();
    let mut faults: Vec<String> = Vec::new();
    let mut note = |outcome: Result<(), String>| faults.extend(outcome.err());
    note(config.database.backend().map(drop).map_err(|error| error.to_string()));
    note(start::verifier(config, clock.clone()).map(drop).map_err(|error| error.to_string()));
    note(Peers::parse(&config.ticket_service.allow_from).map(drop));
    note(config.phone_rules().map(drop));
    note(config.policy_rules().map(drop));
    note(other_way::check(config, &clock));
    note(start::vault(config).map(drop).map_err(|error| error.to_string()));
    let connector = config.profile().and_then(|profile| {
        let metrics = Metrics::new(METRICS_PREFIX);
        let policy = start::policy(config, &profile).map_err(|error| error.to_string())?;
        let (counts, ids) = (BridgeMetrics::new(&metrics), Ids::random(clock.clone()));
        let around = Around { clock: &clock, ids: &ids, metrics: &metrics, counts: &counts, database: None };
        start::connector(config, &policy, profile, &around).map(drop).map_err(|error| error.to_string())
    });
    note(connector);
    if faults.is_empty() {
        if let Some(advice) = config.profile().ok().and_then(|profile| other_way::advice(config, &profile)) {
            println!("{advice}");
        }
        println!("the settings can be used");
        return Ok(ExitCode::SUCCESS);
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    Ok(ExitCode::FAILURE)
}

fn generate_keys(cache: Option<&Path>, approver: Option<&Path>) -> Result<ExitCode> {
    let ids = Ids::random(Clock::system());
    if let Some(file) = cache {
        write_new(file, 0o600, Vault::generate_key(&ids).expose())?;
        println!("wrote {}; without it kept cards can't be opened", file.display());
    }
    if let Some(file) = approver {
        let (private, public) = token::generate_key_pair(&ids)?;
        let mut public_file = file.as_os_str().to_owned();
        public_file.push(".pub");
        let public_file = Path::new(&public_file);
        write_new(file, 0o600, private.expose())?;
        write_new(public_file, 0o644, &public)?;
        println!("wrote {}: keep it to yourself, it signs policies in your name", file.display());
        println!(
            "wrote {}: goes into the settings, [policy.approvers] NAME = \"that file\"",
            public_file.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn write_new(file: &Path, mode: u32, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let output = options.write(true).create_new(true).mode(mode).open(file);
    let mut output = output
        .with_context(|| format!("{} can't be made; an existing key is never overwritten", file.display()))?;
    writeln!(output, "{}", text.trim_end())?;
    Ok(())
}

fn generate_pair(private: &Path, public: &Path) -> Result<ExitCode> {
    let (private_pem, public_pem) = token::generate_key_pair(&Ids::random(Clock::system()))?;
    let mut options = std::fs::OpenOptions::new();
    let mut output = options.write(true).create_new(true).mode(0o600).open(private).with_context(|| {
        format!("{} can't be made; an existing key is never overwritten", private.display())
    })?;
    output.write_all(private_pem.expose().as_bytes())?;
    output.sync_all()?;
    std::fs::write(public, public_pem).with_context(|| format!("{} can't be written", public.display()))?;
    println!("{} signs, {} checks; keep the first one secret", private.display(), public.display());
    Ok(ExitCode::SUCCESS)
}
