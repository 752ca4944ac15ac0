//! vtiger's REST API, with the query language of its web services.
//!
//! Traps: errors come with status 200 and `success: false`; the id comes along whatever is selected; a record by id
//! comes whole, and only the query can narrow it; a query must end with a semicolon; a quote in a text is doubled; at
//! most a hundred rows; the employer is an id.

use serde_json::{Value, json};

use crate::people::{Company, Person};
use crate::shape::{
    from_base64, ordered, pick, read_space_time, slice, space_time, strangers, with_deals, word,
};
use crate::switch::Fault;
use crate::wire::{Answer, Call};
use crate::{Crm, World, planting};

/// Most rows of an answer.
pub const ROWS_MAX: usize = 100;

/// What may be filtered by.
const FILTERS: [&str; 6] = ["id", "email", "secondaryemail", "phone", "mobile", "modifiedtime"];

/// vtiger.
#[derive(Debug, Default)]
pub struct Vtiger;

impl Vtiger {
    /// The user.
    pub const USER: &'static str = "guichet";
    /// The user's access key.
    pub const ACCESS_KEY: &'static str = "vt1gerAccessKey9";

    /// The user that plants.
    pub const PLANT_USER: &'static str = "planter";
    /// That user's access key.
    pub const PLANT_KEY: &'static str = "vt1gerPlanterKey3";

    /// The id of a person's record: the number of the module, `x`, the number of the record.
    pub fn contact_id(number: u32) -> String {
        format!("12x{}", 300 + number)
    }
}

impl Crm for Vtiger {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let given = call.authorization("basic").and_then(from_base64);
        let plants = given == Some(format!("{}:{}", Self::PLANT_USER, Self::PLANT_KEY));
        if given != Some(format!("{}:{}", Self::USER, Self::ACCESS_KEY)) && !plants {
            return failure("INVALID_USER_CREDENTIALS", "Invalid username or password", 401);
        }
        if let Some(answer) = plants.then(|| planting::vtiger::answer(call, world)).flatten() {
            return answer;
        }
        let answer = match (call.method.as_str(), call.segments().as_slice()) {
            ("GET", ["restapi", "v1", "vtiger", "default", "query"]) => query(call, world),
            ("GET", ["restapi", "v1", "vtiger", "default", "retrieve"]) => retrieve(call, world),
            ("POST", ["restapi", "v1", "vtiger", "default", "create"]) => create(call, world),
            ("GET", ["restapi", "v1", "vtiger", "default", "describe"]) => describe(call, world),
            (_, [.., operation]) => {
                let what = format!("{} {operation}", call.method);
                failure("UNKNOWN_OPERATION", "Unknown operation requested", 200).forbidden(what)
            }
            _ => {
                failure("UNKNOWN_OPERATION", "Unknown operation requested", 200).forbidden("an unknown path")
            }
        };
        answer
            .with("x-floodcontrol-minutelimit", "60")
            .with("x-floodcontrol-remaining", "41")
            .with("x-ratelimit-dailylimit", "20000")
    }

    fn throttled(&self, _: &Call, world: &World) -> Answer {
        failure("TOO_MANY_REQUESTS", "API limit exceeded", 429)
            .with("x-floodcontrol-minutelimit", "60")
            .with("x-floodcontrol-remaining", "0")
            .with("x-floodcontrol-reset", (world.now().as_second() + 11).to_string())
    }

    fn secrets(&self) -> Vec<String> {
        [Self::ACCESS_KEY, Self::PLANT_KEY].map(str::to_owned).to_vec()
    }
}

pub(crate) fn failure(code: &str, message: &str, status: u16) -> Answer {
    Answer::json(status, &json!({"success": false, "error": {"code": code, "message": message}}))
}

