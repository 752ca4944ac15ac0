//! Twenty, as its source says.
//!
//! Traps: most versions can't be told what to send over REST (the newest know `fields`, the others ignore it);
//! `depth=0` has been ignored, too; addresses and numbers are composite; a number is split into country and rest, so
//! that it can't be searched for in one piece; webhooks carry the whole record before and after.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::people::{Company, Person};
use crate::shape::{
    base64, comma_list, deals, from_base64, hex, hmac_sha256, page_in_200, pick, strangers, word,
};
use crate::switch::Fault;
use crate::wire::{Answer, Call, Delivery};
use crate::{Crm, World, planting};

/// Most records of a page.
pub const PAGE_MAX: usize = 60;

const LIST_PARAMETERS: [&str; 7] =
    ["filter", "order_by", "limit", "starting_after", "ending_before", "depth", "fields"];
/// What may be filtered by.
const FILTERS: [&str; 5] =
    ["id", "emails.primaryEmail", "emails.additionalEmails", "phones.primaryPhoneNumber", "updatedAt"];

/// Twenty.
#[derive(Debug, Default)]
pub struct Twenty {
    /// Whether this version knows `fields`.
    pub knows_fields: bool,
    /// Whether this version ignores `depth`.
    pub ignores_depth: bool,
}

impl Twenty {
    /// An API key.
    pub const API_KEY: &'static str = "eyJhbGciOiJIUzI1NiJ9.twenty-key-Hq7";
    /// The API key whose role may write.
    pub const PLANT_KEY: &'static str = "eyJhbGciOiJIUzI1NiJ9.twenty-planting-Jr9";
    /// The secret of the webhook.
    pub const WEBHOOK_SECRET: &'static str = "twenty-webhook-secret-Bn5";

    /// The id of a person's record.
    pub fn person_id(number: u32) -> String {
        format!("20202020-0687-4c41-b707-{number:012x}")
    }

    /// A message that a person was updated, with the whole record.
    pub fn updated(&self, world: &World, number: u32) -> Delivery {
        let record = world
            .read(|people| people.person(number).map(|one| person(world, one, people.company_of(one), true)));
        let body = json!({
            "targetUrl": "http://guichet/hooks",
            "eventName": "person.updated",
            "objectMetadata": {"id": "20202020-e674-48e5-a542-72570eee7213", "nameSingular": "person"},
            "workspaceId": "20202020-1c25-4d02-bf25-6aeccf7ea419",
            "eventDate": world.now().to_string(),
            "record": record,
            "updatedFields": ["jobTitle"],
        })
        .to_string();
        let stamp = world.now().as_millisecond().to_string();
        let digest = hmac_sha256(Self::WEBHOOK_SECRET, format!("{stamp}:{body}").as_bytes());
        Delivery {
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("x-twenty-webhook-signature".to_owned(), hex(&digest)),
                ("x-twenty-webhook-timestamp".to_owned(), stamp.clone()),
                ("x-twenty-webhook-nonce".to_owned(), format!("nonce{stamp}")),
            ],
            query: Vec::new(),
            body: Bytes::from(body),
        }
    }

    fn relations(&self, call: &Call, world: &World) -> bool {
        let wanted = call.param("depth") != Some("0");
        wanted || self.ignores_depth || world.switch.is_on(Fault::EmbedDeals)
    }

    fn list(&self, call: &Call, world: &World) -> Answer {
        let unknown = call.unknown_params(&LIST_PARAMETERS);
        let forbidden: Vec<String> = unknown.into_iter().map(|name| format!("parameter {name}")).collect();
        let filter = match Filter::read(call.param("filter")) {
            Ok(filter) => filter,
            Err(field) => {
                return bad(&format!("'filter' invalid for '{field}'"))
                    .forbidden(format!("filter by {field}"));
            }
        };
        if call.param("starting_after").is_some() {
            world.shift();
        }
        let relations = self.relations(call, world);
        let by_change = call.param("order_by").is_some_and(|order| order.starts_with("updatedAt"));
        let mut found: Vec<(String, Value)> = world.read(|people| {
            let fits = people.living().filter(|one| filter.fits(one));
            let row = |one: &Person| {
                // Without an order of its own a list is in the order of ids.
                let key = if by_change {
                    format!("{}~{:08}", one.updated, one.number)
                } else {
                    format!("{:08}", one.number)
                };
                (key, person(world, one, people.company_of(one), relations))
            };
            fits.map(row).collect()
        });
        found.sort_by(|one, other| one.0.cmp(&other.0));
        let total = found.len();
        let after = call.param("starting_after").and_then(from_base64);
        found.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        let limit = call.number("limit").unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let more = found.len() > limit;
        found.truncate(limit);
        let cursor = |row: Option<&(String, Value)>| row.map(|(key, _)| base64(key));
        let (start, end) = (cursor(found.first()), cursor(found.last()));
        let records: Vec<Value> = found.into_iter().map(|(_, record)| record).collect();
        self.chosen(call, world, records, |records| {
            let info = json!({"hasNextPage": more, "hasPreviousPage": after.is_some(), "startCursor": start, "endCursor": end});
            json!({"data": {"people": records}, "totalCount": total, "pageInfo": info})
        })
        .forbidding(forbidden)
    }

    fn one(&self, call: &Call, world: &World, id: &str) -> Answer {
        let relations = self.relations(call, world);
        let found = world.read(|people| {
            let one = people.living().find(|one| Self::person_id(one.number) == id)?;
            Some(person(world, one, people.company_of(one), relations))
        });
        let Some(record) = found else { return not_found() };
        self.chosen(call, world, vec![record], |mut records| json!({"data": {"person": records.pop()}}))
    }

    fn one_company(&self, call: &Call, world: &World, id: &str) -> Answer {
        let deep = call.param("depth") != Some("0") || self.ignores_depth;
        let found = world.read(|people| {
            let found = people.companies.iter().find(|one| company_id(one.number) == id)?;
            Some(company(world, found, deep))
        });
        let Some(record) = found else { return not_found() };
        self.chosen(call, world, vec![record], |mut records| json!({"data": {"company": records.pop()}}))
    }

    /// What is sent of records, and what was asked for.
    fn chosen(
        &self,
        call: &Call,
        world: &World,
        records: Vec<Value>,
        envelope: impl FnOnce(Vec<Value>) -> Value,
    ) -> Answer {
        let names = call.param("fields").map(comma_list);
        let asked = names.clone().unwrap_or_default();
        let names = names.filter(|_| self.knows_fields && !world.switch.is_on(Fault::SelectionIgnored));
        if let (Some(names), Some(first)) = (&names, records.first()) {
            let strangers = strangers(first, names);
            if !strangers.is_empty() {
                let wrong = format!(
                    "'fields' parameter invalid. Unknown or unreadable fields on 'person': {}",
                    strangers.join(", ")
                );
                return bad(&wrong).asking(asked);
            }
        }
        let records = records.into_iter().map(|record| pick(record, names.as_deref())).collect();
        Answer::json(200, &envelope(records)).asking(asked)
    }
}

