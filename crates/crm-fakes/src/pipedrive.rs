//! Pipedrive API v2: `/api/v2`; fields and notes are still at `/api/v1`.
//!
//! Traps: base fields can't be selected, `include_fields` only adds; the search has another envelope and other members
//! than the record; custom fields have names of 40 hexadecimal digits; a deleted person still answers, marked; every answer
//! has a `success` flag; the limit is counted in tokens, with `x-ratelimit-*` headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::people::{Company, Gone, Person, Phone};
use crate::switch::Fault;
use crate::times::{iso, parse};
use crate::wire::{Answer, Call, Delivery};
use crate::{Crm, World, planting};

const PAGE_MAX: usize = 500;
/// The custom field of the support level: an option's id.
pub const SERVICE_LEVEL: &str = "9dc80c50d78a15643bfc4ca79d76156a73a1ca0e";
const CREDIT_LIMIT: &str = "5a63f88ad4a2c3a1f3d0b9c7e1d2c4b6a8f0e1d3";
const IBAN: &str = "b2a4c6e8f0a1b3c5d7e9f1a2b4c6d8e0f2a3b5c7";

/// A company with an API token.
pub struct Pipedrive {
    /// The token.
    pub token: String,
    /// User and password of the webhook's Basic authentication.
    pub webhook_user: (String, String),
}

impl Default for Pipedrive {
    fn default() -> Self {
        Self {
            token: "0c1d2e3f4a5b6c7d8e9f-pipedrive-token".to_owned(),
            webhook_user: ("guichet".to_owned(), "webhook-password-77".to_owned()),
        }
    }
}

/// The token of the user that plants.
pub const PLANT_TOKEN: &str = "7a8b9c0d1e2f3a4b5c6d-pipedrive-planting";

/// The id of a person.
pub fn id(number: u32) -> u64 {
    40 + 3 * u64::from(number)
}

/// The id of an organization.
pub fn organization_id(number: u32) -> u64 {
    600 + 7 * u64::from(number)
}

impl Crm for Pipedrive {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let plants = call.header("x-api-token") == Some(PLANT_TOKEN);
        if call.header("x-api-token") != Some(&self.token) && !plants {
            return failure(401, "unauthorized access");
        }
        if world.switch.take(Fault::ErrorIn200) {
            return failure(200, "Internal error");
        }
        if let Some(answer) = plants.then(|| planting::pipedrive::answer(call, world)).flatten() {
            return answer;
        }
        let segments = call.segments();
        let (answer, cost) = match (call.method.as_str(), segments.as_slice()) {
            ("GET", ["api", "v2", "persons"]) => (list(call, world), 10),
            ("GET", ["api", "v2", "persons", "search"]) => (search(call, world), 20),
            ("GET", ["api", "v2", "persons", wanted]) => (one_person(wanted, call, world), 1),
            ("GET", ["api", "v2", "organizations", wanted]) => (one_organization(wanted, call, world), 1),
            ("GET", ["api", "v1", "personFields"]) => (metadata(world), 10),
            ("GET", ["api", "v1", "organizationFields"]) => (organization_fields(world), 10),
            ("POST", ["api", "v1", "notes"]) => (note(call, world), 5),
            (_, ["api", _, name, ..]) => {
                let deals = json!({ "success": true, "data": [deal(1, world)] });
                (Answer::json(200, &deals).forbidden(format!("object {name}")), 10)
            }
            _ => (failure(404, "Not found").forbidden("an unknown address"), 0),
        };
        let left = (120 - cost).to_string();
        answer
            .with("x-ratelimit-limit", "120")
            .with("x-ratelimit-remaining", left)
            .with("x-ratelimit-reset", "2")
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        let answer = failure(429, "request over limit").with("x-ratelimit-limit", "120");
        answer.with("x-ratelimit-remaining", "0").with("x-ratelimit-reset", "2")
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.token.clone(), self.webhook_user.1.clone(), PLANT_TOKEN.to_owned()]
    }
}

