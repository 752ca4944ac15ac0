//! The pages: the operator interface, the description of the API, the public form.

use db_kit::testing::StartOn;
use db_kit::{Backend, both_databases};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Client, TestApp};

fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(TestApp) -> F) {
    db_kit::testing::block_on(async { test(TestApp::start_on(Backend::Sqlite).await).await });
}

#[test]
fn every_address_of_people_shows_the_interface_under_a_strict_policy() {
    on_sqlite(|app| async move {
        for path in ["//", "//inbox", "//line1/10482"] {
            let answer = app.as_nobody().get(path).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
            assert!(answer.text().starts_with("<!doctype html>"));
            let policy = answer.header("content-security-policy");
            for part in
                ["default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
            {
                assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
            }
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
            assert_eq!(answer.header("cache-control"), "no-cache");
        }
        app.as_nobody().get("//assets/none.js").await.problem(404, "not_found");
        app.as_nobody().get("//../Cargo.toml").await.problem(404, "not_found");
    });
}

#[test]
fn an_unchanged_page_is_not_sent_again() {
    on_sqlite(|app| async move {
        let first = app.as_nobody().get("//inbox").await;
        let etag = first.header("etag").to_owned();
        let again = app.as_nobody().with("If-None-Match", &etag).get("//inbox").await;
        assert_eq!((again.status, again.bytes.len(), again.header("etag")), (304, 0, etag.as_str()));
        let other = app.as_nobody().with("If-None-Match", "\"old\"").get("//inbox").await;
        assert_eq!(other.status, 200);
    });
}

#[test]
fn scripts_are_sent_compressed_and_kept_for_ever() {
    on_sqlite(|app| async move {
        let page = app.as_nobody().get("//").await.text();
        // Without Node the interface is a page that says how to build it, and has no scripts.
        let Some(name) = page.split('"').find(|part| part.starts_with("/assets/") && part.ends_with(".js"))
        else {
            return;
        };
        let answer = app.as_nobody().with("Accept-Encoding", "gzip, br").get(&format!("/{name}")).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, "br"));
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(answer.header("content-type"), "text/javascript; charset=utf-8");
        let plain = app.as_nobody().with("Accept-Encoding", "identity").get(&format!("/{name}")).await;
        assert!(plain.header("content-encoding").is_empty() && plain.bytes.len() > answer.bytes.len());
        assert_ne!(plain.header("etag"), answer.header("etag"));
    });
}

#[test]
fn the_interface_is_described_and_the_description_is_shown() {
    on_sqlite(|app| async move {
        let document = app.as_nobody().get("//api/openapi.json").await.expect(200);
        assert_eq!(document["openapi"], "3.1.0");
        assert!(app.as_nobody().get("//api/docs/").await.text().contains("swagger-ui"));
        assert_eq!(app.as_nobody().get("//api/docs").await.header("location"), "/api/docs/");
        let script = app.as_nobody().get("//api/docs/swagger-initializer.js").await.text();
        assert!(script.contains("/api/openapi.json"), "{script}");
    });
}

#[test]
fn metrics_name_routes_and_nobody() {
    on_sqlite(|app| async move {
        app.as_line1().get("/session").await.expect(200);
        let text = app.as_nobody().get("//metrics").await.text();
        assert!(text.contains("route=\"/api/v1/session\",status=\"200\""), "{text}");
        assert!(!text.contains("opr_ann") && !text.contains("ann@"));
    });
}

fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&").into_bytes()
}

async fn send(client: &Client, fields: &[(&str, &str)]) -> Answer {
    let client = client.with("Content-Type", "application/x-www-form-urlencoded");
    client.send(Method::POST, "//request", form(fields)).await
}

fn hidden(page: &str, name: &str) -> String {
    page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned()
}