impl Crm for Twenty {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let plants = call.authorization("bearer") == Some(Self::PLANT_KEY);
        if call.authorization("bearer") != Some(Self::API_KEY) && !plants {
            let body =
                json!({"statusCode": 401, "error": "UnauthorizedException", "messages": ["Token invalid."]});
            return Answer::json(401, &body);
        }
        if let Some(page) = page_in_200(world) {
            return page;
        }
        if let Some(answer) = plants.then(|| planting::twenty::answer(call, world)).flatten() {
            return answer;
        }
        match (call.method.as_str(), call.segments().as_slice()) {
            ("GET", ["rest", "people"]) => self.list(call, world),
            ("GET", ["rest", "people", id]) => self.one(call, world, id),
            ("GET", ["rest", "companies", id]) => self.one_company(call, world, id),
            ("POST", ["rest", "notes"]) => {
                // Whom a note is about is told in a second call.
                let body = call.json();
                world.note(0, &format!("{}: {}", word(&body["title"]), word(&body["bodyV2"]["markdown"])));
                Answer::json(201, &json!({"data": {"createNote": {"id": Self::person_id(9000)}}}))
            }
            _ => bad("object not found").forbidden(format!("{} {}", call.method, call.path)),
        }
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        let words = "Limit reached (100 tokens per 60000 ms)";
        Answer::json(429, &json!({"statusCode": 429, "error": "Too Many Requests", "messages": [words]}))
    }

    fn secrets(&self) -> Vec<String> {
        [Self::API_KEY, Self::PLANT_KEY, Self::WEBHOOK_SECRET].map(str::to_owned).to_vec()
    }
}

pub(crate) fn not_found() -> Answer {
    Answer::json(404, &json!({"statusCode": 404, "error": "Not Found", "messages": ["Record not found"]}))
}

pub(crate) fn bad(message: &str) -> Answer {
    Answer::json(400, &json!({"statusCode": 400, "error": "BadRequestException", "messages": [message]}))
}

/// `emails.primaryEmail[eq]:x`, or `and(…)` and `or(…)` of such.
struct Filter {
    any: bool,
    conditions: Vec<(String, String, String)>,
}

impl Filter {
    fn read(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self { any: false, conditions: Vec::new() }) };
        let inner = |word: &str| text.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')');
        let (any, terms) = match (inner("or"), inner("and")) {
            (Some(terms), _) => (true, terms),
            (_, Some(terms)) => (false, terms),
            _ => (false, text),
        };
        let mut conditions = Vec::new();
        for term in split_outside_quotes(terms) {
            let parts = term.split_once('[').and_then(|(field, rest)| Some((field, rest.split_once("]:")?)));
            let Some((field, (operator, value))) = parts else { return Err(term) };
            if !FILTERS.contains(&field) {
                return Err(field.to_owned());
            }
            let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            conditions.push((field.to_owned(), operator.to_owned(), value.to_owned()));
        }
        Ok(Self { any, conditions })
    }

    fn fits(&self, one: &Person) -> bool {
        let mut fits =
            self.conditions.iter().map(|(field, operator, value)| condition(one, field, operator, value));
        if self.any { fits.any(|fits| fits) } else { fits.all(|fits| fits) }
    }
}

