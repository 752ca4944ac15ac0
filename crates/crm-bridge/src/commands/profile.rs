//! `crm-bridge profile …`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;
use crm_bridge::app::profile_test::profile_test;
use crm_bridge::config::Config;
use crm_bridge::connector::profile::{BUILT_IN, Profile, schema};
use crm_bridge::start;
use service_kit::{Clock, telemetry};

use super::{live, profile_new};

#[derive(Subcommand)]
pub(crate) enum ProfileCommand {
    /// The profiles that ship, and what is verified how
    List,
    /// Begin a commented profile; on a terminal it asks a few questions. An existing file is not overwritten
    New(Box<profile_new::NewArguments>),
    /// Say all that is wrong with a profile, each with its line
    Check {
        /// The profile
        file: PathBuf,
    },
    /// Ask the configured CRM each question once, read-only, and say what came back. Prints numbers and names, never a value
    Test {
        /// Records a page
        #[arg(long, default_value_t = 20)]
        samples: u16,
    },
    /// The JSON schema of profiles, for editors
    Schema,
}

pub(crate) async fn run(
    settings: impl FnOnce() -> Result<Config>,
    command: ProfileCommand,
) -> Result<ExitCode> {
    match command {
        ProfileCommand::List => list(),
        ProfileCommand::New(arguments) => profile_new::run(&arguments),
        ProfileCommand::Check { file } => check(&file),
        ProfileCommand::Test { samples } => test(settings()?, samples).await,
        ProfileCommand::Schema => {
            println!("{}", serde_json::to_string_pretty(&schema::schema())?);
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list() -> Result<ExitCode> {
    for (name, text) in BUILT_IN {
        let profile = Profile::load(text).map_err(|errors| anyhow::anyhow!("profile {name}: {errors:?}"))?;
        println!("{name:<14}{}", profile.head.title);
        let head = &profile.head;
        for (how, what) in [
            ("run", &head.run),
            ("read in the source", &head.source),
            ("from documentation", &head.documentation),
            ("to be checked", &head.known),
        ] {
            if !what.is_empty() {
                println!("{:14}{how}: {}", "", what.join("; "));
            }
        }
        for (setting, description) in &profile.settings {
            println!("{:14}crm.settings.{setting}: {description}", "");
        }
        println!("{:14}rights: {}\n", "", head.rights);
    }
    Ok(ExitCode::SUCCESS)
}

fn check(file: &Path) -> Result<ExitCode> {
    let text = std::fs::read_to_string(file).with_context(|| format!("the profile {}", file.display()))?;
    match Profile::load(&text) {
        Ok(profile) => {
            let operations = profile.operations().len();
            println!(
                "{}: the profile of {} can be used, {operations} requests",
                file.display(),
                profile.head.title
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(errors) => {
            errors.iter().for_each(|error| println!("{}, {error}", file.display()));
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn test(config: Config, samples: u16) -> Result<ExitCode> {
    telemetry::init(&config.telemetry)?;
    let profile = config.profile().map_err(anyhow::Error::msg)?;
    let title = profile.head.title.clone();
    let policy = start::policy(&config, &profile)?;
    let connector = live::connector(&config, &policy, profile).await?;
    let phones = config.phone_rules().map_err(anyhow::Error::msg)?;
    let report =
        profile_test(&connector, &policy, &phones, samples.clamp(2, 200), Clock::system().now()).await;
    print!("{}", report.text(&title));
    Ok(if report.passes() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
