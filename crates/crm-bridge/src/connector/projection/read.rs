//! Reads a whole answer: finds the records in what stands around them and walks each one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::answer::RawAnswer;
use super::frame::{Around, Frame, Kind, Spot};
use super::names::number_of;
use super::plan::Plan;
use super::scan::{Unfit, look_over};
use super::sink::Sink;
use super::take::Record;
use super::walk::{Place, Walk, skip_list, walk_members};
use super::watch::KeyWatch;
use crate::connector::profile::Shape;
use crate::walls::Walls;

/// Why an answer is not one that the bridge reads. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// No bytes.
    Empty,
    /// Not JSON, or not in UTF-8.
    NotJson,
    /// Nested too deeply.
    TooDeep,
    /// JSON, but the records are not where the profile says.
    UnexpectedShape,
    /// An error, although the status was 200: a rule of the profile says so. With the code, if it is one of the words of
    /// `[limits] throttled`.
    ErrorInside {
        /// Whether the code says that we ask too often.
        throttled: bool,
    },
}

/// One page of a list.
#[derive(Default)]
pub struct Page {
    /// Its records.
    pub records: Vec<Record>,
    /// The cursor or link of the next page, where the profile says that there is one.
    pub next: Option<String>,
    /// Whether the answer says that there is a next page; none if it does not say.
    pub more: Option<bool>,
}

/// Reads the answer of a list endpoint: its records and the cursor of the next page.
///
/// # Errors
/// [`Unreadable`].
pub fn read_list(
    answer: &RawAnswer,
    plan: &Plan,
    shape: &Shape,
    watch: &KeyWatch,
    walls: Walls,
) -> Result<Page, Unreadable> {
    let text = text_of(answer, plan)?;
    #[cfg(feature = "sabotage")]
    if !walls.parse_stands() {
        let frame = Frame::list(&shape.records, None);
        return super::bypass::read_list(text, plan, &frame)
            .map(|records| Page { records, ..Page::default() });
    }
    let _ = walls;
    let frame = Frame::list(&shape.records, shape.next.as_ref());
    let out = read(text, &frame, plan, watch)?;
    if out.found {
        Ok(Page { records: out.records, next: out.next, more: None })
    } else {
        Err(Unreadable::UnexpectedShape)
    }
}

/// Reads the answer of a single-record endpoint.
///
/// # Errors
/// [`Unreadable`].
pub fn read_one(
    answer: &RawAnswer,
    plan: &Plan,
    shape: &Shape,
    watch: &KeyWatch,
    walls: Walls,
) -> Result<Record, Unreadable> {
    let text = text_of(answer, plan)?;
    #[cfg(feature = "sabotage")]
    if !walls.parse_stands() {
        return super::bypass::read_one(text, plan, &Frame::one(&shape.record));
    }
    let _ = walls;
    let frame = Frame::one(&shape.record);
    let mut out = read(text, &frame, plan, watch)?;
    out.records.pop().ok_or(Unreadable::UnexpectedShape)
}

fn text_of<'a>(answer: &'a RawAnswer, plan: &Plan) -> Result<&'a str, Unreadable> {
    look_over(answer.bytes(), plan.limits.depth_max).map_err(|unfit| match unfit {
        Unfit::Empty => Unreadable::Empty,
        Unfit::NotUtf8 => Unreadable::NotJson,
        Unfit::TooDeep => Unreadable::TooDeep,
    })
}

fn read<'de, 'p>(
    text: &'de str,
    frame: &'p Frame,
    plan: &'p Plan,
    watch: &'p KeyWatch,
) -> Result<Output<'p, 'de>, Unreadable> {
    let mut out = Output {
        plan,
        kind: frame.kind,
        walk: Walk::new(watch),
        sink: Sink::default(),
        records: Vec::new(),
        next: None,
        found: false,
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let read =
        Envelope { place: &frame.around, out: &mut out }.deserialize(&mut json).and_then(|()| json.end());
    watch.add(&out.walk.tally);
    // Errors of serde_json can quote the input; none of it is kept.
    read.map_err(|_| Unreadable::NotJson)?;
    Ok(out)
}

/// What has been read so far.
struct Output<'p, 'de> {
    plan: &'p Plan,
    kind: Kind,
    walk: Walk<'p, 'de>,
    sink: Sink<'de>,
    records: Vec<Record>,
    next: Option<String>,
    found: bool,
}

impl<'de> Output<'_, 'de> {
    /// Reads one record with the cells made empty before; true if there was one.
    fn record<E>(&mut self, read: impl FnOnce(Place<'_, '_, 'de>) -> Result<bool, E>) -> Result<bool, E> {
        self.sink.reset(self.plan.cells);
        let place = Place { node: &self.plan.root, sink: &mut self.sink, walk: &mut self.walk };
        let is_one = read(place)?;
        if is_one {
            self.records.push(Record::take(self.plan, &self.sink));
        }
        Ok(is_one)
    }
}

/// Finds the records, and the next cursor beside them, in what is wrapped around them.
struct Envelope<'a, 'p, 'de> {
    place: &'p Around,
    out: &'a mut Output<'p, 'de>,
}

impl<'de> DeserializeSeed<'de> for Envelope<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { place, out } = self;
        if out.kind == Kind::One && place.has(Spot::Records) {
            out.found = true;
            out.record(|place| walk_members(map, place.node, place.sink, place.walk).map(|()| true))?;
            return Ok(());
        }
        while let Some(inner) = map.next_key_seed(Name(place))? {
            match inner {
                Some(place) => map.next_value_seed(Envelope { place, out: &mut *out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { place, out } = self;
        if !place.has(Spot::Records) || out.kind == Kind::One || out.found {
            return skip_list(list);
        }
        out.found = true;
        while out.records.len() < out.plan.limits.records_max {
            if !out.record(|place| list.next_element_seed(place).map(|one| one.is_some()))? {
                return Ok(());
            }
        }
        skip_list(list)
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.place.has(Spot::Next) && !text.is_empty() && text.len() <= 512 {
            self.out.next = Some(text.to_owned());
        }
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if self.place.has(Spot::Next) {
            self.out.next = Some(number.to_string());
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A member name outside of the records.
struct Name<'p>(&'p Around);

impl<'de, 'p> DeserializeSeed<'de> for Name<'p> {
    type Value = Option<&'p Around>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'p> Visitor<'_> for Name<'p> {
    type Value = Option<&'p Around>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.members.find(name, number_of(name)))
    }
}

/// Fills a record from a value that was built as a whole, for [`super::bypass`].
#[cfg(feature = "sabotage")]
pub(super) fn record_of(value: &serde_json::Value, plan: &Plan) -> Record {
    let mut sink = Sink::default();
    sink.reset(plan.cells);
    if let Ok(lexicon) = crate::policy::lexicon::Lexicon::with(&[]) {
        let watch = KeyWatch::new(lexicon);
        let mut walk = Walk::new(&watch);
        // A value that has been built once can be walked again without error.
        let _ = Place { node: &plan.root, sink: &mut sink, walk: &mut walk }.deserialize(value);
    }
    Record::take(plan, &sink)
}
