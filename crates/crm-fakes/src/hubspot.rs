//! HubSpot CRM v3: objects below `/crm/v3/objects`.
//!
//! Traps: every value is a string below `properties`; `createdate`, `lastmodifieddate` and `hs_object_id` come unasked; an
//! unknown property is ignored without a word; the search lags behind ([`LAG_S`]) and stops at 10,000 hits; a merged
//! contact's old id answers with the other contact; a daily or secondly limit is a 429 without `Retry-After`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::people::{Company, Gone, People, Person};
use crate::switch::Fault;
use crate::times::iso_ms;
use crate::wire::{Answer, Call, Delivery};
use crate::{Crm, World, planting};

/// For so long the search does not know of a change.
pub const LAG_S: i64 = 10;
/// The token of the private app that plants.
pub const PLANT_TOKEN: &str = "pat-eu1-9a8b7c6d-planting-token";
/// Hits after which a search refuses to go on.
pub const HITS_MAX: usize = 10_000;
const LIST_MAX: usize = 100;
const SEARCH_MAX: usize = 200;
/// Come along whatever is asked for.
const ALWAYS: [&str; 3] = ["createdate", "hs_object_id", "lastmodifieddate"];
const DEFAULTS: [&str; 3] = ["email", "firstname", "lastname"];
/// Objects that the bridge must never ask for.
const NEVER: [&str; 12] = [
    "deals",
    "quotes",
    "line_items",
    "invoices",
    "commerce_payments",
    "orders",
    "subscriptions",
    "notes",
    "calls",
    "emails",
    "tasks",
    "products",
];

/// A HubSpot account with a private app.
pub struct HubSpot {
    /// The private app's token.
    pub token: String,
    /// The app's secret, which signs webhooks.
    pub client_secret: String,
    /// Hits after which a search refuses to go on.
    pub hits_max: usize,
    /// For so long the search does not know of a change.
    pub lag_s: i64,
}

impl Default for HubSpot {
    fn default() -> Self {
        Self {
            token: "pat-eu1-0f1e2d3c-private-app-token".to_owned(),
            client_secret: "hubspot-app-secret-7c1f".to_owned(),
            hits_max: HITS_MAX,
            lag_s: LAG_S,
        }
    }
}

/// The id of a contact.
pub fn id(number: u32) -> String {
    (100_000 + 17 * u64::from(number)).to_string()
}

/// The id of a company.
pub fn company_id(number: u32) -> String {
    (900_000 + 19 * u64::from(number)).to_string()
}

impl Crm for HubSpot {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let plants = call.authorization("bearer") == Some(PLANT_TOKEN);
        if call.authorization("bearer") != Some(&self.token) && !plants {
            return error(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.");
        }
        if world.switch.take(Fault::TokenExpired) {
            return error(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired.");
        }
        if let Some(answer) = plants.then(|| planting::hubspot::answer(call, world)).flatten() {
            return answer;
        }
        let segments = call.segments();
        match (call.method.as_str(), segments.as_slice()) {
            ("GET", ["crm", "v3", "objects", "contacts"]) => list(call, world, contacts),
            ("GET", ["crm", "v3", "objects", "companies"]) => list(call, world, companies),
            ("POST", ["crm", "v3", "objects", "contacts", "search"]) => self.search(call, world),
            ("GET", ["crm", "v3", "objects", "contacts", wanted]) => one_contact(call, world, wanted),
            ("GET", ["crm", "v3", "objects", "companies", wanted]) => one_company(call, world, wanted),
            ("GET", ["crm", "v3", "properties", "contacts"]) => metadata(world, false),
            ("GET", ["crm", "v3", "properties", "companies"]) => metadata(world, true),
            ("POST", ["crm", "v3", "objects", "notes"]) => note(call, world),
            (_, ["crm", "v3", "objects", kind, ..]) if NEVER.contains(kind) => never(kind, world),
            _ => error(404, "OBJECT_NOT_FOUND", "resource not found")
                .forbidden("an address that does not exist"),
        }
    }

    fn throttled(&self, call: &Call, _: &World) -> Answer {
        let body = json!({
            "status": "error",
            "message": "You have reached your secondly limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": "0c9d4b5a-1111-4222-8333-444455556666",
            "policyName": "SECONDLY",
            "requestId": "5f1b9c3d-7777-4888-9999-000011112222",
        });
        let answer = Answer::json(429, &body);
        if call.path.ends_with("/search") {
            return answer;
        }
        let answer = answer.with("X-HubSpot-RateLimit-Daily", "250000");
        answer
            .with("X-HubSpot-RateLimit-Interval-Milliseconds", "10000")
            .with("X-HubSpot-RateLimit-Max", "100")
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.token.clone(), self.client_secret.clone(), PLANT_TOKEN.to_owned()]
    }
}

