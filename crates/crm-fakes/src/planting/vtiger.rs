//! vtiger: `create` with `elementType` and `element` in a form, `delete` with an id, `retrieve` of whole records.
//!
//! Traps: everything is a 200, mistakes with `success: false`; the owner must be sent; the element is JSON in a form; amounts
//! come back as texts with eight decimals.

use serde_json::{Value, json};

use super::{Members, Names, kept, members};
use crate::World;
use crate::shape::{number_of, word};
use crate::vtiger::{Vtiger, account_id, failure};
use crate::wire::{Answer, Call};

const NAMES: Names = Names {
    first: "firstname",
    last: "lastname",
    email: "email",
    phone: "phone",
    mobile: "mobile",
    title: "title",
    street: "mailingstreet",
    city: "mailingcity",
};
/// Module, the number of its ids, what must be there, and what it is called by.
const SHELVES: [(&str, usize, &[&str], &str); 2] = [
    ("Potentials", 13, &["potentialname", "closingdate", "sales_stage"], "potentialname"),
    ("ModComments", 31, &["commentcontent", "related_to"], ""),
];

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["restapi", "v1", "vtiger", "default", operation] = segments.as_slice() else { return None };
    Some(match (call.method.as_str(), *operation) {
        ("POST", "create") => {
            let element: Value =
                serde_json::from_str(&call.form_value("element").unwrap_or_default()).unwrap_or_default();
            create(&call.form_value("elementType").unwrap_or_default(), members(&element), world)
        }
        ("GET", "retrieve") => {
            let id = call.param("id").unwrap_or_default();
            if let Some(company) = company(id, world) {
                let found = world.read(|people| {
                    let found = people.companies.iter().find(|one| one.number == company)?;
                    Some(crate::vtiger::account(world, found))
                });
                return Some(Answer::json(200, &json!({ "success": true, "result": found })));
            }
            let (module, number) = shelf(id)?;
            match world.shelf.find(module, number).filter(|record| !record.gone) {
                Some(record) => {
                    let record = kept(&record, ("id", json!(id)));
                    Answer::json(200, &json!({ "success": true, "result": record }))
                }
                None => gone(),
            }
        }
        ("POST", "delete") => {
            let id = call.form_value("id").unwrap_or_default();
            let person = number_of(world, |number| Vtiger::contact_id(number) == id);
            let removed = match (person, company(&id, world), shelf(&id)) {
                (0, None, None) => false,
                (0, None, Some((module, number))) => world.shelf.take_out(module, number),
                (0, Some(company), _) => world.remove_company(company),
                (person, ..) => world.remove_person(person),
            };
            let done = json!({ "success": true, "result": { "status": "successful" } });
            if removed { Answer::json(200, &done) } else { gone() }
        }
        _ => return None,
    })
}

fn gone() -> Answer {
    failure("RECORD_NOT_FOUND", "Record you are trying to access is not found", 200)
}

fn shelf(id: &str) -> Option<(&'static str, usize)> {
    let (kind, number) = id.split_once('x')?;
    let kind: usize = kind.parse().ok()?;
    let (module, ..) = SHELVES.into_iter().find(|(_, known, ..)| *known == kind)?;
    Some((module, number.parse().ok()?))
}

fn company(id: &str, world: &World) -> Option<u32> {
    world.read(|people| people.companies.iter().map(|one| one.number).find(|one| account_id(*one) == id))
}

fn made(id: &str) -> Answer {
    Answer::json(200, &json!({ "success": true, "result": { "id": id } }))
}

fn missing(name: &str) -> Answer {
    failure("MANDATORY_FIELDS_MISSING", &format!("{name} does not have a value"), 200)
}

fn create(module: &str, mut element: Members, world: &World) -> Answer {
    if !element.contains_key("assigned_user_id") {
        return missing("assigned_user_id");
    }
    match module {
        "Contacts" => {
            let company = element.remove("account_id").and_then(|id| company(word(&id), world));
            let person = world.make_person(element, |person, own| {
                NAMES.fill(person, own);
                person.company = company;
            });
            person.map_or_else(
                |_| failure("DUPLICATE", "duplicate", 200),
                |number| made(&Vtiger::contact_id(number)),
            )
        }
        "Accounts" => match element.remove("accountname") {
            Some(name) => made(&account_id(world.make_company(word(&name), element))),
            None => missing("accountname"),
        },
        module => {
            let Some((module, kind, needed, title)) = SHELVES.into_iter().find(|(name, ..)| *name == module)
            else {
                return failure("ACCESS_DENIED", "Permission to perform the operation is denied", 200);
            };
            if let Some(name) = needed.iter().find(|name| !element.contains_key(**name)) {
                return missing(name);
            }
            if let Some(amount) = element.get("amount").and_then(Value::as_str).map(str::to_owned) {
                element.insert("amount".to_owned(), json!(format!("{amount}000000")));
            }
            let to = element.get("contact_id").or(element.get("related_to")).map(word).unwrap_or_default();
            let person = number_of(world, |number| Vtiger::contact_id(number) == to);
            let person = Some(person).filter(|person| *person > 0);
            made(&format!("{kind}x{}", world.make_record(module, element, title, person)))
        }
    }
}
