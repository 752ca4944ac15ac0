//! The JSON API under `/api/v1`.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, Json, Path, Query};
use actix_web::{Error, HttpRequest, HttpResponse};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::calls::Call;
use crate::crowd::{Crowd, Members};
use crate::gone::Tombstone;
use crate::model::{Company, Contact, Records};
use crate::{App, faults, wire};

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 200;

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    let contact = web::resource("/contacts/{id}")
        .route(web::get().to(get_contact))
        .route(web::patch().to(change_contact))
        .route(web::delete().to(erase_contact));
    config.service(
        web::scope("/api/v1")
            .route("/contacts", web::get().to(list_contacts))
            .route("/contacts/gone", web::get().to(list_gone))
            .route("/contacts/{id}/merge", web::post().to(merge_contact))
            .service(contact)
            .route("/companies", web::get().to(list_companies))
            .route("/companies/{id}", web::get().to(get_company))
            .route("/deals", web::get().to(list_deals))
            .route("/invoices", web::get().to(list_invoices))
            .route("/notes", web::get().to(list_notes))
            .route("/activities", web::post().to(crate::activities::add))
            .route("/activities", web::get().to(crate::activities::list))
            .configure(crate::plants::routes)
            .default_service(web::to(no_such_path))
            .wrap(from_fn(think)),
    );
}

/// Takes the time that this CRM was told to take.
async fn think(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let delay = request.app_data::<Data<App>>().map(|app| app.conduct.delay()).unwrap_or_default();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    next.call(request).await
}

/// Why a call is not answered as asked.
struct Refusal(StatusCode, String);

impl Refusal {
    fn bad(sentence: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, sentence.to_string())
    }

    fn missing() -> Self {
        Self(StatusCode::NOT_FOUND, "there is no such record".to_owned())
    }

    fn body(&self) -> Value {
        json!({ "error": self.1 })
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    email: Option<String>,
    phone: Option<String>,
    updated_since: Option<Timestamp>,
    fields: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OneQuery {
    fields: Option<String>,
}

/// What may be changed from outside: a person's own data.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContactChange {
    full_name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    mobile: Option<String>,
    job_title: Option<String>,
    language: Option<String>,
    time_zone: Option<String>,
}

async fn list_contacts(app: Data<App>, request: HttpRequest) -> HttpResponse {
    if let Some(crowd) = &app.crowd {
        return crowd_list(&app, crowd, &request);
    }
    answer(&app, &request, |records, ask| {
        let query: ListQuery = ask.query()?;
        let email = query.email.as_deref().map(str::to_lowercase);
        let phone = query.phone.as_deref().map(digits);
        let found = records.contacts.values().filter(|contact| {
            email.as_ref().is_none_or(|email| has_email(contact, email))
                && phone.as_ref().is_none_or(|phone| has_phone(contact, phone))
        });
        let rows = found.map(|contact| (contact.updated_at, contact.id.clone(), contact)).collect();
        page(rows, &query, ask, |contact: &Contact| wire::contact(records, contact))
    })
}

async fn get_contact(app: Data<App>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    if let Some(crowd) = &app.crowd {
        return crowd_one(&app, crowd, &request, &id);
    }
    answer(&app, &request, |records, ask| {
        let contact = records.contacts.get(id.as_str()).ok_or_else(Refusal::missing)?;
        let query: OneQuery = ask.query()?;
        ask.select(wire::contact(records, contact), query.fields.as_deref())
    })
}

async fn list_companies(app: Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, &request, |records, ask| {
        let query: ListQuery = ask.query()?;
        let phone = query.phone.as_deref().map(digits);
        let found = records
            .companies
            .values()
            .filter(|company| phone.as_ref().is_none_or(|phone| digits(&company.phone) == *phone));
        let rows = found.map(|company| (company.updated_at, company.id.clone(), company)).collect();
        page(rows, &query, ask, |company: &Company| wire::company(records, company))
    })
}

async fn get_company(app: Data<App>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    answer(&app, &request, |records, ask| {
        let company = records.companies.get(id.as_str()).ok_or_else(Refusal::missing)?;
        let query: OneQuery = ask.query()?;
        ask.select(wire::company(records, company), query.fields.as_deref())
    })
}

