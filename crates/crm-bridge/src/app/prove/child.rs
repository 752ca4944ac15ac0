//! The bridge that is driven: this program, with the CRM, policy and profile as configured, and all else made anew for the
//! run.

use std::fs::File;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use service_kit::token::{self, Signer};
use service_kit::{Clock, Ids};
use tokio::process::{Child, Command};

use super::ProveError;
use crate::config::ENVIRONMENT_PREFIX;
use crate::store::vault::Vault;

/// Says which process is driven, so that one whose run was killed can be ended.
const PID_FILE: &str = "bridge.pid";
/// How long the bridge may take to start or to stop.
const START_MS: u64 = 60_000;
const STOP_S: u64 = 20;
/// How long one of its commands may take.
const COMMAND_S: u64 = 180;
const LOOK_EVERY_MS: u64 = 20;
const TICKET_POLICY: &str = include_str!("../../../../../config/ticket-policy.toml");

/// The folder and the settings of the driven bridge.
pub(super) struct Home {
    program: PathBuf,
    config_file: Option<PathBuf>,
    pub(super) folder: PathBuf,
    variables: Vec<(String, String)>,
    pub(super) signer: Signer,
    starts: usize,
}

/// What differs from run to run.
pub(super) struct Around<'a> {
    pub(super) program: &'a Path,
    pub(super) config_file: Option<&'a Path>,
    pub(super) policy: &'a str,
    pub(super) ticket_policy_file: &'a Path,
    pub(super) public_url: &'a str,
    pub(super) webhook: Option<(&'a str, &'a str)>,
}

/// A running bridge. Dropped, it is killed.
pub(super) struct Bridge {
    child: Child,
    /// For the ticket service.
    pub(super) address: String,
    /// For the CRM.
    pub(super) crm_address: String,
}

impl Home {
    /// Makes folder, keys and settings.
    pub(super) fn new(
        folder: &Path,
        around: &Around<'_>,
        clock: &Clock,
        ids: &Ids,
    ) -> Result<Self, ProveError> {
        let failed =
            |error: &dyn std::fmt::Display| ProveError::new(format!("{}: {error}", folder.display()));
        std::fs::DirBuilder::new().mode(0o700).create(folder).map_err(|error| failed(&error))?;
        let folder = std::fs::canonicalize(folder).map_err(|error| failed(&error))?;
        let (private, public) = token::generate_key_pair(ids).map_err(|error| failed(&error))?;
        let (bridge_private, _) = token::generate_key_pair(ids).map_err(|error| failed(&error))?;
        let cache_key = Vault::generate_key(ids);
        let ticket_policy = if around.ticket_policy_file.as_os_str().is_empty() {
            TICKET_POLICY.to_owned()
        } else {
            std::fs::read_to_string(around.ticket_policy_file).map_err(|error| failed(&error))?
        };
        for (name, text) in [
            ("ticket-service.pub", public.as_str()),
            ("cache.key", cache_key.expose()),
            ("bridge.pem", bridge_private.expose()),
            ("policy.toml", around.policy),
            ("ticket-policy.toml", &ticket_policy),
        ] {
            write(&folder.join(name), text).map_err(|error| failed(&error))?;
        }
        let signer = Signer::new(&private, "ticket-service", "crm-bridge", clock.clone(), ids.clone())
            .map_err(|error| failed(&error))?;
        let mut home = Self {
            program: around.program.to_owned(),
            config_file: around.config_file.map(Path::to_owned),
            folder,
            variables: Vec::new(),
            signer,
            starts: 0,
        };
        home.settings(around);
        Ok(home)
    }

    fn settings(&mut self, around: &Around<'_>) {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let public_url =
            if around.public_url.is_empty() { "https://bridge.example.org" } else { around.public_url };
        let database = format!("sqlite:{}", file("bridge.db"));
        let mut variables: Vec<(&str, String)> = vec![
            ("SERVER__LISTEN", "127.0.0.1:0".to_owned()),
            ("CRM_API__LISTEN", "127.0.0.1:0".to_owned()),
            ("CRM_API__PUBLIC_URL", public_url.to_owned()),
            ("CRM_API__TICKET_SERVICE_URL", String::new()),
            ("CRM_API__SIGNING_KEY_FILE", file("bridge.pem")),
            ("CRM_API__ACTIVITIES", "false".to_owned()),
            // The sandbox goes on sending to where it did before.
            ("WEBHOOKS__RENEW", "false".to_owned()),
            ("DATABASE__URL", database),
            ("SYNC__DATABASE_URL", String::new()),
            ("TICKET_SERVICE__VERIFY_KEY_FILE", file("ticket-service.pub")),
            // This command asks in the place of the ticket service.
            ("TICKET_SERVICE__ALLOW_FROM", "[\"loopback\"]".to_owned()),
            ("TICKET_POLICY__FILE", file("ticket-policy.toml")),
            ("CACHE__KEY_FILE", file("cache.key")),
            // Each look asks the CRM.
            ("CACHE__FRESH_S", "0".to_owned()),
            ("AUDIT__KEY_FILE", file("audit.pem")),
            ("AUDIT__OTHER_KEY_FILE", String::new()),
            ("POLICY__FILE", file("policy.toml")),
            ("POLICY__SOURCE", "file".to_owned()),
            ("POLICY__TWO_PERSONS", "false".to_owned()),
            // A CRM that fails is asked on, and one role has a budget that is soon spent.
            ("LIMITS__FAILURES_MAX", "100000".to_owned()),
            ("BUDGETS__LINE3__HOUR_SOFT", "1".to_owned()),
            ("BUDGETS__LINE3__HOUR_HARD", "1".to_owned()),
        ];
        if let Some((path, secret)) = around.webhook {
            variables.push(("WEBHOOKS__PATH", path.to_owned()));
            variables.push(("CRM__SECRETS__WEBHOOK", secret.to_owned()));
        }
        self.variables = variables
            .into_iter()
            .map(|(key, value)| (format!("{ENVIRONMENT_PREFIX}__{key}"), value))
            .collect();
    }

