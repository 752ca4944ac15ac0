//! SuiteCRM 7.14 with the V8 API (JSON:API), as its source says.
//!
//! Traps: a record that is not there is a 400 like every other mistake; an error names the fields that were asked for;
//! without a page size there is no word about further pages; times go out as RFC 3339 and come in as `date time`;
//! a contact carries the hash of its portal password.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::people::{Company, Person};
use crate::shape::{
    comma_list, number_of, ordered, page_in_200, pick, read_space_time, slice, strangers, with_deals, word,
};
use crate::switch::Fault;
use crate::tokens::{Tokens, Worth};
use crate::wire::{Answer, Call};
use crate::{Crm, World, planting};

/// Seconds that an access token lasts.
pub const TOKEN_LASTS_S: i64 = 3600;

const PAGE_SIZE: usize = 20;
/// What may be filtered by.
const FILTERS: [&str; 6] = ["id", "email1", "phone_work", "phone_mobile", "date_modified", "deleted"];

/// SuiteCRM.
#[derive(Debug)]
pub struct SuiteCrm {
    tokens: Tokens,
}

impl Default for SuiteCrm {
    fn default() -> Self {
        Self { tokens: Tokens::new("suite", TOKEN_LASTS_S, "") }
    }
}

impl SuiteCrm {
    /// Client id that gets a token.
    pub const CLIENT_ID: &'static str = "3e1f7a52-guichet";
    /// Its secret.
    pub const CLIENT_SECRET: &'static str = "suite-secret-7Kq2vX";

    /// The secret of the client that plants.
    pub const PLANT_SECRET: &'static str = "suite-planting-8Lr3wY";

    /// The id of a person's record.
    pub fn contact_id(number: u32) -> String {
        format!("c0{number:06x}-1111-4222-8333-{number:012x}")
    }

