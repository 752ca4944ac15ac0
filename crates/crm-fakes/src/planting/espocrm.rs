//! EspoCRM: `POST` and `DELETE` of records, `POST /{entity}/{id}/{link}` to link them.
//!
//! Traps: what has the address of another record is a 409 that quotes it, unless `X-Skip-Duplicate-Check` is sent; a
//! required attribute that is missing is a 400; `true` is the whole answer to a deletion and to a link; what was deleted is
//! a 404 from then on.

use serde_json::{Value, json};

use super::{Names, add_phone, kept, members};
use crate::World;
use crate::espocrm::{EspoCrm, account_id};
use crate::shape::{number_of, word};
use crate::wire::{Answer, Call};

const NAMES: Names = Names {
    first: "firstName",
    last: "lastName",
    email: "emailAddress",
    phone: "",
    mobile: "",
    title: "title",
    street: "addressStreet",
    city: "addressCity",
};
/// Entity and what it must have.
const SHELVES: [(&str, &[&str], &str); 2] =
    [("Opportunity", &["name", "amount", "closeDate", "accountId"], "name"), ("Task", &["name"], "")];

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["api", "v1", entity, rest @ ..] = segments.as_slice() else { return None };
    Some(match (call.method.as_str(), *entity, rest) {
        ("POST", "Contact", []) => contact(call, world),
        ("POST", "Account", []) => {
            let mut own = members(&call.json());
            let Some(name) = own.remove("name") else { return Some(missing("name")) };
            let id = account_id(world.make_company(word(&name), own));
            Answer::json(200, &json!({ "id": id, "name": name }))
        }
        ("POST", "Opportunity", [id, "contacts"]) => link(call, world, id),
        ("POST", entity, []) => shelve(entity, call, world)?,
        ("GET", entity @ ("Opportunity" | "Task"), [id]) => {
            let record = number(id).and_then(|number| world.shelf.find(entity, number));
            match record.filter(|record| !record.gone) {
                Some(record) => Answer::json(200, &kept(&record, ("id", json!(id)))),
                None => not_found(),
            }
        }
        ("DELETE", entity, [id]) => remove(entity, id, world),
        _ => return None,
    })
}

fn not_found() -> Answer {
    Answer::empty(404).with("x-status-reason", "Record not found.")
}

fn missing(name: &str) -> Answer {
    Answer::json(
        400,
        &json!({ "messageTranslation": { "label": "validationFailure", "data": { "field": name, "type": "required" } } }),
    )
}

fn shelf_id(number: usize) -> String {
    format!("65de000000{number:07x}")
}

fn number(id: &str) -> Option<usize> {
    usize::from_str_radix(id.strip_prefix("65de000000")?, 16).ok()
}

fn contact(call: &Call, world: &World) -> Answer {
    let own = members(&call.json());
    if !own.contains_key("lastName") {
        return missing("lastName");
    }
    let account = own.get("accountId").map(|id| word(id).to_owned());
    let company = account.and_then(|id| {
        world.read(|people| people.companies.iter().map(|one| one.number).find(|one| account_id(*one) == id))
    });
    let made = world.make_person(own, |person, own| {
        NAMES.fill(person, own);
        own.remove("accountId");
        for phone in own.remove("phoneNumberData").iter().filter_map(Value::as_array).flatten() {
            add_phone(person, word(&phone["phoneNumber"]), phone["type"] == "Mobile");
        }
        person.company = company;
    });
    match made {
        Ok(number) => Answer::json(200, &json!({ "id": EspoCrm::contact_id(number) })),
        Err(other) => {
            let body = json!([{ "id": EspoCrm::contact_id(other), "_entityType": "Contact" }]);
            Answer::json(409, &body).with("x-status-reason", "{\"reason\":\"Duplicate\"}")
        }
    }
}

fn shelve(entity: &str, call: &Call, world: &World) -> Option<Answer> {
    let (entity, needed, title) = SHELVES.into_iter().find(|(name, ..)| *name == entity)?;
    let body = members(&call.json());
    if let Some(name) = needed.iter().find(|name| !body.contains_key(**name)) {
        return Some(missing(name));
    }
    let about =
        (body.get("parentType").map(word) == Some("Contact")).then(|| word(&body["parentId"]).to_owned());
    let person = about.map(|id| number_of(world, |number| EspoCrm::contact_id(number) == id));
    let number = world.make_record(entity, body, title, person);
    Some(Answer::json(200, &json!({ "id": shelf_id(number) })))
}

fn link(call: &Call, world: &World, opportunity: &str) -> Answer {
    let to = call.json()["id"].as_str().map(str::to_owned).unwrap_or_default();
    let person = number_of(world, |number| EspoCrm::contact_id(number) == to);
    match number(opportunity).filter(|_| person > 0) {
        Some(number) => {
            world.link("Opportunity", number, "name", Some(person));
            Answer::json(200, &json!(true))
        }
        None => not_found(),
    }
}

fn remove(entity: &str, id: &str, world: &World) -> Answer {
    let gone = match entity {
        "Contact" => world.remove_person(number_of(world, |number| EspoCrm::contact_id(number) == id)),
        "Account" => {
            let found = world.read(|people| {
                people.companies.iter().map(|one| one.number).find(|one| account_id(*one) == id)
            });
            found.is_some_and(|number| world.remove_company(number))
        }
        entity => number(id).is_some_and(|number| world.shelf.take_out(entity, number)),
    };
    if gone { Answer::json(200, &json!(true)) } else { not_found() }
}
