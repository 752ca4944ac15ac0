//! Walks a record along the tree of wanted places. Values are looked at in wanted places only; everything else is
//! skipped, which builds nothing.

use super::cursor::{Begins, Broken, Cursor};
use super::order::{Kind, Order};
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
    /// The order of members, by the number of the place.
    orders: Vec<Order<'de>>,
}

impl<'w> Walk<'w, '_> {
    pub(super) fn new(watch: &'w KeyWatch) -> Self {
        Self { watch, tally: Tally::default(), spare: Vec::new(), orders: Vec::new() }
    }
}

/// A wanted place and what stands there.
pub(super) struct Place<'a, 'w, 'de> {
    pub(super) node: &'a Node,
    pub(super) sink: &'a mut Sink<'de>,
    pub(super) walk: &'a mut Walk<'w, 'de>,
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

    /// Takes what stands at this place.
    pub(super) fn read(self, json: &mut Cursor<'de>) -> Result<(), Broken> {
        match json.begins()? {
            Begins::Object => self.object(json),
            Begins::List => self.list(json),
            Begins::Scalar if self.node.takes_texts() => {
                let is_too_long = |text: &str| text.len() > STRING_BYTES_MAX;
                let found = json.scalar()?;
                self.scalar(if found.text().is_some_and(is_too_long) { Found::Misfit } else { found });
                Ok(())
            }
            Begins::Scalar => {
                json.skip()?;
                self.scalar(Found::Null);
                Ok(())
            }
        }
    }

    fn object(mut self, json: &mut Cursor<'de>) -> Result<(), Broken> {
        let node = self.node;
        if node.typed_dates && node.members.is_empty() {
            let value = typed_date(json)?;
            self.scalar(value);
            return Ok(());
        }
        self.misfit();
        node.lists.iter().for_each(|&cell| self.sink.touch(cell));
        match &node.each {
            // PHP writes a list with a gap as an object.
            Some(each) if node.members.is_empty() => self.entries(each, json, next_position),
            _ => walk_members(json, node, self.sink, self.walk),
        }
    }

    fn list(mut self, json: &mut Cursor<'de>) -> Result<(), Broken> {
        let node = self.node;
        self.misfit();
        node.below.iter().for_each(|&cell| self.sink.touch(cell));
        if let Some(each) = &node.each {
            return self.entries(each, json, Cursor::entry);
        }
        json.open()?;
        match &node.pair {
            Some(pair) => self.pair(pair, json),
            None => json.skip_rest(),
        }
    }

    /// A list of an id and a label.
    fn pair(&mut self, [first, second]: &[Node; 2], json: &mut Cursor<'de>) -> Result<(), Broken> {
        for node in [first, second] {
            if !json.entry()? {
                return Ok(());
            }
            Place { node, sink: &mut *self.sink, walk: &mut *self.walk }.read(json)?;
        }
        if json.entry()? {
            // A list of three is no pair: what was put there is ambiguous.
            let leaves = first.leaves.iter().chain(&second.leaves);
            leaves.for_each(|&cell| self.sink.put(cell, Found::Misfit));
            json.skip()?;
            json.skip_rest()?;
        }
        Ok(())
    }

    /// Goes through the entries of a list, one sink for each; `next` goes to an entry or says that there is none.
    fn entries(
        &mut self,
        each: &EachNode,
        json: &mut Cursor<'de>,
        next: impl Fn(&mut Cursor<'de>) -> Result<bool, Broken>,
    ) -> Result<(), Broken> {
        json.open()?;
        let mut entry = self.walk.spare.pop().unwrap_or_default();
        let mut left = LIST_ENTRIES_MAX;
        while next(json)? {
            if left == 0 {
                json.skip()?;
                continue;
            }
            left -= 1;
            entry.reset(each.cells);
            Place { node: &each.entry, sink: &mut entry, walk: &mut *self.walk }.read(json)?;
            take_over(each, &entry, self.sink);
        }
        self.walk.spare.push(entry);
        Ok(())
    }
}

/// Goes to the next member whose name is a position in a list. In any other object each member is something of its own,
/// and none of them is listed.
fn next_position(json: &mut Cursor<'_>) -> Result<bool, Broken> {
    while let Some(name) = json.name()? {
        let is_short = (1..=9).contains(&name.len());
        if is_short && name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(true);
        }
        json.skip()?;
    }
    Ok(false)
}

/// Goes through the members of an object. Names are only compared.
fn walk_members<'de>(
    json: &mut Cursor<'de>,
    node: &Node,
    sink: &mut Sink<'de>,
    walk: &mut Walk<'_, 'de>,
) -> Result<(), Broken> {
    json.open()?;
    if walk.orders.len() <= node.number {
        walk.orders.resize_with(node.number + 1, Order::default);
    }
    let mut order = std::mem::take(&mut walk.orders[node.number]);
    let mut step = order.begin();
    while let Some(kind) = order.next(&mut step, json, &node.members, walk.watch, &mut walk.tally)? {
        match kind {
            Kind::Wanted(position) => {
                let node = node.members.at(position).ok_or(Broken::Syntax)?;
                Place { node, sink: &mut *sink, walk: &mut *walk }.read(json)?;
            }
            Kind::Unexpected(_) => json.skip()?,
        }
    }
    walk.orders[node.number] = order;
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
