//! Runs the browser scripts of `tests/browser`.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use dev_kit::workspace;
use serde_json::Value;

/// Runs `tests/browser/<script>` with Node. The script reads its orders as JSON from its first argument and writes what
/// it saw into `folder`.
///
/// # Errors
/// Node or Chromium is missing, or the script failed; the message has what it said.
pub fn run(script: &str, orders: &Value, folder: &Path) -> Result<()> {
    let home = workspace::root().join("tests/browser");
    install(&home)?;
    fs::create_dir_all(folder)?;
    let node = workspace::program("node").context("Node.js was not found, the browser tests need it")?;
    let orders_file = folder.join("orders.json");
    fs::write(&orders_file, orders.to_string())?;
    let mut command = Command::new(node);
    command.arg(home.join(script)).arg(&orders_file).arg(folder).current_dir(&home);
    command.env("GUICHET_TEST_CHROMIUM", dev_kit::chromium()?);
    let output = command.output()?;
    fs::remove_file(&orders_file)?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{script} failed:\n{}", String::from_utf8_lossy(&said));
    Ok(())
}

/// Installs what `package-lock.json` names, unless it is there. Tests are many processes: the first one installs.
fn install(home: &Path) -> Result<()> {
    let lock = File::create(workspace::target().join("browser-tests.lock"))?;
    lock.lock()?;
    let (wanted, stamp) =
        (fs::read(home.join("package-lock.json"))?, home.join("node_modules/.installed-from"));
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let npm = workspace::program("npm").context("npm was not found, the browser tests need it")?;
    let arguments = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
    let output = Command::new(npm).args(arguments).current_dir(home).output()?;
    ensure!(output.status.success(), "npm ci failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(fs::write(stamp, wanted)?)
}
