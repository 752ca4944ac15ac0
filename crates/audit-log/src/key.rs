//! The key file of a log.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use audit_chain::AuditKey;
use service_kit::Ids;
use service_kit::token::{generate_key_pair, read_key_file};

/// Why the key can't be had.
#[derive(Debug, thiserror::Error)]
#[error("the key of the audit log: {0}")]
pub struct KeyFileError(String);

/// Where the key is: where the setting says; without one, beside a SQLite database.
///
/// # Errors
/// [`KeyFileError`] if there is neither.
pub fn key_file(setting: &Path, database_url: &str) -> Result<PathBuf, KeyFileError> {
    if !setting.as_os_str().is_empty() {
        return Ok(setting.to_owned());
    }
    database_url.strip_prefix("sqlite:").map(|path| PathBuf::from(format!("{path}.audit-key"))).ok_or_else(
        || KeyFileError("set audit.key_file to a file that all nodes of this service have".into()),
    )
}

/// Reads the key; makes one if there is no file. A log that was begun with another key does not accept it.
///
/// # Errors
/// [`KeyFileError`] with the path and what to do.
pub fn open_key(setting: &Path, database_url: &str, ids: &Ids) -> Result<AuditKey, KeyFileError> {
    let path = key_file(setting, database_url)?;
    if !path.exists() {
        make(&path, ids)?;
    }
    let pem = read_key_file(&path).map_err(|error| KeyFileError(error.to_string()))?;
    AuditKey::from_pem(pem.expose())
        .map_err(|_| KeyFileError(format!("{} is not an Ed25519 private key in PEM", path.display())))
}

fn make(path: &Path, ids: &Ids) -> Result<(), KeyFileError> {
    let failed = |cause: &dyn std::fmt::Display| {
        KeyFileError(format!("{} is not there and can't be made: {cause}", path.display()))
    };
    let (private, _) = generate_key_pair(ids).map_err(|error| failed(&error))?;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match file {
        // Another process was quicker; its key is as good.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        file => file.map_err(|error| failed(&error))?,
    };
    file.write_all(private.expose().as_bytes()).map_err(|error| failed(&error))?;
    file.sync_all().map_err(|error| failed(&error))?;
    tracing::info!(file = %path.display(), "made a key for the audit log; keep a copy of it apart from the database");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_kit::Clock;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/a.db", folder.path().display());
        let ids = Ids::random(Clock::system());
        let key = open_key(Path::new(""), &url, &ids).unwrap();
        assert_eq!(open_key(Path::new(""), &url, &ids).unwrap().public(), key.public());
        let file = folder.path().join("a.db.audit-key");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "nothing").unwrap();
        let error = open_key(Path::new(""), &url, &ids).unwrap_err().to_string();
        assert!(error.contains("a.db.audit-key"), "{error}");
    }

    #[test]
    fn with_several_nodes_the_file_must_be_named() {
        let error = key_file(Path::new(""), "postgres://u@h/d").unwrap_err().to_string();
        assert!(error.contains("audit.key_file"), "{error}");
    }
}