fn query(call: &Call, world: &World) -> Answer {
    let mut forbidden: Vec<String> =
        call.unknown_params(&["query"]).into_iter().map(|name| format!("parameter {name}")).collect();
    if world.switch.take(Fault::ErrorIn200) {
        return failure("INTERNAL_SERVER_ERROR", "Database error while performing requested operation", 200);
    }
    let query = match Query::read(call.param("query").unwrap_or_default()) {
        Ok(query) => query,
        Err(message) => return failure("QUERY_SYNTAX_ERROR", &message, 200).forbidden(message),
    };
    forbidden.extend(query.forbidden());
    if query.offset > 0 {
        world.shift();
    }
    let by_change = query.order.as_deref() == Some("modifiedtime");
    let (records, sample): (Vec<Value>, Option<Value>) = world.read(|people| {
        if query.module == "Accounts" {
            let wanted =
                query.conditions.iter().find(|(column, ..)| column == "id").map(|(.., id)| id.as_str());
            let fits = |company: &&Company| wanted.is_none_or(|id| id == account_id(company.number));
            let found = people.companies.iter().filter(fits).map(|company| account(world, company)).collect();
            return (found, people.companies.first().map(|company| account(world, company)));
        }
        let fits = |person: &&Person| query.fits(person);
        let found = ordered(people, by_change).into_iter().filter(fits);
        let found = found.map(|person| contact(world, person, people.company_of(person))).collect();
        (found, people.persons.first().map(|person| contact(world, person, None)))
    });
    let all = query.columns == ["*"] || world.switch.is_on(Fault::SelectionIgnored);
    if !all && let Some(name) = sample.and_then(|sample| strangers(&sample, &query.columns).pop()) {
        let message = format!("Permission to access {name} attribute denied.");
        return failure("ACCESS_DENIED", &message, 200).asking(query.columns);
    }
    let chosen: Option<Vec<String>> =
        (!all).then(|| query.columns.iter().cloned().chain(["id".to_owned()]).collect());
    let page = slice(&records, query.offset, query.count.min(ROWS_MAX));
    let page: Vec<Value> = page.iter().map(|record| pick(record.clone(), chosen.as_deref())).collect();
    Answer::json(200, &json!({"success": true, "result": page})).asking(query.columns).forbidding(forbidden)
}

fn retrieve(call: &Call, world: &World) -> Answer {
    let id = call.param("id").unwrap_or_default();
    let found = world.read(|people| {
        let person = people.living().find(|person| Vtiger::contact_id(person.number) == id)?;
        Some(contact(world, person, people.company_of(person)))
    });
    found.map_or_else(
        || failure("RECORD_NOT_FOUND", "Record you are trying to access is not found", 200),
        |record| {
            let asked = crate::shape::names_of(&record);
            Answer::json(200, &json!({"success": true, "result": record})).asking(asked)
        },
    )
}

fn create(call: &Call, world: &World) -> Answer {
    if call.form_value("elementType").as_deref() != Some("ModComments") {
        return failure("ACCESS_DENIED", "Permission to perform the operation is denied", 200)
            .forbidden("wrote a record");
    }
    let element = call.form_value("element").unwrap_or_default();
    let element: Value = serde_json::from_str(&element).unwrap_or_default();
    let related = word(&element["related_to"]);
    let person = crate::shape::number_of(world, |number| Vtiger::contact_id(number) == related);
    let number = world.note(person, word(&element["commentcontent"]));
    Answer::json(200, &json!({"success": true, "result": {"id": format!("31x{number}")}}))
}

fn describe(call: &Call, world: &World) -> Answer {
    let accounts = call.param("elementType") == Some("Accounts");
    let sample = world.read(|people| {
        if accounts {
            people.companies.first().map(|one| account(world, one))
        } else {
            people.persons.first().map(|person| contact(world, person, None))
        }
    });
    let fields = crate::shape::names_of(&sample.unwrap_or_default());
    let fields: Vec<Value> = fields
        .into_iter()
        .map(|name| json!({"name": name, "label": world.label(&name, &name.replace('_', " "))}))
        .collect();
    Answer::json(200, &json!({"success": true, "result": {"name": "Contacts", "fields": fields}}))
}

/// `SELECT columns FROM Contacts WHERE column = 'text' [AND|OR …] ORDER BY column LIMIT offset, count;`
#[derive(Debug, Default)]
struct Query {
    module: String,
    columns: Vec<String>,
    any: bool,
    conditions: Vec<(String, String, String)>,
    order: Option<String>,
    offset: usize,
    count: usize,
}

