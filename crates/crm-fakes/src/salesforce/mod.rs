//! Salesforce REST API: SOQL below `/services/data/vNN.0/query`.
//!
//! Traps: the base address comes with the token, whose answer tells no lifetime; `attributes` in every record and every
//! nested one; the next page is a path without host; one hidden or misspelt field fails the whole query; the daily limit
//! is a **403** with a list as body; deleted records come by `queryAll` only, and merged ones are deleted ones with a
//! `MasterRecordId`.

mod records;
mod soql;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::people::Gone;
use crate::switch::Fault;
use crate::times;
use crate::tokens::{Tokens, Worth};
use crate::wire::{Answer, Call};
use crate::{Crm, World, planting};
use records::{Entity, Record};
pub use records::{account_id, id};
use soql::Statement;

/// The consumer secret of the app that plants; its key is the same, as after a rotation.
pub const PLANT_SECRET: &str = "salesforce-planting-secret-77c2";
const API: &str = "v62.0";
const NEVER: [&str; 10] = [
    "Opportunity",
    "Quote",
    "Order",
    "Contract",
    "Invoice",
    "Asset",
    "Campaign",
    "User",
    "Note",
    "ContentDocument",
];

/// A Salesforce org with a connected app for client credentials.
pub struct Salesforce {
    /// The app's consumer key.
    pub client_id: String,
    /// The app's consumer secret.
    pub client_secret: String,
    /// Records a page; Salesforce sends at most 2,000 and may send fewer.
    pub page: usize,
    tokens: Tokens,
    hidden: Mutex<BTreeSet<String>>,
    cursors: Mutex<Vec<(Statement, bool)>>,
}

impl Default for Salesforce {
    fn default() -> Self {
        Self {
            client_id: "3MVG9-consumer-key".to_owned(),
            client_secret: "salesforce-consumer-secret-9d31".to_owned(),
            page: 2_000,
            tokens: Tokens::new("00D", 7_200, ""),
            hidden: Mutex::default(),
            cursors: Mutex::default(),
        }
    }
}

impl Crm for Salesforce {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let segments = call.segments();
        if segments == ["services", "oauth2", "token"] {
            return self.token(call, world);
        }
        let worth = call.authorization("bearer").map(|token| self.tokens.worth(token, world));
        if worth != Some(Worth::Valid) {
            return error(401, "INVALID_SESSION_ID", "Session expired or invalid");
        }
        let ["services", "data", version, rest @ ..] = segments.as_slice() else {
            return error(404, "NOT_FOUND", "The requested resource does not exist")
                .forbidden("an unknown address");
        };
        if *version != API {
            return error(404, "NOT_FOUND", "The requested resource does not exist");
        }
        let plants = call.authorization("bearer").is_some_and(|token| self.tokens.plants(token));
        if let Some(answer) = plants.then(|| planting::salesforce::answer(call, rest, world)).flatten() {
            return answer;
        }
        let answer = match (call.method.as_str(), rest) {
            ("GET", ["query"]) => self.query(call, world, false),
            ("GET", ["queryAll"]) => self.query(call, world, true),
            ("GET", ["query" | "queryAll", cursor]) => self.more(cursor, call, world),
            ("GET", ["sobjects", "Contact", "describe"]) => self.describe(Entity::Contact, world),
            ("GET", ["sobjects", "Account", "describe"]) => self.describe(Entity::Account, world),
            ("GET", ["sobjects", "Contact", "deleted"]) => deleted(world),
            ("GET", ["sobjects", name @ ("Contact" | "Account"), wanted]) => {
                self.one(name, wanted, call, world)
            }
            ("POST", ["sobjects", "Task"]) => task(call, world),
            (_, ["sobjects", name, ..]) => error(403, "INSUFFICIENT_ACCESS", "insufficient access rights")
                .forbidden(format!("object {name}")),
            _ => error(404, "NOT_FOUND", "The requested resource does not exist")
                .forbidden("an unknown address"),
        };
        answer.with("Sforce-Limit-Info", "api-usage=1832/100000")
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.client_secret.clone(), PLANT_SECRET.to_owned()]
    }
}

