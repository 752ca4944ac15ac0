//! The command line of the CRM bridge.
#![expect(clippy::print_stderr, reason = "a command line talks to people on its standard streams")]

/// Like the one of the standard library, but a reader that has seen enough (`crm-bridge … | head`) is no fault.
macro_rules! println {
    () => { $crate::say(format_args!("\n")) };
    ($($text:tt)*) => { $crate::say(format_args!("{}\n", format_args!($($text)*))) };
}
/// The same without the end of the line.
macro_rules! print {
    ($($text:tt)*) => { $crate::say(format_args!($($text)*)) };
}

mod commands;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A copy's pages are typed on one thread and written by another: freeing what another thread allocated is what the C library's
/// allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The only process that talks to the CRM: answers who somebody is and shows the listed fields
#[derive(Parser)]
#[command(name = "crm-bridge", version)]
struct Arguments {
    /// Settings that differ from the defaults (TOML)
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Listen for the ticket service
    Serve {
        /// Stop, too, when standard input ends: whoever started this process has gone
        #[arg(long)]
        until_stdin_ends: bool,
    },
    /// Bring the database up to date
    Migrate,
    /// Say whether the settings, the policy, the profile and the keys can be used
    CheckConfig,
    /// Print the OpenAPI document
    Openapi {
        /// That of the listener for the CRM
        #[arg(long)]
        crm: bool,
    },
    /// Keys of the CRM, for the other direction
    #[command(subcommand)]
    CrmKeys(commands::crm::KeysOfCrm),
    /// Receivers of what becomes of tickets
    #[command(subcommand)]
    CrmWebhooks(commands::crm::Webhooks),
    /// Keys of the bridge
    #[command(subcommand)]
    Keys(KeysCommand),
    /// What support may see
    #[command(subcommand)]
    Policy(commands::policy::PolicyCommand),
    /// Following what changes in the CRM
    #[command(subcommand)]
    Sync(commands::sync::SyncCommand),
    /// How CRMs are asked
    #[command(subcommand)]
    Profile(commands::profile::ProfileCommand),
    /// Plant markers in a sandbox of the CRM, use everything, look for them everywhere, and write a report for the data owner
    Prove(Box<commands::prove::ProveCommand>),
    /// Who did what, on the record
    #[command(subcommand)]
    Audit(commands::audit::AuditCommand),
}

/// What programs end with that the shell ends for writing to nobody: 128 and the number of SIGPIPE.
const NOBODY_READS: i32 = 141;

pub(crate) fn say(text: std::fmt::Arguments<'_>) {
    if std::io::stdout().lock().write_fmt(text).is_err() {
        std::process::exit(NOBODY_READS);
    }
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make a key; an existing file is not overwritten
    #[command(arg_required_else_help = true)]
    Generate {
        /// The key that seals kept cards
        #[arg(long, value_name = "FILE")]
        cache: Option<PathBuf>,
        /// The key with which a person approves policies; the public half is written to FILE.pub
        #[arg(long, value_name = "FILE")]
        approver: Option<PathBuf>,
    },
    /// Make the key pair with which the bridge orders tickets: the ticket service gets the public one
    GeneratePair {
        /// Where the private key goes; readable by this user only. Must not exist yet
        #[arg(long, value_name = "FILE")]
        private: PathBuf,
        /// Where the public key goes
        #[arg(long, value_name = "FILE")]
        public: PathBuf,
    },
}

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
