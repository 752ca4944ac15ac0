//! `crm-bridge policy …`: what a data owner decides, looks at and signs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};
use crm_bridge::app::dry_run::dry_run;
use crm_bridge::app::policies::{self, Person, Proposed};
use crm_bridge::config::Config;
use crm_bridge::connector::profile::Profile;
use crm_bridge::policy::diff::changes;
use crm_bridge::policy::explain::{self, Approved, Explanation};
use crm_bridge::policy::{Language, Policy, check, load};
use crm_bridge::start;
use crm_bridge::store::Store;
use crm_bridge::store::policies::Version;
use crm_bridge::ticket_policy::NO_POLICY;
use service_kit::{Clock, Ids, Secret, telemetry, token};

use super::{live, open};

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// May this policy be used with this CRM?
    Check {
        /// A file, or the number or hash of a kept policy; without it policy.file
        policy: Option<String>,
        /// Ask the CRM, read-only, what it calls its fields, and judge that, too
        #[arg(long)]
        live: bool,
    },
    /// What does each role see? As text, as a page to print and sign, or as JSON
    Explain {
        /// A file, the number or hash of a kept policy, or "active"; without it policy.file
        policy: Option<String>,
        /// How to write it
        #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
        format: ExplainFormat,
        /// Language of the page; without it that of the policy
        #[arg(long, value_enum)]
        language: Option<PageLanguage>,
        /// Ask the CRM, read-only, what it calls its fields, and show that, too
        #[arg(long)]
        live: bool,
    },
    /// What would come through of the CRM's records as they are? Prints numbers, never a value
    DryRun {
        /// How many records to read
        #[arg(long, default_value_t = 100)]
        count: u64,
        /// How to write it
        #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
        format: ReportFormat,
    },
    /// What does a change let each role see more of, or less?
    Diff {
        /// A file, the number or hash of a kept policy, or "active"
        old: String,
        /// The same
        new: String,
    },
    /// Which policies there were, who approved them, and which was in force when
    History,
    /// Keep a policy for activation; where two persons are needed, sign it
    Propose {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        person: PersonArguments,
    },
    /// Sign a proposed policy as the second person
    Approve {
        /// Its hash (at least 8 digits of it) or number
        policy: String,
        #[command(flatten)]
        person: PersonArguments,
    },
    /// Bring a proposed policy into force; running bridges take it by themselves
    Activate {
        /// Its hash (at least 8 digits of it) or number; without it the one proposed last
        policy: Option<String>,
        #[command(flatten)]
        person: PersonArguments,
    },
}

#[derive(clap::Args)]
pub(crate) struct PersonArguments {
    /// Who does this
    #[arg(long, value_name = "NAME")]
    by: String,
    /// That person's private key; needed with policy.two_persons
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// How an explanation is written.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// For the terminal
    Text,
    /// One page to print and sign
    Html,
    /// For programs
    Json,
}

/// How a report is written.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For the terminal
    Text,
    /// For programs
    Json,
}

/// A language that the page can be in.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PageLanguage {
    /// English
    En,
    /// Russian
    Ru,
}

impl From<PageLanguage> for Language {
    fn from(language: PageLanguage) -> Self {
        match language {
            PageLanguage::En => Self::En,
            PageLanguage::Ru => Self::Ru,
        }
    }
}

pub(super) async fn run(config: Config, command: PolicyCommand) -> Result<ExitCode> {
    match command {
        PolicyCommand::Check { policy, live } => check_policy(&config, policy.as_deref(), live).await,
        PolicyCommand::Explain { policy, format, language, live } => {
            explain_policy(&config, policy.as_deref(), format, language.map(Into::into), live).await
        }
        PolicyCommand::DryRun { count, format } => run_dry(&config, count, format).await,
        PolicyCommand::Diff { old, new } => diff(&config, &old, &new).await,
        PolicyCommand::History => history(&config).await,
        PolicyCommand::Propose { file, person } => propose(&config, &file, &person).await,
        PolicyCommand::Approve { policy, person } => approve(&config, &policy, &person).await,
        PolicyCommand::Activate { policy, person } => activate(&config, policy.as_deref(), &person).await,
    }
}

