//! Zoho CRM v8: `/crm/v8`.
//!
//! Traps: the base address comes with the token, and a refused token is a 200 with `error`; the scheme word is
//! `Zoho-oauthtoken`; lists refuse to answer without `fields`, single records send everything; empty is 204, unchanged 304,
//! and "changed since" is a header; after 2,000 records only a page token goes on; keys with `$` and lookups `{name, id}`; a
//! notification channel ends after a day at most, whoever asks for more gets an hour, and one that has ended can't be updated.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use serde_json::{Map, Value, json};

use crate::people::{Company, Gone, Person, Phone};
use crate::switch::Fault;
use crate::times::{iso_at, parse};
use crate::tokens::{Tokens, Worth};
use crate::wire::{Answer, Call, Delivery};
use crate::{Crm, World, planting};

const PAGE_MAX: usize = 200;
const FIELDS_MAX: usize = 50;
const ZONE_HOURS: i8 = 2;

/// An organisation with a self client.
pub struct Zoho {
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    /// The refresh token, which stays valid.
    pub refresh_token: String,
    /// The value chosen when the notifications were subscribed to.
    pub channel_token: String,
    /// Records that can be reached by page number; 2,000 at Zoho.
    pub by_number_max: usize,
    tokens: Tokens,
    channel: Mutex<Option<Channel>>,
}

/// A notification channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its number, which whoever subscribed has chosen.
    pub id: String,
    /// What it sends with each message.
    pub token: String,
    /// Where it sends to.
    pub notify_url: String,
    /// When it ends.
    pub expiry: Timestamp,
    /// How often it was updated.
    pub updates: u32,
}

impl Default for Zoho {
    fn default() -> Self {
        let refresh = "1000.zoho-refresh-token.5b".to_owned();
        Self {
            client_id: "1000.ZOHOCLIENT".to_owned(),
            client_secret: "zoho-client-secret-e2".to_owned(),
            channel_token: "zoho-channel-token-91".to_owned(),
            by_number_max: 2_000,
            tokens: Tokens::new("1000", 3_600, &refresh),
            channel: Mutex::default(),
            refresh_token: refresh,
        }
    }
}

/// The refresh token of the same client with the scopes for planting.
pub const PLANT_REFRESH_TOKEN: &str = "1000.zoho-planting-refresh-token.6c";

/// The id of a contact.
pub fn id(number: u32) -> String {
    format!("4876876000000{:06}", 333_000 + number)
}

/// The number of the person with that id; 0 if it is none of a person.
fn person_of(id: &str) -> u32 {
    let number = id.strip_prefix("4876876000000").and_then(|digits| digits.parse::<u32>().ok());
    number.and_then(|number| number.checked_sub(333_000)).unwrap_or(0)
}

/// The id of an account.
pub fn account_id(number: u32) -> String {
    format!("4876876000000{:06}", 111_000 + number)
}

impl Crm for Zoho {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let segments = call.segments();
        if segments == ["oauth", "v2", "token"] {
            return self.token(call, world);
        }
        if call.authorization("zoho-oauthtoken").map(|token| self.tokens.worth(token, world))
            != Some(Worth::Valid)
        {
            return error(401, "INVALID_TOKEN", "invalid oauth token");
        }
        let plants = call.authorization("zoho-oauthtoken").is_some_and(|token| self.tokens.plants(token));
        if let Some(answer) = plants.then(|| planting::zoho::answer(call, world)).flatten() {
            return answer;
        }
        match (call.method.as_str(), segments.as_slice()) {
            ("GET", ["crm", "v8", "Contacts"]) => self.list(call, world, Module::Contacts),
            ("GET", ["crm", "v8", "Accounts"]) => self.list(call, world, Module::Accounts),
            ("GET", ["crm", "v8", "Contacts", "search"]) => search(call, world),
            ("GET", ["crm", "v8", "Contacts", "deleted"]) => deleted(call, world),
            ("GET", ["crm", "v8", "Contacts", wanted]) => one(wanted, call, world, Module::Contacts),
            ("GET", ["crm", "v8", "Accounts", wanted]) => one(wanted, call, world, Module::Accounts),
            ("GET", ["crm", "v8", "settings", "fields"]) => metadata(call, world),
            ("POST", ["crm", "v8", "Contacts", wanted, "Notes"]) => note(wanted, call, world),
            ("PUT", ["crm", "v8", "actions", "watch"]) => self.update_channel(call, world),
            (_, ["crm", "v8", name, ..]) => {
                Answer::json(200, &json!({ "data": [deal("1", world)] })).forbidden(format!("object {name}"))
            }
            _ => error(404, "INVALID_URL_PATTERN", "Please check if the URL is correct")
                .forbidden("an unknown address"),
        }
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        error(429, "TOO_MANY_REQUESTS", "too many requests fired in concurrent")
    }

    fn secrets(&self) -> Vec<String> {
        vec![
            self.client_secret.clone(),
            self.refresh_token.clone(),
            self.channel_token.clone(),
            PLANT_REFRESH_TOKEN.to_owned(),
        ]
    }
}

