//! Tickets: list, counters, open, show, change, hand over, history.

use std::collections::BTreeSet;

use actix_web::http::header::{ETAG, LOCATION};
use actix_web::{HttpResponse, get, patch, post, put, web};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::change_ticket::{self, TicketChanges};
use crate::app::list_tickets::{self, Counters, ListQuestion, View};
use crate::app::open_ticket::{self, NewRequester, NewTicket};
use crate::app::show_ticket;
use crate::app::view::{HistoryEntry, Page, Ticket, TicketSummary};
use crate::domain::html::MessageBody;
use crate::domain::{
    Channel, EmailAddress, Line, Note, PersonName, PhoneNumber, Priority, Status, Subject, Tag, TicketNumber,
};
use crate::error::TicketError;
use crate::http::cursor;
use crate::http::extract::{Body, IfMatch, Query, SignedIn};
use crate::store::tickets::{AssigneeFilter, Direction, Filter, SortKey};

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(list)
        .service(counters)
        .service(open)
        .service(show)
        .service(mark_read)
        .service(change)
        .service(hand_over)
        .service(history);
}

/// So many rows does a page have at most, and by default.
pub(crate) const LIMIT_MAX: usize = 100;
pub(crate) const LIMIT_DEFAULT: usize = 50;

/// The limit that was asked for, within bounds.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, TicketError> {
    match asked.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(TicketError::invalid("limit", "is not between 1 and 100")),
    }
}

/// Which tickets to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParameters {
    /// The selection to begin with; `inbox` by default.
    #[param(inline)]
    view: Option<View>,
    /// One or more statuses, separated by commas.
    status: Option<String>,
    /// A queue's id.
    queue: Option<String>,
    /// `me`, `none` or an operator's id.
    assignee: Option<String>,
    /// A priority.
    priority: Option<Priority>,
    /// A tag.
    tag: Option<String>,
    /// A line's number.
    line: Option<i32>,
    /// A requester's id.
    requester: Option<String>,
    /// `updated` (default), `created` or `priority`.
    #[param(inline)]
    sort: Option<SortName>,
    /// `desc` (default) or `asc`.
    #[param(inline)]
    dir: Option<DirectionName>,
    /// Where the page begins: `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100 rows; 50 by default.
    limit: Option<usize>,
}

/// By what a list is sorted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SortName {
    /// When anything last changed.
    Updated,
    /// When it was opened.
    Created,
    /// How much it matters.
    Priority,
}

/// In which direction a list is sorted.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DirectionName {
    /// Least first.
    Asc,
    /// Greatest first.
    Desc,
}

impl ListParameters {
    fn question(self, me: Option<&str>) -> Result<ListQuestion, TicketError> {
        let statuses = self.status.as_deref().unwrap_or_default().split(',').filter(|name| !name.is_empty());
        let statuses = statuses
            .map(|name| name.parse::<Status>().map_err(|error| TicketError::invalid("status", error)))
            .collect::<Result<_, _>>()?;
        let line = self.line.map(Line::try_from).transpose();
        let assignee = self.assignee.map(|asked| match asked.as_str() {
            "none" => AssigneeFilter::Nobody,
            "me" => AssigneeFilter::Operator(me.unwrap_or_default().to_owned()),
            _ => AssigneeFilter::Operator(asked),
        });
        let key = match self.sort.unwrap_or(SortName::Updated) {
            SortName::Updated => SortKey::Updated,
            SortName::Created => SortKey::Created,
            SortName::Priority => SortKey::Priority,
        };
        let direction = match self.dir.unwrap_or(DirectionName::Desc) {
            DirectionName::Asc => Direction::Ascending,
            DirectionName::Desc => Direction::Descending,
        };
        Ok(ListQuestion {
            view: self.view.unwrap_or(View::Inbox),
            filter: Filter {
                line: line.map_err(|error| TicketError::invalid("line", error))?,
                open: None,
                statuses,
                queue_id: self.queue,
                assignee,
                priority: self.priority,
                tag: self.tag.map(|tag| tag.to_lowercase()),
                requester_id: self.requester,
            },
            order: (key, direction),
            start: self.cursor.as_deref().map(cursor::read).transpose()?,
            limit: limit(self.limit)?,
        })
    }
}

