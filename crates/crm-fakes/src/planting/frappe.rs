//! Frappe and ERPNext: `POST`, `PUT`, `GET` and `DELETE` of `/api/resource/{DocType}`.
//!
//! Traps: an id is made of a name, and stays when the name is changed; addresses and numbers are child tables; a field that
//! there is not is dropped without a word; what another document leads to can't be deleted (417); a deletion is a 202.

use serde_json::{Value, json};

use super::{Members, Names, add_email, add_phone, kept, members};
use crate::World;
use crate::frappe::{Frappe, exception};
use crate::people::Person;
use crate::shape::word;
use crate::wire::{Answer, Call};

const NAMES: Names = Names {
    first: "first_name",
    last: "last_name",
    email: "",
    phone: "",
    mobile: "",
    title: "designation",
    street: "",
    city: "",
};
const OF_CONTACTS: [&str; 8] = [
    "first_name",
    "last_name",
    "designation",
    "company_name",
    "email_ids",
    "phone_nos",
    "department",
    "unsubscribed",
];
/// Document type, its fields, what must be there, and what it is called by.
const SHELVES: [(&str, &[&str], &[&str], &str); 2] = [
    (
        "Opportunity",
        &[
            "opportunity_from",
            "party_name",
            "contact_person",
            "title",
            "opportunity_amount",
            "currency",
            "to_discuss",
        ],
        &["opportunity_from", "party_name"],
        "title",
    ),
    ("Comment", &["comment_type", "reference_doctype", "reference_name", "content"], &["comment_type"], ""),
];

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["api", "resource", doctype, rest @ ..] = segments.as_slice() else { return None };
    Some(match (call.method.as_str(), *doctype, rest) {
        ("POST", "Contact", []) => contact(members(&call.json()), world),
        ("PUT", "Contact", [name]) => {
            let mut changes = members(&call.json());
            let number = person(name, world)?;
            world.write(|people| people.person_mut(number).map(|person| NAMES.fill(person, &mut changes)));
            named(name)
        }
        ("POST", "Customer", []) => {
            let own = members(&call.json());
            match own.get("customer_name").map(|name| word(name).to_owned()) {
                Some(name) => {
                    world.make_company(&name, own);
                    named(&name)
                }
                None => missing("customer_name"),
            }
        }
        ("GET", "Customer", [name]) => {
            let found = world.read(|people| people.companies.iter().find(|one| one.name == *name).cloned());
            match found {
                Some(company) => Answer::json(200, &json!({ "data": company.own })),
                None => gone(doctype, name),
            }
        }
        ("POST", doctype, []) => shelve(doctype, members(&call.json()), world)?,
        ("GET", doctype @ ("Opportunity" | "Comment"), [name]) => {
            match number(name).and_then(|number| world.shelf.find(doctype, number)).filter(|one| !one.gone) {
                Some(record) => Answer::json(200, &json!({ "data": kept(&record, ("name", json!(name))) })),
                None => gone(doctype, name),
            }
        }
        ("DELETE", doctype, [name]) => remove(doctype, name, world),
        _ => return None,
    })
}

fn named(name: &str) -> Answer {
    Answer::json(200, &json!({ "data": { "name": name } }))
}

fn missing(name: &str) -> Answer {
    exception(417, "MandatoryError", &format!("frappe.exceptions.MandatoryError: {name}"))
}

fn gone(doctype: &str, name: &str) -> Answer {
    exception(404, "DoesNotExistError", &format!("{doctype} {name} not found"))
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix("made-")?.parse().ok()
}

fn person(name: &str, world: &World) -> Option<u32> {
    world.read(|people| {
        let named = |person: &&Person| Frappe::name(person, people.company_of(person)) == name;
        people.living().find(named).map(|person| person.number)
    })
}

fn contact(mut own: Members, world: &World) -> Answer {
    own.retain(|name, _| OF_CONTACTS.contains(&name.as_str()));
    if !own.contains_key("first_name") {
        return missing("first_name");
    }
    let first = own.get("first_name").map(|name| word(name).to_owned()).unwrap_or_default();
    let mut name = first.clone();
    // Whoever has the same name gets a number behind it.
    for count in 1.. {
        if person(&name, world).is_none() {
            break;
        }
        name = format!("{first}-{count}");
    }
    let made = world.make_person(own, |person, own| {
        NAMES.fill(person, own);
        for email in own.remove("email_ids").iter().filter_map(Value::as_array).flatten() {
            add_email(person, word(&email["email_id"]));
        }
        for phone in own.remove("phone_nos").iter().filter_map(Value::as_array).flatten() {
            add_phone(person, word(&phone["phone"]), phone["is_primary_mobile_no"] == 1);
        }
        own.insert("name".to_owned(), json!(name));
    });
    made.map_or_else(|_| exception(409, "DuplicateEntryError", "duplicate"), |_| named(&name))
}

fn shelve(doctype: &str, mut body: Members, world: &World) -> Option<Answer> {
    let (doctype, known, needed, title) = SHELVES.into_iter().find(|(name, ..)| *name == doctype)?;
    body.retain(|name, _| known.contains(&name.as_str()));
    if let Some(name) = needed.iter().find(|name| !body.contains_key(**name)) {
        return Some(missing(name));
    }
    let to = body.get("contact_person").or(body.get("reference_name")).map(|name| word(name).to_owned());
    let person = to.and_then(|name| person(&name, world));
    Some(named(&format!("made-{}", world.make_record(doctype, body, title, person))))
}

fn remove(doctype: &str, name: &str, world: &World) -> Answer {
    let linked = world.shelf.there().into_iter().any(|record| {
        ["contact_person", "party_name"].iter().any(|link| record.body.get(*link).map(word) == Some(name))
    });
    if linked {
        let message = format!("Cannot delete or cancel because {doctype} {name} is linked with Opportunity");
        return exception(417, "LinkExistsError", &message);
    }
    let removed = match doctype {
        "Contact" => person(name, world).is_some_and(|number| world.remove_person(number)),
        "Customer" => {
            let found = world
                .read(|people| people.companies.iter().find(|one| one.name == name).map(|one| one.number));
            found.is_some_and(|number| world.remove_company(number))
        }
        doctype => number(name).is_some_and(|number| world.shelf.take_out(doctype, number)),
    };
    if removed { Answer::json(202, &json!({ "message": "ok" })) } else { gone(doctype, name) }
}
