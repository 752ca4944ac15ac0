//! Frappe with ERPNext or Frappe CRM, as its source says: contacts.
//!
//! Traps: a list sends only `name` unless it is told more, a single document comes whole, child tables and comments
//! included; times are in the zone of the site; a list without a size has twenty rows; an unknown field is a 417 and
//! its traceback quotes data; the limit of a site is a 429.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::people::{Company, Person};
use crate::shape::{
    base64, hmac_sha256, names_of, ordered, page_in_200, pick, read_space_time, slice, strangers, with_deals,
    word, zoned_time,
};
use crate::switch::Fault;
use crate::wire::{Answer, Call, Delivery};
use crate::{Crm, World, planting};

const LIST_PARAMETERS: [&str; 8] =
    ["fields", "filters", "or_filters", "order_by", "limit_start", "limit_page_length", "limit", "as_dict"];
/// What may be filtered by.
const FILTERS: [&str; 5] = ["name", "email_id", "phone", "mobile_no", "modified"];

/// A Frappe site.
#[derive(Debug, Default)]
pub struct Frappe;

impl Frappe {
    /// The key of the API user.
    pub const API_KEY: &'static str = "6a1c0f9b7e2d4c3";
    /// Its secret.
    pub const API_SECRET: &'static str = "frappe-secret-Wm4";
    /// The key and the secret of the API user that plants.
    pub const PLANT_KEY: &'static str = "2d4c36a1c0f9b7e";
    /// Its secret.
    pub const PLANT_SECRET: &'static str = "frappe-planting-Xn5";
    /// The time zone of the site.
    pub const ZONE: &'static str = "Asia/Jakarta";
    /// The secret of the webhook.
    pub const WEBHOOK_SECRET: &'static str = "frappe-webhook-secret-Tz1";

    /// The name, that is the id, of a person's document.
    pub fn name(person: &Person, company: Option<&Company>) -> String {
        if let Some(name) = person.own.get("name").and_then(Value::as_str) {
            return name.to_owned();
        }
        company.map_or(person.full_name(), |company| format!("{}-{}", person.full_name(), company.name))
    }

    /// A message that a person was updated: what the hook was told to send, here the whole document.
    pub fn updated(&self, world: &World, number: u32) -> Delivery {
        let found = world.read(|people| {
            let person = people.person(number)?;
            Some(contact(world, person, people.company_of(person), true))
        });
        let mut record = found.unwrap_or_default();
        record["doctype"] = json!("Contact");
        let body = record.to_string();
        let signature = base64(hmac_sha256(Self::WEBHOOK_SECRET, body.as_bytes()));
        Delivery {
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("x-frappe-webhook-signature".to_owned(), signature),
            ],
            query: Vec::new(),
            body: Bytes::from(body),
        }
    }
}

impl Crm for Frappe {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let token = format!("{}:{}", Self::API_KEY, Self::API_SECRET);
        let planting = format!("{}:{}", Self::PLANT_KEY, Self::PLANT_SECRET);
        let plants = call.authorization("token") == Some(&planting);
        if call.authorization("token") != Some(&token) && !plants {
            return exception(401, "AuthenticationError", "frappe.exceptions.AuthenticationError");
        }
        if let Some(page) = page_in_200(world) {
            return page;
        }
        if let Some(answer) = plants.then(|| planting::frappe::answer(call, world)).flatten() {
            return answer;
        }
        match (call.method.as_str(), call.segments().as_slice()) {
            ("GET", ["api", "resource", "Contact"]) => list(call, world),
            ("GET", ["api", "resource", "Contact", name]) => one(call, world, name),
            ("POST", ["api", "resource", "Comment"]) => comment(call, world),
            ("GET", ["api", "resource", doctype, ..]) => {
                exception(403, "PermissionError", "frappe.exceptions.PermissionError")
                    .forbidden(format!("doctype {doctype}"))
            }
            _ => exception(404, "DoesNotExistError", "not found")
                .forbidden(format!("{} {}", call.method, call.path)),
        }
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        exception(429, "TooManyRequestsError", "frappe.exceptions.TooManyRequestsError")
            .with("x-ratelimit-limit", "1000000")
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", "9")
            .with("retry-after", "9")
    }

    fn secrets(&self) -> Vec<String> {
        [Self::API_SECRET, Self::PLANT_SECRET, Self::WEBHOOK_SECRET].map(str::to_owned).to_vec()
    }
}

