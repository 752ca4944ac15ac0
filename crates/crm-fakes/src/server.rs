//! Carries requests to the CRM that is played, and its answers back.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, PayloadConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};

use crate::switch::Fault;
use crate::wire::{Answer, Call};
use crate::{Crm, World};

const BODY_BYTES_MAX: usize = 1_000_000;

pub(crate) fn start<C: Crm>(crm: Arc<C>, world: Arc<World>) -> io::Result<(String, ServerHandle)> {
    let port = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", port.local_addr()?);
    // Set once, here.
    let _ = world.url.set(url.clone());
    let server = HttpServer::new(move || {
        let (crm, world) = (Arc::clone(&crm), Arc::clone(&world));
        App::new().app_data(PayloadConfig::new(BODY_BYTES_MAX)).default_service(web::to(
            move |request: HttpRequest, body: Bytes| {
                let (crm, world) = (Arc::clone(&crm), Arc::clone(&world));
                async move { serve(&*crm, &world, &request, body).await }
            },
        ))
    })
    .workers(1)
    .disable_signals()
    .shutdown_timeout(1)
    .listen(port)?
    .run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok((url, handle))
}

async fn serve<C: Crm>(crm: &C, world: &World, request: &HttpRequest, body: Bytes) -> HttpResponse {
    let call = call_of(request, body);
    if world.switch.take(Fault::Slow) {
        tokio::time::sleep(world.switch.slow()).await;
    }
    let answer = if world.switch.take(Fault::Throttle) {
        crm.throttled(&call, world)
    } else if world.switch.take(Fault::ServerError) {
        quoting_error(crm.answer(&call, world))
    } else {
        crm.answer(&call, world)
    };
    world.log.note(world.now(), &call, &answer);
    response(answer)
}

/// 500 with a web page in which the record stands, as careless error pages do.
fn quoting_error(true_answer: Answer) -> Answer {
    let record = String::from_utf8_lossy(&true_answer.body).into_owned();
    let page = format!("<!doctype html><title>500</title><h1>Something broke</h1><pre>{record}</pre>");
    let mut answer = Answer::text(500, "text/html; charset=utf-8", page);
    (answer.asked, answer.forbidden) = (true_answer.asked, true_answer.forbidden);
    answer
}

fn call_of(request: &HttpRequest, body: Bytes) -> Call {
    let mut headers = BTreeMap::new();
    for (name, value) in request.headers() {
        headers.insert(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    // As in a form, but a path keeps its plus signs.
    let path = request.uri().path().replace('+', "%2B").replace('&', "%26");
    let path = serde_urlencoded::from_str::<Vec<(String, String)>>(&format!("p={path}"));
    Call {
        method: request.method().as_str().to_owned(),
        path: path.ok().and_then(|pairs| pairs.into_iter().next()).map_or(String::new(), |(_, path)| path),
        query: serde_urlencoded::from_str(request.query_string()).unwrap_or_default(),
        headers,
        body,
    }
}

fn response(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers {
        response.append_header((name, value));
    }
    response.body(answer.body)
}
