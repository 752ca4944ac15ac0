//! What is wanted of the answers of each operation.

use jiff::tz::TimeZone;

use super::profile::operation::Gives;
use super::profile::{Operation, Profile, Purpose};
use super::projection::{Limits, Plan};
use crate::policy::{Entity, Policy};

/// A plan for each kind of record.
#[derive(Debug)]
pub struct Plans {
    person: Plan,
    company: Option<Plan>,
    children: Vec<Plan>,
    ids: Plan,
    gone: Plan,
}

impl Plans {
    /// The meeting of policy and profile.
    #[must_use]
    pub fn compile(policy: &Policy, profile: &Profile, limits: Limits) -> Self {
        Self {
            person: Plan::compile(policy, profile, limits),
            company: profile.linked_company().map(|linked| Plan::company(policy, profile, linked, limits)),
            children: profile
                .person
                .children
                .iter()
                .map(|child| Plan::child(profile, child, limits))
                .collect(),
            ids: Plan::ids(profile, limits),
            gone: Plan::gone(profile, limits),
        }
    }

    /// The same, for a CRM whose times without a zone are of that one.
    #[must_use]
    pub fn in_zone(self, zone: &TimeZone) -> Self {
        Self {
            person: self.person.in_zone(zone),
            company: self.company.map(|plan| plan.in_zone(zone)),
            children: self.children.into_iter().map(|plan| plan.in_zone(zone)).collect(),
            ids: self.ids.in_zone(zone),
            gone: self.gone.in_zone(zone),
        }
    }

    /// What an answer may be at most.
    pub(super) fn limits(&self) -> Limits {
        self.person.limits()
    }

    /// The plan for the answer of an operation; none for those that have no records.
    #[must_use]
    pub fn of(&self, purpose: Purpose, operation: &Operation) -> Option<&Plan> {
        match purpose {
            _ if operation.gives == Gives::Ids => Some(&self.ids),
            Purpose::Gone => Some(&self.gone),
            Purpose::One(Entity::Person)
            | Purpose::Page(Entity::Person)
            | Purpose::Changed(Entity::Person)
            | Purpose::ByEmail
            | Purpose::ByPhone
            | Purpose::Probe => Some(&self.person),
            Purpose::One(Entity::Company)
            | Purpose::Page(Entity::Company)
            | Purpose::Changed(Entity::Company) => self.company.as_ref(),
            Purpose::Child(position) => self.children.get(position),
            Purpose::Metadata(_) | Purpose::Activity | Purpose::Login | Purpose::Plant => None,
        }
    }
}
