//! SuiteCRM.

use crm_fakes::Running;
use crm_fakes::suitecrm::{SuiteCrm, TOKEN_LASTS_S};
use crm_fakes::switch::Fault;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{http, send, start};

async fn token(crm: &Running<SuiteCrm>) -> String {
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        SuiteCrm::CLIENT_ID,
        SuiteCrm::CLIENT_SECRET
    );
    let request = http().post(format!("{}/Api/access_token", crm.url)).body(form);
    let (status, body) = send(request.header("content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!(
        (status, &body["token_type"], &body["expires_in"]),
        (200, &json!("Bearer"), &json!(TOKEN_LASTS_S))
    );
    body["access_token"].as_str().unwrap().to_owned()
}

fn get(crm: &Running<SuiteCrm>, token: &str, path: &str) -> RequestBuilder {
    http().get(format!("{}/Api/V8/{path}", crm.url)).bearer_auth(token)
}

#[actix_web::test]
async fn sparse_fieldsets_narrow_and_unknown_names_are_refused_by_name() {
    let (crm, hands) = start(SuiteCrm::default());
    let token = token(&crm).await;
    let path = "module/Contacts?fields[Contacts]=last_name,email1&filter[email1][eq]=jose.nunez@nandu.example&page[size]=20";
    let (status, body) = send(get(&crm, &token, path)).await;
    assert_eq!((status, body["data"].as_array().unwrap().len()), (200, 2), "{body}");
    assert_eq!(
        body["data"][0]["attributes"],
        json!({"last_name": "Núñez", "email1": "jose.nunez@nandu.example"})
    );
    assert_eq!(body["meta"]["total-pages"], 1);
    assert_eq!(crm.log().asked().into_iter().collect::<Vec<_>>(), ["email1", "last_name"]);
    let (status, body) = send(get(&crm, &token, "module/Contacts?fields[Contacts]=credit_rating")).await;
    assert_eq!(status, 400);
    assert!(body["errors"]["detail"].as_str().unwrap().ends_with("credit_rating"));
    let (status, body) = send(get(&crm, &token, "module/Contacts/nobody")).await;
    assert_eq!((status, &body["errors"]["status"]), (400, &json!(400)), "not there is a 400, too");
    let (_, all) = send(get(&crm, &token, &format!("module/Contacts/{}", SuiteCrm::contact_id(1)))).await;
    assert!(
        all["data"]["attributes"]["portal_password"].is_string() && all["data"]["relationships"].is_object()
    );
    let (status, _) = send(get(&crm, &token, "module/Opportunities")).await;
    assert_eq!((status, crm.log().forbidden().len()), (400, 1));
    hands.forward_s(TOKEN_LASTS_S);
    assert_eq!(send(get(&crm, &token, "module/Contacts")).await.0, 401);
}

#[actix_web::test]
async fn pages_are_numbered_from_one_and_changes_are_asked_for_with_a_blank_in_the_time() {
    let (crm, hands) = start(SuiteCrm::default());
    let token = token(&crm).await;
    let mut seen = Vec::new();
    for number in 1..=3 {
        let path = format!(
            "module/Contacts?fields[Contacts]=date_modified&sort=date_modified&page[number]={number}&page[size]=15"
        );
        let (_, body) = send(get(&crm, &token, &path)).await;
        assert_eq!(body["meta"]["total-pages"], 3);
        assert_eq!(body["links"]["next"].is_string(), number < 3);
        seen.extend(
            body["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(seen.len(), 38);
    let (_, empty) = send(get(&crm, &token, "module/Contacts?page[number]=4&page[size]=15")).await;
    assert_eq!(empty, json!({"data": []}));
    hands.forward_s(60);
    crm.change(3, |person| person.city = "Köln".to_owned());
    let path = "module/Contacts?fields[Contacts]=primary_address_city&filter[date_modified][gte]=2026-11-22 09:00:30&page[size]=20";
    let (_, body) = send(get(&crm, &token, path)).await;
    let expected = json!([SuiteCrm::contact_id(3), {"primary_address_city": "Köln"}]);
    assert_eq!(json!([body["data"][0]["id"], body["data"][0]["attributes"]]), expected);
    assert_eq!(body["data"].as_array().unwrap().len(), 1);
    crm.switch().on(Fault::TokenExpired, 1);
    assert_eq!(send(get(&crm, &token, "module/Contacts")).await.0, 401);
}

#[actix_web::test]
async fn only_notes_can_be_written() {
    let (crm, _) = start(SuiteCrm::default());
    let token = token(&crm).await;
    let post = |kind: &str| {
        let attributes = json!({"name": "Ticket 7", "description": "solved", "parent_type": "Contacts", "parent_id": SuiteCrm::contact_id(2)});
        let body = json!({"data": {"type": kind, "attributes": attributes}});
        http().post(format!("{}/Api/V8/module", crm.url)).bearer_auth(&token).json(&body)
    };
    assert_eq!(send(post("Notes")).await.0, 201);
    assert_eq!((crm.notes()[0].person, crm.notes()[0].text.as_str()), (2, "Ticket 7: solved"));
    assert_eq!((send(post("Contacts")).await.0, crm.log().forbidden().len()), (400, 1));
    let (_, meta): (u16, Value) = send(get(&crm, &token, "meta/fields/Contacts")).await;
    assert!(meta["data"]["attributes"]["email1"]["label"].is_string());
}
