//! The listener for the CRM: its own address, its own keys, its own document.

mod caller;
mod events;
mod hooks;
mod open;
mod panel;
mod panel_page;
mod problems;
mod tickets;

use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use service_kit::Problem;
use service_kit::http as common;
use service_kit::metrics::Metrics;
use utoipa::OpenApi;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config as SwaggerConfig, SwaggerUi};

use crate::app::crm_api::CrmApi;
use crate::app::webhooks::Webhooks;

/// How the API introduces itself.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Guichet for the CRM",
        description = "Tickets of customers, for the CRM. Customers are named by the CRM's own ids. A ticket has the members that \
                       the ticket policy lists; messages, internal notes and names of operators never go.\n\n\
                       Every call carries a key, `Authorization: Bearer gck_…`, made by `crm-bridge crm-keys create` with the \
                       scopes that the operation names. Errors are problem details (RFC 9457) with a stable `code`; times are \
                       RFC 3339 in UTC. `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` say how much a key \
                       has left of its minute."
    ),
    modifiers(&KeyScheme),
    tags(
        (name = "tickets", description = "Tickets of a customer"),
        (name = "events", description = "What became of tickets"),
        (name = "panel", description = "A page for a frame in the CRM"),
    )
)]
struct Introduction;

struct KeyScheme;

impl utoipa::Modify for KeyScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A key of the CRM, `gck_…`."))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("crm_key", SecurityScheme::Http(scheme));
    }
}

/// The routes, in one list. The same for the server, the tests and the OpenAPI document.
fn routes(config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>) {
    config
        .service(tickets::list_tickets)
        .service(tickets::show_ticket)
        .service(open::open_ticket)
        .service(events::list_events)
        .service(panel::sign_panel_url)
        .service(panel::show_panel);
}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut document) =
        App::new().into_utoipa_app().openapi(Introduction::openapi()).configure(routes).split_for_parts();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document
}

/// What the listener needs.
#[derive(Clone)]
pub struct CrmListener {
    /// The use cases.
    pub api: CrmApi,
    /// Everything that is counted.
    pub metrics: Metrics,
    /// What the CRM may send by itself.
    pub webhooks: Webhooks,
    /// Who may show the panel in a frame, as the header says it.
    pub frame_ancestors: String,
}

/// Adds everything that one worker needs to an application.
fn configure(config: &mut web::ServiceConfig, listener: &CrmListener) {
    let swagger = SwaggerUi::new("/api/docs/{_:.*}")
        .config(SwaggerConfig::from("/api/openapi.json"))
        .url("/api/openapi.json", openapi());
    config
        .app_data(Data::new(listener.api.clone()))
        .app_data(Data::new(listener.api.bridge.ids.clone()))
        .app_data(Data::new(listener.metrics.clone()))
        .app_data(Data::new(panel::FrameAncestors(listener.frame_ancestors.clone())))
        .app_data(super::problems::json_config(listener.api.settings.body_bytes_max))
        .app_data(problems::path_config())
        .app_data(problems::query_config())
        .service(web::redirect("/api/docs", "/api/docs/"))
        .service(swagger)
        .route("/health/live", web::get().to(common::live))
        .app_data(Data::new(listener.webhooks.clone()))
        // Not in the document: what is sent here is the CRM's, and the profile describes it.
        .service(
            web::resource("/hooks/{path}")
                .app_data(web::PayloadConfig::new(listener.webhooks.body_bytes_max()))
                .route(web::post().to(hooks::take)),
        )
        // Before the panel itself, which would take it for a link.
        .route("/panel/style.css", web::get().to(panel::show_style));
    routes(&mut utoipa_actix_web::service_config::ServiceConfig::new(config));
    config.default_service(web::to(|| async { Err::<HttpResponse, Problem>(common::not_found().await) }));
}

/// A server on an open port. Runs when awaited; stops through its handle.
///
/// # Errors
/// If the port can't be used.
pub fn serve(listener: CrmListener, shutdown_timeout_s: u64, port: TcpListener) -> std::io::Result<Server> {
    let workers = listener.api.settings.workers.max(1);
    let server = HttpServer::new(move || {
        App::new()
            .configure(|config| configure(config, &listener))
            .wrap(from_fn(caller::limit_headers))
            .wrap(from_fn(common::careful_headers))
            .wrap(from_fn(panel::in_a_frame))
            .wrap(from_fn(common::observe))
    });
    Ok(server.workers(workers).disable_signals().shutdown_timeout(shutdown_timeout_s).listen(port)?.run())
}
