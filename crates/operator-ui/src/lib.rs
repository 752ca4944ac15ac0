//! The operator web interface, built and embedded.
//!
//! `web/` holds the source; `npm run build` there writes `dist/operator`, which is embedded at compile time. This crate
//! serves nothing itself: the HTTP layer asks for [`asset`] by path and falls back to [`index`] for the addresses that
//! the interface routes on its own (`/inbox`, `/line1/10482`, …). The customer portal will be a second bundle beside
//! `dist/operator`, so that a customer never downloads operator code.

use std::borrow::Cow;
use std::fmt::Write as _;

use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "$OPERATOR_UI_FOLDER"]
struct Operator;

/// One file of the interface, ready to be sent.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The file as it is.
    pub bytes: Cow<'static, [u8]>,
    /// Brotli form, if the build made one (text files only).
    pub brotli: Option<Cow<'static, [u8]>>,
    /// Gzip form, if the build made one (text files only).
    pub gzip: Option<Cow<'static, [u8]>>,
    /// Value for `Content-Type`.
    pub media_type: &'static str,
    /// The name carries a hash of the content, so it may be cached for ever; otherwise ask again with the `etag`.
    pub immutable: bool,
    /// Strong entity tag of the plain bytes, with its quotes.
    pub etag: String,
}

/// The file at `path`, with or without the leading slash. `None` for an unknown path, and for the compressed forms,
/// which are a part of the file that they are made from.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.ends_with(".br") || path.ends_with(".gz") {
        return None;
    }
    Operator::get(path).map(|file| with_forms(path, file))
}

/// The page that starts the interface, for every address that is no file and belongs to no other route.
#[must_use]
pub fn index() -> Asset {
    asset("index.html").unwrap_or_else(|| Asset {
        bytes: Cow::Borrowed(b""),
        brotli: None,
        gzip: None,
        media_type: "text/html; charset=utf-8",
        immutable: false,
        etag: "\"empty\"".to_owned(),
    })
}

fn with_forms(path: &str, file: EmbeddedFile) -> Asset {
    Asset {
        brotli: Operator::get(&format!("{path}.br")).map(|form| form.data),
        gzip: Operator::get(&format!("{path}.gz")).map(|form| form.data),
        media_type: media_type(path),
        // Vite puts the hash into the names of everything below `assets/`, and of nothing else.
        immutable: path.starts_with("assets/"),
        etag: etag(&file.metadata.sha256_hash()),
        bytes: file.data,
    }
}

/// The first 128 bits of the hash tell two builds apart.
fn etag(hash: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in hash.iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Only what the build writes is listed; with `nosniff` an unknown type is a download and never a script.
fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_a_page_and_is_asked_for_again() {
        let index = index();
        assert!(index.bytes.starts_with(b"<!doctype html>"));
        assert_eq!(index.media_type, "text/html; charset=utf-8");
        assert!(!index.immutable);
        assert!(index.etag.starts_with('"') && index.etag.ends_with('"') && index.etag.len() == 34);
    }

    #[test]
    fn every_script_that_the_index_names_is_there_and_may_be_kept() {
        let page = String::from_utf8(index().bytes.into_owned()).unwrap();
        for name in page.split('"').filter(|part| part.starts_with("/assets/")) {
            let asset = asset(name).unwrap_or_else(|| panic!("{name} is named but not embedded"));
            assert!(asset.immutable, "{name}");
            assert!(asset.brotli.is_some() && asset.gzip.is_some(), "{name}");
        }
    }

    #[test]
    fn a_compressed_form_and_a_path_that_climbs_are_no_files() {
        for path in ["index.html.br", "index.html.gz", "../Cargo.toml", "/../Cargo.toml", "", "/", "assets"] {
            assert!(asset(path).is_none(), "{path}");
        }
    }
}
