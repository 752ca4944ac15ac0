//! Twenty.

use crm_fakes::Running;
use crm_fakes::twenty::{PAGE_MAX, Twenty};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{http, send, start};

fn get(crm: &Running<Twenty>, path: &str) -> RequestBuilder {
    http().get(format!("{}/rest/{path}", crm.url)).bearer_auth(Twenty::API_KEY)
}

#[actix_web::test]
async fn depth_decides_whether_deals_come_and_fields_are_known_to_the_newest_only() {
    let (crm, _) = start(Twenty::default());
    let filter = "filter=emails.primaryEmail[eq]:\"s.o'brien@obrien.example\"";
    let (status, body) = send(get(&crm, &format!("people?{filter}&depth=0&fields=id,name"))).await;
    let row = &body["data"]["people"][0];
    assert_eq!((status, &row["name"]), (200, &json!({"firstName": "Siobhán", "lastName": "O'Brien"})));
    assert_eq!(row["phones"]["primaryPhoneCallingCode"], "+353");
    assert_eq!(row["phones"]["primaryPhoneNumber"], "12000029");
    assert!(row["creditLimit"].is_object() && row["company"].is_null(), "everything but relations");
    let (_, deep) = send(get(&crm, &format!("people/{}", Twenty::person_id(29)))).await;
    assert!(deep["data"]["person"]["pointOfContactForOpportunities"][0]["amount"].is_number());
    assert!(deep["data"]["person"]["company"]["annualRecurringRevenue"]["amountMicros"].is_number());
    assert_eq!(send(get(&crm, "people/20202020-0000-4000-8000-000000000000?depth=0")).await.0, 404);
    let (careless, _) = start(Twenty { ignores_depth: true, ..Twenty::default() });
    let (_, body) = send(get(&careless, "people?depth=0&limit=1")).await;
    assert!(body["data"]["people"][0]["company"].is_object());
    let (newest, _) = start(Twenty { knows_fields: true, ..Twenty::default() });
    let (_, body) = send(get(&newest, "people?depth=0&limit=1&fields=id,city")).await;
    assert_eq!(body["data"]["people"][0], json!({"id": Twenty::person_id(1), "city": "Berlin"}));
    assert_eq!(send(get(&newest, "people?fields=id,turnover")).await.0, 400);
}

#[actix_web::test]
async fn pages_end_with_a_cursor_and_are_capped() {
    let (crm, hands) = start(Twenty::default());
    let mut seen = Vec::new();
    let mut after = String::new();
    for _ in 0..3 {
        let (_, body) = send(get(&crm, &format!("people?depth=0&limit=15&order_by=updatedAt&{after}"))).await;
        seen.extend(body["data"]["people"].as_array().unwrap().iter().map(|row| row["id"].to_string()));
        assert_eq!(body["pageInfo"]["hasNextPage"], seen.len() < 38);
        after = format!(
            "starting_after={}",
            crm_fakes::wire::encode(body["pageInfo"]["endCursor"].as_str().unwrap())
        );
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 38);
    let (_, body) = send(get(&crm, "people?limit=1000&depth=0")).await;
    assert!(body["data"]["people"].as_array().unwrap().len() <= PAGE_MAX);
    hands.forward_s(60);
    crm.change(3, |person| person.city = "Ulm".to_owned());
    let (_, body) =
        send(get(&crm, "people?depth=0&filter=updatedAt[gte]:2026-11-22T09:00:30Z&order_by=updatedAt")).await;
    assert_eq!(body["data"]["people"].as_array().unwrap().len(), 1);
    let (status, _) = send(get(&crm, "people?filter=creditLimit.amountMicros[gt]:1")).await;
    assert_eq!((status, crm.log().forbidden().len()), (400, 1));
    assert_eq!(send(http().get(format!("{}/rest/people", crm.url))).await.0, 401);
}

#[actix_web::test]
async fn a_message_carries_the_whole_record_and_is_signed_with_its_time() {
    use hmac::{Hmac, KeyInit, Mac};
    let (crm, _) = start(Twenty::default());
    let delivery = crm.crm.updated(crm.world(), 4);
    let header = |name: &str| delivery.headers.iter().find(|(key, _)| key == name).unwrap().1.clone();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(Twenty::WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(format!("{}:", header("x-twenty-webhook-timestamp")).as_bytes());
    mac.update(&delivery.body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header("x-twenty-webhook-signature"), hex);
    let body: Value = serde_json::from_slice(&delivery.body).unwrap();
    assert_eq!(body["record"]["id"], Twenty::person_id(4));
    assert!(crm.marks().found_in(&body.to_string()).len() > 5);
}
