//! The values that must never leave the CRM.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
pub use marker_search::{Marker, Pattern, spellings};
use serde::Deserialize;

/// Everything that a CRM keeps secret.
#[derive(Clone, Debug, Deserialize)]
pub struct MarkerList {
    /// Names of fields that must not turn up either.
    pub fields: Vec<String>,
    /// Values that must not turn up.
    pub markers: Vec<Marker>,
}

impl MarkerList {
    /// Reads what `sandbox-crm --markers FILE` or Tryton's `fill.py` wrote.
    ///
    /// # Errors
    /// The file can't be read, or lists nothing.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
        let list: Self = serde_json::from_slice(&text)?;
        ensure!(
            list.markers.len() > 50,
            "only {} markers: a search for nothing finds nothing",
            list.markers.len()
        );
        ensure!(!list.fields.is_empty(), "no names of fields");
        Ok(list)
    }

    /// Every marker in every spelling.
    pub fn patterns(&self) -> Vec<Pattern> {
        self.markers.iter().flat_map(spellings).collect()
    }
}
