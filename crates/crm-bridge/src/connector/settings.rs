//! What the administrator has set for a CRM, compared with what its profile wants.

use std::collections::BTreeMap;

use service_kit::Secret;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::ask::{Fillings, setting_text};
use super::profile::Profile;
use super::profile::digest::{add_text, hex_of};
use super::profile::template::Template;
use super::profile::time::Times;

/// Enough to tell any two profiles apart.
const READING_DIGITS: usize = 32;

/// What the administrator has set for this CRM and what a profile's holes are filled with. No `Debug`: keys are among it.
#[derive(Clone, Default)]
pub struct Settings {
    fillings: Fillings,
    /// Where the CRM is.
    base: String,
}

/// What the administrator has set for this CRM, as it stands in the settings.
#[derive(Default)]
pub struct SettingsGiven {
    /// The key.
    pub secret: Option<Secret>,
    /// Further keys by name.
    pub secrets: BTreeMap<String, Secret>,
    /// Everything else.
    pub settings: BTreeMap<String, String>,
}

impl Settings {
    /// What is given, compared with what the profile wants.
    ///
    /// # Errors
    /// All that is missing, unknown or not usable, in sentences.
    pub fn new(profile: &Profile, given: SettingsGiven) -> Result<Self, String> {
        let mut faults = Vec::new();
        for (name, description) in &profile.settings {
            match given.settings.get(name).map(|value| value.trim()) {
                None | Some("") => {
                    faults.push(format!("{} needs crm.settings.{name}: {description}", profile.head.title))
                }
                Some(value) if value.len() > 256 || value.chars().any(char::is_control) => {
                    faults.push(format!("crm.settings.{name} is one line of at most 256 letters"));
                }
                Some(_) => {}
            }
        }
        for name in given.settings.keys().filter(|name| !profile.settings.contains_key(*name)) {
            faults.push(format!("{} knows no crm.settings.{name}; take it out", profile.head.title));
        }
        let SettingsGiven { secret, secrets, settings } = given;
        let mut fillings = Fillings { secret, secrets, settings, ..Fillings::default() };
        let zone = setting_text(&fillings, &profile.time.zone);
        match zone.map_or_else(
            || Err("time.zone can't be filled in".to_owned()),
            |zone| Times::new(profile.time.in_requests(), &zone),
        ) {
            Ok(times) if profile.time.inclusive => fillings.times = times,
            Ok(times) => fillings.times = times.exclusive(),
            Err(_) if !faults.is_empty() => {}
            Err(fault) => faults.push(fault),
        }
        if faults.is_empty() { Ok(Self { fillings, base: String::new() }) } else { Err(faults.join("\n")) }
    }

    /// The same for the CRM at that address.
    #[must_use]
    pub fn at(self, base: &Url) -> Self {
        Self { base: base.as_str().trim_end_matches('/').to_owned(), ..self }
    }

    pub(super) fn fillings(&self) -> &Fillings {
        &self.fillings
    }

    /// Which records are read and from which places: what the profile maps, with these settings, at this address. 32 hex digits; no key is among
    /// what they are made of.
    #[must_use]
    pub fn reading(&self, profile: &Profile) -> String {
        let mut hash = Sha256::new();
        add_text(&mut hash, b'm', &profile.digests.mapping);
        add_text(&mut hash, b'u', &self.base);
        for (name, value) in &self.fillings.settings {
            add_text(&mut hash, b'k', name);
            add_text(&mut hash, b's', value.trim());
        }
        let mut hex = hex_of(hash);
        hex.truncate(READING_DIGITS);
        hex
    }

    /// A text of the profile that has holes for settings only, such as the zone of times. None if one is missing.
    #[must_use]
    pub fn text(&self, template: &Template) -> Option<String> {
        setting_text(&self.fillings, template)
    }

    /// How times are written in requests.
    #[must_use]
    pub fn times(&self) -> &Times {
        &self.fillings.times
    }
}
