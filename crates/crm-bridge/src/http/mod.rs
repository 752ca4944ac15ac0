//! The listener for the ticket service. Parses, calls, shapes; knows neither database nor CRM.

mod agreed_keys;
mod audit;
mod caller;
pub mod crm;
mod health;
mod oversight;
mod peers;
mod problems;
mod questions;
mod ticket_events;

use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use service_kit::Problem;
use service_kit::http as common;
use service_kit::metrics::Metrics;
use service_kit::token::Verifier;
use utoipa::OpenApi;
use utoipa_actix_web::AppExt;
use utoipa_swagger_ui::{Config as SwaggerConfig, SwaggerUi};

pub use self::peers::Peers;
use crate::app::policies::Live;
use crate::config::Config;

/// How the API introduces itself.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Guichet crm-bridge",
        description = "Two questions: who is this, and show the card. For the ticket service only: every question \
                       carries a token that it signed (EdDSA, or HS256 under a key agreed on; at most 60 seconds), naming \
                       purpose, operator, role, ticket and customer."
    ),
    modifiers(&TokenScheme)
)]
struct Introduction;

struct TokenScheme;

impl utoipa::Modify for TokenScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        let scheme = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("grant", SecurityScheme::Http(scheme));
    }
}

/// What a listener needs.
#[derive(Clone)]
pub struct Listener {
    /// The use cases, under the policy in force.
    pub bridge: Live,
    /// Checks grants.
    pub verifier: Verifier,
    /// From where it may be asked.
    pub peers: Peers,
    /// Everything that is counted.
    pub metrics: Metrics,
    /// Largest question.
    pub body_bytes_max: usize,
}

/// The routes, in one list. The same for the server, the tests and the OpenAPI document.
fn routes(config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>) {
    config
        .service(questions::resolve)
        .service(questions::card)
        .service(questions::reveal)
        .service(oversight::oversight)
        .service(questions::customer_changes)
        .service(audit::head)
        .service(agreed_keys::agree)
        .service(ticket_events::ticket_event)
        .service(health::live)
        .service(health::ready)
        .service(health::metrics);
}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut document) =
        App::new().into_utoipa_app().openapi(Introduction::openapi()).configure(routes).split_for_parts();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document
}

/// Adds everything that one worker needs to an application.
pub fn configure(config: &mut web::ServiceConfig, listener: &Listener) {
    let document = openapi();
    let swagger = SwaggerUi::new("/api/docs/{_:.*}")
        .config(SwaggerConfig::from("/api/openapi.json"))
        .url("/api/openapi.json", document);
    // First of all, because routes are tried in this order and those of the documents are patterns.
    routes(&mut utoipa_actix_web::service_config::ServiceConfig::new(config));
    config
        .app_data(Data::new(listener.bridge.clone()))
        .app_data(Data::new(listener.bridge.now().ids.clone()))
        .app_data(Data::new(listener.verifier.clone()))
        .app_data(Data::new(listener.peers.clone()))
        .app_data(Data::new(listener.metrics.clone()))
        .app_data(problems::json_config(listener.body_bytes_max))
        .service(web::redirect("/api/docs", "/api/docs/"))
        .service(swagger)
        .default_service(web::to(|| async { Err::<HttpResponse, Problem>(common::not_found().await) }));
}

/// A server on an open port. Runs when awaited; stops through its handle.
///
/// # Errors
/// If the port can't be used.
pub fn serve(listener: Listener, config: &Config, port: TcpListener) -> std::io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .configure(|config| configure(config, &listener))
            .wrap(from_fn(common::careful_headers))
            .wrap(from_fn(common::observe))
    });
    Ok(server
        .workers(config.server.workers.max(1))
        .disable_signals()
        .shutdown_timeout(config.server.shutdown_timeout_s)
        .listen(port)?
        .run())
}