pub(crate) fn exception(status: u16, kind: &str, exception: &str) -> Answer {
    Answer::json(status, &json!({"exc_type": kind, "exception": exception, "_server_messages": "[]"}))
}

fn list(call: &Call, world: &World) -> Answer {
    let unknown = call.unknown_params(&LIST_PARAMETERS);
    let mut forbidden: Vec<String> = unknown.into_iter().map(|name| format!("parameter {name}")).collect();
    let parse = |name: &str| call.param(name).and_then(|text| serde_json::from_str::<Value>(text).ok());
    let filters = match (conditions(parse("filters").as_ref()), conditions(parse("or_filters").as_ref())) {
        (Ok(all), Ok(any)) => (all, any),
        (Err(field), _) | (_, Err(field)) => {
            let quoted = format!("pymysql.err.OperationalError: Unknown column '{field}'");
            return exception(417, "DataError", &quoted).forbidden(format!("filter by {field}"));
        }
    };
    let fields: Option<Vec<String>> = parse("fields").and_then(|fields| serde_json::from_value(fields).ok());
    let asked = fields.clone().unwrap_or_default();
    if asked.iter().any(|name| name == "*") {
        forbidden.push("every field".to_owned());
    }
    if call.number("limit_start").is_some_and(|start| start > 0) {
        world.shift();
    }
    let by_change =
        call.param("order_by").is_some_and(|order| order.contains("modified") && order.contains("asc"));
    let records: Vec<Value> = world.read(|people| {
        let mut found = ordered(people, by_change);
        if !by_change {
            // The default is the newest change first.
            found.sort_by_key(|person| std::cmp::Reverse((person.updated, person.number)));
        }
        let records =
            found.into_iter().map(|person| contact(world, person, people.company_of(person), false));
        let fits = |row: &Value| {
            filters.0.iter().all(|one| fits(row, one))
                && (filters.1.is_empty() || filters.1.iter().any(|one| fits(row, one)))
        };
        records.filter(fits).collect()
    });
    let sample =
        world.read(|people| people.persons.first().map(|person| contact(world, person, None, false)));
    let everything = asked.iter().any(|name| name == "*") || world.switch.is_on(Fault::SelectionIgnored);
    let chosen = (!everything).then(|| fields.unwrap_or_else(|| vec!["name".to_owned()]));
    if let (Some(names), Some(sample)) = (&chosen, sample) {
        let strangers = strangers(&sample, names);
        if !strangers.is_empty() {
            let quoted = format!(
                "frappe.exceptions.DataError: Field not permitted in query: {}",
                strangers.join(", ")
            );
            return exception(417, "DataError", &quoted).asking(asked).forbidding(forbidden);
        }
    }
    let size = call.number("limit_page_length").or(call.number("limit")).unwrap_or(20);
    let page = slice(&records, call.number("limit_start").unwrap_or(0), size);
    let page: Vec<Value> = page.iter().map(|record| pick(record.clone(), chosen.as_deref())).collect();
    Answer::json(200, &json!({"data": page})).asking(asked).forbidding(forbidden)
}

fn one(call: &Call, world: &World, name: &str) -> Answer {
    let unknown = call.unknown_params(&["fields"]);
    let found = world.read(|people| {
        let named = |person: &&Person| Frappe::name(person, people.company_of(person)) == name;
        let person = people.living().find(named)?;
        Some(contact(world, person, people.company_of(person), true))
    });
    let Some(record) = found else {
        return exception(404, "DoesNotExistError", &format!("Contact {name} not found"));
    };
    let asked = names_of(&record);
    Answer::json(200, &json!({"data": record}))
        .asking(asked)
        .forbidding(unknown.into_iter().map(|name| format!("parameter {name}")))
}

fn comment(call: &Call, world: &World) -> Answer {
    let body = call.json();
    if body["reference_doctype"] != "Contact" || body["comment_type"] != "Comment" {
        return exception(403, "PermissionError", "frappe.exceptions.PermissionError")
            .forbidden("wrote a record");
    }
    let name = word(&body["reference_name"]);
    let person = world.read(|people| {
        let mut persons = people.persons.iter();
        persons
            .find(|person| Frappe::name(person, people.company_of(person)) == name)
            .map(|person| person.number)
    });
    let number = world.note(person.unwrap_or(0), word(&body["content"]));
    Answer::json(200, &json!({"data": {"name": format!("comment{number}")}}))
}

