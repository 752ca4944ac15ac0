//! SuiteCRM: `POST /module` with type and attributes, `POST …/relationships` to link, `DELETE /module/{Module}/{id}`.
//!
//! Traps: the company of a contact is a relation, which a second request makes; an attribute that there is not is a 400; what
//! was deleted, and whatever else goes wrong, is a 400.

use serde_json::{Value, json};

use super::{Members, Names, members};
use crate::World;
use crate::shape::{number_of, word};
use crate::suitecrm::{SuiteCrm, account_id, error};
use crate::wire::{Answer, Call};

const NAMES: Names = Names {
    first: "first_name",
    last: "last_name",
    email: "email1",
    phone: "phone_work",
    mobile: "phone_mobile",
    title: "title",
    street: "primary_address_street",
    city: "primary_address_city",
};
const SHELVES: [(&str, &[&str]); 2] = [
    ("Opportunities", &["name", "amount", "sales_stage", "date_closed", "next_step", "description"]),
    ("Notes", &["name", "description", "parent_type", "parent_id"]),
];

/// What a token that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["Api", "V8", "module", rest @ ..] = segments.as_slice() else { return None };
    let body = call.json();
    let data = &body["data"];
    Some(match (call.method.as_str(), rest) {
        ("POST", []) => create(word(&data["type"]), members(&data["attributes"]), world),
        ("POST", [module, id, "relationships"]) => relate(module, id, data, world),
        ("GET", [module @ ("Opportunities" | "Notes"), id]) => {
            let record = number(id).and_then(|number| world.shelf.find(module, number));
            match record.filter(|record| !record.gone) {
                Some(record) => {
                    let data = json!({ "type": module, "id": id, "attributes": record.body });
                    Answer::json(200, &json!({ "data": data }))
                }
                None => missing(module, id),
            }
        }
        ("DELETE", [module, id]) => {
            let gone = match *module {
                "Contacts" => world.remove_person(person(id, world)),
                "Accounts" => company(id, world).is_some_and(|number| world.remove_company(number)),
                module => number(id).is_some_and(|number| world.shelf.take_out(module, number)),
            };
            let meta = json!({ "meta": { "message": format!("Record with id {id} is deleted") } });
            if gone { Answer::json(200, &meta) } else { missing(module, id) }
        }
        _ => return None,
    })
}

fn missing(module: &str, id: &str) -> Answer {
    error(&format!("{module} module with id {id} is not found"))
}

fn shelf_id(number: usize) -> String {
    format!("e0000000-2222-4333-8444-{number:012x}")
}

fn number(id: &str) -> Option<usize> {
    usize::from_str_radix(id.strip_prefix("e0000000-2222-4333-8444-")?, 16).ok()
}

fn person(id: &str, world: &World) -> u32 {
    number_of(world, |number| SuiteCrm::contact_id(number) == id)
}

fn company(id: &str, world: &World) -> Option<u32> {
    world.read(|people| people.companies.iter().map(|one| one.number).find(|one| account_id(*one) == id))
}

fn made(module: &str, id: &str) -> Answer {
    Answer::json(201, &json!({ "data": { "type": module, "id": id, "attributes": {} } }))
}

fn create(module: &str, attributes: Members, world: &World) -> Answer {
    match module {
        "Contacts" => {
            let known = [
                NAMES.last,
                NAMES.email,
                NAMES.phone,
                NAMES.mobile,
                NAMES.title,
                NAMES.street,
                NAMES.city,
                "description",
                "lead_source",
            ];
            if let Some(name) = attributes.keys().find(|name| !known.contains(&name.as_str())) {
                return error(&format!("Property {name} in Contact module is invalid"));
            }
            match world.make_person(attributes, |person, own| NAMES.fill(person, own)) {
                Ok(number) => made(module, &SuiteCrm::contact_id(number)),
                Err(_) => error("duplicate"),
            }
        }
        "Accounts" => {
            let mut own = attributes;
            let name = own.remove("name").unwrap_or_default();
            made(module, &account_id(world.make_company(word(&name), own)))
        }
        module => {
            let Some((module, known)) = SHELVES.into_iter().find(|(name, _)| *name == module) else {
                return error("Module is not writable here");
            };
            if let Some(name) = attributes.keys().find(|name| !known.contains(&name.as_str())) {
                return error(&format!("Property {name} in {module} module is invalid"));
            }
            let parent = attributes.get("parent_id").map(|id| person(word(id), world));
            let number = world.make_record(module, attributes, "", parent.filter(|person| *person > 0));
            made(module, &shelf_id(number))
        }
    }
}

fn relate(module: &str, id: &str, data: &Value, world: &World) -> Answer {
    let to = word(&data["id"]);
    let linked = match (module, word(&data["type"])) {
        ("Contacts", "Accounts") => {
            let (person, company) = (person(id, world), company(to, world));
            world.write(|people| {
                let found = people.person_mut(person).filter(|_| company.is_some());
                found.map(|person| person.company = company).is_some()
            })
        }
        ("Opportunities", "Contacts") => {
            let person = person(to, world);
            let found = number(id).filter(|_| person > 0);
            found.map(|number| world.link("Opportunities", number, "name", Some(person))).is_some()
        }
        _ => false,
    };
    if linked { made(module, id) } else { error("Relationship is not found") }
}
