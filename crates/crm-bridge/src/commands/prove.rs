//! `crm-bridge prove`: the canary suite against a sandbox of the configured CRM.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use crm_bridge::app::BridgeMetrics;
use crm_bridge::app::policies;
use crm_bridge::app::prove::{ByHand, Order, Way, clean_up, html, markers, prove, report};
use crm_bridge::config::{Config, PolicySource};
use crm_bridge::connector::plant::Planter;
use crm_bridge::connector::profile::Profile;
use crm_bridge::policy::Policy;
use crm_bridge::start::{self, Around};
use crm_bridge::store::Store;
use service_kit::metrics::Metrics;
use service_kit::{Clock, Ids, Secret, telemetry, token};

use super::{METRICS_PREFIX, open};

/// Green.
const GREEN: u8 = 0;
/// Something came through.
const RED: u8 = 1;
/// It could not be carried out, or a control does not hold.
const NOT_PROVEN: u8 = 2;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ProveCommand {
    #[command(subcommand)]
    verify: Option<ProveVerify>,
    /// The host of the CRM's sandbox, typed once more: nothing is planted anywhere else
    #[arg(long, value_name = "HOST")]
    sandbox: Option<String>,
    /// File with the key that may make and remove records; another key than the bridge's
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    plant_key_file: Option<PathBuf>,
    /// What differs for that key from [crm.settings], such as the login of its user: NAME=VALUE, as often as needed
    #[arg(long, value_name = "NAME=VALUE", requires = "plant_key_file")]
    plant_setting: Vec<String>,
    /// Where the report goes: report.json, report.html and, with a key, report.json.sig
    #[arg(long, value_name = "FOLDER", default_value = "proof")]
    out: PathBuf,
    /// Private key (Ed25519, PEM) that signs the report: `crm-bridge keys generate --approver FILE`
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,
    /// Write a list of fresh values to type into one test record by hand, for a CRM without a key that may write
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plant_key_file", "planted", "clean_up"])]
    new_markers: Option<PathBuf>,
    /// Use the values of that list, which somebody has typed in
    #[arg(long, value_name = "FILE", conflicts_with = "plant_key_file")]
    planted: Option<PathBuf>,
    /// Only remove what an earlier run has left, by the journal in the folder of --out
    #[arg(long, requires = "plant_key_file")]
    clean_up: bool,
}

#[derive(Subcommand)]
enum ProveVerify {
    /// Say whether a report is what was signed, and whether the page beside it says the same
    Verify {
        /// report.json; the signature lies beside it
        report: PathBuf,
        /// The public key of who signed it
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
}

pub(super) async fn run(
    settings: impl FnOnce() -> Result<Config>,
    config_file: Option<&Path>,
    command: ProveCommand,
) -> ExitCode {
    let done = match &command.verify {
        Some(ProveVerify::Verify { report, key }) => verify(report, key),
        None => match settings() {
            Ok(config) => go(&config, config_file, &command).await,
            Err(error) => Err(error),
        },
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(NOT_PROVEN)
        }
    }
}

/// What is needed whatever is done.
struct Ready<'a> {
    config: &'a Config,
    profile: Profile,
    profile_text: String,
    policy: Policy,
    policy_text: String,
    host: String,
    clock: Clock,
    ids: Ids,
}

