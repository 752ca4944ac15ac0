//! Pipedrive.

use crm_fakes::Running;
use crm_fakes::people::{DELETED, MERGED, TWIN, TWIN_OF};
use crm_fakes::pipedrive::{Pipedrive, SERVICE_LEVEL, id, organization_id};
use crm_fakes::switch::Fault;
use serde_json::{Value, json};

use crate::support::{http, send, start};

async fn get(crm: &Running<Pipedrive>, path: &str) -> (u16, Value) {
    send(http().get(format!("{}{path}", crm.url)).header("x-api-token", &crm.crm.token)).await
}

#[actix_web::test]
async fn base_fields_all_come_and_custom_ones_can_be_narrowed() {
    let (crm, _) = start(Pipedrive::default());
    let (_, one) = get(&crm, &format!("/api/v2/persons/{}?custom_fields={SERVICE_LEVEL}", id(4))).await;
    assert_eq!(one["success"], true);
    assert_eq!(one["data"]["custom_fields"].as_object().unwrap().len(), 1);
    assert!(one["data"]["cc_email"].is_string() && one["data"]["owner_id"].is_number());
    assert_eq!(one["data"]["org_id"], organization_id(1));
    assert_eq!(
        (&one["data"]["emails"][0]["primary"], &one["data"]["emails"][1]["label"]),
        (&json!(true), &json!("home"))
    );
    let (_, all) = get(&crm, &format!("/api/v2/persons/{}", id(4))).await;
    assert_eq!(all["data"]["custom_fields"].as_object().unwrap().len(), 3);
    assert!(crm.log().forbidden().is_empty());
    get(&crm, "/api/v2/persons?include_fields=open_deals_count").await;
    get(&crm, "/api/v2/deals").await;
    assert_eq!(crm.log().forbidden().len(), 2);
    assert_eq!(send(http().get(format!("{}/api/v2/persons", crm.url))).await.0, 401);
}

#[actix_web::test]
async fn the_search_has_an_envelope_and_members_of_its_own() {
    let (crm, _) = start(Pipedrive::default());
    let mail = crm_fakes::wire::encode(crm.person(TWIN_OF).email());
    let (_, found) =
        get(&crm, &format!("/api/v2/persons/search?term={mail}&fields=email&exact_match=true")).await;
    let ids: Vec<&Value> =
        found["data"]["items"].as_array().unwrap().iter().map(|hit| &hit["item"]["id"]).collect();
    assert_eq!(ids, [&json!(id(TWIN_OF)), &json!(id(TWIN))]);
    assert!(found["data"]["items"][0]["item"]["emails"][0].is_string(), "no objects here");
    let phone = crm_fakes::wire::encode(&crm.person(1).phones[0].e164);
    let (_, found) =
        get(&crm, &format!("/api/v2/persons/search?term={phone}&fields=phone&exact_match=true")).await;
    assert_eq!(found["data"]["items"][0]["item"]["id"], id(1));
    let (status, nobody) =
        get(&crm, "/api/v2/persons/search?term=nobody@x.example&fields=email&exact_match=true").await;
    assert_eq!((status, &nobody["data"]["items"]), (200, &json!([])));
    assert!(crm.log().forbidden().is_empty());
    get(&crm, "/api/v2/persons/search?term=DE&fields=custom_fields").await;
    assert_eq!(crm.log().forbidden().len(), 1);
}

#[actix_web::test]
async fn pages_have_cursors_and_who_is_gone_is_marked_or_missing() {
    let (crm, _) = start(Pipedrive::default());
    let (mut seen, mut path) = (0, "/api/v2/persons?limit=15&sort_by=update_time".to_owned());
    loop {
        let (_, page) = get(&crm, &path).await;
        seen += page["data"].as_array().unwrap().len();
        match page["additional_data"]["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v2/persons?limit=15&sort_by=update_time&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, 38);
    let (status, gone) = get(&crm, &format!("/api/v2/persons/{}", id(DELETED))).await;
    assert_eq!((status, &gone["data"]["is_deleted"]), (200, &json!(true)));
    assert_eq!(get(&crm, &format!("/api/v2/persons/{}", id(MERGED))).await.0, 404);
    let (_, changed) =
        get(&crm, "/api/v2/persons?updated_since=2026-01-20T00:00:00Z&sort_by=update_time").await;
    assert!(changed["data"].as_array().unwrap().len() < 38);
}

#[actix_web::test]
async fn limits_tell_when_to_come_back_and_errors_come_as_200() {
    let (crm, _) = start(Pipedrive::default());
    crm.switch().on(Fault::Throttle, 1);
    let request = http().get(format!("{}/api/v2/persons", crm.url)).header("x-api-token", &crm.crm.token);
    let answer = request.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["x-ratelimit-reset"].to_str().unwrap()),
        (429, "2")
    );
    crm.switch().on(Fault::ErrorIn200, 1);
    let (status, body) = get(&crm, "/api/v2/persons").await;
    assert_eq!((status, &body["success"]), (200, &json!(false)));
    let hook = crm.crm.webhook("change", &crm.person(3), crm.world());
    let body: Value = serde_json::from_slice(&hook.body).unwrap();
    assert_eq!(body["meta"]["entity_id"], id(3).to_string());
    assert!(hook.headers[1].1.starts_with("Basic "));
}
