//! Twenty: `POST`, `GET` and `DELETE` of `/rest/{objects}`; what a note is about is a record of its own.
//!
//! Traps: what is made is below a member with the name of the deed (`createPerson`); names, addresses and numbers are
//! composite; an amount is a whole number of millionths with its currency; what is not there is a 404.

use serde_json::json;

use super::{Members, add_email, add_phone, kept, members};
use crate::World;
use crate::shape::{number_of, word};
use crate::twenty::{Twenty, bad, company_id, not_found};
use crate::wire::{Answer, Call};

/// Objects, one of them, its members.
const SHELVES: [(&str, &str, &[&str]); 3] = [
    ("opportunities", "Opportunity", &["name", "amount", "closeDate", "pointOfContactId", "companyId"]),
    ("notes", "Note", &["title", "bodyV2"]),
    ("noteTargets", "NoteTarget", &["noteId", "personId"]),
];

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["rest", objects, rest @ ..] = segments.as_slice() else { return None };
    let (shelf, one, _) = SHELVES.iter().find(|(name, ..)| name == objects).copied().unwrap_or_default();
    Some(match (call.method.as_str(), *objects, rest) {
        ("POST", "people", []) => person(members(&call.json()), world),
        ("POST", "companies", []) => {
            let mut own = members(&call.json());
            let name = own.remove("name").unwrap_or_default();
            made("Company", &company_id(world.make_company(word(&name), own)))
        }
        ("POST", objects, []) => shelve(objects, members(&call.json()), world)?,
        ("GET", _, [id]) if !shelf.is_empty() => {
            match number(id).and_then(|number| world.shelf.find(shelf, number)).filter(|one| !one.gone) {
                Some(record) => {
                    let member = format!("{}{}", one.get(..1)?.to_lowercase(), one.get(1..)?);
                    Answer::json(200, &json!({ "data": { member: kept(&record, ("id", json!(id))) } }))
                }
                None => not_found(),
            }
        }
        ("DELETE", objects, [id]) => {
            let (gone, one) = match objects {
                "people" => (world.remove_person(person_of(id, world)), "Person"),
                "companies" => {
                    (company_of(id, world).is_some_and(|number| world.remove_company(number)), "Company")
                }
                _ => (number(id).is_some_and(|number| world.shelf.take_out(shelf, number)), one),
            };
            let body = json!({ "data": { format!("delete{one}"): { "id": id } } });
            if gone { Answer::json(200, &body) } else { not_found() }
        }
        _ => return None,
    })
}

fn made(one: &str, id: &str) -> Answer {
    Answer::json(201, &json!({ "data": { format!("create{one}"): { "id": id } } }))
}

fn shelf_id(number: usize) -> String {
    format!("20202020-be10-412b-a663-{number:012x}")
}

fn number(id: &str) -> Option<usize> {
    usize::from_str_radix(id.strip_prefix("20202020-be10-412b-a663-")?, 16).ok()
}

fn person_of(id: &str, world: &World) -> u32 {
    number_of(world, |number| Twenty::person_id(number) == id)
}

fn company_of(id: &str, world: &World) -> Option<u32> {
    world.read(|people| people.companies.iter().map(|one| one.number).find(|one| company_id(*one) == id))
}

fn person(own: Members, world: &World) -> Answer {
    let known = ["name", "emails", "phones", "jobTitle", "city", "companyId", "intro"];
    if let Some(name) = own.keys().find(|name| !known.contains(&name.as_str())) {
        return bad(&format!("Object person doesn't have any \"{name}\" field."));
    }
    let company = own.get("companyId").and_then(|id| company_of(word(id), world));
    let person = world.make_person(own, |person, own| {
        let mut take = |name: &str| own.remove(name).unwrap_or_default();
        let name = take("name");
        person.first_name = word(&name["firstName"]).to_owned();
        person.last_name = word(&name["lastName"]).to_owned();
        person.job_title = word(&take("jobTitle")).to_owned();
        person.city = word(&take("city")).to_owned();
        add_email(person, word(&take("emails")["primaryEmail"]));
        add_phone(person, word(&take("phones")["primaryPhoneNumber"]), false);
        take("companyId");
        person.company = company;
    });
    person.map_or_else(
        |_| bad("A duplicate entry was detected"),
        |number| made("Person", &Twenty::person_id(number)),
    )
}

fn shelve(objects: &str, body: Members, world: &World) -> Option<Answer> {
    let (objects, one, known) = SHELVES.into_iter().find(|(name, ..)| *name == objects)?;
    if let Some(name) = body.keys().find(|name| !known.contains(&name.as_str())) {
        return Some(bad(&format!("Object {one} doesn't have any \"{name}\" field.")));
    }
    if body.get("amount").is_some_and(|amount| !amount["amountMicros"].is_u64()) {
        return Some(bad("amountMicros is a whole number"));
    }
    let to = body.get("pointOfContactId").or(body.get("personId"));
    let person = to.map(|id| person_of(word(id), world)).filter(|person| *person > 0);
    if let Some(note) = body.get("noteId").and_then(|id| number(word(id))) {
        world.link("notes", note, "", person);
    }
    let title = if objects == "opportunities" { "name" } else { "" };
    Some(made(one, &shelf_id(world.make_record(objects, body, title, person))))
}
