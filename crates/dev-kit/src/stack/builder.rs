//! How a stack is configured, and the configuration files that come of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{BRIDGE, CrmKind, SANDBOX, Stack, TICKETS};
use crate::database::StackDatabase;
use crate::process::{Launch, Service};
use crate::tryton::{DATABASE as TRYTON_DATABASE, run};
use crate::{secrets, workspace};

/// Given the true address of a service, the address that its caller is told: that of a recording proxy, say.
pub type Detour = Box<dyn FnOnce(&str) -> Result<String> + Send>;

/// How to start a stack.
pub struct StackBuilder {
    pub(super) bin: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) database: StackDatabase,
    pub(super) crm: CrmKind,
    pub(super) customers: usize,
    pub(super) seed: u64,
    pub(super) markers: bool,
    pub(super) crowd: Option<u64>,
    pub(super) policy: PathBuf,
    pub(super) ports: [u16; 3],
    pub(super) own_group: bool,
    pub(super) more_tickets: String,
    pub(super) more_bridge: String,
    pub(super) detour_crm: Option<Detour>,
    pub(super) detour_bridge: Option<Detour>,
}

impl StackBuilder {
    pub(super) fn new(bin: PathBuf, dir: PathBuf) -> Self {
        Self {
            bin,
            dir,
            database: StackDatabase::Sqlite,
            crm: CrmKind::Sandbox,
            customers: 200,
            seed: 1,
            markers: false,
            crowd: None,
            policy: workspace::root().join("config/field-policy.toml"),
            ports: [0; 3],
            own_group: false,
            more_tickets: String::new(),
            more_bridge: String::new(),
            detour_crm: None,
            detour_bridge: None,
        }
    }

    /// SQLite, or databases on this PostgreSQL server. SQLite unless said otherwise.
    pub fn database(mut self, database: StackDatabase) -> Self {
        self.database = database;
        self
    }

    /// The sandbox CRM unless said otherwise.
    pub fn crm(mut self, crm: CrmKind) -> Self {
        self.crm = crm;
        self
    }

    /// How many customers the sandbox CRM makes (200 unless said otherwise), and from which seed.
    pub fn customers(mut self, customers: usize, seed: u64) -> Self {
        (self.customers, self.seed) = (customers, seed);
        self
    }

    /// Makes the sandbox CRM mark every sensitive value; see [`Stack::markers_file`]. Tryton always does.
    pub fn markers(mut self) -> Self {
        self.markers = true;
        self
    }

    /// Instead of customers that are kept, so many that the sandbox CRM makes when they are asked for.
    pub fn crowd(mut self, customers: u64) -> Self {
        self.crowd = Some(customers);
        self
    }

    /// Another field policy than `config/field-policy.toml`.
    pub fn policy(mut self, file: impl Into<PathBuf>) -> Self {
        self.policy = file.into();
        self
    }

    /// Fixed ports for ticket service, bridge and CRM. Free ones unless said otherwise.
    pub fn ports(mut self, tickets: u16, bridge: u16, crm: u16) -> Self {
        self.ports = [tickets, bridge, crm];
        self
    }

    /// Keeps Ctrl-C in the terminal away from the services, so that they are stopped in order.
    pub fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// More settings for the ticket service, as environment variables `SECTION__KEY=value`, one a line.
    pub fn ticket_settings(mut self, settings: &str) -> Self {
        self.more_tickets = settings.to_owned();
        self
    }

    /// More settings for the bridge, as environment variables `SECTION__KEY=value`, one a line.
    pub fn bridge_settings(mut self, settings: &str) -> Self {
        self.more_bridge = settings.to_owned();
        self
    }

    /// Sends the bridge's questions to the CRM through something that listens elsewhere.
    pub fn crm_by_way_of(mut self, detour: Detour) -> Self {
        self.detour_crm = Some(detour);
        self
    }

    /// Sends the ticket service's questions to the bridge through something that listens elsewhere.
    pub fn bridge_by_way_of(mut self, detour: Detour) -> Self {
        self.detour_bridge = Some(detour);
        self
    }

    /// Starts everything, and the first time makes keys, databases and operators.
    pub fn start(mut self) -> Result<Stack> {
        for folder in ["logs", TICKETS, BRIDGE, "crm"] {
            fs::create_dir_all(self.dir.join(folder))?;
        }
        self.dir = fs::canonicalize(&self.dir)?;
        let (tickets_db, bridge_db, made) = self.database.urls(&self.dir)?;
        self.make_keys()?;
        Stack::start(self, &tickets_db, &bridge_db, made)
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    pub(super) fn make_keys(&self) -> Result<()> {
        let private = self.dir.join(TICKETS).join("signing-key.pem");
        if !private.exists() {
            let public = self.dir.join(BRIDGE).join("verify-key.pem");
            let mut generate = Command::new(self.program(TICKETS));
            generate.args(["keys", "generate", "--private"]).arg(&private).arg("--public").arg(&public);
            run(generate).context("can't make the key pair of the ticket service")?;
        }
        let cache = self.dir.join(BRIDGE).join("cache-key");
        if !cache.exists() {
            let mut generate = Command::new(self.program(BRIDGE));
            generate.args(["keys", "generate", "--cache"]).arg(&cache);
            run(generate).context("can't make the bridge's key for kept cards")?;
        }
        let secret = self.dir.join("crm/secret");
        if !secret.exists() {
            secrets::write_private(&secret, secrets::hex(32)?.as_bytes())?;
        }
        Ok(())
    }

    pub(super) fn write_bridge_config(&self, database: &str, crm_url: &str) -> Result<()> {
        let dir = self.dir.join(BRIDGE);
        let config = workspace::root().join("config");
        let (profile, more) = match self.crm {
            CrmKind::Sandbox => ("sandbox", String::new()),
            CrmKind::Tryton => {
                ("tryton", format!("settings = {{ database = {} }}\n", quoted(TRYTON_DATABASE)))
            }
        };
        let profile = config.join("profiles").join(format!("{profile}.toml"));
        let file = dir.join("config.toml");
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        let moved_from = moved_from(&before, crm_url).unwrap_or_default();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{}\"\n\n[database]\nurl = {}\n\n[ticket_service]\nverify_key_file = {}\n\n\
             [crm]\nprofile = {}\nbase_url = {}\nmoved_from = {}\nsecret_file = {}\n{more}\n[policy]\nfile = {}\n\n\
             [cache]\nkey_file = {}\n\n[audit]\nkey_file = {}\n",
            self.ports[1],
            quoted(database),
            quoted_path(&dir.join("verify-key.pem")),
            quoted_path(&profile),
            quoted(crm_url),
            quoted(moved_from),
            quoted_path(&dir.join("crm-key")),
            quoted_path(&self.policy),
            quoted_path(&dir.join("cache-key")),
            quoted_path(&dir.join("audit-key.pem")),
        );
        secrets::write_private(&file, text.as_bytes())
    }

