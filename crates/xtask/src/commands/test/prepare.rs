//! The programs that the tests need, installed where that is possible without asking.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use dev_kit::{apt_install, can_install, chromium, find_postgres, workspace};

/// Looks for every program; says in one sentence each what is missing and how to get it.
pub(super) fn tools() -> Result<()> {
    let mut missing = Vec::new();
    if let Err(error) = cargo_nextest() {
        missing.push(error.to_string());
    }
    for (found, packages) in [
        (find_postgres().map(drop), &["postgresql"][..]),
        (chromium().map(drop), &["chromium"]),
        (python_venv(), &["python3", "python3-venv"]),
        (c_compiler(), &["gcc", "libc6-dev", "make"]),
    ] {
        let Err(error) = found else { continue };
        if can_install() {
            println!("Installing {} …", packages.join(", "));
            apt_install(packages).with_context(|| error.to_string())?;
        } else {
            missing.push(error.to_string());
        }
    }
    if !missing.is_empty() {
        bail!("{}", missing.join("; "));
    }
    Ok(())
}

fn cargo_nextest() -> Result<()> {
    match workspace::program("cargo-nextest") {
        Some(_) => Ok(()),
        None => bail!("cargo-nextest was not found: `cargo install --locked cargo-nextest`"),
    }
}

fn python_venv() -> Result<()> {
    let works = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        bail!("Python 3 with venv was not found, Tryton needs it: `apt-get install -y python3 python3-venv`");
    }
    Ok(())
}

fn c_compiler() -> Result<()> {
    match workspace::program("cc") {
        Some(_) => Ok(()),
        None => {
            bail!("a C compiler was not found, the embedded databases need it: `apt-get install -y gcc make`")
        }
    }
}
