//! A small CRM with contacts, deals and invoices, for trying out and for tests; never deployed.
//!
//! It is honest about what real CRMs do: asked without `fields`, a contact comes with the company, its bank
//! account, deals, invoices and notes. And it can be told to misbehave; see [`behaviour::Fault`].

mod activities;
mod api;
pub mod behaviour;
pub mod calls;
pub mod crowd;
mod debug;
mod faults;
mod generate;
pub mod gone;
pub mod markers;
pub mod model;
mod plants;
mod store;
mod ui;
pub mod webhook;
pub mod wire;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::dev::{Server, Service};
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{App as WebApp, HttpRequest, HttpServer};
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde_json::{Value, json};

use behaviour::{Behaviour, Conduct};
use calls::Calls;
pub use generate::{Recipe, generate};
pub use store::Store;

const WORKERS: usize = 2;
const SHUTDOWN_S: u64 = 2;

/// How to run.
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The API key.
    pub secret: String,
    /// The data file; without one, nothing outlives the process.
    pub data: Option<PathBuf>,
    /// What to generate if there is no data yet.
    pub recipe: Recipe,
    /// Instead of generated records: so many customers that are made when they are asked for.
    pub crowd: Option<u64>,
    /// Whom to tell of changed contacts.
    pub webhook: Option<webhook::Target>,
    /// How to behave at the start.
    pub behaviour: Behaviour,
    /// Tells the time.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What every handler can reach.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) conduct: Conduct,
    pub(crate) calls: Calls,
    pub(crate) crowd: Option<crowd::Crowd>,
    pub(crate) gone: gone::Gone,
    pub(crate) activities: activities::Activities,
    pub(crate) webhook: Option<webhook::Target>,
    secret: String,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl App {
    pub(crate) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// `Err` carries the body of the refusal.
    pub(crate) fn authorise(&self, request: &HttpRequest) -> Result<(), Value> {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match given.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(key) if key == self.secret || self.is_for_writing(key) => Ok(()),
            _ => Err(json!({"error": "the Authorization header must carry the API key: Bearer KEY"})),
        }
    }

    /// The same for who makes and removes records: the API key with `-write` behind it.
    pub(crate) fn authorise_writing(&self, request: &HttpRequest) -> Result<(), Value> {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match given.and_then(|value| value.strip_prefix("Bearer ")) {
            Some(key) if self.is_for_writing(key) => Ok(()),
            _ => {
                Err(json!({"error": "records are made with another key: the API key with -write behind it"}))
            }
        }
    }

    fn is_for_writing(&self, key: &str) -> bool {
        key.strip_suffix("-write").is_some_and(|key| key == self.secret)
    }
}

/// A CRM that listens; `server` is a future that runs it.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Everything it keeps secret, if it was made with markers.
    pub markers: markers::MarkerList,
    /// Runs until it is stopped by a signal or through its handle.
    pub server: Server,
}

/// What time it is here: whoever follows changes goes by this clock.
fn http_date(now: Timestamp) -> HeaderValue {
    let text = now.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Opens the data and the port.
pub fn start(settings: Settings) -> Result<Running> {
    let store = Store::open(settings.data, settings.recipe)?;
    let markers = store.read(markers::collect);
    let app = Data::new(App {
        store,
        conduct: Conduct::new(settings.behaviour),
        calls: Calls::default(),
        crowd: settings.crowd.map(crowd::Crowd::new),
        gone: gone::Gone::default(),
        activities: activities::Activities::default(),
        webhook: settings.webhook,
        secret: settings.secret,
        clock: settings.clock,
    });
    let listener = TcpListener::bind(settings.listen)
        .with_context(|| format!("can't listen on {}: is something else there?", settings.listen))?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        let told = app.clone();
        WebApp::new()
            .app_data(app.clone())
            .wrap_fn(move |request, service| {
                let time = http_date(told.now());
                let answer = service.call(request);
                async move {
                    let mut answer = answer.await?;
                    answer.headers_mut().insert(header::DATE, time);
                    Ok(answer)
                }
            })
            .configure(api::routes)
            .configure(debug::routes)
            .configure(ui::routes)
    })
    .on_connect(faults::remember_socket)
    .workers(WORKERS)
    .shutdown_timeout(SHUTDOWN_S)
    .listen(listener)?
    .run();
    Ok(Running { address, markers, server })
}
