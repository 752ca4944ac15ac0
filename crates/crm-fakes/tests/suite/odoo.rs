//! Odoo.

use crm_fakes::Running;
use crm_fakes::odoo::{OdooJson2, OdooRpc, partner_id};
use crm_fakes::switch::Fault;
use serde_json::{Value, json};

use crate::support::{http, send, start};

async fn ask(crm: &Running<OdooJson2>, path: &str, body: Value) -> (u16, Value) {
    let request = http().post(format!("{}/json/2/{path}", crm.url)).bearer_auth(OdooJson2::API_KEY);
    send(request.header("x-odoo-database", OdooJson2::DATABASE).json(&body)).await
}

async fn call(crm: &Running<OdooRpc>, service: &str, method: &str, args: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "method": "call", "id": 7, "params": {"service": service, "method": method, "args": args}});
    let (status, answer) = send(http().post(format!("{}/jsonrpc", crm.url)).json(&body)).await;
    assert_eq!((status, &answer["id"]), (200, &json!(7)), "always 200");
    answer
}

#[actix_web::test]
async fn json_2_sends_what_is_named_and_everything_if_nothing_is() {
    let (crm, _) = start(OdooJson2);
    let domain = json!([["email", "=ilike", "S.O'Brien@obrien.example"], ["is_company", "=", false]]);
    let body = json!({"domain": domain, "fields": ["name", "phone", "parent_id", "function"], "limit": 20});
    let (status, rows) = ask(&crm, "res.partner/search_read", body).await;
    let expected = json!([{"id": partner_id(29), "name": "Siobhán O'Brien", "phone": "+35312000029",
        "parent_id": [8, "O'Brien \"Brothers\" Ltd"], "function": crm.person(29).job_title}]);
    assert_eq!((status, rows), (200, expected));
    assert!(crm.log().forbidden().is_empty());
    let (_, rows) =
        ask(&crm, "res.partner/search_read", json!({"domain": [["id", "=", partner_id(13)]]})).await;
    assert_eq!(rows[0]["parent_id"], false, "nothing is false");
    assert!(rows[0]["credit_limit"].is_number() && rows[0]["signup_token"].is_string());
    assert_eq!(crm.log().forbidden().len(), 1, "every field");
    let (status, error) =
        ask(&crm, "res.partner/search_read", json!({"domain": [], "fields": ["credit_rating"]})).await;
    assert_eq!((status, &error["name"]), (500, &json!("builtins.ValueError")));
    assert!(!crm.marks().found_in(&error.to_string()).is_empty(), "the traceback quotes a record");
    assert_eq!(ask(&crm, "crm.lead/search_read", json!({})).await.0, 403);
    let get =
        http().get(format!("{}/json/2/res.partner/search_read", crm.url)).bearer_auth(OdooJson2::API_KEY);
    assert_eq!(send(get).await.0, 404);
    let wrong = http().post(format!("{}/json/2/res.partner/search_read", crm.url)).bearer_auth("wrong");
    assert_eq!(send(wrong.json(&json!({}))).await.0, 401);
}

#[actix_web::test]
async fn persons_and_companies_are_one_model_in_an_order_by_name_unless_told() {
    let (crm, hands) = start(OdooJson2);
    let page = |offset: usize, order: Option<&str>| {
        let mut body = json!({"domain": [], "fields": ["name", "write_date"], "limit": 30, "offset": offset});
        if let Some(order) = order {
            body["order"] = json!(order);
        }
        body
    };
    let (_, by_name) = ask(&crm, "res.partner/search_read", page(0, None)).await;
    assert!(by_name[0]["name"].as_str().unwrap().starts_with("Café"), "{by_name}");
    let (_, rest) = ask(&crm, "res.partner/search_read", page(30, Some("write_date, id"))).await;
    assert_eq!(rest.as_array().unwrap().len(), 18, "38 people and 10 companies");
    hands.forward_s(60);
    crm.change(2, |person| person.city = "Bonn".to_owned());
    let domain = json!([["is_company", "=", false], ["write_date", ">", "2026-11-22 09:00:30"]]);
    let (_, changed) =
        ask(&crm, "res.partner/search_read", json!({"domain": domain, "fields": ["city"]})).await;
    assert_eq!(changed, json!([{"id": partner_id(2), "city": "Bonn"}]));
    let message = json!({"ids": [partner_id(2)], "body": "Ticket 9 solved"});
    assert_eq!(ask(&crm, "res.partner/message_post", message).await.0, 200);
    assert_eq!(crm.notes()[0].person, 2);
}

#[actix_web::test]
async fn json_rpc_says_200_whatever_happens() {
    let (crm, _) = start(OdooRpc);
    let key = OdooRpc::API_KEY;
    let uid = call(&crm, "common", "login", json!([OdooRpc::DATABASE, OdooRpc::LOGIN, key])).await["result"]
        .clone();
    assert_eq!(uid, OdooRpc::UID);
    let wrong = call(&crm, "common", "login", json!([OdooRpc::DATABASE, OdooRpc::LOGIN, "wrong"])).await;
    assert_eq!(wrong["result"], false);
    let args = |key: &str| {
        let fields = json!({"fields": ["name", "mobile"], "limit": 2});
        json!([
            OdooRpc::DATABASE,
            uid,
            key,
            "res.partner",
            "search_read",
            [[["phone", "=", "+49302000001"]]],
            fields
        ])
    };
    let found = call(&crm, "object", "execute_kw", args(key)).await;
    let expected = json!([{"id": partner_id(1), "name": "Jörg Müller", "mobile": "+491703000001"}]);
    assert_eq!(found["result"], expected);
    let denied = call(&crm, "object", "execute_kw", args("wrong")).await;
    assert_eq!(denied["error"]["data"]["name"], "odoo.exceptions.AccessDenied");
    crm.switch().on(Fault::ErrorIn200, 1);
    let failed = call(&crm, "object", "execute_kw", args(key)).await;
    assert!(failed["error"]["data"]["debug"].as_str().unwrap().starts_with("Traceback"));
    assert!(crm.log().forbidden().is_empty());
    call(
        &crm,
        "object",
        "execute_kw",
        json!([OdooRpc::DATABASE, uid, key, "account.move", "search_read", [[]], {}]),
    )
    .await;
    assert_eq!(crm.log().forbidden().len(), 1);
    assert!(crm.log().seen().iter().all(|seen| !seen.body.contains(key)), "the key is in no log");
}