fn profile(config: &Config) -> Result<Profile> {
    config.profile().map_err(anyhow::Error::msg)
}

/// A store for the history of policies; the walls of cards do not matter here.
async fn store(config: &Config) -> Result<Store> {
    let database = open(config).await?;
    database.migrate(&crm_bridge::MIGRATIONS).await?;
    let ids = Ids::random(Clock::system());
    Ok(Store::new(database, start::walls(config), start::audit_log(config, &ids)?))
}

/// What a person means by a file, a number, a hash or "active": what to call it, and its text.
async fn which(config: &Config, which: Option<&str>) -> Result<(String, String)> {
    let file = match which {
        None => Some(config.policy.file.clone()),
        Some(name) if Path::new(name).is_file() || name.ends_with(".toml") => Some(PathBuf::from(name)),
        Some(_) => None,
    };
    if let Some(file) = file {
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("the field policy {}", file.display()))?;
        return Ok((file.display().to_string(), text));
    }
    let (store, name) = (store(config).await?, which.unwrap_or_default());
    let version = if name == "active" {
        let in_force = store.policy_in_force().await?;
        in_force.map(|(_, version)| version).context("no policy has come into force yet")?
    } else {
        kept(&store, name).await?
    };
    Ok((format!("policy {} of {}", version.number, version.kept_at), version.body))
}

async fn kept(store: &Store, name: &str) -> Result<Version> {
    let found = store.find_policies(name.to_owned()).await?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!(
            "`{name}` is neither a file nor the number or hash (at least 8 hex digits) of a kept policy; see `policy history`"
        ),
        several => {
            let hashes: Vec<&str> = several.iter().map(|version| version.hash.as_str()).collect();
            bail!(
                "{} kept policies have the number {name}; name one by its hash:\n{}",
                several.len(),
                hashes.join("\n")
            )
        }
    }
}

fn loaded(name: &str, text: &str) -> Result<Policy> {
    load::load(text).map_err(|errors| {
        anyhow::Error::msg(
            errors.iter().map(|error| format!("{name}, {error}")).collect::<Vec<_>>().join("\n"),
        )
    })
}

