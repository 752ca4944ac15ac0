//! Microsoft Dataverse (Dynamics 365) Web API: `/api/data/v9.2`.
//!
//! Traps: without `$select` every column comes, money with its `_base` twin; `@odata.*` members are mixed in; the next page
//! is a whole address with `$skiptoken`; the page size is a `Prefer` header; a hidden column is null; a merged contact
//! stays as an inactive one that names its master; deletions come by the delta link only.

use serde_json::{Map, Value, json};

use crate::expr::{Condition, Quoting, Test, tokens};
use crate::people::{Company, Gone, People, Person, Phone};
use crate::switch::Fault;
use crate::times::{self, iso};
use crate::tokens::{Tokens, Worth};
use crate::wire::{Answer, Call, encode};
use crate::{Crm, World, planting};

const PAGE_MAX: usize = 5_000;
/// What may be filtered by; anything else would let the asker guess hidden columns.
const HARMLESS: [&str; 9] = [
    "emailaddress1",
    "emailaddress2",
    "telephone1",
    "mobilephone",
    "contactid",
    "accountid",
    "modifiedon",
    "statecode",
    "merged",
];
const NEVER: [&str; 8] = [
    "opportunities",
    "quotes",
    "salesorders",
    "invoices",
    "annotations",
    "leads",
    "systemusers",
    "contracts",
];

/// The secret of the application that plants.
pub const PLANT_SECRET: &str = "dataverse~planting~secret~52";

/// An environment with an application user.
pub struct Dataverse {
    /// The directory (tenant).
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: String,
    tokens: Tokens,
}

impl Default for Dataverse {
    fn default() -> Self {
        Self {
            tenant: "5f0c1e9a-0000-4000-8000-00000000c0de".to_owned(),
            client_id: "0b9d7f3e-0000-4000-8000-000000000a99".to_owned(),
            client_secret: "dataverse~client~secret~41".to_owned(),
            tokens: Tokens::new("eyJ0", 3_599, ""),
        }
    }
}

/// The id of a contact.
pub fn id(number: u32) -> String {
    format!("{number:08x}-5c1d-ef11-9f89-000d3a{:06x}", 0x4ac0 + number)
}

/// The id of an account.
pub fn account_id(number: u32) -> String {
    format!("{:08x}-4b0c-ee11-8f6d-000d3a{:06x}", 0xa000 + number, 0x7b10 + number)
}

impl Crm for Dataverse {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let segments = call.segments();
        if segments == [self.tenant.as_str(), "oauth2", "v2.0", "token"] {
            return self.token(call, world);
        }
        if call.authorization("bearer").map(|token| self.tokens.worth(token, world)) != Some(Worth::Valid) {
            return Answer::empty(401)
                .with("WWW-Authenticate", "Bearer authorization_uri=https://login.example");
        }
        let ["api", "data", "v9.2", rest @ ..] = segments.as_slice() else {
            return error(404, "0x8006088a", "Resource not found for the segment")
                .forbidden("an unknown address");
        };
        let plants = call.authorization("bearer").is_some_and(|token| self.tokens.plants(token));
        if let Some(answer) = plants.then(|| planting::dataverse::answer(call, rest, world)).flatten() {
            return answer;
        }
        let answer = match (call.method.as_str(), rest) {
            ("GET", ["contacts"]) => list(call, world, Table::Contacts),
            ("GET", ["accounts"]) => list(call, world, Table::Accounts),
            ("GET", ["WhoAmI"]) => {
                Answer::json(200, &json!({ "UserId": account_id(1), "OrganizationId": id(1) }))
            }
            ("GET", [segment]) if segment.ends_with(')') => one(segment, call, world),
            ("GET", ["EntityDefinitions(LogicalName='contact')", "Attributes"]) => {
                let sample = |people: &People| people.persons.first().map(|one| contact(one, world));
                metadata(world, sample)
            }
            ("GET", ["EntityDefinitions(LogicalName='account')", "Attributes"]) => {
                let sample = |people: &People| people.companies.first().map(|one| account(one, world));
                metadata(world, sample)
            }
            ("POST", ["annotations"]) => note(call, world),
            (_, [name, ..]) if NEVER.iter().any(|never| name.starts_with(never)) => never(name, world),
            _ => {
                error(404, "0x8006088a", "Resource not found for the segment").forbidden("an unknown address")
            }
        };
        answer.with("OData-Version", "4.0")
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        let message = "Number of requests exceeded the limit of 6000 over time window of 300 seconds.";
        error(429, "0x80072322", message).with("Retry-After", "7")
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.client_secret.clone(), PLANT_SECRET.to_owned()]
    }
}

