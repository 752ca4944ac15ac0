//! Bitrix24 REST through an inbound webhook: `/rest/{user}/{secret}/{method}.json`.
//!
//! Traps: the secret stands in the path; the operator of a filter is a prefix of its key; addresses and numbers are lists
//! of objects; `crm.contact.get` can't be told which fields; pages have 50 records whatever is asked for, and `start = -1`
//! switches counting off; too many requests are a **503**; an unknown id is a 400; nobody found is `[]` where somebody
//! found is an object.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::people::{Company, Person, Phone};
use crate::switch::Fault;
use crate::times::{iso_at, parse};
use crate::wire::{Answer, Call, Delivery, encode};
use crate::{Crm, World, planting};

const PAGE: usize = 50;
/// The portal's clock is three hours ahead of UTC.
const ZONE_HOURS: i8 = 3;
/// Requests that leak out of the bucket each second, and how many it holds.
const LEAK_PER_S: f64 = 2.0;
const BUCKET: f64 = 50.0;

/// A portal with an inbound webhook whose scope is `crm`.
pub struct Bitrix24 {
    /// The user of the webhook.
    pub user: u32,
    /// The secret in the path.
    pub secret: String,
    /// The shared value in outbound webhooks.
    pub application_token: String,
    /// How many requests the bucket holds.
    pub bucket_holds: f64,
    bucket: Mutex<(f64, Option<Timestamp>)>,
}

impl Default for Bitrix24 {
    fn default() -> Self {
        Self {
            user: 7,
            secret: "x9k2m4bitrixsecret8".to_owned(),
            application_token: "51856fefc120afa4b628cc82d3935cce".to_owned(),
            bucket_holds: BUCKET,
            bucket: Mutex::default(),
        }
    }
}

/// The user of the inbound webhook that plants.
pub const PLANT_USER: &str = "8";
/// Its secret.
pub const PLANT_SECRET: &str = "y1p5q8bitrixplants3";

/// The id of a contact.
pub fn id(number: u32) -> String {
    (1_000 + 3 * number).to_string()
}

/// The id of a company.
pub fn company_id(number: u32) -> String {
    (500 + 7 * number).to_string()
}

impl Crm for Bitrix24 {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let segments = call.segments();
        let user = self.user.to_string();
        let method = match segments.as_slice() {
            ["rest", given, secret, method] if *given == user && *secret == self.secret => {
                method.trim_end_matches(".json").to_owned()
            }
            ["rest", PLANT_USER, PLANT_SECRET, method] => {
                let method = method.trim_end_matches(".json");
                let answer = planting::bitrix24::answer(method, &arguments(call), world);
                let Some(answer) = answer else { return self.read(method, call, world) };
                return answer;
            }
            ["rest", ..] => return error(401, "INVALID_CREDENTIALS", "Invalid request credentials"),
            _ => return Answer::text(404, "text/html", "<h1>404</h1>").forbidden("an unknown address"),
        };
        self.read(&method, call, world)
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        error(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret.clone(), self.application_token.clone(), PLANT_SECRET.to_owned()]
    }
}

