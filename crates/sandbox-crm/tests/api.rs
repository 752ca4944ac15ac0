//! The CRM as its callers meet it.

mod peer;

use peer::Peer;
use serde_json::{Value, json};

#[actix_web::test]
async fn without_the_key_nothing_is_answered() {
    let crm = Peer::start();
    for path in ["/api/v1/contacts", "/api/v1/contacts/ct_1001", "/api/v1/deals", "/api/v1/invoices"] {
        let bare = crm.http.get(crm.url(path)).send().await.unwrap();
        assert_eq!(bare.status(), 401, "{path}");
        let wrong = crm.http.get(crm.url(path)).bearer_auth("wrong").send().await.unwrap();
        assert_eq!(wrong.status(), 401, "{path}");
        assert!(!wrong.text().await.unwrap().contains("ct_"), "{path}");
    }
}

#[actix_web::test]
async fn a_contact_is_found_by_mail_in_any_case_and_by_phone_in_any_spelling() {
    let crm = Peer::start();
    let one = crm.get("/api/v1/contacts/ct_1003").await;
    let mail = one["email"].as_str().unwrap().to_uppercase();
    let found = crm.get(&format!("/api/v1/contacts?email={mail}")).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    assert_eq!(found["items"][0]["id"], "ct_1003");
    let phone = one["phone"].as_str().unwrap().replace('+', "00 ").replacen("00 ", "%2B", 1);
    let found = crm.get(&format!("/api/v1/contacts?phone={phone}")).await;
    assert_eq!(found["items"][0]["id"], "ct_1003");
    let nobody = crm.get("/api/v1/contacts?email=nobody@nowhere.example").await;
    assert_eq!(nobody["items"], json!([]));
}

#[actix_web::test]
async fn fields_narrow_the_answer_and_their_absence_does_not() {
    let crm = Peer::start();
    let narrow = crm.get("/api/v1/contacts/ct_1001?fields=full_name,company.name").await;
    let names: Vec<&String> = narrow.as_object().unwrap().keys().collect();
    assert_eq!(names, ["company", "full_name", "id", "updated_at"]);
    assert_eq!(narrow["company"].as_object().unwrap().len(), 1);
    let list = crm.get("/api/v1/contacts?fields=email&limit=2").await;
    assert_eq!(list["items"][0].as_object().unwrap().len(), 3);
    let wide = crm.get("/api/v1/contacts/ct_1001").await;
    assert!(wide["company"]["iban"].is_string() && wide["invoices"][0]["amount"].is_number());
    let (status, _) = crm.try_get("/api/v1/contacts/ct_1001?fields=full_name,nme").await;
    assert_eq!(status, 400);
}

#[actix_web::test]
async fn told_to_ignore_fields_it_shares_everything() {
    let crm = Peer::start();
    crm.behave(json!({"ignore_fields": true})).await;
    let wide = crm.get("/api/v1/contacts/ct_1001?fields=full_name").await;
    assert!(wide["credit_limit"].is_number());
    crm.behave(json!({})).await;
    let narrow = crm.get("/api/v1/contacts/ct_1001?fields=full_name").await;
    assert!(narrow.get("credit_limit").is_none());
}

#[actix_web::test]
async fn paging_by_cursor_meets_every_contact_once_in_order_of_change() {
    let crm = Peer::start();
    let mut seen = Vec::new();
    let mut path = "/api/v1/contacts?fields=email&limit=7".to_owned();
    loop {
        let page = crm.get(&path).await;
        for item in page["items"].as_array().unwrap() {
            seen.push((
                item["updated_at"].as_str().unwrap().to_owned(),
                item["id"].as_str().unwrap().to_owned(),
            ));
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/contacts?fields=email&limit=7&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 40);
    let mut sorted = seen.clone();
    sorted.sort_by_key(|(at, id)| (at.parse::<jiff::Timestamp>().unwrap(), id.clone()));
    sorted.dedup();
    assert_eq!(seen, sorted);
}

#[actix_web::test]
async fn a_change_moves_the_contact_behind_updated_since() {
    let crm = Peer::start();
    let since = peer::now().to_string();
    assert_eq!(crm.get(&format!("/api/v1/contacts?updated_since={since}")).await["items"], json!([]));
    let (status, changed) = crm.patch("/api/v1/contacts/ct_1002", json!({"email": "new@firm.example"})).await;
    assert_eq!((status, &changed["email"]), (200, &json!("new@firm.example")));
    let page = crm.get(&format!("/api/v1/contacts?fields=email&updated_since={since}")).await;
    assert_eq!(page["items"][0]["id"], "ct_1002");
    let (status, _) = crm.patch("/api/v1/contacts/ct_1002", json!({"credit_limit": 1})).await;
    assert_eq!(status, 400);
}

#[actix_web::test]
async fn an_erased_contact_is_gone_with_deals_and_notes() {
    let crm = Peer::start();
    let whole = crm.get("/api/v1/contacts/ct_1004").await;
    assert_eq!(crm.delete("/api/v1/contacts/ct_1004").await, 204);
    assert_eq!(crm.delete("/api/v1/contacts/ct_1004").await, 404);
    assert_eq!(crm.try_get("/api/v1/contacts/ct_1004").await.0, 404);
    let notes = crm.get("/api/v1/notes?limit=200").await.to_string();
    for note in whole["notes"].as_array().unwrap() {
        assert!(!notes.contains(note["id"].as_str().unwrap()));
    }
}

#[actix_web::test]
async fn data_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.json");
    let crm = Peer::with_data(&file);
    crm.patch("/api/v1/contacts/ct_1005", json!({"job_title": "Astronaut"})).await;
    let before = crm.get("/api/v1/contacts/ct_1005").await;
    crm.stop().await;
    let crm = Peer::with_data(&file);
    assert_eq!(crm.get("/api/v1/contacts/ct_1005").await, before);
    assert_eq!(before["job_title"], "Astronaut");
}

