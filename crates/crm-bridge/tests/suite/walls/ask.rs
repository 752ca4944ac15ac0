//! Wall 1.

use bridge_contract::ViewerRole;
use db_kit::Backend;
use serde_json::json;

use super::ensure;
use crate::support::{Down, Town, WireCrm, json_answer, status_answer};

/// What the example policy lists, where the sandbox profile finds it, and what finding people takes.
const SELECTION: &str = "city,company.name,company.website,email,full_name,id,job_title,language,mobile,other_emails,phone,\
                         service_level,support_until,time_zone,updated_at";

pub(super) async fn selection(down: Down) -> Result<(), String> {
    let person = json!({ "id": "a", "full_name": "Ann", "email": "ann@x.example" });
    let crm = WireCrm::answering(move |line| {
        let one = line.contains("/contacts/");
        json_answer(&if one { person.clone() } else { json!({ "items": [person], "next_cursor": null }) })
    })
    .await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    let customer_ref = town.matched(1, "ann@x.example").await;
    town.later();
    town.card(1, &customer_ref, ViewerRole::Line1).await;
    let requests = crm.requests();
    ensure(requests.len() == 2, format!("{} requests", requests.len()))?;
    let fields = SELECTION.replace(',', "%2C");
    for (request, target) in requests.iter().zip([
        format!("/api/v1/contacts?email=ann%40x.example&fields={fields}&limit=20"),
        format!("/api/v1/contacts/a?fields={fields}"),
    ]) {
        let line = request.lines().next().unwrap_or_default();
        ensure(line == format!("GET {target} HTTP/1.1"), format!("asked {line}"))?;
        ensure(request.ends_with("\r\n\r\n"), "a request has no body")?;
    }
    Ok(())
}

pub(super) async fn redirects(down: Down) -> Result<(), String> {
    let elsewhere = WireCrm::answering(|_| json_answer(&json!({ "items": [], "next_cursor": null }))).await;
    let location = format!("location: {}/api/v1/contacts\r\n", elsewhere.url);
    let crm = WireCrm::answering(move |_| status_answer("307 Temporary Redirect", &location)).await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    town.resolve(1, json!({ "email": "ann@x.example" })).await;
    ensure(elsewhere.requests().is_empty(), "a redirect was followed to another host, with the key")
}