impl HubSpot {
    fn search(&self, call: &Call, world: &World) -> Answer {
        let body = call.json();
        let asked = names(&body["properties"]);
        let mut touched = Vec::new();
        let known = ["filterGroups", "properties", "limit", "after", "sorts", "query"];
        for (name, _) in body.as_object().into_iter().flatten() {
            if !known.contains(&name.as_str()) || name == "query" {
                touched.push(format!("search member {name}"));
            }
        }
        let limit = number(&body["limit"]).unwrap_or(10);
        let after = number(&body["after"]).unwrap_or(0);
        if limit > SEARCH_MAX {
            return validation("limit must be at most 200");
        }
        if after + limit > self.hits_max {
            return validation("the search endpoint pages through at most 10,000 results")
                .forbidding(touched);
        }
        if after > 0 {
            world.shift();
        }
        let groups = body["filterGroups"].as_array().cloned().unwrap_or_default();
        let mut broken = None;
        let mut hits: Vec<Person> = world.read(|people| {
            let fresh = world.now() - self.lag_s.seconds();
            let indexed = people.living().filter(|person| person.updated <= fresh);
            let matching = indexed.filter(|person| {
                groups.is_empty() || groups.iter().any(|group| fits(person, group, &mut broken, &mut touched))
            });
            matching.cloned().collect()
        });
        if let Some(message) = broken {
            return validation(&message).forbidding(touched);
        }
        if let Some(sort) = body["sorts"].as_array().and_then(|sorts| sorts.first()) {
            if sort["propertyName"] == "lastmodifieddate" {
                hits.sort_by_key(|person| (person.updated, person.number));
            }
            if sort["direction"] == "DESCENDING" {
                hits.reverse();
            }
        }
        let total = hits.len();
        let page: Vec<Person> = hits.into_iter().skip(after).take(limit).collect();
        let end = after + page.len();
        let selection = Selection::new(&asked, world);
        let results: Vec<Value> = world
            .read(|people| page.iter().map(|person| contact(person, people, world, &selection)).collect());
        let mut answer = json!({ "total": total, "results": results });
        if end < total {
            answer["paging"] = json!({ "next": { "after": end.to_string() } });
        }
        Answer::json(200, &answer).asking(asked).forbidding(touched)
    }

    /// A webhook of an event, signed for this address: `contact.propertyChange` with the value, `contact.deletion`, …
    /// The receiver's address is the one that the app was set up with.
    pub fn webhook(&self, event: &str, person: &Person, receiver: &str, world: &World) -> Delivery {
        let body = json!([{
            "eventId": 3_816_279_480_u64,
            "subscriptionId": 22,
            "portalId": 33,
            "appId": 1_160_452,
            "occurredAt": world.now().as_millisecond(),
            "subscriptionType": event,
            "attemptNumber": 0,
            "objectId": id(person.number).parse::<u64>().unwrap_or_default(),
            "propertyName": "lifecyclestage",
            "propertyValue": world.marks.text("webhook.propertyValue", person.number),
            "changeSource": "CRM",
        }]);
        self.sign(body.to_string().into(), receiver, world.now())
    }

    /// Signs a body as HubSpot does (version 3 of the signature).
    pub fn sign(&self, body: Bytes, receiver: &str, at: Timestamp) -> Delivery {
        let at = at.as_millisecond().to_string();
        let mut text = format!("POST{receiver}").into_bytes();
        text.extend(&body);
        text.extend(at.as_bytes());
        let signature = Hmac::<Sha256>::new_from_slice(self.client_secret.as_bytes())
            .map(|mac| STANDARD.encode(mac.chain_update(&text).finalize().into_bytes()))
            .unwrap_or_default();
        let headers = [
            ("content-type", "application/json".to_owned()),
            ("x-hubspot-signature-v3", signature),
            ("x-hubspot-request-timestamp", at),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Delivery { headers, query: Vec::new(), body }
    }
}

struct Selection {
    names: Vec<String>,
    everything: bool,
    deals: bool,
}

impl Selection {
    fn new(asked: &[String], world: &World) -> Self {
        let names = if asked.is_empty() { DEFAULTS.map(str::to_owned).to_vec() } else { asked.to_vec() };
        let everything = world.switch.take(Fault::SelectionIgnored);
        Self { names, everything, deals: world.switch.take(Fault::EmbedDeals) }
    }