/// List tickets
///
/// The tickets that you may see, one page at a time. Pass `next_cursor` as `cursor` to go on; a page never shifts.
#[utoipa::path(
    operation_id = "listTickets", tag = "tickets", params(ListParameters),
    responses(
        (status = 200, description = "A page of tickets", body = Page<TicketSummary>),
        (status = 422, description = "A parameter is wrong"),
    )
)]
#[get("/tickets")]
pub(crate) async fn list(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    Query(parameters): Query<ListParameters>,
) -> Result<web::Json<Page<TicketSummary>>, TicketError> {
    let question = parameters.question(actor.operator_id())?;
    list_tickets::list_tickets(&app, &actor, question, cursor::write).await.map(web::Json)
}

/// Count open tickets
///
/// The numbers beside the views, kept as tickets change.
#[utoipa::path(
    operation_id = "countOpenTickets", tag = "tickets",
    responses(
        (status = 200, description = "The counters", body = Counters),
    )
)]
#[get("/counters")]
pub(crate) async fn counters(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
) -> Result<web::Json<Counters>, TicketError> {
    list_tickets::count_open(&app, &actor).await.map(web::Json)
}

/// A request that is to become a ticket. Give `text` or `html`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenTicketBody {
    /// What it is about.
    subject: Subject,
    /// The first message as plain text.
    text: Option<String>,
    /// The first message as HTML; it is sanitised.
    html: Option<String>,
    /// Who asks.
    requester: RequesterBody,
    /// The queue; the first one if it is not given.
    queue_id: Option<String>,
    /// How much it matters; `normal` if it is not given.
    priority: Option<Priority>,
    /// Its tags.
    #[serde(default)]
    tags: BTreeSet<Tag>,
    /// The line; your own, or the first one, if it is not given.
    line: Option<Line>,
    /// Files uploaded before.
    #[serde(default)]
    attachment_ids: Vec<String>,
}

/// Who asks.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequesterBody {
    /// Their name.
    name: PersonName,
    /// The address to answer to.
    email: EmailAddress,
    /// A phone number.
    phone: Option<PhoneNumber>,
}

/// The body of a message from the one member that was given.
pub(crate) fn message_body(text: Option<&str>, html: Option<&str>) -> Result<MessageBody, TicketError> {
    match (text, html) {
        (Some(text), None) => {
            MessageBody::from_text(text).map_err(|error| TicketError::invalid("text", error))
        }
        (None, Some(html)) => {
            MessageBody::from_html(html).map_err(|error| TicketError::invalid("html", error))
        }
        (None, None) => Err(TicketError::invalid("text", "is missing; give text or html")),
        (Some(_), Some(_)) => Err(TicketError::invalid("html", "is given beside text; give one of both")),
    }
}

/// Open a ticket
///
/// For a requester who called, or by a program. The requester is found again by their address.
#[utoipa::path(
    operation_id = "openTicket", tag = "tickets", params(("Idempotency-Key" = Option<String>, Header, description = "Chosen by you; the same key writes once")), request_body = OpenTicketBody,
    responses(
        (status = 201, description = "The ticket", body = Ticket, headers(("Location" = String), ("ETag" = String))),
        (status = 403, description = "Not allowed"),
        (status = 422, description = "Something in it is wrong"),
    )
)]
#[post("/tickets")]
pub(crate) async fn open(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    body: Body<OpenTicketBody>,
) -> Result<HttpResponse, TicketError> {
    let Body { value: body, idempotency_key } = body;
    let new = NewTicket {
        body: message_body(body.text.as_deref(), body.html.as_deref())?,
        subject: body.subject,
        requester: NewRequester {
            name: body.requester.name,
            email: body.requester.email,
            phone: body.requester.phone,
        },
        queue_id: body.queue_id,
        priority: body.priority.unwrap_or(Priority::Normal),
        line: body.line,
        tags: body.tags,
        channel: if actor.operator_id().is_some() { Channel::Operator } else { Channel::Api },
        attachment_ids: body.attachment_ids,
    };
    let ticket = open_ticket::open_ticket(&app, &actor, new, idempotency_key).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/v1/tickets/{}", ticket.number)))
        .insert_header((ETAG, etag(ticket.version)))
        .json(ticket))
}

/// The version of a ticket as an ETag (RFC 9110).
fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

fn with_etag(ticket: Ticket) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, etag(ticket.version))).json(ticket)
}

/// Show a ticket
#[utoipa::path(
    operation_id = "showTicket", tag = "tickets", params(("number" = i64, Path, description = "The ticket's number")),
    responses(
        (status = 200, description = "The ticket", body = Ticket, headers(("ETag" = String))),
        (status = 404, description = "No such ticket for you"),
    )
)]
#[get("/tickets/{number}")]
pub(crate) async fn show(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
) -> Result<HttpResponse, TicketError> {
    show_ticket::show_ticket(&app, &actor, *number).await.map(with_etag)
}