both_databases! {
    async fn a_request_through_the_form_becomes_a_ticket_of_the_first_line(app: TestApp) {
        let customer = app.as_nobody();
        let page = customer.get("//request").await;
        assert_eq!((page.status, page.header("content-language")), (200, "en"));
        let (opened_at, form_id) = (hidden(&page.text(), "opened_at"), hidden(&page.text(), "form_id"));
        app.advance_s(10);
        let fields = [
            ("name", "Ilya Sorin"), ("email", "ilya@volga.example"), ("phone", ""), ("subject", "Coupling <stuck>"),
            ("text", "The line stops.\nAgain."), ("website", ""), ("opened_at", &opened_at), ("form_id", &form_id),
        ];
        let answer = send(&customer, &fields).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert!(answer.text().contains("#10001") && answer.text().contains("ilya@volga.example"));
        // Pressed twice, or reloaded: still one ticket.
        assert!(send(&customer, &fields).await.text().contains("#10001"));
        let list = app.as_line1().get("/tickets?view=line1").await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        assert_eq!(list["items"][0]["subject"], "Coupling <stuck>");
        assert_eq!(list["items"][0]["channel"], "web_form");
        app.leave_jobs();
    }

    async fn what_was_typed_is_kept_when_something_is_wrong(app: TestApp) {
        let opened_at = app.now().to_string();
        app.advance_s(10);
        let russian = app.as_nobody().with("Accept-Language", "ru-RU,ru;q=0.9");
        let answer = send(&russian, &[
            ("name", "Илья"), ("email", "нет адреса"), ("subject", ""), ("text", "Всё \"стоит\" <b>"),
            ("opened_at", &opened_at),
        ]).await;
        let page = answer.text();
        assert_eq!((answer.status, answer.header("content-language")), (422, "ru"));
        assert!(page.contains("value=\"Илья\"") && page.contains("value=\"нет адреса\""), "{page}");
        assert!(page.contains("Всё &quot;стоит&quot; &lt;b&gt;</textarea>"), "{page}");
        assert_eq!(page.matches("aria-invalid=\"true\"").count(), 2, "{page}");
        assert!(page.contains("Напишите адрес вида"));
        assert_eq!(app.as_line1().get("/tickets").await.expect(200)["items"], json!([]));
    }

    async fn programs_that_fill_in_everything_or_at_once_open_nothing(app: TestApp) {
        let now = app.now().to_string();
        let request = |website: &str, opened_at: &str| json!({
            "name": "Bot", "email": "bot@x.example", "subject": "Buy", "text": "Now", "website": website, "opened_at": opened_at,
        });
        let nobody = app.as_nobody();
        assert!(nobody.post("/public/requests", request("", &now)).await.field("opened_at").contains("3 seconds"));
        app.advance_s(3);
        assert!(nobody.post("/public/requests", request("http://x", &now)).await.field("website").contains("empty"));
        assert!(nobody.post("/public/requests", request("", "yesterday")).await.field("opened_at").contains("RFC 3339"));
        assert_eq!(nobody.post("/public/requests", request("", &now)).await.expect(201), json!({"number": 10001}));
        app.leave_jobs();
    }

    async fn one_network_can_not_flood_the_first_line(app: TestApp) {
        let opened_at = app.now().to_string();
        app.advance_s(10);
        let nobody = app.as_nobody();
        let request = |number: i32| json!({
            "name": "N", "email": "n@x.example", "subject": format!("S{number}"), "text": "T", "opened_at": opened_at,
        });
        for number in 0..10 {
            nobody.post("/public/requests", request(number)).await.expect(201);
        }
        let answer = nobody.post("/public/requests", request(10)).await;
        answer.problem(429, "too_many_attempts");
        assert_eq!(answer.header("retry-after"), "360");
        let fields = [("name", "N"), ("email", "n@x.example"), ("subject", "S"), ("text", "Long text"), ("opened_at", &opened_at)];
        let page = send(&nobody, &fields).await;
        assert_eq!((page.status, page.header("retry-after")), (429, "360"));
        assert!(page.text().contains("Long text</textarea>"));
        app.leave_jobs();
    }
}
