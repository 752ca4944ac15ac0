//! Reads a whole answer: finds the records in what stands around them and walks each one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::answer::RawAnswer;
use super::frame::{Around, Kind, Seen, Spot};
use super::names::number_of;
use super::plan::Plan;
use super::scan::{Unfit, look_over};
use super::sink::{Found, Sink};
use super::take::Record;
use super::walk::{Place, Walk, skip_list, walk_members};
use super::watch::KeyWatch;
use crate::connector::profile::Shape;
use crate::connector::profile::answer::ErrorRule;
#[cfg(feature = "sabotage")]
use crate::walls::Wall;
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
    /// An error, although the status was 200: a rule of the profile says so.
    ErrorInside {
        /// Whether its code is one of those that say that we ask too often.
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

/// Reads the answer of a list endpoint: its records, and where the next page begins. One record in place of the list
/// passes, if it has an id, and so does an object of records, as PHP writes a list that has a gap.
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
    if !walls.stands(Wall::Parse) {
        return super::bypass::read_list(text, plan, shape)
            .map(|records| Page { records, ..Page::default() });
    }
    let _ = walls;
    let reader = Reader { text, plan, shape, watch };
    let around = Around::new(shape, Kind::List);
    let list = reader.read(&around, Kind::List)?;
    let records = match list.found {
        Some(Where::List) => list.records,
        Some(Where::Object) => {
            let one = reader.read(&around, Kind::One)?.records;
            if one.iter().any(|record| record.id.is_some()) {
                one
            } else {
                let records = reader.read(&around, Kind::Map)?.records;
                let is_map = records.iter().all(|record| record.id.is_some());
                let is_list = !records.is_empty() || !shape.records.segments().is_empty();
                if is_map && is_list { records } else { return Err(Unreadable::UnexpectedShape) }
            }
        }
        None => return Err(Unreadable::UnexpectedShape),
    };
    Ok(Page { records, next: list.seen.next, more: list.seen.more })
}

/// Reads the answer of a single-record endpoint. None if it says that there is nothing: null, `false` or an empty list.
///
/// # Errors
/// [`Unreadable`].
pub fn read_one(
    answer: &RawAnswer,
    plan: &Plan,
    shape: &Shape,
    watch: &KeyWatch,
    walls: Walls,
) -> Result<Option<Record>, Unreadable> {
    let text = text_of(answer, plan)?;
    #[cfg(feature = "sabotage")]
    if !walls.stands(Wall::Parse) {
        return super::bypass::read_one(text, plan, shape).map(Some);
    }
    let _ = walls;
    let reader = Reader { text, plan, shape, watch };
    let around = Around::new(shape, Kind::One);
    if !shape.errors.is_empty() {
        // What is looked at may lie inside of what is the record if all is well.
        reader.read(&around, Kind::Nothing)?;
    }
    let mut out = reader.read(&around, Kind::One)?;
    match (out.found, out.records.pop()) {
        (Some(_), None) => Ok(None),
        (Some(_), Some(record)) if out.records.is_empty() => Ok(Some(record)),
        _ => Err(Unreadable::UnexpectedShape),
    }
}

fn text_of<'a>(answer: &'a RawAnswer, plan: &Plan) -> Result<&'a str, Unreadable> {
    look_over(answer.bytes(), plan.limits.depth_max).map_err(|unfit| match unfit {
        Unfit::Empty => Unreadable::Empty,
        Unfit::NotUtf8 => Unreadable::NotJson,
        Unfit::TooDeep => Unreadable::TooDeep,
    })
}

/// All that is needed to read one answer.
struct Reader<'p, 'de> {
    text: &'de str,
    plan: &'p Plan,
    shape: &'p Shape,
    watch: &'p KeyWatch,
}

impl<'p, 'de> Reader<'p, 'de> {
    fn read(&self, around: &Around, kind: Kind) -> Result<Output<'p, 'de>, Unreadable> {
        let mut out = Output {
            plan: self.plan,
            errors: &self.shape.errors,
            within: self.shape.within.segments(),
            kind,
            walk: Walk::new(self.watch),
            sink: Sink::default(),
            records: Vec::new(),
            seen: Seen::default(),
            found: None,
        };
        let mut json = serde_json::Deserializer::from_str(self.text);
        let read = Envelope { place: around, out: &mut out }.deserialize(&mut json).and_then(|()| json.end());
        self.watch.add(&out.walk.tally);
        // Errors of serde_json can quote the input; none of it is kept.
        read.map_err(|_| Unreadable::NotJson)?;
        if out.seen.error {
            return Err(Unreadable::ErrorInside { throttled: out.seen.throttled });
        }
        Ok(out)
    }
}

/// What stands where the records should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    /// What was expected.
    List,
    /// An object instead of a list.
    Object,
}

/// What has been read so far.
struct Output<'p, 'de> {
    plan: &'p Plan,
    errors: &'p [ErrorRule],
    within: &'p [String],
    kind: Kind,
    walk: Walk<'p, 'de>,
    sink: Sink<'de>,
    records: Vec<Record>,
    seen: Seen,
    found: Option<Where>,
}

