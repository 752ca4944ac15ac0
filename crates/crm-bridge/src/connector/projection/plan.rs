//! What is wanted of a record: the meeting of policy and profile, compiled once into a tree of places.

use jiff::tz::TimeZone;

use super::names::Names;
use super::scan::Limits;
use super::take::{Form, Output, Parts, Target};
use crate::connector::pointer::Pointer;
use crate::connector::profile::answer::Literal;
use crate::connector::profile::time::TimeFormat;
use crate::connector::profile::{Child, Each, LinkedCompany, Place, Profile, Source, Sources};
use crate::policy::{Entity, FieldKind, Policy};

/// What is wanted of a record, and how it is named in a request.
#[derive(Debug)]
pub struct Plan {
    pub(super) root: Node,
    /// Cells that the tree puts values into.
    pub(super) cells: usize,
    /// What is made of the cells.
    pub(super) outputs: Vec<Output>,
    pub(super) limits: Limits,
    /// The value that means "deleted".
    pub(super) deleted: Option<Literal>,
    selection: Vec<Vec<String>>,
}

/// A place in a record, with what is wanted of it and below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Cells that take the value that stands here.
    pub(super) leaves: Vec<usize>,
    /// Wanted members, if an object stands here.
    pub(super) members: Names<Node>,
    /// What is wanted of each entry, if a list stands here.
    pub(super) each: Option<Box<EachNode>>,
    /// What is wanted of the second entry, if a list of two stands here.
    pub(super) pair: Option<Box<Node>>,
    /// Whether a day or time may stand here as an object.
    pub(super) typed_dates: bool,
    /// Cells that are filled from a list that stands here.
    pub(super) lists: Vec<usize>,
    /// All cells below this place: there is nothing for them if there is nothing here.
    pub(super) below: Vec<usize>,
}

/// What is wanted of each entry of a list.
#[derive(Debug, Default)]
pub(super) struct EachNode {
    pub(super) entry: Node,
    /// Number of cells in an entry.
    pub(super) cells: usize,
    pub(super) rules: Vec<Rule>,
}

/// Take cells of an entry over into a cell outside, if other cells say what they should.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) conditions: Vec<(usize, Vec<String>)>,
    /// The first of these that has something.
    pub(super) take: Vec<usize>,
    pub(super) to: usize,
}

