//! `ticket-service audit …`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use audit_log::chain::{PublicKey, Report};
use audit_log::{check_file, heads_in_file, public_key_file};
use bridge_contract::CustomerRef;
use clap::Subcommand;
use service_kit::Timestamp;
use ticket_service::app::App;
use ticket_service::app::audit::{heads, records};
use ticket_service::config::Config;
use ticket_service::server;

use crate::say;

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

/// Runs a command; the exit code says how a verification ended.
pub(crate) async fn run(
    settings: impl FnOnce() -> anyhow::Result<Config>,
    command: AuditCommand,
) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify { export: Some(file), other, key, other_key } => {
            verify_file(&file, other.as_deref(), key.as_deref(), other_key.as_deref())
        }
        AuditCommand::Verify { export: None, other, other_key, .. } => {
            let app = server::open(settings()?).await?;
            let verified = verify(&app, other.as_deref(), other_key.as_deref()).await;
            app.store.database().close().await;
            verified
        }
        AuditCommand::Export { from, to, out } => {
            let app = server::open(settings()?).await?;
            let exported = records::export(&app, (from, to), &out).await;
            app.store.database().close().await;
            let done = exported?;
            say(&format!(
                "Wrote {} entries ({} to {}) into {}.",
                done.entries,
                done.first,
                done.last,
                out.display()
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        AuditCommand::Erase { customer_ref } => {
            let customer_ref = CustomerRef::new(customer_ref).context("--customer-ref")?;
            let app = server::open(settings()?).await?;
            let erased = records::erase(&app, customer_ref).await;
            app.store.database().close().await;
            erased?;
            say("Erased; the log stays valid.")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn pinned(file: Option<&Path>) -> anyhow::Result<Option<PublicKey>> {
    Ok(file.map(public_key_file).transpose()?)
}

fn told(report: &Report) -> anyhow::Result<ExitCode> {
    say(&report.to_string())?;
    Ok(if report.passes() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verify_file(
    file: &Path,
    other: Option<&Path>,
    key: Option<&Path>,
    other_key: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let (report, manifest) = check_file(file, other, pinned(key)?, pinned(other_key)?)?;
    say(&format!(
        "export of the audit log of {}, entries {} to {}",
        manifest.service, manifest.first, manifest.last
    ))?;
    say(&format!("public key:    {}", manifest.key))?;
    told(&report)
}

async fn verify(app: &App, other: Option<&Path>, other_key: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut held = other.map(heads_in_file).transpose()?.unwrap_or_default();
    if other.is_none() {
        match heads::held_by_bridge(app, &app.ids.new_id("req")).await {
            Ok(heads) => held.extend(heads),
            Err(error) => say(&format!(
                "not compared with what the bridge holds ({error}); give --other with an export of its log for that"
            ))?,
        }
    }
    let known = pinned(other_key)?.or(app.other_audit_key);
    let report = records::verify(app, &held, known).await?;
    told(&report)
}
