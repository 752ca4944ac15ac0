//! Odoo: JSON-2 of version 19 and later, and JSON-RPC of version 18 and earlier, on the same partners.
//!
//! Traps: without `fields` every field comes, computed ones too; nothing is `false`; a reference is `[id, "label"]`;
//! persons and companies are one model; times are `date time` in UTC; of JSON-RPC, errors come with status 200, a wrong
//! password is a `false` and the key is in every body.

mod json2;
mod partner;
mod rpc;

pub use json2::OdooJson2;
pub use rpc::OdooRpc;

use serde_json::{Value, json};

use crate::shape::{names_of, number_of, pick, read_space_time, slice, strangers, word};
use crate::switch::Fault;
use crate::{World, people::People};

/// The id of a person's record; companies have the numbers below.
pub fn partner_id(number: u32) -> u32 {
    100 + number
}

/// What may be filtered by.
const FILTERS: [&str; 8] =
    ["id", "email", "email_normalized", "phone", "phone_sanitized", "mobile", "write_date", "is_company"];

/// Why a call of a method fails, by the name of the exception.
#[derive(Debug)]
struct Failure {
    name: &'static str,
    message: String,
}

/// What a call of a method did.
struct Called {
    result: Result<Value, Failure>,
    asked: Vec<String>,
    forbidden: Vec<String>,
}

impl Called {
    fn failed(name: &'static str, message: String, forbidden: Option<String>) -> Self {
        Self {
            result: Err(Failure { name, message }),
            asked: Vec::new(),
            forbidden: forbidden.into_iter().collect(),
        }
    }
}

/// `search_read` of partners, with the arguments as named members.
fn search_read(world: &World, arguments: &Value, mobile: bool) -> Called {
    let known = ["domain", "fields", "offset", "limit", "order", "context", "ids"];
    let mut forbidden: Vec<String> = names_of(arguments)
        .into_iter()
        .filter(|name| !known.contains(&name.as_str()))
        .map(|name| format!("argument {name}"))
        .collect();
    let texts = |name: &str| -> Option<Vec<String>> {
        Some(
            arguments
                .get(name)?
                .as_array()?
                .iter()
                .filter_map(|text| text.as_str().map(str::to_owned))
                .collect(),
        )
    };
    let fields = texts("fields");
    let asked = fields.clone().unwrap_or_default();
    if arguments["offset"].as_u64().is_some_and(|offset| offset > 0) {
        world.shift();
    }
    let rows = match rows(world, &arguments["domain"], arguments["order"].as_str(), mobile) {
        Ok(rows) => rows,
        Err(field) => {
            let message = format!("Invalid field res.partner.{field} in condition");
            return Called::failed("builtins.ValueError", message, Some(format!("filter by {field}")));
        }
    };
    if let (Some(names), Some(first)) = (&fields, world.read(|people| partner::sample(world, people, mobile)))
    {
        let strangers = strangers(&first, names);
        if let Some(name) = strangers.first() {
            let message = format!("Invalid field '{name}' on 'res.partner'");
            return Called { asked, ..Called::failed("builtins.ValueError", message, None) };
        }
    }
    let number = |name: &str| arguments[name].as_u64().and_then(|number| usize::try_from(number).ok());
    let page = slice(&rows, number("offset").unwrap_or(0), number("limit").unwrap_or(usize::MAX));
    let chosen = fields.filter(|_| !world.switch.is_on(Fault::SelectionIgnored)).map(|mut names| {
        names.push("id".to_owned());
        names
    });
    if chosen.is_none() && asked.is_empty() {
        forbidden.push("every field".to_owned());
    }
    let page = page.iter().map(|row| pick(row.clone(), chosen.as_deref()));
    Called { result: Ok(page.collect()), asked, forbidden }
}

