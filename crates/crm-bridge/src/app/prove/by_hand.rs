//! Markers that a person types into one test record, for a CRM without a key for writing.

use serde::{Deserialize, Serialize};

use super::ProveError;
use super::markers::Marker;
use crate::connector::profile::plant::MarkerKind;

/// A file of `--new-markers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    /// The mail address of the test person.
    pub email: String,
    /// Their number, if they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The CRM's id of the test person, if somebody has written it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crm_id: Option<String>,
    /// The values.
    #[serde(rename = "marker")]
    pub markers: Vec<Marker>,
}

impl ByHand {
    /// A list of fresh values; `markers` has an address.
    ///
    /// # Errors
    /// The policy or the profile has no address to find the person by.
    pub fn new(markers: Vec<Marker>) -> Result<Self, ProveError> {
        let of_kind = |kind: MarkerKind| {
            let of_person = |marker: &&Marker| {
                marker.kind == kind
                    && marker.field.as_deref().is_some_and(|field| field.starts_with("person."))
            };
            markers.iter().find(of_person).map(|marker| marker.value.clone())
        };
        let email = of_kind(MarkerKind::Email).ok_or_else(|| {
            ProveError::new(
                "the policy lists no mail address of a person, by which the test person is found".to_owned(),
            )
        })?;
        Ok(Self { email, phone: of_kind(MarkerKind::Phone), crm_id: None, markers })
    }

    /// The file, with instructions.
    ///
    /// # Errors
    /// Never with these types.
    pub fn text(&self) -> Result<String, ProveError> {
        let list = toml::to_string_pretty(self).map_err(|error| ProveError::new(error.to_string()))?;
        Ok(format!(
            "# Make ONE test person in the CRM's sandbox and type each value into the place that `into` names. What has no place in \
             your CRM,\n# take out of this file. Write the CRM's id of the person into crm_id = \"…\" here below, if you know it. Then:\n\
             #\n#   crm-bridge prove --planted THIS-FILE --out proof\n#\n# and remove the test person from the CRM.\n\n{list}"
        ))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong, with the line.
    pub fn read(text: &str) -> Result<Self, ProveError> {
        let read: Self = toml::from_str(text).map_err(|error| ProveError::new(error.to_string()))?;
        if !read.markers.iter().any(|marker| marker.hidden.is_some()) {
            return Err(ProveError::new(
                "no marker is hidden: there would be nothing to look for".to_owned(),
            ));
        }
        let long = read.markers.iter().all(|marker| marker.spellings().len() > 3);
        if !long {
            return Err(ProveError::new(
                "a value is shorter than 8 letters: it would be found by chance".to_owned(),
            ));
        }
        Ok(read)
    }
}