#[actix_web::test]
async fn every_call_is_counted_by_path() {
    let crm = Peer::start();
    crm.get("/api/v1/contacts?email=a@b.example&fields=email").await;
    crm.get("/api/v1/contacts/ct_1001").await;
    crm.get("/api/v1/deals").await;
    let report: Value = crm.http.get(crm.url("/debug/calls")).send().await.unwrap().json().await.unwrap();
    assert_eq!(report["total"], 3);
    assert_eq!(
        report["by_path"],
        json!({"GET /api/v1/contacts": 1, "GET /api/v1/contacts/{id}": 1, "GET /api/v1/deals": 1})
    );
    assert_eq!(report["calls"][0]["query"], "email=a@b.example&fields=email");
}

#[actix_web::test]
async fn a_visitor_finds_a_customer_and_sees_deals_and_credit_limit() {
    let crm = Peer::start();
    let list = crm.page("/").await;
    assert!(list.contains("40 found"));
    let contact = crm.get("/api/v1/contacts/ct_1001").await;
    let found = crm.page(&format!("/?q={}", contact["email"].as_str().unwrap())).await;
    assert!(found.contains("1 found") && found.contains("/contacts/ct_1001"));
    let page = crm.page("/contacts/ct_1001").await;
    for text in ["Credit limit", "Deals", "Invoices", "Notes", contact["company"]["iban"].as_str().unwrap()] {
        assert!(page.contains(text), "{text}");
    }
    let hostile = crm.page("/?q=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert!(!hostile.contains("<script"));
}

#[actix_web::test]
async fn who_was_erased_or_merged_leaves_a_tombstone() {
    let crm = Peer::start();
    assert_eq!(crm.delete("/api/v1/contacts/ct_1002").await, 204);
    let merge = crm.http.post(crm.url("/api/v1/contacts/ct_1003/merge")).bearer_auth(peer::KEY);
    assert_eq!(merge.json(&json!({"into": "ct_1004"})).send().await.unwrap().status(), 204);
    assert_eq!(crm.try_get("/api/v1/contacts/ct_1003").await.0, 404);
    let gone = crm.get("/api/v1/contacts/gone").await;
    assert_eq!(gone["items"][0]["id"], "ct_1002");
    assert_eq!(gone["items"][0]["merged_into"], Value::Null);
    assert_eq!(gone["items"][1]["merged_into"], "ct_1004");
    let later = crm.get("/api/v1/contacts/gone?since=2027-01-01T00:00:00Z").await;
    assert_eq!(later["items"], json!([]));
}

#[actix_web::test]
async fn a_crowd_of_any_size_is_listed_page_by_page() {
    let crm = Peer::with_crowd(1_000_000);
    let first = crm.get("/api/v1/contacts?limit=200&fields=full_name,company.name").await;
    assert_eq!(first["items"].as_array().unwrap().len(), 200);
    assert_eq!(first["items"][199]["id"], "cr_0000199");
    assert!(first["items"][0].get("deals").is_none());
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = crm.get(&format!("/api/v1/contacts?limit=2&cursor={cursor}")).await;
    assert_eq!(second["items"][0]["id"], "cr_0000200");
    assert!(second["items"][0]["deals"][0]["amount"].is_number());
    let found = crm.get("/api/v1/contacts?email=person999999@crowd.example&fields=email").await;
    assert_eq!(found["items"][0]["id"], "cr_0999999");
}
