//! JSON-RPC, version 18 and earlier.

use serde_json::{Value, json};

use super::{Failure, exception, fields_get, post, search_read};
use crate::switch::Fault;
use crate::wire::{Answer, Call};
use crate::{Crm, World, planting};

/// Odoo 18.
#[derive(Debug, Default)]
pub struct OdooRpc;

impl OdooRpc {
    /// The database.
    pub const DATABASE: &'static str = "company-prod";
    /// The user's login.
    pub const LOGIN: &'static str = "guichet@company.example";
    /// The user's number, which the login gives.
    pub const UID: u64 = 17;
    /// The number of the user that plants, and its key.
    pub const PLANT_UID: u64 = 2;
    /// Its login.
    pub const PLANT_LOGIN: &'static str = "planter@company.example";
    /// Its key.
    pub const PLANT_KEY: &'static str = "e5f60718293a4b5c6d7e8f90a1b2c3d4e5b2c3d4";
    /// The user's key.
    pub const API_KEY: &'static str = "0d4b6a7c1f9e2835aa77bb66cc55dd44ee33ff22";

    /// Database, login and key: the number of the user, or `false`.
    fn login(arguments: &Value) -> Value {
        match [0, 1, 2].map(|at| arguments[at].as_str().unwrap_or_default()) {
            [Self::DATABASE, Self::LOGIN, Self::API_KEY] => json!(Self::UID),
            [Self::DATABASE, Self::PLANT_LOGIN, Self::PLANT_KEY] => json!(Self::PLANT_UID),
            _ => json!(false),
        }
    }

    fn object(world: &World, arguments: &Value) -> (Result<Value, Failure>, Vec<String>, Vec<String>) {
        let here = arguments[0] == Self::DATABASE;
        let plants = arguments[1] == Self::PLANT_UID && arguments[2] == Self::PLANT_KEY;
        if !here || !(plants || (arguments[1] == Self::UID && arguments[2] == Self::API_KEY)) {
            let failure =
                Failure { name: "odoo.exceptions.AccessDenied", message: "Access Denied".to_owned() };
            return (Err(failure), Vec::new(), Vec::new());
        }
        let (model, method) =
            (arguments[3].as_str().unwrap_or_default(), arguments[4].as_str().unwrap_or_default());
        let done =
            plants.then(|| planting::odoo::call(world, model, method, &named(method, arguments))).flatten();
        if let Some(done) = done {
            return (done.map_err(|(name, message)| Failure { name, message }), Vec::new(), Vec::new());
        }
        match (model, method) {
            ("res.partner", "search_read") => {
                let mut named = arguments[6].clone();
                let positional = ["domain", "fields", "offset", "limit", "order"];
                for (name, value) in positional.iter().zip(arguments[5].as_array().into_iter().flatten()) {
                    if !named.is_object() {
                        named = json!({});
                    }
                    named[*name] = value.clone();
                }
                let called = search_read(world, &named, true);
                (called.result, called.asked, called.forbidden)
            }
            ("res.partner", "fields_get") => (Ok(fields_get(world)), Vec::new(), Vec::new()),
            ("res.partner", "message_post") => {
                let id = &arguments[5][0];
                let number = post(world, if id.is_array() { &id[0] } else { id }, &arguments[6]["body"]);
                (Ok(json!(number)), Vec::new(), Vec::new())
            }
            _ => {
                let message = format!("You are not allowed to access '{model}' ({method}) records.");
                let failure = Failure { name: "odoo.exceptions.AccessError", message };
                (Err(failure), Vec::new(), vec![format!("{model}.{method}")])
            }
        }
    }
}

/// The positional arguments of a method of a model with their names.
fn named(method: &str, arguments: &Value) -> Value {
    let first = &arguments[5][0];
    match method {
        "create" => json!({ "vals_list": first }),
        "unlink" => json!({ "ids": first }),
        _ => json!({ "domain": first, "fields": arguments[6]["fields"] }),
    }
}

impl Crm for OdooRpc {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        let body = call.json();
        if call.path != "/jsonrpc" || call.method != "POST" {
            return Answer::text(404, "text/html", "<title>404 Not Found</title>")
                .forbidden("an unknown path");
        }
        let (service, method) = (&body["params"]["service"], &body["params"]["method"]);
        let arguments = &body["params"]["args"];
        let (result, asked, forbidden) = match (service.as_str(), method.as_str()) {
            (Some("common"), Some("login")) => (Ok(Self::login(arguments)), Vec::new(), Vec::new()),
            (Some("object"), Some("execute_kw")) if world.switch.take(Fault::ErrorIn200) => {
                let message = "could not serialize access due to concurrent update".to_owned();
                (
                    Err(Failure { name: "psycopg2.errors.SerializationFailure", message }),
                    Vec::new(),
                    Vec::new(),
                )
            }
            (Some("object"), Some("execute_kw")) => Self::object(world, arguments),
            _ => {
                let failure =
                    Failure { name: "builtins.AttributeError", message: "no such service".to_owned() };
                (Err(failure), Vec::new(), vec![format!("{service}.{method}")])
            }
        };
        let answer = match result {
            Ok(result) => json!({"jsonrpc": "2.0", "id": body["id"], "result": result}),
            Err(failure) => {
                let error =
                    json!({"code": 200, "message": "Odoo Server Error", "data": exception(world, &failure)});
                json!({"jsonrpc": "2.0", "id": body["id"], "error": error})
            }
        };
        // Whatever happened, HTTP says that all is well.
        Answer::json(200, &answer).asking(asked).forbidding(forbidden)
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        Answer::text(429, "text/html", "<html><h1>429 Too Many Requests</h1></html>").with("retry-after", "3")
    }

    fn secrets(&self) -> Vec<String> {
        [Self::API_KEY, Self::PLANT_KEY].map(str::to_owned).to_vec()
    }
}
