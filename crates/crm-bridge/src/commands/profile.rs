//! `crm-bridge profile …`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use crm_bridge::app::profile_test::profile_test;
use crm_bridge::config::Config;
use crm_bridge::connector::profile::{BUILT_IN, Profile, schema};
use crm_bridge::start;
use service_kit::{Clock, telemetry};

use super::live;

#[derive(Subcommand)]
pub(crate) enum ProfileCommand {
    /// The profiles that ship, and what is verified how
    List,
    /// Write a commented profile to start from; an existing file is not overwritten
    New {
        /// Where to write it, such as my-crm.toml
        file: PathBuf,
        /// The profile to start from; see `profile list`
        #[arg(long, default_value = "generic-rest", value_name = "NAME")]
        like: String,
        /// Name of the CRM, for people
        #[arg(long)]
        title: Option<String>,
    },
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
        ProfileCommand::New { file, like, title } => new(&file, &like, title.as_deref()),
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

fn new(file: &Path, like: &str, title: Option<&str>) -> Result<ExitCode> {
    let Some((_, text)) = BUILT_IN.iter().find(|(name, _)| *name == like) else {
        bail!("there is no profile `{like}` to start from; see `crm-bridge profile list`");
    };
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if name.trim_matches('-').is_empty() || file.extension().is_none_or(|extension| extension != "toml") {
        bail!("{}: give the file a name such as my-crm.toml", file.display());
    }
    let text = renamed(text, name.trim_matches('-'), title);
    if let Err(errors) = Profile::load(&text) {
        bail!(
            "the new profile would have errors: {}",
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        );
    }
    let created = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    let mut output = created.with_context(|| {
        format!("{} can't be made; an existing file is never overwritten", file.display())
    })?;
    output.write_all(text.as_bytes())?;
    println!("wrote {}", file.display());
    println!("next: go through it from top to bottom, then `crm-bridge profile check {}`;", file.display());
    println!("put crm.profile = \"{}\" into the settings and run `crm-bridge profile test`", file.display());
    Ok(ExitCode::SUCCESS)
}

/// The profile with another name and title in its first table.
fn renamed(text: &str, name: &str, title: Option<&str>) -> String {
    let (mut name_due, mut title_due) = (true, title.is_some());
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let lines = text.lines().map(|line| {
        let key = line.split('=').next().unwrap_or_default().trim_end();
        let begin = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
        if name_due && key == "name" {
            name_due = false;
            return format!("{}= {}", begin(line), quoted(name));
        }
        if title_due && key == "title" {
            title_due = false;
            return format!("{}= {}", begin(line), quoted(title.unwrap_or_default()));
        }
        line.to_owned()
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
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
