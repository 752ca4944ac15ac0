//! What is wanted of the answers of each operation.

use super::Settings;
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
    name: String,
    reading: String,
}

impl Plans {
    /// The meeting of policy and profile, in a CRM with these settings.
    #[must_use]
    pub fn compile(policy: &Policy, profile: &Profile, settings: &Settings, limits: Limits) -> Self {
        let zone = settings.times().zone();
        let children = profile.person.children.iter();
        let reading = settings.reading(profile);
        Self {
            person: Plan::compile(policy, profile, limits).in_zone(zone),
            company: profile
                .linked_company()
                .map(|linked| Plan::company(policy, profile, linked, limits).in_zone(zone)),
            children: children.map(|child| Plan::child(profile, child, limits).in_zone(zone)).collect(),
            ids: Plan::ids(profile, limits).in_zone(zone),
            gone: Plan::gone(profile, limits).in_zone(zone),
            name: format!("{} {reading}", policy.hash()),
            reading,
        }
    }

    /// Names what is asked for and how it is read: policy, profile and settings. What was kept under one name means
    /// nothing under another.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether what was kept under that name was read from the same places of the same records, if maybe under another policy.
    #[must_use]
    pub fn reads_as(&self, name: &str) -> bool {
        name.split_once(' ').is_some_and(|(_, reading)| reading == self.reading)
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
            Purpose::Metadata(_) | Purpose::Activity | Purpose::Login | Purpose::Renew | Purpose::Plant => {
                None
            }
        }
    }
}
