//! Walks the bytes of an answer along the tree of wanted places. Strings are built for wanted places only; everything
//! else goes through [`IgnoredAny`], which builds nothing.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::answer::RawAnswer;
use super::plan::{EachNode, Node, Plan};
use super::scan::{Unfit, look_over};
use super::sink::{Record, Sink};
use super::watch::KeyWatch;
use crate::policy::value::RawScalar;
use crate::walls::Walls;

/// Longest string that is built. Longer ones are for no field type of ours.
const STRING_BYTES_MAX: usize = 16 * 1024;

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
}

/// Reads the answer of a list endpoint: its records and the cursor of the next page.
///
/// # Errors
/// [`Unreadable`].
pub fn read_list(
    answer: &RawAnswer,
    plan: &Plan,
    watch: &KeyWatch,
    walls: Walls,
) -> Result<(Vec<Record>, Option<String>), Unreadable> {
    let text = text_of(answer, plan)?;
    #[cfg(feature = "sabotage")]
    if !walls.parse_stands() {
        return super::bypass::read_list(text, plan).map(|records| (records, None));
    }
    let _ = walls;
    let mut out = Output { plan, watch, records: Vec::new(), next: None, found: false };
    let next: &[String] = plan.next.as_ref().map_or(&[], |next| next.segments());
    let seed = Envelope {
        target: Target::List,
        path: Some(plan.records.segments()),
        next: Some(next),
        out: &mut out,
    };
    run(text, seed)?;
    if out.found { Ok((out.records, out.next)) } else { Err(Unreadable::UnexpectedShape) }
}

/// Reads the answer of a single-record endpoint.
///
/// # Errors
/// [`Unreadable`].
pub fn read_one(
    answer: &RawAnswer,
    plan: &Plan,
    watch: &KeyWatch,
    walls: Walls,
) -> Result<Record, Unreadable> {
    let text = text_of(answer, plan)?;
    #[cfg(feature = "sabotage")]
    if !walls.parse_stands() {
        return super::bypass::read_one(text, plan);
    }
    let _ = walls;
    let mut out = Output { plan, watch, records: Vec::new(), next: None, found: false };
    let seed =
        Envelope { target: Target::One, path: Some(plan.record.segments()), next: None, out: &mut out };
    run(text, seed)?;
    out.records.pop().ok_or(Unreadable::UnexpectedShape)
}

fn text_of<'a>(answer: &'a RawAnswer, plan: &Plan) -> Result<&'a str, Unreadable> {
    look_over(answer.bytes(), plan.limits.depth_max).map_err(|unfit| match unfit {
        Unfit::Empty => Unreadable::Empty,
        Unfit::NotUtf8 => Unreadable::NotJson,
        Unfit::TooDeep => Unreadable::TooDeep,
    })
}

fn run(text: &str, seed: Envelope<'_, '_>) -> Result<(), Unreadable> {
    let mut json = serde_json::Deserializer::from_str(text);
    // Errors of serde_json can quote the input; none of it is kept.
    seed.deserialize(&mut json).map_err(|_| Unreadable::NotJson)?;
    json.end().map_err(|_| Unreadable::NotJson)
}

struct Output<'a> {
    plan: &'a Plan,
    watch: &'a KeyWatch,
    records: Vec<Record>,
    next: Option<String>,
    found: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    List,
    One,
}

/// Finds the records, and the next cursor beside them, in what is wrapped around them.
struct Envelope<'a, 'p> {
    target: Target,
    path: Option<&'p [String]>,
    next: Option<&'p [String]>,
    out: &'a mut Output<'p>,
}

