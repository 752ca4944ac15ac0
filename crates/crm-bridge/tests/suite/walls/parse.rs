//! Wall 2.

use bridge_contract::ViewerRole;
use db_kit::Backend;
use serde_json::json;

use super::ensure;
use crate::support::{CRM_KEY, Down, Town, answer_of, sandbox};

pub(super) async fn card(down: Down) -> Result<(), String> {
    let (url, _crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, &[], down).await;
    let contact = town.contacts().await[0].clone();
    // The worst CRM: whatever is asked for, everything comes.
    town.behave(json!({ "ignore_fields": true })).await;
    let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
    let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    ensure(status == 200, format!("{card}"))?;
    for field in card["fields"].as_array().unwrap() {
        let key = field["key"].as_str().unwrap();
        ensure(town.bridge.policy.field(key).is_some(), format!("`{key}` is not in the policy"))?;
    }
    let markers = town.http.get(format!("{url}/debug/markers")).bearer_auth(CRM_KEY).send().await.unwrap();
    let (_, markers) = answer_of(markers).await;
    let (card, metrics) = (card.to_string(), town.metrics.to_text().unwrap());
    for marker in markers["markers"].as_array().unwrap() {
        let value = marker["value"].as_str().unwrap();
        ensure(
            !card.contains(value) && !metrics.contains(value),
            format!("{} came through", marker["field"]),
        )?;
    }
    ensure(metrics.contains("crm_over_shared_members_total{member=\"deals\"}"), "over-sharing goes unnoticed")
}

/// What lies in the cache, opened with the key, has no marker either: it was never built.
pub(super) async fn memory_of_the_crm(down: Down) -> Result<(), String> {
    let (url, _crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, &[], down).await;
    let contact = town.contacts().await[0].clone();
    town.behave(json!({ "ignore_fields": true })).await;
    let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
    let kept = town.kept_card(&customer_ref).await;
    ensure(kept.contains(contact["full_name"].as_str().unwrap()), "the name is not kept")?;
    for member in ["iban", "tax_number", "credit_rating"] {
        let value = contact["company"][member].as_str().unwrap();
        ensure(!kept.contains(value), format!("company.{member} is kept"))?;
    }
    Ok(())
}
