//! Salesforce: `POST`, `GET` and `DELETE` of `/sobjects/{Object}`.
//!
//! Traps: a field that there is not, or a required one that is missing, is a 400 with a list as body; a duplicate rule answers
//! 400 with `DUPLICATES_DETECTED`; an opportunity and a contact are linked by a record of their own; a deletion is a 204, and
//! the record lies in the bin, where it answers 404 with `ENTITY_IS_DELETED`; with an account, its contacts and opportunities
//! go along.

use serde_json::{Value, json};

use super::{Members, Names, kept, members};
use crate::World;
use crate::salesforce::{account_id, error, id};
use crate::shape::{number_of, word};
use crate::wire::{Answer, Call};

const NAMES: Names = Names {
    first: "FirstName",
    last: "LastName",
    email: "Email",
    phone: "Phone",
    mobile: "MobilePhone",
    title: "Title",
    street: "MailingStreet",
    city: "MailingCity",
};
/// Object, the beginning of its ids, its fields, and those that must be there.
const SHELVES: [(&str, &str, &[&str], &[&str]); 3] = [
    (
        "Opportunity",
        "006",
        &["Name", "StageName", "CloseDate", "Amount", "AccountId", "Description", "NextStep"],
        &["Name", "StageName", "CloseDate"],
    ),
    ("OpportunityContactRole", "00K", &["OpportunityId", "ContactId"], &["OpportunityId", "ContactId"]),
    ("Task", "00T", &["WhoId", "Subject", "Description", "Status"], &[]),
];

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, path: &[&str], world: &World) -> Option<Answer> {
    let ["sobjects", object, rest @ ..] = path else { return None };
    Some(match (call.method.as_str(), *object, rest) {
        ("POST", "Contact", []) => contact(members(&call.json()), world),
        ("POST", "Account", []) => {
            let mut own = members(&call.json());
            match own.remove("Name") {
                Some(name) => made(&account_id(world.make_company(word(&name), own))),
                None => missing("Name"),
            }
        }
        ("POST", object, []) => shelve(object, members(&call.json()), world),
        ("GET", object, [wanted]) => {
            let record = world.shelf.find(object, number(object, wanted)?)?;
            if record.gone {
                return Some(error(404, "ENTITY_IS_DELETED", "entity is deleted"));
            }
            Answer::json(200, &kept(&record, ("Id", json!(wanted))))
        }
        ("DELETE", object, [wanted]) => remove(object, wanted, world),
        _ => return None,
    })
}

fn shelf_id(object: &str, number: usize) -> String {
    let begin = SHELVES.iter().find(|(name, ..)| *name == object).map_or("", |(_, begin, ..)| begin);
    format!("{begin}gP{number:010}QAF")
}

fn number(object: &str, wanted: &str) -> Option<usize> {
    (1..=99).find(|number| shelf_id(object, *number) == wanted)
}

fn made(id: &str) -> Answer {
    Answer::json(201, &json!({ "id": id, "success": true, "errors": [] }))
}

fn missing(field: &str) -> Answer {
    error(400, "REQUIRED_FIELD_MISSING", &format!("Required fields are missing: [{field}]"))
}

fn contact(own: Members, world: &World) -> Answer {
    let known = [
        NAMES.first,
        NAMES.last,
        NAMES.email,
        NAMES.phone,
        NAMES.mobile,
        NAMES.title,
        NAMES.street,
        NAMES.city,
        "AccountId",
        "Description",
        "Department",
    ];
    if let Some(field) = own.keys().find(|field| !known.contains(&field.as_str())) {
        return error(400, "INVALID_FIELD", &format!("No such column '{field}' on sobject of type Contact"));
    }
    if !own.contains_key("LastName") {
        return missing("LastName");
    }
    let account = own.get("AccountId").map(|id| word(id).to_owned());
    let company = account.and_then(|id| company(&id, world));
    let person = world.make_person(own, |person, own| {
        NAMES.fill(person, own);
        own.remove("AccountId");
        person.company = company;
    });
    match person {
        Ok(number) => made(&id(number)),
        Err(_) => error(400, "DUPLICATES_DETECTED", "Use one of these records?"),
    }
}

fn company(id: &str, world: &World) -> Option<u32> {
    world.read(|people| people.companies.iter().map(|one| one.number).find(|one| account_id(*one) == id))
}

fn person(value: &Value, world: &World) -> Option<u32> {
    let wanted = word(value);
    Some(number_of(world, |number| id(number) == wanted)).filter(|person| *person > 0)
}

fn shelve(object: &str, body: Members, world: &World) -> Answer {
    let Some((object, _, fields, needed)) = SHELVES.into_iter().find(|(name, ..)| *name == object) else {
        return error(404, "NOT_FOUND", "The requested resource does not exist");
    };
    if let Some(field) = body.keys().find(|field| !fields.contains(&field.as_str())) {
        return error(400, "INVALID_FIELD", &format!("No such column '{field}' on sobject of type {object}"));
    }
    if let Some(field) = needed.iter().find(|field| !body.contains_key(**field)) {
        return missing(field);
    }
    let to = body.get("ContactId").or(body.get("WhoId")).and_then(|to| person(to, world));
    if object == "OpportunityContactRole" {
        let deal = body.get("OpportunityId").map(word).and_then(|deal| number("Opportunity", deal));
        deal.iter().for_each(|deal| world.link("Opportunity", *deal, "Name", to));
    }
    made(&shelf_id(object, world.make_record(object, body, "", to)))
}

fn remove(object: &str, wanted: &str, world: &World) -> Answer {
    let gone = match object {
        "Contact" => world.remove_person(number_of(world, |number| id(number) == wanted)),
        "Account" => company(wanted, world).is_some_and(|number| world.remove_company(number)),
        object => number(object, wanted).is_some_and(|number| world.shelf.take_out(object, number)),
    };
    if gone { Answer::empty(204) } else { error(404, "ENTITY_IS_DELETED", "entity is deleted") }
}
