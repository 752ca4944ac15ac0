//! Dataverse: `POST` to a set, `GET` and `DELETE` of `set(id)`.
//!
//! Traps: without `Prefer: return=representation` what is made answers 204 with its address in a header; an amount must be a
//! number, a text is a 400; a reference is `name@odata.bind` with an address below the service; a column that there is not is
//! a 400; every amount has a twin with `_base`; a deletion is a 204, twice a 404.

use serde_json::{Value, json};

use super::{Members, Names, kept, members};
use crate::World;
use crate::dataverse::{account_id, error, id};
use crate::shape::{number_of, word};
use crate::wire::{Answer, Call};

const NAMES: Names = Names {
    first: "firstname",
    last: "lastname",
    email: "emailaddress1",
    phone: "telephone1",
    mobile: "mobilephone",
    title: "jobtitle",
    street: "address1_line1",
    city: "address1_city",
};
const MONEY: [&str; 4] = ["creditlimit", "annualincome", "revenue", "estimatedvalue"];
/// Set, its key, its columns, and the reference that leads to a contact.
const SHELVES: [(&str, &str, &[&str], &str); 2] = [
    (
        "opportunities",
        "opportunityid",
        &["name", "estimatedvalue", "description", "parentcontactid@odata.bind"],
        "parentcontactid@odata.bind",
    ),
    (
        "annotations",
        "annotationid",
        &["subject", "notetext", "objectid_contact@odata.bind"],
        "objectid_contact@odata.bind",
    ),
];

/// What a key that may write is answered; none for what it only reads.
pub(crate) fn answer(call: &Call, path: &[&str], world: &World) -> Option<Answer> {
    let [segment] = path else { return None };
    let (set, wanted) = match segment.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((set, wanted)) => (set, Some(wanted)),
        None => (*segment, None),
    };
    Some(match (call.method.as_str(), set, wanted) {
        ("POST", set, None) => made(call, set, world),
        ("GET", set, Some(wanted)) => {
            let (_, key, ..) = SHELVES.iter().find(|(name, ..)| *name == set)?;
            match number(wanted).and_then(|number| world.shelf.find(set, number)).filter(|one| !one.gone) {
                Some(record) => Answer::json(200, &with_twins(kept(&record, (key, json!(wanted))))),
                None => gone(set, wanted),
            }
        }
        ("DELETE", set, Some(wanted)) => {
            let removed = match set {
                "contacts" => world.remove_person(number_of(world, |number| id(number) == wanted)),
                "accounts" => company(wanted, world).is_some_and(|number| world.remove_company(number)),
                set => number(wanted).is_some_and(|number| world.shelf.take_out(set, number)),
            };
            if removed { Answer::empty(204) } else { gone(set, wanted) }
        }
        _ => return None,
    })
}

fn gone(set: &str, wanted: &str) -> Answer {
    error(404, "0x80040217", &format!("Entity '{set}' With Id = {wanted} Does Not Exist"))
}

fn shelf_id(number: usize) -> String {
    format!("{number:08x}-7a2b-ef11-9f89-000d3a5b0000")
}

fn number(wanted: &str) -> Option<usize> {
    usize::from_str_radix(wanted.strip_suffix("-7a2b-ef11-9f89-000d3a5b0000")?, 16).ok()
}

fn company(wanted: &str, world: &World) -> Option<u32> {
    world.read(|people| people.companies.iter().map(|one| one.number).find(|one| account_id(*one) == wanted))
}

/// The id in `/contacts(…)`.
fn bound<'a>(value: Option<&'a Value>, set: &str) -> Option<&'a str> {
    value?.as_str()?.strip_prefix(&format!("/{set}("))?.strip_suffix(')')
}

fn with_twins(mut record: Value) -> Value {
    for money in MONEY {
        if record[money].is_number() {
            record[format!("{money}_base")] = record[money].clone();
        }
    }
    record
}

fn made(call: &Call, set: &str, world: &World) -> Answer {
    let mut own = members(&call.json());
    if let Some(money) = MONEY.iter().find(|money| own.get(**money).is_some_and(|value| !value.is_number())) {
        let message = format!("Cannot convert the literal of '{money}' to the expected type 'Edm.Decimal'.");
        return error(400, "0x80048d19", &message);
    }
    let made = match set {
        "contacts" => contact(own.clone(), world).map(|id| (id, "contactid")),
        "accounts" => {
            let name = own.remove("name").unwrap_or_default();
            let own = members(&with_twins(Value::Object(own.clone())));
            Ok((account_id(world.make_company(word(&name), own)), "accountid"))
        }
        set => shelve(set, own.clone(), world),
    };
    let (id, key) = match made {
        Ok(made) => made,
        Err(answer) => return answer,
    };
    if call.header("prefer").is_some_and(|prefer| prefer.contains("return=representation")) {
        own.insert(key.to_owned(), json!(id));
        return Answer::json(201, &Value::Object(own));
    }
    Answer::empty(204).with("OData-EntityId", format!("{}/api/data/v9.2/{set}({id})", world.url()))
}

fn unknown(name: &str) -> Answer {
    error(400, "0x80048d19", &format!("Could not find a property named '{name}'"))
}

fn contact(own: Members, world: &World) -> Result<String, Answer> {
    let known = [
        NAMES.first,
        NAMES.last,
        NAMES.email,
        NAMES.phone,
        NAMES.mobile,
        NAMES.title,
        NAMES.street,
        NAMES.city,
        "parentcustomerid_account@odata.bind",
        "description",
        "creditlimit",
        "annualincome",
    ];
    if let Some(name) = own.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(unknown(name));
    }
    let bind = "parentcustomerid_account@odata.bind";
    let company = bound(own.get(bind), "accounts").and_then(|wanted| company(wanted, world));
    let person = world.make_person(own, |person, own| {
        own.remove(bind);
        NAMES.fill(person, own);
        *own = members(&with_twins(Value::Object(own.clone())));
        person.company = company;
    });
    person
        .map(id)
        .map_err(|_| error(412, "0x80040333", "A record that has the attribute values already exists."))
}

fn shelve(set: &str, body: Members, world: &World) -> Result<(String, &'static str), Answer> {
    let Some((set, key, columns, link)) = SHELVES.into_iter().find(|(name, ..)| *name == set) else {
        return Err(error(404, "0x8006088a", "Resource not found for the segment"));
    };
    if let Some(name) = body.keys().find(|name| !columns.contains(&name.as_str())) {
        return Err(unknown(name));
    }
    let to = bound(body.get(link), "contacts").map(str::to_owned);
    let person = to.map(|to| number_of(world, |number| id(number) == to)).filter(|person| *person > 0);
    Ok((shelf_id(world.make_record(set, body, "name", person)), key))
}
