//! The command line of the ticket service.

mod commands;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use db_kit::Database;
use service_kit::{Clock, Ids, telemetry, token};
use ticket_service::app::operators::{self, NewOperator};
use ticket_service::bridge::{self, BridgeClient};
use ticket_service::config::Config;
use ticket_service::domain::password::NewPassword;
use ticket_service::domain::{Actor, EmailAddress, PersonName, Role};
use ticket_service::{app, http, server, store};

/// A password longer than this is none.
const PASSWORD_BYTES_MAX: u64 = 4096;

#[derive(Parser)]
#[command(name = "ticket-service", version, about = "Guichet's helpdesk: tickets, messages, operators.")]
struct Arguments {
    /// The settings that differ from the defaults (TOML). Environment variables GUICHET_TICKETS__SECTION__KEY win over it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT. Brings the database up to date first.
    Serve,
    /// Bring the database up to date and say what was done.
    Migrate,
    /// Read the settings and say what is wrong with them, if anything.
    CheckConfig,
    /// Print the description of the interface (OpenAPI 3.1, JSON).
    Openapi,
    /// Add an administrator; the password is read from standard input.
    CreateAdmin {
        /// The mail address to sign in with.
        #[arg(long)]
        email: String,
        /// The name that colleagues see.
        #[arg(long)]
        name: String,
    },
    /// Fill the database with generated tickets of a year, three messages each, for trials and benchmarks.
    Seed {
        /// How many.
        #[arg(long, default_value_t = 1000)]
        tickets: u64,
        /// The same seed makes the same tickets.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Who did what, on the record.
    Audit {
        #[command(subcommand)]
        command: commands::audit::AuditCommand,
    },
    /// Keys between the services.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make a key pair: the ticket service signs with the private key, the bridge checks with the public one.
    Generate {
        /// Where the private key goes; readable by this user only. Must not exist yet.
        #[arg(long)]
        private: PathBuf,
        /// Where the public key goes.
        #[arg(long)]
        public: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("ticket-service: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a command that failed")]
fn complain(text: &str) {
    eprintln!("{text}");
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let read = || Config::read(arguments.config.as_deref());
    let done = match arguments.command {
        Command::Audit { command } => {
            return block_on(commands::audit::run(|| logged(read()?), command));
        }
        Command::Openapi => say(&http::document().to_pretty_json()?),
        Command::Keys { command: KeysCommand::Generate { private, public } } => {
            generate_keys(&private, &public)
        }
        Command::CheckConfig => {
            let config = read()?;
            let clock = Clock::system();
            // Reads the key, too.
            BridgeClient::from_config(&config.bridge, clock.clone(), Ids::random(clock.clone()))
                .context("[bridge]")?;
            bridge::verifier(&config.bridge, clock).context("[bridge]")?;
            say("The settings can be used.")
        }
        Command::Serve => block_on(server::serve(logged(read()?)?)),
        Command::Migrate => block_on(migrate(logged(read()?)?)),
        Command::Seed { tickets, seed } => block_on(fill(logged(read()?)?, tickets, seed)),
        Command::CreateAdmin { email, name } => block_on(create_admin(logged(read()?)?, &email, &name)),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn logged(config: Config) -> anyhow::Result<Config> {
    telemetry::init(&config.telemetry)?;
    Ok(config)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}

async fn migrate(config: Config) -> anyhow::Result<()> {
    let database = Database::open(&config.database).await?;
    let applied = database.migrate(&store::MIGRATIONS).await?;
    database.close().await;
    match applied.len() {
        0 => say("The database was up to date."),
        _ => say(&format!("Applied: {}", applied.join(", "))),
    }
}

async fn create_admin(config: Config, email: &str, name: &str) -> anyhow::Result<()> {
    let new = NewOperator {
        email: EmailAddress::new(email).context("--email")?,
        name: PersonName::new(name).context("--name")?,
        role: Role::Admin,
        password: read_password()?,
    };
    let app = server::open(config).await?;
    let made = operators::create(&app, &Actor::system(), new).await;
    app.store.database().close().await;
    match made {
        Ok(admin) => say(&format!("{} can sign in now ({}).", admin.name, admin.id)),
        Err(error) => bail!("{}", error.problem().detail_text()),
    }
}

async fn fill(config: Config, tickets: u64, seed: u64) -> anyhow::Result<()> {
    let app = server::open(config).await?;
    let filled = app::seed::seed(&app, tickets, seed).await;
    app.store.database().close().await;
    filled?;
    say(&format!("Wrote {tickets} tickets."))
}

fn read_password() -> anyhow::Result<NewPassword> {
    let mut text = String::new();
    std::io::stdin().lock().take(PASSWORD_BYTES_MAX).read_to_string(&mut text).context("standard input")?;
    let password = text.lines().next().unwrap_or_default().to_owned();
    if password.is_empty() {
        bail!(
            "give the password on standard input, for example: ticket-service create-admin … < password.txt"
        );
    }
    NewPassword::new(password).context("the password")
}

fn generate_keys(private: &std::path::Path, public: &std::path::Path) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;

    let (private_pem, public_pem) = token::generate_key_pair(&Ids::random(Clock::system()))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(private)
        .with_context(|| format!("{} can't be written", private.display()))?;
    file.write_all(private_pem.expose().as_bytes())?;
    file.sync_all()?;
    std::fs::write(public, public_pem).with_context(|| format!("{} can't be written", public.display()))?;
    say(&format!("{} signs, {} checks. Keep the first one secret.", private.display(), public.display()))
}
