//! Puts records with markers into a sandbox of the CRM, shows them raw, and takes them out again. For `crm-bridge prove`
//! only: the server has no [`Planter`], and a planter has another key than the server.

use std::collections::BTreeMap;

use super::Settings;
use super::ask::{Asker, Fillings};
use super::client::{Client, Errand, Reply};
use super::pick::pick;
use super::profile::plant::{Plant, PlantRecord};
use super::profile::{Operation, Profile};
use super::trouble::Trouble;
use crate::walls::Walls;

/// Makes and removes what `[plant]` of a profile says.
pub struct Planter {
    client: Client,
    profile: Profile,
    settings: Settings,
    walls: Walls,
}

/// What the holes of `[plant]` are filled with.
#[derive(Debug, Clone, Default)]
pub struct PlantValues {
    /// Markers by name.
    pub markers: BTreeMap<String, String>,
    /// Ids of the records made so far, by name.
    pub made: BTreeMap<String, String>,
}

impl Planter {
    /// A planter; `client` and `settings` have the key for planting.
    #[must_use]
    pub fn new(client: Client, profile: Profile, settings: Settings, walls: Walls) -> Self {
        Self { client, profile, settings, walls }
    }

    /// What is planted, if this profile says how.
    #[must_use]
    pub fn plant(&self) -> Option<&Plant> {
        self.profile.plant.as_ref()
    }

    /// Makes a record and answers its id.
    ///
    /// # Errors
    /// [`Trouble`]; after [`Trouble::Timeout`] and [`Trouble::Broken`] the record may have been made all the same.
    pub async fn make(&self, record: &PlantRecord, values: &PlantValues) -> Result<String, Trouble> {
        let body = self.send(record.make.operation(), values).await?.ok_or(Trouble::Empty)?;
        let id = pick(&body, &record.id).and_then(|id| id.text()).ok_or(Trouble::UnexpectedShape)?;
        if id.is_empty() { Err(Trouble::UnexpectedShape) } else { Ok(id.to_string()) }
    }

    /// The record with everything that the CRM says of it, raw. None if it is not there.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn read(
        &self,
        operation: &Operation,
        values: &PlantValues,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        self.send(operation, values).await
    }

    /// Takes a record out again. One that is not there is out.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn remove(&self, record: &PlantRecord, values: &PlantValues) -> Result<(), Trouble> {
        if let Some(close) = &record.close {
            // If it is closed already, this may be refused; whether it can be removed is seen next.
            drop(self.send(close.operation(), values).await);
        }
        match self.send(record.remove.operation(), values).await {
            // Nobody reads what the CRM says to it, whatever its kind.
            Ok(_) | Err(Trouble::NotJson) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    async fn send(&self, operation: &Operation, values: &PlantValues) -> Result<Option<Vec<u8>>, Trouble> {
        let fillings = Fillings {
            markers: values.markers.clone(),
            made: values.made.clone(),
            ..self.settings.fillings().clone()
        };
        let asker = Asker { profile: &self.profile, fillings: &fillings, walls: self.walls };
        let shape = self.profile.shape(operation);
        let errand = Errand {
            profile: &self.profile,
            settings: &self.settings,
            operation,
            shape: &shape,
            walls: self.walls,
        };
        let make =
            |credentials: &super::auth::Credentials| asker.other(operation, None, credentials.token.as_ref());
        match self.client.send(&errand, true, make).await.map_err(|failure| failure.trouble)?.reply {
            Reply::Body(answer) => Ok(Some(answer.bytes().to_vec())),
            Reply::NotFound | Reply::Nothing => Ok(None),
        }
    }
}
