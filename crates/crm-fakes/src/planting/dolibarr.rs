//! Dolibarr: `POST`, `GET` and `DELETE` of contacts, third parties, invoices and events.
//!
//! Traps: what is made answers with its bare number; an invoice needs its lines at once; amounts come back as texts with eight
//! decimals; a bank account lies below its third party; a third party with invoices can't be deleted (a 409); an empty list is
//! a 404.

use serde_json::{Value, json};

use super::{Members, Names, count, kept, members};
use crate::World;
use crate::dolibarr::{Dolibarr, error};
use crate::shape::number_of;
use crate::shape::word;
use crate::wire::{Answer, Call};

const NAMES: Names = Names {
    first: "firstname",
    last: "lastname",
    email: "email",
    phone: "phone_pro",
    mobile: "phone_mobile",
    title: "poste",
    street: "address",
    city: "town",
};
/// What must be there.
const SHELVES: [(&str, &[&str]); 2] =
    [("invoices", &["socid", "date"]), ("agendaevents", &["type_code", "userownerid"])];
const ACCOUNTS: &str = "bankaccounts";

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, world: &World) -> Option<Answer> {
    let segments = call.segments();
    let ["api", "index.php", object, rest @ ..] = segments.as_slice() else { return None };
    Some(match (call.method.as_str(), *object, rest) {
        ("POST", "contacts", []) => contact(members(&call.json()), world),
        ("POST", "thirdparties", []) => {
            let mut own = members(&call.json());
            match own.remove("name") {
                Some(name) => Answer::json(200, &json!(world.make_company(word(&name), own))),
                None => error(400, "Bad Request: name field missing"),
            }
        }
        ("POST", "thirdparties", [_, ACCOUNTS]) => {
            let body = members(&call.json());
            let number = world.make_record(ACCOUNTS, body.clone(), "", None);
            let mut made = json!(body);
            made["id"] = json!(number.to_string());
            Answer::json(200, &made)
        }
        ("GET", "thirdparties", [_, ACCOUNTS]) => {
            let there = world.shelf.there().into_iter().filter(|record| record.kind == ACCOUNTS);
            let there: Vec<Value> = there.map(|record| json!(record.body)).collect();
            if there.is_empty() { error(404, "Not Found") } else { Answer::json(200, &json!(there)) }
        }
        ("DELETE", "thirdparties", [_, ACCOUNTS, id]) => taken_out(ACCOUNTS, id, world),
        ("POST", "invoices", [id, "contact", person, "BILLING"]) => {
            let person = number_of(world, |number| Dolibarr::contact_id(number) == *person);
            match id.parse().ok().filter(|_| person > 0) {
                Some(number) => {
                    world.link("invoices", number, "ref_client", Some(person));
                    Answer::json(200, &json!({ "success": { "code": 200, "message": "Contact linked" } }))
                }
                None => error(404, "Not Found"),
            }
        }
        ("POST", object, []) => shelve(object, members(&call.json()), world)?,
        ("GET", object @ ("invoices" | "agendaevents"), [id]) => {
            let record = id.parse().ok().and_then(|number| world.shelf.find(object, number));
            match record.filter(|record| !record.gone) {
                Some(record) => Answer::json(200, &with_decimals(kept(&record, ("id", json!(id))))),
                None => error(404, "Not Found"),
            }
        }
        ("DELETE", "contacts", [id]) => {
            done(world.remove_person(number_of(world, |number| Dolibarr::contact_id(number) == *id)))
        }
        ("DELETE", "thirdparties", [id]) => {
            let used = world
                .shelf
                .there()
                .into_iter()
                .any(|one| one.body.get("socid").map(text) == Some((*id).to_owned()));
            if used {
                return Some(error(409, "Conflict: this third party is used"));
            }
            done(id.parse().is_ok_and(|number| world.remove_company(number)))
        }
        ("DELETE", object, [id]) => taken_out(object, id, world),
        _ => return None,
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn done(gone: bool) -> Answer {
    let success = json!({ "success": { "code": 200, "message": "Object deleted" } });
    if gone { Answer::json(200, &success) } else { error(404, "Not Found") }
}

fn taken_out(object: &str, id: &str, world: &World) -> Answer {
    done(id.parse().is_ok_and(|number| world.shelf.take_out(object, number)))
}

/// `12345678.91` comes back as `"12345678.91000000"`.
fn with_decimals(mut record: Value) -> Value {
    for line in record["lines"].as_array_mut().into_iter().flatten() {
        let price = line["subprice"].to_string();
        line["subprice"] = json!(format!("{price}000000"));
    }
    record
}

fn contact(own: Members, world: &World) -> Answer {
    if !own.contains_key("lastname") {
        return error(400, "Bad Request: lastname field missing");
    }
    let company = own.get("socid").and_then(count);
    let person = world.make_person(own, |person, own| {
        own.remove("socid");
        NAMES.fill(person, own);
        person.company = company;
    });
    person.map_or_else(
        |_| error(500, "Error creating contact"),
        |number| Answer::json(200, &json!(Dolibarr::contact_id(number).parse::<u64>().unwrap_or(0))),
    )
}

fn shelve(object: &str, body: Members, world: &World) -> Option<Answer> {
    let (object, needed) = SHELVES.into_iter().find(|(name, _)| *name == object)?;
    if let Some(name) = needed.iter().find(|name| !body.contains_key(**name)) {
        return Some(error(400, &format!("Bad Request: {name} field missing")));
    }
    let to = body.get("contact_id").map(text);
    let person = to.map(|to| number_of(world, |number| Dolibarr::contact_id(number) == to));
    let number = world.make_record(object, body, "", person.filter(|person| *person > 0));
    Some(Answer::json(200, &json!(number)))
}
