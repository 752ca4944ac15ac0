//! The browser tests: a real stack, a real browser.

use std::process::Command;

use anyhow::Result;
use dev_kit::{Postgres, chromium, workspace};

use super::report::{Report, Totals};
use super::{json_totals, programs, remove};
use crate::tools::{npm, npm_ci, run};

pub(super) fn all(report: &mut Report, postgres: &Postgres) {
    let folder = workspace::root().join("tests/browser");
    if !folder.join("package.json").is_file() {
        report.leave_out("browser tests", "there is no tests/browser/package.json");
        return;
    }
    report.check("browser tests: types", || {
        npm_ci(&folder)?;
        run(npm(&folder)?.args(["run", "--silent", "check"]))
    });
    report.tests("browser tests", || playwright(npm(&folder)?, postgres));
}

fn playwright(mut command: Command, postgres: &Postgres) -> Result<Totals> {
    let file = workspace::target().join("playwright.json");
    remove(&file)?;
    command
        .args(["exec", "--", "playwright", "test", "--reporter=list,json"])
        .env("PLAYWRIGHT_JSON_OUTPUT_NAME", &file)
        .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
        .env("GUICHET_TEST_CHROMIUM", chromium()?)
        .env("GUICHET_TEST_BIN", programs())
        .env("GUICHET_TEST_POSTGRES_URL", postgres.url());
    json_totals(&mut command, &file, |json| {
        let stats = &json["stats"];
        let number = |name: &str| stats[name].as_u64();
        // A flaky test is a failed test.
        let failed = number("unexpected")? + number("flaky")?;
        let broken = json["errors"].as_array().map_or(0, Vec::len) as u64;
        Some(Totals { passed: number("expected")?, failed: failed + broken, skipped: number("skipped")? })
    })
}