impl<'de> DeserializeSeed<'de> for Envelope<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer with records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.path.is_some_and(<[String]>::is_empty) && self.target == Target::One {
            self.out.found = true;
            let mut sink = Sink::new(self.out.plan.uses().len());
            walk_map(map, &self.out.plan.root, &mut sink, self.out.watch)?;
            self.out.records.push(Record::from_sink(self.out.plan, sink));
            return Ok(());
        }
        while let Some(name) = map.next_key::<Name>()? {
            let path = self.path.and_then(|path| path.split_first()).filter(|(head, _)| **head == *name.0);
            let next = self.next.and_then(|next| next.split_first()).filter(|(head, _)| **head == *name.0);
            if path.is_none() && next.is_none() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            map.next_value_seed(Envelope {
                target: self.target,
                path: path.map(|(_, rest)| rest),
                next: next.map(|(_, rest)| rest),
                out: &mut *self.out,
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if !self.path.is_some_and(<[String]>::is_empty) || self.target == Target::One || self.out.found {
            return skip_list(list);
        }
        self.out.found = true;
        while self.out.records.len() < self.out.plan.limits.records_max {
            let mut sink = Sink::new(self.out.plan.uses().len());
            let seed = Place { node: &self.out.plan.root, sink: &mut sink, watch: self.out.watch };
            if list.next_element_seed(seed)?.is_none() {
                return Ok(());
            }
            self.out.records.push(Record::from_sink(self.out.plan, sink));
        }
        skip_list(list)
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.next.is_some_and(<[String]>::is_empty) && !text.is_empty() && text.len() <= 512 {
            self.out.next = Some(text.to_owned());
        }
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if self.next.is_some_and(<[String]>::is_empty) {
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

/// A wanted place and what stands there.
struct Place<'a> {
    node: &'a Node,
    sink: &'a mut Sink,
    watch: &'a KeyWatch,
}

impl Place<'_> {
    fn found(self, value: &RawScalar) {
        for &leaf in &self.node.leaves {
            self.sink.put(leaf, value.clone());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if !self.node.leaves.is_empty() {
            let value = if text.len() > STRING_BYTES_MAX {
                RawScalar::Misfit
            } else {
                RawScalar::Text(Zeroizing::new(text.to_owned()))
            };
            self.found(&value);
        }
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.found(&RawScalar::Flag(flag));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.found(&RawScalar::Integer(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.found(&i64::try_from(number).map_or(RawScalar::Misfit, RawScalar::Integer));
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.found(&RawScalar::Misfit);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.found(&RawScalar::Null);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.node.typed_dates && self.node.members.is_empty() {
            let value = typed_date(map)?;
            self.found(&value);
            return Ok(());
        }
        if !self.node.leaves.is_empty() {
            for &leaf in &self.node.leaves {
                self.sink.put(leaf, RawScalar::Misfit);
            }
        }
        walk_map(map, self.node, self.sink, self.watch)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some(each) = &self.node.each else {
            self.found(&RawScalar::Misfit);
            return skip_list(list);
        };
        for &leaf in &self.node.leaves {
            self.sink.put(leaf, RawScalar::Misfit);
        }
        for _ in 0..LIST_ENTRIES_MAX {
            let mut entry = Sink::new(each.cells);
            let seed = Place { node: &each.entry, sink: &mut entry, watch: self.watch };
            if list.next_element_seed(seed)?.is_none() {
                return Ok(());
            }
            take_over(each, entry, self.sink);
        }
        skip_list(list)
    }
}

/// Entries of a list that are looked at.
const LIST_ENTRIES_MAX: usize = 1_000;

fn walk_map<'de, A: MapAccess<'de>>(
    mut map: A,
    node: &Node,
    sink: &mut Sink,
    watch: &KeyWatch,
) -> Result<(), A::Error> {
    while let Some(wanted) = map.next_key_seed(WantedName { node, watch })? {
        match wanted {
            Some(node) => map.next_value_seed(Place { node, sink: &mut *sink, watch })?,
            None => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    Ok(())
}

fn skip_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn take_over(each: &EachNode, mut entry: Sink, sink: &mut Sink) {
    let mut values: Vec<Option<RawScalar>> = (0..each.cells).map(|_| None).collect();
    for rule in &each.rules {
        let meets = rule.conditions.iter().all(|(cell, texts)| {
            matches!(entry.first(*cell), Some(RawScalar::Text(text)) if texts.iter().any(|wanted| *wanted == **text))
        });
        if !meets {
            continue;
        }
        let value = &mut values[rule.take];
        if value.is_none() {
            *value = entry.take(rule.take).into_iter().next();
        }
        if let Some(value) = value {
            sink.add(rule.slot, value.clone());
        }
    }
}

/// A member name that is only compared: the node it leads to, or nothing. Builds no string.
struct WantedName<'a> {
    node: &'a Node,
    watch: &'a KeyWatch,
}

impl<'de, 'a> DeserializeSeed<'de> for WantedName<'a> {
    type Value = Option<&'a Node>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for WantedName<'a> {
    type Value = Option<&'a Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let wanted = self.node.member(name);
        if wanted.is_none() {
            self.watch.unexpected(name);
        }
        Ok(wanted)
    }
}

/// A member name of the envelope.
struct Name(String);

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(json)?;
        if name.len() > 256 {
            return Err(D::Error::custom("a member name is too long"));
        }
        Ok(Self(name.into_owned()))
    }
}

/// A day or a time as an object of numbers (Tryton's JSON). Anything else is a misfit.
fn typed_date<'de, A: MapAccess<'de>>(mut map: A) -> Result<RawScalar, A::Error> {
    const PARTS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
    let mut parts: [Option<i64>; 6] = [None; 6];
    let mut is_date = None;
    while let Some(name) = map.next_key::<Name>()? {
        if name.0 == "__class__" {
            is_date = match map.next_value_seed(ShortText)?.as_deref() {
                Some("date") => Some(true),
                Some("datetime") => Some(false),
                _ => None,
            };
        } else if let Some(part) = PARTS.iter().position(|part| **part == *name.0) {
            parts[part] = map.next_value_seed(Number)?;
        } else {
            map.next_value::<IgnoredAny>()?;
        }
    }
    let number = |part: usize| parts[part].and_then(|number| i8::try_from(number).ok());
    let day = || {
        let year = i16::try_from(parts[0]?).ok()?;
        jiff::civil::Date::new(year, number(1)?, number(2)?).ok()
    };
    let time = || {
        let civil =
            day()?.at(number(3)?, 0, 0, 0).with().minute(number(4)?).second(number(5)?).build().ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(service_kit::Timestamp::from_ms(zoned.timestamp().as_millisecond()))
    };
    Ok(match is_date {
        Some(true) => day().map_or(RawScalar::Misfit, RawScalar::Day),
        Some(false) if number(3).is_some_and(|hour| (0..24).contains(&hour)) => {
            time().map_or(RawScalar::Misfit, RawScalar::Instant)
        }
        _ => RawScalar::Misfit,
    })
}

/// A string of a few letters; anything else is nothing.
struct ShortText;
/// A whole number; anything else is nothing.
struct Number;

macro_rules! scalar_or_nothing {
    ($seed:ident, $value:ty, $($visit:ident($given:ty) |$got:ident| $taken:expr),+) => {
        impl<'de> DeserializeSeed<'de> for $seed {
            type Value = Option<$value>;

            fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
                json.deserialize_any(self)
            }
        }

        impl<'de> Visitor<'de> for $seed {
            type Value = Option<$value>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            $(fn $visit<E>(self, $got: $given) -> Result<Self::Value, E> {
                Ok($taken)
            })+

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(None)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                skip_list(list)?;
                Ok(None)
            }
        }
    };
}

scalar_or_nothing!(
    ShortText,
    String,
    visit_str(&str) | text | (text.len() <= 32).then(|| text.to_owned()),
    visit_u64(u64) | _number | None,
    visit_i64(i64) | _number | None
);
scalar_or_nothing!(
    Number,
    i64,
    visit_str(&str) | _text | None,
    visit_u64(u64) | number | i64::try_from(number).ok(),
    visit_i64(i64) | number | Some(number)
);

/// Fills a sink from a record that was built as a whole, for [`super::bypass`].
#[cfg(feature = "sabotage")]
pub(super) fn walk_value(value: &serde_json::Value, plan: &Plan, sink: &mut Sink) {
    let Ok(lexicon) = crate::policy::lexicon::Lexicon::with(&[]) else { return };
    let watch = KeyWatch::new(lexicon);
    let place = Place { node: &plan.root, sink, watch: &watch };
    // A value that has been built once can be walked again without error.
    let _ = place.deserialize(value);
}
