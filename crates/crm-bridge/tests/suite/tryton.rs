//! A real CRM: Tryton 8.2, filled with deals, credit limits, receivables and bank accounts.

use bridge_contract::ViewerRole;
use crm_bridge::connector::ask::Question;
use crm_bridge::policy::Entity;
use db_kit::Backend;
use db_kit::testing::block_on;
use dev_kit::{RunningTryton, TRYTON_DATABASE, Tryton};
use serde_json::{Value, json};
use service_kit::Timestamp;

use crate::support::{Down, Town, field};

async fn beside_tryton() -> (RunningTryton, Town) {
    let started = tokio::task::spawn_blocking(|| Tryton::prepare().and_then(|tryton| tryton.start()));
    let tryton = started.await.unwrap().unwrap();
    let settings = [
        ("CRM__PROFILE", "tryton"),
        ("CRM__SETTINGS__DATABASE", TRYTON_DATABASE),
        ("CRM__SECRET", tryton.facts().key.as_str()),
        ("CRM__TOTAL_TIMEOUT_MS", "20000"),
    ];
    let town = Town::beside(Backend::Sqlite, tryton.address(), &settings, Down::None).await;
    (tryton, town)
}

#[test]
fn a_customer_of_a_real_crm_is_found_by_address_and_number_and_shown_without_what_sales_knows() {
    block_on(async {
        let (tryton, town) = beside_tryton().await;
        let anna = tryton.facts().customers[0].clone();
        let customer_ref = town.matched(1, &anna.email.to_uppercase()).await;
        let (status, body) = town.resolve(2, json!({ "phone": anna.phone })).await;
        assert_eq!(
            (status, body["outcome"]["customer_ref"].as_str()),
            (200, Some(customer_ref.as_str())),
            "{body}"
        );
        assert_eq!(
            town.resolve(3, json!({ "email": "nobody@else.example" })).await.1["outcome"]["kind"],
            "none"
        );

        for later in [false, true] {
            if later {
                town.later();
            }
            let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
            assert_eq!((status, card["stale"].as_bool()), (200, Some(false)), "{card}");
            assert_eq!(field(&card, "person.name")["value"], anna.name);
            assert_eq!(field(&card, "person.email")["value"], anna.email);
            assert_eq!(field(&card, "person.phone")["value"], anna.phone);
            assert_eq!(field(&card, "person.language")["value"], anna.language);
            for key in ["person.customer_number", "person.city", "person.service_level"] {
                assert!(field(&card, key)["value"].is_string(), "{key}: {card}");
            }
            assert_no_marker(&tryton, &card.to_string());
        }
        assert_no_marker(&tryton, &town.metrics.to_text().unwrap());
    });
}

#[test]
fn people_who_share_an_address_in_a_real_crm_are_candidates() {
    block_on(async {
        let (tryton, town) = beside_tryton().await;
        let people = &tryton.facts().customers;
        let shared = people
            .iter()
            .find(|one| people.iter().filter(|other| other.email == one.email).count() == 2)
            .unwrap();
        let (_, body) = town.resolve(1, json!({ "email": shared.email })).await;
        assert_eq!(body["outcome"]["candidates"].as_array().map(Vec::len), Some(2), "{body}");
    });
}

#[test]
fn a_customer_that_a_real_crm_has_no_more_is_erased_and_a_wrong_key_is_not() {
    block_on(async {
        let (tryton, town) = beside_tryton().await;
        let first = &tryton.facts().customers[0];
        let customer_ref = town.matched(1, &first.email).await;
        let crm_id = "999999";
        let rename = format!("UPDATE customers SET crm_id = '{crm_id}'");
        town.database
            .write(move |conn| {
                diesel::connection::SimpleConnection::batch_execute(conn, &rename)
                    .map_err(db_kit::DbError::from)
            })
            .await
            .unwrap();
        town.later();
        let (status, body) = town.card(1, &customer_ref, ViewerRole::Line1).await;
        assert_eq!((status, body["code"].as_str()), (410, Some("customer_erased")), "{body}");

        let settings = [
            ("CRM__PROFILE", "tryton"),
            ("CRM__SETTINGS__DATABASE", TRYTON_DATABASE),
            ("CRM__SECRET", "wrong"),
        ];
        let locked_out = Town::on_sqlite(tryton.address(), &settings).await;
        let (status, body) = locked_out.resolve(1, json!({ "email": first.email })).await;
        assert_eq!((status, body["reason"].as_str()), (503, Some("credentials")), "{body}");
    });
}

fn assert_no_marker(tryton: &RunningTryton, text: &str) {
    let markers: Value = serde_json::from_slice(&std::fs::read(&tryton.facts().file).unwrap()).unwrap();
    for marker in markers["markers"].as_array().unwrap() {
        let value = marker["value"].as_str().unwrap();
        assert!(!text.contains(value), "{} came through", marker["field"]);
    }
}

#[test]
fn a_changed_address_that_does_not_touch_its_party_in_a_real_crm_names_the_party() {
    block_on(async {
        let (tryton, town) = beside_tryton().await;
        let anna = &tryton.facts().customers[0];
        let model = format!("{}/{TRYTON_DATABASE}/rest/model/party.contact_mechanism", tryton.address());
        let admin = |request: reqwest::RequestBuilder| request.bearer_auth(&tryton.facts().admin_key);
        let all = admin(town.http.get(format!("{model}?s=500&f=party&f=value"))).send().await.unwrap();
        let all: Vec<Value> = all.json().await.unwrap();
        let before =
            all.iter().find(|one| one["party"] == anna.id && one["value"] == anna.email.as_str()).unwrap();
        // Tryton has a clock of its own, which is this machine's.
        #[expect(clippy::disallowed_methods, reason = "a real CRM can't be given another time")]
        let since = Timestamp::from_ms(jiff::Timestamp::now().as_millisecond() - 5_000);
        let change = admin(town.http.put(format!("{model}/{}", before["id"])));
        let change = change.json(&json!({ "value": "anna.elsewhere@example.org" })).send().await.unwrap();
        assert!(change.status().is_success(), "{}", change.status());

        let parties = Question::Changed { entity: Entity::Person, since, size: 50, mark: None };
        let parties = town.bridge.connector.ask(parties).await.unwrap();
        let touched = parties.records.iter().filter(|record| record.id == Some(anna.id.to_string())).count();
        let feed = Question::Children { feed: 0, since, mark: None };
        let feed = town.bridge.connector.ask(feed).await.unwrap();
        let named: Vec<_> = feed.records.iter().flat_map(|record| record.parents.clone()).collect();
        assert!(named.contains(&anna.id.to_string()), "{named:?}");
        assert_eq!(touched, 0, "if Tryton touches the party, the feed is not needed any more");
        town.matched(1, "anna.elsewhere@example.org").await;
    });
}
