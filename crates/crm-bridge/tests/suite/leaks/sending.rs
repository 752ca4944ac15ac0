//! What could come in by a delivery, or go to the CRM, and must not.

use crm_bridge::app::crm_api::keys::Scope;
use crm_bridge::app::webhooks::Webhooks;
use crm_bridge::connector::hook::Delivery;
use db_kit::Backend;
use serde_json::json;
use service_kit::Secret;
use service_kit::metrics::Metrics;

use super::fields::{nothing, one_person};
use super::measure::Outcome;
use crate::crm_api::{CrmTown, looks};
use crate::support::{Down, Town};

pub(super) async fn forged_delivery(down: Down) -> Outcome {
    let crm = one_person(json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let text = include_str!("../../../../../config/field-policy.toml");
    let copy = "copy = \"customers phone in and the CRM is away at night\"\n\n[person.name]";
    std::fs::write(&policy, text.replacen("[person.name]", copy, 1)).unwrap();
    let settings = [("POLICY__FILE", policy.to_str().unwrap()), ("WEBHOOKS__PATH", "hard-to-guess")];
    let town = Town::beside(Backend::Sqlite, &crm.url, &settings, down).await;
    let secret = Some(Secret::new("what the CRM and the bridge share"));
    let hooks =
        Webhooks::new(town.config.webhooks.clone(), secret, town.clock.clone(), &Metrics::new("hooks"));
    let body = json!({ "events": [{ "id": "x1", "kind": "contact.changed", "phone": "+49 30 901820" }] })
        .to_string();
    let none = |_: &str| None;
    let delivery =
        Delivery { method: "POST", uri: "/hooks/x", header: &none, query: &none, body: body.as_bytes() };
    drop(hooks.take(&town.bridge, "hard-to-guess", std::net::Ipv4Addr::LOCALHOST.into(), &delivery).await);
    let later = town.clock.now().plus_ms(3_600_000);
    let noted = town.bridge.sync.as_ref().unwrap().store.due_hints(later, 100).await.unwrap();
    nothing(noted.iter().any(|hint| hint.crm_id.contains("901820")), || {
        "what a delivery said is in the database".to_owned()
    })
}

pub(super) async fn unlisted_of_ticket(down: Down) -> Outcome {
    let crm = CrmTown::behind(Backend::Sqlite, &[], down).await;
    let (id, customer_ref) = crm.customer(0, 1).await;
    assert!(crm.tells(1, 1, looks(&customer_ref, "opened", "Coupling stuck", "new")).await);
    let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
    let page = crm.get(&key, &format!("/v1/customers/{id}/tickets")).await.text;
    let feed = crm.get(&key, "/v1/events?after=0").await.text;
    assert!(page.contains("Coupling stuck") && feed.contains("Coupling stuck"), "{page} {feed}");
    let told = [page, feed].concat();
    nothing(told.contains("urgent") || told.contains("77"), || "priority and count were told".to_owned())
}

pub(super) async fn other_customers_ticket(down: Down) -> Outcome {
    let crm = CrmTown::behind(Backend::Sqlite, &[], down).await;
    let (_, _) = crm.customer(0, 1).await;
    let (other_id, other_ref) = crm.customer(1, 2).await;
    crm.tells(1, 1, looks(&other_ref, "opened", "Of somebody else", "new")).await;
    assert!(crm.tells(2, 1, looks(&other_ref, "opened", "Of their own", "new")).await);
    let key = crm.key(&[Scope::TicketsRead, Scope::EventsRead]).await;
    let page = crm.get(&key, &format!("/v1/customers/{other_id}/tickets")).await.text;
    let feed = crm.get(&key, "/v1/events?after=0").await.text;
    assert!(page.contains("Of their own") && feed.contains("Of their own"), "{page} {feed}");
    nothing([page, feed].concat().contains("Of somebody else"), || "another's ticket was told".to_owned())
}
