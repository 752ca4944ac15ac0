//! Puts records with markers into a sandbox of the CRM, shows them raw, and takes them out again. For `crm-bridge prove`
//! only: the server has no [`Planter`], and a planter has another key than the server.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Settings;
use super::ask::{Asker, Fillings};
use super::client::{Client, Errand, Reply};
use super::pick::{Picked, pick};
use super::profile::answer::{ErrorRule, Literal};
use super::profile::plant::{Plant, PlantRecord};
use super::profile::{Operation, Profile};
use super::trouble::{Failure, PAUSE_MS, Trouble};
use crate::walls::Walls;

/// How often one waits because the CRM says that it is asked too often, and how long at most.
const TOO_OFTEN_MAX: usize = 5;
const PLANT_PAUSE_MS_MAX: u64 = 60_000;

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

    /// Does what is to be done once a record is made; `values` have its id.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn link(&self, record: &PlantRecord, values: &PlantValues) -> Result<(), Trouble> {
        for link in &record.link {
            match self.send(link.operation(), values).await {
                Ok(_) | Err(Trouble::NotJson) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
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

    /// Sends a request; one that comes too often, once more after the pause that the CRM asks for.
    async fn send(&self, operation: &Operation, values: &PlantValues) -> Result<Option<Vec<u8>>, Trouble> {
        for _ in 0..TOO_OFTEN_MAX {
            match self.once(operation, values).await {
                Err(Failure { trouble: Trouble::RateLimited, pause_ms }) => {
                    let pause_ms = u64::try_from(pause_ms.unwrap_or(PAUSE_MS)).unwrap_or(0);
                    tokio::time::sleep(Duration::from_millis(pause_ms.min(PLANT_PAUSE_MS_MAX))).await;
                }
                other => return other.map_err(|failure| failure.trouble),
            }
        }
        self.once(operation, values).await.map_err(|failure| failure.trouble)
    }

    async fn once(&self, operation: &Operation, values: &PlantValues) -> Result<Option<Vec<u8>>, Failure> {
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
        match self.client.send(&errand, true, make).await?.reply {
            Reply::Body(answer) => {
                let body = answer.bytes().to_vec();
                if shape.errors.iter().any(|rule| is_error(&body, rule)) {
                    return Err(Trouble::Refused.into());
                }
                Ok(Some(body))
            }
            Reply::NotFound | Reply::Nothing => Ok(None),
        }
    }
}

/// Whether an answer with status 200 is an error all the same.
fn is_error(body: &[u8], rule: &ErrorRule) -> bool {
    match (&rule.is, pick(body, &rule.at)) {
        (Some(literal), Some(found)) => is(&found, literal),
        (Some(_), None) => false,
        (None, found) => found.is_some_and(|found| found != Picked::Flag(false)),
    }
}

fn is(found: &Picked, literal: &Literal) -> bool {
    match literal {
        Literal::Flag(flag) => *found == Picked::Flag(*flag),
        Literal::Number(number) => found.number() == Some(*number),
        Literal::Text(text) => found.text().is_some_and(|found| *found == *text),
    }
}

/// Whether the answer says that the record lies in the CRM's bin.
#[must_use]
pub fn lies_in_the_bin(body: &[u8], record: &PlantRecord) -> bool {
    let flag = record.deleted.as_ref();
    flag.is_some_and(|flag| pick(body, &flag.at).is_some_and(|found| is(&found, &flag.is)))
}
