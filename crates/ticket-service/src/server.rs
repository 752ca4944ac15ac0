//! Starting the service, and stopping it without losing anything.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{HttpServer, web};
use anyhow::Context;
use audit_log::chain::PublicKey;
use db_kit::Database;
use service_kit::token::read_key_file;
use service_kit::{Clock, Ids};

use crate::app::App;
use crate::app::audit::heads;
use crate::bridge::{self, BridgeClient};
use crate::config::Config;
use crate::http;
use crate::jobs::Runner;
use crate::store::MIGRATIONS;

/// Opens the database, brings it to this version's tables, and puts the service together.
///
/// # Errors
/// With a sentence that names what can't be used.
pub async fn open(config: Config) -> anyhow::Result<App> {
    let database = Database::open(&config.database).await.context("[database]")?;
    let applied = database.migrate(&MIGRATIONS).await?;
    if !applied.is_empty() {
        tracing::info!(db.migrations = applied.join(", "), "the database was brought up to date");
    }
    let clock = Clock::system();
    let ids = Ids::random(clock.clone());
    let way = BridgeClient::from_config(&config.bridge, clock.clone(), ids.clone())?;
    let key = audit_log::open_key(&config.audit.key_file, &config.database.url, &ids)?;
    let other_audit_key = other_audit_key(&config.audit.other_key_file)?;
    let bridge_key = bridge::verifier(&config.bridge, clock.clone())?;
    let mut app = App::new(config, database, clock, ids, key).with_bridge(way).with_bridge_key(bridge_key);
    app.other_audit_key = other_audit_key;
    Ok(app)
}

fn other_audit_key(file: &Path) -> anyhow::Result<Option<PublicKey>> {
    if file.as_os_str().is_empty() {
        return Ok(None);
    }
    let pem = read_key_file(file).context("[audit] other_key_file")?;
    Ok(Some(PublicKey::from_pem(pem.expose()).context("[audit] other_key_file")?))
}

/// A running listener.
pub struct Running {
    /// To stop it.
    pub handle: ServerHandle,
    /// Ends when the listener has stopped.
    pub ended: tokio::task::JoinHandle<std::io::Result<()>>,
    /// Where it listens, such as `http://127.0.0.1:8080`.
    pub address: String,
}

/// Listens and answers on threads of its own.
///
/// # Errors
/// If the address is taken or not ours.
pub fn listen(app: &App) -> std::io::Result<Running> {
    let settings = &app.config.server;
    let listener = TcpListener::bind(settings.listen)?;
    let address = format!("http://{}", listener.local_addr()?);
    let data = web::Data::new(app.clone());
    let document = Arc::new(http::document());
    let server = HttpServer::new(move || http::application(data.clone(), &document))
        .disable_signals()
        .shutdown_timeout(settings.shutdown_s);
    let server = match settings.workers {
        0 => server,
        workers => server.workers(workers),
    };
    let server = server.listen(listener)?.run();
    Ok(Running { handle: server.handle(), ended: tokio::spawn(server), address })
}

/// Serves until the process is asked to stop; then finishes what is in flight and closes the database.
///
/// # Errors
/// If the service can't start.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let listen_on = config.server.listen;
    let grace = Duration::from_secs(config.server.shutdown_s);
    let app = open(config).await?;
    app.store.follow_other_nodes()?;
    heads::started(&app).await?;
    let jobs = Runner::start(app.clone()).await?;
    let running = listen(&app).with_context(|| format!("[server] listen = {listen_on} can't be used"))?;
    announce(&running.address)?;
    service_kit::shutdown::signal_received().await;
    tracing::info!("stopping: requests in flight are finished");
    app.stop();
    if tokio::time::timeout(grace, running.handle.stop(true)).await.is_err() {
        tracing::warn!("some requests were not finished in time");
    }
    jobs.ended().await;
    heads::stopped(&app).await;
    app.store.database().close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Tells whoever started the service where it is. The log goes elsewhere, so this is the only line there.
fn announce(address: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    out.flush()
}
