//! vtiger.

use crm_fakes::Running;
use crm_fakes::switch::Fault;
use crm_fakes::vtiger::Vtiger;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{http, send, start};

fn get(crm: &Running<Vtiger>, operation: &str, name: &str, value: &str) -> RequestBuilder {
    let url = format!(
        "{}/restapi/v1/vtiger/default/{operation}?{name}={}",
        crm.url,
        crm_fakes::wire::encode(value)
    );
    http().get(url).basic_auth(Vtiger::USER, Some(Vtiger::ACCESS_KEY))
}

#[actix_web::test]
async fn a_query_narrows_and_a_record_by_id_comes_whole() {
    let (crm, _) = start(Vtiger);
    let query = "SELECT firstname,email FROM Contacts WHERE email='s.o''brien@obrien.example' LIMIT 0,20;";
    let (status, body) = send(get(&crm, "query", "query", query)).await;
    let row = json!({"id": "12x329", "firstname": "Siobhán", "email": "s.o'brien@obrien.example"});
    assert_eq!((status, body), (200, json!({"success": true, "result": [row]})));
    assert_eq!(crm.log().asked().into_iter().collect::<Vec<_>>(), ["email", "firstname"]);
    let (_, whole) = send(get(&crm, "retrieve", "id", "12x301")).await;
    assert!(whole["result"]["cf_iban"].is_string() && whole["result"]["assigned_user_id"].is_string());
    assert!(crm.log().forbidden().is_empty());
    let (_, star) = send(get(&crm, "query", "query", "SELECT * FROM Contacts LIMIT 1;")).await;
    assert!(star["result"][0]["rating"].is_string());
    let (_, oracle) = send(get(&crm, "query", "query", "SELECT id FROM Contacts WHERE cf_iban='DE';")).await;
    assert_eq!((&oracle["success"], crm.log().forbidden().len()), (&json!(true), 2));
}

#[actix_web::test]
async fn errors_come_as_200_and_limits_in_headers() {
    let (crm, hands) = start(Vtiger);
    for wrong in ["SELECT id FROM Contacts", "SELECT id FROM Potentials;", "SELECT turnover FROM Contacts;"] {
        let (status, body) = send(get(&crm, "query", "query", wrong)).await;
        assert_eq!((status, &body["success"]), (200, &json!(false)), "{wrong}");
        assert!(body["error"]["code"].is_string());
    }
    let (status, body) = send(get(&crm, "retrieve", "id", "12x999")).await;
    assert_eq!((status, &body["error"]["code"]), (200, &json!("RECORD_NOT_FOUND")));
    crm.switch().on(Fault::Throttle, 1);
    let answer = get(&crm, "query", "query", "SELECT id FROM Contacts;").send().await.unwrap();
    let reset = (hands.now().as_second() + 11).to_string();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["x-floodcontrol-reset"].to_str().unwrap()),
        (429, &*reset)
    );
    crm.switch().on(Fault::ErrorIn200, 1);
    let (status, body) = send(get(&crm, "query", "query", "SELECT id FROM Contacts;")).await;
    assert_eq!((status, &body["success"]), (200, &json!(false)), "{body}");
    let url = format!("{}/restapi/v1/vtiger/default/query?query=x", crm.url);
    assert_eq!(send(http().get(url).basic_auth("guichet", Some("wrong"))).await.0, 401);
}

#[actix_web::test]
async fn rows_are_capped_and_changes_are_found_by_their_time() {
    let (crm, hands) = start(Vtiger);
    let page =
        |offset: usize| format!("SELECT modifiedtime FROM Contacts ORDER BY modifiedtime LIMIT {offset},30;");
    let (_, first) = send(get(&crm, "query", "query", &page(0))).await;
    let (_, second) = send(get(&crm, "query", "query", &page(30))).await;
    assert_eq!([&first, &second].map(|page| page["result"].as_array().unwrap().len()), [30, 8]);
    hands.forward_s(60);
    crm.change(6, |person| person.city = "Toledo".to_owned());
    let query = "SELECT mailingcity FROM Contacts WHERE modifiedtime >= '2026-11-22 09:00:30' LIMIT 0,100;";
    let (_, body) = send(get(&crm, "query", "query", query)).await;
    assert_eq!(body["result"], json!([{"id": "12x306", "mailingcity": "Toledo"}]));
    let element = json!({"related_to": "12x306", "commentcontent": "Ticket 4"}).to_string();
    let form = format!("elementType=ModComments&element={}", crm_fakes::wire::encode(&element));
    let request = http().post(format!("{}/restapi/v1/vtiger/default/create", crm.url)).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(request.basic_auth(Vtiger::USER, Some(Vtiger::ACCESS_KEY))).await.1["success"], true);
    assert_eq!(crm.notes()[0].person, 6);
}