impl Bitrix24 {
    fn read(&self, method: &str, call: &Call, world: &World) -> Answer {
        if !self.pour(world.now()) {
            return self.throttled(call, world);
        }
        if world.switch.take(Fault::ErrorIn200) {
            return error(200, "INTERNAL_SERVER_ERROR", "Internal server error");
        }
        let body = arguments(call);
        match method {
            "crm.contact.list" => list(&body, world, Kind::Contact),
            "crm.company.list" => list(&body, world, Kind::Company),
            "crm.contact.get" => get(&body, world, Kind::Contact),
            "crm.company.get" => get(&body, world, Kind::Company),
            "crm.duplicate.findbycomm" => find(&body, world),
            "crm.contact.fields" => fields(world, Kind::Contact),
            "crm.company.fields" => fields(world, Kind::Company),
            "crm.timeline.comment.add" => comment(&body, world),
            "profile" => result(world, &json!({ "ID": self.user.to_string(), "ADMIN": false })),
            "batch" => error(403, "insufficient_scope", "batch").forbidden("batch, which carries any method"),
            _ if method.starts_with("crm.") => never(method, world),
            _ => error(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
                .forbidden(format!("method {method}")),
        }
    }

    /// The bucket that leaks: one request more, unless it is full.
    fn pour(&self, now: Timestamp) -> bool {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = bucket.1 {
            let passed_s = now.duration_since(before).as_secs_f64();
            bucket.0 = (bucket.0 - LEAK_PER_S * passed_s).max(0.0);
        }
        bucket.1 = Some(now);
        if bucket.0 >= self.bucket_holds {
            return false;
        }
        bucket.0 += 1.0;
        true
    }

    /// An outbound webhook: `ONCRMCONTACTUPDATE`, `ONCRMCONTACTDELETE`, …
    pub fn webhook(&self, event: &str, id: &str, world: &World) -> Delivery {
        let pairs = [
            ("event", event.to_owned()),
            ("event_handler_id", "613".to_owned()),
            ("data[FIELDS][ID]", id.to_owned()),
            ("ts", world.now().as_second().to_string()),
            ("auth[domain]", "portal.bitrix24.example".to_owned()),
            ("auth[client_endpoint]", "https://portal.bitrix24.example/rest/".to_owned()),
            ("auth[member_id]", "a223c6b3710f85df22e9377d6c4f7553".to_owned()),
            ("auth[application_token]", self.application_token.clone()),
        ];
        let body = pairs.map(|(name, value)| format!("{}={}", encode(name), encode(&value))).join("&");
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        Delivery { headers, query: Vec::new(), body: body.into() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Contact,
    Company,
}

impl Kind {
    fn records(self, world: &World) -> Vec<Map<String, Value>> {
        world.read(|people| match self {
            Self::Contact => people.living().map(|person| contact(person, world)).collect(),
            Self::Company => people.companies.iter().map(|one| company(one, world)).collect(),
        })
    }
}

fn list(body: &Value, world: &World, kind: Kind) -> Answer {
    let asked: Vec<String> = body["select"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let mut touched = Vec::new();
    for (name, _) in body.as_object().into_iter().flatten() {
        if !["select", "filter", "order", "start"].contains(&name.as_str()) {
            touched.push(format!("parameter {name}"));
        }
    }
    if asked.is_empty() {
        touched.push("a list without select".to_owned());
    }
    touched.extend(asked.iter().filter(|name| name.contains('*')).map(|mask| format!("the mask {mask}")));
    let start = body["start"].as_i64().or_else(|| body["start"].as_str()?.parse().ok()).unwrap_or(0);
    if start > 0 {
        world.shift();
    }
    let mut records = kind.records(world);
    for (key, wanted) in body["filter"].as_object().into_iter().flatten() {
        let name = key.trim_start_matches(['>', '<', '=', '!', '%', '@']);
        if !["ID", "EMAIL", "PHONE", "DATE_MODIFY"].contains(&name) {
            touched.push(format!("a filter on {name}"));
        }
        records.retain(|record| fits(record, key.trim_end_matches(name), name, wanted));
    }
    for (name, way) in body["order"].as_object().into_iter().flatten().rev() {
        records.sort_by_key(|record| sort_key(record, name));
        if way.as_str().is_some_and(|way| way.eq_ignore_ascii_case("desc")) {
            records.reverse();
        }
    }
    let total = records.len();
    let from = usize::try_from(start).unwrap_or(0);
    let everything = asked.is_empty() || world.switch.take(Fault::SelectionIgnored);
    let deals = world.switch.take(Fault::EmbedDeals);
    let page: Vec<Value> = records
        .into_iter()
        .skip(from)
        .take(PAGE)
        .map(|record| {
            let number = record.get("ID").cloned().unwrap_or_default();
            let kept = record.into_iter().filter(|(name, _)| chosen(name, &asked, everything));
            let mut value = Value::Object(kept.collect());
            if deals {
                let of = text(&number);
                let person = crate::shape::number_of(world, |number| id(number) == of);
                let made = world.shelf.about(person).into_iter().map(|made| Value::Object(made.body));
                value["DEALS"] = std::iter::once(deal(&of, world)).chain(made).collect();
            }
            value
        })
        .collect();
    let end = from + page.len();
    let mut answer = json!({ "result": page, "time": time(world) });
    if start >= 0 {
        answer["total"] = json!(total);
        if end < total {
            answer["next"] = json!(end);
        }
    } else {
        answer["total"] = json!(0);
    }
    Answer::json(200, &answer).asking(asked).forbidding(touched)
}

/// `*` stands for all but the custom ones and the multiple ones, `UF_*` for the custom ones.
fn chosen(name: &str, asked: &[String], everything: bool) -> bool {
    let multiple = ["EMAIL", "PHONE", "WEB", "IM"].contains(&name);
    let custom = name.starts_with("UF_");
    name == "ID"
        || everything
        || asked.iter().any(|wanted| match wanted.as_str() {
            "*" => !custom && !multiple,
            "UF_*" => custom,
            wanted => wanted == name,
        })
}

fn fits(record: &Map<String, Value>, operator: &str, name: &str, wanted: &Value) -> bool {
    let wanted = text(wanted);
    match record.get(name) {
        Some(Value::Array(entries)) => entries.iter().any(|entry| text(&entry["VALUE"]) == wanted),
        Some(found) if name == "ID" => {
            let (found, wanted) =
                (text(found).parse::<u64>().unwrap_or(0), wanted.parse::<u64>().unwrap_or(0));
            ordered(operator, &found, &wanted)
        }
        Some(found) if name == "DATE_MODIFY" => match (parse(&text(found)), parse(&wanted)) {
            (Some(found), Some(wanted)) => ordered(operator, &found, &wanted),
            _ => false,
        },
        Some(found) => ordered(operator, &text(found), &wanted),
        None => false,
    }
}

fn ordered<T: PartialOrd>(operator: &str, found: &T, wanted: &T) -> bool {
    match operator {
        ">" => found > wanted,
        ">=" => found >= wanted,
        "<" => found < wanted,
        "<=" => found <= wanted,
        _ => found == wanted,
    }
}

fn sort_key(record: &Map<String, Value>, name: &str) -> String {
    let value = record.get(name).map(text).unwrap_or_default();
    if name == "ID" { format!("{value:0>12}") } else { value }
}

fn get(body: &Value, world: &World, kind: Kind) -> Answer {
    let wanted = text(&body["id"]);
    let wanted = if wanted.is_empty() { text(&body["ID"]) } else { wanted };
    let found =
        kind.records(world).into_iter().find(|record| record.get("ID").map(text).as_ref() == Some(&wanted));
    match found {
        Some(record) => result(world, &Value::Object(record)),
        // Really: an empty code.
        None => error(400, "", "Not found"),
    }
    .forbidden("a record without select")
}

fn find(body: &Value, world: &World) -> Answer {
    let wanted: Vec<String> = body["values"].as_array().into_iter().flatten().map(text).collect();
    let mut touched = Vec::new();
    if body["entity_type"] != "CONTACT" {
        touched.push("duplicates of other kinds than contacts".to_owned());
    }
    if wanted.is_empty() || wanted.len() > 20 {
        return error(400, "", "Parameter 'values' is not specified or empty.").forbidding(touched);
    }
    let by_mail = match body["type"].as_str() {
        Some("EMAIL") => true,
        Some("PHONE") => false,
        _ => return error(400, "", "Communication type is not supported.").forbidding(touched),
    };
    let ids: Vec<u64> = world.read(|people| {
        let hits = people.living().filter(|person| {
            wanted.iter().any(|value| {
                if by_mail {
                    person.has_email(value)
                } else {
                    person.phones.iter().any(|phone| phone.ends_with(value))
                }
            })
        });
        hits.filter_map(|person| id(person.number).parse().ok()).take(20).collect()
    });
    let found = if ids.is_empty() { json!([]) } else { json!({ "CONTACT": ids }) };
    result(world, &found).forbidding(touched)
}

fn fields(world: &World, kind: Kind) -> Answer {
    let example = kind.records(world).into_iter().next();
    let fields: Map<String, Value> = example
        .into_iter()
        .flatten()
        .map(|(name, _)| {
            // Custom fields have an opaque title here, too; their label is another member.
            let label = match name.as_str() {
                "UF_CRM_1678886400" => "Service level",
                "UF_CRM_1678886401" => "Credit limit",
                other => other,
            };
            let label = world.label(&name, label);
            (name.clone(), json!({ "type": "string", "title": name, "formLabel": label, "listLabel": label }))
        })
        .collect();
    result(world, &Value::Object(fields))
}

fn comment(body: &Value, world: &World) -> Answer {
    let fields = &body["fields"];
    let to = text(&fields["ENTITY_ID"]);
    let person = world.read(|people| people.living().find(|p| id(p.number) == to).map_or(0, |p| p.number));
    if person == 0 || fields["ENTITY_TYPE"] != "contact" {
        return error(400, "", "ENTITY_ID not found");
    }
    let number = world.note(person, fields["COMMENT"].as_str().unwrap_or_default());
    result(world, &json!(number))
}

fn never(method: &str, world: &World) -> Answer {
    result(world, &json!([deal(&id(1), world)])).forbidden(format!("method {method}"))
}

fn contact(person: &Person, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = person.number;
    let mut record = json!({
        "ID": id(number),
        "NAME": person.first_name,
        "LAST_NAME": person.last_name,
        "SECOND_NAME": "",
        "POST": person.job_title,
        "ADDRESS": person.street,
        "ADDRESS_CITY": person.city,
        "ADDRESS_POSTAL_CODE": person.postal_code,
        "ADDRESS_COUNTRY": person.country_name,
        "COMPANY_ID": person.company.map_or("0".to_owned(), company_id),
        "DATE_CREATE": iso_at(person.created, ZONE_HOURS),
        "DATE_MODIFY": iso_at(person.updated, ZONE_HOURS),
        "HAS_EMAIL": "Y",
        "HAS_PHONE": "Y",
        "EMAIL": person.emails.iter().enumerate().map(|(at, mail)| multiple(number, at, mail, "EMAIL", at == 0)).collect::<Vec<_>>(),
        "PHONE": phones(number, &person.phones),
        "UF_CRM_1678886400": person.service_level,
        "UF_CRM_1678886401": format!("{}|EUR", marks.amount("contact.UF_CRM_1678886401", number)),
        "BIRTHDATE": "",
        "OPENED": "Y",
        "EXPORT": "N",
    });
    for name in [
        "ASSIGNED_BY_ID",
        "COMMENTS",
        "LEAD_ID",
        "SOURCE_ID",
        "SOURCE_DESCRIPTION",
        "TYPE_ID",
        "UTM_SOURCE",
        "UTM_CAMPAIGN",
        "ORIGIN_ID",
        "CREATED_BY_ID",
    ] {
        record[name] = json!(marks.text(&format!("contact.{name}"), number));
    }
    members(planting::with_own(record, &person.own))
}

fn company(company: &Company, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = company.number;
    let record = json!({
        "ID": company_id(number),
        "TITLE": company.name,
        "ADDRESS_CITY": company.city,
        "ADDRESS_COUNTRY": company.country_name,
        "DATE_MODIFY": iso_at(company.updated, ZONE_HOURS),
        "PHONE": phones(9_000 + number, std::slice::from_ref(&company.phone)),
        "WEB": [multiple(9_000 + number, 5, &company.website(), "WEB", true)],
        "REVENUE": marks.amount("company.REVENUE", number),
        "CURRENCY_ID": marks.text("company.CURRENCY_ID", number),
        "BANKING_DETAILS": marks.iban("company.BANKING_DETAILS", number),
        "ASSIGNED_BY_ID": marks.text("company.ASSIGNED_BY_ID", number),
        "COMMENTS": marks.text("company.COMMENTS", number),
        "EMPLOYEES": marks.text("company.EMPLOYEES", number),
        "INDUSTRY": marks.text("company.INDUSTRY", number),
        "UF_CRM_COMPANY_1690000000": marks.amount("company.UF_CRM_COMPANY_1690000000", number),
    });
    members(planting::with_own(record, &company.own))
}

fn multiple(record: u32, at: usize, value: &str, kind: &str, work: bool) -> Value {
    let value_type = if work { "WORK" } else { "HOME" };
    json!({ "ID": (record as usize * 10 + at).to_string(), "VALUE_TYPE": value_type, "VALUE": value, "TYPE_ID": kind })
}

fn phones(record: u32, phones: &[Phone]) -> Vec<Value> {
    let entry = |(at, phone): (usize, &Phone)| {
        let mut entry = multiple(record, 3 + at, &phone.typed, "PHONE", true);
        if phone.mobile {
            entry["VALUE_TYPE"] = json!("MOBILE");
        }
        entry
    };
    phones.iter().enumerate().map(entry).collect()
}

fn deal(of: &str, world: &World) -> Value {
    json!({
        "ID": "88",
        "TITLE": world.marks.text("deal.TITLE", of),
        "OPPORTUNITY": world.marks.amount("deal.OPPORTUNITY", of),
        "STAGE_ID": world.marks.text("deal.STAGE_ID", of),
    })
}

pub(crate) fn result(world: &World, result: &Value) -> Answer {
    Answer::json(200, &json!({ "result": result, "time": time(world) }))
}

fn time(world: &World) -> Value {
    let at = world.now().as_second();
    let date = iso_at(world.now(), ZONE_HOURS);
    json!({ "start": at, "finish": at, "duration": 0.04, "processing": 0.02, "date_start": date, "date_finish": date,
            "operating_reset_at": at + 600, "operating": 0 })
}

/// The arguments, which come as JSON, as a form or in the query, all with the same nesting.
fn arguments(call: &Call) -> Value {
    if let Ok(body) = serde_json::from_slice::<Value>(&call.body)
        && body.is_object()
    {
        return body;
    }
    let pairs = if call.body.is_empty() { call.query.clone() } else { call.form() };
    let mut arguments = json!({});
    for (key, value) in pairs {
        let parts: Vec<&str> = key.split('[').map(|part| part.trim_end_matches(']')).collect();
        put(&mut arguments, &parts, value);
    }
    arguments
}

/// Puts a value where `filter[>ID]` or `select[]` says.
fn put(place: &mut Value, parts: &[&str], value: String) {
    match parts.split_first() {
        None => *place = Value::String(value),
        Some((&"", rest)) => {
            let mut entry = Value::Null;
            put(&mut entry, rest, value);
            match place {
                Value::Array(list) => list.push(entry),
                other => *other = json!([entry]),
            }
        }
        Some((name, rest)) => put(&mut place[*name], rest, value),
    }
}

pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error": code, "error_description": message }))
}
