//! The records in memory, and in one file that is replaced as a whole.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use anyhow::{Context, Result, bail};

use crate::generate::{Recipe, generate};
use crate::model::Records;

/// Where the records live.
pub struct Store {
    records: RwLock<Records>,
    file: Option<PathBuf>,
}

impl Store {
    /// Opens the data file, or generates the records if there is none yet.
    pub fn open(file: Option<PathBuf>, recipe: Recipe) -> Result<Self> {
        if let Some(path) = file.as_deref().filter(|path| path.exists()) {
            let records = load(path)?;
            if recipe.marked && !records.marked {
                bail!("{} was made without markers: remove it to have it made anew", path.display());
            }
            return Ok(Self { records: RwLock::new(records), file });
        }
        let store = Self { records: RwLock::new(generate(recipe)), file };
        store.write(|_| ())?;
        Ok(store)
    }

    /// Reads the records.
    pub fn read<T>(&self, look: impl FnOnce(&Records) -> T) -> T {
        look(&self.records.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the records and keeps the change. If it can't be kept, it did not happen.
    pub fn write<T>(&self, change: impl FnOnce(&mut Records) -> T) -> Result<T> {
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = records.clone();
        let answer = change(&mut changed);
        if let Some(file) = &self.file {
            save(file, &changed)?;
        }
        *records = changed;
        Ok(answer)
    }
}

fn load(path: &Path) -> Result<Records> {
    let text = fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not this CRM's data file", path.display()))
}

fn save(path: &Path, records: &Records) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    let mut next = tempfile::NamedTempFile::new_in(folder)?;
    next.write_all(&serde_json::to_vec(records)?)?;
    next.as_file().sync_all()?;
    next.persist(path).with_context(|| format!("can't replace {}", path.display()))?;
    Ok(())
}