impl Salesforce {
    /// An org that sends so many records a page.
    pub fn with_page(page: usize) -> Self {
        Self { page, ..Self::default() }
    }

    /// Takes the right to see a field from the integration user.
    pub fn hide(&self, field: &str) {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner).insert(field.to_owned());
    }

    fn is_hidden(&self, field: &str) -> bool {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner).contains(field)
    }

    fn token(&self, call: &Call, world: &World) -> Answer {
        let given = |name: &str| call.form_value(name).unwrap_or_default();
        if call.method != "POST" || given("grant_type") != "client_credentials" {
            let body =
                json!({ "error": "unsupported_grant_type", "error_description": "grant type not supported" });
            return Answer::json(400, &body);
        }
        let plants = given("client_secret") == PLANT_SECRET;
        if given("client_id") != self.client_id || (given("client_secret") != self.client_secret && !plants) {
            let body =
                json!({ "error": "invalid_client", "error_description": "invalid client credentials" });
            return Answer::json(400, &body);
        }
        let elsewhere = world.switch.take(Fault::BaseElsewhere).then(|| world.switch.elsewhere());
        let body = json!({
            "access_token": if plants { self.tokens.issue_planting(world) } else { self.tokens.issue(world) },
            "signature": "c2lnbmF0dXJl",
            "scope": "api",
            "instance_url": elsewhere.unwrap_or_else(|| world.url().to_owned()),
            "id": "https://login.salesforce.com/id/00DgK0000000001UAA/005gK0000000001QAA",
            "token_type": "Bearer",
            "issued_at": world.now().as_millisecond().to_string(),
        });
        Answer::json(200, &body)
    }

    fn query(&self, call: &Call, world: &World, all: bool) -> Answer {
        let leaks = call.undeclared(&["q"]);
        let text = call.param("q").unwrap_or_default();
        let statement = match Statement::parse(text) {
            Ok(statement) => statement,
            Err(touched) => {
                let message = format!("\n{text}\n^\nERROR at Row:1:Column:1\nunexpected token");
                return error(400, "MALFORMED_QUERY", &message).forbidding(touched).forbidding(leaks);
            }
        };
        self.page(statement, 0, world, all).forbidding(leaks)
    }

    fn more(&self, cursor: &str, call: &Call, world: &World) -> Answer {
        world.shift();
        let known = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = cursor.strip_prefix("01gRO00000").and_then(|rest| rest.split_once("YA2-"));
        let found = parts.and_then(|(number, start)| {
            Some((known.get(number.parse::<usize>().ok()?)?.clone(), start.parse().ok()?))
        });
        drop(known);
        match found {
            Some(((statement, all), start)) => self.page(statement, start, world, all),
            None => error(404, "INVALID_QUERY_LOCATOR", "invalid query locator"),
        }
        .forbidding(call.undeclared(&[]))
    }

    fn page(&self, statement: Statement, start: usize, world: &World, all: bool) -> Answer {
        let asked: Vec<String> = statement.fields.clone();
        let mut touched: Vec<String> = statement.touched.clone();
        if NEVER.contains(&statement.entity.as_str()) {
            touched.push(format!("object {}", statement.entity));
        }
        let Some(entity) = Entity::named(&statement.entity) else {
            let message = format!("sObject type '{}' is not supported.", statement.entity);
            return error(400, "INVALID_TYPE", &message).asking(asked).forbidding(touched);
        };
        let known = |field: &str| entity.has(field) && !self.is_hidden(field);
        let used = statement.used();
        if let Some(unknown) = used.iter().find(|field| !known(field)) {
            let message = format!(
                "\nSELECT {unknown} FROM {}\n       ^\nERROR at Row:1:Column:8\nNo such column '{unknown}' on entity '{}'.",
                statement.entity, statement.entity
            );
            return error(400, "INVALID_FIELD", &message).asking(asked).forbidding(touched);
        }
        touched.extend(statement.oracles());
        let everything = world.switch.take(Fault::SelectionIgnored);
        let deals = world.switch.take(Fault::EmbedDeals);
        let records: Vec<Record> = world.read(|people| entity.records(people, world, all));
        let records = statement.run(records);
        let total = records.len();
        let page = records.iter().skip(start).take(self.page);
        let records: Vec<Value> = page
            .map(|record| {
                let mut value = record.wire(&entity, &asked, everything, API);
                if deals {
                    value["Opportunities"] = record.opportunities(world, API);
                }
                value
            })
            .collect();
        let end = start + records.len();
        let mut body = json!({ "totalSize": total, "done": end >= total, "records": records });
        if end < total {
            let mut cursors = self.cursors.lock().unwrap_or_else(PoisonError::into_inner);
            let number =
                cursors.iter().position(|known| *known == (statement.clone(), all)).unwrap_or_else(|| {
                    cursors.push((statement.clone(), all));
                    cursors.len() - 1
                });
            let path = format!("/services/data/{API}/query/01gRO00000{number:04}YA2-{end}");
            let elsewhere = world.switch.take(Fault::NextElsewhere).then(|| world.switch.elsewhere());
            body["nextRecordsUrl"] = json!(format!("{}{path}", elsewhere.unwrap_or_default()));
        }
        Answer::json(200, &body).asking(asked).forbidding(touched)
    }

    fn one(&self, name: &str, wanted: &str, call: &Call, world: &World) -> Answer {
        let Some(entity) = Entity::named(name) else { return error(404, "NOT_FOUND", "no such object") };
        let leaks = call.undeclared(&["fields"]);
        let asked: Vec<String> = match call.param("fields") {
            Some(fields) => fields.split(',').map(str::to_owned).collect(),
            None => Vec::new(),
        };
        let everything = asked.is_empty();
        if let Some(unknown) = asked.iter().find(|field| !entity.has(field) || self.is_hidden(field)) {
            return error(400, "INVALID_FIELD", &format!("No such column '{unknown}'")).asking(asked);
        }
        let records = world.read(|people| entity.records(people, world, true));
        let answer = match records.iter().find(|record| record.id == wanted) {
            Some(record) if record.gone.is_some() => error(404, "ENTITY_IS_DELETED", "entity is deleted"),
            Some(record) => Answer::json(200, &record.wire(&entity, &asked, everything, API)),
            None => error(404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible"),
        };
        let answer = if everything { answer.forbidden("a record without a selection") } else { answer };
        answer.asking(asked).forbidding(leaks)
    }

    fn describe(&self, entity: Entity, world: &World) -> Answer {
        let fields = entity.names().into_iter().filter(|name| !self.is_hidden(name));
        let fields: Vec<Value> = fields
            .map(|name| {
                let label = name.trim_end_matches("__c").replace('_', " ");
                let label = world.label(name, &label);
                json!({ "name": name, "label": label, "custom": name.ends_with("__c") })
            })
            .collect();
        Answer::json(200, &json!({ "name": "Contact", "fields": fields }))
    }
}