async fn list_deals(app: Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, &request, |records, ask| {
        let rows = records.deals.values().map(|deal| (deal.updated_at, deal.id.clone(), deal)).collect();
        page(rows, &ask.query()?, ask, wire::object)
    })
}

async fn list_invoices(app: Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, &request, |records, ask| {
        let all = records.invoices.values();
        let rows = all.map(|invoice| (invoice.updated_at, invoice.id.clone(), invoice)).collect();
        page(rows, &ask.query()?, ask, wire::object)
    })
}

async fn list_notes(app: Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, &request, |records, ask| {
        let rows = records.notes.values().map(|note| (note.written_at, note.id.clone(), note)).collect();
        page(rows, &ask.query()?, ask, wire::object)
    })
}

async fn change_contact(
    app: Data<App>,
    request: HttpRequest,
    id: Path<String>,
    body: Result<Json<ContactChange>, actix_web::Error>,
) -> HttpResponse {
    let change = match body {
        Ok(Json(change)) => change,
        Err(error) => {
            return finish(&app, &request, StatusCode::BAD_REQUEST, json!({"error": error.to_string()}));
        }
    };
    if let Err(refusal) = app.authorise(&request) {
        return finish(&app, &request, StatusCode::UNAUTHORIZED, refusal);
    }
    let now = app.now();
    if let Some(crowd) = &app.crowd {
        let status = if crowd.touch(&id, now) { StatusCode::OK } else { StatusCode::NOT_FOUND };
        return finish(&app, &request, status, json!({ "id": id.as_str() }));
    }
    let written = app.store.write(|records| {
        let contact = records.contacts.get_mut(id.as_str())?;
        apply(contact, change, now);
        let contact = contact.clone();
        Some((wire::object(&contact), wire::contact(records, &contact)))
    });
    match written {
        Ok(Some((contact, everything))) => {
            tell(&app, "contact.changed", &id, everything);
            finish(&app, &request, StatusCode::OK, contact)
        }
        Ok(None) => finish(&app, &request, StatusCode::NOT_FOUND, Refusal::missing().body()),
        Err(error) => {
            let sentence = format!("the change could not be kept: {error:#}");
            finish(&app, &request, StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": sentence }))
        }
    }
}

fn apply(contact: &mut Contact, change: ContactChange, now: Timestamp) {
    let pairs = [
        (&mut contact.full_name, change.full_name),
        (&mut contact.email, change.email),
        (&mut contact.phone, change.phone),
        (&mut contact.job_title, change.job_title),
        (&mut contact.language, change.language),
        (&mut contact.time_zone, change.time_zone),
    ];
    for (member, value) in pairs {
        if let Some(value) = value {
            *member = value;
        }
    }
    if change.mobile.is_some() {
        contact.mobile = change.mobile;
    }
    contact.updated_at = now;
}

async fn erase_contact(app: Data<App>, request: HttpRequest, id: Path<String>) -> HttpResponse {
    if let Err(refusal) = app.authorise(&request) {
        return finish(&app, &request, StatusCode::UNAUTHORIZED, refusal);
    }
    let now = app.now();
    if let Some(crowd) = &app.crowd {
        let status = if crowd.remove(&id, now) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND };
        return finish(&app, &request, status, Value::Null);
    }
    match app.store.write(|records| records.erase(&id)) {
        Ok(true) => {
            app.gone.add(Tombstone { id: id.clone(), at: now, merged_into: None });
            tell(&app, "contact.erased", &id, Value::Null);
            finish(&app, &request, StatusCode::NO_CONTENT, Value::Null)
        }
        Ok(false) => finish(&app, &request, StatusCode::NOT_FOUND, Refusal::missing().body()),
        Err(error) => {
            let sentence = format!("the erasure could not be kept: {error:#}");
            finish(&app, &request, StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": sentence }))
        }
    }
}

/// What a merge takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    into: String,
}