    fn cut(&self, all: Map<String, Value>) -> Map<String, Value> {
        let kept =
            |name: &String| self.everything || self.names.contains(name) || ALWAYS.contains(&name.as_str());
        all.into_iter().filter(|(name, _)| kept(name)).collect()
    }
}

fn contact(person: &Person, people: &People, world: &World, selection: &Selection) -> Value {
    let company = people.company_of(person);
    let text = |text: &str| Value::String(text.to_owned());
    let phone = |phone: Option<&crate::people::Phone>| phone.map_or(Value::Null, |phone| text(&phone.typed));
    let mark = |name: &str| text(&world.marks.text(&format!("contact.{name}"), person.number));
    let amount = |name: &str| text(&world.marks.amount(&format!("contact.{name}"), person.number));
    let count = |name: &str| text(&world.marks.count(&format!("contact.{name}"), person.number).to_string());
    let others: Vec<&str> = person.emails.iter().skip(1).map(String::as_str).collect();
    let is_merged = |other: &&Person| other.gone == Some(Gone::MergedInto(person.number));
    let told = !world.switch.is_on(Fault::MergesUntold);
    let merged: Vec<String> =
        people.persons.iter().filter(is_merged).filter(|_| told).map(|other| id(other.number)).collect();
    let all: Map<String, Value> = [
        ("hs_merged_object_ids", if merged.is_empty() { Value::Null } else { text(&merged.join(";")) }),
        ("firstname", text(&person.first_name)),
        ("lastname", text(&person.last_name)),
        ("email", text(person.email())),
        ("hs_additional_emails", if others.is_empty() { Value::Null } else { text(&others.join(";")) }),
        ("phone", phone(person.phone())),
        ("mobilephone", phone(person.mobile())),
        ("jobtitle", text(&person.job_title)),
        ("hs_language", text(&person.language)),
        ("hs_timezone", text(&person.time_zone.to_lowercase().replace('/', "_slash_"))),
        ("address", text(&person.street)),
        ("zip", text(&person.postal_code)),
        ("city", text(&person.city)),
        ("country", text(&person.country_name)),
        ("company", company.map_or(Value::Null, |company| text(&company.name))),
        ("website", company.map_or(Value::Null, |company| text(&company.website()))),
        ("associatedcompanyid", person.company.map_or(Value::Null, |number| text(&company_id(number)))),
        ("createdate", text(&iso_ms(person.created))),
        ("lastmodifieddate", text(&iso_ms(person.updated))),
        ("hs_object_id", text(&id(person.number))),
        ("lifecyclestage", mark("lifecyclestage")),
        ("hs_lead_status", mark("hs_lead_status")),
        ("hubspotscore", count("hubspotscore")),
        ("hs_predictivecontactscore_v2", count("hs_predictivecontactscore_v2")),
        ("total_revenue", amount("total_revenue")),
        ("recent_deal_amount", amount("recent_deal_amount")),
        ("recent_deal_close_date", mark("recent_deal_close_date")),
        ("num_associated_deals", count("num_associated_deals")),
        ("annualrevenue", amount("annualrevenue")),
        ("days_to_close", count("days_to_close")),
        ("hubspot_owner_id", count("hubspot_owner_id")),
        ("hs_analytics_source", mark("hs_analytics_source")),
        ("message", mark("message")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .chain(person.own.clone())
    .collect();
    let mut record = json!({
        "id": id(person.number),
        "properties": selection.cut(all),
        "createdAt": iso_ms(person.created),
        "updatedAt": iso_ms(person.updated),
        "archived": person.gone.is_some(),
    });
    if person.gone.is_some() {
        record["archivedAt"] = json!(iso_ms(person.updated));
    }
    if selection.deals {
        let made =
            world.shelf.about(person.number).into_iter().map(|made| json!({ "properties": made.body }));
        let deals: Vec<Value> = std::iter::once(deal(person.number, world)).chain(made).collect();
        record["associations"] = json!({ "deals": { "results": deals } });
    }
    record
}

fn company(company: &Company, world: &World, selection: &Selection) -> Value {
    let text = |text: &str| Value::String(text.to_owned());
    let all: Map<String, Value> = [
        ("name", text(&company.name)),
        ("domain", text(&company.domain)),
        ("website", text(&company.website())),
        ("phone", text(&company.phone.typed)),
        ("city", text(&company.city)),
        ("country", text(&company.country_name)),
        ("createdate", text(&iso_ms(company.created))),
        ("hs_lastmodifieddate", text(&iso_ms(company.updated))),
        ("hs_object_id", text(&company_id(company.number))),
        ("annualrevenue", text(&world.marks.amount("company.annualrevenue", company.number))),
        ("total_revenue", text(&world.marks.amount("company.total_revenue", company.number))),
        (
            "numberofemployees",
            text(&world.marks.count("company.numberofemployees", company.number).to_string()),
        ),
        ("hs_total_deal_value", text(&world.marks.amount("company.hs_total_deal_value", company.number))),
        (
            "hubspot_owner_id",
            text(&world.marks.count("company.hubspot_owner_id", company.number).to_string()),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .chain(company.own.clone())
    .collect();
    json!({
        "id": company_id(company.number),
        "properties": selection.cut(all),
        "createdAt": iso_ms(company.created),
        "updatedAt": iso_ms(company.updated),
        "archived": false,
    })
}

fn deal(person: u32, world: &World) -> Value {
    json!({
        "id": (700_000 + u64::from(person)).to_string(),
        "type": "contact_to_deal",
        "properties": {
            "dealname": world.marks.text("deal.dealname", person),
            "amount": world.marks.amount("deal.amount", person),
            "dealstage": world.marks.text("deal.dealstage", person),
            "pipeline": world.marks.text("deal.pipeline", person),
        },
    })
}

fn contacts(people: &People, archived: bool, world: &World, selection: &Selection) -> Vec<(String, Value)> {
    let wanted = people.persons.iter().filter(|person| match person.gone {
        None => !archived,
        Some(Gone::Deleted) => archived,
        // A merged contact is no contact any more.
        Some(Gone::MergedInto(_)) => false,
    });
    wanted.map(|person| (id(person.number), contact(person, people, world, selection))).collect()
}

fn companies(people: &People, archived: bool, world: &World, selection: &Selection) -> Vec<(String, Value)> {
    let wanted = people.companies.iter().filter(|_| !archived);
    wanted.map(|one| (company_id(one.number), company(one, world, selection))).collect()
}

type All = fn(&People, bool, &World, &Selection) -> Vec<(String, Value)>;

fn list(call: &Call, world: &World, all: All) -> Answer {
    let asked = query_names(call);
    let touched = call.undeclared(&["limit", "after", "properties", "archived"]);
    let limit = call.number("limit").unwrap_or(10);
    if limit > LIST_MAX {
        return validation("limit must be at most 100");
    }
    let after = call.param("after").map(str::to_owned);
    if after.is_some() {
        world.shift();
    }
    let selection = Selection::new(&asked, world);
    let archived = call.param("archived") == Some("true");
    let records = world.read(|people| all(people, archived, world, &selection));
    let start = after.and_then(|after| records.iter().position(|(id, _)| *id == after)).unwrap_or(0);
    let rest = records.get(start..).unwrap_or_default();
    let results: Vec<&Value> = rest.iter().take(limit).map(|(_, record)| record).collect();
    let mut body = json!({ "results": results });
    if let Some((next, _)) = rest.get(limit) {
        let query = format!("limit={limit}&after={next}");
        let elsewhere = world.switch.take(Fault::NextElsewhere).then(|| world.switch.elsewhere());
        let host = elsewhere.unwrap_or_else(|| world.url().to_owned());
        body["paging"] = json!({ "next": { "after": next, "link": format!("{host}{}?{query}", call.path) } });
    }
    Answer::json(200, &body).asking(asked).forbidding(touched)
}

fn one_contact(call: &Call, world: &World, wanted: &str) -> Answer {
    let asked = query_names(call);
    let touched = call.undeclared(&["properties", "idProperty", "archived"]);
    let by_mail = call.param("idProperty") == Some("email");
    let selection = Selection::new(&asked, world);
    let found = world.read(|people| {
        let person = people.persons.iter().find(|person| {
            if by_mail {
                person.gone.is_none() && person.has_email(wanted)
            } else {
                id(person.number) == wanted
            }
        })?;
        let person = match person.gone {
            Some(Gone::Deleted) => return None,
            // The old id of a merged contact answers with the other one.
            Some(Gone::MergedInto(other)) => people.person(other)?,
            None => person,
        };
        Some(contact(person, people, world, &selection))
    });
    match found {
        Some(record) => Answer::json(200, &record),
        None => error(404, "OBJECT_NOT_FOUND", "resource not found"),
    }
    .asking(asked)
    .forbidding(touched)
}

fn one_company(call: &Call, world: &World, wanted: &str) -> Answer {
    let asked = query_names(call);
    let touched = call.undeclared(&["properties", "archived"]);
    let selection = Selection::new(&asked, world);
    let found = world.read(|people| {
        let found = people.companies.iter().find(|company| company_id(company.number) == wanted);
        found.map(|found| company(found, world, &selection))
    });
    match found {
        Some(record) => Answer::json(200, &record),
        None => error(404, "OBJECT_NOT_FOUND", "resource not found"),
    }
    .asking(asked)
    .forbidding(touched)
}

fn metadata(world: &World, companies: bool) -> Answer {
    let everything = Selection { names: Vec::new(), everything: true, deals: false };
    let sample = world.read(|people| {
        if companies {
            people.companies.first().map(|one| company(one, world, &everything))
        } else {
            people.persons.first().map(|person| contact(person, people, world, &everything))
        }
    });
    let properties = sample.map(|sample| sample["properties"].clone()).unwrap_or_default();
    let names = properties.as_object().into_iter().flatten().map(|(name, _)| name);
    let property = |name: &String| json!({ "name": name, "label": world.label(name, &name.replace('_', " ")), "type": "string" });
    let properties: Vec<Value> = names.map(property).collect();
    Answer::json(200, &json!({ "results": properties }))
}

fn note(call: &Call, world: &World) -> Answer {
    let body = call.json();
    let text = body["properties"]["hs_note_body"].as_str().unwrap_or_default();
    let to = &body["associations"][0]["to"]["id"];
    let to = to.as_str().map_or_else(|| to.to_string(), str::to_owned);
    if text.is_empty() || body["properties"]["hs_timestamp"].is_null() {
        return validation("hs_note_body and hs_timestamp are required");
    }
    let person =
        world.read(|people| people.persons.iter().find(|p| id(p.number) == to).map_or(0, |p| p.number));
    let number = world.note(person, text);
    Answer::json(201, &json!({ "id": (800_000 + number).to_string(), "properties": {}, "archived": false }))
}

fn never(kind: &str, world: &World) -> Answer {
    let deals: Vec<Value> = world.read(|people| people.living().map(|p| deal(p.number, world)).collect());
    Answer::json(200, &json!({ "results": deals })).forbidden(format!("object {kind}"))
}

fn fits(person: &Person, group: &Value, broken: &mut Option<String>, touched: &mut Vec<String>) -> bool {
    let filters = group["filters"].as_array().cloned().unwrap_or_default();
    filters.iter().all(|filter| {
        let name = filter["propertyName"].as_str().unwrap_or_default();
        let operator = filter["operator"].as_str().unwrap_or_default();
        let value = filter["value"].as_str().map_or_else(|| filter["value"].to_string(), str::to_owned);
        match (name, operator) {
            ("email", "EQ") => person.email() == value.to_lowercase(),
            ("hs_additional_emails", "CONTAINS_TOKEN") => {
                person.emails.iter().skip(1).any(|one| *one == value)
            }
            ("phone", "EQ") => person.phone().is_some_and(|phone| phone.typed == value),
            ("mobilephone", "EQ") => person.mobile().is_some_and(|phone| phone.typed == value),
            // A calculated property: area code and local number, digits only.
            ("hs_searchable_calculated_phone_number", "CONTAINS_TOKEN" | "EQ") => {
                person.phone().is_some_and(|phone| phone.ends_with(&value))
            }
            ("hs_searchable_calculated_mobile_number", "CONTAINS_TOKEN" | "EQ") => {
                person.mobile().is_some_and(|phone| phone.ends_with(&value))
            }
            ("hs_object_id", "EQ") => id(person.number) == value,
            ("hs_object_id", "GT") => id(person.number) > value,
            ("lastmodifieddate", "GT" | "GTE" | "LT" | "LTE") => {
                let Some(at) = value.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()) else {
                    *broken = Some(format!("{value} was not a valid long: a time is epoch milliseconds"));
                    return false;
                };
                match operator {
                    "GT" => person.updated > at,
                    "GTE" => person.updated >= at,
                    "LT" => person.updated < at,
                    _ => person.updated <= at,
                }
            }
            _ => {
                touched.push(format!("a filter on {name} {operator}"));
                false
            }
        }
    })
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn query_names(call: &Call) -> Vec<String> {
    let lists = call.params("properties");
    lists.iter().flat_map(|list| list.split(',')).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).or_else(|| value.as_str()?.parse().ok())
}

pub(crate) fn validation(message: &str) -> Answer {
    error(400, "VALIDATION_ERROR", message)
}

pub(crate) fn error(status: u16, category: &str, message: &str) -> Answer {
    let body = json!({
        "status": "error",
        "message": message,
        "correlationId": "c56541f2-6d58-4ed0-a3a3-6b4f2f0a0b5d",
        "category": category,
    });
    Answer::json(status, &body)
}
