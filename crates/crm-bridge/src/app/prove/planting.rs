//! Puts the markers into the CRM, sees them there, and takes them out again.

use std::sync::atomic::{AtomicBool, Ordering};

use marker_search::{Pattern, Searcher};

use super::ProveError;
use super::journal::{Content, Journal};
use super::markers::{Marker, by_name, spellings};
use super::report::Left;
use crate::connector::plant::{PlantValues, Planter, lies_in_the_bin};
use crate::connector::profile::plant::{MarkerKind, Plant, PlantRecord};
use crate::connector::trouble::Trouble;

/// How often a removal is tried; a CRM may need what hangs on a record to be gone first.
const REMOVALS_MAX: usize = 3;

/// The digits of a number that no other marker has.
const LOCAL_DIGITS: usize = 8;

/// What stands in the CRM now.
pub(super) struct Planted {
    pub(super) values: PlantValues,
    pub(super) journal: Journal,
}

pub(super) fn begin(
    folder: &std::path::Path,
    host: &str,
    profile: &str,
    markers: &[Marker],
) -> Result<Planted, ProveError> {
    let markers = by_name(markers);
    let content = Content {
        host: host.to_owned(),
        profile: profile.to_owned(),
        markers: markers.clone(),
        records: Vec::new(),
    };
    let values = PlantValues { markers, ..PlantValues::default() };
    Ok(Planted { values, journal: Journal::begin(folder, content)? })
}

impl Planted {
    /// What an earlier run left.
    pub(super) fn again(journal: Journal) -> Self {
        let content = journal.content();
        let made =
            content.records.iter().filter_map(|record| Some((record.name.clone(), record.id.clone()?)));
        let values = PlantValues { markers: content.markers.clone(), made: made.collect() };
        Self { values, journal }
    }

    /// Makes all records, one after the other. Whoever stops it does so between two of them.
    pub(super) async fn plant(
        &mut self,
        planter: &Planter,
        plant: &Plant,
        stop: &AtomicBool,
    ) -> Result<(), ProveError> {
        for record in &plant.record {
            if stop.load(Ordering::Relaxed) {
                return Err(ProveError::stopped());
            }
            self.journal.making(&record.name)?;
            match planter.make(record, &self.values).await {
                Ok(id) => {
                    self.journal.made(&id)?;
                    self.values.made.insert(record.name.clone(), id);
                }
                Err(trouble) => {
                    if !may_have_been_made(trouble) {
                        self.journal.gone(&record.name)?;
                    }
                    return Err(not_made(record, trouble, "made in the CRM", plant));
                }
            }
            let linked = planter.link(record, &self.values).await;
            linked.map_err(|trouble| not_made(record, trouble, "linked as [plant] says", plant))?;
        }
        Ok(())
    }

    /// Which markers the CRM serves to somebody who asks for everything; none where the profile has no such request.
    pub(super) async fn seen(
        &self,
        planter: &Planter,
        plant: &Plant,
        markers: &[Marker],
    ) -> Result<Option<Vec<bool>>, ProveError> {
        let mut served: Vec<u8> = Vec::new();
        let mut asked = false;
        for record in &plant.record {
            let Some(read) = &record.read else { continue };
            asked = true;
            let answer = planter.read(read.operation(), &self.values).await.map_err(|trouble| {
                ProveError::new(format!(
                    "the record \"{}\" could not be read back ({}). {}",
                    record.name,
                    trouble.as_str(),
                    trouble.sentence()
                ))
            })?;
            served.extend(answer.unwrap_or_default());
            served.push(b'\n');
        }
        let is_served = |marker: &Marker| {
            let mut spellings = marker.spellings();
            if marker.kind == MarkerKind::Phone {
                // Some keep the country apart.
                let digits = marker.value.chars().rev().take(LOCAL_DIGITS).collect::<Vec<_>>();
                spellings.push(("local part", digits.into_iter().rev().collect::<String>().into_bytes()));
            }
            let patterns = spellings.into_iter().map(|(how, bytes)| Pattern { bytes, means: how.to_owned() });
            !Searcher::new(patterns.collect()).find("", &served).is_empty()
        };
        Ok(asked.then(|| markers.iter().map(is_served).collect()))
    }

    /// Takes out everything, the youngest first. What can't be removed is left, with its id.
    pub(super) async fn remove(mut self, planter: &Planter, plant: &Plant) -> Vec<Left> {
        let mut left: Vec<Left> = Vec::new();
        for _ in 0..REMOVALS_MAX {
            left.clear();
            let names: Vec<(String, Option<String>)> = self
                .journal
                .content()
                .records
                .iter()
                .rev()
                .map(|made| (made.name.clone(), made.id.clone()))
                .collect();
            for (name, id) in names {
                let record = plant.record.iter().find(|record| record.name == name);
                let outcome = match (record, &id) {
                    (Some(record), Some(_)) => self.remove_one(planter, plant, record).await,
                    (None, _) => Err("the profile has no such record any more".to_owned()),
                    (_, None) => {
                        Err("whether it was made is not known; look for it by the markers in journal.json"
                            .to_owned())
                    }
                };
                match outcome {
                    // What the disk does not take is removed again next time, which does no harm.
                    Ok(()) => drop(self.journal.gone(&name)),
                    Err(why) => left.push(Left { record: name, id, why }),
                }
            }
            if left.iter().all(|left| left.id.is_none()) {
                break;
            }
        }
        self.journal.end();
        left
    }

    async fn remove_one(&self, planter: &Planter, plant: &Plant, record: &PlantRecord) -> Result<(), String> {
        let sentence = |trouble: Trouble| trouble.sentence().to_owned();
        planter.remove(record, &self.values).await.map_err(sentence)?;
        let Some(read) = &record.read else { return Ok(()) };
        // That it is gone is seen, not believed; an answer that is an error is no record, nor is an empty list.
        match planter.read(read.operation(), &self.values).await {
            Ok(Some(body)) if self.serves(plant, record, &body) && !lies_in_the_bin(&body, record) => {
                Err("the CRM said that it is removed, and still serves it".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether anything that was written into the record is in the answer, in whatever spelling.
    fn serves(&self, plant: &Plant, record: &PlantRecord, body: &[u8]) -> bool {
        let values = record.markers().filter_map(|name| {
            let kind = plant.markers.get(name)?.kind;
            Some(spellings(kind, self.values.markers.get(name)?))
        });
        let patterns: Vec<Pattern> =
            values.flatten().map(|(how, bytes)| Pattern { bytes, means: how.to_owned() }).collect();
        // Of what has no marker in it, any answer is one too many.
        patterns.is_empty() || !Searcher::new(patterns).find("", body).is_empty()
    }
}

fn not_made(record: &PlantRecord, trouble: Trouble, what: &str, plant: &Plant) -> ProveError {
    ProveError::new(format!(
        "the record \"{}\" could not be {what} ({}). {} Needed rights: {}",
        record.name,
        trouble.as_str(),
        trouble.sentence(),
        plant.rights
    ))
}

fn may_have_been_made(trouble: Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Timeout
            | Trouble::Broken
            | Trouble::ServerError
            | Trouble::Empty
            | Trouble::NotJson
            | Trouble::UnexpectedShape
            | Trouble::TooLarge
            | Trouble::TooDeep
    )
}