async fn merge_contact(
    app: Data<App>,
    request: HttpRequest,
    id: Path<String>,
    body: Result<Json<Merge>, actix_web::Error>,
) -> HttpResponse {
    if let Err(refusal) = app.authorise(&request) {
        return finish(&app, &request, StatusCode::UNAUTHORIZED, refusal);
    }
    let Ok(Json(Merge { into })) = body else {
        let sentence = "say into whose record: {\"into\": \"ct_…\"}";
        return finish(&app, &request, StatusCode::BAD_REQUEST, json!({ "error": sentence }));
    };
    let now = app.now();
    let merged = app.store.write(|records| {
        let both = *id != into && records.contacts.contains_key(&into);
        both && records.erase(&id)
    });
    match merged {
        Ok(true) => {
            app.gone.add(Tombstone { id: id.clone(), at: now, merged_into: Some(into.clone()) });
            tell(&app, "contact.merged", &id, json!({ "into": into }));
            finish(&app, &request, StatusCode::NO_CONTENT, Value::Null)
        }
        Ok(false) => finish(&app, &request, StatusCode::NOT_FOUND, Refusal::missing().body()),
        Err(error) => {
            let sentence = format!("the merge could not be kept: {error:#}");
            finish(&app, &request, StatusCode::INTERNAL_SERVER_ERROR, json!({ "error": sentence }))
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoneQuery {
    since: Option<Timestamp>,
}

/// Who was erased or merged since then.
async fn list_gone(app: Data<App>, request: HttpRequest) -> HttpResponse {
    answer(&app, &request, |_, ask| {
        let query: GoneQuery = ask.query()?;
        let kept = app
            .conduct
            .get()
            .gone_kept_s
            .map(|seconds| app.now() - std::time::Duration::from_secs(seconds.into()));
        if let Some(kept) = kept.filter(|kept| query.since.is_none_or(|since| since < *kept)) {
            return Err(Refusal::bad(format!("since: nothing from before {kept} is kept")));
        }
        let mut items: Vec<Tombstone> = app.gone.since(query.since);
        if let Some(crowd) = &app.crowd {
            let removed = crowd.removed_since(query.since).into_iter();
            items.extend(removed.map(|(id, at)| Tombstone { id, at, merged_into: None }));
        }
        if app.conduct.get().forgets_the_gone {
            items.clear();
        }
        Ok(json!({ "items": items, "next_cursor": Value::Null }))
    })
}

/// Tells whoever wants to know. What stands in the record is none of their business; CRMs send it all the same.
fn tell(app: &App, kind: &'static str, id: &str, record: Value) {
    if let Some(target) = &app.webhook {
        target.tell(kind, id, record, app.now());
    }
}

fn crowd_members(app: &App, fields: Option<&str>) -> Result<Members, Refusal> {
    match fields.filter(|_| !app.conduct.get().ignore_fields) {
        None => Ok(Members::all()),
        Some(fields) => {
            Members::named(fields).map_err(|name| Refusal::bad(format!("there is no field {name}")))
        }
    }
}

fn crowd_list(app: &App, crowd: &Crowd, request: &HttpRequest) -> HttpResponse {
    let page = || -> Result<String, Refusal> {
        let query: ListQuery =
            Query::from_query(request.query_string()).map(Query::into_inner).map_err(Refusal::bad)?;
        let members = crowd_members(app, query.fields.as_deref())?;
        let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Refusal::bad(format!("limit must be between 1 and {LIMIT_MAX}")));
        }
        Ok(match (&query.email, &query.phone) {
            (Some(email), _) => crowd.by_email(email, &members),
            (None, Some(phone)) => crowd.by_phone(&digits(phone), &members),
            (None, None) => crowd.page(query.updated_since, query.cursor.as_deref(), limit, &members),
        }
        .body)
    };
    crowd_answer(app, request, page())
}

fn crowd_one(app: &App, crowd: &Crowd, request: &HttpRequest, id: &str) -> HttpResponse {
    let one = || -> Result<String, Refusal> {
        let query: OneQuery =
            Query::from_query(request.query_string()).map(Query::into_inner).map_err(Refusal::bad)?;
        crowd.one(id, &crowd_members(app, query.fields.as_deref())?).ok_or_else(Refusal::missing)
    };
    crowd_answer(app, request, one())
}

fn crowd_answer(app: &App, request: &HttpRequest, body: Result<String, Refusal>) -> HttpResponse {
    if let Err(refusal) = app.authorise(request) {
        return finish(app, request, StatusCode::UNAUTHORIZED, refusal);
    }
    if let (_, Some(fault)) = app.conduct.next_call() {
        let body = body.ok().and_then(|body| serde_json::from_str(&body).ok()).unwrap_or(Value::Null);
        let response = faults::answer(request, &fault, body);
        note(app, request, response.status());
        return response;
    }
    match body {
        Ok(body) => {
            note(app, request, StatusCode::OK);
            HttpResponse::Ok().content_type("application/json").body(body)
        }
        Err(refusal) => finish(app, request, refusal.0, refusal.body()),
    }
}

async fn no_such_path(app: Data<App>, request: HttpRequest) -> HttpResponse {
    finish(&app, &request, StatusCode::NOT_FOUND, json!({"error": "there is no such path"}))
}

/// One reading call: its query, and whether this CRM cares about `fields` today.
struct Ask<'a> {
    request: &'a HttpRequest,
    ignore_fields: bool,
}

