//! How `crm-bridge prove` puts records with markers into a sandbox of the CRM, sees them there, and takes them out again.
//! The server makes none of these requests; they have a key of their own, which only the command is given.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Flagged;
use super::answer::Answer;
use super::operation::{Body, Method, Operation, Parameter, Path, Tree};
use super::template::{HoleName, Template};
use crate::connector::pointer::Pointer;

/// Table `[plant]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    /// Which rights the key for planting needs.
    pub rights: String,
    /// Which of the secrets by name the key for planting stands for; without it, the secret.
    pub key: Option<String>,
    /// The headers in which the key for planting goes, if not as `[auth]` says; for a CRM whose tokens are used up by use.
    pub headers: Option<BTreeMap<String, Template>>,
    /// Values that are made anew for each run, by name.
    pub markers: BTreeMap<String, PlantMarker>,
    /// What is made, in this order; removed in the opposite one.
    pub record: Vec<PlantRecord>,
}

/// A value that is made anew for each run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantMarker {
    /// What it looks like.
    pub kind: MarkerKind,
    /// The field of the policy that it comes to stand in, such as `person.name`.
    pub field: Option<String>,
    /// What it is that no policy lists.
    pub hidden: Option<Secrecy>,
}

/// What a marker looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkerKind {
    /// A word of letters and digits.
    Text,
    /// A first and a last name.
    Name,
    /// A mail address.
    Email,
    /// A phone number with its country.
    Phone,
    /// An amount of money with two decimals, as text.
    Amount,
    /// A bank account (ISO 13616) with right check digits.
    Iban,
}

/// What a hidden marker is a secret of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Secrecy {
    /// Sales in progress.
    Deals,
    /// Amounts, limits, invoices.
    Money,
    /// Bank accounts, tax numbers.
    Accounts,
    /// What sales people wrote down.
    Notes,
    /// The company's own people.
    Staff,
    /// Scores, stages, labels.
    Scores,
    /// A secret in the place of a listed field, such as a bank account where a phone number belongs.
    Misplaced,
    /// Anything else.
    Other,
}

/// One record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlantRecord {
    /// How later requests name its id: `{made.name}`.
    pub name: String,
    /// Makes it.
    pub make: Write,
    /// Where the new id is in the answer.
    #[serde(default = "at_id")]
    pub id: Pointer,
    /// What is to be done once it is made, in this order, such as linking it to another record.
    #[serde(default)]
    pub link: Vec<Write>,
    /// Shows it with everything, to be sure that the CRM serves the markers.
    pub read: Option<Write>,
    /// What says in the answer of `read` that it lies in the CRM's bin.
    pub deleted: Option<Flagged>,
    /// What has to be done before it can be taken out, such as cancelling.
    pub close: Option<Write>,
    /// Takes it out again.
    pub remove: Write,
    /// Why the CRM can't be told to take it out; `remove` then empties it, and the report says so.
    pub stays: Option<String>,
    /// By which markers this person is looked up; a record without is no person.
    pub look_up: Option<LookUp>,
}

fn at_id() -> Pointer {
    Pointer::member("id").unwrap_or_default()
}

/// By which markers a person is looked up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookUp {
    /// The marker that is the address.
    pub email: String,
    /// The marker that is the number.
    pub phone: Option<String>,
}

/// A request of [`Plant`], or the one of [`super::webhook::Renew`]. The only kind that may put, patch or delete; no other request
/// of the server is one.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "WriteTable")]
pub struct Write(Operation);

impl Write {
    /// The request.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.0
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteTable {
    get: Option<Path>,
    post: Option<Path>,
    put: Option<Path>,
    patch: Option<Path>,
    delete: Option<Path>,
    #[serde(default)]
    query: BTreeMap<String, Parameter>,
    #[serde(default)]
    headers: BTreeMap<String, Template>,
    json: Option<Tree>,
    form: Option<BTreeMap<String, Parameter>>,
    answer: Option<Answer>,
}

impl TryFrom<WriteTable> for Write {
    type Error = String;

    fn try_from(table: WriteTable) -> Result<Self, Self::Error> {
        let ways = [
            (Method::Get, table.get),
            (Method::Post, table.post),
            (Method::Put, table.put),
            (Method::Patch, table.patch),
            (Method::Delete, table.delete),
        ];
        let mut given = ways.into_iter().filter_map(|(method, path)| Some((method, path?)));
        let (Some((method, path)), None) = (given.next(), given.next()) else {
            return Err("this request says one of `get`, `post`, `put`, `patch` and `delete`".to_owned());
        };
        let body = match (table.json, table.form) {
            (None, None) => None,
            (Some(tree), None) => Some(Body::Json(tree)),
            (None, Some(form)) => Some(Body::Form(form)),
            (Some(_), Some(_)) => return Err("a body is `json` or `form`, not both".to_owned()),
        };
        Ok(Self(Operation {
            method,
            path,
            query: table.query,
            headers: table.headers,
            body,
            answer: table.answer,
            paging: None,
            over_shares: true,
            gives: super::operation::Gives::Records,
        }))
    }
}

impl PlantRecord {
    /// The markers that are written into it.
    pub fn markers(&self) -> impl Iterator<Item = &str> {
        let writes = std::iter::once(&self.make).chain(&self.link);
        writes.flat_map(|write| write.operation().holes()).filter_map(|hole| match &hole.name {
            HoleName::Marker(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

impl Plant {
    /// All requests with their place below `plant`.
    #[must_use]
    pub fn operations(&self) -> Vec<(String, &Operation)> {
        let mut all = Vec::new();
        for (position, record) in self.record.iter().enumerate() {
            all.push((format!("plant.record.{position}.make"), record.make.operation()));
            for (number, link) in record.link.iter().enumerate() {
                all.push((format!("plant.record.{position}.link.{number}"), link.operation()));
            }
            all.extend(
                record.read.iter().map(|read| (format!("plant.record.{position}.read"), read.operation())),
            );
            all.extend(
                record
                    .close
                    .iter()
                    .map(|close| (format!("plant.record.{position}.close"), close.operation())),
            );
            all.push((format!("plant.record.{position}.remove"), record.remove.operation()));
        }
        all
    }
}
