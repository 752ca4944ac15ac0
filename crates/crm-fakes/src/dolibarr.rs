//! Dolibarr, as its source says: contacts and third parties.
//!
//! Traps: old versions ignore `properties` without a word; an empty list is a 404; a missing right is a 401, as is a
//! wrong key; ids are strings, times are unix seconds in strings; `pagination_data` changes the envelope; an error page
//! quotes the statement; the same person in another company is another contact.

use serde_json::{Value, json};

use crate::people::{Company, Person};
use crate::shape::{comma_list, names_of, number_of, ordered, page_in_200, pick, slice, with_deals, word};
use crate::switch::Fault;
use crate::wire::{Answer, Call};
use crate::{Crm, World, planting};

const LIST_PARAMETERS: [&str; 7] =
    ["sortfield", "sortorder", "limit", "page", "sqlfilters", "properties", "pagination_data"];
/// What may be filtered by.
const FILTERS: [&str; 6] = ["t.rowid", "t.email", "t.phone", "t.phone_perso", "t.phone_mobile", "t.tms"];

/// Dolibarr.
#[derive(Debug, Default)]
pub struct Dolibarr {
    /// Whether this version knows `properties`.
    pub knows_properties: bool,
    /// Whether the user lacks the right to read contacts.
    pub without_right: bool,
}

impl Dolibarr {
    /// The user's key.
    pub const KEY: &'static str = "d0l1barrKey7f3a9b";

    /// The key of the user that plants.
    pub const PLANT_KEY: &'static str = "d0l1barrPlant4c8e2d";

    /// The id of a person's record.
    pub fn contact_id(number: u32) -> String {
        (500 + number).to_string()
    }

    fn list(&self, call: &Call, world: &World) -> Answer {
        let unknown = call.unknown_params(&LIST_PARAMETERS);
        let mut forbidden: Vec<String> =
            unknown.into_iter().map(|name| format!("parameter {name}")).collect();
        let filters = match conditions(call.param("sqlfilters").unwrap_or_default()) {
            Ok(filters) => filters,
            Err(filters) => {
                let quoted = format!("Error when validating parameter sqlfilters {filters}");
                return error(503, &quoted).forbidden("a broken filter");
            }
        };
        let strange = filters.1.iter().filter(|(field, ..)| !FILTERS.contains(&field.as_str()));
        forbidden.extend(strange.map(|(field, ..)| format!("filter by {field}")));
        if call.number("page").is_some_and(|page| page > 0) {
            world.shift();
        }
        let by_change = call.param("sortfield").is_some_and(|field| field.starts_with("t.tms"));
        let asked = call.param("properties").map(comma_list).unwrap_or_default();
        let names =
            (self.knows_properties && !asked.is_empty() && !world.switch.is_on(Fault::SelectionIgnored))
                .then(|| asked.clone());
        let found: Vec<Value> = world.read(|people| {
            let fits = |person: &&Person| {
                let mut each = filters.1.iter().map(|one| condition(person, one));
                if filters.0 { each.any(|fits| fits) } else { each.all(|fits| fits) }
            };
            let found = ordered(people, by_change).into_iter().filter(fits);
            let records = found.map(|person| contact(world, person, people.company_of(person)));
            records.map(|record| pick(record, names.as_deref())).collect()
        });
        let size = call.number("limit").filter(|limit| *limit > 0).unwrap_or(100);
        let number = call.number("page").unwrap_or(0);
        let page = slice(&found, number * size, size);
        let answer = if page.is_empty() {
            error(404, "Not Found: Contacts not found")
        } else if call.param("pagination_data").is_some_and(|wanted| wanted == "true" || wanted == "1") {
            let pages = found.len().div_ceil(size);
            let pagination =
                json!({"total": found.len(), "page": number, "page_count": pages, "limit": size});
            Answer::json(200, &json!({"data": page, "pagination": pagination}))
        } else {
            Answer::json(200, &json!(page))
        };
        answer.asking(asked).forbidding(forbidden)
    }

