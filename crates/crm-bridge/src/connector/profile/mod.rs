//! A connector profile: how to ask one kind of CRM, as data.
//!
//! A profile knows nothing of roles and lists no field that the policy does not; what is asked for is the meeting of
//! both ([`super::projection::Plan`]). Every request is a [`template`] with typed holes; the grammar is closed: no star,
//! no regular expression, no free address, no code. Unknown keys are errors with their line.

pub mod answer;
pub mod auth;
mod check;
pub mod digest;
pub mod limits;
pub mod metadata;
pub mod operation;
pub mod paging;
pub mod plant;
mod read;
pub mod schema;
pub mod source;
pub mod template;
pub mod time;
pub mod webhook;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use self::answer::Shape;
use self::answer::{Answer, Literal};
use self::auth::Auth;
use self::digest::Digests;
use self::limits::Limits;
use self::metadata::Metadata;
pub use self::operation::Operation;
use self::paging::{Paging, PagingKind};
use self::plant::Plant;
pub use self::source::{Each, Form, Place, Source, Sources};
use self::time::Time;
use self::webhook::Webhook;
use super::pointer::Pointer;
use crate::policy::Entity;
use crate::policy::load::PolicyError;

/// The profiles that ship with the program, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("sandbox", include_str!("../../../../../config/profiles/sandbox.toml")),
    ("tryton", include_str!("../../../../../config/profiles/tryton.toml")),
    ("amocrm", include_str!("../../../../../config/profiles/amocrm.toml")),
    ("bitrix24", include_str!("../../../../../config/profiles/bitrix24.toml")),
    ("dataverse", include_str!("../../../../../config/profiles/dataverse.toml")),
    ("dolibarr", include_str!("../../../../../config/profiles/dolibarr.toml")),
    ("espocrm", include_str!("../../../../../config/profiles/espocrm.toml")),
    ("frappe", include_str!("../../../../../config/profiles/frappe.toml")),
    ("generic-rest", include_str!("../../../../../config/profiles/generic-rest.toml")),
    ("hubspot", include_str!("../../../../../config/profiles/hubspot.toml")),
    ("odoo", include_str!("../../../../../config/profiles/odoo.toml")),
    ("odoo-rpc", include_str!("../../../../../config/profiles/odoo-rpc.toml")),
    ("pipedrive", include_str!("../../../../../config/profiles/pipedrive.toml")),
    ("salesforce", include_str!("../../../../../config/profiles/salesforce.toml")),
    ("suitecrm", include_str!("../../../../../config/profiles/suitecrm.toml")),
    ("twenty", include_str!("../../../../../config/profiles/twenty.toml")),
    ("vtiger", include_str!("../../../../../config/profiles/vtiger.toml")),
    ("zoho", include_str!("../../../../../config/profiles/zoho.toml")),
];

/// How to ask one kind of CRM.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name, title, how far it is verified.
    pub head: Head,
    /// What the administrator fills in under `[crm.settings]`: name and description.
    pub settings: BTreeMap<String, String>,
    /// Which hosts.
    pub host: Hosts,
    /// How the bridge proves who it is.
    pub auth: Auth,
    /// How times are written.
    pub time: Time,
    /// How wanted members are named.
    pub select: Selection,
    /// How often the CRM may be asked.
    pub limits: Limits,
    /// Where things are in answers.
    pub answer: Answer,
    /// How lists are cut into pages.
    pub paging: Paging,
    /// Where people are.
    pub person: Person,
    /// Where their organisations are, if this CRM has them.
    pub company: Option<Company>,
    /// What the CRM may send by itself.
    pub webhook: Option<Webhook>,
    /// What says how the CRM's fields are called.
    pub metadata: Option<Metadata>,
    /// A cheap request to see whether all is well; a page of one record unless given.
    pub probe: Option<Operation>,
    /// The one request that writes: what happened to a ticket, for the customer's history.
    pub activity: Option<Operation>,
    /// What this CRM has that support must never see.
    pub deny: Deny,
    /// How `crm-bridge prove` puts markers into a sandbox of this CRM; the server never does.
    pub plant: Option<Plant>,
    /// What it says, as a number to compare.
    pub digests: Digests,
}

