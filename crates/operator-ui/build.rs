//! Chooses what is embedded: the built interface if there is one, else one plain page that says how to build it, so
//! that work on Rust alone never needs Node.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Shown where the interface would be. It needs no script and no style, so the strictest content policy lets it pass.
const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <meta name=\"viewport\" content=\"width=device-width\">\n<title>Guichet</title>\n\
    <p>The web interface is not part of this build: run <code>cargo xtask ui</code>, then build the service again.</p>\n\
    </html>\n";

fn main() -> io::Result<()> {
    let dist = Path::new("dist");
    // Cargo runs this script every time while a watched path is missing, and rebuilds everything above it; an empty,
    // ignored folder avoids that. In a read-only source tree the price is paid, nothing breaks.
    let watched = dist.is_dir() || fs::create_dir(dist).is_ok();
    if watched {
        println!("cargo:rerun-if-changed=dist");
    }
    println!("cargo:rerun-if-changed=build.rs");

    let built = dist.join("operator");
    let folder = if built.join("index.html").is_file() { fs::canonicalize(built)? } else { placeholder()? };
    println!("cargo:rustc-env=OPERATOR_UI_FOLDER={}", folder.display());
    Ok(())
}

/// Writes the plain page into cargo's own output folder.
fn placeholder() -> io::Result<PathBuf> {
    let out = std::env::var_os("OUT_DIR")
        .ok_or_else(|| io::Error::other("cargo gives every build script OUT_DIR"))?;
    let folder = Path::new(&out).join("operator");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), PLACEHOLDER)?;
    Ok(folder)
}
