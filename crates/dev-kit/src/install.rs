//! Installing what is missing, where that is possible without asking: as root on Debian and Ubuntu.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::workspace::program;

/// Whether `apt_install` can do anything here.
pub fn can_install() -> bool {
    let debian = fs::read_to_string("/etc/os-release").is_ok_and(|text| {
        text.lines().any(|line| {
            line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")).is_some_and(|value| {
                value.trim_matches('"').split(' ').any(|name| name == "debian" || name == "ubuntu")
            })
        })
    });
    debian && geteuid().is_root() && program("apt-get").is_some()
}

/// Installs Debian packages, refreshing the package list once if they are not found at first.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    if !can_install() {
        bail!("install {} with your package manager", packages.join(", "));
    }
    if install(packages)? {
        return Ok(());
    }
    apt(&["update"])?;
    if install(packages)? {
        return Ok(());
    }
    bail!("`apt-get install -y {}` failed", packages.join(" "))
}

fn install(packages: &[&str]) -> Result<bool> {
    let mut arguments = vec!["install", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}

fn apt(arguments: &[&str]) -> Result<bool> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .context("can't run apt-get")?;
    Ok(status.success())
}