/// Table `[profile]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Short name in lower case.
    pub name: String,
    /// Name of the CRM, for people.
    pub title: String,
    /// Version of this grammar.
    pub grammar: u32,
    /// What was run against the real CRM.
    #[serde(default)]
    pub run: Vec<String>,
    /// What was read in the CRM's source.
    #[serde(default)]
    pub source: Vec<String>,
    /// What is from documentation only.
    #[serde(default)]
    pub documentation: Vec<String>,
    /// What is common knowledge and to be checked.
    #[serde(default)]
    pub known: Vec<String>,
    /// Which rights the bridge's user in the CRM should have.
    #[serde(default)]
    pub rights: String,
    /// Beginnings of member names that are always sensitive in this CRM.
    #[serde(default)]
    pub sensitive_prefixes: Vec<String>,
}

impl Head {
    /// How far this profile is verified, in a few words.
    #[must_use]
    pub fn verified(&self) -> String {
        let parts = [
            ("run", &self.run),
            ("source", &self.source),
            ("documentation", &self.documentation),
            ("to be checked", &self.known),
        ];
        let parts = parts.iter().filter(|(_, what)| !what.is_empty());
        let parts: Vec<String> = parts.map(|(how, what)| format!("{how}: {}", what.join(", "))).collect();
        if parts.is_empty() { "not verified".to_owned() } else { parts.join("; ") }
    }
}

/// Table `[host]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hosts {
    /// The base address if `crm.base_url` is empty; settings may stand in it.
    pub base: Option<template::Template>,
    /// The base address comes with the token.
    pub from_token: Option<HostFromToken>,
    /// Ends of further host names that a next link may name.
    pub also: Vec<String>,
}

/// `from_token = { at = "/instance_url", suffixes = [".my.salesforce.com"] }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostFromToken {
    /// Where it is in the token answer.
    pub at: Pointer,
    /// What the host's name may end in, beginning at the border of a label.
    pub suffixes: Vec<String>,
}

/// Table `[select]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Names are seen from here; members elsewhere are not named.
    pub below: Pointer,
    /// How deep names go.
    pub depth: SelectDepth,
    /// What stands between the parts of a name.
    pub separator: String,
    /// This CRM can't be told what to send.
    pub none: bool,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            below: Pointer::default(),
            depth: SelectDepth::default(),
            separator: ".".to_owned(),
            none: false,
        }
    }
}

/// How deep the names of a selection go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SelectDepth {
    /// `addresses.city`
    #[default]
    Dotted,
    /// `addresses`: the CRM selects whole members only.
    Top,
}

/// Table `[person]`.
#[derive(Debug, Clone)]
pub struct Person {
    /// Where the id is in a record.
    pub id: Pointer,
    /// Where the time of the last change is in a record.
    pub updated_at: Option<Pointer>,
    /// What says that a record is deleted.
    pub deleted: Option<Flagged>,
    /// Where the id is of the record that this one was merged into.
    pub merged_into: Option<Pointer>,
    /// Where the ids are of the records that were merged into this one: a number, a text with `;`, `,` or blanks between,
    /// or a list.
    pub merged_from: Sources,
    /// One record by its id.
    pub one: Operation,
    /// Records with an address.
    pub by_email: Operation,
    /// Records with a number.
    pub by_phone: Option<Operation>,
    /// Any records, in an order that stays.
    pub page: Operation,
    /// Records changed since.
    pub changed: Option<Operation>,
    /// Ids deleted since.
    pub gone: Option<Operation>,
    /// Where addresses and numbers are, for the check that the CRM's hit is a hit.
    pub r#match: Match,
    /// Where each field is.
    pub fields: BTreeMap<String, Sources>,
    /// Records of other kinds whose change changes a person.
    pub children: Vec<Child>,
}

/// `{ at = "/archived", is = true }`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flagged {
    /// The member.
    pub at: Pointer,
    /// Its value.
    pub is: Literal,
}

/// Where the addresses of a record are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Mail addresses.
    pub email: Sources,
    /// Phone numbers.
    #[serde(default)]
    pub phone: Sources,
}

