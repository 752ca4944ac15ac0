//! amoCRM: `POST` of lists, `PATCH` of one; nothing can be deleted.
//!
//! Traps: lists go in and come out, below `_embedded`; a price is a whole number; a value is emptied by an empty value; whom a
//! lead is about comes in its `_embedded` and shows in the contact's from then on.

use serde_json::{Value, json};

use super::{Members, add_email, add_phone, kept, members};
use crate::World;
use crate::amocrm::{company_id, id, problem};
use crate::people::Person;
use crate::shape::{number_of, word};
use crate::wire::{Answer, Call};

/// Ids of leads and notes begin here.
const ABOVE: usize = 9_100_000;

/// What a token that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["api", "v4", object, rest @ ..] = segments.as_slice() else { return None };
    let body = call.json();
    let one = members(&body[0]);
    Some(match (call.method.as_str(), *object, rest) {
        ("POST" | "PATCH", _, []) if !body.is_array() => problem(400, "a list is wanted"),
        ("POST", "companies", []) => {
            let mut own = one;
            let name = own.remove("name").unwrap_or_default();
            own.remove("custom_fields_values");
            made(object, company_id(world.make_company(word(&name), own)))
        }
        ("POST", "contacts", []) => contact(one, world),
        ("POST", "leads", []) => {
            if one.get("price").is_some_and(|price| !price.is_u64()) {
                return Some(problem(400, "price: a whole number is wanted"));
            }
            let to = one.get("_embedded").and_then(|embedded| embedded["contacts"][0]["id"].as_u64());
            let person = to.map(|to| number_of(world, |number| id(number) == to)).filter(|one| *one > 0);
            made_on_shelf(object, world.make_record("leads", one, "name", person))
        }
        ("POST", "contacts", [to, "notes"]) => {
            let person = number_of(world, |number| id(number).to_string() == *to);
            made_on_shelf("notes", world.make_record("notes", one, "", Some(person).filter(|one| *one > 0)))
        }
        ("PATCH", "contacts", [_, "notes", wanted]) | ("PATCH", "leads", [wanted]) => {
            let kind = if *object == "leads" { "leads" } else { "notes" };
            let changed =
                number(wanted).is_some_and(|number| world.change_record(kind, number, &members(&body)));
            if changed { Answer::json(200, &json!({ "id": wanted })) } else { problem(404, "Not Found") }
        }
        ("PATCH", "contacts", [wanted]) => {
            let person = number_of(world, |number| id(number).to_string() == *wanted);
            world.write(|people| people.person_mut(person).map(|person| change(person, &mut members(&body))));
            Answer::json(200, &json!({ "id": id(person) }))
        }
        ("PATCH", "companies", [wanted]) => {
            world.write(|people| {
                let mut all = people.companies.iter_mut();
                let found = all.find(|one| company_id(one.number).to_string() == *wanted);
                found.map(|company| word(&body["name"]).clone_into(&mut company.name))
            });
            Answer::json(200, &json!({ "id": wanted }))
        }
        ("GET", "leads", [wanted]) => shown("leads", wanted, world),
        ("GET", "contacts", [_, "notes", wanted]) => shown("notes", wanted, world),
        _ => return None,
    })
}

fn number(id: &str) -> Option<usize> {
    id.parse::<usize>().ok()?.checked_sub(ABOVE)
}

fn shown(kind: &str, wanted: &str, world: &World) -> Answer {
    match number(wanted).and_then(|number| world.shelf.find(kind, number)) {
        Some(record) => Answer::json(200, &kept(&record, ("id", json!(ABOVE + record.number)))),
        None => Answer::empty(204),
    }
}

fn made(object: &str, id: u64) -> Answer {
    Answer::json(200, &json!({ "_embedded": { object: [{ "id": id, "request_id": "0" }] } }))
}

fn made_on_shelf(object: &str, number: usize) -> Answer {
    made(object, u64::try_from(ABOVE + number).unwrap_or(0))
}

fn contact(own: Members, world: &World) -> Answer {
    let company = own.get("_embedded").and_then(|embedded| embedded["companies"][0]["id"].as_u64());
    let company = company.and_then(|wanted| {
        world.read(|people| {
            people.companies.iter().map(|one| one.number).find(|one| company_id(*one) == wanted)
        })
    });
    let person = world.make_person(own, |person, own| {
        own.remove("_embedded");
        change(person, own);
        person.company = company;
    });
    person.map_or_else(|_| problem(400, "duplicate"), |number| made("contacts", id(number)))
}

/// What is sent takes the place of what was there; an empty value empties.
fn change(person: &mut Person, own: &mut Members) {
    if let Some(name) = own.remove("name") {
        (person.first_name, person.last_name) = (String::new(), word(&name).to_owned());
    }
    for field in own.remove("custom_fields_values").iter().filter_map(Value::as_array).flatten() {
        let values: Vec<&str> =
            field["values"].as_array().into_iter().flatten().map(|value| word(&value["value"])).collect();
        match word(&field["field_code"]) {
            "EMAIL" => {
                person.emails.clear();
                values.into_iter().for_each(|email| add_email(person, email));
            }
            "PHONE" => {
                person.phones.clear();
                values.into_iter().for_each(|phone| add_phone(person, phone, false));
            }
            "POSITION" => person.job_title = values.concat(),
            _ => {}
        }
    }
}
