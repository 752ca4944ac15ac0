//! Walks a record along the tree of wanted places. Values are looked at in wanted places only; everything else goes
//! through [`IgnoredAny`], which builds nothing.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::names::number_of;
use super::plan::{EachNode, Node};
use super::sink::{Found, Sink};
use super::typed_date::typed_date;
use super::watch::{KeyWatch, Tally};

/// Longest string that is taken. Longer ones are for no field type of ours.
const STRING_BYTES_MAX: usize = 16 * 1024;

/// Entries of a list that are looked at.
const LIST_ENTRIES_MAX: usize = 1_000;

/// What one walk over an answer carries along.
pub(super) struct Walk<'w, 'de> {
    pub(super) watch: &'w KeyWatch,
    pub(super) tally: Tally,
    /// Sinks for entries of lists, kept for the next list.
    spare: Vec<Sink<'de>>,
}

impl<'w> Walk<'w, '_> {
    pub(super) fn new(watch: &'w KeyWatch) -> Self {
        Self { watch, tally: Tally::default(), spare: Vec::new() }
    }
}

/// A wanted place and what stands there.
pub(super) struct Place<'a, 'w, 'de> {
    pub(super) node: &'a Node,
    pub(super) sink: &'a mut Sink<'de>,
    pub(super) walk: &'a mut Walk<'w, 'de>,
}

impl<'w, 'de> Place<'_, 'w, 'de> {
    /// The same place once more.
    pub(super) fn again(&mut self) -> Place<'_, 'w, 'de> {
        Place { node: self.node, sink: &mut *self.sink, walk: &mut *self.walk }
    }
}

impl<'de> Place<'_, '_, 'de> {
    /// Neither object nor list stands here.
    fn scalar(self, value: Found<'de>) {
        let node = self.node;
        node.below.iter().for_each(|&cell| self.sink.touch(cell));
        if let Some(pair) = &node.pair
            && !value.is_nothing()
        {
            // An id without its label.
            pair[1].leaves.iter().for_each(|&cell| self.sink.put(cell, Found::Misfit));
        }
        if let Some((&last, others)) = node.leaves.split_last() {
            others.iter().for_each(|&cell| self.sink.put(cell, value.clone()));
            self.sink.put(last, value);
        }
    }

    fn misfit(&mut self) {
        self.node.leaves.iter().for_each(|&cell| self.sink.put(cell, Found::Misfit));
    }