impl Dataverse {
    fn token(&self, call: &Call, world: &World) -> Answer {
        let given = |name: &str| call.form_value(name).unwrap_or_default();
        let scope = given("scope");
        let plants = given("client_secret") == PLANT_SECRET;
        if given("grant_type") != "client_credentials"
            || given("client_id") != self.client_id
            || (given("client_secret") != self.client_secret && !plants)
        {
            let body = json!({ "error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret" });
            return Answer::json(401, &body);
        }
        if !scope.ends_with("/.default") {
            let body = json!({ "error": "invalid_scope", "error_description": "AADSTS70011: the scope is not valid" });
            return Answer::json(400, &body);
        }
        let lifetime = self.tokens.lifetime_s();
        let body = json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": if plants { self.tokens.issue_planting(world) } else { self.tokens.issue(world) },
        });
        Answer::json(200, &body)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Contacts,
    Accounts,
}

impl Table {
    fn set(self) -> &'static str {
        if self == Self::Contacts { "contacts" } else { "accounts" }
    }

    fn key(self) -> &'static str {
        if self == Self::Contacts { "contactid" } else { "accountid" }
    }

    fn rows(self, people: &People, world: &World) -> Vec<Map<String, Value>> {
        match self {
            Self::Contacts => {
                let there = people.persons.iter().filter(|person| person.gone != Some(Gone::Deleted));
                there.map(|person| contact(person, world)).collect()
            }
            Self::Accounts => people.companies.iter().map(|company| account(company, world)).collect(),
        }
    }

    /// A row with what was asked for, its key and its tag.
    fn cut(
        self,
        row: &Map<String, Value>,
        asked: &[String],
        everything: bool,
        deals: Option<Value>,
    ) -> Value {
        let mut value = json!({ "@odata.etag": format!("W/\"{}\"", 7_220_000 + row.len()) });
        for (name, content) in row {
            if everything || asked.contains(name) || name == self.key() {
                value[name] = content.clone();
            }
        }
        if let Some(deals) = deals {
            value["opportunity_customer_contacts"] = deals;
        }
        value
    }
}

