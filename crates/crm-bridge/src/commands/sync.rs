//! `sync run` and `sync status`: following the CRM by hand, and how far it is.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Subcommand;
use crm_bridge::app::Bridge;
use crm_bridge::app::sync::run_due;
use crm_bridge::config::Config;
use crm_bridge::start;
use crm_bridge::store::sync::{Feed, Phase, SyncStore};
use db_kit::Database;
use service_kit::metrics::Metrics;
use service_kit::{Clock, Ids, telemetry};

/// How often the progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(500);
/// Somebody else follows: how often to look whether that has ended.
const WAIT: Duration = Duration::from_secs(2);

#[derive(Subcommand)]
pub(crate) enum SyncCommand {
    /// Follow the CRM once: the first copy to its end if the policy asks for one, then what changed
    Run,
    /// How far is it?
    Status,
}

pub(crate) async fn run(config: Config, command: SyncCommand) -> Result<ExitCode> {
    match command {
        SyncCommand::Run => follow(config).await,
        SyncCommand::Status => status(&config).await,
    }
}

async fn follow(config: Config) -> Result<ExitCode> {
    telemetry::init(&config.telemetry)?;
    let bridge = open(&config).await?;
    let Some(sync) = bridge.sync.clone() else { bail!("sync.enabled is false: there is nothing to run") };
    let began = Instant::now();
    let shown = tokio::task::spawn_local(show_progress(sync.store.clone(), began));
    let outcome = loop {
        match run_due(&bridge).await {
            Ok(done) if done.elsewhere => {
                eprintln!("another process follows the CRM at present; waiting for its turn to end");
                tokio::time::sleep(WAIT).await;
            }
            Ok(done) => match sync.store.feed("person").await? {
                Some(feed) if feed.phase == Phase::First => {}
                _ => break Ok(done),
            },
            Err(error) => break Err(error),
        }
    };
    shown.abort();
    eprintln!();
    let ms = began.elapsed().as_millis();
    bridge.store.close().await;
    sync.store.close().await;
    match outcome {
        Ok(done) => {
            println!("{} records, {} erased, {} merged in {ms} ms", done.records, done.erased, done.merged);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => bail!("{error}. What was done stays done; run it again to go on from there"),
    }
}

async fn open(config: &Config) -> Result<Bridge> {
    let database = Database::open(&config.database).await?;
    database.migrate(&crm_bridge::MIGRATIONS).await?;
    let clock = Clock::system();
    let ids = Ids::random(clock.clone());
    let mut bridge = start::bridge(config, database, clock, ids.clone(), &Metrics::new("guichet_bridge"))?;
    bridge.sync = start::sync(config, &bridge.policy, &ids).await?;
    if let Some(sync) = &mut bridge.sync {
        // Who runs this by hand wants it done now.
        sync.settings.interval_ms = 0;
    }
    Ok(bridge)
}

/// A line that is written over again and again, on the terminal's error stream.
async fn show_progress(store: SyncStore, began: Instant) {
    let mut first = None;
    loop {
        tokio::time::sleep(SHOW_EVERY).await;
        let Ok(Some(feed)) = store.feed("person").await else { continue };
        let first = *first.get_or_insert(feed.records);
        let seconds = began.elapsed().as_secs_f64().max(0.001);
        let rate = (feed.records - first) as f64 / seconds;
        eprint!("\r{}, {rate:.0} a second   ", progress(&feed));
        let _ = std::io::stderr().flush();
    }
}

fn progress(feed: &Feed) -> String {
    const WIDTH: usize = 30;
    match feed.expected.filter(|expected| *expected > 0) {
        Some(expected) => {
            let done = (feed.records.clamp(0, expected) as f64 / expected as f64 * WIDTH as f64) as usize;
            let bar = format!("{}{}", "█".repeat(done), "░".repeat(WIDTH - done));
            format!("{bar} {} of {expected} records", feed.records)
        }
        None => format!("{} records", feed.records),
    }
}

async fn status(config: &Config) -> Result<ExitCode> {
    let mut database = SyncStore::config_beside(&config.database);
    if !config.sync.database_url.is_empty() {
        database.url.clone_from(&config.sync.database_url);
    }
    let database = Database::open(&database).await?;
    database.migrate(&crm_bridge::store::sync::MIGRATIONS).await?;
    let store = SyncStore::new(database);
    let names = ["person", "gone", "child 0", "child 1", "reconcile"];
    let mut any = false;
    for name in names {
        let Some(feed) = store.feed(name).await? else { continue };
        any = true;
        let phase = match (name, feed.phase) {
            ("person", Phase::First) => "first copy under way",
            _ => "followed",
        };
        println!("{name:<10}{phase:<22}{}", progress(&feed));
        if let Some(ended) = feed.ended_well_at {
            println!("{:<10}last run began {ended}", "");
        }
        if let (Some(trouble), Some(at)) = (&feed.trouble, feed.trouble_at) {
            println!("{:<10}trouble since {at}: {trouble}", "");
        }
    }
    if !any {
        println!("nothing has been followed yet");
    }
    println!("{} customers in the copy", store.rows().await?);
    println!("{} records wait to be fetched again", store.hints_waiting().await?);
    Ok(ExitCode::SUCCESS)
}
