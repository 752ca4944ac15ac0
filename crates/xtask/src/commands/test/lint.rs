//! Format, lints, licences and spelling.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use dev_kit::workspace;

use super::report::Report;
use crate::tools::{cargo, run};

/// From PyPI, where its makers publish the same program ready-made: building it takes minutes.
const TYPOS: &str = "typos==1.52.0";

pub(super) fn all(report: &mut Report) {
    report.check("format", || run(cargo().args(["fmt", "--all", "--check"])));
    report.check("spelling", || run(Command::new(typos()?).current_dir(workspace::root())));
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"];
    report.check("lints", || run(cargo().args(clippy)));
    // Advisories are looked up elsewhere: they need a network that a test run may not have.
    let deny = ["deny", "--all-features", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"];
    report.check("dependencies", || run(cargo().args(deny)));
}

/// The spelling checker: the installed one, or one in a virtual environment below the target folder.
fn typos() -> Result<PathBuf> {
    if let Some(installed) = workspace::program("typos") {
        return Ok(installed);
    }
    let venv = workspace::target().join("spelling");
    let program = venv.join("bin/typos");
    if !program.is_file() {
        let made =
            Command::new("python3").args(["-m", "venv"]).arg(&venv).status().context("can't run python3")?;
        if !made.success() {
            bail!("a Python virtual environment could not be made: `apt-get install -y python3-venv`");
        }
        let options = ["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", TYPOS];
        run(Command::new(venv.join("bin/pip")).args(options))?;
    }
    Ok(program)
}
