//! Answers as no honest CRM sends them.

use std::convert::Infallible;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};

use crate::behaviour::Fault;

const CUT_AFTER: Duration = Duration::from_millis(50);
const CHUNK_BYTES: usize = 64 * 1024;
/// A character nobody uses; its bytes are replaced after serialising.
const STAND_IN: &str = "\u{e000}";
const NOT_UTF8: [u8; 3] = [0xff, 0xfe, 0x80];

/// The connection's socket, so that a fault can close it.
pub(crate) struct Socket(OwnedFd);

/// Remembers the socket of a new connection.
pub(crate) fn remember_socket(connection: &dyn std::any::Any, data: &mut Extensions) {
    let socket = connection.downcast_ref::<actix_web::rt::net::TcpStream>();
    if let Some(Ok(socket)) = socket.map(|socket| socket.as_fd().try_clone_to_owned()) {
        data.insert(Socket(socket));
    }
}

/// Answers with the fault instead of with `answer`.
pub(crate) fn answer(request: &HttpRequest, fault: &Fault, answer: Value) -> HttpResponse {
    match fault {
        Fault::Status { status } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            HttpResponse::build(status).json(json!({"error": "internal", "while_answering": answer}))
        }
        Fault::Html => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .body("<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"),
        Fault::Huge { bytes } => huge(*bytes),
        Fault::Empty => HttpResponse::Ok().content_type("application/json").finish(),
        Fault::Close => {
            if let Some(socket) = request.conn_data::<Socket>() {
                close(socket);
            }
            HttpResponse::Ok().finish()
        }
        Fault::Cut => cut(&answer),
        Fault::DeepJson { levels } => deep(*levels as usize),
        Fault::WrongTypes => HttpResponse::Ok().json(with_records(answer, wrong_types)),
        Fault::BrokenUtf8 => broken_utf8(answer),
        Fault::Redirect { to } => HttpResponse::TemporaryRedirect()
            .insert_header((header::LOCATION, format!("{to}{}", request.uri())))
            .finish(),
        Fault::SlowDrip { byte_every_ms } => drip(&answer, Duration::from_millis(*byte_every_ms)),
        Fault::IbanInPhone => HttpResponse::Ok().json(with_records(answer, iban_in_phone)),
        Fault::HideMembers { names } => {
            HttpResponse::Ok().json(with_records(answer, |record| without(record, names)))
        }
        Fault::TooManyRequests { retry_after_s } => HttpResponse::TooManyRequests()
            .insert_header((header::RETRY_AFTER, retry_after_s.to_string()))
            .json(json!({"error": "too many requests"})),
    }
}

fn close(socket: &Socket) {
    if let Ok(copy) = socket.0.try_clone() {
        // Already closed by the caller is closed too.
        TcpStream::from(copy).shutdown(Shutdown::Both).ok();
    }
}

fn huge(bytes: u64) -> HttpResponse {
    let start = Bytes::from_static(br#"{"items":[{"id":"ct_1","full_name":""#);
    let chunk = Bytes::from(vec![b'x'; CHUNK_BYTES]);
    let chunks = usize::try_from(bytes / CHUNK_BYTES as u64).unwrap_or(usize::MAX);
    let end = Bytes::from_static(br#""}],"next_cursor":null}"#);
    let body = stream::once(async { start })
        .chain(stream::repeat(chunk).take(chunks))
        .chain(stream::once(async { end }))
        .map(Ok::<_, Infallible>);
    HttpResponse::Ok().content_type("application/json").streaming(body)
}

fn cut(answer: &Value) -> HttpResponse {
    let mut half = answer.to_string().into_bytes();
    half.truncate(half.len() / 2);
    let half = Bytes::from(half);
    let body = stream::once(async { Ok(half) }).chain(stream::once(async {
        // Long enough for the first half to leave.
        tokio::time::sleep(CUT_AFTER).await;
        Err(io::Error::other("cut on purpose"))
    }));
    HttpResponse::Ok().content_type("application/json").streaming(body)
}

fn deep(levels: usize) -> HttpResponse {
    let body = format!(
        r#"{{"items":[{{"id":"ct_1","full_name":{}{}}}],"next_cursor":null}}"#,
        "[".repeat(levels),
        "]".repeat(levels)
    );
    HttpResponse::Ok().content_type("application/json").body(body)
}

fn broken_utf8(answer: Value) -> HttpResponse {
    let marked = with_records(answer, |value| each_text(value, |text| format!("{text}{STAND_IN}")));
    let mut body = Vec::new();
    let text = marked.to_string();
    for (at, part) in text.split(STAND_IN).enumerate() {
        if at > 0 {
            body.extend(NOT_UTF8);
        }
        body.extend(part.as_bytes());
    }
    HttpResponse::Ok().content_type("application/json").body(body)
}

fn drip(answer: &Value, pause: Duration) -> HttpResponse {
    let bytes = answer.to_string().into_bytes();
    let body = stream::iter(bytes).then(move |byte| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Infallible>(Bytes::copy_from_slice(&[byte]))
    });
    HttpResponse::Ok().content_type("application/json").streaming(body)
}

/// Applies a change to the record or records in an answer.
fn with_records(mut answer: Value, change: impl Fn(&Value) -> Value) -> Value {
    match answer.get_mut("items").and_then(Value::as_array_mut) {
        Some(items) => items.iter_mut().for_each(|item| *item = change(item)),
        None => answer = change(&answer),
    }
    answer
}

fn wrong_types(record: &Value) -> Value {
    let Some(members) = record.as_object() else { return record.clone() };
    let changed = members.iter().map(|(name, value)| {
        let wrong = match value {
            // What says who somebody is decides whether there is a record at all.
            _ if name == "id" || name == "merged_into" => value.clone(),
            Value::Null => json!(17),
            Value::Bool(flag) => json!([flag]),
            Value::Number(number) => json!({ "value": number }),
            Value::String(text) if text.len() % 3 == 0 => json!([text, [text]]),
            Value::String(text) if text.len() % 3 == 1 => json!({ "text": text }),
            Value::String(_) => json!(-1.5e300),
            Value::Array(items) => json!(items.len()),
            Value::Object(_) => json!("object"),
        };
        (name.clone(), wrong)
    });
    Value::Object(changed.collect())
}

fn without(record: &Value, names: &[String]) -> Value {
    let mut record = record.clone();
    if let Some(members) = record.as_object_mut() {
        members.retain(|name, _| !names.contains(name));
    }
    record
}

fn iban_in_phone(record: &Value) -> Value {
    const EXAMPLE: &str = "DE89370400440532013000";
    let mut record = record.clone();
    let iban = record["company"]["iban"].as_str().or(record["iban"].as_str()).unwrap_or(EXAMPLE).to_owned();
    if let Some(members) = record.as_object_mut() {
        for name in ["phone", "mobile"] {
            if members.contains_key(name) {
                members.insert(name.to_owned(), json!(iban));
            }
        }
    }
    record
}

fn each_text(value: &Value, change: impl Fn(&str) -> String + Copy) -> Value {
    match value {
        Value::String(text) => json!(change(text)),
        Value::Array(items) => items.iter().map(|item| each_text(item, change)).collect(),
        Value::Object(members) => {
            let changed = members.iter().map(|(name, value)| (name.clone(), each_text(value, change)));
            Value::Object(changed.collect())
        }
        other => other.clone(),
    }
}
