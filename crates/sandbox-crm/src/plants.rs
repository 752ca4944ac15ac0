//! Records that somebody makes and removes from outside, with the key for writing: the API key with `-write` behind it.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::App;
use crate::model::Records;

/// Kinds that can be made and removed.
const KINDS: [(&str, &str); 6] = [
    ("contacts", "ct"),
    ("companies", "co"),
    ("deals", "dl"),
    ("invoices", "in"),
    ("notes", "nt"),
    ("owners", "ow"),
];
/// Members of a contact that nobody inherits from the record that was taken as an example: lists, and others.
const CLEARED_LISTS: [&str; 2] = ["other_emails", "tags"];
const CLEARED: [&str; 2] = ["mobile", "birthday"];

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    for (kind, _) in KINDS {
        config.route(&format!("/{kind}"), web::post().to(make));
        // Of a contact the API itself knows how.
        if kind != "contacts" {
            config.route(&format!("/{kind}/{{id}}"), web::delete().to(remove));
        }
    }
}

fn kind_of(request: &HttpRequest) -> &str {
    request.path().split('/').nth(3).unwrap_or_default()
}

async fn make(app: Data<App>, request: HttpRequest, body: Json<Map<String, Value>>) -> HttpResponse {
    if let Err(refusal) = app.authorise_writing(&request) {
        return HttpResponse::Forbidden().json(refusal);
    }
    let kind = kind_of(&request).to_owned();
    let now = json!(app.now());
    let written = app.store.write(|records| match kind.as_str() {
        "contacts" => add(&mut records.contacts, "ct", &body, &now),
        "companies" => add(&mut records.companies, "co", &body, &now),
        "deals" => add(&mut records.deals, "dl", &body, &now),
        "invoices" => add(&mut records.invoices, "in", &body, &now),
        "notes" => add(&mut records.notes, "nt", &body, &now),
        _ => add(&mut records.owners, "ow", &body, &now),
    });
    match written {
        Ok(Ok(record)) => HttpResponse::build(StatusCode::CREATED).json(record),
        Ok(Err(sentence)) => HttpResponse::BadRequest().json(json!({ "error": sentence })),
        Err(error) => HttpResponse::InternalServerError().json(json!({ "error": format!("{error:#}") })),
    }
}

async fn remove(app: Data<App>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    if let Err(refusal) = app.authorise_writing(&request) {
        return HttpResponse::Forbidden().json(refusal);
    }
    let kind = kind_of(&request).to_owned();
    let gone = |records: &mut Records| match kind.as_str() {
        "companies" => records.companies.remove(id.as_str()).is_some(),
        "deals" => records.deals.remove(id.as_str()).is_some(),
        "invoices" => records.invoices.remove(id.as_str()).is_some(),
        "notes" => records.notes.remove(id.as_str()).is_some(),
        _ => records.owners.remove(id.as_str()).is_some(),
    };
    match app.store.write(gone) {
        Ok(true) => HttpResponse::NoContent().finish(),
        Ok(false) => HttpResponse::NotFound().json(json!({ "error": "there is no such record" })),
        Err(error) => HttpResponse::InternalServerError().json(json!({ "error": format!("{error:#}") })),
    }
}

/// Adds a record like the others of its kind, with these members. `Err` says what is wrong with them.
fn add<T: Serialize + DeserializeOwned>(
    records: &mut BTreeMap<String, T>,
    prefix: &str,
    members: &Map<String, Value>,
    now: &Value,
) -> Result<Value, String> {
    let example = records.values().next().ok_or("there is no record to take as an example")?;
    let mut record = serde_json::to_value(example).map_err(|error| error.to_string())?;
    let known = record.as_object_mut().ok_or("a record is an object")?;
    for (names, empty) in [(CLEARED_LISTS, json!([])), (CLEARED, Value::Null)] {
        names.into_iter().for_each(|name| drop(known.entry(name).and_modify(|value| *value = empty.clone())));
    }
    for (name, value) in members {
        let Some(place) = known.get_mut(name) else { return Err(format!("there is no field {name}")) };
        *place = match value.as_str().filter(|_| place.is_number()).and_then(|text| text.parse::<f64>().ok())
        {
            Some(number) => json!(number),
            None => value.clone(),
        };
    }
    let number =
        records.keys().filter_map(|id| id.rsplit('_').next()?.parse::<u64>().ok()).max().unwrap_or(0) + 1;
    let id = format!("{prefix}_{number}");
    known.insert("id".to_owned(), json!(id));
    for name in ["created_at", "updated_at", "written_at"] {
        known.entry(name).and_modify(|value| *value = now.clone());
    }
    let made: T = serde_json::from_value(record).map_err(|error| error.to_string())?;
    let answer = serde_json::to_value(&made).map_err(|error| error.to_string())?;
    records.insert(id, made);
    Ok(answer)
}
