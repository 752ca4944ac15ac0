//! Whatever is wrong with a request is told so that the sender can mend it.

use db_kit::testing::StartOn;
use db_kit::{Backend, both_databases};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Client, TestApp};

/// What the listener refuses before the database is asked is the same on both, so one is enough.
fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(TestApp) -> F) {
    db_kit::testing::block_on(async { test(TestApp::start_on(Backend::Sqlite).await).await });
}

async fn patch_raw(client: &Client, kind: &str, body: &[u8]) -> Answer {
    client.with("Content-Type", kind).send(Method::PATCH, "/session", body.to_vec()).await
}

#[test]
fn a_body_that_can_not_be_read_is_told_with_what_is_wrong() {
    on_sqlite(|app| async move {
        let ann = app.as_line1();
        let detail = |problem: serde_json::Value| problem["detail"].as_str().unwrap().to_owned();
        let told = patch_raw(&ann, "application/json", b"{\"locale\":").await.problem(400, "unreadable");
        assert!(detail(told).contains("line 1 column 10"));
        let told =
            patch_raw(&ann, "application/json", b"{\"locale\":\"\xff\"}").await.problem(400, "unreadable");
        assert!(detail(told).contains("not UTF-8"));
        let told = patch_raw(&ann, "application/json", b"").await.problem(400, "unreadable");
        assert!(detail(told).contains("not JSON"));
        patch_raw(&ann, "application/json", "[".repeat(100_000).as_bytes()).await.problem(400, "unreadable");
        patch_raw(&ann, "text/plain", b"{}").await.problem(415, "not_json");
        patch_raw(&ann, "application/x-www-form-urlencoded", b"locale=ru").await.problem(415, "not_json");
        patch_raw(&ann, "application/json; charset=utf-8", b"{\"locale\":\"ru\"}").await.expect(200);
        let large = vec![b' '; 1_048_577];
        patch_raw(&ann, "application/json", &large).await.problem(413, "too_large");
        let told = ann.patch("/session", json!({"locale": "ru", "role": "admin"})).await;
        assert!(told.field("role").starts_with("is not known here"));
        assert_eq!(
            ann.patch("/session", json!({"locale": 7})).await.problem(422, "invalid")["errors"][0]["field"],
            "locale"
        );
    });
}

#[test]
fn an_address_that_leads_nowhere_or_a_method_that_is_not_possible_is_told() {
    on_sqlite(|app| async move {
        let ann = app.as_line1();
        for path in [
            "/nothing",
            "//api",
            "//api/v2/tickets",
            "//health",
            "//request/x",
            "/tickets/1/2/3",
            "//problems/x",
        ] {
            ann.get(path).await.problem(404, "not_found");
        }
        let answer = ann.put("/session", json!({})).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "DELETE, GET, PATCH, POST");
        ann.delete("//inbox").await.problem(405, "method_not_allowed");
    });
}

both_databases! {
    async fn an_idempotency_key_has_a_sensible_length(app: TestApp) {
        let new = json!({"subject": "S", "text": "T", "requester": {"name": "N", "email": "n@x.example"}});
        for key in ["", &"k".repeat(129)] {
            let answer = app.as_line1().with("Idempotency-Key", key).post("/tickets", new.clone()).await;
            assert!(answer.field("Idempotency-Key").contains("1 to 128"));
        }
    }
}