    pub(super) fn write_tickets_config(&self, database: &str, bridge_url: &str) -> Result<()> {
        let dir = self.dir.join(TICKETS);
        let address = format!("127.0.0.1:{}", self.ports[0]);
        let text = format!(
            "[server]\nlisten = \"{address}\"\npublic_url = \"http://{address}\"\n\n[database]\nurl = {}\n\n\
             [bridge]\nurl = {}\nsigning_key_file = {}\n\n[attachments]\ndir = {}\n\n\
             [audit]\nkey_file = {}\n",
            quoted(database),
            quoted(bridge_url),
            quoted_path(&dir.join("signing-key.pem")),
            quoted_path(&dir.join("attachments")),
            quoted_path(&dir.join("audit-key.pem")),
        );
        secrets::write_private(&dir.join("config.toml"), text.as_bytes())
    }

    pub(super) fn serve(&self, name: &str, prefix: &str, more: &str) -> Result<Service> {
        let config = self.dir.join(name).join("config.toml");
        let mut migrate = Command::new(self.program(name));
        migrate.arg("migrate").arg("--config").arg(&config).current_dir(self.dir.join(name));
        run(migrate)?;
        let mut launch =
            Launch::new(name, self.program(name), self.dir.join("logs").join(format!("{name}.log")))
                .args([Path::new("serve"), Path::new("--config"), config.as_path()])
                .current_dir(&self.dir.join(name));
        for line in more.lines().filter(|line| !line.trim().is_empty()) {
            let (key, value) =
                line.split_once('=').with_context(|| format!("{line} is not SECTION__KEY=value"))?;
            launch = launch.env(&format!("{prefix}__{}", key.trim()), value.trim());
        }
        if self.own_group {
            launch = launch.own_group();
        }
        launch.start()
    }

    pub(super) fn sandbox(&self, dir: &Path) -> Result<Service> {
        let mut arguments: Vec<std::ffi::OsString> = vec![
            "--listen".into(),
            format!("127.0.0.1:{}", self.ports[2]).into(),
            "--secret-file".into(),
            dir.join("secret").into(),
            "--seed".into(),
            self.seed.to_string().into(),
        ];
        match self.crowd {
            Some(crowd) => arguments.extend(["--crowd".into(), crowd.to_string().into()]),
            None => arguments.extend([
                "--data".into(),
                dir.join("data.json").into(),
                "--customers".into(),
                self.customers.to_string().into(),
            ]),
        }
        if self.markers {
            arguments.extend(["--markers".into(), dir.join("markers.json").into()]);
        }
        let log = self.dir.join("logs").join(format!("{SANDBOX}.log"));
        let mut launch = Launch::new(SANDBOX, self.program(SANDBOX), log).args(arguments);
        if self.own_group {
            launch = launch.own_group();
        }
        launch.start()
    }
}

pub(super) fn take(detour: Option<Detour>, url: &str) -> Result<String> {
    detour.map_or_else(|| Ok(url.to_owned()), |detour| detour(url))
}

/// A TOML string; JSON's escapes are TOML's.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// Where the CRM was at the last start, by the settings written then, if it is elsewhere now. It is the same CRM, and without
/// this word the bridge would refuse to take it for that.
fn moved_from<'a>(settings: &'a str, crm_url: &str) -> Option<&'a str> {
    let before = settings.lines().find_map(|line| line.strip_prefix("base_url = \"")?.strip_suffix('"'))?;
    let host = before.split_once("://").map_or(before, |(_, rest)| rest);
    (before != crm_url).then(|| host.split('/').next().unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crm_that_was_at_another_address_is_said_to_have_moved_from_there() {
        let settings = "[crm]\nprofile = \"x\"\nbase_url = \"http://127.0.0.1:8082/api\"\n";
        assert_eq!(moved_from(settings, "http://127.0.0.1:9002/api"), Some("127.0.0.1:8082"));
        assert_eq!(moved_from(settings, "http://127.0.0.1:8082/api"), None);
        assert_eq!(moved_from("", "http://127.0.0.1:8082/api"), None);
    }
}