/// The partners of a domain in their order. Err with a field that must not be filtered by.
fn rows(world: &World, domain: &Value, order: Option<&str>, mobile: bool) -> Result<Vec<Value>, String> {
    let conditions = conditions(domain)?;
    let mut rows = world.read(|people: &People| partner::all(world, people, mobile));
    rows.retain(|row| conditions.iter().all(|condition| fits(row, condition)));
    if order.is_some_and(|order| order.starts_with("write_date")) {
        let key = |row: &Value| (row["write_date"].as_str().map(str::to_owned), row["id"].as_u64());
        rows.sort_by_key(key);
    } else if order.is_none_or(|order| !order.starts_with("id")) {
        // The default order of partners is by name.
        rows.sort_by_key(|row| row["complete_name"].as_str().map(str::to_owned));
    }
    Ok(rows)
}

struct Condition {
    any: Vec<(String, String, Value)>,
}

/// A domain in prefix notation: conditions, and `|` before two of them.
fn conditions(domain: &Value) -> Result<Vec<Condition>, String> {
    let terms: Vec<&Value> = domain.as_array().map(|terms| terms.iter().collect()).unwrap_or_default();
    let mut conditions = Vec::new();
    let mut wanted = 1;
    let mut any = Vec::new();
    for term in terms {
        if term == "|" {
            wanted += 1;
            continue;
        }
        let (Some(field), Some(operator)) = (term[0].as_str(), term[1].as_str()) else {
            return Err(term.to_string());
        };
        if !FILTERS.contains(&field) {
            return Err(field.to_owned());
        }
        any.push((field.to_owned(), operator.to_owned(), term[2].clone()));
        if any.len() == wanted {
            conditions.push(Condition { any: std::mem::take(&mut any) });
            wanted = 1;
        }
    }
    Ok(conditions)
}

fn fits(row: &Value, condition: &Condition) -> bool {
    condition.any.iter().any(|(field, operator, value)| {
        let held = &row[field.as_str()];
        match operator.as_str() {
            "=" if field == "id" => held.as_u64() == number(value),
            "in" => value.as_array().is_some_and(|list| list.iter().any(|one| number(one) == held.as_u64())),
            "=" => held == value,
            "=ilike" => same_text(held, value),
            ">" | ">=" => {
                let since = value.as_str().and_then(|text| read_space_time(text, "UTC"));
                let at = held.as_str().and_then(|text| read_space_time(text, "UTC"));
                since.zip(at).is_some_and(|(since, at)| at > since || (operator == ">=" && at == since))
            }
            _ => false,
        }
    })
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn same_text(held: &Value, value: &Value) -> bool {
    let text = |value: &Value| value.as_str().map(str::to_lowercase);
    // `_` and `%` are wildcards of this operator, unless escaped.
    let wanted = text(value).map(|value| value.replace("\\_", "_").replace("\\%", "%").replace("\\\\", "\\"));
    wanted.is_some() && text(held) == wanted
}

/// `fields_get`: what the fields are called.
fn fields_get(world: &World) -> Value {
    let sample = world.read(|people| partner::sample(world, people, true)).unwrap_or_default();
    let names = crate::shape::names_of(&sample).into_iter();
    names
        .map(|name| (name.clone(), json!({ "string": world.label(&name, &name.replace('_', " ")) })))
        .collect()
}

/// `message_post`: a message beside a record. Answers its number.
fn post(world: &World, id: &Value, body: &Value) -> usize {
    let person = number_of(world, |person| Some(u64::from(partner_id(person))) == number(id));
    world.note(person, word(body))
}

/// What Odoo says of an exception, with the traceback that quotes a record.
fn exception(world: &World, failure: &Failure) -> Value {
    let debug = format!(
        "Traceback (most recent call last):\n  File \"/odoo/http.py\"\n  locals: credit_limit={}\n{}: {}",
        world.marks.amount("partner.credit_limit", partner_id(1)),
        failure.name,
        failure.message
    );
    json!({"name": failure.name, "message": failure.message, "arguments": [failure.message], "context": {}, "debug": debug})
}
