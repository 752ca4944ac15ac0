//! Zoho CRM.

use crm_fakes::Running;
use crm_fakes::people::DELETED;
use crm_fakes::switch::Fault;
use crm_fakes::zoho::{Zoho, account_id, id};
use serde_json::{Value, json};

use crate::support::{http, send, start};

async fn token_with(crm: &Running<Zoho>, refresh: &str) -> (u16, Value) {
    let body = format!(
        "grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={refresh}",
        crm.crm.client_id, crm.crm.client_secret
    );
    send(http().post(format!("{}/oauth/v2/token", crm.url)).body(body)).await
}

async fn token(crm: &Running<Zoho>) -> String {
    token_with(crm, &crm.crm.refresh_token).await.1["access_token"].as_str().unwrap().to_owned()
}

async fn get(crm: &Running<Zoho>, token: &str, path: &str, since: Option<&str>) -> (u16, Value) {
    let request = http().get(format!("{}/crm/v8/{path}", crm.url));
    let request = request.header("Authorization", format!("Zoho-oauthtoken {token}"));
    match since {
        Some(since) => send(request.header("If-Modified-Since", since)).await,
        None => send(request).await,
    }
}

#[actix_web::test]
async fn the_token_answer_names_the_host_and_refuses_with_200() {
    let (crm, _) = start(Zoho::default());
    let (_, body) = token_with(&crm, &crm.crm.refresh_token).await;
    assert_eq!((&body["api_domain"], &body["expires_in"]), (&json!(crm.url), &json!(3_600)));
    let (status, body) = token_with(&crm, "1000.wrong").await;
    assert_eq!((status, body), (200, json!({ "error": "invalid_code" })));
    let bearer = http().get(format!("{}/crm/v8/Contacts?fields=id", crm.url)).bearer_auth(token(&crm).await);
    assert_eq!(send(bearer).await.0, 401, "another scheme word");
}

#[actix_web::test]
async fn lists_want_fields_and_single_records_do_not() {
    let (crm, _) = start(Zoho::default());
    let key = token(&crm).await;
    let (status, body) = get(&crm, &key, "Contacts", None).await;
    assert_eq!((status, &body["details"]["param"]), (400, &json!("fields")));
    let (_, list) =
        get(&crm, &key, "Contacts?fields=Email,Account_Name&per_page=2&sort_order=asc", None).await;
    let members: Vec<&String> = list["data"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["$currency_symbol", "$editable", "Account_Name", "Email", "id"]);
    assert_eq!(list["data"][0]["Account_Name"]["id"], account_id(1));
    assert!(crm.log().forbidden().is_empty());
    let (_, one) = get(&crm, &key, &format!("Contacts/{}", id(1)), None).await;
    assert!(one["data"][0]["Credit_Limit"].is_number());
    get(&crm, &key, "Deals?fields=Amount", None).await;
    get(&crm, &key, "Contacts?fields=Email&include_child=true", None).await;
    assert_eq!(crm.log().forbidden().len(), 3);
}

#[actix_web::test]
async fn nobody_is_204_and_unchanged_304() {
    let (crm, hands) = start(Zoho::default());
    let key = token(&crm).await;
    assert_eq!(
        get(&crm, &key, "Contacts/search?email=nobody@x.example&fields=Email", None).await,
        (204, json!(""))
    );
    assert_eq!(get(&crm, &key, &format!("Contacts/{}?fields=Email", id(DELETED)), None).await.0, 204);
    let now = crm_fakes::times::iso_at(hands.now(), 2);
    assert_eq!(get(&crm, &key, "Contacts?fields=Email", Some(&now)).await, (304, json!("")));
    hands.forward_s(60);
    crm.change(3, |person| person.job_title = "CTO".to_owned());
    let (_, changed) = get(&crm, &key, "Contacts?fields=Email", Some(&now)).await;
    assert_eq!((changed["data"].as_array().unwrap().len(), &changed["data"][0]["id"]), (1, &json!(id(3))));
    let (_, found) = get(&crm, &key, "Contacts/search?email=person4@home.example&fields=Email", None).await;
    assert_eq!(found["data"][0]["id"], id(4), "any mail field");
    let (_, gone) = get(&crm, &key, "Contacts/deleted?type=all", None).await;
    assert_eq!(gone["data"][0]["id"], id(DELETED));
}

#[actix_web::test]
async fn page_numbers_end_and_tokens_go_on() {
    let (crm, _) = start(Zoho::with_numbers_to(20));
    let key = token(&crm).await;
    let path = "Contacts?fields=Email&per_page=10&sort_by=Modified_Time&sort_order=asc";
    let (_, second) = get(&crm, &key, &format!("{path}&page=2"), None).await;
    assert_eq!(second["info"]["more_records"], true);
    let (status, body) = get(&crm, &key, &format!("{path}&page=3"), None).await;
    assert_eq!((status, &body["code"]), (400, &json!("DISCRETE_PAGINATION_LIMIT_EXCEEDED")));
    let (mut seen, mut next) = (20, second["info"]["next_page_token"].clone());
    while let Some(token) = next.as_str() {
        let (_, page) = get(&crm, &key, &format!("{path}&page_token={token}"), None).await;
        seen += page["data"].as_array().unwrap().len();
        next = page["info"]["next_page_token"].clone();
    }
    assert_eq!(seen, 38);
    crm.switch().on(Fault::Throttle, 1);
    assert_eq!(get(&crm, &key, path, None).await.0, 429);
    let hook: Value =
        serde_json::from_slice(&crm.crm.webhook("update", &crm.person(3), crm.world()).body).unwrap();
    assert_eq!((&hook["ids"][0], &hook["token"]), (&json!(id(3)), &json!(crm.crm.channel_token)));
}
