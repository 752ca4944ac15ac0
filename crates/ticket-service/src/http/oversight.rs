//! Who looked at which customers: for supervisors.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use bridge_contract::{CustomerRef, EntryId, ViewerId};
use serde::Deserialize;
use service_kit::Timestamp;
use service_kit::http::RequestId;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::oversight::view::{Look, Notice, NoticePage, OperatorBudget};
use crate::app::oversight::{self, LooksQuery, Which};
use crate::app::view::Page;
use crate::domain::TicketNumber;
use crate::error::TicketError;
use crate::http::extract::{Query, SignedIn};

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(looks).service(budgets).service(anomalies).service(notices).service(acknowledge);
}

/// An answer that nobody may keep.
fn unkept(body: impl serde::Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

/// Which looks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LooksParameters {
    /// For this ticket.
    #[param(value_type = Option<i64>)]
    ticket: Option<TicketNumber>,
    /// By this operator or API key.
    #[param(value_type = Option<String>)]
    operator: Option<ViewerId>,
    /// At this customer.
    #[param(value_type = Option<String>)]
    customer_ref: Option<CustomerRef>,
    /// Not before this instant.
    from: Option<Timestamp>,
    /// Before this instant.
    until: Option<Timestamp>,
    /// Where the page begins: `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<EntryId>,
}

/// List looks
///
/// Who looked at which customer, for which ticket, at which fields, under which policy, and why; newest first. Only for
/// supervisors.
#[utoipa::path(
    operation_id = "listLooks", tag = "oversight", params(LooksParameters),
    responses((status = 200, description = "A page of looks", body = Page<Look>))
)]
#[get("/oversight/looks")]
async fn looks(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    request: HttpRequest,
    Query(parameters): Query<LooksParameters>,
) -> Result<HttpResponse, TicketError> {
    let LooksParameters { ticket, operator, customer_ref, from, until, cursor } = parameters;
    let query = LooksQuery { ticket, operator, customer_ref, from, until, cursor };
    oversight::list_looks(&app, &actor, query, RequestId::of(&request).as_str()).await.map(unkept)
}

/// Where a page of budgets begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BudgetParameters {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<ViewerId>,
}

/// List viewing budgets
///
/// What is used of them now, of everybody who looked at anybody today. Only for supervisors.
#[utoipa::path(
    operation_id = "listBudgets", tag = "oversight", params(BudgetParameters),
    responses((status = 200, description = "A page of budgets", body = Page<OperatorBudget>))
)]
#[get("/oversight/budgets")]
async fn budgets(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    request: HttpRequest,
    Query(page): Query<BudgetParameters>,
) -> Result<HttpResponse, TicketError> {
    oversight::list_budgets(&app, &actor, page.cursor, RequestId::of(&request).as_str()).await.map(unkept)
}

/// Where a page of anomalies begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AnomalyParameters {
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<EntryId>,
}

/// List anomalies
///
/// What looked like somebody trying doors: the rule, who, when, and counted facts; newest first. Only for supervisors.
#[utoipa::path(
    operation_id = "listAnomalies", tag = "oversight", params(AnomalyParameters),
    responses((status = 200, description = "A page of anomalies", body = NoticePage))
)]
#[get("/oversight/anomalies")]
async fn anomalies(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    request: HttpRequest,
    Query(page): Query<AnomalyParameters>,
) -> Result<HttpResponse, TicketError> {
    let request_id = RequestId::of(&request);
    let page = oversight::list_notices(&app, &actor, Which::Anomalies, page.cursor, request_id.as_str());
    page.await.map(unkept)
}

/// Which notices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct NoticeParameters {
    /// Only those that nobody has acknowledged; all if it is not given.
    #[serde(default)]
    open: bool,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<EntryId>,
}

/// List notices
///
/// Broken glass, budgets passed, anomalies; newest first. The event `oversight` of the live updates says when to ask again.
/// Only for supervisors.
#[utoipa::path(
    operation_id = "listNotices", tag = "oversight", params(NoticeParameters),
    responses((status = 200, description = "A page of notices", body = NoticePage))
)]
#[get("/oversight/notices")]
async fn notices(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    request: HttpRequest,
    Query(page): Query<NoticeParameters>,
) -> Result<HttpResponse, TicketError> {
    let which = if page.open { Which::Open } else { Which::All };
    let request_id = RequestId::of(&request);
    oversight::list_notices(&app, &actor, which, page.cursor, request_id.as_str()).await.map(unkept)
}

/// Acknowledge a notice
///
/// You have seen it. It is then open for no supervisor any more; who was first stays on it. What you did yourself another
/// supervisor acknowledges, if there is one.
#[utoipa::path(
    operation_id = "acknowledgeNotice", tag = "oversight",
    params(("id" = String, Path, description = "The notice's id")),
    responses((status = 200, description = "The notice afterwards", body = Notice))
)]
#[post("/oversight/notices/{id}/acknowledge")]
async fn acknowledge(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, TicketError> {
    oversight::supervisor(&actor)?;
    let notice = EntryId::new(id.into_inner()).map_err(|_| TicketError::NotFound("notice"))?;
    oversight::acknowledge(&app, &actor, notice, RequestId::of(&request).as_str()).await.map(unkept)
}