    fn one(&self, call: &Call, world: &World, id: &str) -> Answer {
        let unknown =
            call.unknown_params(&["properties"]).into_iter().map(|name| format!("parameter {name}"));
        let found = world.read(|people| {
            let person = people.living().find(|person| Self::contact_id(person.number) == id)?;
            Some(contact(world, person, people.company_of(person)))
        });
        let Some(record) = found else { return error(404, "Not Found: Contact not found") };
        let asked = call.param("properties").map(comma_list);
        let names =
            asked.clone().filter(|_| self.knows_properties && !world.switch.is_on(Fault::SelectionIgnored));
        let told = asked.unwrap_or_else(|| names_of(&record));
        Answer::json(200, &pick(record, names.as_deref())).asking(told).forbidding(unknown)
    }
}

impl Crm for Dolibarr {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let plants = call.header("dolapikey") == Some(Self::PLANT_KEY);
        if call.header("dolapikey") != Some(Self::KEY) && !plants {
            return error(401, "Unauthorized: Access to this API is denied");
        }
        if self.without_right {
            return error(401, "Unauthorized: No permission to read contacts");
        }
        if let Some(page) = page_in_200(world) {
            return page;
        }
        if let Some(answer) = plants.then(|| planting::dolibarr::answer(call, world)).flatten() {
            return answer;
        }
        match (call.method.as_str(), call.segments().as_slice()) {
            ("GET", ["api", "index.php", "status"]) => {
                let success = json!({"code": 200, "dolibarr_version": "20.0.0", "access_locked": "0"});
                Answer::json(200, &json!({"success": success}))
            }
            ("GET", ["api", "index.php", "contacts"]) => self.list(call, world),
            ("GET", ["api", "index.php", "contacts", id]) => self.one(call, world, id),
            ("GET", ["api", "index.php", "thirdparties", id]) => one_third_party(world, id),
            ("POST", ["api", "index.php", "agendaevents"]) => event(call, world),
            _ => error(404, "Not Found").forbidden(format!("{} {}", call.method, call.path)),
        }
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        // Dolibarr has no limit of its own; the web server before it has.
        Answer::text(429, "text/html", "<html><title>429 Too Many Requests</title></html>")
            .with("retry-after", "4")
    }

    fn secrets(&self) -> Vec<String> {
        [Self::KEY, Self::PLANT_KEY].map(str::to_owned).to_vec()
    }
}

pub(crate) fn error(code: u16, message: &str) -> Answer {
    Answer::json(code, &json!({"error": {"code": code, "message": message}}))
}

fn event(call: &Call, world: &World) -> Answer {
    let body = call.json();
    if body["type_code"] != "AC_OTH" {
        return error(401, "Unauthorized: Insufficient rights").forbidden("wrote a record");
    }
    let id = body["contact_id"].as_str().map(str::to_owned).unwrap_or_else(|| body["contact_id"].to_string());
    let person = number_of(world, |number| Dolibarr::contact_id(number) == id);
    let number = world.note(person, &format!("{}: {}", word(&body["label"]), word(&body["note_private"])));
    Answer::json(200, &json!(number))
}

type Condition = (String, String, String);

/// `(t.email:=:'x') or (t.phone:=:'y')`. True with `or`. Err with what is no filter.
fn conditions(text: &str) -> Result<(bool, Vec<Condition>), String> {
    let mut conditions = Vec::new();
    let mut any = false;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (inner, after) =
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).ok_or_else(|| text.to_owned())?;
        let parts: Vec<&str> = inner.split(':').collect();
        // Neither a colon nor a bracket can stand in a value.
        let [field, operator, value] = parts.as_slice() else { return Err(text.to_owned()) };
        if inner.contains('(') || field.contains('\'') {
            return Err(text.to_owned());
        }
        let value = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')).unwrap_or(value);
        conditions.push(((*field).to_owned(), (*operator).to_owned(), value.to_owned()));
        rest = after.trim();
        for word in ["or ", "and ", "OR ", "AND "] {
            if let Some(after) = rest.strip_prefix(word) {
                any |= word.eq_ignore_ascii_case("or ");
                rest = after.trim();
            }
        }
    }
    Ok((any, conditions))
}

