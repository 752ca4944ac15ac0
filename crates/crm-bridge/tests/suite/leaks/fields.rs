//! What could be on a card and must not.

use bridge_contract::ViewerRole;
use crm_bridge::app::policies::read_behind;
use crm_bridge::connector::profile::Profile;
use crm_bridge::walls::Walls;
use db_kit::Backend;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::measure::Outcome;
use crate::support::{CRM_KEY, Down, Town, WireCrm, answer_of, field, json_answer, sandbox};

pub(super) fn nothing(found: bool, what: impl FnOnce() -> String) -> Outcome {
    if found { Err(what()) } else { Ok(()) }
}

/// The walls that are left.
pub(super) fn left(down: Down) -> Walls {
    match down {
        Down::None => Walls::standing(),
        Down::Walls(walls) => Walls::without(walls),
    }
}

/// A CRM with one person, who is `ann@x.example` and has these members beside.
pub(super) async fn one_person(more: Value) -> WireCrm {
    let mut person = json!({ "id": "a", "full_name": "Ann", "email": "ann@x.example" });
    person.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    WireCrm::answering(move |line| {
        let one = line.contains("/contacts/");
        json_answer(&if one { person.clone() } else { json!({ "items": [person], "next_cursor": null }) })
    })
    .await
}

/// The card of Ann, who has these members beside, as a supervisor sees it.
async fn card_with(more: Value, down: Down) -> Value {
    let crm = one_person(more).await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    let customer_ref = town.matched(1, "ann@x.example").await;
    let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    assert_eq!(status, 200, "{card}");
    card
}

fn shows(card: &Value, text: &str) -> Outcome {
    nothing(card.to_string().contains(text), || format!("the card shows {text}"))
}

async fn marked_card(behaviour: Value, down: Down) -> Outcome {
    let (url, _crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, &[], down).await;
    let contact = town.contacts().await[0].clone();
    town.behave(behaviour).await;
    let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
    let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    assert_eq!(status, 200, "{card}");
    let name = contact["full_name"].as_str().unwrap();
    assert!(card.to_string().contains(name), "what is listed does not come: {card}");
    let markers = town.http.get(format!("{url}/debug/markers")).bearer_auth(CRM_KEY).send().await.unwrap();
    let (_, markers) = answer_of(markers).await;
    let card = card.to_string();
    let mut all = markers["markers"].as_array().unwrap().iter();
    let came = all.find(|marker| card.contains(marker["value"].as_str().unwrap()));
    came.map_or(Ok(()), |marker| Err(format!("{} came through", marker["field"])))
}

pub(super) async fn unlisted_field(down: Down) -> Outcome {
    marked_card(json!({}), down).await
}

pub(super) async fn embedded_object(down: Down) -> Outcome {
    marked_card(json!({ "ignore_fields": true }), down).await
}

/// The CRM has a sum in a member that the profile takes for a city, and the policy calls it what it is.
pub(super) async fn money_listed(down: Down) -> Outcome {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let policy = folder.path().join("careless.toml");
    let text = "[policy]\nname = \"careless\"\nnumber = 1\nowner = \"nobody\"\n[person.email]\ntype = \"email\"\nshow = \
                [\"supervisor\"]\n[person.city]\nlabel = \"Credit limit\"\ntype = \"text\"\nchars_max = 40\nshow = \
                [\"supervisor\"]\n";
    std::fs::write(&policy, text).unwrap();
    let sandbox = Profile::load(include_str!("../../../../../config/profiles/sandbox.toml")).unwrap();
    if read_behind(text, &sandbox, left(down)).is_err() {
        return Ok(());
    }
    let crm = one_person(json!({ "city": 987_654 })).await;
    let town =
        Town::beside(Backend::Sqlite, &crm.url, &[("POLICY__FILE", policy.to_str().unwrap())], down).await;
    let customer_ref = town.matched(1, "ann@x.example").await;
    let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    assert_eq!(status, 200, "{card}");
    shows(&card, "987654")
}

pub(super) async fn money_in_text(down: Down) -> Outcome {
    shows(&card_with(json!({ "job_title": "owes 987654.32 EUR" }), down).await, "987654.32")
}

pub(super) async fn account_number(down: Down) -> Outcome {
    let card = card_with(json!({ "phone": "DE89 3704 0044 0532 0130 00" }), down).await;
    shows(&card, "0532").and_then(|()| shows(&card, "370400440532"))
}

pub(super) async fn card_number(down: Down) -> Outcome {
    shows(&card_with(json!({ "full_name": "Ann 4111 1111 1111 1111" }), down).await, "1111 1111")
}

pub(super) async fn long_text(down: Down) -> Outcome {
    shows(&card_with(json!({ "job_title": "wrote that she is ill ".repeat(12) }), down).await, "she is ill")
}

/// A customer of the sandbox CRM on ticket 1, and what the CRM has.
async fn customer(down: Down) -> (Town, Value, String, actix_web::dev::ServerHandle) {
    let (url, crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, &[], down).await;
    let contact = town.contacts().await[0].clone();
    let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
    (town, contact, customer_ref, crm)
}

pub(super) async fn hidden_from_role(down: Down) -> Outcome {
    let (town, contact, customer_ref, _crm) = customer(down).await;
    let (status, card) = town.card(1, &customer_ref, ViewerRole::Line1).await;
    assert_eq!(status, 200, "{card}");
    shows(&card, contact["city"].as_str().unwrap())
}

pub(super) async fn unmasked(down: Down) -> Outcome {
    let (town, _, customer_ref, _crm) = customer(down).await;
    let (_, card) = town.card(1, &customer_ref, ViewerRole::Line1).await;
    let (_, whole) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    let phone = field(&whole, "person.phone")["value"].as_str().unwrap();
    shows(&card, phone)
}

pub(super) async fn revealed(down: Down) -> Outcome {
    let (town, contact, customer_ref, _crm) = customer(down).await;
    let (_, answer) = town.reveal(1, &customer_ref, ViewerRole::Line1, "person.city").await;
    shows(&answer, contact["city"].as_str().unwrap())
}