impl Pipedrive {
    /// A webhook of version 2 with the whole record, twice.
    pub fn webhook(&self, action: &str, person: &Person, world: &World) -> Delivery {
        let record = person_record(person, world);
        let body = json!({
            "data": record,
            "previous": record,
            "meta": {
                "action": action, "company_id": "7304", "correlation_id": "6f1f0f3a", "entity": "person",
                "entity_id": id(person.number).to_string(), "id": "a1b2", "timestamp": iso(world.now()), "version": "2.0",
            },
        });
        let (user, password) = &self.webhook_user;
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("authorization".to_owned(), basic),
        ];
        Delivery { headers, query: Vec::new(), body: body.to_string().into() }
    }
}

/// The custom fields asked for. None: all of them, as without the parameter.
fn custom(call: &Call) -> Option<Vec<String>> {
    call.param("custom_fields").map(|list| list.split(',').map(str::to_owned).collect())
}

fn cut(mut record: Map<String, Value>, custom: Option<&Vec<String>>, world: &World) -> Map<String, Value> {
    if let Some(kept) = custom
        && !world.switch.take(Fault::SelectionIgnored)
        && let Some(fields) = record.get_mut("custom_fields").and_then(Value::as_object_mut)
    {
        fields.retain(|name, _| kept.contains(name));
    }
    if world.switch.take(Fault::EmbedDeals) {
        let of = record["id"].as_u64().unwrap_or(0);
        let person = crate::shape::number_of(world, |number| id(number) == of);
        let made = world.shelf.about(person).into_iter().map(|made| Value::Object(made.body));
        record.insert("deals".to_owned(), std::iter::once(deal(of, world)).chain(made).collect());
    }
    record
}

fn list(call: &Call, world: &World) -> Answer {
    let touched = call.undeclared(&[
        "limit",
        "cursor",
        "updated_since",
        "updated_until",
        "sort_by",
        "sort_direction",
        "custom_fields",
        "ids",
    ]);
    let custom = custom(call);
    let start = match call.param("cursor").map(start_of) {
        Some(None) => return failure(400, "Invalid cursor").forbidding(touched),
        Some(Some(start)) => {
            world.shift();
            start
        }
        None => 0,
    };
    let mut persons: Vec<Person> = world.read(|people| people.living().cloned().collect());
    for (name, after) in [("updated_since", true), ("updated_until", false)] {
        let Some(text) = call.param(name) else { continue };
        let Some(at) = parse(text) else {
            return failure(400, "updated_since must be RFC 3339").forbidding(touched);
        };
        persons.retain(|person| if after { person.updated >= at } else { person.updated < at });
    }
    match call.param("sort_by") {
        Some("update_time") => persons.sort_by_key(|person| (person.updated, person.number)),
        Some("id") | None => {}
        Some(_) => return failure(400, "sort_by must be id, update_time or add_time").forbidding(touched),
    }
    let limit = call.number("limit").unwrap_or(100).min(PAGE_MAX);
    let total = persons.len();
    let page: Vec<Value> = persons
        .iter()
        .skip(start)
        .take(limit)
        .map(|person| Value::Object(cut(person_record(person, world), custom.as_ref(), world)))
        .collect();
    let end = start + page.len();
    let cursor = (end < total).then(|| STANDARD.encode(format!("{{\"start\":{end}}}")));
    let body = json!({ "success": true, "data": page, "additional_data": { "next_cursor": cursor } });
    Answer::json(200, &body).asking(custom.unwrap_or_default()).forbidding(touched)
}

fn start_of(cursor: &str) -> Option<usize> {
    let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
    serde_json::from_str::<Value>(&text).ok()?["start"].as_u64()?.try_into().ok()
}

