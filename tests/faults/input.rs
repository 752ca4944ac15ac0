//! What callers can send wrong: each gets a problem with a stable code and changes nothing.

use anyhow::{Context, Result, ensure};
use dev_kit::CrmKind;
use serde_json::{Value, json};
use system_tests::api::{Answer, Api};
use system_tests::desk::{Desk, Setup};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn ticket() -> Value {
    json!({"subject": "A question", "text": "How?", "requester": {"name": "A visitor", "email": "visitor@nowhere.example"}})
}

fn with(path: &str, value: Value) -> Value {
    let mut body = ticket();
    if let Some(member) = body.pointer_mut(path) {
        *member = value;
    } else {
        body[path.trim_start_matches('/')] = value;
    }
    body
}

fn refused(answer: &Answer, status: u16, code: &str, what: &str) -> Result<()> {
    let told = answer.problem().with_context(|| what.to_owned())?;
    ensure!(
        answer.status == status && told == code,
        "{what}: {} {told} instead of {status} {code}",
        answer.status
    );
    Ok(())
}

fn count(sofia: &Api) -> Result<usize> {
    let all = sofia.get("/api/v1/tickets?view=all&limit=100")?.expect(200)?;
    Ok(all["items"].as_array().map_or(0, Vec::len))
}

#[test]
fn a_request_that_is_not_right_is_told_what_is_wrong_and_changes_nothing() -> Result<()> {
    let desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let (anna, sofia) = (desk.operator("anna")?, desk.operator("sofia")?);
    let made = anna.post("/api/v1/tickets", &ticket())?.expect(201)?;
    let before = count(&sofia)?;
    let path = format!("/api/v1/tickets/{}", made["number"]);

    let post = |body: &[u8]| anna.send("POST", "/api/v1/tickets", &JSON, body);
    refused(&post(b"{\"subject\": ")?, 400, "unreadable", "half of a JSON text")?;
    refused(&post(b"<ticket/>")?, 400, "unreadable", "XML")?;
    refused(&post(b"{\"subject\": \"\xff\xfe\"}")?, 400, "unreadable", "broken UTF-8")?;
    refused(&post("[".repeat(100_000).as_bytes())?, 422, "invalid", "deeply nested JSON")?;
    let plain = anna.send("POST", "/api/v1/tickets", &[("content-type", "text/plain")], b"{}")?;
    refused(&plain, 415, "not_json", "another media type")?;
    refused(
        &post(format!("{{\"subject\":\"{}\"}}", "a".repeat(2_000_000)).as_bytes())?,
        413,
        "too_large",
        "2 MB",
    )?;
    let wrong = [
        ("a number for a text", with("/subject", json!(7)), "subject"),
        ("an empty subject", with("/subject", json!(" ")), "subject"),
        ("an over-long subject", with("/subject", json!("x".repeat(5000))), "subject"),
        ("an over-long text", with("/text", json!("x".repeat(600_000))), "text"),
        ("no mail address", with("/requester/email", json!("nobody")), "requester.email"),
        ("a priority that there is not", with("/priority", json!("highest")), "priority"),
        ("an unknown member", with("/amount", json!(12_345.67)), "amount"),
        ("a line that there is not", with("/line", json!(4)), "line"),
        ("control characters", with("/subject", json!("a\u{0}b\r\nBcc: x")), "subject"),
    ];
    for (what, body, field) in wrong {
        let answer = anna.post("/api/v1/tickets", &body)?;
        refused(&answer, 422, "invalid", what)?;
        let told = answer.json()["errors"].to_string();
        ensure!(told.contains(&format!("\"field\":\"{field}\"")), "{what}: {told} does not name {field}");
    }
    for query in
        ["limit=0", "limit=1000", "sort=amount", "cursor=rubbish", "status=lost", "view=theirs", "no=1"]
    {
        let answer = anna.get(&format!("/api/v1/tickets?{query}"))?;
        ensure!(answer.status == 422 || answer.status == 400, "{query}: {}", answer.status);
        answer.problem()?;
    }
    refused(
        &anna.call("PATCH", &path, &[], &json!({"priority": "low"}))?,
        428,
        "if_match_required",
        "no version",
    )?;
    let stale = anna.change("PATCH", &path, &json!(999), &json!({"priority": "low"}))?;
    refused(&stale, 412, "version_conflict", "another version")?;
    ensure!(
        stale.json()["current"]["number"] == made["number"],
        "the conflict does not say what is there now"
    );
    let rubbish = anna.call("PATCH", &path, &[("if-match", "rubbish")], &json!({"priority": "low"}))?;
    refused(&rubbish, 422, "invalid", "a version that is none")?;
    let now = anna.get(&path)?.expect(200)?;
    let refused_move = anna.change("PATCH", &path, &now["version"], &json!({"status": "closed"}))?;
    refused(&refused_move, 409, "move_refused", "a move that the life cycle does not have")?;
    for (method, place, status) in [
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/tickets", 405),
        ("GET", "/api/v1/tickets/x", 404),
    ] {
        let answer = anna.send(method, place, &[], b"")?;
        ensure!(answer.status == status, "{method} {place}: {}", answer.status);
        answer.problem()?;
    }
    ensure!(count(&sofia)? == before, "something was opened all the same");
    Ok(())
}

