//! Signing in, staying signed in, and being thrown out.

use db_kit::{Backend, both_databases};
use serde_json::{Value, json};
use ticket_service::config::Config;
use ticket_service::domain::Role;
use ticket_service::domain::actor::KeyScope;

use crate::support::{PASSWORD, TestApp};

fn credentials(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD })
}

fn wrong(email: &str) -> Value {
    json!({ "email": email, "password": "something else entirely" })
}

/// The cookie's value out of the answer to a sign-in.
fn token_of(cookie: &str) -> String {
    cookie.split(['=', ';']).nth(1).unwrap().to_owned()
}

const HOUR_S: i64 = 3600;

async fn with_shipped_sessions(backend: Backend) -> TestApp {
    TestApp::start(backend, |config| config.sessions = Config::defaults().unwrap().sessions).await
}

both_databases! {
    async fn who_signs_in_gets_a_cookie_that_scripts_and_other_sites_can_not_use(app: TestApp) {
        let answer = app.as_nobody().post("/session", credentials("Ann@Support.example")).await;
        let me = answer.expect(200);
        assert_eq!((me["id"].as_str(), me["line"].as_i64()), (Some("opr_ann"), Some(1)));
        assert_eq!(me["permissions"], json!(["tickets:read", "tickets:write", "cards:read"]));
        let cookie = answer.header("set-cookie").to_owned();
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=1209600"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "over plain http the browser would drop it: {cookie}");
        let ann = app.as_nobody().with_cookie(&token_of(&cookie));
        assert_eq!(ann.get("/session").await.expect(200)["name"], "Ann Koval");
    }

    async fn over_tls_the_cookie_never_travels_in_the_clear(backend: Backend) {
        let app = TestApp::start(backend, |config| config.server.public_url = "https://help.example".into()).await;
        let answer = app.as_nobody().post("/session", credentials("ann@support.example")).await;
        assert!(answer.header("set-cookie").ends_with("; Secure"));
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    }

    async fn an_unknown_address_a_wrong_password_and_a_deactivated_operator_are_told_alike(app: TestApp) {
        let mut told = Vec::new();
        for body in [wrong("ann@support.example"), credentials("nobody@support.example"),
                     credentials("greta@support.example"), credentials("no address")] {
            let mut problem = app.as_nobody().post("/session", body).await.problem(401, "credentials_wrong");
            problem.as_object_mut().unwrap().remove("request_id");
            told.push(problem);
        }
        told.dedup();
        assert_eq!(told.len(), 1);
    }

    async fn who_guesses_a_password_has_to_wait_and_is_told_how_long(app: TestApp) {
        for _ in 0..8 {
            app.as_nobody().post("/session", wrong("ann@support.example")).await.problem(401, "credentials_wrong");
        }
        let answer = app.as_nobody().post("/session", credentials("ANN@support.example")).await;
        answer.problem(429, "too_many_attempts");
        assert_eq!(answer.header("retry-after"), "75");
        // Somebody else from the same office is not locked out.
        app.as_nobody().post("/session", credentials("boris@support.example")).await.expect(200);
        app.advance_s(75);
        app.as_nobody().post("/session", credentials("ann@support.example")).await.expect(200);
    }

    async fn who_guesses_addresses_has_to_wait_too(app: TestApp) {
        for number in 0..30 {
            let body = wrong(&format!("person{number}@support.example"));
            app.as_nobody().post("/session", body).await.problem(401, "credentials_wrong");
        }
        app.as_nobody().post("/session", credentials("ann@support.example")).await.problem(429, "too_many_attempts");
    }

    async fn a_session_ends_when_nobody_uses_it(backend: Backend) {
        let app = with_shipped_sessions(backend).await;
        let ann = app.as_line1();
        for _ in 0..30 {
            app.advance_s(11 * HOUR_S);
            ann.get("/session").await.expect(200);
        }
        app.advance_s(12 * HOUR_S);
        ann.get("/session").await.problem(401, "not_signed_in");
    }

    async fn a_session_ends_after_two_weeks_however_busy(backend: Backend) {
        let app = with_shipped_sessions(backend).await;
        let ann = app.as_line1();
        for _ in 0..14 {
            app.advance_s(12 * HOUR_S - 1);
            ann.get("/session").await.expect(200);
            app.advance_s(12 * HOUR_S - 1);
            ann.get("/session").await.expect(200);
        }
        app.advance_s(28);
        ann.get("/session").await.problem(401, "not_signed_in");
    }

    async fn using_a_session_is_written_down_once_a_minute_at_most(app: TestApp) {
        let ann = app.as_line1();
        let writes = || app.app.store.database().stats().writes;
        ann.get("/session").await.expect(200);
        let before = writes();
        for _ in 0..10 {
            app.advance_s(5);
            ann.get("/session").await.expect(200);
        }
        assert_eq!(writes(), before);
        app.advance_s(10);
        ann.get("/session").await.expect(200);
        ann.get("/session").await.expect(200);
        assert_eq!(writes(), before + 1);
    }

    async fn who_signed_out_is_out_at_once(app: TestApp) {
        let ann = app.as_line1();
        ann.get("/session").await.expect(200);
        let answer = ann.delete("/session").await;
        answer.expect(204);
        assert!(answer.header("set-cookie").contains("Max-Age=0"));
        ann.get("/session").await.problem(401, "not_signed_in");
        app.as_line2().get("/session").await.expect(200);
    }

    async fn a_deactivated_operator_is_out_at_once(app: TestApp) {
        app.as_line1().get("/session").await.expect(200);
        let admin = app.as_admin();
        admin.if_match(1).patch("/operators/opr_ann", json!({"active": false})).await.expect(200);
        app.as_line1().get("/session").await.problem(401, "not_signed_in");
        app.as_nobody().post("/session", credentials("ann@support.example")).await.problem(401, "credentials_wrong");
        // Coming back does not bring the old session back.
        app.as_admin().if_match(2).patch("/operators/opr_ann", json!({"active": true})).await.expect(200);
        app.as_line1().get("/session").await.problem(401, "not_signed_in");
    }

    async fn another_role_counts_at_once(app: TestApp) {
        app.as_line1().get("/session").await.expect(200);
        app.as_admin().if_match(1).patch("/operators/opr_ann", json!({"role": "line3"})).await.expect(200);
        assert_eq!(app.as_line1().get("/session").await.expect(200)["line"], 3);
    }

    async fn a_new_password_from_the_administrator_ends_all_sessions(app: TestApp) {
        let body = json!({"password": "a horse and a battery"});
        app.as_admin().if_match(1).patch("/operators/opr_ann", body).await.expect(200);
        app.as_line1().get("/session").await.problem(401, "not_signed_in");
        let body = json!({"email": "ann@support.example", "password": "a horse and a battery"});
        app.as_nobody().post("/session", body).await.expect(200);
    }

    async fn changing_the_own_password_ends_the_other_sessions_only(app: TestApp) {
        let here = app.as_line1();
        let elsewhere = app.as_nobody().post("/session", credentials("ann@support.example")).await;
        let elsewhere = app.as_nobody().with_cookie(&token_of(elsewhere.header("set-cookie")));
        let answer = here.put("/session/password", json!({"current": "no", "new": "a horse and a battery"})).await;
        assert_eq!(answer.field("current"), "is not your present password");
        let answer = here.put("/session/password", json!({"current": PASSWORD, "new": "password1234"})).await;
        assert!(answer.field("new").contains("anybody tries"));
        here.put("/session/password", json!({"current": PASSWORD, "new": "a horse and a battery"})).await.expect(204);
        here.get("/session").await.expect(200);
        elsewhere.get("/session").await.problem(401, "not_signed_in");
    }

    async fn the_language_is_kept_with_the_account(app: TestApp) {
        assert_eq!(app.as_line1().get("/session").await.expect(200)["locale"], Value::Null);
        assert_eq!(app.as_line1().patch("/session", json!({"locale": "ru"})).await.expect(200)["locale"], "ru");
        let answer = app.as_nobody().post("/session", credentials("ann@support.example")).await;
        assert_eq!(answer.expect(200)["locale"], "ru");
        assert!(app.as_line1().patch("/session", json!({"locale": "xx"})).await.field("locale").contains("ru"));
    }

    async fn a_change_with_a_cookie_has_to_come_from_our_own_pages(app: TestApp) {
        let change = json!({"locale": "en"});
        let ann = app.as_line1().without("Sec-Fetch-Site");
        for site in ["cross-site", "same-site", "rubbish"] {
            ann.with("Sec-Fetch-Site", site).patch("/session", change.clone()).await.problem(403, "cross_site");
        }
        for origin in ["https://evil.example", "null", "http://127.0.0.1", "http://127.0.0.1:8080.evil.example"] {
            ann.with("Origin", origin).patch("/session", change.clone()).await.problem(403, "cross_site");
        }
        ann.patch("/session", change.clone()).await.problem(403, "cross_site");
        // From our own pages, in old and new browsers.
        ann.with("Sec-Fetch-Site", "same-origin").patch("/session", change.clone()).await.expect(200);
        ann.with("Origin", app.address()).patch("/session", change.clone()).await.expect(200);
        ann.with("Origin", "http://127.0.0.1:8080").patch("/session", change).await.expect(200);
        // Reading changes nothing, so a link from elsewhere may lead here.
        ann.with("Sec-Fetch-Site", "cross-site").get("/session").await.expect(200);
    }

    async fn another_site_can_not_sign_a_browser_in(app: TestApp) {
        let nobody = app.as_nobody();
        let body = credentials("ann@support.example");
        nobody.with("Sec-Fetch-Site", "cross-site").post("/session", body.clone()).await.problem(403, "cross_site");
        nobody.with("Origin", "https://evil.example").post("/session", body).await.problem(403, "cross_site");
    }

    async fn whatever_is_no_credential_of_ours_is_refused_alike(app: TestApp) {
        let long = "x".repeat(4000);
        for value in ["Bearer", "Bearer ", "Bearer gk_", "Bearer gk_wrong", "Basic YTpi", "gk_x", "Bearer x.y.z", &long] {
            app.as_nobody().with("Authorization", value).get("/session").await.problem(401, "not_signed_in");
            // A wrong key is not made good by a right cookie.
            app.as_line1().with("Authorization", value).get("/session").await.problem(401, "not_signed_in");
        }
        for value in ["guichet_session=", "guichet_session", "a=b; c", "guichet_session=session-of-opr_gone", &long] {
            app.as_nobody().with("Cookie", value).get("/session").await.problem(401, "not_signed_in");
        }
    }

    async fn an_api_key_works_until_it_is_revoked_and_its_secret_is_shown_once(app: TestApp) {
        let new = json!({"name": "Monitoring", "role": "line2", "scopes": ["tickets:read"]});
        let made = app.as_admin().post("/api-keys", new).await.expect(201);
        let (id, secret) = (made["key"]["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
        assert!(secret.starts_with("gk_") && secret.len() == 46, "{secret}");
        let program = app.as_nobody().with_key(secret);
        program.get("/operators").await.expect(200);
        let list = app.as_admin().get("/api-keys").await;
        assert!(!list.text().contains(secret));
        let key = &list.expect(200)["items"][0];
        assert_eq!((&key["name"], &key["created_by"]), (&json!("Monitoring"), &json!("Adam Novak")));
        assert_eq!(key["last_used_at"], app.now().to_string());
        app.as_admin().delete(&format!("/api-keys/{id}")).await.expect(204);
        program.get("/operators").await.problem(401, "not_signed_in");
        app.as_admin().delete(&format!("/api-keys/{id}")).await.expect(204);
        app.as_admin().delete("/api-keys/key_unknown").await.problem(404, "not_found");
    }

    async fn a_key_needs_no_page_of_ours_to_change_something(app: TestApp) {
        let key = app.with_key(&[KeyScope::Admin], Role::Admin).await;
        let new = json!({"email": "new@support.example", "name": "New", "role": "line1", "password": "a horse and a battery"});
        key.with("Origin", "https://other.example").post("/operators", new).await.expect(201);
    }

    async fn a_key_can_not_make_keys_nor_have_an_account(app: TestApp) {
        let key = app.with_key(KeyScope::ALL, Role::Admin).await;
        let new = json!({"name": "Child", "role": "admin", "scopes": ["admin"]});
        key.post("/api-keys", new).await.problem(403, "forbidden");
        key.get("/session").await.problem(403, "forbidden");
        key.delete("/session").await.problem(403, "forbidden");
    }
}
