//! The command line of the CRM bridge.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to people on its standard streams"
)]

mod commands;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

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
    Serve,
    /// Bring the database up to date
    Migrate,
    /// Say whether the settings, the policy, the profile and the keys can be used
    CheckConfig,
    /// Print the OpenAPI document
    Openapi,
    /// Keys of the bridge
    #[command(subcommand)]
    Keys(KeysCommand),
    /// What support may see
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// How CRMs are asked
    #[command(subcommand)]
    Profile(ProfileCommand),
}

#[derive(Subcommand)]
enum KeysCommand {
    /// Make the key that seals kept cards; an existing file is not overwritten
    Generate {
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        cache: PathBuf,
    },
}

#[derive(Subcommand)]
enum PolicyCommand {
    /// May this policy be used with this CRM?
    Check,
    /// What does each role see? As text, as a page to print and sign, or as JSON
    Explain {
        /// How to write it
        #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
        format: ExplainFormat,
        /// Language of the page; without it that of the policy
        #[arg(long, value_enum)]
        language: Option<PageLanguage>,
    },
    /// What would come through of the CRM's records as they are? Prints numbers, never a value
    DryRun {
        /// How many records to read
        #[arg(long, default_value_t = 100)]
        count: u64,
    },
}

/// How an explanation is written.
#[derive(Clone, Copy, ValueEnum)]
enum ExplainFormat {
    /// For the terminal
    Text,
    /// One page to print and sign
    Html,
    /// For programs
    Json,
}

/// A language that the page can be in.
#[derive(Clone, Copy, ValueEnum)]
enum PageLanguage {
    /// English
    En,
    /// Russian
    Ru,
}

impl From<PageLanguage> for crm_bridge::policy::Language {
    fn from(language: PageLanguage) -> Self {
        match language {
            PageLanguage::En => Self::En,
            PageLanguage::Ru => Self::Ru,
        }
    }
}

#[derive(Subcommand)]
enum ProfileCommand {
    /// The profiles that ship
    List,
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
