//! What stands around the records of an answer: where the list is, or the one record, where the next page begins, and
//! what says that the answer is an error in spite of its status.

use super::names::Names;
use super::sink::Found;
use super::walk::is_text;
use crate::connector::pointer::Pointer;
use crate::connector::profile::Shape;
use crate::connector::profile::answer::{ErrorRule, Literal};

/// Longest cursor or link.
const NEXT_BYTES_MAX: usize = 4_096;

/// What is expected where the records are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A list.
    List,
    /// One record, or a list of one.
    One,
    /// An object whose members are the records, as PHP writes a list that has a gap.
    Map,
    /// Nothing is read, only what stands around.
    Nothing,
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
    /// An object that has the records; PHP writes one without members as an empty list.
    RecordsInside,
    Next,
    Delta,
    Total,
    More,
    /// A rule that says what an error is, by position.
    Error(usize),
    /// A code that says which error.
    Code,
}

impl Around {
    /// What is to be looked at in answers of that shape.
    pub(super) fn new(shape: &Shape, kind: Kind) -> Self {
        let mut around = Self::default();
        let records = if kind == Kind::One { &shape.record } else { &shape.records };
        around.mark(records, Spot::Records);
        if let [outer @ .., _] = records.segments()
            && !outer.is_empty()
            && kind == Kind::List
        {
            around.mark_at(outer, Spot::RecordsInside);
        }
        shape.next.iter().for_each(|next| around.mark(next, Spot::Next));
        shape.delta.iter().for_each(|delta| around.mark(delta, Spot::Delta));
        shape.total.iter().for_each(|total| around.mark(total, Spot::Total));
        shape.more.iter().for_each(|more| around.mark(more, Spot::More));
        for (position, rule) in shape.errors.iter().enumerate() {
            around.mark(&rule.at, Spot::Error(position));
            rule.code.iter().for_each(|code| around.mark(code, Spot::Code));
        }
        around
    }

    fn mark(&mut self, pointer: &Pointer, spot: Spot) {
        self.mark_at(pointer.segments(), spot);
    }

    fn mark_at(&mut self, path: &[String], spot: Spot) {
        let place = path.iter().fold(self, |place, name| place.members.find_or_add(name));
        place.spots.push(spot);
    }

    pub(super) fn has(&self, spot: Spot) -> bool {
        self.spots.contains(&spot)
    }
}

/// What was found around the records.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) next: Option<String>,
    pub(super) delta: Option<String>,
    pub(super) total: Option<u64>,
    pub(super) more: Option<bool>,
    pub(super) error: bool,
    pub(super) throttled: bool,
}

impl Seen {
    /// A value at a place outside of the records.
    pub(super) fn scalar(
        &mut self,
        place: &Around,
        found: &Found<'_>,
        errors: &[ErrorRule],
        throttling: &[String],
    ) {
        for spot in &place.spots {
            match *spot {
                Spot::Records | Spot::RecordsInside => {}
                Spot::Next => self.next = next_of(found),
                Spot::Delta => self.delta = next_of(found),
                // A negative one says that nobody has counted.
                Spot::Total => self.total = next_of(found).and_then(|text| text.parse().ok()),
                Spot::More => self.more = more_of(found),
                Spot::Error(position) => {
                    self.error |= match errors.get(position).and_then(|rule| rule.is.as_ref()) {
                        Some(literal) => is_literal(found, literal),
                        None => !found.is_nothing(),
                    };
                }
                Spot::Code => self.throttled |= throttling.iter().any(|word| is_text(found, word)),
            }
        }
    }

    /// An object or a list at such a place, with something in it.
    pub(super) fn structure(&mut self, place: &Around, errors: &[ErrorRule]) {
        let any_value_is_an_error = |spot: &Spot| match *spot {
            Spot::Error(position) => errors.get(position).is_some_and(|rule| rule.is.is_none()),
            _ => false,
        };
        self.error |= place.spots.iter().any(any_value_is_an_error);
    }
}

fn next_of(found: &Found<'_>) -> Option<String> {
    match found {
        // Sugar says -1 where there is no next page.
        Found::Integer(number) => (*number >= 0).then(|| number.to_string()),
        other => {
            let text = other.text()?;
            (!text.is_empty() && text.len() <= NEXT_BYTES_MAX).then(|| text.to_owned())
        }
    }
}

fn more_of(found: &Found<'_>) -> Option<bool> {
    match found {
        Found::Flag(more) => Some(*more),
        Found::Integer(number) => Some(*number != 0),
        other => other.text().and_then(|text| text.parse().ok()),
    }
}

fn is_literal(found: &Found<'_>, literal: &Literal) -> bool {
    match literal {
        Literal::Flag(flag) => is_text(found, if *flag { "true" } else { "false" }),
        Literal::Number(number) => is_text(found, &number.to_string()),
        Literal::Text(text) => is_text(found, text),
    }
}