async fn check_policy(config: &Config, policy: Option<&str>, live: bool) -> Result<ExitCode> {
    let profile = profile(config)?;
    let (name, text) = which(config, policy).await?;
    let policy = match load::load(&text) {
        Ok(policy) => policy,
        Err(errors) => {
            errors.iter().for_each(|error| println!("{name}, {error}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    let labels = live::labels(config, &policy, &profile, live).await?;
    let remarks = check::check_with(&policy, &profile, labels.as_ref()).map_err(anyhow::Error::msg)?;
    for remark in &remarks {
        let weight = if remark.refused { "refused" } else { "note" };
        println!("{name}, line {}: {weight}: {}", remark.line, remark.message);
    }
    if !check::passes(&remarks) {
        println!("the policy can't be used with {}", profile.head.title);
        return Ok(ExitCode::FAILURE);
    }
    println!(
        "policy \"{}\" number {} can be used with {}: {} fields, sha256 {}, profile sha256 {}",
        policy.name,
        policy.number,
        profile.head.title,
        policy.fields.len(),
        policy.hash(),
        profile.digests.whole
    );
    Ok(ExitCode::SUCCESS)
}

async fn explain_policy(
    config: &Config,
    policy: Option<&str>,
    format: ExplainFormat,
    language: Option<Language>,
    live: bool,
) -> Result<ExitCode> {
    let profile = profile(config)?;
    let (name, text) = which(config, policy).await?;
    let shown = loaded(&name, &text)?;
    if let Err(reasons) = policies::read(&text, &profile) {
        bail!("{}", reasons.iter().map(|reason| format!("{name}, {reason}")).collect::<Vec<_>>().join("\n"));
    }
    let approvals = if config.policy.two_persons {
        let rules = config.policy_rules().map_err(anyhow::Error::msg)?;
        let valid = policies::valid_approvals(&store(config).await?, &rules, shown.hash().as_str()).await?;
        valid
            .into_iter()
            .map(|approval| Approved {
                by: approval.approver,
                key: approval.key_id,
                at: approval.at.to_string(),
            })
            .collect()
    } else {
        Vec::new()
    };
    let today: String = Clock::system().now().to_string().chars().take(10).collect();
    let labels = live::labels(config, &shown, &profile, live).await?;
    let explanation = Explanation::new(&shown, &profile, labels.as_ref(), &today, approvals);
    let explanation = explanation.map_err(anyhow::Error::msg)?;
    match format {
        ExplainFormat::Text => {
            print!("{}", explain::text(&explanation));
            // The other direction, beside what comes this way.
            let tickets = start::ticket_policy(config)?;
            print!("\n{}", tickets.map_or_else(|| NO_POLICY.to_owned(), |policy| policy.explain()));
        }
        ExplainFormat::Html => print!("{}", explain::html(&explanation, language.unwrap_or(shown.language))),
        ExplainFormat::Json => println!("{}", explanation.json()?),
    }
    Ok(ExitCode::SUCCESS)
}

async fn run_dry(config: &Config, count: u64, format: ReportFormat) -> Result<ExitCode> {
    telemetry::init(&config.telemetry)?;
    let profile = profile(config)?;
    let title = profile.head.title.clone();
    let policy = start::policy(config, &profile)?;
    let connector = live::connector(config, &policy, profile).await?;
    let phones = config.phone_rules().map_err(anyhow::Error::msg)?;
    match dry_run(&connector, &policy, &phones, count).await {
        Ok(report) => {
            match format {
                ReportFormat::Text => print!("{}", report.text(&policy, &title)),
                ReportFormat::Json => println!("{}", report.json(&policy, &title)?),
            }
            let refused = report.labels.as_ref().is_some_and(|labels| labels.refuses());
            Ok(if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        Err(trouble) => bail!("{title} can't be asked ({}). {}", trouble.as_str(), trouble.sentence()),
    }
}

async fn diff(config: &Config, old: &str, new: &str) -> Result<ExitCode> {
    let (old_name, old_text) = which(config, Some(old)).await?;
    let (new_name, new_text) = which(config, Some(new)).await?;
    let found = changes(&loaded(&old_name, &old_text)?, &loaded(&new_name, &new_text)?);
    if found.is_empty() {
        println!("both say the same");
    }
    for change in found {
        println!("{change}");
    }
    println!("{}", of_profile(&profile(config)?));
    Ok(ExitCode::SUCCESS)
}

async fn history(config: &Config) -> Result<ExitCode> {
    let store = store(config).await?;
    let rules = config.policy_rules().map_err(anyhow::Error::msg)?;
    let (versions, activations) = (store.policies().await?, store.activations().await?);
    let number_of =
        |hash: &str| versions.iter().find(|version| version.hash == hash).map(|version| version.number);
    println!("in force, the latest first");
    for (i, activation) in activations.iter().enumerate() {
        let number = number_of(&activation.hash).map_or_else(|| "?".to_owned(), |number| number.to_string());
        let now = if i == 0 { "  (now)" } else { "" };
        println!(
            "  {}  number {number}  {}  {}, by {}{now}",
            activation.at,
            activation.hash,
            activation.grounds.as_str(),
            activation.by
        );
    }
    println!("\nkept, the latest first");
    for version in &versions {
        println!(
            "  {}  number {}  {}  by {}",
            version.kept_at, version.number, version.hash, version.kept_by
        );
        for approval in store.approvals(version.hash.clone()).await? {
            let valid = rules.approvers.accepts(&version.hash, &approval.approver, &approval.signature);
            let worth = if valid { "" } else { "  NOT VALID with the keys of policy.approvers" };
            println!(
                "      signed by {} with key {} at {}{worth}",
                approval.approver, approval.key_id, approval.at
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn propose(config: &Config, file: &Path, person: &PersonArguments) -> Result<ExitCode> {
    let (profile, rules) = (profile(config)?, config.policy_rules().map_err(anyhow::Error::msg)?);
    let text =
        std::fs::read_to_string(file).with_context(|| format!("the field policy {}", file.display()))?;
    let key = key(person)?;
    let person = Person { name: &person.by, key: key.as_ref() };
    let store = store(config).await?;
    let proposed = policies::propose(&store, &rules, &profile, &text, &person, Clock::system().now()).await;
    let proposed = proposed.with_context(|| format!("{} can't be proposed", file.display()))?;
    tell(&proposed, &profile, "proposed");
    Ok(ExitCode::SUCCESS)
}

async fn approve(config: &Config, policy: &str, person: &PersonArguments) -> Result<ExitCode> {
    let (profile, rules) = (profile(config)?, config.policy_rules().map_err(anyhow::Error::msg)?);
    let key = key(person)?;
    let person = Person { name: &person.by, key: key.as_ref() };
    let store = store(config).await?;
    let approved = policies::approve(&store, &rules, &profile, policy, &person, Clock::system().now()).await;
    let approved = approved.context("it can't be approved")?;
    let what = if approved.missing == 0 { "approved" } else { "signed by you, and not approved yet" };
    tell(&approved, &profile, what);
    Ok(ExitCode::SUCCESS)
}

async fn activate(config: &Config, policy: Option<&str>, person: &PersonArguments) -> Result<ExitCode> {
    let (profile, rules) = (profile(config)?, config.policy_rules().map_err(anyhow::Error::msg)?);
    let key = key(person)?;
    let person = Person { name: &person.by, key: key.as_ref() };
    let store = store(config).await?;
    let active = policies::activate(&store, &rules, &profile, policy, &person, Clock::system().now()).await;
    let active = active.context("it can't come into force")?;
    tell(&active, &profile, "in force");
    if config.policy.watch_s == 0 {
        println!("running bridges take it when they get SIGHUP");
    } else {
        println!("running bridges take it within {} s", config.policy.watch_s);
    }
    Ok(ExitCode::SUCCESS)
}

fn key(person: &PersonArguments) -> Result<Option<Secret>> {
    Ok(person.key.as_deref().map(token::read_key_file).transpose()?)
}

/// With which profile it is: that says from where each field is taken, so it is looked at with the policy.
fn of_profile(profile: &Profile) -> String {
    format!("with the profile {}, sha256 {}", profile.head.name, profile.digests.whole)
}

fn tell(proposed: &Proposed, profile: &Profile, what: &str) {
    let policy = &proposed.policy;
    println!("policy \"{}\" number {} is {what}\nsha256 {}", policy.name, policy.number, policy.hash());
    println!("{}", of_profile(profile));
    match &proposed.changes {
        None => println!("no policy has been in force before: everything in it is new"),
        Some(changes) if changes.is_empty() => println!("it says the same as the one that was in force"),
        Some(changes) => changes.iter().for_each(|change| println!("  {change}")),
    }
    for approval in &proposed.approvals {
        println!("signed by {} with key {}", approval.approver, approval.key_id);
    }
    match proposed.missing {
        0 if what != "in force" => println!("next: `crm-bridge policy activate {} --by NAME`", policy.hash()),
        0 => {}
        _ => println!(
            "next: a second person runs `crm-bridge policy approve {} --by NAME --key FILE`",
            policy.hash()
        ),
    }
}
