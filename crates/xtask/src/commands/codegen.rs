//! `cargo xtask codegen [--check]`: what is generated from the code and checked in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use dev_kit::workspace;

use crate::tools::{cargo, npm, npm_ci, output, run, web};

const HINT: &str = "run `cargo xtask codegen` and commit what it changes";
/// File, service, and what it is told beside `openapi`.
const DOCUMENTS: [(&str, &str, &[&str]); 3] = [
    ("ticket-service.openapi.json", "ticket-service", &[]),
    ("crm-bridge.openapi.json", "crm-bridge", &[]),
    ("crm-bridge-crm-api.json", "crm-bridge", &["--crm"]),
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Change nothing; fail if something checked in is out of date
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn generate(arguments: &Arguments) -> Result<()> {
    let mut stale = Vec::new();
    for (name, service, more) in DOCUMENTS {
        let run = ["run", "--quiet", "--package", service, "--", "openapi"];
        let document = output(cargo().args(run).args(more))?;
        let file = workspace::root().join("api-spec").join(name);
        put(&file, &document, arguments.check, &mut stale)?;
    }
    let schema =
        output(cargo().args(["run", "--quiet", "--package", "crm-bridge", "--", "profile", "schema"]))?;
    let file = workspace::root().join("api-spec/connector-profile.schema.json");
    put(&file, &schema, arguments.check, &mut stale)?;
    types(arguments.check, &mut stale)?;
    if stale.is_empty() {
        return Ok(());
    }
    let root = workspace::root();
    let names: Vec<_> =
        stale.iter().map(|file| file.strip_prefix(&root).unwrap_or(file).display().to_string()).collect();
    bail!("out of date: {}; {HINT}", names.join(", "))
}

/// The interface's types come from the checked-in document, so a stale document is found first.
fn types(check: bool, stale: &mut Vec<PathBuf>) -> Result<()> {
    let web = web();
    npm_ci(&web)?;
    let file = web.join("src/api/schema.d.ts");
    let before = fs::read(&file).ok();
    run(npm(&web)?.args(["run", "--silent", "types"]).stdout(std::process::Stdio::null()))?;
    let after = fs::read(&file)?;
    if check && before.as_ref() != Some(&after) {
        match before {
            Some(before) => fs::write(&file, before)?,
            None => fs::remove_file(&file)?,
        }
        stale.push(file);
    }
    Ok(())
}

fn put(file: &Path, content: &[u8], check: bool, stale: &mut Vec<PathBuf>) -> Result<()> {
    if fs::read(file).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if check {
        stale.push(file.to_owned());
    } else {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, content)?;
        println!("wrote {}", file.display());
    }
    Ok(())
}
