//! Calls the driven bridge and keeps every byte that it answers.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ProveError;
use super::look::{Place, PlaceKind, Scope};

/// How long one call may take.
const CALL_S: u64 = 60;

/// An answer with all its bytes.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) bytes: Vec<u8>,
    body_at: usize,
}

impl Answer {
    pub(super) fn body(&self) -> &[u8] {
        self.bytes.get(self.body_at..).unwrap_or_default()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(self.body()).unwrap_or(Value::Null)
    }
}

/// What is sent.
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

impl<'a> Call<'a> {
    pub(super) fn get(path: &'a str) -> Self {
        Self { method: "GET", path, headers: &[], body: b"" }
    }
}

/// Every byte that was answered so far.
#[derive(Default)]
pub(super) struct Tape(pub(super) Vec<Place>);

impl Tape {
    /// Calls, and keeps the answer as a place of that name.
    pub(super) async fn call(
        &mut self,
        address: &str,
        call: &Call<'_>,
        kind: PlaceKind,
        scope: Scope,
    ) -> Result<Answer, ProveError> {
        let within = std::time::Duration::from_secs(CALL_S);
        let answer = tokio::time::timeout(within, exchange(address, call)).await;
        let answer = answer
            .map_err(|_| ProveError::new(format!("the bridge did not answer {} in time", call.path)))?;
        let answer = answer
            .map_err(|error| ProveError::new(format!("the bridge did not answer {}: {error}", call.path)))?;
        // What stands behind the `?` is the question, not the answer; ids stand in the path.
        let name = format!("answer {} to {} {}", answer.status, call.method, without_ids(call.path));
        self.0.push(Place { name, kind, scope, bytes: answer.bytes.clone() });
        Ok(answer)
    }

    pub(super) fn keep(&mut self, name: String, kind: PlaceKind, scope: Scope, bytes: Vec<u8>) {
        self.0.push(Place { name, kind, scope, bytes });
    }
}

fn without_ids(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let mut segments: Vec<&str> = path.split('/').collect();
    if let Some(id) = segments.get_mut(3).filter(|_| path.starts_with("/v1/customers/")) {
        *id = "…";
    }
    for secret in ["panel", "hooks"] {
        if segments.get(1) == Some(&secret) && segments.get(2).is_some_and(|segment| segment.len() > 20) {
            segments.truncate(2);
        }
    }
    segments.join("/")
}

/// HTTP/1.0, so that a body comes in one piece: no borders of chunks in the middle of a value.
async fn exchange(address: &str, call: &Call<'_>) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let mut head = format!(
        "{} {} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}\r\n",
        call.method,
        call.path,
        call.body.len()
    );
    for (name, value) in call.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(call.body).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let status =
        bytes.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0);
    let body_at = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    Ok(Answer { status, bytes, body_at })
}
