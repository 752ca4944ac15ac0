//! The browser of the browser tests.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::workspace::program;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser's program, or an error that says how to get it.
pub fn chromium() -> Result<PathBuf> {
    match NAMES.iter().find_map(|name| program(name)) {
        Some(browser) => Ok(browser),
        None => bail!("Chromium was not found, the browser tests need it: `apt-get install -y chromium`"),
    }
}
