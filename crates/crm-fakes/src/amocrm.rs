//! amoCRM / Kommo API v4: `/api/v4`.
//!
//! Traps: no selection at all, every custom field comes; addresses and numbers are entries of `custom_fields_values` with a
//! `field_code`; `query=` is fuzzy over everything; nobody is 204 without a body; the refresh token can be used once; who
//! goes on after a 429 is locked out by address (403); instants are unix seconds.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::people::{Company, Person, Phone};
use crate::switch::Fault;
use crate::tokens::{Refreshed, Tokens, Worth};
use crate::wire::{Answer, Call, Delivery, encode};
use crate::{Crm, World, planting};

const PAGE_MAX: usize = 250;
/// Requests after a 429, without a second's pause, until the address is locked out.
const STRIKES_MAX: u32 = 3;
const LOCKED_S: i64 = 600;

/// An account with an integration.
pub struct AmoCrm {
    /// The integration's id.
    pub client_id: String,
    /// The integration's secret.
    pub client_secret: String,
    /// The address that the integration was registered with.
    pub redirect_uri: String,
    /// The first refresh token.
    pub first_refresh_token: String,
    tokens: Tokens,
    strikes: Mutex<Strikes>,
}

#[derive(Debug, Default)]
struct Strikes {
    throttled_at: Option<Timestamp>,
    count: u32,
    locked_until: Option<Timestamp>,
}

impl Default for AmoCrm {
    fn default() -> Self {
        let first = "def50200-amocrm-first-refresh-token".to_owned();
        Self {
            client_id: "1f5d7c33-0000-4000-8000-00000000aa01".to_owned(),
            client_secret: "amocrm-integration-secret-3k".to_owned(),
            redirect_uri: "https://helpdesk.example/amocrm".to_owned(),
            tokens: Tokens::new("eyJ0eXAi", 86_400, &first),
            first_refresh_token: first,
            strikes: Mutex::default(),
        }
    }
}

/// The long-lived token of the private integration that plants.
pub const PLANT_TOKEN: &str = "eyJ0eXAi.amocrm-long-lived-planting";

/// The id of a contact.
pub fn id(number: u32) -> u64 {
    7_143_000 + 11 * u64::from(number)
}

/// The id of a company.
pub fn company_id(number: u32) -> u64 {
    3_900_000 + 13 * u64::from(number)
}

impl Crm for AmoCrm {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        if self.is_locked_out(world.now()) {
            return Answer::text(403, "text/html", "<html><body>403 Forbidden</body></html>");
        }
        let segments = call.segments();
        if segments == ["oauth2", "access_token"] {
            return self.token(call, world);
        }
        let plants = call.authorization("bearer") == Some(PLANT_TOKEN);
        if let Some(answer) = plants.then(|| planting::amocrm::answer(call, world)).flatten() {
            return answer;
        }
        let worth = call.authorization("bearer").map(|token| self.tokens.worth(token, world));
        if worth != Some(Worth::Valid) && !plants {
            return problem(401, "Unauthorized");
        }
        match (call.method.as_str(), segments.as_slice()) {
            ("GET", ["api", "v4", "contacts"]) => list(call, world, Kind::Contacts),
            ("GET", ["api", "v4", "companies"]) => list(call, world, Kind::Companies),
            ("GET", ["api", "v4", "contacts", "custom_fields"]) => metadata(world, Kind::Contacts),
            ("GET", ["api", "v4", "companies", "custom_fields"]) => metadata(world, Kind::Companies),
            ("GET", ["api", "v4", "contacts", wanted]) => one(wanted, call, world, Kind::Contacts),
            ("GET", ["api", "v4", "companies", wanted]) => one(wanted, call, world, Kind::Companies),
            ("POST", ["api", "v4", "contacts", wanted, "notes"]) => note(wanted, call, world),
            ("GET", ["api", "v4", "account"]) => {
                Answer::json(200, &json!({ "id": 28_805_383, "name": "Example" }))
            }
            (_, ["api", "v4", name, ..]) => {
                let leads = json!({ "_embedded": { (*name): [lead(1, world)] } });
                Answer::json(200, &leads).forbidden(format!("object {name}"))
            }
            _ => problem(404, "Not Found").forbidden("an unknown address"),
        }
    }

    fn throttled(&self, _: &Call, world: &World) -> Answer {
        let mut strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        strike(&mut strikes, world.now());
        strikes.throttled_at = Some(world.now());
        problem(429, "Too Many Requests")
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.client_secret.clone(), self.first_refresh_token.clone(), PLANT_TOKEN.to_owned()]
    }
}

