//! What the CRM itself calls its fields. A name such as `UF_CRM_1678886401` says nothing; the label that people see in the
//! CRM does, and it is judged before a policy that names the field is used.

use std::collections::BTreeMap;

use super::ask::{Priority, Question};
use super::pick::{Picked, pick};
use super::pluck::{List, pluck_each};
use super::profile::answer::{ErrorRule, Literal};
use super::profile::metadata::{Metadata, Places};
use super::profile::{Purpose, Shape};
use super::projection::RawAnswer;
use super::projection::scan::look_over;
use super::trouble::Trouble;
use super::{Connector, Found};
use crate::policy::Entity;

/// Fields beyond are not looked at; no CRM has so many.
const FIELDS_MAX: usize = 5_000;
const DEPTH_MAX: usize = 32;
const LABEL_CHARS_MAX: usize = 200;

/// A field as the CRM describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLabel {
    /// Its name in records.
    pub name: String,
    /// What people call it; several where the CRM has several.
    pub labels: Vec<String>,
}

/// The labels of a CRM's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    person: BTreeMap<String, Vec<String>>,
    company: BTreeMap<String, Vec<String>>,
}

impl Labels {
    /// Asks the CRM, read-only. None if its profile does not say where it tells them.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn fetch(connector: &Connector) -> Result<Option<Self>, Trouble> {
        if connector.profile().metadata.is_none() {
            return Ok(None);
        }
        let mut all = Self::default();
        for entity in [Entity::Person, Entity::Company] {
            if connector.profile().operation(Purpose::Metadata(entity)).is_none() {
                continue;
            }
            let found = connector.ask_as(Question::Metadata(entity), Priority::LookUp).await?;
            all.add(entity, found.labels.clone());
        }
        Ok(Some(all))
    }

    /// Takes labels in.
    pub fn add(&mut self, entity: Entity, labels: Vec<FieldLabel>) {
        let table = match entity {
            Entity::Person => &mut self.person,
            Entity::Company => &mut self.company,
        };
        for field in labels {
            table.entry(field.name).or_default().extend(field.labels);
        }
    }

    /// How many fields the CRM has described.
    #[must_use]
    pub fn count(&self) -> usize {
        self.person.len() + self.company.len()
    }

    /// What the CRM calls the field of that name; empty if it does not say.
    #[must_use]
    pub fn of(&self, entity: Entity, name: &str) -> &[String] {
        let table = match entity {
            Entity::Person => &self.person,
            Entity::Company => &self.company,
        };
        table.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether the CRM has described fields of that kind at all.
    #[must_use]
    pub fn knows(&self, entity: Entity) -> bool {
        match entity {
            Entity::Person => !self.person.is_empty(),
            Entity::Company => !self.company.is_empty(),
        }
    }
}

/// Reads the answer to a question for labels.
pub(super) fn read(answer: &RawAnswer, metadata: &Metadata, shape: &Shape) -> Result<Found, Trouble> {
    let bytes = answer.bytes();
    let text = look_over(bytes, DEPTH_MAX).map_err(|_| Trouble::NotJson)?;
    if shape.errors.iter().any(|rule| says_error(bytes, rule)) {
        return Err(Trouble::Refused);
    }
    let by_name = metadata.name.is_none();
    let list = List { path: metadata.records.segments(), by_name, rows_max: FIELDS_MAX };
    let names = metadata.name.as_ref().map_or(&[][..], Places::all);
    let places = names.iter().chain(metadata.label.all());
    let wanted: Vec<&[String]> = places.map(|place| place.segments()).collect();
    let rows = pluck_each(text, &list, &wanted).ok_or(Trouble::NotJson)?;
    let labels: Vec<FieldLabel> = rows
        .into_iter()
        .flat_map(|row| {
            let mut texts = row.found.into_iter().map(|found| found.one());
            let called: Vec<String> = texts.by_ref().take(names.len()).flatten().chain(row.name).collect();
            let labels = texts.flatten().map(|label| tidy(&label)).filter(|label| !label.is_empty());
            let mut labels: Vec<String> = labels.collect();
            labels.dedup();
            called.into_iter().map(move |name| FieldLabel { name, labels: labels.clone() })
        })
        .collect();
    if labels.is_empty() { Err(Trouble::UnexpectedShape) } else { Ok(Found { labels, ..Found::default() }) }
}

fn says_error(body: &[u8], rule: &ErrorRule) -> bool {
    let found = pick(body, &rule.at);
    match (&rule.is, found) {
        (_, None) => false,
        (None, Some(found)) => !matches!(found, Picked::Flag(false)),
        (Some(Literal::Flag(flag)), Some(found)) => found == Picked::Flag(*flag),
        (Some(Literal::Number(number)), Some(found)) => found.number() == Some(*number),
        (Some(Literal::Text(text)), Some(found)) => found.text().is_some_and(|found| *found == *text),
    }
}

/// A label as it may be printed: a line of readable letters.
fn tidy(label: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    label.chars().map(plain).take(LABEL_CHARS_MAX).collect::<String>().trim().to_owned()
}
