//! The places in which a CRM value could have been left: files, logs, recorded answers, what the browser showed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::proxy::Tape;

/// A place and everything that is in it.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it is, for the report.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Every file below a folder: databases with their journals, logs, attachments, settings.
///
/// # Errors
/// Something can't be read.
pub fn files(folder: &Path) -> Result<Vec<Place>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
            continue;
        }
        let name = path.strip_prefix(folder)?.display().to_string();
        // A journal may go while one looks; what was in it is in the database then.
        match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            bytes => found.push(Place { name, bytes: bytes.with_context(|| path.display().to_string())? }),
        }
    }
    Ok(found)
}

/// Everything that a proxy has seen answered.
pub fn answers(name: &str, tape: &Tape) -> Vec<Place> {
    let exchanges = tape.exchanges().into_iter();
    let place = |exchange: crate::proxy::Exchange| Place {
        name: format!("{name}: answer {} to {}", exchange.status(), exchange.request),
        bytes: [exchange.head, exchange.body].concat(),
    };
    exchanges.map(place).collect()
}

/// The bytes of the places whose name contains `part`, in one piece.
pub fn joined(places: &[Place], part: &str) -> Vec<u8> {
    let chosen = places.iter().filter(|place| place.name.contains(part));
    chosen.flat_map(|place| [place.bytes.as_slice(), b"\n"].concat()).collect()
}