impl Zoho {
    /// An organisation where page tokens are needed after so many records.
    pub fn with_numbers_to(by_number_max: usize) -> Self {
        Self { by_number_max, ..Self::default() }
    }

    fn token(&self, call: &Call, world: &World) -> Answer {
        let given = |name: &str| {
            call.form_value(name).or_else(|| call.param(name).map(str::to_owned)).unwrap_or_default()
        };
        if given("client_id") != self.client_id || given("client_secret") != self.client_secret {
            return Answer::json(200, &json!({ "error": "invalid_client" }));
        }
        let access = match given("grant_type").as_str() {
            "refresh_token" if given("refresh_token") == PLANT_REFRESH_TOKEN => {
                Some(self.tokens.issue_planting(world))
            }
            "refresh_token" => self.tokens.with_lasting(&given("refresh_token"), world),
            _ => None,
        };
        let Some(access) = access else { return Answer::json(200, &json!({ "error": "invalid_code" })) };
        let elsewhere = world.switch.take(Fault::BaseElsewhere).then(|| world.switch.elsewhere());
        let body = json!({
            "access_token": access,
            "scope": "ZohoCRM.modules.contacts.READ ZohoCRM.modules.accounts.READ",
            "api_domain": elsewhere.unwrap_or_else(|| world.url().to_owned()),
            "token_type": "Bearer",
            "expires_in": self.tokens.lifetime_s(),
        });
        Answer::json(200, &body)
    }

    fn list(&self, call: &Call, world: &World, module: Module) -> Answer {
        let touched =
            call.undeclared(&["fields", "page", "per_page", "page_token", "sort_by", "sort_order", "ids"]);
        let asked = fields(call);
        if asked.is_empty() {
            let body = json!({ "code": "REQUIRED_PARAM_MISSING", "details": { "param": "fields" },
                               "message": "One of the expected parameter is missing", "status": "error" });
            return Answer::json(400, &body).forbidding(touched);
        }
        if asked.len() > FIELDS_MAX {
            return error(400, "LIMIT_EXCEEDED", "fields limit exceeded").asking(asked).forbidding(touched);
        }
        let size = call.number("per_page").unwrap_or(PAGE_MAX);
        let page = call.number("page");
        let token = call.param("page_token").filter(|token| !token.is_empty());
        if size > PAGE_MAX || (page.is_some() && token.is_some()) {
            return error(
                400,
                "INVALID_DATA",
                "per_page is at most 200; page and page_token exclude each other",
            );
        }
        let start = match token
            .map(|token| token.strip_prefix("tok-").and_then(|start| start.parse::<usize>().ok()))
        {
            Some(None) => return error(400, "INVALID_DATA", "invalid page_token"),
            Some(Some(start)) => start,
            None => (page.unwrap_or(1).max(1) - 1) * size,
        };
        if token.is_none() && start + size > self.by_number_max.max(size) {
            return error(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED", "page_token must be used")
                .asking(asked)
                .forbidding(touched);
        }
        if start > 0 {
            world.shift();
        }
        let mut records = module.records(world);
        if let Some(since) = call.header("if-modified-since") {
            let Some(since) = parse(since) else {
                return error(400, "INVALID_DATA", "If-Modified-Since is not ISO 8601");
            };
            records.retain(|record| {
                text(&record["Modified_Time"]).parse().is_ok_and(|at: Timestamp| at > since)
            });
            if records.is_empty() {
                return Answer::empty(304).asking(asked).forbidding(touched);
            }
        }
        let by = call.param("sort_by").unwrap_or("id");
        records.sort_by_key(|record| (text(&record[by]), text(&record["id"])));
        if call.param("sort_order") != Some("asc") {
            records.reverse();
        }
        let total = records.len();
        let records = records.into_iter().skip(start).take(size);
        let data: Vec<Value> = records.map(|record| cut(record, &asked, world)).collect();
        if data.is_empty() {
            return Answer::empty(204).asking(asked).forbidding(touched);
        }
        let end = start + data.len();
        let info = json!({
            "per_page": size,
            "next_page_token": (end < total).then(|| format!("tok-{end}")),
            "count": data.len(),
            "sort_by": by,
            "page": start / size + 1,
            "previous_page_token": Value::Null,
            "page_token_expiry": (end < total).then(|| iso_at(world.now(), ZONE_HOURS)),
            "sort_order": call.param("sort_order").unwrap_or("desc"),
            "more_records": end < total,
        });
        Answer::json(200, &json!({ "data": data, "info": info })).asking(asked).forbidding(touched)
    }

    /// Subscribes by hand, as an administrator does, until then.
    pub fn subscribe(&self, id: &str, expiry: Timestamp) {
        let (id, token) = (id.to_owned(), self.channel_token.clone());
        let channel = Channel { id, token, notify_url: String::new(), expiry, updates: 0 };
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel);
    }