/// Mark a ticket as read
///
/// Says that you have it open, so that it is no longer unread in your lists.
#[utoipa::path(
    operation_id = "markTicketRead", tag = "tickets",
    params(("number" = i64, Path, description = "The ticket's number")),
    responses(
        (status = 204, description = "Noted"),
        (status = 404, description = "No such ticket for you"),
    )
)]
#[put("/tickets/{number}/read")]
pub(crate) async fn mark_read(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
) -> Result<HttpResponse, TicketError> {
    show_ticket::mark_read(&app, &actor, *number).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// What to change; what is absent stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeTicketBody {
    /// What it is about.
    subject: Option<Subject>,
    /// Where it stands.
    status: Option<Status>,
    /// How much it matters.
    priority: Option<Priority>,
    /// Its queue.
    queue_id: Option<String>,
    /// Who works on it; null takes it away from everybody.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    assignee_id: Option<Option<String>>,
    /// All its tags.
    tags: Option<BTreeSet<Tag>>,
}

/// Tells null from absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// Change a ticket
///
/// Send the ETag that you saw as `If-Match`; if somebody was first, you get what is there now and nothing is written.
#[utoipa::path(
    operation_id = "changeTicket", tag = "tickets",
    params(("number" = i64, Path, description = "The ticket's number"), ("If-Match" = String, Header, description = "The ETag that you saw")), request_body = ChangeTicketBody,
    responses(
        (status = 200, description = "The ticket afterwards", body = Ticket, headers(("ETag" = String))),
        (status = 404, description = "No such ticket for you"),
        (status = 409, description = "The life cycle has no such move"),
        (status = 412, description = "Somebody was first"),
        (status = 422, description = "Something in it is wrong"),
        (status = 428, description = "The If-Match header is missing"),
    )
)]
#[patch("/tickets/{number}")]
pub(crate) async fn change(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    seen: IfMatch,
    body: Body<ChangeTicketBody>,
) -> Result<HttpResponse, TicketError> {
    let body = body.value;
    let changes = TicketChanges {
        subject: body.subject,
        status: body.status,
        priority: body.priority,
        queue_id: body.queue_id,
        assignee_id: body.assignee_id,
        tags: body.tags,
    };
    change_ticket::change_ticket(&app, &actor, *number, seen.0, changes).await.map(with_etag)
}

/// To which line and why.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandOverBody {
    /// The line that goes on.
    line: Line,
    /// Why.
    reason: Note,
    /// What was tried.
    tried: Option<Note>,
}

/// Hand a ticket over to another line
///
/// It is then assigned to nobody; the history keeps who handed it over, why, and what was tried.
#[utoipa::path(
    operation_id = "handOverTicket", tag = "tickets",
    params(("number" = i64, Path, description = "The ticket's number"), ("If-Match" = String, Header, description = "The ETag that you saw")), request_body = HandOverBody,
    responses(
        (status = 200, description = "The ticket afterwards", body = Ticket, headers(("ETag" = String))),
        (status = 404, description = "No such ticket for you"),
        (status = 412, description = "Somebody was first"),
        (status = 422, description = "Something in it is wrong"),
        (status = 428, description = "The If-Match header is missing"),
    )
)]
#[post("/tickets/{number}/hand-over")]
pub(crate) async fn hand_over(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    seen: IfMatch,
    body: Body<HandOverBody>,
) -> Result<HttpResponse, TicketError> {
    let HandOverBody { line, reason, tried } = body.value;
    change_ticket::hand_over(&app, &actor, *number, seen.0, line, reason, tried).await.map(with_etag)
}

/// A page of something that belongs to a ticket.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParameters {
    /// Where the page begins: `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// 1 to 100 rows; 50 by default.
    pub(crate) limit: Option<usize>,
}

/// List a ticket's history
///
/// Who changed what, from what to what, newest first.
#[utoipa::path(
    operation_id = "listTicketHistory", tag = "tickets",
    params(("number" = i64, Path, description = "The ticket's number"), PageParameters),
    responses(
        (status = 200, description = "A page of the history", body = Page<HistoryEntry>),
        (status = 404, description = "No such ticket for you"),
    )
)]
#[get("/tickets/{number}/history")]
pub(crate) async fn history(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    number: web::Path<TicketNumber>,
    Query(page): Query<PageParameters>,
) -> Result<web::Json<Page<HistoryEntry>>, TicketError> {
    let rows = limit(page.limit)?;
    show_ticket::list_history(&app, &actor, *number, page.cursor, rows).await.map(web::Json)
}