fn search(call: &Call, world: &World) -> Answer {
    let mut touched = call.undeclared(&["term", "fields", "exact_match", "limit", "cursor"]);
    let term = call.param("term").unwrap_or_default();
    if term.chars().count() < 2 {
        return failure(400, "term must be at least 2 characters").forbidding(touched);
    }
    let fields = call.param("fields").unwrap_or("custom_fields,email,notes,phone,name");
    let exact = call.param("exact_match") == Some("true");
    let guessing = fields.split(',').filter(|field| !["email", "phone"].contains(field));
    touched.extend(guessing.map(|field| format!("a search in {field}")));
    let hit = |person: &Person| {
        let mail = person.emails.iter().any(|mail| {
            if exact {
                mail.to_lowercase() == term.to_lowercase()
            } else {
                mail.contains(&term.to_lowercase())
            }
        });
        let phone = person.phones.iter().any(|phone| {
            if exact { phone.typed == term || phone.e164 == term } else { phone.ends_with(term) }
        });
        (fields.contains("email") && mail) || (fields.contains("phone") && phone)
    };
    let (deals, lags) = (world.switch.take(Fault::EmbedDeals), world.switch.take(Fault::SearchLags));
    let items: Vec<Value> = world.read(|people| {
        let limit = call.number("limit").unwrap_or(100).min(PAGE_MAX);
        let there = people.persons.iter().filter(|person| lags || person.gone.is_none());
        let hits = there.filter(|person| hit(person)).take(limit);
        hits.map(|person| {
            let organization = people.company_of(person).map(|company| {
                json!({ "id": organization_id(company.number), "name": company.name, "address": company.city })
            });
            let mut item = json!({
                "id": id(person.number),
                "type": "person",
                "name": person.full_name(),
                "phones": person.phones.iter().map(|phone| &phone.typed).collect::<Vec<_>>(),
                "emails": person.emails,
                "primary_email": person.email(),
                "visible_to": 3,
                "owner": { "id": world.marks.count("search.owner", person.number) },
                "organization": organization,
                "custom_fields": [world.marks.text("search.custom_fields", person.number)],
                "notes": [world.marks.text("search.notes", person.number)],
                "update_time": iso(person.updated),
            });
            if deals {
                item["deals"] = json!([deal(id(person.number), world)]);
            }
            json!({ "result_score": 1.22, "item": item })
        })
        .collect()
    });
    let body = json!({ "success": true, "data": { "items": items }, "additional_data": { "next_cursor": Value::Null } });
    Answer::json(200, &body).forbidding(touched)
}

fn one_person(wanted: &str, call: &Call, world: &World) -> Answer {
    let touched = call.undeclared(&["custom_fields"]);
    let custom = custom(call);
    let found = world.read(|people| {
        // Merged persons are gone; deleted ones answer for another thirty days.
        let there = people.persons.iter().filter(|person| !matches!(person.gone, Some(Gone::MergedInto(_))));
        there.into_iter().find(|person| id(person.number).to_string() == wanted).cloned()
    });
    match found {
        Some(person) => {
            let record = cut(person_record(&person, world), custom.as_ref(), world);
            Answer::json(200, &json!({ "success": true, "data": record }))
        }
        None => failure(404, "Person not found"),
    }
    .asking(custom.unwrap_or_default())
    .forbidding(touched)
}

fn one_organization(wanted: &str, call: &Call, world: &World) -> Answer {
    let touched = call.undeclared(&["custom_fields"]);
    let custom = custom(call);
    let found = world.read(|people| {
        people.companies.iter().find(|company| organization_id(company.number).to_string() == wanted).cloned()
    });
    match found {
        Some(company) => {
            let record = cut(organization_record(&company, world), custom.as_ref(), world);
            Answer::json(200, &json!({ "success": true, "data": record }))
        }
        None => failure(404, "Organization not found"),
    }
    .asking(custom.unwrap_or_default())
    .forbidding(touched)
}

fn labelled(value: &str, primary: bool, label: &str) -> Value {
    json!({ "value": value, "primary": primary, "label": label })
}

fn phones(phones: &[Phone]) -> Vec<Value> {
    let entry = |(at, phone): (usize, &Phone)| {
        labelled(&phone.typed, at == 0, if phone.mobile { "mobile" } else { "work" })
    };
    phones.iter().enumerate().map(entry).collect()
}

