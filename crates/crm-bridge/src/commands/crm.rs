//! `crm-keys …` and `crm-webhooks …`: who of the CRM may call, and who is called.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use crm_bridge::app::crm_api::keys::{self, Scope};
use crm_bridge::config::Config;
use crm_bridge::deliver::guard::check_target;
use crm_bridge::deliver::webhook::secret_text;
use crm_bridge::store::Store;
use crm_bridge::store::deliveries::WebhookRow;
use crm_bridge::store::tickets::ACTIVITY_TARGET;
use crm_bridge::{MIGRATIONS, start};
use service_kit::{Clock, Ids, Timestamp};

const NAME_CHARS_MAX: usize = 80;

/// Keys of the CRM.
#[derive(Subcommand)]
pub(crate) enum KeysOfCrm {
    /// Make a key and show it; it can't be shown again
    Create {
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it may do, once for each: tickets:read, tickets:create, events:read, panel:sign
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
    },
    /// Show all keys, without their secrets
    List,
    /// Revoke a key; from then on it opens nothing
    Revoke {
        /// Its id, `gck_…`
        id: String,
    },
}

/// Receivers of events.
#[derive(Subcommand)]
pub(crate) enum Webhooks {
    /// Call this address with everything that happens from now on; shows the secret that signs it
    Add {
        /// An https:// address
        url: String,
    },
    /// Show all receivers, and what waits for them
    List,
    /// Show a receiver's secret again
    Secret {
        /// Its id, `whk_…`
        id: String,
    },
    /// Do not call a receiver any more
    Stop {
        /// Its id
        id: String,
    },
    /// Try again what is dead, in order
    Retry {
        /// Its id, or `activity`
        id: String,
    },
    /// Give up what is dead; later events of the same tickets go on
    Skip {
        /// Its id, or `activity`
        id: String,
    },
    /// Deliver once more what happened from a place of the feed on
    Replay {
        /// Its id, or `activity`
        id: String,
        /// The first event, by its `seq`
        #[arg(long, value_name = "SEQ")]
        from: i64,
    },
}

async fn open(config: &Config) -> Result<Store> {
    let database = super::open(config).await?;
    database.migrate(&MIGRATIONS).await?;
    let log = start::audit_log(config, &Ids::random(Clock::system()))?;
    Ok(Store::new(database, start::walls(config), log))
}

pub(crate) async fn keys(config: Config, command: KeysOfCrm) -> Result<ExitCode> {
    let store = open(&config).await?;
    let clock = Clock::system();
    match command {
        KeysOfCrm::Create { name, scopes } => {
            if name.trim().is_empty()
                || name.chars().count() > NAME_CHARS_MAX
                || name.chars().any(char::is_control)
            {
                bail!("--name has 1 to {NAME_CHARS_MAX} characters on one line");
            }
            let scope = |word: &String| {
                let known: Vec<&str> = Scope::ALL.into_iter().map(Scope::as_str).collect();
                Scope::from_word(word).with_context(|| format!("--scope is one of {}", known.join(", ")))
            };
            let mut scopes = scopes.iter().map(scope).collect::<Result<Vec<_>>>()?;
            scopes.dedup();
            let (row, secret) = keys::make(&name, &scopes, &clock, &Ids::random(clock.clone()));
            let id = row.id.clone();
            store.insert_crm_key(row).await?;
            println!("key          {}", secret.expose());
            if scopes.contains(&Scope::PanelSign) {
                println!("panel secret {}", keys::panel_secret(&start::vault(&config)?, &id).expose());
            }
            println!(
                "Keep it now: only its hash is stored. Revoke it with `crm-bridge crm-keys revoke {id}`."
            );
        }
        KeysOfCrm::List => {
            for key in store.crm_keys().await? {
                let used = key
                    .last_used_at
                    .map_or_else(|| "never used".to_owned(), |at| format!("used {}", time(at)));
                let state = key.revoked_at.map_or(used, |at| format!("revoked {}", time(at)));
                println!("{}  {}  {}  {state}", key.id, key.name, key.scopes.replace(' ', ","));
            }
        }
        KeysOfCrm::Revoke { id } => {
            if !store.revoke_crm_key(id, clock.now()).await? {
                bail!("there is no such key that is not revoked; see `crm-bridge crm-keys list`");
            }
            println!("revoked");
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn webhooks(config: Config, command: Webhooks) -> Result<ExitCode> {
    let store = open(&config).await?;
    let clock = Clock::system();
    match command {
        Webhooks::Add { url } => {
            let url = check_target(&url, config.crm_api.webhook_allow_private).map_err(anyhow::Error::msg)?;
            let id = Ids::random(clock.clone()).new_id("whk");
            let row = WebhookRow {
                id: id.clone(),
                url: url.to_string(),
                created_at: clock.now().ms(),
                stopped_at: None,
                stopped_why: None,
            };
            store.insert_webhook(row).await?;
            println!("webhook {id}\nsecret  {}", secret(&config, &id)?);
        }
        Webhooks::List => list(&store).await?,
        Webhooks::Secret { id } => {
            known(&store, &id).await?;
            println!("{}", secret(&config, &id)?);
        }
        Webhooks::Stop { id } => {
            if !store.stop_webhook(id, "stopped by command", clock.now()).await? {
                bail!("there is no such webhook that is called; see `crm-bridge crm-webhooks list`");
            }
            println!("stopped");
        }
        Webhooks::Retry { id } => {
            known(&store, &id).await?;
            println!("{} are tried again", store.revive(id, clock.now()).await?);
        }
        Webhooks::Skip { id } => {
            known(&store, &id).await?;
            println!("{} are given up", store.skip_dead(id).await?);
        }
        Webhooks::Replay { id, from } => {
            known(&store, &id).await?;
            println!("{} are delivered once more", store.replay(id, from, clock.now()).await?);
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store) -> Result<()> {
    let backlogs = store.backlogs().await?;
    let backlog = |id: &str| backlogs.iter().find(|backlog| backlog.target == id);
    for webhook in store.webhooks().await? {
        let state = match (webhook.stopped_at, backlog(&webhook.id)) {
            (Some(at), _) => format!("stopped {}: {}", time(at), webhook.stopped_why.unwrap_or_default()),
            (None, None) => "nothing waits".to_owned(),
            (None, Some(backlog)) => format!("{} wait, {} dead", backlog.waiting, backlog.dead),
        };
        println!("{}  {}  {state}", webhook.id, webhook.url);
    }
    if let Some(backlog) = backlog(ACTIVITY_TARGET) {
        println!("{ACTIVITY_TARGET}  {} wait, {} dead", backlog.waiting, backlog.dead);
    }
    Ok(())
}

async fn known(store: &Store, id: &str) -> Result<()> {
    let there = id == ACTIVITY_TARGET
        || store.webhooks().await?.iter().any(|webhook| webhook.id == id && webhook.stopped_at.is_none());
    if there {
        return Ok(());
    }
    bail!("there is no such webhook that is called; see `crm-bridge crm-webhooks list`")
}

fn secret(config: &Config, id: &str) -> Result<String> {
    let vault = start::vault(config)?;
    Ok(secret_text(&vault.shared_secret("webhook", id)).expose().to_owned())
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}
