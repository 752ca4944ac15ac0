//! Files: what is taken in, what is handed out, to whom, and what is removed.

use db_kit::{Backend, both_databases};
use reqwest::Method;
use serde_json::{Value, json};
use ticket_service::domain::Role;
use ticket_service::domain::actor::KeyScope;

use crate::support::{Answer, Client, TestApp};
use crate::tickets::{open, path};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0123456789";

async fn upload(client: &Client, name: &str, content: &[u8]) -> Answer {
    client.send(Method::POST, &format!("/attachments?name={name}"), content.to_vec()).await
}

fn form(part: &str, name: &str, content: &str) -> Vec<u8> {
    format!(
        "--x\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\n\
         {content}\r\n--x--\r\n"
    )
    .into_bytes()
}

async fn upload_form(client: &Client, body: Vec<u8>) -> Answer {
    let client = client.clone().with("Content-Type", "multipart/form-data; boundary=x");
    client.send(Method::POST, "/attachments", body).await
}

async fn answer_with(client: &Client, ticket: &Value, attachment: &Value) -> Answer {
    let body = json!({ "kind": "answer", "text": "See the picture.", "attachment_ids": [attachment["id"]] });
    client.post(&path(ticket, "/messages"), body).await
}

fn file(attachment: &Value) -> String {
    format!("/attachments/{}", attachment["id"].as_str().unwrap())
}

