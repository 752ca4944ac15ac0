//! `sync run` and `sync status`: following the CRM by hand, and how far it is.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Subcommand;
use crm_bridge::app::Bridge;
use crm_bridge::app::sync::{renew, run_due};
use crm_bridge::config::Config;
use crm_bridge::start;
use crm_bridge::store::sync::{Feed, Phase, SyncStore};
use db_kit::Database;
use service_kit::metrics::Metrics;
use service_kit::{Clock, Ids, Timestamp, telemetry};

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
    start::same_crm(config, &bridge).await?;
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
        eprint!("\r{}, {rate:.0} a second{}   ", progress(&feed), left(&feed, rate));
        let _ = std::io::stderr().flush();
    }
}

/// How long it takes from here on at this pace, if the CRM has said how many there are.
fn left(feed: &Feed, a_second: f64) -> String {
    let Some(expected) = feed.expected.filter(|expected| *expected > feed.records && a_second > 0.0) else {
        return String::new();
    };
    let seconds = (expected - feed.records) as f64 / a_second;
    match seconds {
        ..90.0 => format!(", about {seconds:.0} s left"),
        ..5_400.0 => format!(", about {:.0} min left", seconds / 60.0),
        _ => format!(", about {:.1} h left", seconds / 3_600.0),
    }
}

/// Records a second of a run under way, from its beginning until the page it read last.
fn pace(feed: &Feed, now: Timestamp) -> f64 {
    let seconds = feed.run_started_at.map_or(0.0, |began| now.since_ms(began) as f64 / 1_000.0);
    if seconds > 0.0 { feed.records as f64 / seconds } else { 0.0 }
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
    let mut feeds = store.feeds().await?;
    if feeds.is_empty() {
        println!("nothing has been followed yet");
    }
    // That of the people, which is the longest, first.
    feeds.sort_by_key(|(name, _)| name != "person");
    for (name, feed) in feeds {
        for line in told(&name, &feed, Clock::system().now()) {
            println!("{line}");
        }
    }
    println!("{} customers in the copy", store.rows().await?);
    let (waiting, failing) = (store.hints_waiting().await?, store.hints_failing().await?);
    let failing =
        if failing == 0 { String::new() } else { format!(", {failing} of them could not be read so far") };
    println!("{waiting} records wait to be fetched again{failing}");
    Ok(ExitCode::SUCCESS)
}

/// How far a feed is, in lines.
fn told(name: &str, feed: &Feed, now: Timestamp) -> Vec<String> {
    if name == renew::NAME {
        return told_of_webhooks(feed, now);
    }
    let copying = name == "person" && feed.phase == Phase::First;
    let phase = match (copying, &feed.trouble) {
        (true, _) => "first copy under way",
        (false, Some(_)) => "in trouble",
        (false, None) => "followed",
    };
    let left = if copying { left(feed, pace(feed, now)) } else { String::new() };
    let how_far = if name == "hints" { format!("{} records given up", feed.records) } else { progress(feed) };
    let mut lines = vec![format!("{name:<10}{phase:<22}{how_far}{left}")];
    if let Some(ended) = feed.ended_well_at {
        lines.push(format!("{:<10}last run began {ended}", ""));
    }
    if let (Some(trouble), Some(at)) = (&feed.trouble, feed.trouble_at) {
        lines.push(format!("{:<10}trouble since {at}: {trouble}", ""));
    }
    lines
}

/// How the subscription to webhooks stands, in lines.
fn told_of_webhooks(feed: &Feed, now: Timestamp) -> Vec<String> {
    let state = match (&feed.trouble, feed.since) {
        (None, _) => "subscribed",
        (Some(_), Some(until)) if until > now => "in trouble",
        (Some(_), _) => "none come",
    };
    let mut lines = vec![format!("{:<10}{state:<22}{} times renewed", renew::NAME, feed.records)];
    if let Some(until) = feed.since {
        lines.push(format!("{:<10}the CRM sends until {until}", ""));
    }
    if let (Some(trouble), Some(at)) = (&feed.trouble, feed.trouble_at) {
        lines.push(format!("{:<10}not renewed since {at}: {trouble}, {} attempts", "", feed.pass));
    }
    lines.extend(feed.newest.map(|due| format!("{:<10}renewed next at {due}", "")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_where_the_crm_says_how_many_there_are() {
        let began = Timestamp::from_ms(1_000_000);
        let feed = |records, expected| Feed {
            records,
            expected,
            run_started_at: Some(began),
            ..Feed::new(Phase::First, "")
        };
        let told_of = |name: &str, feed: &Feed| super::told(name, feed, began).join("\n");
        let told = |feed: &Feed, after_s: i64| left(feed, pace(feed, began.plus_ms(after_s * 1_000)));
        assert_eq!(told(&feed(250, Some(1_000)), 10), ", about 30 s left");
        assert_eq!(told(&feed(1_000, Some(100_000)), 10), ", about 16 min left");
        assert_eq!(told(&feed(1_000, Some(5_000_000)), 10), ", about 13.9 h left");
        for (feed, after_s) in [
            (feed(250, None), 10),
            (feed(250, Some(250)), 10),
            (feed(0, Some(9)), 10),
            (feed(9, Some(10)), 0),
        ] {
            assert_eq!(told(&feed, after_s), "");
        }
        let troubled = Feed {
            phase: Phase::Delta,
            trouble: Some("credentials, with single records".to_owned()),
            trouble_at: Some(began),
            ..feed(3, None)
        };
        assert_eq!(
            told_of("hints", &troubled),
            "hints     in trouble            3 records given up\n          \
             trouble since 1970-01-01T00:16:40.000Z: credentials, with single records"
        );
        let hooks = Feed { since: Some(began.plus_ms(1_000)), pass: 2, newest: Some(began), ..troubled };
        assert_eq!(
            told_of(renew::NAME, &hooks),
            "webhook   in trouble            3 times renewed\n          \
             the CRM sends until 1970-01-01T00:16:41.000Z\n          \
             not renewed since 1970-01-01T00:16:40.000Z: credentials, with single records, 2 attempts\n          \
             renewed next at 1970-01-01T00:16:40.000Z"
        );
        assert_eq!(progress(&feed(5_000, Some(1_000))), format!("{} 5000 of 1000 records", "█".repeat(30)));
    }
}
