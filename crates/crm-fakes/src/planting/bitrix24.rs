//! Bitrix24: `crm.contact.add`, `crm.deal.delete` and the like, `crm.timeline.comment.add` for notes.
//!
//! Traps: what is made answers with its bare number; addresses and numbers are lists of objects; every method is a `POST`, a
//! deletion too, and answers `true`; what is not there is a 400 with an empty code; a comment is deleted with its owner.

use serde_json::{Value, json};

use super::{Members, Names, add_email, add_phone, kept, members};
use crate::World;
use crate::bitrix24::{company_id, error, id, result, text};
use crate::shape::{number_of, word};
use crate::wire::Answer;

const NAMES: Names = Names {
    first: "NAME",
    last: "LAST_NAME",
    email: "",
    phone: "",
    mobile: "",
    title: "POST",
    street: "ADDRESS",
    city: "ADDRESS_CITY",
};
const DEALS: &str = "crm.deal";
const COMMENTS: &str = "crm.timeline.comment";
/// Ids of deals and comments begin here.
const ABOVE: usize = 70_000;

/// What a webhook that may write is answered; none for what it only reads.
pub(crate) fn answer(method: &str, body: &Value, world: &World) -> Option<Answer> {
    let (object, deed) = method.rsplit_once('.')?;
    if !["crm.contact", "crm.company", DEALS, COMMENTS].contains(&object) {
        return None;
    }
    let fields = members(&body["fields"]);
    let wanted = text(&body["id"]);
    Some(match (object, deed) {
        ("crm.contact", "add") => contact(fields, world),
        ("crm.company", "add") => {
            let mut own = fields;
            let name = own.remove("TITLE").unwrap_or_default();
            made(&company_id(world.make_company(word(&name), own)), world)
        }
        (DEALS | COMMENTS, "add") => shelve(object, fields, world),
        (DEALS | COMMENTS, "get") => {
            let record = number(&wanted).and_then(|number| world.shelf.find(object, number));
            match record.filter(|record| !record.gone) {
                Some(record) => result(world, &kept(&record, ("ID", json!(wanted)))),
                None => error(400, "", "Not found"),
            }
        }
        (_, "delete") => {
            let gone = match object {
                "crm.contact" => world.remove_person(number_of(world, |number| id(number) == wanted)),
                "crm.company" => company(&wanted, world).is_some_and(|number| world.remove_company(number)),
                object => number(&wanted).is_some_and(|number| world.shelf.take_out(object, number)),
            };
            if gone { result(world, &json!(true)) } else { error(400, "", "Not found") }
        }
        _ => return None,
    })
}

fn number(id: &str) -> Option<usize> {
    id.parse::<usize>().ok()?.checked_sub(ABOVE)
}

fn company(wanted: &str, world: &World) -> Option<u32> {
    world.read(|people| people.companies.iter().map(|one| one.number).find(|one| company_id(*one) == wanted))
}

fn made(id: &str, world: &World) -> Answer {
    result(world, &json!(id.parse::<u64>().unwrap_or(0)))
}

fn contact(fields: Members, world: &World) -> Answer {
    let company = fields.get("COMPANY_ID").map(text).and_then(|id| company(&id, world));
    let person = world.make_person(fields, |person, own| {
        NAMES.fill(person, own);
        for email in own.remove("EMAIL").iter().filter_map(Value::as_array).flatten() {
            add_email(person, word(&email["VALUE"]));
        }
        for phone in own.remove("PHONE").iter().filter_map(Value::as_array).flatten() {
            add_phone(person, word(&phone["VALUE"]), phone["VALUE_TYPE"] == "MOBILE");
        }
        own.remove("COMPANY_ID");
        person.company = company;
    });
    person.map_or_else(|_| error(400, "", "duplicate"), |number| made(&id(number), world))
}

fn shelve(object: &str, fields: Members, world: &World) -> Answer {
    let to = match object {
        DEALS => fields.get("CONTACT_ID").map(text),
        _ if fields.get("ENTITY_TYPE").map(word) == Some("contact") => fields.get("ENTITY_ID").map(text),
        _ => return error(400, "", "ENTITY_TYPE is not supported"),
    };
    let person = to.map(|to| number_of(world, |number| id(number) == to)).filter(|person| *person > 0);
    made(&(ABOVE + world.make_record(object, fields, "TITLE", person)).to_string(), world)
}
