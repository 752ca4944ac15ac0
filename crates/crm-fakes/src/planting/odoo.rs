//! Odoo: `create`, `unlink` and `search_read` of models, alike in JSON-2 and JSON-RPC.
//!
//! Traps: an unknown field is an error for the whole record; what is made answers with a list of ids (one id if one record
//! was sent alone); `unlink` answers `true` and is an error for what is not there; a reference comes back as `[id, "label"]`;
//! what is read and not there is an empty list; of a company that has contacts these go along.

use serde_json::{Value, json};

use super::{Members, Names, count, members};
use crate::World;
use crate::odoo::partner_id;
use crate::people::People;
use crate::shape::{number_of, pick, word};

const NAMES: Names = Names {
    first: "",
    last: "name",
    email: "email",
    phone: "phone",
    mobile: "mobile",
    title: "function",
    street: "street",
    city: "city",
};
/// Records of these models have numbers above this.
const ABOVE: usize = 5_000;
const OF_PARTNERS: [&str; 4] = ["comment", "credit_limit", "company_registry", "ref"];
/// Model, its fields, those that must be there, what it is called by, and which field leads to a partner.
const MODELS: [(&str, &[&str], &[&str], &str); 3] = [
    ("crm.lead", &["name", "type", "partner_id", "expected_revenue", "description"], &["name"], "name"),
    ("res.partner.bank", &["acc_number", "partner_id"], &["acc_number", "partner_id"], ""),
    ("mail.message", &["body", "model", "res_id", "message_type"], &["model", "res_id"], ""),
];

/// What a method does. Err with the name of the exception and what it says; none for what is no such method.
pub(crate) fn call(
    world: &World,
    model: &str,
    method: &str,
    arguments: &Value,
) -> Option<Result<Value, (&'static str, String)>> {
    let known = model == "res.partner" || MODELS.iter().any(|(name, ..)| *name == model);
    match (model, method) {
        (_, "create") if known => Some(create(world, model, &arguments["vals_list"])),
        (_, "unlink") if known => Some(unlink(world, model, &arguments["ids"])),
        ("res.partner", _) => None,
        (_, "search_read") if known => Some(Ok(read(world, model, arguments))),
        _ => None,
    }
}

fn create(world: &World, model: &str, wanted: &Value) -> Result<Value, (&'static str, String)> {
    match wanted {
        Value::Array(all) => all
            .iter()
            .map(|one| create_one(world, model, members(one)))
            .collect::<Result<Vec<u64>, _>>()
            .map(|ids| json!(ids)),
        one => create_one(world, model, members(one)).map(|id| json!(id)),
    }
}

fn create_one(world: &World, model: &str, mut values: Members) -> Result<u64, (&'static str, String)> {
    let invalid = |name: &str| ("builtins.ValueError", format!("Invalid field '{name}' in '{model}'"));
    if model == "res.partner" {
        let known =
            [NAMES.last, NAMES.email, NAMES.phone, NAMES.mobile, NAMES.title, NAMES.street, NAMES.city];
        let more = ["is_company", "parent_id", "website"];
        let is_known =
            |name: &str| known.contains(&name) || more.contains(&name) || OF_PARTNERS.contains(&name);
        if let Some(name) = values.keys().find(|name| !is_known(name)) {
            return Err(invalid(name));
        }
        let is_company = values.remove("is_company") == Some(json!(true));
        if is_company {
            let name = values.remove("name").unwrap_or_default();
            return Ok(world.make_company(word(&name), values).into());
        }
        let parent = values.remove("parent_id").as_ref().and_then(count);
        let fill = |person: &mut crate::people::Person, own: &mut Members| {
            NAMES.fill(person, own);
            person.company = parent;
        };
        let number = world.make_person(values, fill).map_err(|_| invalid("email"))?;
        return Ok(partner_id(number).into());
    }
    let Some((model, known, needed, title)) = MODELS.into_iter().find(|(name, ..)| *name == model) else {
        return Err(invalid("model"));
    };
    if let Some(name) = values.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(invalid(name));
    }
    if let Some(name) = needed.iter().find(|name| !values.contains_key(**name)) {
        return Err((
            "odoo.exceptions.ValidationError",
            format!("Missing required value for the field '{name}'"),
        ));
    }
    let to = values.get("partner_id").or(values.get("res_id")).and_then(count);
    let person =
        to.map(|to| number_of(world, |number| partner_id(number) == to)).filter(|person| *person > 0);
    let number = world.make_record(model, values, title, person);
    u64::try_from(ABOVE + number).map_err(|_| invalid("id"))
}

fn unlink(world: &World, model: &str, ids: &Value) -> Result<Value, (&'static str, String)> {
    for id in ids.as_array().into_iter().flatten().filter_map(count) {
        let gone = if model == "res.partner" {
            let person = number_of(world, |number| partner_id(number) == id);
            if person > 0 { world.remove_person(person) } else { world.remove_company(id) }
        } else {
            let number = usize::try_from(id).ok().and_then(|id| id.checked_sub(ABOVE));
            number.is_some_and(|number| world.shelf.take_out(model, number))
        };
        if !gone {
            let message =
                format!("Record does not exist or has been deleted.\n(Record: {model}({id},), User: 2)");
            return Err(("odoo.exceptions.MissingError", message));
        }
    }
    Ok(json!(true))
}

fn read(world: &World, model: &str, arguments: &Value) -> Value {
    let wanted = arguments["domain"].as_array().into_iter().flatten().find(|term| term[0] == "id");
    let wanted = wanted.and_then(|term| count(&term[2]));
    let fields: Option<Vec<String>> = arguments["fields"].as_array().map(|names| {
        names.iter().filter_map(Value::as_str).map(str::to_owned).chain(["id".to_owned()]).collect()
    });
    let records = world.shelf.there().into_iter().filter(|record| record.kind == model);
    let rows =
        records.filter(|record| wanted.is_none_or(|id| usize::try_from(id) == Ok(ABOVE + record.number)));
    let row = |record: super::Record| {
        let mut row = json!(record.body);
        if let Some(partner) = record.body.get("partner_id").and_then(count) {
            row["partner_id"] = json!([partner, world.read(|people: &People| label(people, partner))]);
        }
        row["id"] = json!(ABOVE + record.number);
        pick(row, fields.as_deref())
    };
    rows.map(row).collect()
}

fn label(people: &People, partner: u32) -> String {
    let person = people.persons.iter().find(|person| partner_id(person.number) == partner);
    person.map(crate::people::Person::full_name).unwrap_or_default()
}