/// Records of another kind whose change changes a person, such as addresses.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Child {
    /// What they are, for reports.
    pub name: String,
    /// Those changed since.
    pub changed: Operation,
    /// Where the id is.
    pub id: Pointer,
    /// Where the time of the last change is.
    pub updated_at: Option<Pointer>,
    /// Where the id of the person is.
    pub parent: Option<Pointer>,
    /// Where the ids of several persons are: what hangs on one record of this kind.
    #[serde(default)]
    pub parents: Sources,
}

/// Table `[company]`.
#[derive(Debug, Clone)]
pub struct Company {
    /// Where it is.
    pub place: CompanyPlace,
    /// Where each field is, seen from the company.
    pub fields: BTreeMap<String, Sources>,
}

/// Where a person's company is.
#[derive(Debug, Clone)]
pub enum CompanyPlace {
    /// In the person's record.
    Embedded(Pointer),
    /// A record of its own, asked for by the id in the person's record.
    Linked(Box<LinkedCompany>),
}

/// A company that is a record of its own.
#[derive(Debug, Clone)]
pub struct LinkedCompany {
    /// Where its id is in the person's record; `[id, label]` and `{id, …}` pass, too.
    pub link: Pointer,
    /// Where the id is in its own record.
    pub id: Pointer,
    /// Where the time of the last change is in its own record.
    pub updated_at: Option<Pointer>,
    /// One by id.
    pub one: Operation,
    /// Any.
    pub page: Option<Operation>,
    /// Those changed since.
    pub changed: Option<Operation>,
}

/// What this CRM has that support must never see.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deny {
    /// Further words for the deny lexicon, one or two a piece.
    pub words: Vec<String>,
    /// Paths in a selection's notation; nothing at or below them may be a field.
    pub paths: Vec<String>,
}