    /// The channel, if it has not ended.
    pub fn channel(&self, world: &World) -> Option<Channel> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        channel.filter(|channel| channel.expiry > world.now())
    }

    /// All details are replaced by those in the request.
    fn update_channel(&self, call: &Call, world: &World) -> Answer {
        let body = call.json();
        let wanted = &body["watch"][0];
        let given = |name: &str| wanted[name].as_str().unwrap_or_default().to_owned();
        let refused = |code: &str, message: &str| {
            let entry = json!({ "code": code, "details": {}, "message": message, "status": "error" });
            // The list is answered; what went wrong stands in its entries.
            Answer::json(202, &json!({ "watch": [entry] }))
        };
        let Some(channel) = self.channel(world).filter(|channel| channel.id == given("channel_id")) else {
            return refused("INVALID_DATA", "the channel_id given seems to be invalid");
        };
        if !given("notify_url").starts_with("https://") || wanted["events"] != json!(["Contacts.all"]) {
            return refused("INVALID_DATA", "invalid data");
        }
        let (day, hour) = (SignedDuration::from_hours(24), SignedDuration::from_hours(1));
        let asked = parse(&given("channel_expiry"));
        let expiry = asked.filter(|asked| *asked <= world.now() + day).unwrap_or(world.now() + hour);
        let (id, updates) = (channel.id, channel.updates + 1);
        let channel = Channel { id, token: given("token"), notify_url: given("notify_url"), expiry, updates };
        let event = json!({
            "channel_expiry": iso_at(expiry, ZONE_HOURS),
            "resource_uri": "https://www.zohoapis.eu/crm/v8/Contacts",
            "resource_id": "4876876000000002179",
            "resource_name": "Contacts",
            "channel_id": channel.id,
        });
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel);
        let entry = json!({ "code": "SUCCESS", "details": { "events": [event] },
                            "message": "Successfully updated", "status": "success" });
        Answer::json(200, &json!({ "watch": [entry] }))
    }

    /// A notification about contacts: `insert`, `update` or `delete`.
    pub fn webhook(&self, operation: &str, person: &Person, world: &World) -> Delivery {
        let body = json!({
            "server_time": world.now().as_millisecond(),
            "query_params": {},
            "module": "Contacts",
            "resource_uri": "https://www.zohoapis.eu/crm/v8/Contacts",
            "ids": [id(person.number)],
            "affected_fields": [{ "Lead_Source": world.marks.text("webhook.Lead_Source", person.number) }],
            "operation": operation,
            "channel_id": "1000000068001",
            "token": self.channel_token,
        });
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Delivery { headers, query: Vec::new(), body: body.to_string().into() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Module {
    Contacts,
    Accounts,
}

impl Module {
    fn records(self, world: &World) -> Vec<Map<String, Value>> {
        world.read(|people| match self {
            Self::Contacts => {
                people.living().map(|person| contact(person, people.company_of(person), world)).collect()
            }
            Self::Accounts => people.companies.iter().map(|one| account(one, world)).collect(),
        })
    }
}

/// What was asked for, the id, and two members that Zoho adds by itself.
fn cut(record: Map<String, Value>, asked: &[String], world: &World) -> Value {
    let everything = asked.is_empty() || world.switch.take(Fault::SelectionIgnored);
    let number = text(&record["id"]);
    let kept =
        |name: &String| everything || asked.contains(name) || name == "id" || name.starts_with("$editable");
    let mut value = Value::Object(record.into_iter().filter(|(name, _)| kept(name)).collect());
    value["$currency_symbol"] = json!("€");
    if world.switch.take(Fault::EmbedDeals) {
        let made = world.shelf.about(person_of(&number)).into_iter().map(|made| Value::Object(made.body));
        value["Deals"] = std::iter::once(deal(&number, world)).chain(made).collect();
    }
    value
}

fn search(call: &Call, world: &World) -> Answer {
    let mut touched = call.undeclared(&["fields", "email", "phone", "page", "per_page"]);
    let asked = fields(call);
    if asked.is_empty() {
        touched.push("a search without fields".to_owned());
    }
    let (email, phone) = (call.param("email"), call.param("phone"));
    if email.is_none() && phone.is_none() {
        return error(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing")
            .forbidding(touched);
    }
    let data: Vec<Value> = world.read(|people| {
        let hits = people.living().filter(|person| {
            email.is_some_and(|email| person.has_email(email))
                || phone.is_some_and(|wanted| person.phones.iter().any(|phone| phone.typed == wanted))
        });
        hits.map(|person| cut(contact(person, people.company_of(person), world), &asked, world)).collect()
    });
    if data.is_empty() {
        return Answer::empty(204).asking(asked).forbidding(touched);
    }
    let info = json!({ "per_page": 200, "count": data.len(), "page": 1, "more_records": false });
    Answer::json(200, &json!({ "data": data, "info": info })).asking(asked).forbidding(touched)
}

fn one(wanted: &str, call: &Call, world: &World, module: Module) -> Answer {
    let mut touched = call.undeclared(&["fields"]);
    let asked = fields(call);
    if asked.is_empty() {
        touched.push("a record without fields".to_owned());
    }
    if module == Module::Accounts && world.switch.take(Fault::CompanyHidden) {
        return error(403, "NO_PERMISSION", "permission denied to read").asking(asked).forbidding(touched);
    }
    match module.records(world).into_iter().find(|record| record["id"] == wanted) {
        Some(record) => Answer::json(200, &json!({ "data": [cut(record, &asked, world)] })),
        None => Answer::empty(204),
    }
    .asking(asked)
    .forbidding(touched)
}

fn deleted(call: &Call, world: &World) -> Answer {
    let touched = call.undeclared(&["type", "page", "per_page"]);
    let since = call.header("if-modified-since").and_then(parse);
    let data: Vec<Value> = world.read(|people| {
        let gone = people.persons.iter().filter(|person| person.gone.is_some());
        let gone = gone.filter(|person| since.is_none_or(|since| person.updated > since));
        gone.map(|person| {
            json!({
                "deleted_by": { "name": world.marks.text("deleted.deleted_by", person.number), "id": "1" },
                "id": id(person.number),
                "display_name": person.full_name(),
                "type": if matches!(person.gone, Some(Gone::Deleted)) { "recycle" } else { "permanent" },
                "created_by": { "name": world.marks.text("deleted.created_by", person.number), "id": "1" },
                "deleted_time": iso_at(person.updated, ZONE_HOURS),
            })
        })
        .collect()
    });
    if data.is_empty() {
        return Answer::empty(if since.is_some() { 304 } else { 204 }).forbidding(touched);
    }
    let info = json!({ "per_page": 200, "count": data.len(), "page": 1, "more_records": false });
    Answer::json(200, &json!({ "data": data, "info": info })).forbidding(touched)
}

fn contact(person: &Person, company: Option<&Company>, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = person.number;
    let typed = |phone: Option<&Phone>| phone.map(|phone| phone.typed.clone());
    let record = json!({
        "id": id(number),
        "Full_Name": person.full_name(),
        "First_Name": person.first_name,
        "Last_Name": person.last_name,
        "Email": person.email(),
        "Secondary_Email": person.emails.get(1),
        "Phone": typed(person.phone()),
        "Mobile": typed(person.mobile()),
        "Title": person.job_title,
        "Mailing_Street": person.street,
        "Mailing_Zip": person.postal_code,
        "Mailing_City": person.city,
        "Mailing_Country": person.country_name,
        "Account_Name": company.map(|company| json!({ "name": company.name, "id": account_id(company.number) })),
        "Created_Time": iso_at(person.created, ZONE_HOURS),
        "Modified_Time": iso_at(person.updated, ZONE_HOURS),
        "Support_Level": person.service_level,
        "Lead_Source": marks.text("Contacts.Lead_Source", number),
        "Description": marks.text("Contacts.Description", number),
        "Rating": marks.text("Contacts.Rating", number),
        "Credit_Limit": marks.money("Contacts.Credit_Limit", number),
        "Visitor_Score": marks.count("Contacts.Visitor_Score", number),
        "Owner": {
            "name": marks.text("Contacts.Owner", number), "id": "487687600000000001",
            "email": format!("{}@sales.example", marks.text("Contacts.Owner.email", number)),
        },
        "Tag": [{ "name": marks.text("Contacts.Tag", number), "id": "9", "color_code": "#fff" }],
        "$editable": true,
    });
    members(planting::with_own(record, &person.own))
}

fn account(company: &Company, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = company.number;
    let record = json!({
        "id": account_id(number),
        "Account_Name": company.name,
        "Website": company.website(),
        "Phone": company.phone.typed,
        "Billing_City": company.city,
        "Billing_Country": company.country_name,
        "Modified_Time": iso_at(company.updated, ZONE_HOURS),
        "Account_Number": format!("CU{number:05}"),
        "Annual_Revenue": marks.count("Accounts.Annual_Revenue", number),
        "Rating": marks.text("Accounts.Rating", number),
        "Employees": marks.count("Accounts.Employees", number),
        "Ownership": marks.text("Accounts.Ownership", number),
        "Owner": { "name": marks.text("Accounts.Owner", number), "id": "487687600000000001" },
        "$editable": true,
    });
    members(planting::with_own(record, &company.own))
}

fn deal(of: &str, world: &World) -> Value {
    json!({
        "Deal_Name": world.marks.text("Deals.Deal_Name", of),
        "Amount": world.marks.money("Deals.Amount", of),
        "Stage": world.marks.text("Deals.Stage", of),
    })
}

fn metadata(call: &Call, world: &World) -> Answer {
    let touched = call.undeclared(&["module"]);
    let accounts = call.param("module") == Some("Accounts");
    let example = world.read(|people| {
        if accounts {
            people.companies.first().map(|one| account(one, world))
        } else {
            people.persons.first().map(|person| contact(person, None, world))
        }
    });
    let fields: Vec<Value> = example
        .into_iter()
        .flatten()
        .filter(|(name, _)| !name.starts_with('$'))
        .map(|(name, _)| {
            let label = world.label(&name, &name.replace('_', " "));
            json!({ "api_name": name, "field_label": label, "data_type": "text" })
        })
        .collect();
    Answer::json(200, &json!({ "fields": fields })).forbidding(touched)
}

fn note(wanted: &str, call: &Call, world: &World) -> Answer {
    let body = call.json();
    let note = &body["data"][0];
    let person =
        world.read(|people| people.living().find(|p| id(p.number) == wanted).map_or(0, |p| p.number));
    let content = note["Note_Content"].as_str().unwrap_or_default();
    if person == 0 || content.is_empty() {
        return error(400, "INVALID_DATA", "the related id given seems to be invalid");
    }
    let number =
        world.note(person, &format!("{}\n{content}", note["Note_Title"].as_str().unwrap_or_default()));
    let details = json!({ "id": format!("4876876000000{:06}", 900_000 + number) });
    let done =
        json!({ "code": "SUCCESS", "details": details, "message": "record added", "status": "success" });
    Answer::json(201, &json!({ "data": [done] }))
}

fn fields(call: &Call) -> Vec<String> {
    let list = call.param("fields").unwrap_or_default();
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "code": code, "details": {}, "message": message, "status": "error" }))
}