fn list(call: &Call, world: &World, table: Table) -> Answer {
    let asked = selected(call);
    let mut touched =
        call.undeclared(&["$select", "$filter", "$orderby", "$top", "$count", "$skiptoken", "$deltatoken"]);
    if let Some(token) = call.param("$deltatoken") {
        return delta(call, world, table, token).asking(asked).forbidding(touched);
    }
    if call.header("prefer").is_some_and(|prefer| prefer.contains("include-annotations")) {
        touched.push("annotations with formatted values".to_owned());
    }
    if asked.is_empty() {
        touched.push("a list without $select".to_owned());
    }
    let rows = world.read(|people| table.rows(people, world));
    if let Some(unknown) = asked.iter().find(|name| rows.first().is_some_and(|row| !row.contains_key(*name)))
    {
        let message =
            format!("Could not find a property named '{unknown}' on type 'Microsoft.Dynamics.CRM.contact'.");
        return error(400, "0x80060888", &message).asking(asked).forbidding(touched);
    }
    let start = match call.param("$skiptoken").map(page_of) {
        Some(None) => return error(400, "0x80060891", "Malformed XML in the Skip Token").forbidding(touched),
        Some(Some(start)) => {
            world.shift();
            start
        }
        None => 0,
    };
    let mut rows = world.read(|people| table.rows(people, world));
    if let Some(filter) = call.param("$filter") {
        let Some(condition) = tokens(filter, Quoting::Doubled).and_then(|tokens| Condition::parse(&tokens))
        else {
            return error(400, "0x80060888", "Syntax error in $filter").forbidding(touched);
        };
        let tests = condition.tests();
        let guessing = tests.iter().filter(|test| !HARMLESS.contains(&test.field.as_str()));
        touched.extend(guessing.map(|test| format!("a filter on {}", test.field)));
        rows.retain(|row| condition.holds(&mut |test| compare(row, test)));
    }
    if let Some(order) = call.param("$orderby") {
        for part in order.rsplit(',') {
            let (name, way) = part.trim().split_once(' ').unwrap_or((part.trim(), "asc"));
            rows.sort_by_key(|row| text(row.get(name)));
            if way == "desc" {
                rows.reverse();
            }
        }
    }
    rows.truncate(call.number("$top").unwrap_or(usize::MAX));
    let size = preferred_size(call).unwrap_or(PAGE_MAX).min(PAGE_MAX);
    let everything = asked.is_empty() || world.switch.take(Fault::SelectionIgnored);
    let deals = world.switch.take(Fault::EmbedDeals);
    let page = rows.iter().skip(start).take(size);
    let values: Vec<Value> = page
        .map(|row| {
            table.cut(
                row,
                &asked,
                everything,
                deals.then(|| opportunities(&text(row.get(table.key())), world)),
            )
        })
        .collect();
    let end = start + values.len();
    let context = format!("{}/api/data/v9.2/$metadata#{}({})", world.url(), table.set(), asked.join(","));
    let mut body = json!({ "@odata.context": context, "value": values });
    if end < rows.len() {
        body["@odata.nextLink"] = json!(next_link(call, world, table, end, size));
    } else if call.header("prefer").is_some_and(|prefer| prefer.contains("odata.track-changes")) {
        let token = format!("{}!{}", world.now().as_millisecond(), asked.len());
        let query = format!("$select={}&$deltatoken={}", asked.join(","), encode(&token));
        let elsewhere = world.switch.take(Fault::NextElsewhere).then(|| world.switch.elsewhere());
        let host = elsewhere.unwrap_or_else(|| world.url().to_owned());
        body["@odata.deltaLink"] = json!(format!("{host}/api/data/v9.2/{}?{query}", table.set()));
    }
    let mut answer = Answer::json(200, &body).asking(asked).forbidding(touched);
    if preferred_size(call).is_some() {
        answer = answer.with("Preference-Applied", format!("odata.maxpagesize={size}"));
    }
    answer
}

/// The address repeats the query and adds the cookie, an XML snippet encoded twice.
fn next_link(call: &Call, world: &World, table: Table, end: usize, size: usize) -> String {
    let cookie = format!(
        "<cookie pagenumber=\"{}\" pagingcookie=\"%253ccookie\" istracking=\"False\" />",
        end / size + 1
    );
    let kept = call.query.iter().filter(|(name, _)| name != "$skiptoken");
    let mut query: Vec<String> = kept.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    query.push(format!("$skiptoken={}", encode(&format!("{end}|{cookie}"))));
    let elsewhere = world.switch.take(Fault::NextElsewhere).then(|| world.switch.elsewhere());
    let host = elsewhere.unwrap_or_else(|| world.url().to_owned());
    format!("{host}/api/data/v9.2/{}?{}", table.set(), query.join("&"))
}

fn page_of(token: &str) -> Option<usize> {
    let (start, cookie) = token.split_once('|')?;
    if cookie.starts_with("<cookie ") { start.parse().ok() } else { None }
}

/// Changes since a delta link was given, tombstones included. Links live 7 days.
fn delta(call: &Call, world: &World, table: Table, token: &str) -> Answer {
    let since = token.split('!').next().and_then(|ms| ms.parse().ok());
    let Some(since) = since.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) else {
        return error(400, "0x80060888", "The delta token is not valid");
    };
    if world.now().as_second() - since.as_second() > 7 * 86_400 {
        return error(410, "0x80044352", "The delta token has expired");
    }
    let asked = selected(call);
    let changes: Vec<Value> = world.read(|people| {
        let changed = people.persons.iter().filter(|person| person.updated > since);
        changed
            .map(|person| match person.gone {
                Some(Gone::Deleted) => json!({
                    "@odata.context": format!("{}/api/data/v9.2/$metadata#contacts/$deletedEntity", world.url()),
                    "id": id(person.number),
                    "reason": "deleted",
                }),
                _ => table.cut(&contact(person, world), &asked, asked.is_empty(), None),
            })
            .collect()
    });
    let token = format!("{}!{}", world.now().as_millisecond(), asked.len());
    let link = format!(
        "{}/api/data/v9.2/contacts?$select={}&$deltatoken={}",
        world.url(),
        asked.join(","),
        encode(&token)
    );
    Answer::json(200, &json!({ "value": changes, "@odata.deltaLink": link }))
}

