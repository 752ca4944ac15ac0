//! amoCRM.

use crm_fakes::Running;
use crm_fakes::amocrm::{AmoCrm, company_id, id};
use crm_fakes::people::DELETED;
use crm_fakes::switch::Fault;
use serde_json::{Value, json};

use crate::support::{http, send, start};

async fn refresh(crm: &Running<AmoCrm>, refresh: &str) -> (u16, Value) {
    let body = json!({
        "client_id": crm.crm.client_id, "client_secret": crm.crm.client_secret, "grant_type": "refresh_token",
        "refresh_token": refresh, "redirect_uri": crm.crm.redirect_uri,
    });
    send(http().post(format!("{}/oauth2/access_token", crm.url)).json(&body)).await
}

async fn token(crm: &Running<AmoCrm>) -> String {
    let (_, body) = refresh(crm, &crm.crm.refresh_token()).await;
    body["access_token"].as_str().unwrap().to_owned()
}

async fn get(crm: &Running<AmoCrm>, token: &str, path: &str) -> (u16, Value) {
    let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", crm.url) };
    send(http().get(url).bearer_auth(token)).await
}

#[actix_web::test]
async fn a_refresh_token_can_be_used_once() {
    let (crm, hands) = start(AmoCrm::default());
    let first = crm.crm.first_refresh_token.clone();
    let (status, pair) = refresh(&crm, &first).await;
    assert_eq!((status, &pair["expires_in"]), (200, &json!(86_400)));
    let (status, _) = refresh(&crm, &first).await;
    assert_eq!(status, 400, "spent");
    assert_eq!(refresh(&crm, pair["refresh_token"].as_str().unwrap()).await.0, 200);
    let old = pair["access_token"].as_str().unwrap();
    assert_eq!(get(&crm, old, "/api/v4/contacts").await.0, 200, "the former access token lives on");
    hands.forward_s(86_401);
    assert_eq!(get(&crm, old, "/api/v4/contacts").await.0, 401);
    assert!(crm.log().seen().iter().all(|seen| !seen.body.contains(&first)));
}

#[actix_web::test]
async fn everything_comes_and_nobody_is_204() {
    let (crm, _) = start(AmoCrm::default());
    let key = token(&crm).await;
    let (_, one) = get(&crm, &key, &format!("/api/v4/contacts/{}", id(4))).await;
    let codes: Vec<&Value> =
        one["custom_fields_values"].as_array().unwrap().iter().map(|field| &field["field_code"]).collect();
    assert_eq!(codes[..3], [&json!("PHONE"), &json!("EMAIL"), &json!("POSITION")]);
    assert_eq!(one["custom_fields_values"][1]["values"].as_array().unwrap().len(), 2);
    assert_eq!(one["_embedded"]["companies"][0]["id"], company_id(1));
    assert!(crm.marks().found_in(&one.to_string()).len() >= 6);
    let (status, body) = get(&crm, &key, &format!("/api/v4/contacts/{}", id(DELETED))).await;
    assert_eq!((status, body), (204, json!("")));
    assert_eq!(get(&crm, &key, "/api/v4/contacts?query=nobody@nowhere.example").await.0, 204);
    assert!(crm.log().forbidden().is_empty());
    get(&crm, &key, "/api/v4/contacts?with=leads").await;
    get(&crm, &key, "/api/v4/leads").await;
    assert_eq!(crm.log().forbidden().len(), 2);
}

#[actix_web::test]
async fn a_query_finds_more_than_was_asked_for() {
    let (crm, _) = start(AmoCrm::default());
    let key = token(&crm).await;
    let (_, found) = get(&crm, &key, "/api/v4/contacts?query=olga@neva.example").await;
    assert_eq!(found["_embedded"]["contacts"][0]["id"], id(10));
    let (_, found) = get(&crm, &key, "/api/v4/contacts?query=dewi@nusantara.example").await;
    assert_eq!(found["_embedded"]["contacts"].as_array().unwrap().len(), 1);
    let (_, found) = get(&crm, &key, "/api/v4/contacts?query=olga@elsewhere.example").await;
    assert_eq!(found["_embedded"]["contacts"][0]["id"], id(10), "the caller has to check");
    let digits = crm.person(2).phones[0].e164.replace('+', "%2B");
    let (_, found) = get(&crm, &key, &format!("/api/v4/contacts?query={digits}")).await;
    assert_eq!(found["_embedded"]["contacts"][0]["id"], id(2));
}

#[actix_web::test]
async fn pages_link_to_the_next_and_changes_are_unix_seconds() {
    let (crm, _) = start(AmoCrm::default());
    let key = token(&crm).await;
    let (mut next, mut seen) = ("/api/v4/contacts?limit=15&order[updated_at]=asc".to_owned(), 0);
    loop {
        let (_, page) = get(&crm, &key, &next).await;
        seen += page["_embedded"]["contacts"].as_array().unwrap().len();
        match page["_links"]["next"]["href"].as_str() {
            Some(link) => next = link.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 38);
    let from = crm.person(30).updated.as_second();
    let (_, changed) = get(&crm, &key, &format!("/api/v4/contacts?filter[updated_at][from]={from}")).await;
    assert!((6..20).contains(&changed["_embedded"]["contacts"].as_array().unwrap().len()));
    assert!(crm.log().forbidden().is_empty());
}

#[actix_web::test]
async fn who_hurries_after_a_429_is_locked_out() {
    let (crm, hands) = start(AmoCrm::default());
    let key = token(&crm).await;
    crm.switch().on(Fault::Throttle, 1);
    assert_eq!(get(&crm, &key, "/api/v4/contacts").await.0, 429);
    hands.forward_s(2);
    assert_eq!(get(&crm, &key, "/api/v4/contacts").await.0, 200);
    crm.switch().on(Fault::Throttle, 1);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(get(&crm, &key, "/api/v4/contacts").await.0);
    }
    assert_eq!(statuses, [429, 200, 200, 403]);
    hands.forward_s(601);
    assert_eq!(get(&crm, &key, "/api/v4/contacts").await.0, 200);
    let hook = crm.crm.webhook("update", &crm.person(3), crm.world());
    let body = String::from_utf8(hook.body.to_vec()).unwrap();
    assert!(body.starts_with(&format!("contacts%5Bupdate%5D%5B0%5D%5Bid%5D={}", id(3))), "{body}");
}
