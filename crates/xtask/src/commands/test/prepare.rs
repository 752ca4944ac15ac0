//! The programs that the tests need, installed where that is possible without asking.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use dev_kit::{apt_install, can_install, chromium, find_postgres, workspace};

use crate::tools::{cargo, run};

/// Installed from crates.io if they are not there.
const CARGO_TOOLS: [(&str, &str); 2] = [("cargo-nextest", "0.9.143"), ("cargo-deny", "0.20.2")];

/// Looks for every program; says in one sentence each what is missing and how to get it.
pub(super) fn tools() -> Result<()> {
    let mut missing = Vec::new();
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
    for tool in CARGO_TOOLS {
        if let Err(error) = cargo_tool(tool) {
            missing.push(error.to_string());
        }
    }
    if !missing.is_empty() {
        bail!("{}", missing.join("; "));
    }
    Ok(())
}

/// Takes two or three minutes to build; done without asking only where packages are installed without asking too.
fn cargo_tool((name, version): (&str, &str)) -> Result<()> {
    if workspace::program(name).is_some() {
        return Ok(());
    }
    if !can_install() {
        bail!("{name} was not found: `cargo install --locked {name}`");
    }
    println!("Installing {name} …");
    run(cargo().args(["install", "--locked", "--quiet", "--version", version, name]))
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
