//! What no route answers: the operator interface for addresses of people, a problem for addresses of programs.

use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
    VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use operator_ui::Asset;
use service_kit::Problem;

use crate::http::openapi::Routes;

/// Addresses that belong to programs; the interface is never shown there.
const NOT_PAGES: [&str; 5] = ["/api", "/health", "/metrics", "/request", "/problems"];
/// Hashed names never change their content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// May be kept, but has to be asked for again.
const ASK_AGAIN: &str = "no-cache";

/// The default service.
pub(crate) async fn otherwise(
    request: HttpRequest,
    routes: web::Data<Routes>,
) -> Result<HttpResponse, Problem> {
    let path = request.path();
    let allowed = routes.methods_of(path);
    if !allowed.is_empty() {
        return Err(method_not_allowed(request.method(), &allowed));
    }
    let is_page = !NOT_PAGES
        .iter()
        .any(|start| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    if !is_page {
        return Err(not_found());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(method_not_allowed(request.method(), "GET, HEAD"));
    }
    let is_file =
        path.starts_with("/assets/") || path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    match operator_ui::asset(path) {
        Some(asset) => Ok(answer(&request, asset)),
        // An address of the interface's own, such as /line1/10482.
        None if !is_file => Ok(answer(&request, operator_ui::index())),
        None => Err(not_found()),
    }
}

fn not_found() -> Problem {
    Problem::new("not_found", 404, "Not found")
        .detail("There is nothing at this address. The API is described at /api/docs.")
}

fn method_not_allowed(method: &Method, allowed: &str) -> Problem {
    Problem::new("method_not_allowed", 405, "Not possible here")
        .detail(format!(
            "{method} is not possible at this address; {allowed} is. The API is described at /api/docs."
        ))
        .header(ALLOW, allowed)
}

/// A form of the file that the browser takes, or only the word that it has it already.
fn answer(request: &HttpRequest, asset: Asset) -> HttpResponse {
    let accepted =
        request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (bytes, encoding) = match (asset.brotli, asset.gzip) {
        (Some(bytes), _) if accepts(accepted, "br") => (bytes, Some("br")),
        (_, Some(bytes)) if accepts(accepted, "gzip") => (bytes, Some("gzip")),
        _ => (asset.bytes, None),
    };
    // Each form has bytes of its own and so a tag of its own.
    let etag = match encoding {
        Some(name) => format!("{}-{name}\"", asset.etag.trim_end_matches('"')),
        None => asset.etag,
    };
    let known =
        request.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let unchanged = known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag);
    let mut response = if unchanged { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, if asset.immutable { FOR_EVER } else { ASK_AGAIN }))
        .insert_header((ETAG, etag))
        .insert_header((VARY, HeaderValue::from_static("Accept-Encoding")));
    if unchanged {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, asset.media_type));
    if let Some(name) = encoding {
        response.insert_header((CONTENT_ENCODING, name));
    }
    response.body(bytes.into_owned())
}

/// Whether an `Accept-Encoding` names this encoding and does not rule it out (RFC 9110, 12.5.3).
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|part| {
        let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
        let quality = parameters.trim().strip_prefix("q=").and_then(|text| text.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case(encoding) && quality.is_none_or(|quality| quality > 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::accepts;

    #[test]
    fn an_encoding_is_taken_when_it_is_named_and_not_ruled_out() {
        assert!(accepts("gzip, deflate, br, zstd", "br") && accepts("br;q=0.5", "br"));
        assert!(!accepts("", "br") && !accepts("gzip, br;q=0", "br") && !accepts("brotli", "br"));
    }
}
