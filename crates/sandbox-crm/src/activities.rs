//! What others tell of a contact: a list of remarks, one for each key.

use std::sync::{Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::App;

/// So many are kept.
const KEPT_MAX: usize = 10_000;

/// A remark at a contact.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Activity {
    contact_id: String,
    title: String,
    text: String,
    at: String,
    key: String,
}

/// All remarks.
#[derive(Default)]
pub(crate) struct Activities(Mutex<Vec<Activity>>);

/// `POST /api/v1/activities`: the same key again changes nothing.
pub(crate) async fn add(app: Data<App>, request: HttpRequest, body: Json<Activity>) -> HttpResponse {
    if let Err(refusal) = app.authorise(&request) {
        return HttpResponse::Unauthorized().json(refusal);
    }
    let mut kept = app.activities.0.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.iter().any(|known| known.key == body.key) && kept.len() < KEPT_MAX {
        kept.push(body.into_inner());
    }
    HttpResponse::build(StatusCode::CREATED).json(json!({ "taken": true }))
}

/// `GET /api/v1/activities`: all of them, oldest first.
pub(crate) async fn list(app: Data<App>, request: HttpRequest) -> HttpResponse {
    if let Err(refusal) = app.authorise(&request) {
        return HttpResponse::Unauthorized().json(refusal);
    }
    let kept = app.activities.0.lock().unwrap_or_else(PoisonError::into_inner);
    let items: Vec<Value> = kept.iter().map(|one| json!(one)).collect();
    HttpResponse::Ok().json(json!({ "items": items }))
}