impl Plan {
    /// Compiles what a policy wants of a person and a profile can find, an embedded company included.
    #[must_use]
    pub fn compile(policy: &Policy, profile: &Profile, limits: Limits) -> Self {
        let person = &profile.person;
        let mut builder = Builder::new(profile);
        let here = Pointer::default();
        builder.want_member(&person.id, Target::Id);
        builder.want_member_if(person.updated_at.as_ref(), Target::UpdatedAt);
        builder.want_member_if(person.deleted.as_ref().map(|deleted| &deleted.at), Target::Deleted);
        builder.want_member_if(person.merged_into.as_ref(), Target::MergedInto);
        builder.want_member_if(profile.linked_company().map(|company| &company.link), Target::Company);
        builder.want_all(&here, &person.r#match.email, Target::Email);
        builder.want_all(&here, &person.r#match.phone, Target::Phone);
        for (position, field) in policy.fields.iter().enumerate() {
            let outer = match (field.entity, profile.embedded_company()) {
                (Entity::Company, None) => continue,
                (Entity::Company, Some(at)) => at,
                (Entity::Person, _) => &here,
            };
            for source in profile.sources(field.entity, &field.name) {
                builder.want(outer, source, Target::Field(position), field.kind == FieldKind::Flag);
            }
        }
        builder.plan(limits, person.deleted.as_ref().map(|deleted| deleted.is.clone()))
    }

    /// What a policy wants of a company that is a record of its own.
    #[must_use]
    pub fn company(policy: &Policy, profile: &Profile, linked: &LinkedCompany, limits: Limits) -> Self {
        let mut builder = Builder::new(profile);
        builder.want_member(&linked.id, Target::Id);
        builder.want_member_if(linked.updated_at.as_ref(), Target::UpdatedAt);
        let here = Pointer::default();
        for (position, field) in
            policy.fields.iter().enumerate().filter(|(_, field)| field.entity == Entity::Company)
        {
            for source in profile.sources(field.entity, &field.name) {
                builder.want(&here, source, Target::Field(position), field.kind == FieldKind::Flag);
            }
        }
        builder.plan(limits, None)
    }

    /// What is wanted of the records of a child feed: which person each belongs to.
    #[must_use]
    pub fn child(profile: &Profile, child: &Child, limits: Limits) -> Self {
        let mut builder = Builder::new(profile);
        builder.want_member(&child.id, Target::Id);
        builder.want_member_if(child.updated_at.as_ref(), Target::UpdatedAt);
        builder.want_member(&child.parent, Target::Parent);
        builder.plan(limits, None)
    }

    /// What is wanted where an answer lists ids: the member with the id. An entry that is the id itself needs no member.
    #[must_use]
    pub fn ids(profile: &Profile, limits: Limits) -> Self {
        let mut builder = Builder::new(profile);
        builder.want_member(&profile.person.id, Target::Id);
        builder.want_member_if(profile.person.updated_at.as_ref(), Target::UpdatedAt);
        builder.plan(limits, None)
    }

    /// The wanted members as paths, for the selection in a request. Generated, never written twice.
    #[must_use]
    pub fn selection(&self) -> &[Vec<String>] {
        &self.selection
    }
}

#[derive(Default)]
struct Builder {
    root: Node,
    cells: usize,
    outputs: Vec<Output>,
    selection: Vec<Vec<String>>,
    typed_dates: bool,
}

impl Builder {
    fn new(profile: &Profile) -> Self {
        Self { typed_dates: profile.time.format == TimeFormat::TypedObject, ..Self::default() }
    }

    fn plan(mut self, limits: Limits, deleted: Option<Literal>) -> Plan {
        self.selection.sort_unstable();
        self.selection.dedup();
        self.root.settle();
        Plan {
            root: self.root,
            cells: self.cells,
            outputs: self.outputs,
            limits,
            deleted,
            selection: self.selection,
        }
    }

    fn want_member(&mut self, pointer: &Pointer, target: Target) {
        self.want(&Pointer::default(), &Source::member(pointer.clone()), target, false);
    }

    fn want_member_if(&mut self, pointer: Option<&Pointer>, target: Target) {
        if let Some(pointer) = pointer {
            self.want_member(pointer, target);
        }
    }

    fn want_all(&mut self, outer: &Pointer, sources: &Sources, target: Target) {
        for source in &sources.0 {
            self.want(outer, source, target, false);
        }
    }

    fn want(&mut self, outer: &Pointer, source: &Source, target: Target, false_is_a_value: bool) {
        let cell = self.cells;
        self.cells += 1;
        let owned = |path: Vec<&str>| {
            outer.segments().iter().cloned().chain(path.into_iter().map(str::to_owned)).collect()
        };
        self.selection.extend(source.paths().into_iter().chain(source.condition_paths()).map(owned));
        match &source.place {
            Place::Member(pointer) => {
                let place = pointer.below(outer);
                let typed_dates = self.typed_dates;
                let node = self.root.reach(place.segments());
                node.leaves.push(cell);
                node.typed_dates |= typed_dates;
            }
            Place::Each(each) => self.want_each(outer, each, cell),
            Place::Join { .. } => {}
        }
        self.outputs.push(Output {
            target,
            parts: Parts::FirstOf(vec![cell]),
            form: Form::Plain,
            words: None,
            false_is_a_value,
            zone: TimeZone::UTC,
        });
    }

    fn want_each(&mut self, outer: &Pointer, each: &Each, cell: usize) {
        let list = each.each.below(outer);
        let node = self.root.reach(list.segments()).each.get_or_insert_default();
        let mut cell_at = |path: &[String]| {
            let cell = node.cells;
            node.cells += 1;
            node.entry.reach(path).leaves.push(cell);
            cell
        };
        let conditions = each
            .conditions
            .iter()
            .map(|(member, texts)| (cell_at(std::slice::from_ref(member)), texts.clone()))
            .collect();
        let take = vec![cell_at(each.take.segments())];
        node.rules.push(Rule { conditions, take, to: cell });
    }
}

impl Node {
    fn reach(&mut self, path: &[String]) -> &mut Self {
        match path.split_first() {
            Some((name, rest)) => self.members.find_or_add(name).reach(rest),
            None => self,
        }
    }

    /// Works out which cells lie below each place, when the tree is complete. Returns its own and those below.
    fn settle(&mut self) -> Vec<usize> {
        self.lists.clear();
        if let Some(each) = &mut self.each {
            each.entry.settle();
            self.lists.extend(each.rules.iter().map(|rule| rule.to));
        }
        if let Some(pair) = &mut self.pair {
            self.lists.extend(pair.settle());
        }
        self.below = self.lists.clone();
        self.members.values_mut().for_each(|member| self.below.extend(member.settle()));
        self.leaves.iter().chain(&self.below).copied().collect()
    }

    /// Whether a text that stands here makes a difference.
    pub(super) fn takes_texts(&self) -> bool {
        !self.leaves.is_empty() || self.pair.is_some()
    }
}