impl Query {
    fn read(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut at = tokens.iter().map(String::as_str).peekable();
        let mut query = Self { count: ROWS_MAX, ..Self::default() };
        expect(&mut at, "select")?;
        loop {
            query.columns.push(at.next().unwrap_or_default().to_owned());
            if at.next_if(|token| *token == ",").is_none() {
                break;
            }
        }
        expect(&mut at, "from")?;
        query.module = at.next().unwrap_or_default().to_owned();
        if !["Contacts", "Accounts"].contains(&query.module.as_str()) {
            return Err("Permission to access the module is denied".to_owned());
        }
        if at.next_if(|token| token.eq_ignore_ascii_case("where")).is_some() {
            query.read_conditions(&mut at)?;
        }
        if at.next_if(|token| token.eq_ignore_ascii_case("order")).is_some() {
            expect(&mut at, "by")?;
            query.order = at.next().map(str::to_owned);
            while at
                .next_if(|token| *token == "," || *token == "id" || token.eq_ignore_ascii_case("asc"))
                .is_some()
            {}
        }
        if at.next_if(|token| token.eq_ignore_ascii_case("limit")).is_some() {
            let mut number = || at.next().and_then(|token| token.parse().ok());
            let first: Option<usize> = number();
            if at.next_if(|token| *token == ",").is_some() {
                query.offset = first.ok_or("Syntax Error near LIMIT")?;
                query.count =
                    at.next().and_then(|token| token.parse().ok()).ok_or("Syntax Error near LIMIT")?;
            } else {
                query.count = first.ok_or("Syntax Error near LIMIT")?;
            }
        }
        expect(&mut at, ";")?;
        if at.next().is_some() { Err("Syntax Error after the end".to_owned()) } else { Ok(query) }
    }

    fn read_conditions<'a>(
        &mut self,
        at: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Result<(), String> {
        loop {
            let (column, operator, value) = (at.next(), at.next(), at.next());
            let (Some(column), Some(operator), Some(value)) = (column, operator, value) else {
                return Err("Syntax Error near WHERE".to_owned());
            };
            let text = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
            self.conditions.push((column.to_owned(), operator.to_owned(), text.replace("''", "'")));
            self.any |= at.peek().is_some_and(|token| token.eq_ignore_ascii_case("or"));
            if at
                .next_if(|token| token.eq_ignore_ascii_case("and") || token.eq_ignore_ascii_case("or"))
                .is_none()
            {
                return Ok(());
            }
        }
    }

    /// What the bridge must never ask.
    fn forbidden(&self) -> Vec<String> {
        let columns = self.conditions.iter().map(|(column, ..)| column.as_str());
        let strange =
            columns.filter(|column| !FILTERS.contains(column)).map(|column| format!("filter by {column}"));
        let star = self.columns.iter().filter(|column| *column == "*").map(|_| "every field".to_owned());
        strange.chain(star).collect()
    }

    fn fits(&self, person: &Person) -> bool {
        let mut fits = self
            .conditions
            .iter()
            .map(|(column, operator, value)| condition(person, column, operator, value));
        if self.any { fits.any(|fits| fits) } else { fits.all(|fits| fits) }
    }
}

fn expect<'a>(at: &mut impl Iterator<Item = &'a str>, word: &str) -> Result<(), String> {
    match at.next() {
        Some(token) if token.eq_ignore_ascii_case(word) => Ok(()),
        token => Err(format!("Syntax Error near {}", token.unwrap_or("the end"))),
    }
}

/// Words, quoted texts with doubled quotes, and signs, as the lexer of the web services has them.
fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let mut token = letter.to_string();
        match letter {
            _ if letter.is_whitespace() => continue,
            '\'' => loop {
                match letters.next() {
                    None => return Err("Unexpected input: a text has no end".to_owned()),
                    Some('\'') if letters.peek() == Some(&'\'') => {
                        letters.next();
                        token.push_str("''");
                    }
                    Some('\'') => {
                        token.push('\'');
                        break;
                    }
                    Some(other) => token.push(other),
                }
            },
            '<' | '>' | '!' => token.extend(letters.next_if(|next| *next == '=')),
            ',' | ';' | '*' | '=' | '(' | ')' => {}
            _ if letter.is_alphanumeric() || letter == '_' => {
                while let Some(next) = letters.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    token.push(next);
                }
            }
            other => return Err(format!("Unexpected input at line 1: {other}")),
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn condition(person: &Person, column: &str, operator: &str, value: &str) -> bool {
    match (column, operator) {
        ("id", "=") => Vtiger::contact_id(person.number) == value,
        // The database compares without regard to case.
        ("email", "=") => person.email().to_lowercase() == value.to_lowercase(),
        ("secondaryemail", "=") => {
            person.emails.get(1).is_some_and(|mail| mail.to_lowercase() == value.to_lowercase())
        }
        ("phone", "=") => person.phone().is_some_and(|phone| phone.e164 == value),
        ("mobile", "=") => person.mobile().is_some_and(|phone| phone.e164 == value),
        ("modifiedtime", ">") => read_space_time(value, "UTC").is_some_and(|since| person.updated > since),
        ("modifiedtime", ">=") => read_space_time(value, "UTC").is_some_and(|since| person.updated >= since),
        _ => false,
    }
}

