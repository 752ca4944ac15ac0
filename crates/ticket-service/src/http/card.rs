//! The window on the CRM: the customer card beside a ticket.

use actix_web::http::header::{CACHE_CONTROL, ETAG};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use bridge_contract::{
    BrokenGlass, CustomerRef, FieldKey, Ground, LookupEmail, LookupPhone, Reason, RevealedField,
};
use serde::Deserialize;
use service_kit::http::RequestId;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::resolve_customer::LookUp;
use crate::app::show_card::CardView;
use crate::app::view::Ticket;
use crate::app::{App, break_glass, link_customer, resolve_customer, reveal_field, show_card};
use crate::domain::TicketNumber;
use crate::error::TicketError;
use crate::http::extract::{Body, SignedIn};

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(show)
        .service(reveal)
        .service(break_the_glass)
        .service(choose)
        .service(unlink)
        .service(look_up);
}

/// An answer that nobody may keep.
fn unkept(body: impl serde::Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(body)
}

fn with_etag(ticket: Ticket) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, format!("\"{}\"", ticket.version))).json(ticket)
}

/// Show the customer card
///
/// What the field policy lets your role see of the customer whom the ticket belongs to; `state` says how far that is
/// known. Comes from the CRM through the bridge and is kept nowhere. Supervisors see their own selection; administrators
/// see no card (`withheld`). Every look is recorded; a program needs the scope `cards:read` and is recorded as its key.
#[utoipa::path(
    operation_id = "showCard", tag = "customers", params(("number" = i64, Path, description = "The ticket's number")),
    responses(
        (status = 200, description = "The card, or why there is none", body = CardView),
        (status = 429, description = "`customer_data_unavailable`: your viewing budget is spent; see `Retry-After`"),
    )
)]
#[get("/tickets/{number}/card")]
async fn show(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    request: HttpRequest,
) -> Result<HttpResponse, TicketError> {
    let card = show_card::show_card(&app, &actor, *number, None, RequestId::of(&request).as_str()).await?;
    Ok(unkept(card))
}

/// Which masked field to show.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RevealBody {
    /// The field's key, such as `person.phone`.
    #[schema(value_type = String)]
    key: FieldKey,
}

/// Show a masked field in clear
///
/// On the record. Only fields whose card says `revealable`.
#[utoipa::path(
    operation_id = "revealField", tag = "customers", params(("number" = i64, Path, description = "The ticket's number")),
    request_body = RevealBody,
    responses(
        (status = 200, description = "The field in clear", body = RevealedField),
        (status = 403, description = "`forbidden`, or `customer_data_unavailable`: the policy does not allow it"),
        (status = 410, description = "`customer_data_unavailable`: the customer was erased"),
        (status = 503, description = "`customer_data_unavailable`: not just now"),
    )
)]
#[post("/tickets/{number}/card/reveal")]
async fn reveal(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    request: HttpRequest,
    body: Body<RevealBody>,
) -> Result<HttpResponse, TicketError> {
    let request_id = RequestId::of(&request);
    let revealed =
        reveal_field::reveal_field(&app, &actor, *number, body.value.key, request_id.as_str()).await?;
    Ok(unkept(revealed))
}

/// Why the card is to be shown beyond your viewing budget.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BreakGlassBody {
    /// The ground.
    ground: Ground,
    /// The reason: 10 to 300 characters.
    reason: Reason,
}

/// Break the glass
///
/// Shows the card although your viewing budget is spent. Your reason goes on the record, every supervisor is told at once,
/// and one of them has to acknowledge it. A few times a day; only for people.
#[utoipa::path(
    operation_id = "breakGlass", tag = "customers", params(("number" = i64, Path, description = "The ticket's number")),
    request_body = BreakGlassBody,
    responses(
        (status = 200, description = "The card, or why there is none", body = CardView),
        (status = 429, description = "`customer_data_unavailable`: no more today, even with a reason; see `Retry-After`"),
    )
)]
#[post("/tickets/{number}/card/break-glass")]
async fn break_the_glass(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    request: HttpRequest,
    body: Body<BreakGlassBody>,
) -> Result<HttpResponse, TicketError> {
    let glass = BrokenGlass { ground: body.value.ground, reason: body.value.reason };
    let request_id = RequestId::of(&request);
    let card = break_glass::break_glass(&app, &actor, *number, glass, request_id.as_str()).await?;
    Ok(unkept(card))
}

/// Which customer it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChooseBody {
    /// One of the candidates that the card named.
    #[schema(value_type = String)]
    customer_ref: CustomerRef,
}

/// Choose the customer
///
/// One of the candidates that the bridge named for this ticket, and no other.
#[utoipa::path(
    operation_id = "chooseCustomer", tag = "customers",
    params(("number" = i64, Path, description = "The ticket's number")), request_body = ChooseBody,
    responses((status = 200, description = "The ticket afterwards", body = Ticket, headers(("ETag" = String))))
)]
#[put("/tickets/{number}/customer")]
async fn choose(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    body: Body<ChooseBody>,
) -> Result<HttpResponse, TicketError> {
    link_customer::choose_customer(&app, &actor, *number, body.value.customer_ref).await.map(with_etag)
}

/// Unlink the customer
///
/// The ticket belongs to nobody in the CRM, or not to the one that was found. The candidates stay to choose from.
#[utoipa::path(
    operation_id = "unlinkCustomer", tag = "customers",
    params(("number" = i64, Path, description = "The ticket's number")),
    responses((status = 200, description = "The ticket afterwards", body = Ticket, headers(("ETag" = String))))
)]
#[delete("/tickets/{number}/customer")]
async fn unlink(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
) -> Result<HttpResponse, TicketError> {
    link_customer::unlink_customer(&app, &actor, *number).await.map(with_etag)
}

/// By what to look the customer up; at least one of both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LookUpBody {
    /// A mail address.
    #[schema(value_type = Option<String>)]
    email: Option<LookupEmail>,
    /// A phone number.
    #[schema(value_type = Option<String>)]
    phone: Option<LookupPhone>,
}

/// Look the customer up again
///
/// By another mail address or phone number of theirs. On the record.
#[utoipa::path(
    operation_id = "lookUpCustomer", tag = "customers",
    params(("number" = i64, Path, description = "The ticket's number")), request_body = LookUpBody,
    responses(
        (status = 200, description = "The ticket afterwards", body = Ticket, headers(("ETag" = String))),
        (status = 503, description = "`customer_data_unavailable`: not just now"),
    )
)]
#[post("/tickets/{number}/customer/resolve")]
async fn look_up(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    request: HttpRequest,
    body: Body<LookUpBody>,
) -> Result<HttpResponse, TicketError> {
    let LookUpBody { email, phone } = body.value;
    let request_id = RequestId::of(&request);
    resolve_customer::look_up_again(&app, &actor, *number, LookUp { email, phone }, request_id.as_str())
        .await
        .map(with_etag)
}
