//! JSON-2, version 19 and later.

use serde_json::json;

use super::{Failure, exception, fields_get, post, search_read};
use crate::shape::page_in_200;
use crate::wire::{Answer, Call};
use crate::{Crm, World, planting};

/// Odoo 19.
#[derive(Debug, Default)]
pub struct OdooJson2;

impl OdooJson2 {
    /// An API key.
    pub const API_KEY: &'static str = "5f2c7e0b9a41d83c66f1e2a0b7c9d4e3f8a1b2c3";
    /// An API key of the user that plants.
    pub const PLANT_KEY: &'static str = "b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5";
    /// The database.
    pub const DATABASE: &'static str = "company-prod";

    fn failed(world: &World, status: u16, name: &'static str, message: &str) -> Answer {
        Answer::json(status, &exception(world, &Failure { name, message: message.to_owned() }))
    }
}

impl Crm for OdooJson2 {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let segments = call.segments();
        let ["json", "2", model, method] = segments.as_slice() else {
            let hint = "Did you mean POST /json/2/<model>/<method>?";
            return Self::failed(world, 404, "werkzeug.exceptions.NotFound", hint)
                .forbidden("an unknown path");
        };
        if call.method != "POST" {
            let hint = "Did you mean POST /json/2/<model>/<method>?";
            return Self::failed(world, 404, "werkzeug.exceptions.NotFound", hint).forbidden("not a POST");
        }
        let plants = call.authorization("bearer") == Some(Self::PLANT_KEY);
        if call.authorization("bearer") != Some(Self::API_KEY) && !plants {
            return Self::failed(world, 401, "werkzeug.exceptions.Unauthorized", "Invalid apikey");
        }
        if call.header("x-odoo-database").is_some_and(|database| database != Self::DATABASE) {
            return Self::failed(world, 404, "werkzeug.exceptions.NotFound", "no such database");
        }
        if let Some(page) = page_in_200(world) {
            return page;
        }
        if let Some(done) = plants.then(|| planting::odoo::call(world, model, method, &call.json())).flatten()
        {
            return match done {
                Ok(result) => Answer::json(200, &result),
                Err((name, message)) => Self::failed(world, 500, name, &message),
            };
        }
        match (*model, *method) {
            ("res.partner", "search_read") => {
                let called = search_read(world, &call.json(), false);
                match called.result {
                    Ok(rows) => Answer::json(200, &rows).asking(called.asked),
                    Err(failure) => Answer::json(500, &exception(world, &failure)).asking(called.asked),
                }
                .forbidding(called.forbidden)
            }
            ("res.partner", "fields_get") => Answer::json(200, &fields_get(world)),
            ("res.partner", "message_post") => {
                let body = call.json();
                Answer::json(200, &json!([post(world, &body["ids"][0], &body["body"])]))
            }
            (model, method) => {
                let message = format!("You are not allowed to access '{model}' ({method}) records.");
                Self::failed(world, 403, "odoo.exceptions.AccessError", &message)
                    .forbidden(format!("{model}/{method}"))
            }
        }
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        // Only the hosted service has a limit.
        Answer::text(429, "text/html", "<html><h1>429 Too Many Requests</h1></html>").with("retry-after", "3")
    }

    fn secrets(&self) -> Vec<String> {
        [Self::API_KEY, Self::PLANT_KEY].map(str::to_owned).to_vec()
    }
}