impl Ask<'_> {
    fn query<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        Query::from_query(self.request.query_string()).map(Query::into_inner).map_err(Refusal::bad)
    }

    fn select(&self, record: Value, fields: Option<&str>) -> Result<Value, Refusal> {
        let Some(fields) = fields.filter(|_| !self.ignore_fields) else { return Ok(record) };
        let fields: Vec<String> =
            fields.split(',').map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned).collect();
        wire::select(&record, &fields).map_err(|name| Refusal::bad(format!("there is no field {name}")))
    }
}

/// Answers a reading call, or misbehaves as told.
fn answer(
    app: &App,
    request: &HttpRequest,
    look: impl FnOnce(&Records, &Ask<'_>) -> Result<Value, Refusal>,
) -> HttpResponse {
    if let Err(refusal) = app.authorise(request) {
        return finish(app, request, StatusCode::UNAUTHORIZED, refusal);
    }
    let (ignore_fields, fault) = app.conduct.next_call();
    let ask = Ask { request, ignore_fields };
    let (status, body) = match app.store.read(|records| look(records, &ask)) {
        Ok(body) => (StatusCode::OK, body),
        Err(refusal) => (refusal.0, refusal.body()),
    };
    match fault {
        None => finish(app, request, status, body),
        Some(fault) => {
            let response = faults::answer(request, &fault, body);
            note(app, request, response.status());
            response
        }
    }
}

fn finish(app: &App, request: &HttpRequest, status: StatusCode, body: Value) -> HttpResponse {
    note(app, request, status);
    let mut response = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    }
    if body.is_null() { response.finish() } else { response.json(body) }
}

fn note(app: &App, request: &HttpRequest, status: StatusCode) {
    let route = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
    let call = Call {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        status: status.as_u16(),
    };
    app.calls.note(&route, call);
}

/// Sorts by time of change and id, goes on after the cursor, and cuts.
fn page<T: Serialize>(
    mut rows: Vec<(Timestamp, String, &T)>,
    query: &ListQuery,
    ask: &Ask<'_>,
    show: impl Fn(&T) -> Value,
) -> Result<Value, Refusal> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Refusal::bad(format!("limit must be between 1 and {LIMIT_MAX}")));
    }
    let after = query.cursor.as_deref().map(parse_cursor).transpose()?;
    rows.retain(|(at, _, _)| query.updated_since.is_none_or(|since| *at >= since));
    let total = rows.len();
    rows.retain(|(at, id, _)| after.as_ref().is_none_or(|(last, last_id)| (at, id) > (last, last_id)));
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(at, id, _)| format!("{at}~{id}"));
    let items: Result<Vec<Value>, Refusal> =
        rows.iter().map(|(_, _, record)| ask.select(show(record), query.fields.as_deref())).collect();
    Ok(json!({ "items": items?, "next_cursor": next, "total": total }))
}

fn parse_cursor(cursor: &str) -> Result<(Timestamp, String), Refusal> {
    let bad = || Refusal::bad("cursor is not one that was given out");
    let (at, id) = cursor.split_once('~').ok_or_else(bad)?;
    Ok((at.parse().map_err(|_| bad())?, id.to_owned()))
}

fn has_email(contact: &Contact, lower_case: &str) -> bool {
    contact.email.to_lowercase() == lower_case
        || contact.other_emails.iter().any(|other| other.to_lowercase() == lower_case)
}

fn has_phone(contact: &Contact, wanted: &str) -> bool {
    digits(&contact.phone) == wanted
        || contact.mobile.as_deref().is_some_and(|mobile| digits(mobile) == wanted)
}

fn digits(phone: &str) -> String {
    phone.chars().filter(char::is_ascii_digit).collect()
}
