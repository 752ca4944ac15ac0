//! Signing in, staying signed in, and being thrown out.

use db_kit::both_databases;
use serde_json::json;

use crate::support::{PASSWORD, TestApp};

fn sign_in_as(email: &str) -> serde_json::Value {
    json!({ "email": email, "password": PASSWORD })
}

both_databases! {
    async fn who_signs_in_gets_a_cookie_that_scripts_and_other_sites_can_not_use(app: TestApp) {
        let answer = app.as_nobody().post("/session", sign_in_as("Ann@Support.example")).await;
        let me = answer.expect(200);
        assert_eq!((me["id"].as_str(), me["line"].as_i64()), (Some("opr_ann"), Some(1)));
        let cookie = answer.header("set-cookie").to_owned();
        for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=1209600"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "over plain http the browser would drop it: {cookie}");
        let token = cookie.split(['=', ';']).nth(1).unwrap();
        let ann = app.as_nobody().with_cookie(token);
        assert_eq!(ann.get("/session").await.expect(200)["name"], "Ann Koval");
    }
}
