//! `cargo xtask ui`: builds the web interface, if anything of it has changed.

use anyhow::Result;
use dev_kit::workspace;

use crate::tools::{newest, npm, npm_ci, run, web};

/// Installs the packages of the lock file and builds.
pub(crate) fn build() -> Result<()> {
    let web = web();
    let built = workspace::root().join("crates/operator-ui/dist");
    npm_ci(&web)?;
    let source = newest(std::slice::from_ref(&web))?;
    let result = newest(&[built.join("operator/index.html")])?;
    if result.is_some() && result >= source {
        return Ok(());
    }
    println!("Building the web interface …");
    run(npm(&web)?.args(["run", "--silent", "build", "--", "--logLevel", "error"]))
}
