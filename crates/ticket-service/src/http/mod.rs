//! The listener: one readable list of routes, and what stands around them.

pub mod api_keys;
mod attachments;
mod audit;
mod card;
mod cursor;
mod events;
pub(crate) mod extract;
mod from_bridge;
pub mod health;
mod messages;
pub mod openapi;
pub mod operators;
mod oversight;
mod problems;
mod public;
mod queues;
mod request_page;
mod search;
pub mod session;
mod tickets;
mod ui;
mod unread;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{Error, web};
use service_kit::http::{careful_headers, metrics, observe};
use utoipa_actix_web::service_config::ServiceConfig;
use utoipa_actix_web::{AppExt, scope};

use crate::app::App;

/// The routes that the interface consists of. What is registered here is described, and nothing else can be.
fn api(config: &mut ServiceConfig<'_>) {
    let v1 = scope("/api/v1")
        .configure(session::routes)
        .configure(operators::routes)
        .configure(tickets::routes)
        .configure(messages::routes)
        .configure(attachments::routes)
        .configure(card::routes)
        .configure(oversight::routes)
        .configure(events::routes)
        .configure(search::routes)
        .configure(queues::routes)
        .configure(api_keys::routes)
        .configure(audit::routes)
        .configure(from_bridge::routes)
        .configure(public::routes);
    config.service(v1);
    health::routes(config);
}

/// The description of the interface.
pub fn document() -> utoipa::openapi::OpenApi {
    let described = actix_web::App::new().into_utoipa_app().openapi(openapi::base()).configure(api);
    openapi::complete(described.split_for_parts().1)
}

/// The whole service as one actix application; made once per worker.
pub fn application(
    app: web::Data<App>,
    document: &utoipa::openapi::OpenApi,
) -> actix_web::App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    actix_web::App::new()
        .app_data(web::Data::new(app.ids.clone()))
        .app_data(web::Data::new(app.metrics.clone()))
        .app_data(web::Data::new(openapi::Routes::of(document)))
        .app_data(web::PayloadConfig::new(app.config.server.body_bytes_max))
        .app_data(unread::path_config())
        .app_data(app)
        .into_utoipa_app()
        .configure(api)
        .into_app()
        .configure(|config| openapi::docs(config, document))
        .configure(public::pages)
        .route("/metrics", web::get().to(metrics))
        .default_service(web::to(ui::otherwise))
        .wrap(from_fn(problems::finish))
        .wrap(from_fn(careful_headers))
        .wrap(from_fn(observe))
}