fn strike(strikes: &mut Strikes, now: Timestamp) {
    let hurried = strikes.throttled_at.is_some_and(|at| now.as_millisecond() - at.as_millisecond() < 1_000);
    strikes.count = if hurried { strikes.count + 1 } else { 0 };
    if strikes.count >= STRIKES_MAX {
        strikes.locked_until = Timestamp::from_second(now.as_second() + LOCKED_S).ok();
    }
}

impl AmoCrm {
    /// The refresh token that is valid now.
    pub fn refresh_token(&self) -> String {
        self.tokens.refresh()
    }

    fn is_locked_out(&self, now: Timestamp) -> bool {
        let mut strikes = self.strikes.lock().unwrap_or_else(PoisonError::into_inner);
        strike(&mut strikes, now);
        strikes.locked_until.is_some_and(|until| now < until)
    }

    fn token(&self, call: &Call, world: &World) -> Answer {
        let body = call.json();
        let given = |name: &str| {
            body[name].as_str().map(str::to_owned).or_else(|| call.form_value(name)).unwrap_or_default()
        };
        if given("client_id") != self.client_id || given("client_secret") != self.client_secret {
            return problem(401, "Client authentication failed");
        }
        if given("grant_type") != "refresh_token" || given("redirect_uri") != self.redirect_uri {
            return problem(400, "The request is missing a required parameter");
        }
        match self.tokens.rotate(&given("refresh_token"), world) {
            Refreshed::Pair { access, refresh } => Answer::json(
                200,
                &json!({ "token_type": "Bearer", "expires_in": 86_400, "access_token": access, "refresh_token": refresh }),
            ),
            Refreshed::Spent => problem(400, "Token has been revoked"),
            Refreshed::Unknown => problem(400, "Cannot decrypt the refresh token"),
        }
    }