fn person_record(person: &Person, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = person.number;
    let emails: Vec<Value> = person
        .emails
        .iter()
        .enumerate()
        .map(|(at, mail)| labelled(mail, at == 0, if at == 0 { "work" } else { "home" }))
        .collect();
    let level = match person.service_level.as_str() {
        "gold" => 31,
        "silver" => 32,
        _ => 33,
    };
    let mut record = json!({
        "id": id(number),
        "name": person.full_name(),
        "first_name": person.first_name,
        "last_name": person.last_name,
        "owner_id": marks.count("person.owner_id", number),
        "org_id": person.company.map(organization_id),
        "add_time": iso(person.created),
        "update_time": iso(person.updated),
        "emails": emails,
        "phones": phones(&person.phones),
        "is_deleted": person.gone.is_some(),
        "visible_to": 3,
        "label_ids": [marks.count("person.label_ids", number)],
        "picture_id": Value::Null,
        "postal_address": { "value": person.street, "country": person.country_name, "locality": person.city },
        "notes": marks.text("person.notes", number),
        "birthday": Value::Null,
        "job_title": person.job_title,
        "cc_email": format!("{}@pipedrivemail.example", marks.text("person.cc_email", number)),
        "custom_fields": {
            SERVICE_LEVEL: level,
            CREDIT_LIMIT: { "value": marks.money("person.credit_limit", number), "currency": "EUR" },
            IBAN: marks.iban("person.iban", number),
        },
    });
    for name in ["open_deals_count", "won_deals_count", "lost_deals_count", "related_open_deals_count"] {
        record[name] = json!(marks.count(&format!("person.{name}"), number));
    }
    members(planting::with_own(record, &person.own))
}

fn organization_record(company: &Company, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = company.number;
    let record = json!({
        "id": organization_id(number),
        "name": company.name,
        "owner_id": marks.count("organization.owner_id", number),
        "add_time": iso(company.created),
        "update_time": iso(company.updated),
        "is_deleted": false,
        "visible_to": 3,
        "label_ids": [],
        "website": company.website(),
        "address": { "value": company.city, "country": company.country_name, "locality": company.city },
        "annual_revenue": marks.count("organization.annual_revenue", number),
        "employee_count": marks.count("organization.employee_count", number),
        "cc_email": format!("{}@pipedrivemail.example", marks.text("organization.cc_email", number)),
        "custom_fields": { CREDIT_LIMIT: { "value": marks.money("organization.credit_limit", number), "currency": "EUR" } },
    });
    members(planting::with_own(record, &company.own))
}

fn deal(of: u64, world: &World) -> Value {
    json!({ "id": 5, "title": world.marks.text("deal.title", of), "value": world.marks.money("deal.value", of) })
}

fn field(world: &World, key: &str, name: &str) -> Value {
    json!({ "key": key, "name": world.label(key, name), "field_type": "varchar" })
}

fn organization_fields(world: &World) -> Answer {
    let fields = [field(world, "name", "Name"), field(world, "website", "Website")];
    Answer::json(200, &json!({ "success": true, "data": fields }))
}

fn metadata(world: &World) -> Answer {
    let field = |key: &str, name: &str| field(world, key, name);
    let fields = [
        field("name", "Name"),
        field("email", "Email"),
        field("phone", "Phone"),
        field("job_title", "Job title"),
        field(SERVICE_LEVEL, "Support level"),
        field(CREDIT_LIMIT, "Credit limit"),
        field(IBAN, "IBAN"),
    ];
    Answer::json(200, &json!({ "success": true, "data": fields }))
}

fn note(call: &Call, world: &World) -> Answer {
    let body = call.json();
    let to = body["person_id"].as_u64().or_else(|| body["person_id"].as_str()?.parse().ok()).unwrap_or(0);
    let person = world.read(|people| people.living().find(|p| id(p.number) == to).map_or(0, |p| p.number));
    let content = body["content"].as_str().unwrap_or_default();
    if person == 0 || content.is_empty() {
        return failure(400, "content and a person are required");
    }
    let number = world.note(person, content);
    Answer::json(201, &json!({ "success": true, "data": { "id": number, "person_id": to } }))
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

pub(crate) fn failure(status: u16, error: &str) -> Answer {
    let body = json!({ "success": false, "error": error, "code": "ERR", "data": Value::Null });
    Answer::json(status, &body)
}
