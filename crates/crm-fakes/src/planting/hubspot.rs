//! HubSpot: `POST`, `PATCH` and `DELETE` of objects, with their associations in the same body.
//!
//! Traps: a property that there is not is a 400 for the whole record; an address that somebody has is a 409; a deletion is a
//! 204, and the record lies in the bin, from where `archived=true` still brings it.

use serde_json::{Value, json};

use super::{Members, Names, kept, members};
use crate::World;
use crate::hubspot::{company_id, error, id, validation};
use crate::shape::{number_of, word};
use crate::times::iso_ms;
use crate::wire::{Answer, Call};

const NAMES: Names = Names {
    first: "firstname",
    last: "lastname",
    email: "email",
    phone: "phone",
    mobile: "mobilephone",
    title: "jobtitle",
    street: "address",
    city: "city",
};
const OF_CONTACTS: [&str; 3] = ["message", "annualrevenue", "hs_lead_status"];
const OF_COMPANIES: [&str; 5] = ["name", "domain", "description", "annualrevenue", "phone"];
const OF_DEALS: [&str; 6] = ["dealname", "dealstage", "pipeline", "amount", "description", "closedate"];
const OF_NOTES: [&str; 2] = ["hs_note_body", "hs_timestamp"];
/// Object, property that must be there, and the association type that leads to a contact.
const SHELVES: [(&str, &[&str], &[&str], u64); 2] = [
    ("deals", &OF_DEALS, &["dealname", "dealstage"], 3),
    ("notes", &OF_NOTES, &["hs_note_body", "hs_timestamp"], 202),
];

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["crm", "v3", "objects", kind, rest @ ..] = segments.as_slice() else { return None };
    Some(match (call.method.as_str(), *kind, rest) {
        ("POST", "contacts", []) => contact(&call.json(), world),
        ("POST", "companies", []) => company(&call.json(), world),
        ("POST", kind, []) => shelve(kind, &call.json(), world)?,
        ("DELETE", kind, [wanted]) => remove(kind, wanted, world),
        ("GET", kind @ ("deals" | "notes"), [wanted]) => {
            let record = number(kind, wanted).and_then(|number| world.shelf.find(kind, number));
            let archived = call.param("archived") == Some("true");
            match record.filter(|record| record.gone == archived) {
                Some(record) => {
                    let properties = kept(&record, ("hs_object_id", json!(wanted)));
                    Answer::json(
                        200,
                        &json!({ "id": wanted, "properties": properties, "archived": record.gone }),
                    )
                }
                None => error(404, "OBJECT_NOT_FOUND", "resource not found"),
            }
        }
        _ => return None,
    })
}

/// The number on the shelf behind an id.
fn number(kind: &str, id: &str) -> Option<usize> {
    id.parse::<usize>().ok()?.checked_sub(base(kind))
}

fn base(kind: &str) -> usize {
    if kind == "deals" { 750_000 } else { 850_000 }
}

fn checked(body: &Value, known: &[&str]) -> Result<Members, Answer> {
    let properties = members(&body["properties"]);
    for (name, value) in &properties {
        if !known.contains(&name.as_str()) {
            return Err(validation(&format!("Property \"{name}\" does not exist")));
        }
        if !value.is_string() {
            return Err(validation(&format!("{name} was not a string")));
        }
    }
    Ok(properties)
}

/// Whom the associations of that type lead to.
fn associated(body: &Value, types: &[u64]) -> Option<String> {
    let all = body["associations"].as_array()?;
    let of_type = |one: &&Value| {
        types.iter().any(|kind| one["types"][0]["associationTypeId"] == *kind)
            && one["types"][0]["associationCategory"] == "HUBSPOT_DEFINED"
    };
    all.iter()
        .find(of_type)
        .map(|one| one["to"]["id"].as_str().map_or_else(|| one["to"]["id"].to_string(), str::to_owned))
}

fn made(id: &str, properties: Members, world: &World) -> Answer {
    let at = iso_ms(world.now());
    let body =
        json!({ "id": id, "properties": properties, "createdAt": at, "updatedAt": at, "archived": false });
    Answer::json(201, &body)
}

fn contact(body: &Value, world: &World) -> Answer {
    let known: Vec<&str> = [
        NAMES.first,
        NAMES.last,
        NAMES.email,
        NAMES.phone,
        NAMES.mobile,
        NAMES.title,
        NAMES.street,
        NAMES.city,
    ]
    .into_iter()
    .chain(OF_CONTACTS)
    .collect();
    let properties = match checked(body, &known) {
        Ok(properties) => properties,
        Err(answer) => return answer,
    };
    let company = associated(body, &[1, 279]);
    let company = company.and_then(|wanted| {
        world.read(|people| {
            people.companies.iter().map(|one| one.number).find(|one| company_id(*one) == wanted)
        })
    });
    let person = world.make_person(properties.clone(), |person, own| {
        NAMES.fill(person, own);
        person.company = company;
    });
    match person {
        Ok(number) => made(&id(number), properties, world),
        Err(other) => error(409, "CONFLICT", &format!("Contact already exists. Existing ID: {}", id(other))),
    }
}

fn company(body: &Value, world: &World) -> Answer {
    match checked(body, &OF_COMPANIES) {
        Ok(properties) => {
            let mut own = properties.clone();
            let name = own.remove("name").unwrap_or_default();
            made(&company_id(world.make_company(word(&name), own)), properties, world)
        }
        Err(answer) => answer,
    }
}

fn shelve(kind: &str, body: &Value, world: &World) -> Option<Answer> {
    let (kind, known, needed, link) = *SHELVES.iter().find(|(shelf, ..)| *shelf == kind)?;
    let properties = match checked(body, known) {
        Ok(properties) => properties,
        Err(answer) => return Some(answer),
    };
    if let Some(missing) = needed.iter().find(|name| !properties.contains_key(**name)) {
        return Some(validation(&format!("Property values were not valid: {missing} is required")));
    }
    let to = associated(body, &[link]);
    let person = to.map(|to| number_of(world, |number| id(number) == to)).filter(|person| *person > 0);
    let number = world.make_record(kind, properties.clone(), "dealname", person);
    Some(made(&(base(kind) + number).to_string(), properties, world))
}

fn remove(kind: &str, wanted: &str, world: &World) -> Answer {
    match kind {
        "contacts" => drop(world.remove_person(number_of(world, |number| id(number) == wanted))),
        "companies" => {
            let found = world.read(|people| {
                people.companies.iter().map(|one| one.number).find(|one| company_id(*one) == wanted)
            });
            found.map(|number| world.remove_company(number));
        }
        kind => drop(number(kind, wanted).map(|number| world.shelf.take_out(kind, number))),
    }
    // What is not there is deleted, too.
    Answer::empty(204)
}
