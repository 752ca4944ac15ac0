//! Salesforce.

use crm_fakes::Running;
use crm_fakes::people::{DELETED, MERGED, MERGED_INTO};
use crm_fakes::salesforce::{Salesforce, id};
use crm_fakes::switch::Fault;
use serde_json::{Value, json};

use crate::support::{http, send, start};

async fn token(crm: &Running<Salesforce>) -> (u16, Value) {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &crm.crm.client_id),
        ("client_secret", &crm.crm.client_secret),
    ];
    let url = format!("{}/services/oauth2/token", crm.url);
    let body = form.map(|(name, value)| format!("{name}={value}")).join("&");
    send(http().post(url).header("content-type", "application/x-www-form-urlencoded").body(body)).await
}

async fn get(crm: &Running<Salesforce>, token: &str, path: &str) -> (u16, Value) {
    send(http().get(format!("{}{path}", crm.url)).bearer_auth(token)).await
}

async fn query(crm: &Running<Salesforce>, token: &str, soql: &str) -> (u16, Value) {
    let url = format!("{}/services/data/v62.0/query?q={}", crm.url, crm_fakes::wire::encode(soql));
    send(http().get(url).bearer_auth(token)).await
}

#[actix_web::test]
async fn the_token_answer_names_the_instance_and_no_lifetime() {
    let (crm, hands) = start(Salesforce::default());
    let (status, body) = token(&crm).await;
    assert_eq!((status, &body["instance_url"]), (200, &json!(crm.url)));
    assert!(body.get("expires_in").is_none());
    let key = body["access_token"].as_str().unwrap();
    assert_eq!(query(&crm, key, "SELECT Id FROM Contact LIMIT 1").await.0, 200);
    hands.forward_s(7_201);
    let (status, body) = query(&crm, key, "SELECT Id FROM Contact LIMIT 1").await;
    assert_eq!((status, &body[0]["errorCode"]), (401, &json!("INVALID_SESSION_ID")));
    assert!(crm.log().seen().iter().all(|seen| !seen.body.contains("9d31")), "the secret is not logged");
}

#[actix_web::test]
async fn attributes_are_everywhere_and_pages_are_paths() {
    let (crm, _) = start(Salesforce::with_page(15));
    let key = token(&crm).await.1["access_token"].as_str().unwrap().to_owned();
    let soql = "SELECT Id, Name, Account.Name FROM Contact ORDER BY SystemModstamp, Id";
    let (_, first) = query(&crm, &key, soql).await;
    assert_eq!((&first["totalSize"], &first["done"]), (&json!(38), &json!(false)));
    let record = &first["records"][0];
    assert_eq!(record["attributes"]["type"], "Contact");
    assert_eq!(record["Account"]["attributes"]["type"], "Account");
    assert_eq!(record.as_object().unwrap().len(), 4);
    let (mut seen, mut next) = (15, first["nextRecordsUrl"].as_str().unwrap().to_owned());
    loop {
        assert!(next.starts_with("/services/data/v62.0/query/01g"), "{next}");
        let (_, page) = get(&crm, &key, &next).await;
        seen += page["records"].as_array().unwrap().len();
        match page["nextRecordsUrl"].as_str() {
            Some(path) => next = path.to_owned(),
            None => break assert_eq!(page["done"], true),
        }
    }
    assert_eq!(seen, 38);
    assert!(crm.log().forbidden().is_empty(), "{:?}", crm.log().forbidden());
}

#[actix_web::test]
async fn conditions_find_and_one_wrong_field_fails_the_whole_query() {
    let (crm, _) = start(Salesforce::default());
    let key = token(&crm).await.1["access_token"].as_str().unwrap().to_owned();
    let (_, found) =
        query(&crm, &key, r"SELECT Id FROM Contact WHERE Email = 's.o\'brien@obrien.example'").await;
    assert_eq!((&found["totalSize"], &found["records"][0]["Id"]), (&json!(1), &json!(id(29))));
    let phone = crm.person(1).phones[0].e164.clone();
    let by_phone =
        format!("SELECT Id FROM Contact WHERE Phone = '{phone}' OR MobilePhone = '{phone}' LIMIT 20");
    assert_eq!(query(&crm, &key, &by_phone).await.1["records"][0]["Id"], id(1));
    let since =
        "SELECT Id FROM Contact WHERE SystemModstamp > 2026-02-01T00:00:00Z ORDER BY SystemModstamp, Id";
    assert!(query(&crm, &key, since).await.1["totalSize"].as_u64().unwrap() < 38);
    crm.crm.hide("Title");
    for soql in [
        "SELECT Id, Titel FROM Contact",
        "SELECT Id, Title FROM Contact",
        "SELECT Id FROM Contact ORDER BY Title",
    ] {
        let (status, body) = query(&crm, &key, soql).await;
        assert_eq!((status, &body[0]["errorCode"]), (400, &json!("INVALID_FIELD")), "{soql}");
    }
    assert!(crm.log().forbidden().is_empty());
    for soql in
        ["SELECT FIELDS(ALL) FROM Contact", "SELECT Id, (SELECT Amount FROM Opportunities) FROM Contact"]
    {
        let (status, body) = query(&crm, &key, soql).await;
        assert_eq!((status, &body[0]["errorCode"]), (400, &json!("MALFORMED_QUERY")), "{soql}");
    }
    query(&crm, &key, "SELECT Id FROM Opportunity").await;
    query(&crm, &key, "SELECT Id FROM Contact WHERE Credit_Limit__c > '5'").await;
    assert_eq!(crm.log().forbidden().len(), 4, "{:?}", crm.log().forbidden());
}

#[actix_web::test]
async fn who_is_gone_comes_by_query_all_and_limits_are_403() {
    let (crm, _) = start(Salesforce::default());
    let key = token(&crm).await.1["access_token"].as_str().unwrap().to_owned();
    let soql =
        crm_fakes::wire::encode("SELECT Id, IsDeleted, MasterRecordId FROM Contact WHERE IsDeleted = true");
    let (_, gone) = get(&crm, &key, &format!("/services/data/v62.0/queryAll?q={soql}")).await;
    assert_eq!(gone["totalSize"], 2);
    assert_eq!(gone["records"][0]["Id"], id(DELETED));
    assert_eq!(
        (&gone["records"][1]["Id"], &gone["records"][1]["MasterRecordId"]),
        (&json!(id(MERGED)), &json!(id(MERGED_INTO)))
    );
    let path = format!("/services/data/v62.0/sobjects/Contact/{}?fields=Id,Name", id(DELETED));
    assert_eq!(get(&crm, &key, &path).await.1[0]["errorCode"], "ENTITY_IS_DELETED");
    crm.switch().on(Fault::Throttle, 1);
    let (status, body) = query(&crm, &key, "SELECT Id FROM Contact").await;
    assert_eq!((status, &body[0]["errorCode"]), (403, &json!("REQUEST_LIMIT_EXCEEDED")));
    crm.switch().on(Fault::SelectionIgnored, 1);
    crm.switch().on(Fault::EmbedDeals, 1);
    let (_, wide) = query(&crm, &key, "SELECT Id FROM Contact LIMIT 1").await;
    assert!(wide["records"][0]["Opportunities"]["records"][0]["Amount"].is_number());
    assert!(crm.marks().found_in(&wide.to_string()).len() > 10);
}
