//! HubSpot.

use crm_fakes::hubspot::{HubSpot, id};
use crm_fakes::people::{DELETED, MERGED, MERGED_INTO};
use crm_fakes::switch::Fault;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{http, send, start};

fn get(crm: &crm_fakes::Running<HubSpot>, path: &str) -> RequestBuilder {
    http().get(format!("{}{path}", crm.url)).bearer_auth(&crm.crm.token)
}

fn search(crm: &crm_fakes::Running<HubSpot>, body: &Value) -> RequestBuilder {
    let url = format!("{}/crm/v3/objects/contacts/search", crm.url);
    http().post(url).bearer_auth(&crm.crm.token).json(body)
}

#[actix_web::test]
async fn properties_are_strings_and_three_come_unasked() {
    let (crm, _) = start(HubSpot::default());
    let path = format!("/crm/v3/objects/contacts/{}?properties=firstname,phone,nonsense", id(1));
    let (status, one) = send(get(&crm, &path)).await;
    assert_eq!((status, &one["properties"]["firstname"]), (200, &json!("Jörg")));
    let members: Vec<&String> = one["properties"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["createdate", "firstname", "hs_object_id", "lastmodifieddate", "phone"]);
    assert!(one["properties"].as_object().unwrap().values().all(Value::is_string));
    assert!(crm.log().asked().contains("nonsense"));
    let (_, by_mail) =
        send(get(&crm, "/crm/v3/objects/contacts/joerg.mueller@muller-sohne.example?idProperty=email")).await;
    assert_eq!(by_mail["id"], id(1));
    assert!(crm.log().forbidden().is_empty());
}

#[actix_web::test]
async fn a_search_lags_caps_and_wants_milliseconds() {
    let (crm, hands) = start(HubSpot { hits_max: 30, ..HubSpot::default() });
    let since = |value: Value| {
        json!({ "filterGroups": [{ "filters": [
            { "propertyName": "lastmodifieddate", "operator": "GTE", "value": value }] }],
            "sorts": [{ "propertyName": "lastmodifieddate", "direction": "ASCENDING" }], "limit": 20 })
    };
    let (status, page) = send(search(&crm, &since(json!("0")))).await;
    assert_eq!((status, &page["total"], &page["paging"]["next"]["after"]), (200, &json!(38), &json!("20")));
    let mut next = since(json!("0"));
    next["after"] = json!("20");
    assert_eq!(send(search(&crm, &next)).await.0, 400, "the cap");
    assert_eq!(send(search(&crm, &since(json!("2026-01-01T00:00:00Z")))).await.0, 400);
    let now = hands.now().as_millisecond().to_string();
    crm.change(9, |person| person.job_title = "CEO".to_owned());
    assert_eq!(send(search(&crm, &since(json!(now)))).await.1["total"], 0, "not yet indexed");
    hands.forward_s(11);
    assert_eq!(send(search(&crm, &since(json!(now)))).await.1["results"][0]["id"], id(9));
}

#[actix_web::test]
async fn a_search_finds_addresses_and_the_digits_of_numbers() {
    let (crm, _) = start(HubSpot::default());
    let by = |name: &str, operator: &str, value: &str| {
        json!({ "filterGroups": [{ "filters": [
            { "propertyName": name, "operator": operator, "value": value }] }], "properties": ["email"] })
    };
    let (_, found) = send(search(&crm, &by("email", "EQ", "s.o'brien@obrien.example"))).await;
    assert_eq!((&found["total"], &found["results"][0]["id"]), (&json!(1), &json!(id(29))));
    let typed = crm.person(2).phones[0].typed.clone();
    assert_ne!(typed, crm.person(2).phones[0].e164);
    let token = "*2000002";
    let (_, found) =
        send(search(&crm, &by("hs_searchable_calculated_phone_number", "CONTAINS_TOKEN", token))).await;
    assert_eq!(found["results"][0]["id"], id(2));
    assert!(crm.log().forbidden().is_empty());
    send(search(&crm, &by("lifecyclestage", "EQ", "customer"))).await;
    assert_eq!(crm.log().forbidden().len(), 1);
}

#[actix_web::test]
async fn pages_follow_the_cursor_and_leave_out_who_is_gone() {
    let (crm, _) = start(HubSpot::default());
    let (mut seen, mut path) = (Vec::new(), "/crm/v3/objects/contacts?limit=15".to_owned());
    loop {
        let (_, page) = send(get(&crm, &path)).await;
        seen.extend(
            page["results"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match page["paging"]["next"]["after"].as_str() {
            Some(after) => path = format!("/crm/v3/objects/contacts?limit=15&after={after}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 38);
    let (_, archived) = send(get(&crm, "/crm/v3/objects/contacts?archived=true")).await;
    assert_eq!(archived["results"][0]["id"], id(DELETED));
    let (status, _) = send(get(&crm, &format!("/crm/v3/objects/contacts/{}", id(DELETED)))).await;
    assert_eq!(status, 404);
    let (_, merged) = send(get(&crm, &format!("/crm/v3/objects/contacts/{}", id(MERGED)))).await;
    assert_eq!(merged["id"], id(MERGED_INTO), "the old id answers with the other contact");
}

#[actix_web::test]
async fn limits_leaks_and_webhooks_are_as_documented() {
    let (crm, _) = start(HubSpot::default());
    crm.switch().on(Fault::Throttle, 1);
    let (status, body) = send(get(&crm, "/crm/v3/objects/contacts")).await;
    assert_eq!((status, &body["policyName"]), (429, &json!("SECONDLY")));
    assert_eq!(send(http().get(format!("{}/crm/v3/objects/contacts", crm.url))).await.0, 401);
    send(get(&crm, "/crm/v3/objects/contacts?associations=deals")).await;
    send(get(&crm, "/crm/v3/objects/deals")).await;
    assert_eq!(crm.log().forbidden().len(), 2);
    crm.switch().on(Fault::SelectionIgnored, 1);
    let (_, all) = send(get(&crm, "/crm/v3/objects/contacts?properties=email")).await;
    assert!(crm.marks().found_in(&all.to_string()).len() > 100);
    crm.switch().on(Fault::EmbedDeals, 1);
    let (_, deals) = send(get(&crm, "/crm/v3/objects/contacts?properties=email&limit=1")).await;
    assert!(deals["results"][0]["associations"]["deals"]["results"][0]["properties"]["amount"].is_string());
    // The vendor's scheme: base64 of HMAC-SHA256 over method, address, body and time.
    let delivery =
        crm.crm.webhook("contact.propertyChange", &crm.person(1), "https://x.example/h", crm.world());
    assert_eq!(delivery.headers[1].1.len(), 44);
    let event: Value = serde_json::from_slice(&delivery.body).unwrap();
    assert_eq!(event[0]["objectId"].to_string(), id(1));
}
