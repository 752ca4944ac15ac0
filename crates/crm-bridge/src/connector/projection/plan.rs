//! What is wanted of a record: the meeting of policy and profile, compiled once into a tree of places.

use jiff::tz::TimeZone;

use super::clock::Clock;
use super::names::Names;
use super::scan::Limits;
use super::take::{Output, Parts, Target};
use crate::connector::pointer::Pointer;
use crate::connector::profile::answer::Literal;
use crate::connector::profile::time::TimeFormat;
use crate::connector::profile::{Child, Each, Form, LinkedCompany, Place, Profile, Source, Sources};
use crate::policy::{Entity, FieldKind, Policy};

/// What is wanted of a record, and how it is named in a request.
#[derive(Debug)]
pub struct Plan {
    pub(super) root: Node,
    /// Cells that the tree puts values into.
    pub(super) cells: usize,
    /// What is made of the cells. Those of one field stand one after the other.
    pub(super) outputs: Vec<Output>,
    /// Number of fields that this CRM has.
    pub(super) field_count: usize,
    pub(super) limits: Limits,
    pub(super) clock: Clock,
    /// The text of the value that means "deleted".
    pub(super) deleted: Option<String>,
    /// Codes of errors that mean "too often".
    pub(super) throttling: Vec<String>,
    selection: Vec<Vec<String>>,
}

/// A place in a record, with what is wanted of it and below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// No other place of the plan has this number.
    pub(super) number: usize,
    /// Cells that take the value that stands here.
    pub(super) leaves: Vec<usize>,
    /// Wanted members, if an object stands here.
    pub(super) members: Names<Node>,
    /// What is wanted of each entry, if a list stands here.
    pub(super) each: Option<Box<EachNode>>,
    /// What is wanted of the id and the label, if a list of these two stands here.
    pub(super) pair: Option<Box<[Node; 2]>>,
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
        let mut builder = Builder::new(profile, limits);
        let here = Pointer::default();
        builder.want_member(&person.id, Target::Id);
        builder.want_member_if(person.updated_at.as_ref(), Target::UpdatedAt);
        builder.want_member_if(person.deleted.as_ref().map(|deleted| &deleted.at), Target::Deleted);
        builder.want_member_if(person.merged_into.as_ref(), Target::MergedInto);
        builder.want_all(&here, &person.merged_from, Target::MergedFrom);
        if let Some(company) = profile.linked_company() {
            builder.want_link(&company.link, Target::Company);
        }
        builder.want_all(&here, &person.r#match.email, Target::Email);
        builder.want_all(&here, &person.r#match.phone, Target::Phone);
        for (position, field) in policy.fields.iter().enumerate() {
            let outer = match (field.entity, profile.embedded_company()) {
                // A company that is a record of its own has a plan of its own.
                (Entity::Company, None) => continue,
                (Entity::Company, Some(at)) => at,
                (Entity::Person, _) => &here,
            };
            builder.want_field(policy, profile, position, outer);
        }
        builder.plan.deleted = person.deleted.as_ref().map(|deleted| match &deleted.is {
            Literal::Flag(flag) => flag.to_string(),
            Literal::Number(number) => number.to_string(),
            Literal::Text(text) => text.clone(),
        });
        builder.finish()
    }

    /// What a policy wants of a company that is a record of its own.
    #[must_use]
    pub fn company(policy: &Policy, profile: &Profile, linked: &LinkedCompany, limits: Limits) -> Self {
        let mut builder = Builder::new(profile, limits);
        builder.want_member(&linked.id, Target::Id);
        builder.want_member_if(linked.updated_at.as_ref(), Target::UpdatedAt);
        for (position, field) in policy.fields.iter().enumerate() {
            if field.entity == Entity::Company {
                builder.want_field(policy, profile, position, &Pointer::default());
            }
        }
        builder.finish()
    }

    /// What is wanted of the records of a child feed: which person each belongs to.
    #[must_use]
    pub fn child(profile: &Profile, child: &Child, limits: Limits) -> Self {
        let mut builder = Builder::new(profile, limits);
        builder.want_member(&child.id, Target::Id);
        builder.want_member_if(child.updated_at.as_ref(), Target::UpdatedAt);
        if let Some(parent) = &child.parent {
            builder.want_link(parent, Target::Parent);
        }
        builder.want_all(&Pointer::default(), &child.parents, Target::Parents);
        builder.finish()
    }

    /// What is wanted where an answer lists ids: the entry itself, or the member with the id.
    #[must_use]
    pub fn ids(profile: &Profile, limits: Limits) -> Self {
        Self::ids_at(profile, &profile.person.id, profile.person.merged_into.as_ref(), limits)
    }

    /// What is wanted of tombstones, whose id may stand elsewhere than in a record: then what is no tombstone has none.
    #[must_use]
    pub fn gone(profile: &Profile, limits: Limits) -> Self {
        let own = profile.person.gone.as_ref().and_then(|gone| gone.answer.as_ref());
        let id = own.and_then(|answer| answer.id.as_ref()).unwrap_or(&profile.person.id);
        let merged_into = own.and_then(|answer| answer.merged_into.as_ref());
        Self::ids_at(profile, id, merged_into.or(profile.person.merged_into.as_ref()), limits)
    }

    fn ids_at(profile: &Profile, id: &Pointer, merged_into: Option<&Pointer>, limits: Limits) -> Self {
        let mut builder = Builder::new(profile, limits);
        builder.want_member(id, Target::Id);
        builder.want_entry_itself(Target::Id);
        builder.want_member_if(profile.person.updated_at.as_ref(), Target::UpdatedAt);
        // A tombstone may say where the record went.
        builder.want_member_if(merged_into, Target::MergedInto);
        builder.finish()
    }

    /// The same, for a CRM whose times without a zone are of that one.
    #[must_use]
    pub fn in_zone(mut self, zone: &TimeZone) -> Self {
        self.clock.zone = zone.clone();
        self
    }

    /// What an answer may be at most.
    pub(in crate::connector) fn limits(&self) -> Limits {
        self.limits
    }

    /// The wanted members as paths, for the selection in a request. Generated, never written twice.
    #[must_use]
    pub fn selection(&self) -> &[Vec<String>] {
        &self.selection
    }

    /// Positions in the policy of the fields that this CRM has.
    #[must_use]
    pub fn fields(&self) -> Vec<usize> {
        let of_field = |output: &Output| match output.target {
            Target::Field(field) => Some(field),
            _ => None,
        };
        let mut fields: Vec<usize> = self.outputs.iter().filter_map(of_field).collect();
        fields.dedup();
        fields
    }
}