fn contact(world: &World, person: &Person, company: Option<&Company>) -> Value {
    let marks = &world.marks;
    let number = person.number;
    let record = json!({
        "id": Vtiger::contact_id(number),
        "contact_no": format!("CON{number}"),
        "firstname": person.first_name,
        "lastname": person.last_name,
        "email": person.email(),
        "secondaryemail": person.emails.get(1).cloned().unwrap_or_default(),
        "phone": person.phone().map(|phone| phone.e164.clone()).unwrap_or_default(),
        "mobile": person.mobile().map(|phone| phone.e164.clone()).unwrap_or_default(),
        "title": person.job_title,
        "account_id": company.map(|company| account_id(company.number)).unwrap_or_default(),
        "mailingstreet": person.street,
        "mailingcity": person.city,
        "mailingzip": person.postal_code,
        "mailingcountry": person.country_name,
        "support_start_date": "2026-01-01",
        "support_end_date": person.support_until.to_string(),
        "createdtime": space_time(person.created),
        "modifiedtime": space_time(person.updated),
        "cf_language": person.language,
        "cf_service_level": person.service_level,
        "leadsource": marks.text("contact.leadsource", number),
        "assigned_user_id": marks.text("contact.assigned_user_id", number),
        "description": format!("discount promised, {}", marks.text("contact.description", number)),
        "rating": marks.text("contact.rating", number),
        "birthday": marks.text("contact.birthday", number),
        "cf_annual_revenue": marks.amount("contact.cf_annual_revenue", number),
        "cf_853": marks.amount("contact.cf_853", number),
        "cf_iban": marks.iban("contact.cf_iban", number),
        "portal": "0",
    });
    with_deals(world, number, "potentials", planting::with_own(record, &person.own))
}

pub(crate) fn account_id(number: u32) -> String {
    format!("11x{number}")
}

pub(crate) fn account(world: &World, company: &Company) -> Value {
    let marks = &world.marks;
    let number = company.number;
    let record = json!({
        "id": account_id(number),
        "accountname": company.name,
        "website": company.website(),
        "phone": company.phone.e164,
        "bill_city": company.city,
        "bill_country": company.country_name,
        "modifiedtime": space_time(company.updated),
        "annual_revenue": marks.amount("account.annual_revenue", number),
        "rating": marks.text("account.rating", number),
        "assigned_user_id": marks.text("account.assigned_user_id", number),
        "description": marks.text("account.description", number),
    });
    planting::with_own(record, &company.own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_language_is_read_with_doubled_quotes() {
        let query = "SELECT firstname,email FROM Contacts WHERE email='o''brien@x.example' OR secondaryemail = 'a' \
                     ORDER BY modifiedtime, id LIMIT 100,50;";
        let query = Query::read(query).unwrap();
        assert_eq!(query.columns, ["firstname", "email"]);
        assert_eq!(query.conditions[0].2, "o'brien@x.example");
        assert!(query.any && query.order.as_deref() == Some("modifiedtime"));
        assert_eq!((query.offset, query.count), (100, 50));
        for wrong in [
            "SELECT a FROM Contacts",
            "SELECT a FROM Deals;",
            "SELECT a FROM Contacts WHERE a='x' ;;",
            "DROP;",
        ] {
            assert!(Query::read(wrong).is_err(), "{wrong}");
        }
    }
}
