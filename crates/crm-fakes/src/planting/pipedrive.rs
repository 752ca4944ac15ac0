//! Pipedrive: `POST`, `GET` and `DELETE` of `/api/v2/{objects}`, notes below `/api/v1`.
//!
//! Traps: numbers and addresses are lists of objects; an id is a number and a text is a 400; what was deleted still answers for
//! thirty days, with `is_deleted`, and a note with `active_flag`; whatever goes wrong comes with `success: false`.

use serde_json::{Value, json};

use super::{Members, add_email, add_phone, kept, members};
use crate::World;
use crate::pipedrive::{failure, id, organization_id};
use crate::shape::{number_of, word};
use crate::wire::{Answer, Call};

/// Object, its members, and what it is called by.
const SHELVES: [(&str, &[&str], &str); 2] = [
    ("deals", &["title", "value", "currency", "person_id", "org_id"], "title"),
    ("notes", &["content", "person_id"], "content"),
];

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["api", version, object, rest @ ..] = segments.as_slice() else { return None };
    let version_of = if *object == "notes" { "v1" } else { "v2" };
    if *version != version_of {
        return None;
    }
    Some(match (call.method.as_str(), *object, rest) {
        ("POST", "persons", []) => person(members(&call.json()), world),
        ("POST", "organizations", []) => {
            let mut own = members(&call.json());
            match own.remove("name") {
                Some(name) => made(organization_id(world.make_company(word(&name), own))),
                None => failure(400, "name is required"),
            }
        }
        ("POST", object, []) => shelve(object, members(&call.json()), world)?,
        ("GET", object @ ("deals" | "notes"), [wanted]) => {
            match wanted.parse().ok().and_then(|number| world.shelf.find(object, number)) {
                Some(record) => {
                    let mut data = kept(&record, ("id", json!(record.number)));
                    if object == "notes" {
                        data["active_flag"] = json!(!record.gone);
                    } else {
                        data["is_deleted"] = json!(record.gone);
                    }
                    Answer::json(200, &json!({ "success": true, "data": data }))
                }
                None => failure(404, "Not found"),
            }
        }
        ("DELETE", object, [wanted]) => remove(object, wanted, world),
        _ => return None,
    })
}

fn made(id: u64) -> Answer {
    Answer::json(201, &json!({ "success": true, "data": { "id": id } }))
}

fn person(own: Members, world: &World) -> Answer {
    let known =
        ["name", "emails", "phones", "org_id", "job_title", "notes", "postal_address", "custom_fields"];
    if let Some(name) = own.keys().find(|name| !known.contains(&name.as_str())) {
        return failure(400, &format!("Parameter '{name}' is not allowed"));
    }
    let company = own.get("org_id");
    if company.is_some_and(|id| !id.is_number()) {
        return failure(400, "org_id must be a number");
    }
    let company = company.and_then(Value::as_u64).and_then(|id| organization(id, world));
    let person = world.make_person(own, |person, own| {
        let mut take = |name: &str| own.remove(name).unwrap_or_default();
        person.last_name = word(&take("name")).to_owned();
        person.job_title = word(&take("job_title")).to_owned();
        let address = take("postal_address");
        (person.street, person.city) =
            (word(&address["value"]).to_owned(), word(&address["locality"]).to_owned());
        for email in take("emails").as_array().into_iter().flatten() {
            add_email(person, word(&email["value"]));
        }
        for phone in take("phones").as_array().into_iter().flatten() {
            add_phone(person, word(&phone["value"]), phone["label"] == "mobile");
        }
        take("org_id");
        person.company = company;
    });
    person.map_or_else(|_| failure(400, "exists"), |number| made(id(number)))
}

fn organization(id: u64, world: &World) -> Option<u32> {
    world.read(|people| people.companies.iter().map(|one| one.number).find(|one| organization_id(*one) == id))
}

fn shelve(object: &str, body: Members, world: &World) -> Option<Answer> {
    let (object, known, title) = SHELVES.into_iter().find(|(name, ..)| *name == object)?;
    if let Some(name) = body.keys().find(|name| !known.contains(&name.as_str())) {
        return Some(failure(400, &format!("Parameter '{name}' is not allowed")));
    }
    let to = body.get("person_id").and_then(Value::as_u64);
    let Some(to) = to else { return Some(failure(400, "person_id must be a number")) };
    let person = Some(number_of(world, |number| id(number) == to)).filter(|person| *person > 0);
    let title = if object == "deals" { title } else { "" };
    u64::try_from(world.make_record(object, body, title, person)).ok().map(made)
}

fn remove(object: &str, wanted: &str, world: &World) -> Answer {
    let gone = match (object, wanted.parse::<u64>()) {
        ("persons", Ok(wanted)) => world.remove_person(number_of(world, |number| id(number) == wanted)),
        ("organizations", Ok(wanted)) => {
            organization(wanted, world).is_some_and(|number| world.remove_company(number))
        }
        (object, Ok(wanted)) => {
            usize::try_from(wanted).is_ok_and(|number| world.shelf.take_out(object, number))
        }
        _ => false,
    };
    if gone {
        Answer::json(200, &json!({ "success": true, "data": { "id": wanted.parse::<u64>().unwrap_or(0) } }))
    } else {
        failure(404, "Not found")
    }
}