fn condition(person: &Person, (field, operator, value): &Condition) -> bool {
    let phone = |mobile: bool| {
        let phone = if mobile { person.mobile() } else { person.phone() };
        phone.is_some_and(|phone| phone.e164 == *value)
    };
    match (field.as_str(), operator.as_str()) {
        ("t.rowid", "=") => Dolibarr::contact_id(person.number) == *value,
        ("t.email", "=") => person.email().to_lowercase() == value.to_lowercase(),
        ("t.phone", "=") => phone(false),
        ("t.phone_mobile", "=") => phone(true),
        ("t.tms", ">" | ">=") => compact(value)
            .is_some_and(|since| person.updated > since || (operator == ">=" && person.updated == since)),
        _ => false,
    }
}

/// `20260110080000`, or `2026-01-10 08-00-00`: no colon can stand in a value.
fn compact(text: &str) -> Option<jiff::Timestamp> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = format!("{digits:0<14}");
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &digits).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

fn contact(world: &World, person: &Person, company: Option<&Company>) -> Value {
    let marks = &world.marks;
    let number = person.number;
    let record = json!({
        "id": Dolibarr::contact_id(number),
        "entity": "1",
        "ref": Dolibarr::contact_id(number),
        "lastname": person.last_name,
        "firstname": person.first_name,
        "civility_code": Value::Null,
        "email": person.email(),
        "mail": person.email(),
        "phone_pro": person.phone().map(|phone| phone.e164.clone()),
        "phone_perso": "",
        "phone_mobile": person.mobile().map(|phone| phone.e164.clone()),
        "poste": person.job_title,
        "address": person.street,
        "zip": person.postal_code,
        "town": person.city,
        "country": person.country_name,
        "country_code": person.country,
        "default_lang": format!("{}_{}", person.language, person.country),
        "socid": company.map(|company| company.number.to_string()),
        "fk_soc": company.map(|company| company.number.to_string()),
        "socname": company.map(|company| company.name.clone()),
        "statut": "1",
        "date_creation": person.created.as_second().to_string(),
        "date_modification": person.updated.as_second().to_string(),
        "array_options": {
            "options_service_level": person.service_level,
            "options_support_until": person.support_until.to_string(),
            "options_credit_limit": marks.amount("contact.array_options.credit_limit", number),
        },
        "note_private": marks.text("contact.note_private", number),
        "note_public": marks.text("contact.note_public", number),
        "birthday": marks.text("contact.birthday", number),
        "user_creation_id": marks.text("contact.user_creation_id", number),
        "ref_facturation": marks.count("contact.ref_facturation", number),
        "ref_propal": marks.count("contact.ref_propal", number),
        "mode_reglement_id": marks.text("contact.mode_reglement_id", number),
        "cond_reglement_id": marks.text("contact.cond_reglement_id", number),
        "import_key": marks.text("contact.import_key", number),
    });
    with_deals(world, number, "propals", planting::with_own(record, &person.own))
}

fn one_third_party(world: &World, id: &str) -> Answer {
    let found = world
        .read(|people| people.companies.iter().find(|company| company.number.to_string() == id).cloned());
    let Some(company) = found else { return error(404, "Not Found: Thirdparty not found") };
    let marks = &world.marks;
    let number = company.number;
    let record = json!({
        "id": number.to_string(),
        "name": company.name,
        "url": company.website(),
        "phone": company.phone.e164,
        "town": company.city,
        "country_code": company.country,
        "date_modification": company.updated.as_second().to_string(),
        "outstanding_limit": marks.amount("thirdparty.outstanding_limit", number),
        "code_compta_client": marks.text("thirdparty.code_compta_client", number),
        "remise_percent": marks.amount("thirdparty.remise_percent", number),
        "price_level": marks.count("thirdparty.price_level", number),
        "capital": marks.amount("thirdparty.capital", number),
        "note_private": marks.text("thirdparty.note_private", number),
        "iban": marks.iban("thirdparty.iban", number),
    });
    let record = planting::with_own(record, &company.own);
    Answer::json(200, &record).asking(names_of(&record))
}