async fn go(config: &Config, config_file: Option<&Path>, command: &ProveCommand) -> Result<u8> {
    telemetry::init(&config.telemetry)?;
    let profile_text = config.profile_text().map_err(anyhow::Error::msg)?;
    let profile = config.profile().map_err(anyhow::Error::msg)?;
    let policy_text = policy_text(config).await?;
    let policy = policies::read(&policy_text, &profile).map_err(|reasons| {
        anyhow::Error::msg(reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })?;
    let clock = Clock::system();
    let ids = Ids::random(clock.clone());
    let host = start::crm_host(config, &profile)?;
    let ready = Ready { config, profile, profile_text, policy, policy_text, host, clock, ids };
    if let Some(file) = &command.new_markers {
        return new_markers(&ready, file);
    }
    if let Some(file) = &command.planted {
        let text = std::fs::read_to_string(file).with_context(|| format!("the list {}", file.display()))?;
        let by_hand = ByHand::read(&text).with_context(|| file.display().to_string())?;
        return drive(&ready, config_file, command, &Way::ByHand(&by_hand)).await;
    }
    let (Some(key_file), Some(sandbox)) = (&command.plant_key_file, &command.sandbox) else {
        bail!(
            "say how the markers come into the CRM: --sandbox HOST and --plant-key-file FILE, or by hand with --new-markers FILE and then \
             --planted FILE. See \"Prove it\" in config/profiles/README.md"
        );
    };
    if !sandbox.eq_ignore_ascii_case(&ready.host) {
        bail!(
            "--sandbox says {sandbox}, but the settings lead to {}. Nothing was planted. If {} really is a sandbox with no real customers \
             in it, say --sandbox {}",
            ready.host,
            ready.host,
            ready.host
        );
    }
    let planter = planter(&ready, key_file, &command.plant_setting)?;
    if command.clean_up {
        return finish(&ready, command, &planter).await;
    }
    drive(&ready, config_file, command, &Way::Planter(&planter)).await
}

/// The policy in force: that of the file, or the one that the database says.
async fn policy_text(config: &Config) -> Result<String> {
    if config.policy.source == PolicySource::File {
        let file = &config.policy.file;
        return std::fs::read_to_string(file).with_context(|| format!("the field policy {}", file.display()));
    }
    let database = open(config).await?;
    let ids = Ids::random(Clock::system());
    let store = Store::new(database, start::walls(config), start::audit_log(config, &ids)?);
    let in_force = store.policy_in_force().await?;
    in_force
        .map(|(_, version)| version.body)
        .context("no policy has come into force yet; see `crm-bridge policy activate`")
}

fn planter(ready: &Ready<'_>, key_file: &Path, settings: &[String]) -> Result<Planter> {
    let key = token::read_key_file(key_file)?;
    let key = Secret::new(key.expose().trim());
    let name = ready.profile.plant.as_ref().and_then(|plant| plant.key.as_deref());
    if ready.config.crm_secret_named(name).is_ok_and(|bridge| bridge.expose() == key.expose()) {
        bail!(
            "{} holds the bridge's own key: planting takes another one, and the bridge's key should not be able to write at all",
            key_file.display()
        );
    }
    let metrics = Metrics::new(METRICS_PREFIX);
    let counts = BridgeMetrics::new(&metrics);
    let (clock, ids) = (&ready.clock, &ready.ids);
    let around = Around { clock, ids, metrics: &metrics, counts: &counts, database: None };
    let mut config = ready.config.clone();
    for setting in settings {
        let (name, value) =
            setting.split_once('=').with_context(|| format!("--plant-setting {setting}: say NAME=VALUE"))?;
        config.crm.settings.insert(name.to_owned(), value.to_owned());
    }
    Ok(start::planter(&config, &ready.profile, key, &around)?)
}

fn new_markers(ready: &Ready<'_>, file: &Path) -> Result<u8> {
    let list = ByHand::new(markers::to_type_in(&ready.policy, &ready.profile, &ready.ids))?;
    write(file, 0o600, list.text()?.as_bytes(), true)?;
    println!(
        "wrote {}: {} values, each with the place where it is typed in",
        file.display(),
        list.markers.len()
    );
    println!("make ONE test person in the sandbox of {} with them, then:", ready.profile.head.title);
    println!("  crm-bridge prove --planted {} --out proof", file.display());
    Ok(GREEN)
}

async fn finish(ready: &Ready<'_>, command: &ProveCommand, planter: &Planter) -> Result<u8> {
    let Some((count, left)) = clean_up(&command.out, &ready.host, &ready.profile, planter).await? else {
        println!("there is nothing to remove: {} has no journal", command.out.display());
        return Ok(GREEN);
    };
    println!("{} of {count} records are removed", count - left.len().min(count));
    for left in &left {
        println!("{} (id {}): {}", left.record, left.id.as_deref().unwrap_or("not known"), left.why);
    }
    Ok(if left.is_empty() { GREEN } else { NOT_PROVEN })
}

async fn drive(
    ready: &Ready<'_>,
    config_file: Option<&Path>,
    command: &ProveCommand,
    way: &Way<'_>,
) -> Result<u8> {
    // A key that is none should not be found out at the end.
    let sign_key = command.sign_key.as_deref().map(token::read_key_file).transpose()?;
    if let Some(key) = &sign_key {
        report::sign(key, b"").map_err(anyhow::Error::msg)?;
    }
    let program = std::env::current_exe()?;
    let order = Order {
        program: &program,
        config_file,
        out: &command.out,
        profile: &ready.profile,
        profile_text: &ready.profile_text,
        policy: &ready.policy,
        policy_text: &ready.policy_text,
        ticket_policy_file: &ready.config.ticket_policy.file,
        public_url: &ready.config.crm_api.public_url,
        host: &ready.host,
        clock: &ready.clock,
        ids: &ready.ids,
        say: &|sentence| eprintln!("{sentence}"),
    };
    let report = prove(&order, way).await?;
    let bytes = serde_json::to_vec_pretty(&report)?;
    let file = command.out.join("report.json");
    write(&file, 0o644, &bytes, false)?;
    let page = html(&report, &report::sha256(&bytes));
    write(&command.out.join("report.html"), 0o644, page.as_bytes(), false)?;
    let signature = report::signature_file(&file);
    match &sign_key {
        Some(key) => {
            write(&signature, 0o644, &report::sign(key, &bytes).map_err(anyhow::Error::msg)?, false)?
        }
        // One of an earlier report would not fit this one.
        None => drop(std::fs::remove_file(&signature)),
    }
    Ok(said(&report, &command.out, sign_key.is_some()))
}

fn said(report: &report::Report, out: &Path, signed: bool) -> u8 {
    let bytes: usize = report.places.iter().map(|place| place.bytes).sum();
    let places: usize = report.places.iter().map(|place| place.count).sum();
    println!("{} markers, {places} places, {bytes} bytes", report.markers.len());
    for control in report.controls.iter().filter(|control| !control.holds) {
        println!("does not hold: {} {}", control.says, control.detail);
    }
    for found in &report.found {
        println!("came through: {} ({}), in {}, {}", found.leak, found.marker, found.place, found.spelling);
    }
    for left in &report.left {
        println!(
            "still in the CRM: {} (id {}): {}",
            left.record,
            left.id.as_deref().unwrap_or("not known"),
            left.why
        );
    }
    let how = if signed { ", signed" } else { ", not signed (see --sign-key)" };
    println!("the report is in {}{how}", out.display());
    let (word, code) = match report.verdict {
        report::Verdict::Green => ("green: nothing came through but the listed fields", GREEN),
        report::Verdict::Red => ("red: something came through", RED),
        report::Verdict::Void => {
            ("void: nothing was found, but a control does not hold, so nothing is proven", NOT_PROVEN)
        }
    };
    println!("{word}");
    code
}

fn verify(file: &Path, key: &Path) -> Result<u8> {
    let read = |file: &Path| std::fs::read(file).with_context(|| format!("{} can't be read", file.display()));
    let bytes = read(file)?;
    let signature = read(&report::signature_file(file))?;
    let key = std::fs::read_to_string(key).with_context(|| format!("{} can't be read", key.display()))?;
    let report = match report::verify(&bytes, &signature, &key) {
        Ok(report) => report,
        Err(sentence) => {
            println!("{sentence}");
            return Ok(RED);
        }
    };
    println!("signed with this key and not changed since");
    let page = file.with_extension("html");
    if page.is_file() {
        let same = read(&page)? == html(&report, &report::sha256(&bytes)).into_bytes();
        println!(
            "{} {}",
            page.display(),
            if same { "says the same" } else { "is not the page of this report: do not believe it" }
        );
        if !same {
            return Ok(RED);
        }
    }
    let verdict = serde_json::to_value(report.verdict)?;
    println!(
        "verdict {}, {} at {}, {}, policy {}",
        verdict.as_str().unwrap_or_default(),
        report.crm.title,
        report.crm.host,
        report.ended_at,
        report.policy.sha256
    );
    Ok(GREEN)
}

fn write(file: &Path, mode: u32, bytes: &[u8], new: bool) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).mode(mode);
    if new {
        options.create_new(true)
    } else {
        options.create(true).truncate(true)
    };
    let opened = options.open(file);
    let mut output =
        opened.with_context(|| format!("{} can't be written; is there one already?", file.display()))?;
    output.write_all(bytes)?;
    output.sync_all()?;
    Ok(())
}
