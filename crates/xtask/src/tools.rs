//! Running other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use dev_kit::workspace;

/// The folder of the web interface's source.
pub(crate) fn web() -> PathBuf {
    workspace::root().join("crates/operator-ui/web")
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command
}

/// npm in a folder, or a sentence that says how to get it.
pub(crate) fn npm(folder: &Path) -> Result<Command> {
    let program = workspace::program("npm")
        .context("npm was not found, the web interface needs it: install Node.js 20.19 or newer with npm")?;
    let mut command = Command::new(program);
    command.current_dir(folder);
    Ok(command)
}

/// Runs a command whose output goes to the terminal.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.status().with_context(|| format!("can't run {name}"))
}

/// Runs a command whose output goes to the terminal; an error if it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed ({status})", spelt(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed; an error if it fails.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("can't run `{}`", spelt(command)))?;
    if !output.status.success() {
        bail!("`{}` failed:\n{}", spelt(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

/// Runs `npm ci` unless what is installed is newer than the lock file.
pub(crate) fn npm_ci(folder: &Path) -> Result<()> {
    let changed = |file: &str| folder.join(file).metadata().and_then(|about| about.modified()).ok();
    let lock = changed("package-lock.json")
        .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
    // npm's own note of what it installed.
    if changed("node_modules/.package-lock.json").is_some_and(|installed| installed >= lock) {
        return Ok(());
    }
    // `npm ci` empties the folder first; behind a link that is somebody else's folder.
    let modules = folder.join("node_modules");
    if modules.symlink_metadata().is_ok_and(|about| about.is_symlink()) {
        bail!(
            "{} is a link to another folder, which `npm ci` would empty: remove the link and run this again",
            modules.display()
        );
    }
    run(npm(folder)?.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))
}

/// When the newest file below these paths was last changed.
pub(crate) fn newest(paths: &[PathBuf]) -> Result<Option<SystemTime>> {
    let mut newest = None;
    let mut waiting = paths.to_vec();
    while let Some(path) = waiting.pop() {
        if path.ends_with("node_modules") || !path.exists() {
            continue;
        }
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        } else {
            newest = newest.max(Some(path.metadata()?.modified()?));
        }
    }
    Ok(newest)
}

/// A time span for people.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 60 {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

fn spelt(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