fn deleted(world: &World) -> Answer {
    let gone: Vec<Value> = world.read(|people| {
        let gone = people
            .persons
            .iter()
            .filter(|person| matches!(person.gone, Some(Gone::Deleted | Gone::MergedInto(_))));
        gone.map(|person| json!({ "id": id(person.number), "deletedDate": records::time(person.updated) }))
            .collect()
    });
    let body = json!({
        "deletedRecords": gone,
        "earliestDateAvailable": "2026-01-01T00:00:00.000+0000",
        "latestDateCovered": times::iso(world.now()).replace('Z', ".000+0000"),
    });
    Answer::json(200, &body)
}

fn task(call: &Call, world: &World) -> Answer {
    let body = call.json();
    let who = body["WhoId"].as_str().unwrap_or_default();
    let text = format!(
        "{}\n{}",
        body["Subject"].as_str().unwrap_or_default(),
        body["Description"].as_str().unwrap_or_default()
    );
    let person =
        world.read(|people| people.persons.iter().find(|p| id(p.number) == who).map_or(0, |p| p.number));
    if person == 0 {
        return error(400, "MALFORMED_ID", "Name ID: id value of incorrect type");
    }
    let number = world.note(person, &text);
    Answer::json(201, &json!({ "id": format!("00TgK{number:010}QAA"), "success": true, "errors": [] }))
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!([{ "message": message, "errorCode": code }]))
}