type Condition = (String, String, Value);

/// `[["email_id", "=", "x"]]`, or with the doctype in front, or `{"email_id": "x"}`. Err with a field that is no field.
fn conditions(filters: Option<&Value>) -> Result<Vec<Condition>, String> {
    let mut conditions = Vec::new();
    match filters {
        Some(Value::Array(terms)) => {
            for term in terms {
                let parts = term.as_array().map(Vec::as_slice).unwrap_or_default();
                let (field, operator, value) = match parts {
                    [field, operator, value] | [_, field, operator, value] => (field, operator, value),
                    _ => return Err(term.to_string()),
                };
                conditions.push((word(field).to_owned(), word(operator).to_owned(), value.clone()));
            }
        }
        Some(Value::Object(members)) => {
            conditions
                .extend(members.iter().map(|(field, value)| (field.clone(), "=".to_owned(), value.clone())));
        }
        _ => {}
    }
    let stranger = conditions.iter().find(|(field, ..)| !FILTERS.contains(&field.as_str()));
    stranger.map(|(field, ..)| field.clone()).map_or(Ok(conditions), Err)
}

fn fits(row: &Value, (field, operator, value): &Condition) -> bool {
    let held = &row[field.as_str()];
    match operator.as_str() {
        // The database compares without regard to case.
        "=" => !word(value).is_empty() && word(held).to_lowercase() == word(value).to_lowercase(),
        ">" | ">=" => {
            let at = |value: &Value| read_space_time(word(value), Frappe::ZONE);
            at(value).zip(at(held)).is_some_and(|(since, at)| at > since || (operator == ">=" && at == since))
        }
        _ => false,
    }
}

fn contact(world: &World, person: &Person, company: Option<&Company>, whole: bool) -> Value {
    let marks = &world.marks;
    let number = person.number;
    let mut record = json!({
        "name": Frappe::name(person, company),
        "owner": marks.text("contact.owner", number),
        "creation": zoned_time(person.created, Frappe::ZONE),
        "modified": zoned_time(person.updated, Frappe::ZONE),
        "modified_by": marks.text("contact.modified_by", number),
        "docstatus": 0,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "full_name": person.full_name(),
        "email_id": person.email(),
        "phone": person.phone().map(|phone| phone.e164.clone()),
        "mobile_no": person.mobile().map(|phone| phone.e164.clone()),
        "company_name": company.map(|company| company.name.clone()),
        "designation": person.job_title,
        "custom_language": person.language,
        "custom_service_level": person.service_level,
        "custom_support_until": person.support_until.to_string(),
        "custom_city": person.city,
        "status": marks.text("contact.status", number),
        "user": marks.text("contact.user", number),
        "custom_annual_revenue": marks.money("contact.custom_annual_revenue", number),
        "custom_credit_limit": marks.money("contact.custom_credit_limit", number),
        "custom_iban": marks.iban("contact.custom_iban", number),
        "_user_tags": format!(",VIP {}", marks.text("contact._user_tags", number)),
        "_comments": json!([{"comment": marks.text("contact._comments", number), "by": "sales"}]).to_string(),
        "_assign": json!([marks.text("contact._assign", number)]).to_string(),
    });
    if whole && let Some(members) = record.as_object_mut() {
        let mails = person.emails.iter().enumerate();
        let mails = mails
            .map(|(at, mail)| json!({"email_id": mail, "is_primary": u8::from(at == 0), "parent": number}));
        let phones = person.phones.iter().map(|phone| {
            json!({"phone": phone.e164, "is_primary_mobile_no": u8::from(phone.mobile), "parent": number})
        });
        let link = json!({"link_doctype": "Customer", "link_name": company.map(|company| company.name.clone()),
            "link_title": marks.text("contact.links.link_title", number)});
        members.insert("email_ids".to_owned(), mails.collect());
        members.insert("phone_nos".to_owned(), phones.collect());
        members.insert("links".to_owned(), json!([link]));
        members.insert(
            "__onload".to_owned(),
            json!({"outstanding": marks.money("contact.__onload.outstanding", number)}),
        );
    }
    with_deals(world, number, "deals", planting::with_own(record, &person.own))
}
