//! Search.

use actix_web::{get, web};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::list_tickets::{self, FoundTicket};
use crate::app::view::Page;
use crate::error::TicketError;
use crate::http::extract::{Query, SignedIn};
use crate::http::tickets::limit;

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(search);
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParameters {
    /// Words that must all occur; the last one may be a beginning. Or a ticket's number.
    q: String,
    /// Where the page begins: `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 100 rows; 50 by default.
    limit: Option<usize>,
}

/// Search tickets
///
/// Looks into subjects, names, addresses and messages of the tickets that you may see; newest first.
#[utoipa::path(
    operation_id = "searchTickets", tag = "search", params(SearchParameters),
    responses(
        (status = 200, description = "A page of found tickets", body = Page<FoundTicket>),
        (status = 422, description = "No word to look for"),
    )
)]
#[get("/search")]
pub(crate) async fn search(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    Query(parameters): Query<SearchParameters>,
) -> Result<web::Json<Page<FoundTicket>>, TicketError> {
    let rows = limit(parameters.limit)?;
    let before = parameters.cursor.map(|cursor| cursor.parse::<i64>()).transpose();
    let before = before
        .map_err(|_| TicketError::invalid("cursor", "is none that this search gave; begin without one"))?;
    list_tickets::search_tickets(&app, &actor, parameters.q, before, rows).await.map(web::Json)
}