fn one(segment: &str, call: &Call, world: &World) -> Answer {
    let asked = selected(call);
    let mut touched = call.undeclared(&["$select"]);
    let (set, wanted) = segment.trim_end_matches(')').split_once('(').unwrap_or(("", ""));
    let table = match set {
        "contacts" => Table::Contacts,
        "accounts" => Table::Accounts,
        _ => return error(404, "0x8006088a", "Resource not found").forbidden(format!("object {set}")),
    };
    if asked.is_empty() {
        touched.push("a record without $select".to_owned());
    }
    let rows = world.read(|people| table.rows(people, world));
    if let Some(unknown) = asked.iter().find(|name| rows.first().is_some_and(|row| !row.contains_key(*name)))
    {
        let message = format!("Could not find a property named '{unknown}'");
        return error(400, "0x80060888", &message).asking(asked).forbidding(touched);
    }
    let everything = asked.is_empty() || world.switch.take(Fault::SelectionIgnored);
    let deals = world.switch.take(Fault::EmbedDeals);
    let found = rows.iter().find(|row| text(row.get(table.key())).eq_ignore_ascii_case(wanted));
    match found {
        Some(row) => {
            let mut value = table.cut(row, &asked, everything, deals.then(|| opportunities(wanted, world)));
            value["@odata.context"] = json!(format!("{}/api/data/v9.2/$metadata#{set}/$entity", world.url()));
            Answer::json(200, &value)
        }
        None => error(404, "0x80040217", &format!("Entity '{set}' With Id = {wanted} Does Not Exist")),
    }
    .asking(asked)
    .forbidding(touched)
}

fn contact(person: &Person, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = person.number;
    let typed = |phone: Option<&Phone>| phone.map(|phone| phone.typed.clone());
    let master = match person.gone {
        Some(Gone::MergedInto(other)) => Some(id(other)),
        _ => None,
    };
    let mut row = json!({
        "contactid": id(number),
        "fullname": person.full_name(),
        "firstname": person.first_name,
        "lastname": person.last_name,
        "emailaddress1": person.email(),
        "emailaddress2": person.emails.get(1),
        "telephone1": typed(person.phone()),
        "mobilephone": typed(person.mobile()),
        "jobtitle": person.job_title,
        "address1_line1": person.street,
        "address1_postalcode": person.postal_code,
        "address1_city": person.city,
        "address1_country": person.country_name,
        "_parentcustomerid_value": person.company.map(account_id),
        "createdon": iso(person.created),
        "modifiedon": iso(person.updated),
        "statecode": i32::from(master.is_some()),
        "merged": master.is_some(),
        "_masterid_value": master,
        "creditonhold": true,
        "leadsourcecode": marks.count("contact.leadsourcecode", number),
        "paymenttermscode": marks.count("contact.paymenttermscode", number),
        "description": marks.text("contact.description", number),
        "_ownerid_value": marks.text("contact._ownerid_value", number),
        "_originatingleadid_value": marks.text("contact._originatingleadid_value", number),
        "_transactioncurrencyid_value": marks.text("contact._transactioncurrencyid_value", number),
        "exchangerate": 1.0,
    });
    for money in ["creditlimit", "annualincome", "aging30", "aging60", "aging90"] {
        row[money] = marks.money(&format!("contact.{money}"), number);
        row[format!("{money}_base")] = marks.money(&format!("contact.{money}_base"), number);
    }
    members(planting::with_own(row, &person.own))
}

