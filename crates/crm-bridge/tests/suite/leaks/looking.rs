//! Who could look and must not.

use bridge_contract::{CustomerRef, FieldKey, Grant, Purpose, ResolveQuestion, ViewerRole};
use db_kit::Backend;
use serde_json::{Value, json};
use service_kit::Ids;
use service_kit::token::{AgreedKey, Signer, generate_key_pair};

use super::fields::nothing;
use super::measure::Outcome;
use crate::support::{Down, Town, card_grant, sandbox};

/// Questions of the ticket service come from elsewhere than this machine.
const FROM_ELSEWHERE: (&str, &str) = ("TICKET_SERVICE__ALLOW_FROM", "[\"10.0.0.0/8\"]");

/// A customer whom the ticket service has had resolved for a ticket.
async fn resolved(town: &Town, ticket: u64, email: &str) -> String {
    let question: ResolveQuestion =
        serde_json::from_value(json!({ "version": 1, "ticket": ticket, "email": email })).unwrap();
    let grant = Grant { ticket, purpose: Purpose::Resolve {} };
    let answer = crm_bridge::app::resolve::resolve(&town.bridge, &grant, &question).await.unwrap();
    let answer = serde_json::to_value(answer).unwrap();
    answer["outcome"]["customer_ref"].as_str().unwrap().to_owned()
}

async fn asks_with(town: &Town, token: &str, ticket: u64, customer_ref: &str) -> Outcome {
    let body = json!({ "version": 1, "ticket": ticket, "customer_ref": customer_ref });
    let (status, card) = town.ask_with("/v1/card", Some(token), body.to_string()).await;
    nothing(status == 200, || format!("a card: {card}"))
}

async fn one_customer(settings: &[(&str, &str)], down: Down) -> (Town, String, actix_web::dev::ServerHandle) {
    let (url, crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, settings, down).await;
    let email = town.contacts().await[0]["email"].as_str().unwrap().to_owned();
    let customer_ref = resolved(&town, 1, &email).await;
    (town, customer_ref, crm)
}

pub(super) async fn forged_grant(down: Down) -> Outcome {
    let (town, customer_ref, _crm) = one_customer(&[FROM_ELSEWHERE], down).await;
    let ids = Ids::seeded(town.clock.clone(), 666);
    let (private, _) = generate_key_pair(&ids).unwrap();
    let forger = Signer::new(&private, "ticket-service", "crm-bridge", town.clock.clone(), ids).unwrap();
    let token = forger.sign(card_grant(1, &customer_ref, ViewerRole::Supervisor)).unwrap();
    asks_with(&town, token.expose(), 1, &customer_ref).await?;
    // Nor under a key that nobody agreed on.
    let key = AgreedKey::from_bytes(&[7; 32]).unwrap();
    let grant = card_grant(1, &customer_ref, ViewerRole::Supervisor);
    let token = forger.sign_agreed(grant, &key, "a-key").unwrap();
    asks_with(&town, token.expose(), 1, &customer_ref).await
}

pub(super) async fn old_grant(down: Down) -> Outcome {
    let (town, customer_ref, _crm) = one_customer(&[FROM_ELSEWHERE], down).await;
    let token = town.token(&card_grant(1, &customer_ref, ViewerRole::Supervisor));
    town.clock.advance_ms(3_600_000);
    asks_with(&town, &token, 1, &customer_ref).await
}

pub(super) async fn other_customer(down: Down) -> Outcome {
    let (url, _crm) = sandbox();
    let town = Town::beside(Backend::Sqlite, &url, &[], down).await;
    let contacts = town.contacts().await;
    let mine = town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
    let theirs = town.matched(2, contacts[1]["email"].as_str().unwrap()).await;
    let token = town.token(&card_grant(1, &mine, ViewerRole::Supervisor));
    asks_with(&town, &token, 1, &theirs).await?;
    // Nor one field of theirs.
    let purpose = Purpose::Reveal {
        operator: crate::support::operator(),
        role: ViewerRole::Line1,
        customer_ref: CustomerRef::new(mine).unwrap(),
        field: FieldKey::new("person.phone").unwrap(),
    };
    let body = json!({ "version": 1, "ticket": 1, "customer_ref": theirs, "field": "person.phone" });
    let (status, field): (u16, Value) = town.ask("/v1/reveal", &Grant { ticket: 1, purpose }, &body).await;
    nothing(status == 200, || format!("a field: {field}"))
}

pub(super) async fn customer_base(down: Down) -> Outcome {
    let (url, _crm) = sandbox();
    let settings = [
        ("BUDGETS__LINE1__HOUR_SOFT", "2"),
        ("BUDGETS__LINE1__HOUR_HARD", "2"),
        ("CEILING__CUSTOMERS_PER_HOUR", "2"),
    ];
    let town = Town::beside(Backend::Sqlite, &url, &settings, down).await;
    let contacts = town.contacts().await;
    let mut shown = 0;
    for ticket in 1..=4 {
        let email = contacts[usize::try_from(ticket).unwrap()]["email"].as_str().unwrap();
        let customer_ref = town.matched(ticket, email).await;
        let (status, _) = town.card(ticket, &customer_ref, ViewerRole::Line1).await;
        shown += u32::from(status == 200);
    }
    assert!(shown >= 2, "not even the first ones are shown");
    nothing(shown > 2, || format!("{shown} customers in an hour that has place for 2"))
}
