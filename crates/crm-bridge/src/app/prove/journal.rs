//! What was made in the CRM and is not yet removed, in a file, so that it can be removed after a power cut, too.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ProveError;

/// The name of the file in the folder of the report.
pub(super) const JOURNAL: &str = "journal.json";

/// What stands in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// The host of the CRM.
    pub host: String,
    /// The name of the profile.
    pub profile: String,
    /// The markers by name: by them a person finds a record whose id is not known.
    pub markers: BTreeMap<String, String>,
    /// What was made, in order.
    pub records: Vec<Made>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    /// Its name in `[plant]`.
    pub name: String,
    /// The CRM's id; none while it is being made, or if the answer was lost.
    pub id: Option<String>,
}

/// The journal of one run.
#[derive(Debug)]
pub(super) struct Journal {
    file: PathBuf,
    content: Content,
}

impl Journal {
    /// A journal in that folder.
    ///
    /// # Errors
    /// There is one already, or it can't be written.
    pub(super) fn begin(folder: &Path, content: Content) -> Result<Self, ProveError> {
        let file = folder.join(JOURNAL);
        if file.exists() {
            return Err(ProveError::new(format!(
                "{} names records that an earlier run left in the CRM: remove them first with `crm-bridge prove --clean-up --out {}` \
                 and the same --plant-key-file and --sandbox",
                file.display(),
                folder.display()
            )));
        }
        let journal = Self { file, content };
        journal.save()?;
        Ok(journal)
    }

    /// The journal of an earlier run. None if nothing was left.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, ProveError> {
        let file = folder.join(JOURNAL);
        let unreadable =
            |error: &dyn std::fmt::Display| ProveError::new(format!("{}: {error}", file.display()));
        match std::fs::read(&file) {
            Ok(text) => {
                let content = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
                Ok(Some(Self { file, content }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&error)),
        }
    }

    /// What stands in it.
    #[must_use]
    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    /// A record is about to be made.
    ///
    /// # Errors
    /// It can't be written; then nothing may be made.
    pub(super) fn making(&mut self, name: &str) -> Result<(), ProveError> {
        self.content.records.push(Made { name: name.to_owned(), id: None });
        self.save()
    }

    /// The record made last has that id.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn made(&mut self, id: &str) -> Result<(), ProveError> {
        if let Some(last) = self.content.records.last_mut() {
            last.id = Some(id.to_owned());
        }
        self.save()
    }

    /// The record is gone, or was refused and never was.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn gone(&mut self, name: &str) -> Result<(), ProveError> {
        self.content.records.retain(|record| record.name != name);
        self.save()
    }

    /// Ends the journal, if nothing is left.
    pub(super) fn end(self) {
        if self.content.records.is_empty() {
            drop(std::fs::remove_file(&self.file));
        }
    }

    /// On the disk before anything happens in the CRM, and never half.
    fn save(&self) -> Result<(), ProveError> {
        let next = self.file.with_extension("json.new");
        let written = || -> std::io::Result<()> {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&next)?;
            file.write_all(&serde_json::to_vec_pretty(&self.content)?)?;
            file.sync_all()?;
            std::fs::rename(&next, &self.file)
        };
        written()
            .map_err(|error| ProveError::new(format!("{} can't be written: {error}", self.file.display())))
    }
}
