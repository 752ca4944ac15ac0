//! The description of the interface (OpenAPI 3.1), made from the routes themselves, and the page that shows it.

use std::collections::BTreeSet;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::middleware::DefaultHeaders;
use actix_web::{HttpResponse, web};
use service_kit::Problem;
use service_kit::problem::FieldProblem;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::app::live::{PresenceUpdate, TicketUpdate};
use crate::http::extract::SESSION_COOKIE;

/// Swagger UI sets styles from its scripts, and draws its icons from `data:` addresses.
const DOCS_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'";
const DOCUMENT_PATH: &str = "/api/openapi.json";
const DOCS_PATH: &str = "/api/docs";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Guichet ticket service",
        description = "Everything that the operator interface does, and the public request form.\n\n\
            People sign in and carry a session cookie; programs carry an API key as `Authorization: Bearer gk_…`. \
            Errors are problem details (RFC 9457) with a stable `code`. Lists are paged by cursor. Times are RFC 3339 \
            in UTC. What a caller may not know of is 404.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, FieldProblem, TicketUpdate, PresenceUpdate)),
    tags(
        (name = "session", description = "Signing in, and the own account"),
        (name = "tickets", description = "Tickets within the caller's reach"),
        (name = "messages", description = "Requests, answers and internal notes"),
        (name = "attachments", description = "Files of messages"),
        (name = "customers", description = "The window on the CRM"),
        (name = "oversight", description = "Who looked at which customers, for supervisors"),
        (name = "search", description = "Full-text search"),
        (name = "live", description = "Live updates and presence"),
        (name = "queues", description = "Queues and tags"),
        (name = "operators", description = "The people of support"),
        (name = "api-keys", description = "Access for programs"),
        (name = "audit", description = "Who did what, on the record"),
        (name = "public", description = "For anybody"),
        (name = "health", description = "For load balancers and service managers"),
    )
)]
struct Base;

/// What stands in the document before any route.
pub(crate) fn base() -> OpenApi {
    let mut document = Base::openapi();
    let components = document.components.get_or_insert_default();
    let cookie = ApiKeyValue::with_description(SESSION_COOKIE, "Set by `POST /api/v1/session`.");
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key, `gk_…`, made by an administrator."))
        .build();
    components.add_security_scheme("api_key", SecurityScheme::Http(key));
    let bridge = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("A token that the CRM bridge has signed for one order."))
        .build();
    components.add_security_scheme("bridge", SecurityScheme::Http(bridge));
    components.responses.insert(String::from("Problem"), problem("Something else went wrong").into());
    let none: [&str; 0] = [];
    document.security =
        Some(vec![SecurityRequirement::new("session", none), SecurityRequirement::new("api_key", none)]);
    document
}

fn problem(description: &str) -> Response {
    let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
    Response::builder().description(description).content("application/problem+json", content).build()
}

/// Adds to every operation the answers that follow from what it is: no handler has to list them.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let has_parts = path.contains('{');
        for (_, operation) in operations_mut(item) {
            complete_operation(operation, has_parts);
        }
    }
    document
}

fn complete_operation(operation: &mut Operation, has_parts: bool) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && (status.starts_with('4') || status.starts_with('5'))
            && response.content.is_empty()
        {
            let described = problem(&response.description);
            response.content = described.content;
        }
    }
    let mut add = |status: &str, description: &str| {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_owned()).or_insert_with(|| problem(description).into());
    };
    // Public operations say so with an empty list of requirements of their own.
    if operation.security.is_none() {
        add("401", "`not_signed_in`");
        add("403", "`forbidden`, or `cross_site` for a change with a cookie from elsewhere");
    }
    if operation.request_body.is_some() {
        add("400", "`unreadable`: the body is not what it should be");
        add("413", "`too_large`");
        add("415", "`not_json` or `unsupported_media`");
        add("422", "`invalid`: `errors` names the members");
    }
    if has_parts {
        add("404", "Not found, or not for this caller");
    }
    let rest = RefOr::Ref(Ref::from_response_name("Problem"));
    operation.responses.responses.entry(String::from("default")).or_insert(rest);
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
        (HttpMethod::Patch, item.patch.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation?)))
}

/// The addresses of all operations, to tell a wrong method from a wrong address.
pub(crate) struct Routes(Vec<(Vec<String>, BTreeSet<&'static str>)>);

impl Routes {
    /// The addresses of a document.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut paths = document.paths.paths.clone();
        let all = paths.iter_mut().map(|(path, item)| {
            let methods = operations_mut(item).map(|(method, _)| match method {
                HttpMethod::Get => "GET",
                HttpMethod::Put => "PUT",
                HttpMethod::Post => "POST",
                HttpMethod::Delete => "DELETE",
                _ => "PATCH",
            });
            (path.split('/').map(str::to_owned).collect(), methods.collect())
        });
        Self(all.collect())
    }

    /// The methods that are possible at this address, separated by commas; empty for an unknown address.
    pub(crate) fn methods_of(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |pattern: &[String]| {
            pattern.len() == parts.len()
                && pattern
                    .iter()
                    .zip(&parts)
                    .all(|(pattern, part)| pattern == part || (pattern.starts_with('{') && !part.is_empty()))
        };
        let methods: BTreeSet<_> = self
            .0
            .iter()
            .filter(|(pattern, _)| fits(pattern))
            .flat_map(|(_, methods)| methods)
            .copied()
            .collect();
        methods.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// The document and the page that shows it.
pub(crate) fn docs(config: &mut web::ServiceConfig, document: &OpenApi) {
    let json = web::Bytes::from(document.to_json().unwrap_or_default());
    config
        .route(
            DOCUMENT_PATH,
            web::get().to(move || {
                let json = json.clone();
                async move { HttpResponse::Ok().content_type("application/json").body(json) }
            }),
        )
        .route(
            DOCS_PATH,
            web::get().to(|| async {
                HttpResponse::PermanentRedirect().insert_header((LOCATION, format!("{DOCS_PATH}/"))).finish()
            }),
        )
        .service(
            web::scope(DOCS_PATH)
                .wrap(DefaultHeaders::new().add((CONTENT_SECURITY_POLICY, DOCS_POLICY)))
                .service(SwaggerUi::new("/{_:.*}").config(Config::new([DOCUMENT_PATH]))),
        );
}
