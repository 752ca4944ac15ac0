//! `cargo xtask test`: everything, on both databases, against a real CRM and in a real browser.

mod browser;
mod lint;
mod prepare;
mod report;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use dev_kit::{Durability, Postgres, workspace};

use crate::commands::{codegen, ui};
use crate::tools::{cargo, npm, run, status, web};
use report::{Report, Totals};

/// Where the tests look for it, below the programs' folder.
const SABOTAGED: &str = "examples/sabotaged-bridge";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only the Rust tests: no linters, no web interface, no browser
    #[arg(long)]
    rust_only: bool,
    /// Passed on to `cargo nextest run`, after `--`
    #[arg(last = true)]
    nextest: Vec<String>,
}

pub(crate) fn run_all(arguments: &Arguments) -> Result<()> {
    let mut report = Report::begin()?;
    report.check("tools", prepare::tools);
    if !arguments.rust_only {
        lint::all(&mut report);
        report.check("web interface: build", ui::build);
        report.check("web interface: types, style", || run(npm(&web())?.args(["run", "--silent", "check"])));
        report.tests("web interface: unit tests", vitest);
        report.check("generated files", || codegen::generate(&codegen::Arguments { check: true }));
    }
    report.check("build: sabotaged bridge", sabotaged_bridge);
    report.check("build", || run(cargo().args(["build", "--locked", "--workspace", "--bins"])));
    report.check("Tryton", || dev_kit::Tryton::prepare().map(drop));
    match Postgres::start(Durability::Off) {
        Ok(postgres) => {
            report.tests("Rust tests", || nextest(&postgres, &["--workspace"], &arguments.nextest));
            let walls = ["--package", "crm-bridge", "--features", "sabotage", "walls", "leaks"];
            // The test of the tests: each wall's check is run with its wall taken away and must notice, and each leak is
            // measured against each of its walls.
            report.tests("Rust tests without walls", || nextest(&postgres, &walls, &[]));
            if !arguments.rust_only {
                browser::all(&mut report, &postgres);
            }
        }
        Err(error) => report.check("PostgreSQL", || Err(error)),
    }
    report.finish()
}

/// Folder of the programs that `cargo build` makes.
fn programs() -> std::path::PathBuf {
    workspace::target().join("debug")
}

/// A bridge whose walls can be taken away, for the tests of the tests. The ordinary build that follows puts the
/// ordinary bridge back in its place; an optimised build refuses the feature.
fn sabotaged_bridge() -> Result<()> {
    let arguments =
        ["build", "--locked", "--package", "crm-bridge", "--bin", "crm-bridge", "--features", "sabotage"];
    run(cargo().args(arguments))?;
    fs::create_dir_all(programs().join("examples"))?;
    fs::copy(programs().join("crm-bridge"), programs().join(SABOTAGED))?;
    Ok(())
}

fn nextest(postgres: &Postgres, what: &[&str], more: &[String]) -> Result<Totals> {
    let file = workspace::target().join("nextest/default/junit.xml");
    remove(&file)?;
    let mut command = cargo();
    command.args(["nextest", "run", "--locked"]).args(what).args(more);
    command.env("GUICHET_TEST_POSTGRES_URL", postgres.url()).env("GUICHET_TEST_BIN", programs());
    command.env("GUICHET_TEST_SABOTAGED_BRIDGE", programs().join(SABOTAGED));
    let status = status(&mut command)?;
    let text =
        fs::read_to_string(&file).context("cargo nextest wrote no totals; its output above says why")?;
    let totals = junit_totals(&text).with_context(|| format!("{} has no totals", file.display()))?;
    if !status.success() && totals.failed == 0 {
        bail!("cargo nextest failed ({status})");
    }
    Ok(totals)
}

/// The attributes of `<testsuites tests="12" failures="1" errors="0">`.
fn junit_totals(text: &str) -> Option<Totals> {
    let (_, rest) = text.split_once("<testsuites ")?;
    let (attributes, _) = rest.split_once('>')?;
    let number = |name: &str| -> Option<u64> {
        let (_, rest) = attributes.split_once(&format!("{name}=\""))?;
        rest.split('"').next()?.parse().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Totals { passed: number("tests")?.saturating_sub(failed), failed, skipped: 0 })
}

fn vitest() -> Result<Totals> {
    let file = workspace::target().join("vitest.json");
    remove(&file)?;
    let output = format!("--outputFile.json={}", file.display());
    let mut command = npm(&web())?;
    command.args(["run", "--silent", "test", "--", "--reporter=default", "--reporter=json", &output]);
    json_totals(&mut command, &file, |json| {
        Some(Totals {
            passed: json["numPassedTests"].as_u64()?,
            failed: json["numFailedTests"].as_u64()?,
            skipped: json["numPendingTests"].as_u64()? + json["numTodoTests"].as_u64().unwrap_or(0),
        })
    })
}

/// Runs a test runner and reads the totals that it wrote as JSON.
fn json_totals(
    command: &mut Command,
    file: &Path,
    read: impl FnOnce(&serde_json::Value) -> Option<Totals>,
) -> Result<Totals> {
    let status = status(command)?;
    let text = fs::read(file).context("the test runner wrote no totals; its output above says why")?;
    let totals = read(&serde_json::from_slice(&text)?).context("the test runner's totals can't be read")?;
    if !status.success() && totals.failed == 0 {
        bail!("the test runner failed ({status})");
    }
    Ok(totals)
}

/// Totals of an earlier run must not pass for this one's.
fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_read_from_the_first_line_of_the_report() {
        let text = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="32" failures="2" errors="1" uuid="x" time="1.2">
    <testsuite name="a" tests="5" disabled="0" errors="0" failures="0">"#;
        assert_eq!(junit_totals(text), Some(Totals { passed: 29, failed: 3, skipped: 0 }));
        assert_eq!(junit_totals("<html>"), None);
    }
}
