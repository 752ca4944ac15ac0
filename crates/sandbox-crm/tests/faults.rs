//! The CRM misbehaves exactly as told, for as many calls as told.

mod peer;

use std::time::Duration;

use peer::Peer;
use serde_json::{Value, json};

const ONE: &str = "/api/v1/contacts/ct_1001?fields=full_name,phone,mobile,job_title";
const LIST: &str = "/api/v1/contacts?fields=full_name,phone&limit=2";

async fn fault(kind: Value) -> Peer {
    let crm = Peer::start();
    crm.behave(json!({ "fault": kind })).await;
    crm
}

#[actix_web::test]
async fn a_fault_lasts_for_the_calls_it_was_given() {
    let crm = Peer::start();
    crm.behave(json!({"fault": {"kind": "status", "status": 500}, "calls": 2})).await;
    assert_eq!(crm.try_get(ONE).await.0, 500);
    assert_eq!(crm.try_get(ONE).await.0, 500);
    assert_eq!(crm.try_get(ONE).await.0, 200);
    crm.behave(json!({"fault": {"kind": "status", "status": 503}})).await;
    for _ in 0..4 {
        assert_eq!(crm.try_get(ONE).await.0, 503);
    }
    assert_eq!(crm.http.delete(crm.url("/debug/behaviour")).send().await.unwrap().status(), 204);
    assert_eq!(crm.try_get(ONE).await.0, 200);
}

#[actix_web::test]
async fn a_misspelt_fault_is_refused() {
    let crm = Peer::start();
    for body in [json!({"fault": {"kind": "explode"}}), json!({"falut": null})] {
        let answer = crm.http.put(crm.url("/debug/behaviour")).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{body}");
    }
}

#[actix_web::test]
async fn html_and_nothing_in_the_place_of_json() {
    let crm = fault(json!({"kind": "html"})).await;
    assert!(crm.call(ONE).send().await.unwrap().text().await.unwrap().contains("<h1>"));
    let crm = fault(json!({"kind": "empty"})).await;
    assert_eq!(crm.call(ONE).send().await.unwrap().text().await.unwrap(), "");
}

#[actix_web::test]
async fn a_body_as_large_as_told() {
    let crm = fault(json!({"kind": "huge", "bytes": 3_000_000})).await;
    let body = crm.call(LIST).send().await.unwrap().bytes().await.unwrap();
    assert!((2_900_000..3_100_000).contains(&body.len()), "{}", body.len());
}

#[actix_web::test]
async fn a_connection_closed_before_and_in_the_middle_of_the_answer() {
    let crm = fault(json!({"kind": "close"})).await;
    assert!(crm.call(ONE).send().await.is_err());
    let crm = fault(json!({"kind": "cut"})).await;
    let answer = crm.call(ONE).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.bytes().await.is_err());
}

#[actix_web::test]
async fn arrays_in_arrays_a_hundred_thousand_deep() {
    let crm = fault(json!({"kind": "deep_json"})).await;
    let body = crm.call(LIST).send().await.unwrap().text().await.unwrap();
    assert_eq!(body.matches('[').count(), 100_001);
}

#[actix_web::test]
async fn every_member_has_another_type_but_those_that_say_who_it_is() {
    let crm = fault(json!({"kind": "wrong_types"})).await;
    let wrong = crm.get("/api/v1/contacts/ct_1001").await;
    crm.behave(json!({})).await;
    let right = crm.get("/api/v1/contacts/ct_1001").await;
    assert_eq!(wrong["id"], right["id"]);
    for (name, value) in right.as_object().unwrap() {
        let same = std::mem::discriminant(value) == std::mem::discriminant(&wrong[name]);
        assert_eq!(same, name == "id" || name == "merged_into", "{name}");
    }
}

#[actix_web::test]
async fn members_that_the_key_may_not_see_are_left_out() {
    let crm = fault(json!({"kind": "hide_members", "names": ["phone"]})).await;
    let one = crm.get("/api/v1/contacts/ct_1001").await;
    assert!(one.get("phone").is_none() && one.get("email").is_some(), "{one}");
}

#[actix_web::test]
async fn texts_that_are_not_utf8() {
    let crm = fault(json!({"kind": "broken_utf8"})).await;
    let body = crm.call(LIST).send().await.unwrap().bytes().await.unwrap();
    assert!(std::str::from_utf8(&body).is_err());
    assert!(body.starts_with(br#"{"items":[{"#));
}

#[actix_web::test]
async fn a_redirect_to_another_host_keeps_path_and_query() {
    let crm = fault(json!({"kind": "redirect", "to": "http://127.0.0.3:1"})).await;
    let answer = crm.call(LIST).send().await.unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers()["location"], format!("http://127.0.0.3:1{LIST}"));
}

#[actix_web::test]
async fn a_true_answer_in_drops() {
    let crm = fault(json!({"kind": "slow_drip", "byte_every_ms": 1})).await;
    assert_eq!(crm.get(ONE).await["id"], "ct_1001");
    crm.behave(json!({"fault": {"kind": "slow_drip", "byte_every_ms": 5000}})).await;
    let impatient = crm.call(ONE).timeout(Duration::from_millis(200)).send().await;
    let body = match impatient {
        Ok(answer) => answer.bytes().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(body.unwrap_err().is_timeout());
}

#[actix_web::test]
async fn a_bank_account_where_a_phone_number_belongs() {
    let crm = fault(json!({"kind": "iban_in_phone"})).await;
    let list = crm.get(LIST).await;
    for item in list["items"].as_array().unwrap() {
        assert!(item["phone"].as_str().unwrap().starts_with(|c: char| c.is_ascii_uppercase()), "{item}");
    }
}

#[actix_web::test]
async fn too_many_requests_says_when_to_come_back() {
    let crm = fault(json!({"kind": "too_many_requests", "retry_after_s": 9})).await;
    let answer = crm.call(ONE).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "9"));
}
