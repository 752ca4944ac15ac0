//! EspoCRM 9, as its source says.
//!
//! Traps: only lists can be told what to send, a single record always comes whole; `attributeSelect` beats `select`; a
//! filter on an attribute that the role may not read is a 403, while a selection of it is silently dropped; a page of
//! more than 200 is a 403; `X-No-Total` turns the total into −1 (there is more) or −2 (there is not); webhooks are
//! signed twice, once as hexadecimal digits and once raw.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::people::{Company, Person};
use crate::shape::{
    base64, comma_list, from_base64, hex, hmac_sha256, number_of, ordered, page_in_200, pick,
    read_space_time, slice, space_time, with_deals, word,
};
use crate::switch::Fault;
use crate::wire::{Answer, Call, Delivery};
use crate::{Crm, World, planting};

/// The server's cap on a page.
pub const PAGE_MAX: usize = 200;

const LIST_PARAMETERS: [&str; 6] = ["select", "attributeSelect", "maxSize", "offset", "orderBy", "order"];
/// What may be filtered by.
const FILTERS: [&str; 5] = ["id", "emailAddress", "phoneNumber", "modifiedAt", "deleted"];
/// What a list sends unless it is told.
const DEFAULT_SET: [&str; 6] =
    ["id", "name", "accountName", "emailAddress", "phoneNumber", "assignedUserName"];

/// EspoCRM.
#[derive(Debug, Default)]
pub struct EspoCrm;

impl EspoCrm {
    /// The key of an API user.
    pub const API_KEY: &'static str = "espo4f9c2b7d1e";
    /// The key of the API user that plants.
    pub const PLANT_KEY: &'static str = "espo7d1e4f9c2b";
    /// The key of an API user that signs.
    pub const HMAC_KEY: &'static str = "espo-hmac-11aa";
    /// Its secret.
    pub const HMAC_SECRET: &'static str = "espo-hmac-secret-Yp3";
    /// The id of the webhook.
    pub const WEBHOOK_ID: &'static str = "66f1a2b3c4d5e6f70";
    /// Its secret.
    pub const WEBHOOK_SECRET: &'static str = "espo-webhook-secret-Rr8";

    /// The id of a person's record: seventeen hexadecimal digits.
    pub fn contact_id(number: u32) -> String {
        format!("65c0ffee0{number:08x}")
    }

    /// A message that these people were updated: only the attributes that changed, whatever they are.
    pub fn updated(&self, world: &World, numbers: &[u32]) -> Delivery {
        let records = numbers.iter().map(|number| {
            json!({
                "id": Self::contact_id(*number),
                "description": world.marks.text("contact.description", number),
                "opportunityRole": world.marks.text("contact.opportunityRole", number),
                "cCreditLimit": world.marks.amount("contact.cCreditLimit", number),
            })
        });
        let body = Value::from_iter(records).to_string();
        let digest = hmac_sha256(Self::WEBHOOK_SECRET, body.as_bytes());
        let raw = [Self::WEBHOOK_ID.as_bytes(), b":", &digest].concat();
        Delivery {
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("signature".to_owned(), base64(format!("{}:{}", Self::WEBHOOK_ID, hex(&digest)))),
                ("x-signature".to_owned(), base64(raw)),
            ],
            query: Vec::new(),
            body: Bytes::from(body),
        }
    }

    fn known(call: &Call) -> bool {
        if let Some(key) = call.header("x-api-key") {
            return key == Self::API_KEY || key == Self::PLANT_KEY;
        }
        let Some(given) = call.header("x-hmac-authorization").and_then(from_base64) else { return false };
        let resource = call.path.strip_prefix("/api/v1").unwrap_or(&call.path);
        let digest = hmac_sha256(Self::HMAC_SECRET, format!("{} {resource}", call.method).as_bytes());
        given == format!("{}:{}", Self::HMAC_KEY, hex(&digest))
    }
}

/// A post in the stream of a record.
fn post(call: &Call, world: &World) -> Answer {
    let body = call.json();
    if body["type"] != "Post" || body["parentType"] != "Contact" {
        return Answer::empty(403).forbidden("wrote a record");
    }
    let parent = body["parentId"].as_str().unwrap_or_default();
    let person = number_of(world, |number| EspoCrm::contact_id(number) == parent);
    let number = world.note(person, word(&body["post"]));
    Answer::json(200, &json!({"id": format!("65900000000{number:06x}"), "type": "Post"}))
}