fn split_outside_quotes(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        quoted ^= letter == '"';
        match parts.last_mut() {
            Some(last) if letter != ',' || quoted => last.push(letter),
            _ => parts.push(String::new()),
        }
    }
    parts
}

fn condition(one: &Person, field: &str, operator: &str, value: &str) -> bool {
    let national = || one.phones.first().map(|phone| split_number(&phone.e164).1);
    match (field, operator) {
        ("id", "eq") => Twenty::person_id(one.number) == value,
        ("emails.primaryEmail", "eq") => one.email() == value,
        ("emails.primaryEmail", "ilike") => one.email().to_lowercase() == value.to_lowercase(),
        ("emails.additionalEmails", "like") => {
            one.emails.iter().skip(1).any(|mail| mail.contains(value.trim_matches('%')))
        }
        ("phones.primaryPhoneNumber", "eq") => national().as_deref() == Some(value),
        ("updatedAt", "gt") => value.parse().is_ok_and(|since: jiff::Timestamp| one.updated > since),
        ("updatedAt", "gte") => value.parse().is_ok_and(|since: jiff::Timestamp| one.updated >= since),
        _ => false,
    }
}

/// The calling code with `+`, and the rest.
fn split_number(e164: &str) -> (String, String) {
    let code = ["+420", "+351", "+353", "+972", "+49", "+34", "+48", "+33", "+46", "+86", "+62", "+7"];
    let found = code
        .iter()
        .find_map(|code| e164.strip_prefix(code).map(|rest| ((*code).to_owned(), rest.to_owned())));
    found.unwrap_or_else(|| (String::new(), e164.to_owned()))
}

pub(crate) fn company_id(number: u32) -> String {
    format!("20202020-171e-4bcc-9cf7-{number:012x}")
}

fn person(world: &World, one: &Person, employer: Option<&Company>, relations: bool) -> Value {
    let marks = &world.marks;
    let number = one.number;
    let phones: Vec<(String, String)> = one.phones.iter().map(|phone| split_number(&phone.e164)).collect();
    let first = phones.first().cloned().unwrap_or_default();
    let more = phones
        .iter()
        .skip(1)
        .map(|(code, rest)| json!({"number": rest, "callingCode": code, "countryCode": one.country}));
    let mut record = json!({
        "id": Twenty::person_id(number),
        "createdAt": one.created.to_string(),
        "updatedAt": one.updated.to_string(),
        "deletedAt": Value::Null,
        "name": {"firstName": one.first_name, "lastName": one.last_name},
        "emails": {"primaryEmail": one.email(), "additionalEmails": one.emails.iter().skip(1).collect::<Vec<_>>()},
        "phones": {
            "primaryPhoneNumber": first.1, "primaryPhoneCallingCode": first.0, "primaryPhoneCountryCode": one.country,
            "additionalPhones": Value::from_iter(more),
        },
        "jobTitle": one.job_title,
        "city": one.city,
        "companyId": employer.map(|employer| company_id(employer.number)),
        "serviceLevel": one.service_level.to_uppercase(),
        "supportUntil": one.support_until.to_string(),
        "language": one.language,
        "timeZone": one.time_zone,
        "position": marks.count("person.position", number),
        "searchVector": format!("'x':1 {}", marks.text("person.searchVector", number)),
        "createdBy": {"source": "MANUAL", "name": marks.text("person.createdBy", number)},
        "intro": marks.text("person.intro", number),
        "leadScore": marks.count("person.leadScore", number),
        "creditLimit": {"amountMicros": marks.count("person.creditLimit", number), "currencyCode": "EUR"},
    });
    record = planting::with_own(record, &one.own);
    if relations && let Some(members) = record.as_object_mut() {
        members.insert(
            "company".to_owned(),
            employer.map_or(Value::Null, |employer| company(world, employer, false)),
        );
        members.insert("pointOfContactForOpportunities".to_owned(), deals(world, number));
    }
    record
}

fn company(world: &World, company: &Company, deep: bool) -> Value {
    let marks = &world.marks;
    let number = company.number;
    let mut record = json!({
        "id": company_id(number),
        "name": company.name,
        "domainName": {"primaryLinkUrl": company.website(), "primaryLinkLabel": "", "secondaryLinks": []},
        "address": {"addressCity": company.city, "addressCountry": company.country_name},
        "createdAt": company.created.to_string(),
        "updatedAt": company.updated.to_string(),
        "annualRecurringRevenue": {
            "amountMicros": marks.count("company.annualRecurringRevenue", number), "currencyCode": "EUR",
        },
        "idealCustomerProfile": true,
        "accountOwnerId": marks.text("company.accountOwnerId", number),
    });
    record = planting::with_own(record, &company.own);
    if deep && let Some(members) = record.as_object_mut() {
        members.insert("opportunities".to_owned(), deals(world, number));
    }
    record
}
