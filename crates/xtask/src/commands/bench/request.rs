//! Requests as bytes, made before measuring.

use anyhow::{Context, Result};

/// `GET` of a path; `headers` are whole lines, each with its line end.
pub(super) fn get(url: &str, path: &str, headers: &str) -> Result<Vec<u8>> {
    Ok(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n{headers}\r\n", host(url)?).into_bytes())
}

/// `POST` of JSON.
pub(super) fn post(url: &str, path: &str, headers: &str, body: &str) -> Result<Vec<u8>> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n",
        host(url)?,
        body.len()
    );
    Ok((head + body).into_bytes())
}

fn host(url: &str) -> Result<&str> {
    url.strip_prefix("http://").context("the address does not begin with http://")
}

/// Asks for one after the other, again and again.
pub(super) fn in_turn(requests: &[Vec<u8>]) -> impl FnMut(u64, &mut Vec<u8>) + '_ {
    let mut turn = requests.iter().cycle();
    move |_, request| {
        if let Some(next) = turn.next() {
            request.extend_from_slice(next);
        }
    }
}