struct Builder {
    plan: Plan,
    typed_dates: bool,
}

impl Builder {
    fn new(profile: &Profile, limits: Limits) -> Self {
        let throttling = profile.limits.throttled.iter().flat_map(|rule| rule.is.iter().cloned());
        let plan = Plan {
            root: Node::default(),
            cells: 0,
            outputs: Vec::new(),
            field_count: 0,
            limits,
            clock: Clock::new(&profile.time),
            deleted: None,
            throttling: throttling.collect(),
            selection: Vec::new(),
        };
        Self { plan, typed_dates: profile.time.format == TimeFormat::TypedObject }
    }

    fn finish(mut self) -> Plan {
        self.plan.selection.sort_unstable();
        self.plan.selection.dedup();
        self.plan.root.settle();
        self.plan.root.count(&mut 0);
        self.plan.field_count = self.plan.fields().len();
        self.plan
    }

    fn want_member(&mut self, pointer: &Pointer, target: Target) {
        self.want(&Pointer::default(), &Source::member(pointer.clone()), target, false);
    }

    fn want_member_if(&mut self, pointer: Option<&Pointer>, target: Target) {
        if let Some(pointer) = pointer {
            self.want_member(pointer, target);
        }
    }

    /// The id of another record, which may stand there as it is, as `[id, label]`, as an object that has it, or as a list
    /// whose first entry is such an object.
    fn want_link(&mut self, pointer: &Pointer, target: Target) {
        self.plan.selection.push(pointer.segments().to_vec());
        let mut cells = Cells(&mut self.plan.cells);
        let node = self.plan.root.reach(pointer.segments());
        let here = cells.at(node);
        let entry = &mut node.pair.get_or_insert_default()[0];
        let first = cells.at(entry);
        let first_inside = cells.at(entry.members.find_or_add("id"));
        let inside = cells.at(node.members.find_or_add("id"));
        self.output(target, Parts::FirstOf(vec![here, first, first_inside, inside]));
    }

    fn want_entry_itself(&mut self, target: Target) {
        let cell = Cells(&mut self.plan.cells).at(&mut self.plan.root);
        self.output(target, Parts::FirstOf(vec![cell]));
    }

    fn want_all(&mut self, outer: &Pointer, sources: &Sources, target: Target) {
        for source in &sources.0 {
            self.want(outer, source, target, false);
        }
    }

    fn want_field(&mut self, policy: &Policy, profile: &Profile, position: usize, outer: &Pointer) {
        let Some(field) = policy.fields.get(position) else { return };
        for source in profile.sources(field.entity, &field.name) {
            self.want(outer, source, Target::Field(position), field.kind == FieldKind::Flag);
        }
    }