/// What an operation is for. Decides which holes it may and must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// One record by id.
    One(Entity),
    /// People with an address.
    ByEmail,
    /// People with a number.
    ByPhone,
    /// Any records.
    Page(Entity),
    /// Records changed since.
    Changed(Entity),
    /// People deleted since.
    Gone,
    /// Children changed since, by position.
    Child(usize),
    /// Names and labels of fields.
    Metadata(Entity),
    /// Whether all is well.
    Probe,
    /// What happened to a ticket.
    Activity,
    /// The log-in.
    Login,
    /// That the CRM's webhooks go on coming.
    Renew,
    /// Planting; made by `crm-bridge prove` only, so no operation of the server has it.
    Plant,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// All that is wrong, each with its line.
    pub fn load(text: &str) -> Result<Self, Vec<PolicyError>> {
        let (profile, mut errors) = read::read(text);
        let faults = profile.as_ref().map(check::check).unwrap_or_default();
        errors.extend(read::with_lines(text, faults));
        errors.sort_by(|one, other| one.line.cmp(&other.line).then_with(|| one.message.cmp(&other.message)));
        errors.dedup();
        match profile {
            Some(profile) if errors.is_empty() => Ok(profile),
            _ => Err(errors),
        }
    }

    /// Where a policy field is in this CRM; empty if this CRM has no such field.
    #[must_use]
    pub fn sources(&self, entity: Entity, name: &str) -> &[Source] {
        let table = match entity {
            Entity::Person => Some(&self.person.fields),
            Entity::Company => self.company.as_ref().map(|company| &company.fields),
        };
        table.and_then(|table| table.get(name)).map_or(&[], |sources| &sources.0)
    }

    /// The company, if it is a record of its own.
    #[must_use]
    pub fn linked_company(&self) -> Option<&LinkedCompany> {
        match self.company.as_ref().map(|company| &company.place) {
            Some(CompanyPlace::Linked(linked)) => Some(linked),
            _ => None,
        }
    }

    /// The operation for a purpose, if this CRM has it.
    #[must_use]
    pub fn operation(&self, purpose: Purpose) -> Option<&Operation> {
        let person = &self.person;
        match purpose {
            Purpose::One(Entity::Person) => Some(&person.one),
            Purpose::One(Entity::Company) => self.linked_company().map(|company| &company.one),
            Purpose::ByEmail => Some(&person.by_email),
            Purpose::ByPhone => person.by_phone.as_ref(),
            Purpose::Page(Entity::Person) => Some(&person.page),
            Purpose::Page(Entity::Company) => self.linked_company()?.page.as_ref(),
            Purpose::Changed(Entity::Person) => person.changed.as_ref(),
            Purpose::Changed(Entity::Company) => self.linked_company()?.changed.as_ref(),
            Purpose::Gone => person.gone.as_ref(),
            Purpose::Child(position) => person.children.get(position).map(|child| &child.changed),
            Purpose::Metadata(Entity::Person) => self.metadata.as_ref().map(|metadata| &metadata.request),
            Purpose::Metadata(Entity::Company) => self.metadata.as_ref()?.company.as_ref(),
            Purpose::Probe => self.probe.as_ref(),
            Purpose::Activity => self.activity.as_ref(),
            Purpose::Renew => self.webhook.as_ref()?.renew.as_ref().map(|renew| renew.request.operation()),
            Purpose::Plant => None,
            Purpose::Login => match &self.auth {
                Auth::Login(login) => Some(&login.request),
                _ => None,
            },
        }
    }

    /// All operations, with their purpose and their place in the file.
    #[must_use]
    pub fn operations(&self) -> Vec<(Purpose, String, &Operation)> {
        let fixed = [
            (Purpose::One(Entity::Person), "person.one"),
            (Purpose::ByEmail, "person.by_email"),
            (Purpose::ByPhone, "person.by_phone"),
            (Purpose::Page(Entity::Person), "person.page"),
            (Purpose::Changed(Entity::Person), "person.changed"),
            (Purpose::Gone, "person.gone"),
            (Purpose::One(Entity::Company), "company.one"),
            (Purpose::Page(Entity::Company), "company.page"),
            (Purpose::Changed(Entity::Company), "company.changed"),
            (Purpose::Metadata(Entity::Person), "metadata.request"),
            (Purpose::Metadata(Entity::Company), "metadata.company"),
            (Purpose::Probe, "probe"),
            (Purpose::Activity, "activity"),
            (Purpose::Login, "auth.request"),
        ];
        let fixed = fixed.iter().map(|(purpose, place)| (*purpose, (*place).to_owned()));
        let children = self
            .person
            .children
            .iter()
            .enumerate()
            .map(|(position, _)| (Purpose::Child(position), format!("person.child.{position}.changed")));
        fixed
            .chain(children)
            .filter_map(|(purpose, place)| Some((purpose, place, self.operation(purpose)?)))
            .collect()
    }

    /// The secrets that stand somewhere; none is the one without a name.
    #[must_use]
    pub fn secret_names(&self) -> std::collections::BTreeSet<Option<String>> {
        let others = check::other_templates(self);
        let operations = self.operations();
        let in_others = others.iter().flat_map(|(_, template)| template.holes());
        let in_operations = operations.iter().flat_map(|(_, _, operation)| operation.holes());
        let mut names = std::collections::BTreeSet::new();
        for hole in in_operations.chain(in_others) {
            if let template::HoleName::Secret(name) = &hole.name {
                names.insert(name.clone());
            }
        }
        if matches!(self.auth, Auth::Hmac(_)) {
            names.insert(None);
        }
        names
    }

    /// Whether the key is renewed with a refresh token, which may change with each use.
    #[must_use]
    pub fn has_refresh_token(&self) -> bool {
        matches!(&self.auth, Auth::Oauth2(oauth) if oauth.grant == auth::OauthGrant::RefreshToken)
    }

    /// The paging of an operation.
    #[must_use]
    pub fn paging_of<'a>(&'a self, operation: &'a Operation) -> &'a Paging {
        operation.paging.as_ref().unwrap_or(&self.paging)
    }

    /// All that is to be known to read the answer of an operation.
    #[must_use]
    pub fn shape(&self, operation: &Operation) -> Shape {
        let mut shape = operation.answer.clone().unwrap_or_default().over(&self.answer);
        let paging = self.paging_of(operation);
        if matches!(paging.kind, PagingKind::Cursor | PagingKind::NextLink) {
            shape.next.clone_from(&paging.next);
            shape.delta.clone_from(&paging.delta);
        }
        shape.more.clone_from(&paging.more);
        shape.total.clone_from(&paging.total);
        shape
    }

    /// Where a company's fields begin in the person's record, if they are there.
    #[must_use]
    pub fn embedded_company(&self) -> Option<&Pointer> {
        match self.company.as_ref().map(|company| &company.place) {
            Some(CompanyPlace::Embedded(at)) => Some(at),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