fn account(company: &Company, world: &World) -> Map<String, Value> {
    let marks = &world.marks;
    let number = company.number;
    let mut row = json!({
        "accountid": account_id(number),
        "name": company.name,
        "websiteurl": company.website(),
        "telephone1": company.phone.typed,
        "address1_city": company.city,
        "address1_country": company.country_name,
        "accountnumber": format!("CU-{:05}", 700 + number),
        "modifiedon": iso(company.updated),
        "createdon": iso(company.created),
        "statecode": 0,
        "creditonhold": false,
        "opendeals": marks.count("account.opendeals", number),
        "numberofemployees": marks.count("account.numberofemployees", number),
        "description": marks.text("account.description", number),
        "_ownerid_value": marks.text("account._ownerid_value", number),
    });
    for money in ["revenue", "marketcap", "creditlimit", "openrevenue", "aging30", "aging60", "aging90"] {
        row[money] = marks.money(&format!("account.{money}"), number);
        row[format!("{money}_base")] = marks.money(&format!("account.{money}_base"), number);
    }
    members(planting::with_own(row, &company.own))
}

fn opportunities(of: &str, world: &World) -> Value {
    let person = crate::shape::number_of(world, |number| id(number) == of);
    let mut all = vec![json!({
        "@odata.etag": "W/\"1\"",
        "name": world.marks.text("opportunity.name", of),
        "estimatedvalue": world.marks.money("opportunity.estimatedvalue", of),
        "estimatedvalue_base": world.marks.money("opportunity.estimatedvalue_base", of),
    })];
    all.extend(world.shelf.about(person).into_iter().map(|made| Value::Object(made.body)));
    Value::Array(all)
}

fn never(name: &str, world: &World) -> Answer {
    let body = json!({ "value": opportunities(&id(1), world) });
    Answer::json(200, &body).forbidden(format!("object {name}"))
}

fn metadata(world: &World, sample: impl FnOnce(&People) -> Option<Map<String, Value>>) -> Answer {
    let columns = world.read(sample);
    let columns: Vec<Value> = columns
        .into_iter()
        .flatten()
        .map(|(name, _)| {
            let label =
                json!({ "UserLocalizedLabel": { "Label": world.label(&name, &name), "LanguageCode": 1033 } });
            json!({ "LogicalName": name, "DisplayName": label })
        })
        .collect();
    Answer::json(200, &json!({ "value": columns }))
}

fn note(call: &Call, world: &World) -> Answer {
    let body = call.json();
    let to = body["objectid_contact@odata.bind"].as_str().unwrap_or_default();
    let to = to.trim_start_matches('/').trim_start_matches("contacts(").trim_end_matches(')');
    let person =
        world.read(|people| people.persons.iter().find(|p| id(p.number) == to).map_or(0, |p| p.number));
    if person == 0 {
        return error(
            400,
            "0x80048d19",
            "Error identified in Payload provided by the user for Entity :'annotations'",
        );
    }
    let subject = body["subject"].as_str().unwrap_or_default();
    let number = world.note(person, &format!("{subject}\n{}", body["notetext"].as_str().unwrap_or_default()));
    let address =
        format!("{}/api/data/v9.2/annotations({number:08x}-0000-ef11-9f89-000d3a000000)", world.url());
    Answer::empty(204).with("OData-EntityId", address)
}

fn compare(row: &Map<String, Value>, test: &Test) -> bool {
    let Some(found) = row.get(&test.field) else { return false };
    if test.field.ends_with("on") && !test.quoted {
        let (Some(found), Some(at)) = (found.as_str().and_then(times::parse), times::parse(&test.value))
        else {
            return false;
        };
        return match test.operator {
            ">" => found > at,
            ">=" => found >= at,
            "<" => found < at,
            "<=" => found <= at,
            _ => found == at,
        };
    }
    let found = text(Some(found)).to_lowercase();
    let wanted = test.value.to_lowercase();
    match test.operator {
        "=" => found == wanted,
        ">" => found > wanted,
        ">=" => found >= wanted,
        "<" => found < wanted,
        "<=" => found <= wanted,
        _ => false,
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn selected(call: &Call) -> Vec<String> {
    let list = call.param("$select").unwrap_or_default();
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn preferred_size(call: &Call) -> Option<usize> {
    let prefer = call.header("prefer")?;
    let size = prefer.split(',').find_map(|part| part.trim().strip_prefix("odata.maxpagesize="))?;
    size.trim_matches('"').parse().ok()
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({ "error": { "code": code, "message": message } }))
}