    fn want(&mut self, outer: &Pointer, source: &Source, target: Target, false_is_a_value: bool) {
        let path = |path: Vec<&str>| {
            outer.segments().iter().cloned().chain(path.into_iter().map(str::to_owned)).collect()
        };
        self.plan.selection.extend(source.paths().into_iter().chain(source.condition_paths()).map(path));
        let typed_dates = self.typed_dates;
        let (root, mut cells) = (&mut self.plan.root, Cells(&mut self.plan.cells));
        let parts = match &source.place {
            Place::Member(pointer) => {
                let node = root.reach(outer.segments()).reach(pointer.segments());
                node.typed_dates |= typed_dates && source.form == Form::Plain;
                Parts::FirstOf(cells.of(node, source.form))
            }
            Place::Each(each) => {
                let cell = cells.next();
                let list = root.reach(outer.segments()).reach(each.each.segments());
                list.want_each(each, source.form, typed_dates, cell);
                Parts::FirstOf(vec![cell])
            }
            Place::Join { members, with } => {
                let outer = root.reach(outer.segments());
                let members = members.iter().map(|member| cells.at(outer.reach(member.segments())));
                Parts::Joined(members.collect(), with.as_str().into())
            }
        };
        let output = self.output(target, parts);
        output.form = source.form;
        output.false_is_a_value = false_is_a_value || source.form == Form::Flag;
        let words = source.words.iter().map(|(id, word)| (id.as_str().into(), word.as_str().into()));
        output.words = words.collect();
    }

    fn output(&mut self, target: Target, parts: Parts) -> &mut Output {
        self.plan.outputs.push(Output {
            target,
            parts,
            form: Form::Plain,
            words: Vec::new(),
            false_is_a_value: false,
        });
        let last = self.plan.outputs.len() - 1;
        &mut self.plan.outputs[last]
    }
}

/// Hands out the cells of a sink.
struct Cells<'a>(&'a mut usize);

impl Cells<'_> {
    fn next(&mut self) -> usize {
        let cell = *self.0;
        *self.0 += 1;
        cell
    }

    fn at(&mut self, node: &mut Node) -> usize {
        let cell = self.next();
        node.leaves.push(cell);
        cell
    }

    /// The cells of a place for a value in that form, in the order in which they are looked at.
    fn of(&mut self, node: &mut Node, form: Form) -> Vec<usize> {
        if form != Form::Label {
            return vec![self.at(node)];
        }
        let second = self.at(&mut node.pair.get_or_insert_default()[1]);
        let members = ["label", "name"].map(|name| self.at(node.members.find_or_add(name)));
        [second].into_iter().chain(members).collect()
    }
}

impl Node {
    fn reach(&mut self, path: &[String]) -> &mut Self {
        match path.split_first() {
            Some((name, rest)) => self.members.find_or_add(name).reach(rest),
            None => self,
        }
    }

    fn want_each(&mut self, each: &Each, form: Form, typed_dates: bool, to: usize) {
        let node = self.each.get_or_insert_default();
        let mut cells = Cells(&mut node.cells);
        let conditions = each
            .conditions
            .iter()
            .map(|(member, texts)| (cells.at(node.entry.reach(std::slice::from_ref(member))), texts.clone()));
        let conditions = conditions.collect();
        let take = match &each.inner {
            None => {
                let place = node.entry.reach(each.take.segments());
                place.typed_dates |= typed_dates && form == Form::Plain;
                cells.of(place, form)
            }
            Some(inner) => {
                let cell = cells.next();
                let inside =
                    Each { each: inner.clone(), conditions: Default::default(), inner: None, ..each.clone() };
                node.entry.reach(inner.segments()).want_each(&inside, form, typed_dates, cell);
                vec![cell]
            }
        };
        node.rules.push(Rule { conditions, take, to });
    }

    /// Works out which cells lie below each place, when the tree is complete. Returns its own and those below.
    fn settle(&mut self) -> Vec<usize> {
        self.lists.clear();
        if let Some(each) = &mut self.each {
            each.entry.settle();
            self.lists.extend(each.rules.iter().map(|rule| rule.to));
        }
        if let Some(pair) = &mut self.pair {
            pair.iter_mut().for_each(|node| self.lists.extend(node.settle()));
        }
        self.below = self.lists.clone();
        self.members.values_mut().for_each(|member| self.below.extend(member.settle()));
        self.leaves.iter().chain(&self.below).copied().collect()
    }

    /// Gives each place its number.
    fn count(&mut self, next: &mut usize) {
        self.number = *next;
        *next += 1;
        self.members.values_mut().for_each(|member| member.count(next));
        self.each.iter_mut().for_each(|each| each.entry.count(next));
        self.pair.iter_mut().flat_map(|pair| pair.iter_mut()).for_each(|node| node.count(next));
    }

    /// Whether a text that stands here makes a difference.
    pub(super) fn takes_texts(&self) -> bool {
        !self.leaves.is_empty() || self.pair.is_some()
    }
}