    /// A webhook of a contact's change, in the form that nests keys; the whole record comes along.
    pub fn webhook(&self, action: &str, person: &Person, world: &World) -> Delivery {
        let root = format!("contacts[{action}][0]");
        let mut pairs = vec![(format!("{root}[id]"), id(person.number).to_string())];
        if action != "delete" {
            pairs.push((format!("{root}[name]"), person.full_name()));
            pairs.push((
                format!("{root}[responsible_user_id]"),
                world.marks.text("webhook.responsible", person.number),
            ));
            pairs.push((format!("{root}[custom_fields][0][id]"), "771002".to_owned()));
            pairs.push((format!("{root}[custom_fields][0][name]"), "Credit limit".to_owned()));
            pairs.push((
                format!("{root}[custom_fields][0][values][0][value]"),
                world.marks.amount("webhook.custom_field", person.number),
            ));
        }
        pairs.push(("account[subdomain]".to_owned(), "example".to_owned()));
        pairs.push(("account[id]".to_owned(), "28805383".to_owned()));
        let body: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        Delivery { headers, query: Vec::new(), body: body.join("&").into() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Contacts,
    Companies,
}

impl Kind {
    fn name(self) -> &'static str {
        if self == Self::Contacts { "contacts" } else { "companies" }
    }

    fn records(self, world: &World) -> Vec<Map<String, Value>> {
        world.read(|people| match self {
            Self::Contacts => people.living().map(|person| contact(person, world)).collect(),
            Self::Companies => people.companies.iter().map(|one| company(one, world)).collect(),
        })
    }
}

fn list(call: &Call, world: &World, kind: Kind) -> Answer {
    let touched = call.undeclared(&[
        "limit",
        "page",
        "query",
        "filter[updated_at][from]",
        "filter[updated_at][to]",
        "filter[id]",
        "filter[id][]",
        "order[updated_at]",
        "order[id]",
    ]);
    let page = call.number("page").unwrap_or(1).max(1);
    let size = call.number("limit").unwrap_or(50).min(PAGE_MAX);
    if page > 1 {
        world.shift();
    }
    let mut records = kind.records(world);
    if let Some(query) = call.param("query") {
        records.retain(|record| fuzzy(record, query));
    }
    let second = |name: &str| call.param(name).and_then(|value| value.parse::<i64>().ok());
    if let Some(from) = second("filter[updated_at][from]") {
        records.retain(|record| record["updated_at"].as_i64() >= Some(from));
    }
    if let Some(to) = second("filter[updated_at][to]") {
        records.retain(|record| record["updated_at"].as_i64() <= Some(to));
    }
    let ids: Vec<&str> = [call.params("filter[id]"), call.params("filter[id][]")].concat();
    if !ids.is_empty() {
        records.retain(|record| ids.contains(&record["id"].to_string().as_str()));
    }
    if let Some(way) = call.param("order[updated_at]") {
        records.sort_by_key(|record| (record["updated_at"].as_i64(), record["id"].as_u64()));
        if way == "desc" {
            records.reverse();
        }
    }
    let (total, start) = (records.len(), (page - 1) * size);
    let deals = world.switch.take(Fault::EmbedDeals);
    let records: Vec<Value> = records
        .into_iter()
        .skip(start)
        .take(size)
        .map(|mut record| {
            if deals {
                record["_embedded"]["leads"] = leads(record["id"].as_u64().unwrap_or(0), world);
            }
            Value::Object(record)
        })
        .collect();
    if records.is_empty() {
        return Answer::empty(204).forbidding(touched);
    }
    let link = |page: usize, host: &str| {
        let kept = call.query.iter().filter(|(name, _)| name != "page");
        let mut query: Vec<String> =
            kept.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        query.push(format!("page={page}"));
        json!({ "href": format!("{host}{}?{}", call.path, query.join("&")) })
    };
    let mut links = json!({ "self": link(page, world.url()) });
    if start + records.len() < total {
        let elsewhere = world.switch.take(Fault::NextElsewhere).then(|| world.switch.elsewhere());
        links["next"] = link(page + 1, elsewhere.as_deref().unwrap_or(world.url()));
    }
    let body = json!({ "_page": page, "_links": links, "_embedded": { kind.name(): records } });
    Answer::json(200, &body).with_hal().forbidding(touched)
}

impl Answer {
    fn with_hal(mut self) -> Self {
        self.headers = vec![("content-type".to_owned(), "application/hal+json".to_owned())];
        self
    }
}

/// Any value in which the words stand, or the digits of a number. Finds far more than one asked for.
fn fuzzy(record: &Map<String, Value>, query: &str) -> bool {
    let text = Value::Object(record.clone()).to_string().to_lowercase();
    let digits: String = query.chars().filter(char::is_ascii_digit).collect();
    let found: String = text.chars().filter(char::is_ascii_digit).collect();
    let name = query.to_lowercase();
    let local = name.split('@').next().unwrap_or_default();
    text.contains(&name)
        || (local.len() >= 3 && text.contains(local))
        || (digits.len() >= 7 && found.contains(&digits))
}

fn one(wanted: &str, call: &Call, world: &World, kind: Kind) -> Answer {
    let touched = call.undeclared(&[]);
    let deals = world.switch.take(Fault::EmbedDeals);
    match kind.records(world).into_iter().find(|record| record["id"].as_u64() == wanted.parse().ok()) {
        Some(mut record) => {
            if deals {
                record["_embedded"]["leads"] = leads(record["id"].as_u64().unwrap_or(0), world);
            }
            Answer::json(200, &Value::Object(record)).with_hal()
        }
        None => Answer::empty(204),
    }
    .forbidding(touched)
}

fn field(id: u32, name: &str, code: Option<&str>, kind: &str, values: Vec<Value>) -> Value {
    json!({ "field_id": id, "field_name": name, "field_code": code, "field_type": kind, "values": values })
}

fn multitext(value: &str, code: &str) -> Value {
    json!({ "value": value, "enum_id": 193_226, "enum_code": code })
}

fn numbers(phones: &[Phone]) -> Vec<Value> {
    phones.iter().map(|phone| multitext(&phone.typed, if phone.mobile { "MOB" } else { "WORK" })).collect()
}

fn contact(person: &Person, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = person.number;
    let mails = person.emails.iter().map(|mail| multitext(mail, "WORK")).collect();
    let fields = vec![
        field(271_316, "Телефон", Some("PHONE"), "multitext", numbers(&person.phones)),
        field(271_318, "Email", Some("EMAIL"), "multitext", mails),
        field(271_314, "Должность", Some("POSITION"), "text", vec![json!({ "value": person.job_title })]),
        field(
            771_001,
            "Уровень поддержки",
            None,
            "select",
            vec![json!({ "value": person.service_level, "enum_id": 5 })],
        ),
        field(
            771_002,
            "Лимит кредита",
            None,
            "numeric",
            vec![json!({ "value": marks.amount("contact.771002", number) })],
        ),
        field(771_003, "IBAN", None, "text", vec![json!({ "value": marks.iban("contact.771003", number) })]),
    ];
    let companies: Vec<Value> =
        person.company.iter().map(|company| json!({ "id": company_id(*company) })).collect();
    let record = json!({
        "id": id(number),
        "name": person.full_name(),
        "first_name": person.first_name,
        "last_name": person.last_name,
        "responsible_user_id": marks.count("contact.responsible_user_id", number),
        "group_id": 0,
        "created_by": marks.count("contact.created_by", number),
        "updated_by": 0,
        "created_at": person.created.as_second(),
        "updated_at": person.updated.as_second(),
        "closest_task_at": Value::Null,
        "is_deleted": false,
        "is_unsorted": false,
        "custom_fields_values": fields,
        "account_id": 28_805_383,
        "score": marks.count("contact.score", number),
        "_links": { "self": { "href": format!("{}/api/v4/contacts/{}", world.url(), id(number)) } },
        "_embedded": { "tags": [{ "id": 1, "name": marks.text("contact.tags", number) }], "companies": companies },
    });
    members(planting::with_own(record, &person.own))
}

fn company(company: &Company, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = company.number;
    let fields = vec![
        field(271_320, "Телефон", Some("PHONE"), "multitext", numbers(std::slice::from_ref(&company.phone))),
        field(271_324, "Web", Some("WEB"), "url", vec![json!({ "value": company.website() })]),
        field(271_328, "Адрес", Some("ADDRESS"), "textarea", vec![json!({ "value": company.city })]),
        field(
            771_101,
            "Оборот",
            None,
            "numeric",
            vec![json!({ "value": marks.amount("company.771101", number) })],
        ),
    ];
    members(json!({
        "id": company_id(number),
        "name": company.name,
        "responsible_user_id": marks.count("company.responsible_user_id", number),
        "created_at": company.created.as_second(),
        "updated_at": company.updated.as_second(),
        "custom_fields_values": fields,
        "_embedded": { "tags": [] },
    }))
}

fn lead(of: u64, world: &World) -> Value {
    json!({
        "id": 9_001,
        "name": world.marks.text("lead.name", of),
        "price": world.marks.count("lead.price", of),
        "status_id": world.marks.count("lead.status_id", of),
    })
}

/// The leads of a contact, those that were made over the wire among them.
fn leads(of: u64, world: &World) -> Value {
    let person = crate::shape::number_of(world, |number| id(number) == of);
    let made = world.shelf.about(person).into_iter().map(|made| Value::Object(made.body));
    std::iter::once(lead(of, world)).chain(made).collect()
}

fn metadata(world: &World, kind: Kind) -> Answer {
    let example = world.read(|people| match kind {
        Kind::Contacts => people.persons.first().map(|person| contact(person, world)),
        Kind::Companies => people.companies.first().map(|one| company(one, world)),
    });
    let fields: Vec<Value> = example
        .and_then(|record| record.get("custom_fields_values").cloned())
        .and_then(|fields| fields.as_array().cloned())
        .unwrap_or_default()
        .into_iter()
        .map(|field| {
            let name = field["field_name"].as_str().unwrap_or_default();
            let code = field["field_code"].as_str().unwrap_or_default();
            let label = world.label(code, &world.label(&field["field_id"].to_string(), name));
            json!({ "id": field["field_id"], "name": label, "code": field["field_code"] })
        })
        .collect();
    Answer::json(200, &json!({ "_embedded": { "custom_fields": fields } })).with_hal()
}

fn note(wanted: &str, call: &Call, world: &World) -> Answer {
    let body = call.json();
    let text = body[0]["params"]["text"].as_str().unwrap_or_default();
    let person = world
        .read(|people| people.living().find(|p| id(p.number).to_string() == wanted).map_or(0, |p| p.number));
    if person == 0 || body[0]["note_type"] != "common" {
        return problem(400, "Bad Request");
    }
    let number = world.note(person, text);
    Answer::json(
        200,
        &json!({ "_embedded": { "notes": [{ "id": number, "entity_id": id(person), "request_id": "0" }] } }),
    )
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

pub(crate) fn problem(status: u16, detail: &str) -> Answer {
    let body = json!({
        "title": "Error",
        "type": "https://httpstatus.es/",
        "status": status,
        "detail": detail,
    });
    let mut answer = Answer::json(status, &body);
    answer.headers = vec![("content-type".to_owned(), "application/problem+json".to_owned())];
    answer
}
