//! Zoho: `POST` of `{ data: [ … ] }` to a module, `GET` and `DELETE` of one.
//!
//! Traps: the id is in `data[0].details`; what can't be made is a 202 or 400 with a code in the same place; a reference is an
//! object with an id; what was deleted lies in the bin and answers 204 from then on, as everything that is not there.

use serde_json::json;

use super::{Members, Names, kept, members};
use crate::World;
use crate::shape::{number_of, word};
use crate::wire::{Answer, Call};
use crate::zoho::{account_id, id};

const NAMES: Names = Names {
    first: "First_Name",
    last: "Last_Name",
    email: "Email",
    phone: "Phone",
    mobile: "Mobile",
    title: "Title",
    street: "Mailing_Street",
    city: "Mailing_City",
};
/// Module, what must be there, what it is called by, and what leads to a contact.
const SHELVES: [(&str, &[&str], &str, &str); 2] = [
    ("Deals", &["Deal_Name", "Stage", "Closing_Date"], "Deal_Name", "Contact_Name"),
    ("Notes", &["Note_Content", "Parent_Id"], "", "Parent_Id"),
];

/// What a token that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["crm", "v8", module, rest @ ..] = segments.as_slice() else { return None };
    Some(match (call.method.as_str(), *module, rest) {
        ("POST", "Contacts", []) => contact(record_of(call), world),
        ("POST", "Accounts", []) => {
            let mut own = record_of(call);
            match own.remove("Account_Name") {
                Some(name) => made(&account_id(world.make_company(word(&name), own))),
                None => refused("MANDATORY_NOT_FOUND", "Account_Name"),
            }
        }
        ("POST", module, []) => shelve(module, record_of(call), world)?,
        ("GET", module @ ("Deals" | "Notes"), [wanted]) => {
            let record = number(wanted).and_then(|number| world.shelf.find(module, number));
            match record.filter(|record| !record.gone) {
                Some(record) => Answer::json(200, &json!({ "data": [kept(&record, ("id", json!(wanted)))] })),
                None => Answer::empty(204),
            }
        }
        ("DELETE", module, [wanted]) => remove(module, wanted, world),
        _ => return None,
    })
}

fn record_of(call: &Call) -> Members {
    members(&call.json()["data"][0])
}

fn shelf_id(number: usize) -> String {
    format!("55500000099{number:08}")
}

fn number(id: &str) -> Option<usize> {
    id.strip_prefix("55500000099")?.parse().ok()
}

fn made(id: &str) -> Answer {
    let details = json!({ "id": id, "Created_Time": "2026-11-21T09:00:00+00:00" });
    let one =
        json!({ "code": "SUCCESS", "details": details, "message": "record added", "status": "success" });
    Answer::json(201, &json!({ "data": [one] }))
}

fn refused(code: &str, field: &str) -> Answer {
    let details = json!({ "api_name": field, "json_path": format!("$.data[0].{field}") });
    let one = json!({ "code": code, "details": details, "message": "refused", "status": "error" });
    Answer::json(400, &json!({ "data": [one] }))
}

fn company(wanted: &str, world: &World) -> Option<u32> {
    world.read(|people| people.companies.iter().map(|one| one.number).find(|one| account_id(*one) == wanted))
}

fn contact(own: Members, world: &World) -> Answer {
    if !own.contains_key("Last_Name") {
        return refused("MANDATORY_NOT_FOUND", "Last_Name");
    }
    let company = own.get("Account_Name").and_then(|account| company(word(&account["id"]), world));
    let person = world.make_person(own, |person, own| {
        NAMES.fill(person, own);
        own.remove("Account_Name");
        person.company = company;
    });
    person.map_or_else(|_| refused("DUPLICATE_DATA", "Email"), |number| made(&id(number)))
}

fn shelve(module: &str, body: Members, world: &World) -> Option<Answer> {
    let (module, needed, title, link) = SHELVES.into_iter().find(|(name, ..)| *name == module)?;
    if let Some(name) = needed.iter().find(|name| !body.contains_key(**name)) {
        return Some(refused("MANDATORY_NOT_FOUND", name));
    }
    let to = body.get(link).map(|to| word(&to["id"]).to_owned());
    let person = to.map(|to| number_of(world, |number| id(number) == to)).filter(|person| *person > 0);
    Some(made(&shelf_id(world.make_record(module, body, title, person))))
}

fn remove(module: &str, wanted: &str, world: &World) -> Answer {
    let gone = match module {
        "Contacts" => world.remove_person(number_of(world, |number| id(number) == wanted)),
        "Accounts" => company(wanted, world).is_some_and(|number| world.remove_company(number)),
        module => number(wanted).is_some_and(|number| world.shelf.take_out(module, number)),
    };
    if !gone {
        return refused("INVALID_DATA", "id");
    }
    let one = json!({ "code": "SUCCESS", "details": { "id": wanted }, "message": "record deleted", "status": "success" });
    Answer::json(200, &json!({ "data": [one] }))
}