#[test]
fn html_with_scripts_is_stored_and_shown_without_them_and_files_are_never_pages() -> Result<()> {
    let desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let anna = desk.operator("anna")?;
    let made =
        anna.post("/api/v1/tickets", &with("/subject", json!("<script>alert(1)</script>")))?.expect(201)?;
    let messages = format!("/api/v1/tickets/{}/messages", made["number"]);
    let html = "<p onclick='x()'>Hello<script>alert(1)</script><img src=x onerror=alert(1)>\
        <a href='javascript:alert(1)'>here</a><iframe src='//x'></iframe><style>*{}</style></p>";
    let sent = anna.post(&messages, &json!({"kind": "answer", "html": html}))?.expect(201)?;
    let kept = sent["message"]["html"].as_str().context("no html")?.to_lowercase();
    ensure!(kept.contains("hello"), "{kept}");
    for word in ["script", "onclick", "onerror", "iframe", "<style"] {
        ensure!(!kept.contains(word), "{word} is left in {kept}");
    }
    let page = [("content-type", "text/html")];
    let file =
        anna.send("POST", "/api/v1/attachments?name=page.html", &page, b"<html><script>alert(1)</script>")?;
    if file.status == 201 {
        let path = format!("/api/v1/attachments/{}", file.json()["id"].as_str().unwrap_or_default());
        let got = anna.get(&path)?;
        ensure!(got.header("content-disposition").starts_with("attachment"), "shown in the page");
        ensure!(got.header("x-content-type-options") == "nosniff", "the browser may guess");
        ensure!(!got.header("content-type").contains("html"), "{}", got.header("content-type"));
        ensure!(got.header("content-security-policy").contains("sandbox"), "not in a sandbox");
    } else {
        file.problem()?;
    }
    for name in ["../../etc/passwd", "..%2f..%2fx", "a%00b", ""] {
        let answer = anna.send("POST", &format!("/api/v1/attachments?name={name}"), &page, b"hello")?;
        ensure!(answer.status < 500, "{name}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn another_lines_ticket_and_foreign_credentials_lead_nowhere() -> Result<()> {
    let desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let (anna, mia, admin) = (desk.operator("anna")?, desk.operator("mia")?, desk.operator("admin")?);
    let made = anna.post("/api/v1/tickets", &ticket())?.expect(201)?;
    let path = format!("/api/v1/tickets/{}", made["number"]);
    let nobody_s = "/api/v1/tickets/99999999";
    // The same answer as for a ticket that does not exist: whoever guesses learns nothing.
    for below in ["", "/messages", "/history", "/card"] {
        refused(&mia.get(&format!("{path}{below}"))?, 404, "ticket_not_found", below)?;
        refused(&mia.get(&format!("{nobody_s}{below}"))?, 404, "ticket_not_found", below)?;
    }
    let writes = [
        ("PATCH", String::new(), json!({"priority": "low"})),
        ("POST", "/messages".to_owned(), json!({"kind": "note", "text": "x"})),
        ("POST", "/hand-over".to_owned(), json!({"line": 2, "reason": "x", "tried": "x"})),
        ("POST", "/card/reveal".to_owned(), json!({"key": "person.phone"})),
        ("POST", "/customer/resolve".to_owned(), json!({"email": "a@b.example"})),
        ("PUT", "/presence".to_owned(), json!({"state": "reading"})),
    ];
    for (method, below, body) in writes {
        let answer = mia.change(method, &format!("{path}{below}"), &made["version"], &body)?;
        refused(&answer, 404, "ticket_not_found", &format!("{method} {below}"))?;
    }
    ensure!(
        mia.get("/api/v1/search?q=question")?.expect(200)?["items"] == json!([]),
        "found by the other line"
    );
    let visitor = desk.visitor();
    for caller in [
        visitor.clone(),
        visitor.with_bearer("gk_rubbish"),
        visitor.with_bearer("e30.e30."),
        visitor.with_bearer(""),
    ] {
        refused(&caller.get(&path)?, 401, "not_signed_in", "no credentials")?;
    }
    let wrong = json!({"email": "anna@guichet.example", "password": "not the password"});
    refused(&visitor.post("/api/v1/session", &wrong)?, 401, "credentials_wrong", "a wrong password")?;
    // A page of another site makes the browser send the cookie.
    let foreign = [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("content-type", "application/json"),
    ];
    let body = json!({"kind": "note", "text": "x"}).to_string();
    let answer = anna.send("POST", &format!("{path}/messages"), &foreign, body.as_bytes())?;
    refused(&answer, 403, "cross_site", "another site")?;
    // A key that was taken back, and a key that may only read.
    let key = json!({"name": "reader", "role": "supervisor", "scopes": ["tickets:read"]});
    let key = admin.post("/api/v1/api-keys", &key)?.expect(201)?;
    let reader = visitor.with_bearer(key["secret"].as_str().context("no secret")?);
    reader.get(&path)?.expect(200)?;
    refused(&reader.post("/api/v1/tickets", &ticket())?, 403, "forbidden", "a key that may only read")?;
    let id = key["id"].as_str().or(key["key"]["id"].as_str()).context("no id")?;
    let gone = admin.send("DELETE", &format!("/api/v1/api-keys/{id}"), &[], b"")?;
    ensure!(gone.status < 300, "{}", gone.text());
    refused(&reader.get(&path)?, 401, "not_signed_in", "a key that was taken back")
}
