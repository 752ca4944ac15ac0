//! A throw-away PostgreSQL cluster from the installed binaries, as an unprivileged user, on a free port.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::process::{Launch, Service};

/// What to do when the binaries are not there.
pub(crate) const MISSING: &str = "PostgreSQL's server programs (initdb, postgres) were not found: \
     install them with `apt-get install -y postgresql` or put their folder on PATH";

const SUPERUSER: &str = "guichet";
const VERSION_MIN: u32 = 13;
const PORT_TRIES: usize = 5;

/// Whether an acknowledged write must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// For tests: nothing is flushed, the cluster is thrown away anyway.
    Off,
    /// For benchmarks: flushed as in real use.
    Full,
}

/// A running cluster; dropped, it is stopped and removed.
pub struct Postgres {
    // Declared before the folder: the server stops before its files go.
    server: Service,
    _dir: TempDir,
    port: u16,
}

impl Postgres {
    /// Starts a cluster below the system's folder for temporary files.
    pub fn start(durability: Durability) -> Result<Self> {
        Self::start_in(&std::env::temp_dir(), durability)
    }

    /// Starts a cluster in a new folder below `parent`, which the server's user must be able to enter.
    pub fn start_in(parent: &Path, durability: Durability) -> Result<Self> {
        let bin = find_binaries()?;
        let owner = server_user()?;
        let dir = tempfile::Builder::new().prefix("guichet-postgres-").tempdir_in(parent)?;
        if let Some(user) = owner {
            chown(dir.path(), Some(user.uid), Some(user.gid))
                .context("can't hand over the cluster's folder")?;
        }
        let data = dir.path().join("data");
        init_cluster(&bin, &data, dir.path(), owner)?;
        let mut failure = None;
        for _ in 0..PORT_TRIES {
            let port = free_port()?;
            match launch(&bin, &data, dir.path(), port, owner, durability).start() {
                Ok(server) => return Ok(Self { server, _dir: dir, port }),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| anyhow::anyhow!("PostgreSQL could not be started")))
    }

    /// The address of the maintenance database, for a superuser who may create databases.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The address of a database of this cluster.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The server process.
    pub fn server(&self) -> &Service {
        &self.server
    }

    /// Whether the server still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.server.exited()?.is_none())
    }

    /// Stops the server and removes the cluster.
    pub fn stop(self) -> Result<()> {
        self.server.stop()
    }
}

#[derive(Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

/// PostgreSQL refuses to run as root, so root hands it to an unprivileged user.
fn server_user() -> Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").context("can't read /etc/passwd")?;
    let find = |name: &str| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then_some(())?;
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(User { uid, gid })
        })
    };
    let user = find("postgres").or_else(|| find("nobody"));
    Ok(Some(
        user.context("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")?,
    ))
}

/// The folder with `initdb` and `postgres`, of a version that is new enough.
pub fn find_binaries() -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let mut too_old = None;
    for folder in folders {
        if !folder.join("initdb").is_file() || !folder.join("postgres").is_file() {
            continue;
        }
        match version_of(&folder.join("postgres")) {
            Some(version) if version >= VERSION_MIN => return Ok(folder),
            Some(version) => too_old = Some(version),
            None => {}
        }
    }
    match too_old {
        Some(version) => bail!("PostgreSQL {version} is too old, {VERSION_MIN} or newer is needed"),
        None => bail!(MISSING),
    }
}

fn version_of(postgres: &Path) -> Option<u32> {
    let output = Command::new(postgres).arg("--version").stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

fn init_cluster(bin: &Path, data: &Path, dir: &Path, owner: Option<User>) -> Result<()> {
    let mut command = Command::new(bin.join("initdb"));
    // C.UTF-8 sorts by code point and still knows upper and lower case of every script.
    command
        .args([
            "--username",
            SUPERUSER,
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-D",
        ])
        .arg(data)
        .current_dir(dir)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    if let Some(user) = owner {
        command.uid(user.uid).gid(user.gid);
    }
    let output = command.output().context("can't run initdb")?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn launch(
    bin: &Path,
    data: &Path,
    dir: &Path,
    port: u16,
    owner: Option<User>,
    durability: Durability,
) -> Launch {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", dir.display()),
        "max_connections=300".to_owned(),
        "lc_messages=C".to_owned(),
        "timezone=UTC".to_owned(),
        "logging_collector=off".to_owned(),
    ];
    if durability == Durability::Off {
        let off = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"];
        settings.extend(off.map(str::to_owned));
    }
    let mut launch = Launch::new("PostgreSQL", bin.join("postgres"), dir.join("server.log"))
        .args(["-D"])
        .args([data])
        .args(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]))
        .env("LC_ALL", "C.UTF-8")
        .current_dir(dir)
        // The starter decides when the database goes: after the services that use it.
        .own_group()
        .ready_mark("database system is ready to accept connections")
        .ready_within(Duration::from_secs(60))
        // SIGTERM would wait for every client to leave; SIGINT is PostgreSQL's "fast shutdown".
        .stop_signal(Signal::INT);
    if let Some(user) = owner {
        launch = launch.user(user.uid, user.gid);
    }
    launch
}

/// A port that is free now. Somebody may take it before it is used, so callers try again.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
