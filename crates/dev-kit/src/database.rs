//! The two databases of a stack: two files, or two databases with a role each on one PostgreSQL server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::postgres::find_binaries;
use crate::secrets;
use crate::workspace::program;

/// Where the services of a stack keep their data.
#[derive(Clone, Debug)]
pub enum StackDatabase {
    /// Files in the stack's folder.
    Sqlite,
    /// New databases on the server with this superuser address; they vanish with the stack.
    Postgres(String),
}

/// Databases made on a server, dropped with this value.
pub(crate) struct Made {
    server: String,
    names: Vec<String>,
}

impl StackDatabase {
    /// The addresses for the ticket service and the bridge.
    pub(crate) fn urls(&self, dir: &Path) -> Result<(String, String, Option<Made>)> {
        match self {
            Self::Sqlite => {
                let url = |service: &str| format!("sqlite:{}", dir.join(service).join("data.db").display());
                Ok((url("ticket-service"), url("crm-bridge"), None))
            }
            Self::Postgres(server) => {
                let mut made = Made { server: server.clone(), names: Vec::new() };
                let tickets = made.make("tickets")?;
                let bridge = made.make("bridge")?;
                Ok((tickets, bridge, Some(made)))
            }
        }
    }
}

impl Made {
    /// A database with a role of its own, which no other role may enter.
    fn make(&mut self, purpose: &str) -> Result<String> {
        let name = format!("{purpose}_{}", secrets::hex(6)?);
        let password = secrets::hex(16)?;
        let (scheme, rest) =
            self.server.split_once("://").context("a PostgreSQL address begins with postgres://")?;
        let (_, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (host, _) = place.split_once('/').unwrap_or((place, ""));
        psql(&self.server, &format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"))?;
        psql(&self.server, &format!("CREATE DATABASE {name} OWNER {name}"))?;
        psql(&self.server, &format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"))?;
        let url = format!("{scheme}://{name}:{password}@{host}/{name}");
        self.names.push(name);
        Ok(url)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for name in &self.names {
            // The server may be gone already, and the databases with it.
            psql(&self.server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).ok();
            psql(&self.server, &format!("DROP ROLE IF EXISTS {name}")).ok();
        }
    }
}

fn psql(server: &str, statement: &str) -> Result<()> {
    let beside = find_binaries().map(|folder| folder.join("psql")).ok().filter(|file| file.is_file());
    let psql: PathBuf = beside
        .or_else(|| program("psql"))
        .context("psql was not found: install it with `apt-get install -y postgresql-client`")?;
    let output = Command::new(psql)
        .args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-c", statement, server])
        .stdin(Stdio::null())
        .output()?;
    if !output.status.success() {
        bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
