//! The people who can sign in to a stack: one of each role, with passwords of this installation's own.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::client::Client;
use crate::secrets;

/// Name, role.
const PEOPLE: [(&str, &str, &str); 6] = [
    ("Ada Lind", "admin@guichet.example", "admin"),
    ("Sofia Marten", "sofia@guichet.example", "supervisor"),
    ("Anna Koval", "anna@guichet.example", "line1"),
    ("Boris Dahl", "boris@guichet.example", "line1"),
    ("Mia Virta", "mia@guichet.example", "line2"),
    ("Eero Salo", "eero@guichet.example", "line3"),
];

/// Somebody who can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Name.
    pub name: String,
    /// Address to sign in with.
    pub email: String,
    /// Password.
    pub password: String,
    /// `admin`, `supervisor`, `line1`, `line2` or `line3`.
    pub role: String,
}

/// Makes the people, or reads who was made before. `config` is the ticket service's configuration file.
pub(crate) fn make(program: &Path, config: &Path, url: &str) -> Result<Vec<SignIn>> {
    let file = config.with_file_name("people.json");
    if file.exists() {
        return read(&file);
    }
    let mut people = Vec::new();
    for (name, email, role) in PEOPLE {
        let password = secrets::passphrase()?;
        people.push(SignIn { name: name.into(), email: email.into(), password, role: role.into() });
    }
    let Some((admin, others)) = people.split_first() else { bail!("there is no administrator") };
    make_admin(program, config, admin)?;
    let client = Client::new(url).sign_in(&admin.email, &admin.password)?;
    for SignIn { name, email, password, role } in others {
        let body = json!({ "name": name, "email": email, "password": password, "role": role });
        client.post("/api/v1/operators", &body)?;
    }
    let list: Vec<Value> = people
        .iter()
        .map(|p| json!({ "name": p.name, "email": p.email, "password": p.password, "role": p.role }))
        .collect();
    secrets::write_private(&file, &serde_json::to_vec_pretty(&list)?)?;
    Ok(people)
}

fn make_admin(program: &Path, config: &Path, admin: &SignIn) -> Result<()> {
    let mut child = Command::new(program)
        .args(["create-admin", "--email", &admin.email, "--name", &admin.name, "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("can't run create-admin")?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "{}", admin.password)?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("create-admin failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<SignIn>> {
    let list: Vec<Value> = serde_json::from_slice(&fs::read(file)?)?;
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let person = |value: &Value| SignIn {
        name: text(value, "name"),
        email: text(value, "email"),
        password: text(value, "password"),
        role: text(value, "role"),
    };
    Ok(list.iter().map(person).collect())
}
