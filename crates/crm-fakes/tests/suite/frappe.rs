//! Frappe.

use base64::Engine;
use crm_fakes::Running;
use crm_fakes::frappe::Frappe;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::support::{http, send, start};

fn get(crm: &Running<Frappe>, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
    let query: Vec<String> =
        query.iter().map(|(name, value)| format!("{name}={}", crm_fakes::wire::encode(value))).collect();
    let token = format!("token {}:{}", Frappe::API_KEY, Frappe::API_SECRET);
    let url = format!("{}/api/resource/{path}?{}", crm.url, query.join("&"));
    http().get(url).header("authorization", token)
}

#[actix_web::test]
async fn a_list_sends_names_only_unless_told_and_a_document_comes_whole() {
    let (crm, _) = start(Frappe);
    let filters = r#"[["email_id","=","jose.nunez@nandu.example"]]"#;
    let (status, body) = send(get(&crm, "Contact", &[("filters", filters)])).await;
    assert_eq!((status, body["data"].as_array().unwrap().len()), (200, 2));
    assert_eq!(body["data"][0].as_object().unwrap().len(), 1, "{body}");
    let name = Frappe::name(&crm.person(5), crm.company_of(5).as_ref());
    let query =
        [("filters", filters), ("fields", r#"["name","full_name","modified"]"#), ("limit_page_length", "20")];
    let (_, body) = send(get(&crm, "Contact", &query)).await;
    let row = body["data"].as_array().unwrap().iter().find(|row| row["name"] == *name).unwrap();
    assert_eq!((row["full_name"].as_str().unwrap(), row.as_object().unwrap().len()), ("José Núñez", 3));
    let (_, one) = send(get(&crm, &format!("Contact/{name}"), &[("fields", r#"["name"]"#)])).await;
    assert!(one["data"]["email_ids"][0]["email_id"].is_string() && one["data"]["_comments"].is_string());
    assert!(crm.log().forbidden().is_empty());
    let (_, star) = send(get(&crm, "Contact", &[("fields", r#"["*"]"#), ("limit", "1")])).await;
    assert!(star["data"][0]["custom_credit_limit"].is_number());
    assert_eq!(send(get(&crm, "Contact", &[("fields", r#"["credit"]"#)])).await.0, 417);
    assert_eq!(send(get(&crm, "Contact/Nobody", &[])).await.0, 404);
    assert_eq!(send(get(&crm, "Sales Invoice", &[])).await.0, 403);
    assert_eq!(crm.log().forbidden().len(), 2, "{:?}", crm.log().forbidden());
    assert_eq!(send(http().get(format!("{}/api/resource/Contact", crm.url))).await.0, 401);
}

#[actix_web::test]
async fn times_are_in_the_zone_of_the_site_and_a_list_has_twenty_rows() {
    let (crm, hands) = start(Frappe);
    let (_, body) = send(get(&crm, "Contact", &[])).await;
    assert_eq!(body["data"].as_array().unwrap().len(), 20);
    hands.forward_s(60);
    crm.change(9, |person| person.city = "Тверь".to_owned());
    let fields = r#"["name","modified"]"#;
    // 09:00:30 in UTC.
    let filters = r#"[["modified",">=","2026-11-22 16:00:30"]]"#;
    let (_, body) = send(get(&crm, "Contact", &[("fields", fields), ("filters", filters)])).await;
    assert_eq!(body["data"][0]["modified"], "2026-11-22 16:01:00.000000");
    assert_eq!(body["data"].as_array().unwrap().len(), 1);
    let order = [("order_by", "modified asc, name asc"), ("limit_start", "30"), ("limit_page_length", "30")];
    assert_eq!(send(get(&crm, "Contact", &order)).await.1["data"].as_array().unwrap().len(), 8);
}

#[actix_web::test]
async fn comments_can_be_written_and_messages_are_signed() {
    use hmac::{Hmac, KeyInit, Mac};
    let (crm, _) = start(Frappe);
    let name = Frappe::name(&crm.person(2), crm.company_of(2).as_ref());
    let body = json!({"comment_type": "Comment", "reference_doctype": "Contact", "reference_name": name, "content": "Ticket 3"});
    let token = format!("token {}:{}", Frappe::API_KEY, Frappe::API_SECRET);
    let request = http().post(format!("{}/api/resource/Comment", crm.url)).header("authorization", token);
    assert_eq!(send(request.json(&body)).await.0, 200);
    assert_eq!((crm.notes()[0].person, crm.notes()[0].text.as_str()), (2, "Ticket 3"));
    let delivery = crm.crm.updated(crm.world(), 2);
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(Frappe::WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(&delivery.body);
    let expected = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert!(delivery.headers.contains(&("x-frappe-webhook-signature".to_owned(), expected)));
}
