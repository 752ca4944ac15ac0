//! Bitrix24.

use crm_fakes::bitrix24::{Bitrix24, company_id, id};
use crm_fakes::people::{DELETED, People, TWIN, TWIN_OF};
use crm_fakes::switch::Fault;
use crm_fakes::{Fake, Running};
use serde_json::{Value, json};

use crate::support::{Hands, http, send, start};

async fn call(crm: &Running<Bitrix24>, method: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/rest/{}/{}/{method}.json", crm.url, crm.crm.user, crm.crm.secret);
    send(http().post(url).json(&body)).await
}

#[actix_web::test]
async fn addresses_are_lists_and_only_the_list_can_be_told_what_to_send() {
    let (crm, _) = start(Bitrix24::default());
    let (_, found) =
        call(&crm, "crm.contact.list", json!({ "filter": { "ID": id(4) }, "select": ["NAME", "EMAIL"] }))
            .await;
    let record = &found["result"][0];
    assert_eq!(record.as_object().unwrap().keys().collect::<Vec<_>>(), ["EMAIL", "ID", "NAME"]);
    assert_eq!(
        (&record["EMAIL"][0]["TYPE_ID"], record["EMAIL"].as_array().unwrap().len()),
        (&json!("EMAIL"), 2)
    );
    assert!(crm.log().forbidden().is_empty());
    let (_, wide) = call(&crm, "crm.contact.get", json!({ "id": id(4) })).await;
    assert!(wide["result"]["COMMENTS"].is_string() && wide["result"]["COMPANY_ID"] == company_id(1));
    let (status, body) = call(&crm, "crm.contact.get", json!({ "id": id(DELETED) })).await;
    assert_eq!((status, &body["error_description"]), (400, &json!("Not found")));
    call(&crm, "crm.contact.list", json!({ "select": ["*", "UF_*"] })).await;
    call(&crm, "crm.deal.list", json!({})).await;
    call(&crm, "batch", json!({})).await;
    assert_eq!(crm.log().forbidden().len(), 6, "{:?}", crm.log().forbidden());
    assert!(!crm.log().lines().concat().contains(&crm.crm.secret));
}

#[actix_web::test]
async fn duplicates_are_found_by_address_and_by_digits_and_nobody_is_a_list() {
    let (crm, _) = start(Bitrix24::default());
    let find =
        |kind: &str, value: String| json!({ "type": kind, "values": [value], "entity_type": "CONTACT" });
    let twin = crm.person(TWIN_OF).email().to_owned();
    let (_, found) = call(&crm, "crm.duplicate.findbycomm", find("EMAIL", twin)).await;
    let ids = [TWIN_OF, TWIN].map(|number| id(number).parse::<u64>().unwrap());
    assert_eq!(found["result"], json!({ "CONTACT": ids }));
    let typed = crm.person(2).phones[0].e164.clone();
    let (_, found) = call(&crm, "crm.duplicate.findbycomm", find("PHONE", typed)).await;
    assert_eq!(found["result"]["CONTACT"][0].to_string(), id(2));
    let (_, nobody) =
        call(&crm, "crm.duplicate.findbycomm", find("EMAIL", "nobody@x.example".to_owned())).await;
    assert_eq!(nobody["result"], json!([]));
}

#[actix_web::test]
async fn pages_have_fifty_and_can_be_walked_by_id() {
    let hands = Hands::new();
    let fake = Fake::new(hands.clock()).with_people(People::many(130));
    let crm = fake.start(Bitrix24::default()).unwrap();
    let (_, first) = call(&crm, "crm.contact.list", json!({ "select": ["ID"] })).await;
    assert_eq!(
        (first["result"].as_array().unwrap().len(), &first["next"], &first["total"]),
        (50, &json!(50), &json!(128))
    );
    let (mut last, mut seen) = ("0".to_owned(), 0);
    loop {
        let body =
            json!({ "select": ["ID"], "order": { "ID": "ASC" }, "filter": { ">ID": last }, "start": -1 });
        let (_, page) = call(&crm, "crm.contact.list", body).await;
        assert!(page.get("next").is_none());
        let records = page["result"].as_array().unwrap();
        seen += records.len();
        match records.last() {
            Some(record) => last = record["ID"].as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, 128);
    let since = json!({ "select": ["ID"], "filter": { ">=DATE_MODIFY": "2026-02-01T00:00:00+03:00" } });
    let (_, changed) = call(&crm, "crm.contact.list", since).await;
    assert!(changed["total"].as_u64().unwrap() < 128);
}

#[actix_web::test]
async fn the_bucket_overflows_with_503_and_leaks_two_a_second() {
    let (crm, hands) = start(Bitrix24::default());
    for _ in 0..50 {
        assert_eq!(call(&crm, "profile", json!({})).await.0, 200);
    }
    let (status, body) = call(&crm, "profile", json!({})).await;
    assert_eq!((status, &body["error"]), (503, &json!("QUERY_LIMIT_EXCEEDED")));
    hands.forward_s(1);
    assert_eq!(call(&crm, "profile", json!({})).await.0, 200);
    crm.switch().on(Fault::ErrorIn200, 1);
    let (status, body) = call(&crm, "crm.contact.list", json!({ "select": ["ID"] })).await;
    assert_eq!((status, body["error"].is_string()), (200, true));
    let wrong = http().post(format!("{}/rest/7/wrong/profile.json", crm.url));
    assert_eq!(send(wrong).await.0, 401);
    let hook = crm.crm.webhook("ONCRMCONTACTUPDATE", &id(3), crm.world());
    let body = String::from_utf8(hook.body.to_vec()).unwrap();
    assert!(body.contains(&format!("data%5BFIELDS%5D%5BID%5D={}", id(3))), "{body}");
}
