//! Files of messages: upload and download.

use actix_multipart::{Multipart, MultipartError};
use actix_web::body::SizedStream;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use serde::Deserialize;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::app::view::Attachment;
use crate::app::{App, attachments};
use crate::domain::Actor;
use crate::domain::file_name::FileName;
use crate::error::TicketError;
use crate::http::extract::{Query, SignedIn};

/// So much of a file is in memory at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Multipart adds at most so much around the file.
const MULTIPART_BYTES_EXTRA: u64 = 16 * 1024;
/// A page that somebody makes of a file all the same can do nothing.
const FILE_POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";
/// The kinds that are told to the browser; everything else is a heap of bytes.
const PLAIN_KINDS: [&str; 11] = [
    "application/pdf",
    "application/zip",
    "audio/mpeg",
    "audio/ogg",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/plain",
    "video/mp4",
];

/// The routes of this file.
pub(crate) fn routes(config: &mut ServiceConfig<'_>) {
    config.service(upload).service(download);
}

/// What a file sent as a raw body is called.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UploadParameters {
    /// The name; required for a raw body, and wins over the name in a form.
    name: Option<String>,
}

/// A form with one file.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form; the file itself is streamed")]
struct UploadForm {
    /// The file.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// Upload a file
///
/// As the part `file` of a form, or as a raw body with `?name=`. What it is, is judged by its content. It is yours until
/// you send it with a message (`attachment_ids`); unsent files are removed after a day.
#[utoipa::path(
    operation_id = "uploadAttachment", tag = "attachments", params(UploadParameters),
    request_body(content((UploadForm = "multipart/form-data"), (Vec<u8> = "application/octet-stream"))),
    responses(
        (status = 201, description = "The file", body = Attachment, headers(("Location" = String))),
        (status = 413, description = "`too_large`"),
        (status = 507, description = "`storage_full`: the disk is full; nothing was kept"),
    )
)]
#[post("/attachments")]
async fn upload(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    Query(parameters): Query<UploadParameters>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, TicketError> {
    refuse_announced(&app, &request)?;
    let is_form = header(&request, CONTENT_TYPE.as_str()).starts_with("multipart/form-data");
    let attachment = if is_form {
        upload_form(&app, &actor, parameters.name, Multipart::new(request.headers(), payload)).await?
    } else {
        let missing =
            || TicketError::invalid("name", "is missing; write ?name= with the file's name, or send a form");
        let name = parameters.name.filter(|name| !name.is_empty()).ok_or_else(missing)?;
        let content = payload.map_err(|error| broken_off(&error));
        attachments::upload(&app, &actor, FileName::cleaned(&name), content).await?
    };
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/v1/attachments/{}", attachment.id)))
        .json(attachment))
}

async fn upload_form(
    app: &App,
    actor: &Actor,
    name: Option<String>,
    mut form: Multipart,
) -> Result<Attachment, TicketError> {
    let part =
        form.next().await.ok_or_else(|| TicketError::invalid("file", "is missing; the form has no parts"))?;
    let part = part.map_err(|error| unreadable_form(&error))?;
    if part.name() != Some("file") {
        return Err(TicketError::invalid("file", "is missing; the form's only part must be named `file`"));
    }
    let called =
        part.content_disposition().and_then(|disposition| disposition.get_filename()).map(str::to_owned);
    let name = FileName::cleaned(&name.or(called).unwrap_or_default());
    let attachment =
        attachments::upload(app, actor, name, part.map_err(|error| unreadable_form(&error))).await?;
    match form.next().await {
        None => Ok(attachment),
        Some(_) => Err(TicketError::invalid("file", "is followed by another part; send one file at a time")),
    }
}

/// A file that is announced as too large is refused before it is sent.
fn refuse_announced(app: &App, request: &HttpRequest) -> Result<(), TicketError> {
    let bytes_max = app.files.bytes_max();
    let announced = header(request, CONTENT_LENGTH.as_str()).parse::<u64>().unwrap_or(0);
    if announced > bytes_max + MULTIPART_BYTES_EXTRA { Err(TicketError::TooLarge(bytes_max)) } else { Ok(()) }
}

fn header<'r>(request: &'r HttpRequest, name: &str) -> &'r str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn broken_off(error: &dyn std::fmt::Display) -> TicketError {
    TicketError::Unreadable(format!("The upload broke off: {error}"))
}

fn unreadable_form(error: &MultipartError) -> TicketError {
    TicketError::Unreadable(format!("The form can't be read: {error}"))
}

/// Download a file
///
/// Always as a download, never shown in place: a browser saves it and runs nothing of it.
#[utoipa::path(
    operation_id = "downloadAttachment", tag = "attachments", params(("id" = String, Path, description = "The file's id")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 500, description = "`file_gone`: the file is known but no longer on the disk"),
    )
)]
#[get("/attachments/{id}")]
async fn download(
    app: web::Data<App>,
    SignedIn(actor): SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, TicketError> {
    let (record, file) = attachments::open(&app, &actor, id.into_inner()).await?;
    let kind =
        PLAIN_KINDS.into_iter().find(|kind| *kind == record.media_type).unwrap_or("application/octet-stream");
    let bytes = u64::try_from(record.bytes).unwrap_or(0);
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CONTENT_DISPOSITION, FileName::cleaned(&record.name).content_disposition()))
        .insert_header((CONTENT_SECURITY_POLICY, FILE_POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "private, no-store"))
        .insert_header((ETAG, format!("\"{}\"", record.sha256)))
        .body(SizedStream::new(bytes, chunks(file))))
}

fn chunks(mut file: File) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    async_stream::try_stream! {
        loop {
            let mut chunk = bytes::BytesMut::with_capacity(CHUNK_BYTES);
            if file.read_buf(&mut chunk).await? == 0 {
                break;
            }
            yield chunk.freeze();
        }
    }
}
