//! Starts the sandbox CRM.
#![expect(clippy::print_stdout, reason = "whoever starts it reads the address from stdout")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Parser;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sandbox_crm::behaviour::Behaviour;
use sandbox_crm::webhook::Target;
use sandbox_crm::{Recipe, Settings};

/// A small CRM with contacts, deals and invoices, for trying out and for tests; never deploy it
#[derive(Parser)]
#[command(name = "sandbox-crm")]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File with the API key
    #[arg(long, conflicts_with = "secret")]
    secret_file: Option<PathBuf>,
    /// The API key itself, for trying out
    #[arg(long)]
    secret: Option<String>,
    /// File that keeps the data; without it nothing outlives the process
    #[arg(long)]
    data: Option<PathBuf>,
    /// The same seed makes the same customers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many customers to make, if the data file does not exist yet
    #[arg(long, default_value_t = 200)]
    customers: usize,
    /// Make every sensitive value unique, and list them in this file
    #[arg(long)]
    markers: Option<PathBuf>,
    /// Instead of generated customers: so many that are made when they are asked for, for benchmarks
    #[arg(long, conflicts_with = "markers")]
    crowd: Option<u64>,
    /// Where to post when a contact was changed, erased or merged
    #[arg(long, requires = "webhook_secret")]
    webhook: Option<String>,
    /// The key that signs those posts
    #[arg(long)]
    webhook_secret: Option<String>,
    /// Ignore `fields` and always answer everything, as several CRMs do
    #[arg(long)]
    ignore_fields: bool,
}

#[actix_web::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let recipe = Recipe {
        seed: arguments.seed,
        customers: arguments.customers,
        marked: arguments.markers.is_some(),
        today: now().to_zoned(TimeZone::UTC).date(),
    };
    let running = sandbox_crm::start(Settings {
        listen: arguments.listen,
        secret: secret(arguments.secret, arguments.secret_file.as_deref())?,
        data: arguments.data,
        recipe,
        crowd: arguments.crowd,
        webhook: arguments.webhook.zip(arguments.webhook_secret).map(|(url, secret)| Target { url, secret }),
        behaviour: Behaviour { ignore_fields: arguments.ignore_fields, ..Behaviour::default() },
        clock: Arc::new(now),
    })?;
    if let Some(file) = arguments.markers {
        let list = serde_json::to_vec_pretty(&running.markers)?;
        fs::write(&file, list).with_context(|| format!("can't write {}", file.display()))?;
    }
    println!("listening on http://{}", running.address);
    running.server.await?;
    Ok(())
}

fn secret(given: Option<String>, file: Option<&Path>) -> Result<String> {
    let secret = match (given, file) {
        (Some(secret), _) => secret,
        (None, Some(file)) => fs::read_to_string(file)
            .with_context(|| format!("can't read {}", file.display()))?
            .trim()
            .to_owned(),
        (None, None) => bail!("say which API key callers must send: --secret-file FILE or --secret KEY"),
    };
    if secret.is_empty() {
        bail!("the API key is empty");
    }
    Ok(secret)
}

#[expect(clippy::disallowed_methods, reason = "the one place where this program asks for the time")]
fn now() -> Timestamp {
    Timestamp::now()
}