    /// A list of an id and a label.
    fn pair<A: SeqAccess<'de>>(&mut self, [first, second]: &[Node; 2], mut list: A) -> Result<(), A::Error> {
        for node in [first, second] {
            let place = Place { node, sink: &mut *self.sink, walk: &mut *self.walk };
            if list.next_element_seed(place)?.is_none() {
                return Ok(());
            }
        }
        if list.next_element::<IgnoredAny>()?.is_some() {
            // A list of three is no pair: what was put there is ambiguous.
            let leaves = first.leaves.iter().chain(&second.leaves);
            leaves.for_each(|&cell| self.sink.put(cell, Found::Misfit));
            skip_list(list)?;
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<(), E> {
        self.scalar(if text.len() > STRING_BYTES_MAX { Found::Misfit } else { Found::Text(text) });
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if text.len() > STRING_BYTES_MAX {
            self.scalar(Found::Misfit);
        } else if self.node.takes_texts() {
            self.scalar(Found::Escaped(Zeroizing::new(text.to_owned())));
        } else {
            self.scalar(Found::Null);
        }
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.scalar(Found::Flag(flag));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.scalar(Found::Integer(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.scalar(i64::try_from(number).map_or(Found::Misfit, Found::Integer));
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.scalar(Found::Misfit);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.scalar(Found::Null);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let node = self.node;
        if node.typed_dates && node.members.is_empty() {
            let value = typed_date(map)?;
            self.scalar(value);
            return Ok(());
        }
        self.misfit();
        node.lists.iter().for_each(|&cell| self.sink.touch(cell));
        match &node.each {
            // PHP writes a list with a gap as an object. Only numbers are taken for positions: in any other object each
            // member is something of its own, and none of them is listed.
            Some(each) if node.members.is_empty() => self.entries(each, |place| {
                loop {
                    match map.next_key::<Position>()? {
                        None => return Ok(false),
                        Some(Position(true)) => break,
                        Some(Position(false)) => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                match place {
                    Some(place) => map.next_value_seed(place)?,
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
                Ok(true)
            }),
            _ => walk_members(map, node, self.sink, self.walk),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let node = self.node;
        self.misfit();
        node.below.iter().for_each(|&cell| self.sink.touch(cell));
        if let Some(each) = &node.each {
            return self.entries(each, |place| match place {
                Some(place) => Ok(list.next_element_seed(place)?.is_some()),
                None => Ok(list.next_element::<IgnoredAny>()?.is_some()),
            });
        }
        match &node.pair {
            Some(pair) => self.pair(pair, list),
            None => skip_list(list),
        }
    }
}

impl<'de> Place<'_, '_, 'de> {
    /// Goes through the entries of a list, one sink for each; `next` reads an entry, or skips it if it gets no place
    /// for it, or says that there is none.
    fn entries<E>(
        &mut self,
        each: &EachNode,
        mut next: impl FnMut(Option<Place<'_, '_, 'de>>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut entry = self.walk.spare.pop().unwrap_or_default();
        for _ in 0..LIST_ENTRIES_MAX {
            entry.reset(each.cells);
            if !next(Some(Place { node: &each.entry, sink: &mut entry, walk: &mut *self.walk }))? {
                self.walk.spare.push(entry);
                return Ok(());
            }
            take_over(each, &entry, self.sink);
        }
        self.walk.spare.push(entry);
        while next(None)? {}
        Ok(())
    }
}

/// Goes through the members of an object.
pub(super) fn walk_members<'de, A: MapAccess<'de>>(
    mut map: A,
    node: &Node,
    sink: &mut Sink<'de>,
    walk: &mut Walk<'_, 'de>,
) -> Result<(), A::Error> {
    while let Some(wanted) = map.next_key_seed(WantedName { node, walk: &mut *walk })? {
        match wanted {
            Some(node) => map.next_value_seed(Place { node, sink: &mut *sink, walk: &mut *walk })?,
            None => drop(map.next_value::<IgnoredAny>()?),
        }
    }
    Ok(())
}

pub(super) fn skip_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<(), A::Error> {
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn take_over<'de>(each: &EachNode, entry: &Sink<'de>, sink: &mut Sink<'de>) {
    for rule in &each.rules {
        let meets = rule.conditions.iter().all(|(cell, texts)| {
            entry.first(*cell).is_some_and(|found| texts.iter().any(|text| is_text(found, text)))
        });
        if !meets {
            continue;
        }
        let has_value = |cell: &&usize| entry.values(**cell).any(|found| !found.is_nothing());
        if let Some(cell) = rule.take.iter().find(has_value).or(rule.take.first()) {
            entry.values(*cell).for_each(|found| sink.add(rule.to, found.clone()));
        }
    }
}

/// Whether it is that text, or the whole number or flag that is written so.
pub(super) fn is_text(found: &Found<'_>, text: &str) -> bool {
    match found {
        Found::Integer(number) => text.parse() == Ok(*number),
        Found::Flag(flag) => text.parse() == Ok(*flag),
        found => found.text() == Some(text),
    }
}

/// A member name that is only compared: the node it leads to, or nothing. Builds no string.
struct WantedName<'a, 'k, 'w, 'de> {
    node: &'a Node,
    walk: &'k mut Walk<'w, 'de>,
}

impl<'de, 'a> DeserializeSeed<'de> for WantedName<'a, '_, '_, '_> {
    type Value = Option<&'a Node>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for WantedName<'a, '_, '_, '_> {
    type Value = Option<&'a Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    #[inline]
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let number = number_of(name);
        let wanted = self.node.members.find(name, number);
        if wanted.is_none() {
            self.walk.watch.unexpected(name, number, &mut self.walk.tally);
        }
        Ok(wanted)
    }
}

/// Whether a member name is the position of an entry in a list.
struct Position(bool);

impl<'de> serde::Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Position;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Position, E> {
                let is_short = (1..=9).contains(&name.len());
                Ok(Position(is_short && name.bytes().all(|byte| byte.is_ascii_digit())))
            }
        }
        json.deserialize_str(Name)
    }
}
