//! What is wanted of a record: the meeting of policy and profile, compiled once into a tree of places.

use super::scan::Limits;
use crate::connector::pointer::Pointer;
use crate::connector::profile::{Dates, Each, OneOrMore, Paging, Profile, Source, Sources};
use crate::policy::{Entity, Policy};

/// What a wanted place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotUse {
    Id,
    UpdatedAt,
    Email,
    Phone,
    /// Position of the field in the policy.
    Field(usize),
}

/// What is wanted of a record, and how it is named in a request.
#[derive(Debug)]
pub struct Plan {
    pub(super) root: Node,
    pub(super) records: Pointer,
    pub(super) record: Pointer,
    pub(super) next: Option<Pointer>,
    pub(super) limits: Limits,
    uses: Vec<SlotUse>,
    selection: Vec<Vec<String>>,
}

/// A place in a record, with what is wanted of it and below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Cells that take the value that stands here.
    pub(super) leaves: Vec<usize>,
    /// Wanted members, if an object stands here.
    pub(super) members: Vec<(Box<str>, Node)>,
    /// What is wanted of each entry, if a list stands here.
    pub(super) each: Option<Box<EachNode>>,
    /// Whether a day or time may stand here as an object.
    pub(super) typed_dates: bool,
}

/// What is wanted of each entry of a list.
#[derive(Debug, Default)]
pub(super) struct EachNode {
    pub(super) entry: Node,
    /// Number of cells in an entry.
    pub(super) cells: usize,
    pub(super) rules: Vec<Rule>,
}

/// Take one cell of an entry over into a cell of the record, if other cells say what they should.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) conditions: Vec<(usize, Vec<String>)>,
    pub(super) take: usize,
    pub(super) slot: usize,
}

impl Plan {
    /// Compiles what a policy wants and a profile can find.
    #[must_use]
    pub fn compile(policy: &Policy, profile: &Profile, limits: Limits) -> Self {
        let person = &profile.person;
        let mut builder = Builder { typed_dates: person.dates == Dates::TypedObject, ..Builder::default() };
        let here = Pointer::default();
        builder.want(&here, &Source::Member(person.id.clone()), SlotUse::Id);
        if let Some(updated_at) = &person.updated_at {
            builder.want(&here, &Source::Member(updated_at.clone()), SlotUse::UpdatedAt);
        }
        builder.want_all(&here, &person.r#match.email, SlotUse::Email);
        builder.want_all(&here, &person.r#match.phone, SlotUse::Phone);
        for (position, field) in policy.fields.iter().enumerate() {
            let outer = match (field.entity, &profile.company) {
                (Entity::Company, Some(company)) => &company.at,
                _ => &here,
            };
            for source in profile.sources(field.entity, &field.name) {
                builder.want(outer, source, SlotUse::Field(position));
            }
        }
        builder.selection.sort_unstable();
        builder.selection.dedup();
        Self {
            root: builder.root,
            records: person.records.clone(),
            record: person.record.clone(),
            next: match &person.paging {
                Paging::Cursor { next, .. } => Some(next.clone()),
                Paging::Offset { .. } => None,
            },
            limits,
            uses: builder.uses,
            selection: builder.selection,
        }
    }

    /// The wanted members as paths, for the selection in a request. Generated, never written twice.
    #[must_use]
    pub fn selection(&self) -> &[Vec<String>] {
        &self.selection
    }

    pub(super) fn uses(&self) -> &[SlotUse] {
        &self.uses
    }
}

#[derive(Default)]
struct Builder {
    root: Node,
    uses: Vec<SlotUse>,
    selection: Vec<Vec<String>>,
    typed_dates: bool,
}

impl Builder {
    fn want_all(&mut self, outer: &Pointer, sources: &Sources, usage: SlotUse) {
        for source in &sources.0 {
            self.want(outer, source, usage);
        }
    }

    fn want(&mut self, outer: &Pointer, source: &Source, usage: SlotUse) {
        let slot = self.uses.len();
        self.uses.push(usage);
        match source {
            Source::Member(pointer) => {
                let place = pointer.below(outer);
                let typed_dates = self.typed_dates;
                let node = self.root.reach(place.segments());
                node.leaves.push(slot);
                node.typed_dates |= typed_dates;
                self.selection.push(place.segments().to_vec());
            }
            Source::Each(each) => self.want_each(outer, each, slot),
        }
    }

    fn want_each(&mut self, outer: &Pointer, each: &Each, slot: usize) {
        let list = each.each.below(outer);
        let node = self.root.reach(list.segments()).each.get_or_insert_default();
        let mut cell_at = |path: &[String]| {
            let cell = node.cells;
            node.cells += 1;
            node.entry.reach(path).leaves.push(cell);
            self.selection.push(list.segments().iter().chain(path).cloned().collect());
            cell
        };
        let conditions = each
            .conditions
            .iter()
            .map(|(member, texts)| {
                (cell_at(std::slice::from_ref(member)), <OneOrMore<String> as Clone>::clone(texts).into_vec())
            })
            .collect();
        let take = cell_at(each.take.segments());
        node.rules.push(Rule { conditions, take, slot });
    }
}

impl Node {
    fn reach(&mut self, path: &[String]) -> &mut Self {
        let Some((name, rest)) = path.split_first() else { return self };
        let position = self.members.iter().position(|(known, _)| **known == **name).unwrap_or_else(|| {
            self.members.push((name.as_str().into(), Self::default()));
            self.members.len() - 1
        });
        self.members[position].1.reach(rest)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.members.iter().find(|(known, _)| **known == *name).map(|(_, node)| node)
    }
}