/// Every file below the folder of attachments.
fn on_disk(app: &TestApp) -> Vec<std::path::PathBuf> {
    let mut found = vec![];
    let mut folders = vec![app.app.config.attachments.dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

both_databases! {
    async fn a_file_goes_out_with_an_answer_and_comes_back_as_a_download(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1();
        let ticket = open(&ann, "Coupling stuck").await;
        let uploaded = upload(&ann, "plate%2005.png", PNG).await;
        let attachment = uploaded.expect(201);
        assert_eq!(
            (&attachment["name"], &attachment["media_type"], &attachment["bytes"]),
            (&json!("plate 05.png"), &json!("image/png"), &json!(PNG.len()))
        );
        assert_eq!(uploaded.header("location"), format!("/api/v1{}", file(&attachment)));
        let posted = answer_with(&ann, &ticket, &attachment).await.expect(201);
        assert_eq!(posted["message"]["attachments"], json!([attachment]));
        let answer = ann.get(&file(&attachment)).await;
        assert_eq!((answer.status, answer.bytes.as_slice()), (200, PNG));
        assert_eq!(answer.header("content-type"), "image/png");
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"plate 05.png\"; filename*=UTF-8''plate%2005.png");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").contains("sandbox"));
    }

    async fn a_form_is_taken_too_and_the_name_loses_its_folders(app: TestApp) {
        let ann = app.as_line1();
        let attachment = upload_form(&ann, form("file", "../../etc/pass\u{202e}wd.txt", "secret? no, text")).await.expect(201);
        assert_eq!((&attachment["name"], &attachment["media_type"]), (&json!("passwd.txt"), &json!("text/plain")));
        upload_form(&ann, form("other", "x.txt", "text")).await.problem(422, "invalid");
        upload_form(&ann, b"--x--\r\n".to_vec()).await.problem(422, "invalid");
        upload_form(&ann, b"no form at all".to_vec()).await.problem(400, "unreadable");
        assert_eq!(on_disk(&app).len(), 1, "what was refused left nothing");
    }

    async fn a_file_without_name_or_content_is_refused(app: TestApp) {
        let ann = app.as_line1();
        assert!(ann.send(Method::POST, "/attachments", PNG.to_vec()).await.field("name").contains("?name="));
        assert_eq!(upload_form(&ann, form("file", "x.txt", "")).await.field("file"), "is empty");
        assert!(on_disk(&app).is_empty());
    }

    async fn a_page_or_a_drawing_comes_back_as_a_heap_of_bytes(app: TestApp) {
        let ann = app.as_line1();
        for page in ["<!DOCTYPE html><script>alert(1)</script>", "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "<?xml version='1.0'?><x/>"] {
            let attachment = upload(&ann, "page.png", page.as_bytes()).await.expect(201);
            let answer = ann.get(&file(&attachment)).await;
            assert!(["application/octet-stream", "text/plain"].contains(&answer.header("content-type")), "{page}");
            assert!(answer.header("content-disposition").starts_with("attachment;"));
            assert_eq!(answer.bytes, page.as_bytes());
        }
    }

    async fn another_lines_file_does_not_exist(app: TestApp) {
        app.leave_jobs();
        let (ann, boris) = (app.as_line1(), app.as_line2());
        let ticket = open(&ann, "Coupling stuck").await;
        let attachment = upload(&ann, "a.png", PNG).await.expect(201);
        let file = file(&attachment);
        for stranger in [&app.as_other_line1(), &boris, &app.as_admin()] {
            stranger.get(&file).await.problem(404, "not_found");
        }
        answer_with(&app.as_other_line1(), &ticket, &attachment).await.problem(422, "invalid");
        answer_with(&ann, &ticket, &attachment).await.expect(201);
        answer_with(&ann, &ticket, &attachment).await.problem(422, "invalid");
        app.as_other_line1().get(&file).await.expect(200);
        app.as_admin().get(&file).await.expect(200);
        boris.get(&file).await.problem(404, "not_found");
        boris.get("/attachments/att_unknown").await.problem(404, "not_found");
        app.as_nobody().get(&file).await.problem(401, "not_signed_in");
        let words = json!({ "line": 2, "reason": "The plate says 05." });
        ann.clone().if_match(2).post(&path(&ticket, "/hand-over"), words).await.expect(200);
        boris.get(&file).await.expect(200);
    }

    async fn a_program_needs_the_scopes(app: TestApp) {
        let reader = app.with_key(&[KeyScope::TicketsRead], Role::Line1).await;
        upload(&reader, "a.png", PNG).await.problem(403, "forbidden");
        let writer = app.with_key(&[KeyScope::TicketsWrite], Role::Line1).await;
        let attachment = upload(&writer, "a.png", PNG).await.expect(201);
        writer.get(&file(&attachment)).await.problem(403, "forbidden");
    }

    async fn a_file_that_is_too_large_is_refused_and_leaves_nothing(backend: Backend) {
        let app = TestApp::start(backend, |config| config.attachments.bytes_max = 20_000).await;
        let ann = app.as_line1();
        upload(&ann, "a.bin", &[7; 20_001]).await.problem(413, "too_large");
        upload_form(&ann, form("file", "a.txt", &"x".repeat(20_001))).await.problem(413, "too_large");
        upload(&ann, "a.bin", &vec![7; 40_000]).await.problem(413, "too_large");
        assert!(on_disk(&app).is_empty());
        upload(&ann, "a.bin", &[7; 20_000]).await.expect(201);
    }

    async fn a_message_carries_so_many_files_and_no_more(backend: Backend) {
        let app = TestApp::start(backend, |config| config.attachments.count_max = 1).await;
        app.leave_jobs();
        let ann = app.as_line1();
        let ticket = open(&ann, "Coupling stuck").await;
        let body = json!({ "kind": "note", "text": "x", "attachment_ids": ["att_1", "att_2"] });
        let refused = ann.post(&path(&ticket, "/messages"), body).await;
        assert_eq!(refused.field("attachment_ids"), "are more than 1; send the rest with another message");
    }

    async fn a_file_lost_from_the_disk_is_told_as_such(app: TestApp) {
        app.expect_error("file_gone");
        let attachment = upload(&app.as_line1(), "a.png", PNG).await.expect(201);
        for path in on_disk(&app) {
            std::fs::remove_file(path).unwrap();
        }
        app.as_line1().get(&file(&attachment)).await.problem(500, "file_gone");
    }

    async fn what_was_never_sent_is_removed_after_a_day(app: TestApp) {
        app.leave_jobs();
        let ann = app.with_key(&[KeyScope::TicketsRead, KeyScope::TicketsWrite], Role::Line1).await;
        let ticket = open(&ann, "Coupling stuck").await;
        let sent = upload(&ann, "sent.png", PNG).await.expect(201);
        answer_with(&ann, &ticket, &sent).await.expect(201);
        let forgotten = upload(&ann, "forgotten.png", PNG).await.expect(201);
        app.advance_s(24 * 3600 - 60);
        ticket_service::app::tidy_up::tidy_up(&app.app).await.unwrap();
        ann.get(&file(&forgotten)).await.expect(200);
        app.advance_s(120);
        ticket_service::app::tidy_up::tidy_up(&app.app).await.unwrap();
        ann.get(&file(&sent)).await.expect(200);
        assert_eq!(on_disk(&app).len(), 1);
    }
}
