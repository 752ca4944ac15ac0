//! What stands around the records of an answer: where the list is, or the one record, and where the next page begins.

use super::names::Names;
use crate::connector::pointer::Pointer;

/// Where the records are in an answer, and what else is looked at there.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) around: Around,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    One,
}

/// A place outside of the records.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) spots: Vec<Spot>,
    pub(super) members: Names<Around>,
}

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Records,
    Next,
}

impl Frame {
    pub(super) fn list(records: &Pointer, next: Option<&Pointer>) -> Self {
        let mut around = Around::default();
        around.mark(records, Spot::Records);
        if let Some(next) = next {
            around.mark(next, Spot::Next);
        }
        Self { around, kind: Kind::List }
    }

    pub(super) fn one(record: &Pointer) -> Self {
        let mut around = Around::default();
        around.mark(record, Spot::Records);
        Self { around, kind: Kind::One }
    }
}

impl Around {
    fn mark(&mut self, pointer: &Pointer, spot: Spot) {
        let place = pointer.segments().iter().fold(self, |place, name| place.members.find_or_add(name));
        place.spots.push(spot);
    }

    pub(super) fn has(&self, spot: Spot) -> bool {
        self.spots.contains(&spot)
    }
}