    fn token(&self, call: &Call, world: &World) -> Answer {
        let given = |name: &str| {
            call.form_value(name)
                .or_else(|| call.json()[name].as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        if given("grant_type") != "client_credentials" {
            return Answer::json(400, &json!({"error": "unsupported_grant_type"}));
        }
        let plants = given("client_secret") == Self::PLANT_SECRET;
        if given("client_id") != Self::CLIENT_ID || (given("client_secret") != Self::CLIENT_SECRET && !plants)
        {
            let message = "Client authentication failed";
            return Answer::json(401, &json!({"error": "invalid_client", "message": message}));
        }
        let token = if plants { self.tokens.issue_planting(world) } else { self.tokens.issue(world) };
        let body = json!({"token_type": "Bearer", "expires_in": TOKEN_LASTS_S, "access_token": token});
        Answer::json(200, &body)
    }

    fn known(&self, call: &Call, world: &World) -> bool {
        call.authorization("bearer").is_some_and(|given| self.tokens.worth(given, world) == Worth::Valid)
    }
}

fn write_note(call: &Call, world: &World) -> Answer {
    let data = &call.json()["data"];
    if data["type"] != "Notes" {
        return error("Module is not writable here").forbidden("wrote a record");
    }
    let attributes = &data["attributes"];
    let parent = attributes["parent_id"].as_str().unwrap_or_default();
    let person = number_of(world, |number| SuiteCrm::contact_id(number) == parent);
    let text = format!("{}: {}", word(&attributes["name"]), word(&attributes["description"]));
    let id = format!("d0000000-0000-4000-8000-{:012x}", world.note(person, &text));
    Answer::json(201, &json!({"data": {"type": "Note", "id": id, "attributes": {}}}))
}

impl Crm for SuiteCrm {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        if call.path == "/Api/access_token" && call.method == "POST" {
            return self.token(call, world);
        }
        if !self.known(call, world) {
            let hint = "Access token could not be verified";
            return Answer::json(401, &json!({"error": "access_denied", "hint": hint, "message": "denied"}));
        }
        if let Some(page) = page_in_200(world) {
            return page;
        }
        let plants = call.authorization("bearer").is_some_and(|token| self.tokens.plants(token));
        if let Some(answer) = plants.then(|| planting::suitecrm::answer(call, world)).flatten() {
            return answer;
        }
        match (call.method.as_str(), call.segments().as_slice()) {
            ("POST", ["Api", "V8", "module"]) => write_note(call, world),
            ("GET", ["Api", "V8", "module", "Contacts"]) => list(call, world),
            ("GET", ["Api", "V8", "module", "Contacts", id]) => one_contact(call, world, id),
            ("GET", ["Api", "V8", "module", "Accounts", id]) => one_account(call, world, id),
            ("GET", ["Api", "V8", "meta", "fields", "Contacts"]) => meta(world),
            _ => error("no such route").forbidden(format!("{} {}", call.method, call.path)),
        }
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        // SuiteCRM has no limit of its own; the web server before it has.
        Answer::text(429, "text/html", "<html><title>429 Too Many Requests</title></html>")
            .with("retry-after", "7")
    }

    fn secrets(&self) -> Vec<String> {
        [Self::CLIENT_SECRET, Self::PLANT_SECRET].map(str::to_owned).to_vec()
    }
}

pub(crate) fn error(detail: &str) -> Answer {
    Answer::json(400, &json!({"errors": {"status": 400, "title": Value::Null, "detail": detail}}))
}

fn list(call: &Call, world: &World) -> Answer {
    let fields = match fields(call, world, "Contacts", &contact_names(world)) {
        Ok(fields) => fields,
        Err(answer) => return *answer,
    };
    let filter = match Filter::read(call) {
        Ok(filter) => filter,
        Err(detail) => return error(&detail).forbidden(detail),
    };
    let known = |name: &str| {
        name == "sort"
            || name.starts_with("fields[")
            || name.starts_with("filter[")
            || name.starts_with("page[")
    };
    if let Some((name, _)) = call.query.iter().find(|(name, _)| !known(name)) {
        return error(&format!("The option \"{name}\" does not exist."))
            .forbidden(format!("parameter {name}"));
    }
    if call.number("page[number]").is_some_and(|number| number > 1) {
        world.shift();
    }
    let by_change = call.param("sort").is_some_and(|sort| sort.trim_start_matches('-') == "date_modified");
    let records = world.read(|people| {
        let found = ordered(people, by_change).into_iter().filter(|person| filter.fits(person));
        found.map(|person| contact(world, person, people.company_of(person))).collect::<Vec<_>>()
    });
    let asked = fields.clone().unwrap_or_default();
    let chosen = fields.filter(|_| !world.switch.is_on(Fault::SelectionIgnored));
    let data = |records: &[Value]| -> Vec<Value> {
        records.iter().map(|record| resource("Contact", record, chosen.as_deref())).collect()
    };
    let Some(size) = call.number("page[size]") else {
        return Answer::json(200, &json!({"data": data(slice(&records, 0, PAGE_SIZE))})).asking(asked);
    };
    let number = call.number("page[number]").unwrap_or(1).max(1);
    let page = data(slice(&records, (number - 1) * size, size));
    if page.is_empty() {
        return Answer::json(200, &json!({"data": []})).asking(asked);
    }
    let pages = records.len().div_ceil(size);
    let next = (number < pages)
        .then(|| format!("/Api/V8/module/Contacts?page[number]={}&page[size]={size}", number + 1));
    let meta = json!({"total-pages": pages, "records-on-this-page": page.len()});
    let body = json!({"meta": meta, "data": page, "links": {"first": null, "prev": null, "next": next, "last": null}});
    Answer::json(200, &body).asking(asked)
}

fn one_contact(call: &Call, world: &World, id: &str) -> Answer {
    let fields = match fields(call, world, "Contacts", &contact_names(world)) {
        Ok(fields) => fields,
        Err(answer) => return *answer,
    };
    let found = world.read(|people| {
        let person = people.living().find(|person| SuiteCrm::contact_id(person.number) == id)?;
        Some(contact(world, person, people.company_of(person)))
    });
    let Some(record) = found else { return error(&format!("Contacts module with id {id} is not found")) };
    let asked = fields.clone().unwrap_or_default();
    let chosen = fields.filter(|_| !world.switch.is_on(Fault::SelectionIgnored));
    Answer::json(200, &json!({"data": resource("Contact", &record, chosen.as_deref())})).asking(asked)
}

fn one_account(call: &Call, world: &World, id: &str) -> Answer {
    let Some(record) = world.read(|people| {
        people
            .companies
            .iter()
            .find(|company| account_id(company.number) == id)
            .map(|company| account(world, company))
    }) else {
        return error(&format!("Accounts module with id {id} is not found"));
    };
    let names: BTreeSet<String> = crate::shape::names_of(&record).into_iter().collect();
    match fields(call, world, "Accounts", &names) {
        Err(answer) => *answer,
        Ok(fields) => {
            let asked = fields.clone().unwrap_or_default();
            let chosen = fields.filter(|_| !world.switch.is_on(Fault::SelectionIgnored));
            Answer::json(200, &json!({"data": resource("Account", &record, chosen.as_deref())})).asking(asked)
        }
    }
}

/// Names and labels, as the field metadata gives them.
fn meta(world: &World) -> Answer {
    let attributes: Map<String, Value> = contact_names(world)
        .into_iter()
        .map(|name| {
            let label = format!("LBL_{}", name.to_uppercase());
            (name, json!({"type": "varchar", "dbType": "varchar", "label": label}))
        })
        .collect();
    Answer::json(200, &json!({"data": {"type": "fields", "attributes": attributes}}))
}

/// The names in `fields[Module]`; a name that does not exist is refused, and the refusal repeats it.
fn fields(
    call: &Call,
    _: &World,
    module: &str,
    known: &BTreeSet<String>,
) -> Result<Option<Vec<String>>, Box<Answer>> {
    let Some(given) = call.param(&format!("fields[{module}]")) else { return Ok(None) };
    let names = comma_list(given);
    let record: Map<String, Value> = known.iter().map(|name| (name.clone(), Value::Null)).collect();
    let strangers = strangers(&Value::Object(record), &names);
    if strangers.is_empty() {
        return Ok(Some(names));
    }
    let detail = format!("The following fields in {module} module are not found: {}", strangers.join(", "));
    Err(Box::new(error(&detail).asking(names)))
}

/// What `filter[…]` says.
#[derive(Default)]
struct Filter {
    any: bool,
    conditions: Vec<(String, String, String)>,
}

impl Filter {
    fn read(call: &Call) -> Result<Self, String> {
        let mut filter = Self::default();
        for (name, value) in &call.query {
            let Some(rest) = name.strip_prefix("filter[") else { continue };
            if rest == "operator]" {
                filter.any = value.eq_ignore_ascii_case("or");
                continue;
            }
            let parts = rest.strip_suffix(']').and_then(|rest| rest.split_once("]["));
            let Some((field, operator)) = parts else {
                return Err(format!("Filter field {rest} must be an array"));
            };
            if !FILTERS.contains(&field) {
                return Err(format!("Filter field {field} in Contact module is not found"));
            }
            if !["eq", "neq", "gt", "gte", "lt", "lte", "like"].contains(&operator) {
                return Err(format!("Filter operator {operator} is invalid"));
            }
            filter.conditions.push((field.to_owned(), operator.to_owned(), value.clone()));
        }
        Ok(filter)
    }

