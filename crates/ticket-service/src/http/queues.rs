//! Queues and tags.

use actix_web::{HttpResponse, get, patch, post, web};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::App;
use crate::app::queues::{self, QueueChanges};
use crate::app::view::Queue;
use crate::domain::QueueName;
use crate::error::TicketError;
use crate::http::extract::{Body, Query, SignedIn};

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(list).service(add).service(change).service(tags);
}

/// List queues
#[utoipa::path(
    operation_id = "listQueues", tag = "queues",
    responses(
        (status = 200, description = "All queues in their order", body = [Queue]),
    )
)]
#[get("/queues")]
pub(crate) async fn list(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
) -> Result<web::Json<Vec<Queue>>, TicketError> {
    queues::list_queues(&app, &actor).await.map(web::Json)
}

/// A queue to add.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddQueueBody {
    /// Its name.
    name: QueueName,
}

/// Add a queue
#[utoipa::path(
    operation_id = "addQueue", tag = "queues", request_body = AddQueueBody,
    responses(
        (status = 201, description = "The queue", body = Queue),
        (status = 403, description = "Only administrators"),
        (status = 409, description = "The name is taken"),
        (status = 422, description = "Something in it is wrong"),
    )
)]
#[post("/queues")]
pub(crate) async fn add(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    body: Body<AddQueueBody>,
) -> Result<HttpResponse, TicketError> {
    Ok(HttpResponse::Created().json(queues::add_queue(&app, &actor, body.value.name).await?))
}

/// What to change; what is absent stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeQueueBody {
    /// Its name.
    name: Option<QueueName>,
    /// Its place in lists, from 0.
    position: Option<i32>,
    /// Whether new tickets may go there.
    active: Option<bool>,
}

/// Change a queue
#[utoipa::path(
    operation_id = "changeQueue", tag = "queues", params(("id" = String, Path, description = "The queue's id")),
    request_body = ChangeQueueBody,
    responses(
        (status = 200, description = "The queue afterwards", body = Queue),
        (status = 403, description = "Only administrators"),
        (status = 404, description = "No such queue"),
        (status = 409, description = "The name is taken"),
        (status = 422, description = "Something in it is wrong"),
    )
)]
#[patch("/queues/{id}")]
pub(crate) async fn change(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    id: web::Path<String>,
    body: Body<ChangeQueueBody>,
) -> Result<web::Json<Queue>, TicketError> {
    let body = body.value;
    let changes = QueueChanges { name: body.name, position: body.position, active: body.active };
    queues::change_queue(&app, &actor, id.into_inner(), changes).await.map(web::Json)
}

/// How the tags begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TagParameters {
    /// The first letters; all tags if it is not given.
    prefix: Option<String>,
}

/// List tags
///
/// Tags of the tickets that you may see, at most 20.
#[utoipa::path(
    operation_id = "listTags", tag = "queues", params(TagParameters),
    responses(
        (status = 200, description = "Tags in alphabetical order", body = [String]),
    )
)]
#[get("/tags")]
pub(crate) async fn tags(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    Query(parameters): Query<TagParameters>,
) -> Result<web::Json<Vec<String>>, TicketError> {
    queues::list_tags(&app, &actor, parameters.prefix.unwrap_or_default()).await.map(web::Json)
}
