//! `crm-bridge audit …`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use audit_log::chain::{PublicKey, Report};
use audit_log::{check_file, heads_in_file, public_key_file};
use bridge_contract::CustomerRef;
use clap::Subcommand;
use crm_bridge::config::Config;
use crm_bridge::store::Store;
use crm_bridge::store::audit::verified;
use crm_bridge::{MIGRATIONS, start};
use service_kit::{Clock, Ids, Timestamp};

/// What to do with the audit log
#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Say separately whether the log is unaltered and whether it is complete; exit code 1 if one of both is not
    Verify {
        /// Check this export instead, with neither database nor secret key
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        /// An export of the other service, which holds heads of this log
        #[arg(long, value_name = "FILE")]
        other: Option<PathBuf>,
        /// The public key of the log, if you have it from elsewhere than the export
        #[arg(long, value_name = "FILE", requires = "export")]
        key: Option<PathBuf>,
        /// The public key of the other service's log, if you have it from elsewhere
        #[arg(long, value_name = "FILE")]
        other_key: Option<PathBuf>,
    },
    /// Write entries into a new file that an auditor can check with `audit verify --export`
    Export {
        /// Entries from this instant on, such as 2026-11-01 or 2026-11-01T08:00:00Z
        #[arg(long, value_parser = instant)]
        from: Option<Timestamp>,
        /// Entries before this instant
        #[arg(long, value_parser = instant)]
        to: Option<Timestamp>,
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take a customer out of the log; it stays valid
    Erase {
        /// The customer's opaque reference
        #[arg(long, value_name = "REF")]
        customer_ref: String,
    },
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    whole.parse().map_err(|_| "write a day (2026-11-01) or an instant (2026-11-01T08:00:00Z)".to_owned())
}

pub(crate) async fn run(
    settings: impl FnOnce() -> Result<Config>,
    command: AuditCommand,
) -> Result<ExitCode> {
    match command {
        AuditCommand::Verify { export: Some(file), other, key, other_key } => {
            verify_file(&file, other.as_deref(), key.as_deref(), other_key.as_deref())
        }
        AuditCommand::Verify { export: None, other, other_key, .. } => {
            verify(settings()?, other.as_deref(), other_key.as_deref()).await
        }
        AuditCommand::Export { from, to, out } => export(settings()?, (from, to), &out).await,
        AuditCommand::Erase { customer_ref } => erase(settings()?, &customer_ref).await,
    }
}

async fn open(config: &Config) -> Result<Store> {
    let database = super::open(config).await?;
    database.migrate(&MIGRATIONS).await?;
    let log = start::audit_log(config, &Ids::random(Clock::system()))?;
    Ok(Store::new(database, start::walls(config), log))
}

fn pinned(file: Option<&Path>) -> Result<Option<PublicKey>> {
    Ok(file.map(public_key_file).transpose()?)
}

fn told(report: &Report) -> ExitCode {
    println!("{report}");
    if report.passes() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verify_file(
    file: &Path,
    other: Option<&Path>,
    key: Option<&Path>,
    other_key: Option<&Path>,
) -> Result<ExitCode> {
    let (report, manifest) = check_file(file, other, pinned(key)?, pinned(other_key)?)?;
    println!(
        "export of the audit log of {}, entries {} to {}",
        manifest.service, manifest.first, manifest.last
    );
    println!("public key:    {}", manifest.key);
    Ok(told(&report))
}

async fn verify(config: Config, other: Option<&Path>, other_key: Option<&Path>) -> Result<ExitCode> {
    let store = open(&config).await?;
    let held = other.map(heads_in_file).transpose()?.unwrap_or_default();
    let known = pinned(other_key)?.or(start::other_audit_key(&config)?);
    let report = store.verify_audit(&held, known).await?;
    if other.is_none() {
        println!(
            "not compared with what the ticket service holds; give --other with an export of its log for that"
        );
    }
    // A log that can't take this entry is told of above all the same.
    let recorded = store.record(verified(Clock::system().now(), &report)).await;
    store.close().await;
    let code = told(&report);
    recorded.context("the result could not be recorded")?;
    Ok(code)
}

async fn export(
    config: Config,
    stretch: (Option<Timestamp>, Option<Timestamp>),
    out: &Path,
) -> Result<ExitCode> {
    let store = open(&config).await?;
    let exported = store.export_audit(stretch, Clock::system().now(), out).await;
    store.close().await;
    let exported = exported?;
    println!(
        "wrote {} entries ({} to {}) into {}",
        exported.entries,
        exported.first,
        exported.last,
        out.display()
    );
    Ok(ExitCode::SUCCESS)
}

async fn erase(config: Config, customer_ref: &str) -> Result<ExitCode> {
    let customer_ref = CustomerRef::new(customer_ref).context("--customer-ref")?;
    let store = open(&config).await?;
    store.erase(&customer_ref, Clock::system().now()).await?;
    store.close().await;
    println!("erased; the log stays valid");
    Ok(ExitCode::SUCCESS)
}