    fn fits(&self, person: &Person) -> bool {
        let mut fits =
            self.conditions.iter().map(|(field, operator, value)| condition(person, field, operator, value));
        if self.any { fits.any(|fits| fits) } else { fits.all(|fits| fits) }
    }
}

fn condition(person: &Person, field: &str, operator: &str, value: &str) -> bool {
    match field {
        "id" => SuiteCrm::contact_id(person.number) == value,
        // The primary address and the others are in one table, and case does not matter there.
        "email1" => person.has_email(value),
        // Plain columns: what somebody typed must be what is asked for.
        "phone_work" => person.phone().is_some_and(|phone| phone.e164 == value),
        "phone_mobile" => person.mobile().is_some_and(|phone| phone.e164 == value),
        "date_modified" => read_space_time(value, "UTC").is_some_and(|since| match operator {
            "gte" => person.updated >= since,
            "gt" => person.updated > since,
            _ => false,
        }),
        "deleted" => value == "0",
        _ => false,
    }
}

pub(crate) fn account_id(number: u32) -> String {
    format!("a0{number:06x}-1111-4222-8333-{number:012x}")
}

fn resource(kind: &str, record: &Value, fields: Option<&[String]>) -> Value {
    let mut attributes = pick(record.clone(), fields);
    if let Some(members) = attributes.as_object_mut() {
        members.remove("id");
    }
    let id = record["id"].as_str().unwrap_or_default();
    let related = format!("V8/module/{kind}s/{id}/relationships/opportunities");
    json!({
        "type": kind, "id": id, "attributes": attributes,
        "relationships": {"Opportunities": {"links": {"related": related}}},
    })
}

fn contact_names(world: &World) -> BTreeSet<String> {
    let record = world.read(|people| people.persons.first().map(|person| contact(world, person, None)));
    record.map(|record| crate::shape::names_of(&record).into_iter().collect()).unwrap_or_default()
}

fn contact(world: &World, person: &Person, company: Option<&Company>) -> Value {
    let marks = &world.marks;
    let number = person.number;
    let record = json!({
        "id": SuiteCrm::contact_id(number),
        "name": person.full_name(),
        "full_name": person.full_name(),
        "first_name": person.first_name,
        "last_name": person.last_name,
        "date_entered": person.created.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        "date_modified": person.updated.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        "email1": person.email(),
        "email2": person.emails.get(1),
        "phone_work": person.phone().map(|phone| phone.e164.clone()).unwrap_or_default(),
        "phone_mobile": person.mobile().map(|phone| phone.e164.clone()).unwrap_or_default(),
        "title": person.job_title,
        "primary_address_street": person.street,
        "primary_address_city": person.city,
        "primary_address_postalcode": person.postal_code,
        "primary_address_country": person.country_name,
        "account_id": company.map(|company| account_id(company.number)).unwrap_or_default(),
        "account_name": company.map(|company| company.name.clone()).unwrap_or_default(),
        "language_c": person.language,
        "service_level_c": person.service_level,
        "support_until_c": person.support_until.to_string(),
        "deleted": "0",
        "portal_password": marks.text("contact.portal_password", number),
        "portal_name": marks.text("contact.portal_name", number),
        "opportunity_role": marks.text("contact.opportunity_role", number),
        "opportunity_role_id": marks.text("contact.opportunity_role_id", number),
        "lead_source": marks.text("contact.lead_source", number),
        "assigned_user_id": marks.text("contact.assigned_user_id", number),
        "assigned_user_name": marks.text("contact.assigned_user_name", number),
        "description": format!("pays late, {}", marks.text("contact.description", number)),
        "campaign_id": marks.text("contact.campaign_id", number),
        "campaign_name": marks.text("contact.campaign_name", number),
        "created_by_name": marks.text("contact.created_by_name", number),
        "credit_limit_c": marks.amount("contact.credit_limit_c", number),
        "iban_c": marks.iban("contact.iban_c", number),
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
        "phone_office": company.phone.e164,
        "billing_address_city": company.city,
        "billing_address_country": company.country_name,
        "date_modified": company.updated.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        "annual_revenue": marks.amount("account.annual_revenue", number),
        "rating": marks.text("account.rating", number),
        "assigned_user_name": marks.text("account.assigned_user_name", number),
        "description": marks.text("account.description", number),
        "ownership": marks.text("account.ownership", number),
    });
    planting::with_own(record, &company.own)
}