impl<'p, 'de> Output<'p, 'de> {
    /// Reads one record into cells that are made empty before; false if there was none.
    fn record<E>(&mut self, read: impl FnOnce(Within<'_, 'p, 'de>) -> Result<bool, E>) -> Result<bool, E> {
        self.sink.reset(self.plan.cells);
        let place = Place { node: &self.plan.root, sink: &mut self.sink, walk: &mut self.walk };
        // In a list the record may be inside of what is listed; the answer for one says where it is by itself.
        let is_listed = matches!(self.kind, Kind::List);
        if !read(Within { path: if is_listed { self.within } else { &[] }, place })? {
            return Ok(false);
        }
        self.records.push(Record::take(self.plan, &self.sink));
        Ok(true)
    }

    fn records_of_list<A: SeqAccess<'de>>(&mut self, mut list: A) -> Result<(), A::Error> {
        // Of a list that should have one entry, two are enough to know that it is none.
        let most = if self.kind == Kind::One { 2 } else { self.plan.limits.records_max };
        while self.records.len() < most {
            if !self.record(|place| list.next_element_seed(place).map(|one| one.is_some()))? {
                return Ok(());
            }
        }
        skip_list(list)
    }

    fn records_of_map<A: MapAccess<'de>>(&mut self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            if self.records.len() < self.plan.limits.records_max {
                self.record(|place| map.next_value_seed(place).map(|()| true))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Takes plain values for nothing.
macro_rules! no_scalars {
    ($($visit:ident($value:ty)),+) => {$(
        fn $visit<E>(self, _: $value) -> Result<(), E> {
            Ok(())
        }
    )+};
    () => {
        no_scalars!(visit_str(&str), visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64));

        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
    };
}

/// A record that may be inside of what is listed.
struct Within<'a, 'w, 'de> {
    path: &'a [String],
    place: Place<'a, 'w, 'de>,
}

impl<'de> DeserializeSeed<'de> for Within<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        if self.path.is_empty() { self.place.deserialize(json) } else { json.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for Within<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("something with a record inside")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { path, mut place } = self;
        let Some((name, rest)) = path.split_first() else { return Ok(()) };
        while let Some(is_it) = map.next_key_seed(IsName(name))? {
            if is_it {
                map.next_value_seed(Within { path: rest, place: place.again() })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        skip_list(list)
    }

    no_scalars!();
}

/// Whether a member has that name.
struct IsName<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(self.0 == name)
    }
}

/// Finds the records, and what is looked at beside them, in what is wrapped around them.
struct Envelope<'a, 'p, 'de> {
    place: &'a Around,
    out: &'a mut Output<'p, 'de>,
}

impl<'de> Envelope<'_, '_, 'de> {
    fn scalar(self, found: &Found<'de>) {
        let Self { place, out } = self;
        out.seen.scalar(place, found, out.errors, &out.plan.throttling);
        if place.has(Spot::Records) && out.kind == Kind::One && found.is_nothing() {
            out.found = Some(Where::List);
        }
    }

    /// Whether the records are here and have not been read yet.
    fn begins_records(&self) -> bool {
        self.place.has(Spot::Records) && self.out.found.is_none() && self.out.kind != Kind::Nothing
    }
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
        let begins = self.begins_records();
        let Self { place, out } = self;
        match out.kind {
            Kind::One if begins => {
                out.found = Some(Where::List);
                return out
                    .record(|Within { place, .. }| {
                        walk_members(map, place.node, place.sink, place.walk).map(|()| true)
                    })
                    .map(drop);
            }
            Kind::Map if begins => {
                out.found = Some(Where::List);
                return out.records_of_map(map);
            }
            _ if begins => out.found = Some(Where::Object),
            _ => {}
        }
        let mut is_empty = true;
        while let Some(inner) = map.next_key_seed(Name(place))? {
            is_empty = false;
            match inner {
                Some(place) => map.next_value_seed(Envelope { place, out: &mut *out })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if !is_empty {
            out.seen.structure(place, out.errors);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let begins = self.begins_records();
        let Self { place, out } = self;
        if begins && out.kind != Kind::Map {
            out.found = Some(Where::List);
            return out.records_of_list(list);
        }
        if list.next_element::<IgnoredAny>()?.is_some() {
            out.seen.structure(place, out.errors);
            skip_list(list)?;
        } else if place.has(Spot::RecordsInside) && out.kind == Kind::List && out.found.is_none() {
            out.found = Some(Where::List);
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if !self.place.spots.is_empty() {
            self.scalar(&Found::Escaped(zeroize::Zeroizing::new(text.to_owned())));
        }
        Ok(())
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.scalar(&Found::Text(text));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.scalar(&i64::try_from(number).map_or(Found::Misfit, Found::Integer));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.scalar(&Found::Integer(number));
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.scalar(&Found::Flag(flag));
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.scalar(&Found::Misfit);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.scalar(&Found::Null);
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