impl Crm for EspoCrm {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        if !Self::known(call) {
            return Answer::empty(401).with("x-status-reason", "Wrong credentials.");
        }
        if let Some(page) = page_in_200(world) {
            return page;
        }
        let plants = call.header("x-api-key") == Some(Self::PLANT_KEY);
        if let Some(answer) = plants.then(|| planting::espocrm::answer(call, world)).flatten() {
            return answer;
        }
        match (call.method.as_str(), call.segments().as_slice()) {
            ("POST", ["api", "v1", "Note"]) => post(call, world),
            ("GET", ["api", "v1", "Contact"]) => list(call, world),
            ("GET", ["api", "v1", "Contact", id]) => one(world, |people| {
                let person = people.living().find(|person| Self::contact_id(person.number) == *id)?;
                Some(contact(world, person, people.company_of(person)))
            }),
            ("GET", ["api", "v1", "Account", id]) => one(world, |people| {
                let company = people.companies.iter().find(|company| account_id(company.number) == *id)?;
                Some(account(world, company))
            }),
            _ => Answer::empty(404).forbidden(format!("{} {}", call.method, call.path)),
        }
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        // EspoCRM has no limit of its own; the web server before it has.
        Answer::text(429, "text/html", "<html><title>429 Too Many Requests</title></html>")
            .with("retry-after", "5")
    }

    fn secrets(&self) -> Vec<String> {
        [Self::API_KEY, Self::PLANT_KEY, Self::HMAC_SECRET, Self::WEBHOOK_SECRET].map(str::to_owned).to_vec()
    }
}

fn one(world: &World, find: impl FnOnce(&crate::people::People) -> Option<Value>) -> Answer {
    world.read(find).map_or_else(
        || Answer::empty(404).with("x-status-reason", "Record not found."),
        |record| {
            let asked = crate::shape::names_of(&record);
            Answer::json(200, &record).asking(asked)
        },
    )
}

fn list(call: &Call, world: &World) -> Answer {
    let known = |name: &String| LIST_PARAMETERS.contains(&name.as_str()) || name.starts_with("where[");
    let unknown = call.query.iter().map(|(name, _)| name).filter(|name| !known(name));
    let forbidden: Vec<String> = unknown.map(|name| format!("parameter {name}")).collect();
    let conditions = match conditions(call) {
        Ok(conditions) => conditions,
        Err(field) => {
            return Answer::empty(403)
                .with("x-status-reason", "Forbidden attribute in where.")
                .forbidden(format!("filter by {field}"));
        }
    };
    let size = call.number("maxSize").unwrap_or(20);
    if size > PAGE_MAX {
        return Answer::empty(403)
            .with("x-status-reason", "Max size should should not exceed 200. Use offset and limit.");
    }
    if call.number("offset").is_some_and(|offset| offset > 0) {
        world.shift();
    }
    let by_change = call.param("orderBy") == Some("modifiedAt");
    let names = call.param("attributeSelect").or(call.param("select")).map(comma_list);
    let asked = names.clone().unwrap_or_default();
    let names = names.unwrap_or_else(|| DEFAULT_SET.map(str::to_owned).to_vec());
    let chosen = (!world.switch.is_on(Fault::SelectionIgnored)).then_some(with_id(names));
    let found = world.read(|people| {
        let fits = |person: &&Person| conditions.iter().all(|condition| condition.fits(person));
        let found = ordered(people, by_change).into_iter().filter(fits);
        let records = found.map(|person| contact(world, person, people.company_of(person)));
        records.map(|record| pick(record, chosen.as_deref())).collect::<Vec<_>>()
    });
    let offset = call.number("offset").unwrap_or(0);
    let page = slice(&found, offset, size);
    let total = match call.header("x-no-total") {
        Some("true") if offset + page.len() < found.len() => -1,
        Some("true") => -2,
        _ => i64::try_from(found.len()).unwrap_or(i64::MAX),
    };
    Answer::json(200, &json!({"total": total, "list": page})).asking(asked).forbidding(forbidden)
}

fn with_id(mut names: Vec<String>) -> Vec<String> {
    if !names.iter().any(|name| name == "id") {
        names.push("id".to_owned());
    }
    names
}

struct Condition {
    kind: String,
    attribute: String,
    value: String,
}

