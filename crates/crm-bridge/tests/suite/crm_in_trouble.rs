//! Each way in which a CRM can fail has a reason, and none of them hangs, leaks or loses anything.

use std::time::{Duration, Instant};

use bridge_contract::ViewerRole;
use serde_json::{Value, json};

use crate::support::{Town, WireCrm, sandbox, status_answer};

const SETTINGS: &[(&str, &str)] = &[("LIMITS__ANSWER_BYTES_MAX", "1000000")];

#[test]
fn every_fault_of_the_crm_becomes_a_reason_in_time_and_the_kept_card_is_shown() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let town = Town::on_sqlite(&url, SETTINGS).await;
        let contacts = town.contacts().await;
        let customer_ref = town.matched(1, contacts[0]["email"].as_str().unwrap()).await;
        town.later();
        for (fault, reason) in [
            (json!({ "kind": "status", "status": 500 }), "server_error"),
            (json!({ "kind": "status", "status": 503 }), "server_error"),
            (json!({ "kind": "status", "status": 400 }), "refused"),
            (json!({ "kind": "status", "status": 403 }), "credentials"),
            (json!({ "kind": "html" }), "not_json"),
            (json!({ "kind": "huge" }), "too_large"),
            (json!({ "kind": "empty" }), "empty"),
            (json!({ "kind": "close" }), "broken"),
            (json!({ "kind": "cut" }), "broken"),
            (json!({ "kind": "deep_json" }), "too_deep"),
            (json!({ "kind": "broken_utf8" }), "not_json"),
            (json!({ "kind": "redirect" }), "redirect"),
            (json!({ "kind": "slow_drip" }), "timeout"),
        ] {
            town.behave(json!({ "fault": fault })).await;
            let began = Instant::now();
            let (status, problem) = town.resolve(2, json!({ "email": contacts[5]["email"] })).await;
            assert_eq!((status, problem["reason"].as_str()), (503, Some(reason)), "{fault}: {problem}");
            assert!(began.elapsed() < Duration::from_secs(3), "{fault} took {:?}", began.elapsed());
            assert_eq!(problem["code"], "crm_unavailable");
            let text = problem.to_string();
            for leaked in ["127.0.0.", contacts[5]["full_name"].as_str().unwrap(), "Maintenance", "xxxx"] {
                assert!(!text.contains(leaked), "{fault} leaks {leaked}");
            }
            let (status, card) = town.card(1, &customer_ref, ViewerRole::Line1).await;
            assert_eq!((status, card["stale"].as_bool()), (200, Some(true)), "{fault}");
        }
        town.behave(json!({})).await;
        assert_eq!(town.resolve(2, json!({ "email": contacts[5]["email"] })).await.0, 200, "and it recovers");
    });
}

#[test]
fn wrong_types_are_withheld_and_no_part_of_them_is_shown() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let town = Town::on_sqlite(&url, SETTINGS).await;
        let contact = &town.contacts().await[0];
        let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
        town.later();
        town.behave(json!({ "fault": { "kind": "wrong_types" } })).await;
        let (status, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
        assert_eq!(status, 200, "{card}");
        assert_eq!(card["stale"], false);
        for field in card["fields"].as_array().unwrap() {
            let kind = field["value"]["kind"].as_str().unwrap();
            assert!(matches!(kind, "withheld" | "empty"), "{field}");
        }
    });
}

#[test]
fn a_crm_that_keeps_failing_is_left_alone_and_then_tried_again() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let town = Town::on_sqlite(&url, &[("LIMITS__FAILURES_MAX", "3")]).await;
        let email = town.contacts().await[0]["email"].clone();
        let reason = |problem: &Value| problem["reason"].as_str().unwrap_or("none").to_owned();
        town.behave(json!({ "fault": { "kind": "status", "status": 500 } })).await;
        let calls = town.crm_calls().await;
        let mut reasons = Vec::new();
        for _ in 0..5 {
            reasons.push(reason(&town.resolve(1, json!({ "email": email })).await.1));
        }
        assert_eq!(reasons, ["server_error", "server_error", "server_error", "circuit_open", "circuit_open"]);
        assert_eq!(town.crm_calls().await, calls + 3);
        town.behave(json!({})).await;
        town.clock.advance_ms(10_000);
        assert_eq!(town.resolve(1, json!({ "email": email })).await.0, 200);
    });
}

#[test]
fn a_record_that_cannot_be_read_does_not_keep_others_from_being_asked_for() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let town = Town::on_sqlite(&url, &[("LIMITS__FAILURES_MAX", "2")]).await;
        let email = town.contacts().await[0]["email"].clone();
        for fault in [json!({ "kind": "deep_json" }), json!({ "kind": "status", "status": 400 })] {
            town.behave(json!({ "fault": fault, "calls": 4 })).await;
            for _ in 0..4 {
                assert_ne!(
                    town.resolve(1, json!({ "email": email })).await.1["reason"],
                    "circuit_open",
                    "{fault}"
                );
            }
        }
        assert_eq!(town.resolve(1, json!({ "email": email })).await.0, 200);
    });
}

#[test]
fn a_crm_that_asks_for_a_pause_gets_it() {
    db_kit::testing::block_on(async {
        let (url, _crm) = sandbox();
        let town = Town::on_sqlite(&url, &[]).await;
        let email = town.contacts().await[0]["email"].clone();
        town.behave(json!({ "fault": { "kind": "too_many_requests", "retry_after_s": 30 }, "calls": 1 }))
            .await;
        let (_, problem) = town.resolve(1, json!({ "email": email })).await;
        assert_eq!(problem["reason"], "rate_limited");
        town.clock.advance_ms(29_000);
        assert_eq!(town.resolve(1, json!({ "email": email })).await.1["reason"], "circuit_open");
        town.clock.advance_ms(1_000);
        assert_eq!(town.resolve(1, json!({ "email": email })).await.0, 200);
    });
}

#[test]
fn a_small_answer_that_unpacks_to_a_huge_one_is_too_large() {
    db_kit::testing::block_on(async {
        // 20 MB of blanks in about 20 kB of gzip.
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packer, &vec![b' '; 20_000_000]).unwrap();
        let packed = packer.finish().unwrap();
        let crm = WireCrm::answering(move |_| {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\nconnection: close\r\n";
            let mut answer = format!("{head}content-length: {}\r\n\r\n", packed.len()).into_bytes();
            answer.extend_from_slice(&packed);
            answer
        })
        .await;
        let town = Town::on_sqlite(&crm.url, SETTINGS).await;
        let (status, problem) = town.resolve(1, json!({ "email": "a@b.example" })).await;
        assert_eq!((status, problem["reason"].as_str()), (503, Some("too_large")), "{problem}");
    });
}

#[test]
fn a_wrong_path_is_not_an_empty_list() {
    db_kit::testing::block_on(async {
        let crm = WireCrm::answering(|_| status_answer("404 Not Found", "")).await;
        let town = Town::on_sqlite(&crm.url, &[]).await;
        let (status, problem) = town.resolve(1, json!({ "email": "a@b.example" })).await;
        assert_eq!((status, problem["reason"].as_str()), (503, Some("refused")), "{problem}");
    });
}
