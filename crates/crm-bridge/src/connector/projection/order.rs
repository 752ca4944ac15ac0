//! Guesses the next member name of an object. A CRM writes the members of each record of a page in the same order, so what
//! followed a name in the record before is compared with the bytes of this one; only another name is looked up.

use super::cursor::{Broken, Cursor};
use super::names::{Names, number_of, place};
use super::watch::{KeyWatch, Tally, Verdict};

/// Names that are remembered of an object. Further ones are looked up each time.
const KNOWN_MAX: usize = 512;
/// Places of the table in which a name is found again; a power of two.
const SLOTS: usize = 256;
/// Where nothing is to be guessed.
const NOWHERE: usize = usize::MAX;

/// The names of one kind of object, and which came after which.
#[derive(Default)]
pub(super) struct Order<'de> {
    /// The first one stands for the beginning of the object.
    known: Vec<Known<'de>>,
    /// For each place the position of the last name that belongs there; 0 for none.
    slots: Vec<usize>,
}

struct Known<'de> {
    /// The bytes from behind the first quote up to and with the colon.
    bytes: &'de [u8],
    kind: Kind,
    /// Position of the name that came next, the last time.
    next: usize,
}

/// What a name is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// A wanted one, by its position among the names of the object.
    Wanted(usize),
    /// One that nobody asked for.
    Unexpected(Verdict),
}

/// How far an object has been read.
pub(super) struct Step {
    last: usize,
    guess: usize,
}

impl<'de> Order<'de> {
    /// At the beginning of an object.
    pub(super) fn begin(&mut self) -> Step {
        if self.known.is_empty() {
            self.slots.resize(SLOTS, 0);
            let kind = Kind::Unexpected(Verdict::default());
            self.known.push(Known { bytes: &[], kind, next: NOWHERE });
        }
        Step { last: 0, guess: self.known.first().map_or(NOWHERE, |first| first.next) }
    }

    /// Goes behind the next name and its colon and says what it is; none at the end of the object.
    #[inline]
    pub(super) fn next<T>(
        &mut self,
        step: &mut Step,
        json: &mut Cursor<'de>,
        names: &Names<T>,
        watch: &KeyWatch,
        tally: &mut Tally,
    ) -> Result<Option<Kind>, Broken> {
        if !json.member()? {
            return Ok(None);
        }
        let kind = match self.known.get(step.guess) {
            Some(known) if json.take(known.bytes) => {
                *step = Step { last: step.guess, guess: known.next };
                known.kind
            }
            _ => self.look_up(step, json, names, watch)?,
        };
        if let Kind::Unexpected(verdict) = kind {
            tally.count(verdict);
        }
        Ok(Some(kind))
    }

    #[inline(never)]
    fn look_up<T>(
        &mut self,
        step: &mut Step,
        json: &mut Cursor<'de>,
        names: &Names<T>,
        watch: &KeyWatch,
    ) -> Result<Kind, Broken> {
        let (name, bytes) = json.name_here()?;
        let number = number_of(&name);
        let slot = place(number, SLOTS - 1);
        let mut position = self.slots.get(slot).copied().unwrap_or(0);
        if position == 0 || self.known.get(position).is_none_or(|known| known.bytes != bytes) {
            let kind = match names.position(&name, number) {
                Some(wanted) => Kind::Wanted(wanted),
                None => Kind::Unexpected(watch.verdict(&name, number)),
            };
            position = self.known.len();
            if position >= KNOWN_MAX {
                *step = Step { last: NOWHERE, guess: NOWHERE };
                return Ok(kind);
            }
            self.known.push(Known { bytes, kind, next: NOWHERE });
            if let Some(slot) = self.slots.get_mut(slot) {
                *slot = position;
            }
        }
        if let Some(before) = self.known.get_mut(step.last) {
            before.next = position;
        }
        let known = self.known.get(position).ok_or(Broken::Syntax)?;
        *step = Step { last: position, guess: known.next };
        Ok(known.kind)
    }
}