    /// The program with these arguments and the settings of the run.
    fn command(&self, arguments: &[&str], more: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(file) = &self.config_file {
            command.arg("--config").arg(file);
        }
        command.args(arguments).envs(self.variables.iter().map(|(key, value)| (key, value)));
        command.envs(more.iter().map(|(key, value)| (format!("{ENVIRONMENT_PREFIX}__{key}"), value)));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command of the program to its end and answers whether it was content, and all that it printed.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<(bool, Vec<u8>), ProveError> {
        let within = Duration::from_secs(COMMAND_S);
        let output = tokio::time::timeout(within, self.command(arguments, &[]).output()).await;
        let output = output.map_err(|_| {
            ProveError::new(format!("`crm-bridge {}` did not end in time", arguments.join(" ")))
        })?;
        let output = output.map_err(|error| ProveError::new(format!("the bridge can't be run: {error}")))?;
        Ok((output.status.success(), [output.stdout, output.stderr].concat()))
    }

    /// Starts the bridge and waits until it listens.
    pub(super) async fn start(&mut self, more: &[(&str, &str)]) -> Result<Bridge, ProveError> {
        self.starts += 1;
        let file = self.folder.join(format!("{}.log", self.starts));
        let failed = |error: std::io::Error| ProveError::new(format!("the bridge can't be started: {error}"));
        let log = File::create(&file).map_err(failed)?;
        // It ends with this process, however that ends.
        let mut command = self.command(&["serve", "--until-stdin-ends"], more);
        command.stdin(Stdio::piped());
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);
        let mut child = command.spawn().map_err(failed)?;
        let pid = child.id().map(|pid| pid.to_string()).unwrap_or_default();
        std::fs::write(self.folder.join(PID_FILE), pid).map_err(failed)?;
        let mut waited = 0;
        loop {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            let address = |mark: &str| {
                let rest = text.lines().find_map(|line| line.strip_prefix(mark))?;
                Some(rest.trim().to_owned())
            };
            if let (Some(address), Some(crm_address)) =
                (address("listening on http://"), address("listening for the CRM on http://"))
            {
                return Ok(Bridge { child, address, crm_address });
            }
            let ended = child.try_wait().map_err(failed)?.is_some();
            if ended || waited > START_MS {
                let last: Vec<&str> = text.lines().rev().take(5).collect();
                let last = last.into_iter().rev().collect::<Vec<_>>().join("\n");
                return Err(ProveError::new(format!(
                    "the bridge did not start with these settings; try `crm-bridge check-config`. It said:\n{last}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
            waited += LOOK_EVERY_MS;
        }
    }
}

impl Bridge {
    /// Asks it to stop and waits until it has.
    pub(super) async fn stop(mut self) -> Result<(), ProveError> {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            // One that has ended already needs no signal.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        match tokio::time::timeout(Duration::from_secs(STOP_S), self.child.wait()).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(ProveError::new("the bridge did not stop when it was asked to".to_owned())),
        }
    }

    /// As a power cut would.
    pub(super) async fn kill(mut self) -> Result<(), ProveError> {
        self.child
            .kill()
            .await
            .map_err(|error| ProveError::new(format!("the bridge can't be ended: {error}")))
    }
}

/// Ends the bridge of a run that was killed, and removes its folder. A process that is not that bridge is left alone.
pub(super) fn end_former(folder: &Path) {
    let Ok(folder) = std::fs::canonicalize(folder) else { return };
    let pid =
        std::fs::read_to_string(folder.join(PID_FILE)).ok().and_then(|pid| pid.trim().parse::<i32>().ok());
    if let Some(pid) = pid {
        // Its settings name the folder; numbers of processes are given anew, folders of runs are not.
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let marker = folder.join("bridge.db").display().to_string().into_bytes();
        let is_ours = environment.windows(marker.len()).any(|window| window == marker);
        if let Some(pid) = rustix::process::Pid::from_raw(pid).filter(|_| is_ours) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
    }
    drop(std::fs::remove_dir_all(folder));
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}