impl Condition {
    fn fits(&self, person: &Person) -> bool {
        match (self.attribute.as_str(), self.kind.as_str()) {
            ("id", "equals") => EspoCrm::contact_id(person.number) == self.value,
            ("emailAddress", "equals") => person.has_email(&self.value),
            ("phoneNumber", "equals") => person.phones.iter().any(|phone| phone.e164 == self.value),
            ("modifiedAt", "after") => {
                read_space_time(&self.value, "UTC").is_some_and(|since| person.updated > since)
            }
            ("modifiedAt", "greaterThanOrEquals") => {
                read_space_time(&self.value, "UTC").is_some_and(|since| person.updated >= since)
            }
            ("deleted", "equals" | "isFalse") => true,
            _ => false,
        }
    }
}

/// `where[0][type]`, `where[0][attribute]` (old: `field`), `where[0][value]`. Err with an attribute that is forbidden.
fn conditions(call: &Call) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    for at in 0..8 {
        let part = |name: &str| call.param(&format!("where[{at}][{name}]")).map(str::to_owned);
        let Some(attribute) = part("attribute").or(part("field")) else { continue };
        if !FILTERS.contains(&attribute.as_str()) {
            return Err(attribute);
        }
        let kind = part("type").unwrap_or_default();
        conditions.push(Condition { kind, attribute, value: part("value").unwrap_or_default() });
    }
    Ok(conditions)
}

pub(crate) fn account_id(number: u32) -> String {
    format!("65acc0000{number:08x}")
}

fn contact(world: &World, person: &Person, company: Option<&Company>) -> Value {
    let marks = &world.marks;
    let number = person.number;
    let mails = person.emails.iter().enumerate().map(|(at, mail)| {
        json!({"emailAddress": mail, "lower": mail.to_lowercase(), "primary": at == 0, "optOut": false, "invalid": false})
    });
    let phones = person.phones.iter().enumerate().map(|(at, phone)| {
        let kind = if phone.mobile { "Mobile" } else { "Office" };
        json!({"phoneNumber": phone.e164, "primary": at == 0, "type": kind, "optOut": false, "invalid": false})
    });
    let record = json!({
        "id": EspoCrm::contact_id(number),
        "name": person.full_name(),
        "firstName": person.first_name,
        "lastName": person.last_name,
        "deleted": false,
        "title": person.job_title,
        "emailAddress": person.email(),
        "emailAddressData": Value::from_iter(mails),
        "phoneNumber": person.phones.first().map(|phone| phone.e164.clone()),
        "phoneNumberData": Value::from_iter(phones),
        "addressStreet": person.street,
        "addressCity": person.city,
        "addressPostalCode": person.postal_code,
        "addressCountry": person.country_name,
        "accountId": company.map(|company| account_id(company.number)),
        "accountName": company.map(|company| company.name.clone()),
        "createdAt": space_time(person.created),
        "modifiedAt": space_time(person.updated),
        "cLanguage": person.language,
        "cServiceLevel": person.service_level,
        "cSupportUntil": person.support_until.to_string(),
        "description": format!("margin is low, {}", marks.text("contact.description", number)),
        "opportunityRole": marks.text("contact.opportunityRole", number),
        "campaignId": marks.text("contact.campaignId", number),
        "campaignName": marks.text("contact.campaignName", number),
        "originalLeadId": marks.text("contact.originalLeadId", number),
        "originalLeadName": marks.text("contact.originalLeadName", number),
        "assignedUserId": marks.text("contact.assignedUserId", number),
        "assignedUserName": marks.text("contact.assignedUserName", number),
        "createdByName": marks.text("contact.createdByName", number),
        "cCreditLimit": marks.money("contact.cCreditLimit", number),
        "cCreditLimitCurrency": "EUR",
        "cIban": marks.iban("contact.cIban", number),
    });
    with_deals(world, number, "opportunities", planting::with_own(record, &person.own))
}

fn account(world: &World, company: &Company) -> Value {
    let marks = &world.marks;
    let number = company.number;
    let record = json!({
        "id": account_id(number),
        "name": company.name,
        "website": company.website(),
        "phoneNumber": company.phone.e164,
        "billingAddressCity": company.city,
        "billingAddressCountry": company.country_name,
        "modifiedAt": space_time(company.updated),
        "sicCode": marks.text("account.sicCode", number),
        "description": marks.text("account.description", number),
        "assignedUserName": marks.text("account.assignedUserName", number),
    });
    planting::with_own(record, &company.own)
}
