//! Who may ask what.

use bridge_contract::{CustomerRef, FieldKey, Grant, KeyHalf, Purpose, ViewerRole};
use serde_json::{Value, json};
use service_kit::token::{AGREED_KEY_LIFETIME_S, AgreedKey, Half, Signer, generate_key_pair};
use service_kit::{Clock, Ids};

use crm_bridge::store::vault::Vault;

use crate::support::{Town, card_grant, operator, sandbox};

const REF: &str = "cus_0193aabbccdd";

async fn town() -> Town {
    let (url, _crm) = sandbox();
    Town::on_sqlite(&url, &[]).await
}

fn questions() -> [(&'static str, Grant, Value); 7] {
    let half = "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo";
    let agreement = Purpose::Agreement { half: KeyHalf::new(half).unwrap() };
    let customer_ref = CustomerRef::new(REF).unwrap();
    let field = FieldKey::new("person.phone").unwrap();
    let reveal = Purpose::Reveal { operator: operator(), role: ViewerRole::Line1, customer_ref, field };
    [
        (
            "/v1/resolve",
            Grant { ticket: 1, purpose: Purpose::Resolve {} },
            json!({ "version": 1, "ticket": 1, "email": "a@b.example" }),
        ),
        (
            "/v1/card",
            card_grant(1, REF, ViewerRole::Line1),
            json!({ "version": 1, "ticket": 1, "customer_ref": REF }),
        ),
        (
            "/v1/reveal",
            Grant { ticket: 1, purpose: reveal },
            json!({ "version": 1, "ticket": 1, "customer_ref": REF, "field": "person.phone" }),
        ),
        (
            "/v1/oversight",
            Grant {
                ticket: 0,
                purpose: Purpose::Oversight { operator: operator(), role: ViewerRole::Supervisor },
            },
            json!({ "version": 1, "ask": { "kind": "budgets" } }),
        ),
        (
            "/v1/customer-changes",
            Grant { ticket: 0, purpose: Purpose::Changes {} },
            json!({ "version": 1, "after": 0 }),
        ),
        ("/v1/agreed-keys", Grant { ticket: 0, purpose: agreement }, json!({ "version": 1, "half": half })),
        ("/v1/audit/head", Grant { ticket: 0, purpose: Purpose::AuditHead {} }, json!({ "version": 1 })),
    ]
}

#[test]
fn every_question_needs_a_valid_token_of_the_ticket_service_for_the_bridge() {
    db_kit::testing::block_on(async {
        let town = town().await;
        let ids = Ids::seeded(Clock::system(), 99);
        let (foreign_key, _) = generate_key_pair(&ids).unwrap();
        let foreign =
            Signer::new(&foreign_key, "ticket-service", "crm-bridge", town.clock.clone(), ids).unwrap();
        let paths: Vec<&str> = questions().iter().map(|(path, _, _)| *path).collect();
        let document = crm_bridge::http::openapi();
        let documented: Vec<&str> =
            document.paths.paths.keys().map(String::as_str).filter(|p| p.starts_with("/v1")).collect();
        // What became of a ticket is told under a grant of its own; its tests are those of `crm_api`.
        let documented: Vec<&str> = documented.into_iter().filter(|p| *p != "/v1/ticket-events").collect();
        assert_eq!(
            documented.len(),
            paths.len(),
            "a new question needs a line in this table: {documented:?}"
        );
        for (path, grant, body) in questions() {
            let expired = town.token(&grant);
            town.clock.advance_ms(66_000);
            let foreign = foreign.sign(&grant).unwrap().expose().to_owned();
            for token in [None, Some(""), Some("x.y.z"), Some(expired.as_str()), Some(foreign.as_str())] {
                let (status, problem) = town.ask_with(path, token, body.to_string()).await;
                assert_eq!(
                    (status, problem["code"].as_str()),
                    (401, Some("token_invalid")),
                    "{path} {token:?}"
                );
            }
            let (status, _) = town.ask(path, &grant, &body).await;
            assert!(matches!(status, 200 | 404), "the rightful caller is let in: {path} {status}");
        }
    });
}

#[test]
fn a_grant_is_good_for_exactly_what_it_names() {
    db_kit::testing::block_on(async {
        let town = town().await;
        let all = questions();
        for (path, own, body) in &all {
            for (other_path, other, _) in &all {
                if path != other_path {
                    let (status, problem) = town.ask(path, other, body).await;
                    assert_eq!(
                        (status, problem["code"].as_str()),
                        (403, Some("grant_refused")),
                        "{path} with {other_path}'s"
                    );
                }
            }
            if ["/v1/oversight", "/v1/audit/head", "/v1/agreed-keys"].contains(path) {
                // Of no ticket and no customer.
                continue;
            }
            let mut changed = vec![("ticket", json!(2))];
            if body.get("customer_ref").is_some() {
                changed.push(("customer_ref", json!("cus_ffffffffffff")));
            }
            if *path == "/v1/reveal" {
                changed.push(("field", json!("person.mobile")));
            }
            // What names neither ticket nor customer has nothing that could differ.
            changed.retain(|(member, _)| body.get(member).is_some());
            for (member, value) in changed {
                let mut body = body.clone();
                body[member] = value;
                let (status, problem) = town.ask(path, own, &body).await;
                assert_eq!(
                    (status, problem["code"].as_str()),
                    (403, Some("grant_refused")),
                    "{path} {member}"
                );
            }
        }
    });
}

#[test]
fn a_question_of_another_shape_is_refused_with_a_sentence() {
    db_kit::testing::block_on(async {
        let town = town().await;
        let (_, grant, right) = questions()[0].clone();
        let with = |member: &str, value: Value| {
            let mut body = right.clone();
            body[member] = value;
            body.to_string()
        };
        for (body, status, code) in [
            (with("version", json!(2)), 422, "body_invalid"),
            (with("filter", json!("deals>0")), 422, "body_invalid"),
            (with("email", json!("a@b\r\nx")), 422, "body_invalid"),
            (with("ticket", json!("one")), 422, "body_invalid"),
            (json!({ "version": 1, "ticket": 1 }).to_string(), 422, "lookup_missing"),
            ("{".to_owned(), 400, "body_unreadable"),
            (with("email", json!("x".repeat(5_000))), 413, "body_too_large"),
        ] {
            let (got, problem) = town.ask_with("/v1/resolve", Some(&town.token(&grant)), body.clone()).await;
            assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{body}");
            assert!(problem["detail"].as_str().unwrap().len() > 20 && problem["request_id"].is_string());
            assert!(!problem.to_string().contains("deals"), "what was sent is not repeated");
        }
    });
}

/// The key that a town agreed on with the ticket service, and its name.
async fn agreed(town: &Town) -> (AgreedKey, String) {
    let half = Half::new(&town.bridge.ids).unwrap();
    let ours = half.public();
    let (status, answer) = agree(town, &town.token(&agreement(&ours)), &ours).await;
    assert_eq!((status, answer["lasts_s"].as_i64()), (200, Some(AGREED_KEY_LIFETIME_S)), "{answer}");
    let key = half.agree(answer["half"].as_str().unwrap()).unwrap();
    (key, answer["key_id"].as_str().unwrap().to_owned())
}

fn agreement(half: &str) -> Grant {
    Grant { ticket: 0, purpose: Purpose::Agreement { half: KeyHalf::new(half).unwrap() } }
}

async fn agree(town: &Town, token: &str, half: &str) -> (u16, Value) {
    let body = json!({ "version": 1, "half": half });
    town.ask_with("/v1/agreed-keys", Some(token), body.to_string()).await
}

async fn ask_changes(town: &Town, token: &str) -> (u16, Value) {
    let body = json!({ "version": 1, "after": 0 });
    town.ask_with("/v1/customer-changes", Some(token), body.to_string()).await
}

#[test]
fn a_grant_under_an_agreed_key_is_as_good_as_a_signed_one_while_the_key_is() {
    db_kit::testing::block_on(async {
        let town = town().await;
        let (key, id) = agreed(&town).await;
        let changes = Grant { ticket: 0, purpose: Purpose::Changes {} };
        let token = |key: &AgreedKey, id: &str, grant: &Grant| {
            town.signer.sign_agreed(grant, key, id).unwrap().expose().to_owned()
        };
        assert_eq!(ask_changes(&town, &token(&key, &id, &changes)).await.0, 200);
        // For what it names only, and only as it was made.
        let audit = Grant { ticket: 0, purpose: Purpose::AuditHead {} };
        assert_eq!(ask_changes(&town, &token(&key, &id, &audit)).await.1["code"], "grant_refused");
        let (other_key, other_id) = agreed(&town).await;
        let good = token(&key, &id, &changes);
        let (head, rest) = good.split_once('.').unwrap();
        let (_, mark) = rest.split_once('.').unwrap();
        let other = token(&key, &id, &audit);
        let (_, other_claims) = other.split_once('.').unwrap();
        let (other_claims, _) = other_claims.split_once('.').unwrap();
        for wrong in [
            token(&other_key, &id, &changes),
            token(&key, &other_id, &changes),
            token(&key, &id.replacen("A", "B", 1), &changes),
            token(&key, "", &changes),
            format!("{head}.{other_claims}.{mark}"),
        ] {
            assert_eq!(ask_changes(&town, &wrong).await.1["code"], "token_invalid", "{wrong}");
        }
        town.clock.advance_ms((AGREED_KEY_LIFETIME_S - 1) * 1_000);
        assert_eq!(ask_changes(&town, &token(&key, &id, &changes)).await.0, 200);
        town.clock.advance_ms(1_000);
        assert_eq!(ask_changes(&town, &token(&key, &id, &changes)).await.1["code"], "token_invalid");
    });
}

#[test]
fn a_key_is_agreed_on_under_a_signature_only_and_for_the_half_that_is_granted() {
    db_kit::testing::block_on(async {
        let town = town().await;
        let (key, id) = agreed(&town).await;
        let half = Half::new(&town.bridge.ids).unwrap().public();
        let by_itself = town.signer.sign_agreed(agreement(&half), &key, &id).unwrap();
        assert_eq!(agree(&town, by_itself.expose(), &half).await.1["code"], "grant_refused");
        let other = Half::new(&town.bridge.ids).unwrap().public();
        assert_eq!(agree(&town, &town.token(&agreement(&half)), &other).await.1["code"], "grant_refused");
        // A half that makes the same key with whatever the bridge answers.
        let known = "A".repeat(43);
        assert_eq!(agree(&town, &town.token(&agreement(&known)), &known).await.1["code"], "grant_refused");
    });
}

#[test]
fn an_agreed_key_is_good_at_every_bridge_on_the_same_cache_key_and_for_one_ticket_service_only() {
    db_kit::testing::block_on(async {
        let town = town().await;
        let (key, id) = agreed(&town).await;
        let public = std::fs::read_to_string(&town.config.ticket_service.verify_key_file).unwrap();
        let open = |bridge: &crm_bridge::app::Bridge, public: &str| {
            crm_bridge::app::agreed_keys::open(bridge, &id, public).map(|key| key.bytes().to_vec())
        };
        assert_eq!(open(&town.bridge.clone(), public.trim()).as_deref(), Some(key.bytes()));
        assert_eq!(open(&town.bridge, "another public key"), None);
        let mut elsewhere = town.bridge.clone();
        let cache_key = Vault::generate_key(&town.bridge.ids);
        elsewhere.vault = Vault::new(&cache_key, town.bridge.walls).unwrap();
        assert_eq!(open(&elsewhere, public.trim()), None);
    });
}
