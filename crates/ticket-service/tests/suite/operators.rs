//! How administrators manage people, and what everybody else sees of them.

use db_kit::both_databases;
use serde_json::{Value, json};

use crate::support::TestApp;

fn new_operator(email: &str) -> Value {
    json!({ "email": email, "name": "Nina Nova", "role": "line2", "password": "a horse and a battery" })
}

both_databases! {
    async fn an_added_operator_can_sign_in(app: TestApp) {
        let answer = app.as_admin().post("/operators", new_operator("nina@support.example")).await;
        let nina = answer.expect(201);
        assert_eq!((&nina["initials"], &nina["line"], &nina["version"]), (&json!("NN"), &json!(2), &json!(1)));
        assert_eq!(answer.header("location"), format!("/api/v1/operators/{}", nina["id"].as_str().unwrap()));
        assert_eq!(answer.header("etag"), "\"1\"");
        let body = json!({"email": "nina@support.example", "password": "a horse and a battery"});
        app.as_nobody().post("/session", body).await.expect(200);
    }

    async fn a_mail_address_belongs_to_one_operator(app: TestApp) {
        app.as_admin().post("/operators", new_operator("ANN@support.example")).await.problem(409, "exists");
        let change = json!({"email": "boris@support.EXAMPLE"});
        app.as_admin().if_match(1).patch("/operators/opr_ann", change).await.problem(409, "exists");
    }

    async fn only_administrators_manage_operators(app: TestApp) {
        for person in [app.as_line1(), app.as_line2(), app.as_line3(), app.as_supervisor()] {
            person.post("/operators", new_operator("x@support.example")).await.problem(403, "forbidden");
            let change = json!({"role": "admin"});
            person.if_match(1).patch("/operators/opr_ann", change).await.problem(403, "forbidden");
            person.get("/api-keys").await.problem(403, "forbidden");
        }
    }

    async fn colleagues_see_names_and_administrators_see_accounts(app: TestApp) {
        let seen = app.as_line1().get("/operators").await.expect(200);
        let names: Vec<_> = seen["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Adam Novak", "Ann Koval", "Boris Petrov", "Clara Weiss", "Lena Orlova", "Sofia Marin"]);
        assert!(!seen.to_string().contains('@'));
        let seen = app.as_admin().get("/operators").await.expect(200).to_string();
        assert!(seen.contains("ann@support.example") && seen.contains("Greta Away") && !seen.contains("argon2"));
    }

    async fn two_administrators_do_not_overwrite_each_other(app: TestApp) {
        let admin = app.as_admin();
        admin.patch("/operators/opr_ann", json!({"name": "Ann"})).await.problem(428, "if_match_required");
        admin.with("If-Match", "seven").patch("/operators/opr_ann", json!({})).await.problem(422, "invalid");
        let first = admin.if_match(1).patch("/operators/opr_ann", json!({"name": "Ann One"})).await;
        assert_eq!((first.expect(200)["version"].as_i64(), first.header("etag")), (Some(2), "\"2\""));
        let second = admin.if_match(1).patch("/operators/opr_ann", json!({"name": "Ann Two"})).await;
        assert_eq!(second.problem(412, "version_conflict")["current"]["name"], "Ann One");
    }

    async fn the_last_administrator_stays(app: TestApp) {
        let admin = app.as_admin();
        for change in [json!({"active": false}), json!({"role": "supervisor"})] {
            admin.if_match(1).patch("/operators/opr_adam", change).await.problem(403, "forbidden");
        }
        admin.if_match(1).patch("/operators/opr_sofia", json!({"role": "admin"})).await.expect(200);
        admin.if_match(1).patch("/operators/opr_adam", json!({"active": false})).await.expect(200);
        app.as_supervisor().if_match(2).patch("/operators/opr_sofia", json!({"active": false})).await.problem(403, "forbidden");
    }

    async fn an_operator_that_does_not_exist_can_not_be_changed(app: TestApp) {
        app.as_admin().if_match(1).patch("/operators/opr_none", json!({"name": "X"})).await.problem(404, "not_found");
    }

    async fn a_weak_password_is_refused_with_advice(app: TestApp) {
        let mut new = new_operator("x@support.example");
        new["password"] = json!("short");
        let told = app.as_admin().post("/operators", new.clone()).await.field("password");
        assert_eq!(told, "has fewer than 12 characters; take a few words");
        new["password"] = json!("passwordpassword");
        assert!(app.as_admin().post("/operators", new).await.field("password").contains("anybody tries"));
    }
}
