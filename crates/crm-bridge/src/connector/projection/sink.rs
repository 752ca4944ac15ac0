//! Where wanted values are put while a record is read. Values stay where they are in the answer's bytes until the
//! record is complete; then the ones that are taken are copied, and the same cells serve the next record.

use service_kit::Timestamp;
use zeroize::Zeroizing;

/// Entries of a list that are kept for one place.
pub(super) const ENTRIES_MAX: usize = 50;

/// What stands at a wanted place. Neither `Debug` nor `Serialize`.
#[derive(Clone)]
pub(super) enum Found<'de> {
    /// A string, in the answer's own bytes.
    Text(&'de str),
    /// A string that had escapes, so that a copy was needed.
    Escaped(Zeroizing<String>),
    Integer(i64),
    Flag(bool),
    Day(jiff::civil::Date),
    Instant(Timestamp),
    Null,
    /// An object, a list, a fraction, a number or text beyond all measure.
    Misfit,
    /// The member stood there twice.
    Ambiguous,
}

impl Found<'_> {
    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Escaped(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is what CRMs send where they have nothing.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Self::Null | Self::Flag(false) => true,
            other => other.text().is_some_and(|text| text.trim_ascii().is_empty()),
        }
    }
}

/// One cell for each wanted place.
#[derive(Default)]
pub(super) struct Sink<'de> {
    cells: Vec<Cell<'de>>,
}

/// What has been found at one wanted place: one value, or as many as entries of a list that fit.
#[derive(Default)]
pub(super) struct Cell<'de> {
    sent: bool,
    first: Option<Found<'de>>,
    more: Vec<Found<'de>>,
}

impl<'de> Sink<'de> {
    /// Makes it a sink of so many empty cells.
    pub(super) fn reset(&mut self, cells: usize) {
        self.cells.resize_with(cells, Cell::default);
        for cell in &mut self.cells {
            cell.sent = false;
            cell.first = None;
            cell.more.clear();
        }
    }

    /// A plain member was read. Standing there twice makes it ambiguous.
    pub(super) fn put(&mut self, cell: usize, value: Found<'de>) {
        if let Some(cell) = self.cells.get_mut(cell) {
            cell.sent = true;
            cell.first = Some(if cell.first.is_none() { value } else { Found::Ambiguous });
        }
    }

    /// An entry of a list fits.
    pub(super) fn add(&mut self, cell: usize, value: Found<'de>) {
        if let Some(cell) = self.cells.get_mut(cell) {
            cell.sent = true;
            if cell.first.is_none() {
                cell.first = Some(value);
            } else if cell.more.len() + 1 < ENTRIES_MAX {
                cell.more.push(value);
            }
        }
    }

    /// The place was there, even if nothing was in it.
    pub(super) fn touch(&mut self, cell: usize) {
        if let Some(cell) = self.cells.get_mut(cell) {
            cell.sent = true;
        }
    }

    /// Whether the place was there at all.
    pub(super) fn was_sent(&self, cell: usize) -> bool {
        self.cells.get(cell).is_some_and(|cell| cell.sent)
    }

    /// The only or first value.
    pub(super) fn first(&self, cell: usize) -> Option<&Found<'de>> {
        self.cells.get(cell).and_then(|cell| cell.first.as_ref())
    }

    /// All values.
    pub(super) fn values(&self, cell: usize) -> impl Iterator<Item = &Found<'de>> {
        self.cells.get(cell).into_iter().flat_map(|cell| cell.first.iter().chain(&cell.more))
    }
}
