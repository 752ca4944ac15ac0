//! What each command does.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use crm_bridge::app::dry_run::dry_run;
use crm_bridge::app::{self, BridgeMetrics};
use crm_bridge::config::Config;
use crm_bridge::connector::profile::{BUILT_IN, Profile};
use crm_bridge::http::{self, Listener};
use crm_bridge::policy::{Language, check, explain, load};
use crm_bridge::store::vault::Vault;
use crm_bridge::{MIGRATIONS, jobs, start};
use db_kit::Database;
use service_kit::metrics::Metrics;
use service_kit::{Clock, Ids, config, shutdown, telemetry};

use super::{Arguments, Command, ExplainFormat, KeysCommand, PolicyCommand, ProfileCommand};

/// What the names of this service's metrics begin with.
const METRICS_PREFIX: &str = "guichet_bridge";

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings =
        || Config::load(arguments.config.as_deref(), config::environment()).context("the settings");
    match arguments.command {
        Command::Serve => wait(serve(settings()?)),
        Command::Migrate => wait(migrate(settings()?)),
        Command::CheckConfig => check_config(&settings()?),
        Command::Openapi => {
            println!("{}", http::openapi().to_pretty_json()?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Keys(KeysCommand::Generate { cache }) => generate_key(&cache),
        Command::Policy(PolicyCommand::Check) => check_policy(&settings()?),
        Command::Policy(PolicyCommand::Explain { format, language }) => {
            explain_policy(&settings()?, format, language.map(Into::into))
        }
        Command::Policy(PolicyCommand::DryRun { count }) => wait(run_dry(settings()?, count)),
        Command::Profile(ProfileCommand::List) => list_profiles(),
    }
}

fn wait(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}

async fn serve(config: Config) -> Result<ExitCode> {
    telemetry::init(&config.telemetry)?;
    let database = open(&config).await?;
    let applied = database.migrate(&MIGRATIONS).await?;
    if !applied.is_empty() {
        tracing::info!(db.migrations = applied.join(", "), "the database was brought up to date");
    }
    let clock = Clock::system();
    let metrics = Metrics::new(METRICS_PREFIX);
    let bridge = start::bridge(&config, database, clock.clone(), Ids::random(clock.clone()), &metrics)?;
    let listener = Listener {
        bridge: bridge.clone(),
        verifier: start::verifier(&config, clock)?,
        metrics,
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
    println!("listening on http://{address}");
    std::io::stdout().flush()?;
    shutdown::signal_received().await;
    tracing::info!("stopping: requests under way are finished");
    handle.stop(true).await;
    job.abort();
    server.await??;
    app::audit::stopped(&bridge).await?;
    bridge.store.close().await;
    Ok(ExitCode::SUCCESS)
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
    note(config.phone_rules().map(drop));
    note(start::vault(config).map(drop).map_err(|error| error.to_string()));
    let connector = config.profile().and_then(|profile| {
        let metrics = Metrics::new(METRICS_PREFIX);
        let policy = start::policy(config, &profile).map_err(|error| error.to_string())?;
        start::connector(config, &policy, profile, &clock, &metrics, &BridgeMetrics::new(&metrics))
            .map(drop)
            .map_err(|error| error.to_string())
    });
    note(connector);
    if faults.is_empty() {
        println!("the settings can be used");
        return Ok(ExitCode::SUCCESS);
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    Ok(ExitCode::FAILURE)
}

fn generate_key(file: &Path) -> Result<ExitCode> {
    let key = Vault::generate_key(&Ids::random(Clock::system()));
    let mut options = std::fs::OpenOptions::new();
    let mut output =
        options.write(true).create_new(true).mode(0o600).open(file).with_context(|| {
            format!("{} can't be made; an existing key is never overwritten", file.display())
        })?;
    writeln!(output, "{}", key.expose())?;
    println!("wrote {}; without it kept cards can't be opened", file.display());
    Ok(ExitCode::SUCCESS)
}

fn check_policy(config: &Config) -> Result<ExitCode> {
    let profile = config.profile().map_err(anyhow::Error::msg)?;
    let file = config.policy.file.display();
    let text =
        std::fs::read_to_string(&config.policy.file).with_context(|| format!("the field policy {file}"))?;
    let policy = match load::load(&text) {
        Ok(policy) => policy,
        Err(errors) => {
            errors.iter().for_each(|error| println!("{file}, {error}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    let remarks = check::check(&policy, &profile).map_err(anyhow::Error::msg)?;
    for remark in &remarks {
        let weight = if remark.refused { "refused" } else { "note" };
        println!("{file}, line {}: {weight}: {}", remark.line, remark.message);
    }
    if !check::passes(&remarks) {
        println!("the policy can't be used with {}", profile.head.title);
        return Ok(ExitCode::FAILURE);
    }
    println!(
        "policy \"{}\" number {} can be used with {}: {} fields, sha256 {}",
        policy.name,
        policy.number,
        profile.head.title,
        policy.fields.len(),
        policy.hash()
    );
    Ok(ExitCode::SUCCESS)
}

fn explain_policy(config: &Config, format: ExplainFormat, language: Option<Language>) -> Result<ExitCode> {
    let profile = config.profile().map_err(anyhow::Error::msg)?;
    let policy = start::policy(config, &profile)?;
    let today = Clock::system().now().to_string().chars().take(10).collect::<String>();
    let explanation =
        explain::Explanation::new(&policy, &profile, &today, Vec::new()).map_err(anyhow::Error::msg)?;
    match format {
        ExplainFormat::Text => print!("{}", explain::text(&explanation)),
        ExplainFormat::Html => print!("{}", explain::html(&explanation, language.unwrap_or(policy.language))),
        ExplainFormat::Json => println!("{}", explanation.json()?),
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_dry(config: Config, count: u64) -> Result<ExitCode> {
    telemetry::init(&config.telemetry)?;
    let profile = config.profile().map_err(anyhow::Error::msg)?;
    let title = profile.head.title.clone();
    let policy = start::policy(&config, &profile)?;
    let metrics = Metrics::new(METRICS_PREFIX);
    let counts = BridgeMetrics::new(&metrics);
    let connector = start::connector(&config, &policy, profile, &Clock::system(), &metrics, &counts)?;
    let phones = config.phone_rules().map_err(anyhow::Error::msg)?;
    match dry_run(&connector, &policy, &phones, count).await {
        Ok(report) => {
            print!("{}", report.text(&policy, &title));
            Ok(ExitCode::SUCCESS)
        }
        Err(trouble) => bail!("{title} can't be asked: {}", trouble.as_str()),
    }
}

fn list_profiles() -> Result<ExitCode> {
    for (name, text) in BUILT_IN {
        let profile = Profile::load(text).map_err(|errors| {
            anyhow::anyhow!(
                "profile {name}: {}",
                errors.first().map_or_else(String::new, ToString::to_string)
            )
        })?;
        println!("{name:<12}{:<24}{}", profile.head.title, profile.head.verified());
    }
    Ok(ExitCode::SUCCESS)
}
