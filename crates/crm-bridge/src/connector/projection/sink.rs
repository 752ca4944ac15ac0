//! Where wanted values are put while a record is read, and what a finished record is.

use service_kit::Timestamp;
use zeroize::Zeroizing;

use super::plan::{Plan, SlotUse};
use crate::policy::value::RawScalar;

/// Entries of a list that are kept for one place.
pub(super) const ENTRIES_MAX: usize = 50;

/// One cell for each wanted place.
pub(super) struct Sink {
    cells: Vec<Cell>,
}

/// What has been found at one wanted place. A plain member has one value, an `each` as many as entries that fit.
#[derive(Clone, Default)]
pub(super) struct Cell {
    pub(super) values: Vec<RawScalar>,
}

impl Sink {
    pub(super) fn new(cells: usize) -> Self {
        Self { cells: vec![Cell::default(); cells] }
    }

    /// A plain member was read. Standing there twice makes it ambiguous.
    pub(super) fn put(&mut self, slot: usize, value: RawScalar) {
        if let Some(cell) = self.cells.get_mut(slot) {
            let value = if cell.values.is_empty() { value } else { RawScalar::Ambiguous };
            cell.values.clear();
            cell.values.push(value);
        }
    }

    /// An entry of a list fits.
    pub(super) fn add(&mut self, slot: usize, value: RawScalar) {
        if let Some(cell) = self.cells.get_mut(slot).filter(|cell| cell.values.len() < ENTRIES_MAX) {
            cell.values.push(value);
        }
    }

    pub(super) fn first(&self, slot: usize) -> Option<&RawScalar> {
        self.cells.get(slot).and_then(|cell| cell.values.first())
    }

    pub(super) fn take(&mut self, slot: usize) -> Vec<RawScalar> {
        self.cells.get_mut(slot).map(|cell| std::mem::take(&mut cell.values)).unwrap_or_default()
    }
}

/// The listed members of one record and nothing else. No `Debug`, no `Serialize`.
#[derive(Default)]
pub struct Record {
    /// The CRM's id.
    pub id: Option<String>,
    /// When the CRM last changed it.
    pub updated_at: Option<Timestamp>,
    /// Mail addresses, for the check that a hit is a hit.
    pub emails: Vec<Zeroizing<String>>,
    /// Phone numbers, for the same.
    pub phones: Vec<Zeroizing<String>>,
    /// For each policy field that this CRM has: its position in the policy, and what was found.
    pub values: Vec<(usize, RawScalar)>,
    /// What came past the wall when a test took it away.
    #[cfg(feature = "sabotage")]
    pub unlisted: Vec<(String, String)>,
}

impl Record {
    pub(super) fn from_sink(plan: &Plan, mut sink: Sink) -> Self {
        let mut record = Self::default();
        for (slot, usage) in plan.uses().iter().enumerate() {
            let found = sink.take(slot);
            match usage {
                SlotUse::Id => record.id = found.first().and_then(id_text),
                SlotUse::UpdatedAt => record.updated_at = found.first().and_then(instant),
                SlotUse::Email => record.emails.extend(found.into_iter().filter_map(text)),
                SlotUse::Phone => record.phones.extend(found.into_iter().filter_map(text)),
                SlotUse::Field(field) => record.offer(*field, found),
            }
        }
        record
    }

    /// Takes the first value that is one; sources of a field come in the order of the profile.
    fn offer(&mut self, field: usize, found: Vec<RawScalar>) {
        let nothing = |value: &RawScalar| match value {
            RawScalar::Null => true,
            RawScalar::Text(text) => text.trim().is_empty(),
            _ => false,
        };
        let value = found.into_iter().find(|value| !nothing(value));
        match (self.values.iter_mut().find(|(known, _)| *known == field), value) {
            (Some((_, known)), Some(value)) if nothing(known) => *known = value,
            (Some(_), _) => {}
            (None, value) => self.values.push((field, value.unwrap_or(RawScalar::Null))),
        }
    }
}

/// An id that is safe to put into a path: short, and without a letter that means something there.
fn id_text(value: &RawScalar) -> Option<String> {
    match value {
        RawScalar::Integer(number) => Some(number.to_string()),
        RawScalar::Text(text) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '=');
            let fits = (1..=128).contains(&text.len()) && text.chars().all(plain);
            fits.then(|| text.to_string())
        }
        _ => None,
    }
}

fn instant(value: &RawScalar) -> Option<Timestamp> {
    match value {
        RawScalar::Text(text) => text.parse().ok(),
        RawScalar::Instant(instant) => Some(*instant),
        _ => None,
    }
}

fn text(value: RawScalar) -> Option<Zeroizing<String>> {
    match value {
        RawScalar::Text(text) => Some(text),
        _ => None,
    }
}
