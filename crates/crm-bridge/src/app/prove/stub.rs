//! A CRM that fails in every way, with all that it knows in what it says: none of it may come to light in an answer, a
//! log line or a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::ProveError;

/// The ways of failing, in their order.
pub(super) const WAYS: [&str; 9] = [
    "an error of its own (500)",
    "a refusal (403)",
    "a refusal of the fields (422)",
    "a page of HTML",
    "a JSON answer that breaks off",
    "a JSON answer of another shape",
    "broken UTF-8",
    "a redirect to another address",
    "a connection that closes",
];

/// A CRM that fails. Ends when it is dropped.
pub(super) struct Stub {
    pub(super) url: String,
    way: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Stub {
    /// Where it listens: host and port.
    pub(super) fn host(&self) -> &str {
        self.url.strip_prefix("http://").unwrap_or(&self.url).trim_end_matches('/')
    }

    /// Starts it; `secrets` is what it babbles.
    pub(super) async fn start(secrets: &[String]) -> Result<Self, ProveError> {
        let failed =
            |error: std::io::Error| ProveError::new(format!("no port is free on this machine: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let way = Arc::new(AtomicUsize::new(0));
        let (current, secrets) = (Arc::clone(&way), secrets.join(", "));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let answer = answer(current.load(Ordering::Relaxed), &secrets);
                let mut head = Vec::new();
                let mut piece = [0_u8; 4096];
                // The whole head; a body that comes after it is left unread.
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    match stream.read(&mut piece).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => head.extend_from_slice(piece.get(..count).unwrap_or_default()),
                    }
                }
                drop(stream.write_all(&answer).await);
                drop(stream.shutdown().await);
            }
        });
        Ok(Self { url, way, task })
    }

    /// From now on it fails in that way.
    pub(super) fn fail(&self, way: usize) {
        self.way.store(way, Ordering::Relaxed);
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(way: usize, secrets: &str) -> Vec<u8> {
    let with = |status: &str, kind: &str, more: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let json = "application/json";
    let error = format!("{{\"error\":\"{secrets}\",\"message\":\"{secrets}\"}}");
    match way {
        0 => with("500 Internal Server Error", json, "", &error),
        1 => with("403 Forbidden", json, "", &error),
        2 => with("422 Unprocessable Content", json, "", &error),
        3 => with("200 OK", "text/html", "", &format!("<html><body>{secrets}</body></html>")),
        4 => with("200 OK", json, "", &format!("{{\"items\":[{{\"name\":\"{secrets}")),
        5 => with("200 OK", json, "", &format!("[[\"{secrets}\",{{\"a\":\"{secrets}\"}}]]")),
        6 => {
            let mut bytes =
                with("200 OK", json, "", &format!("{{\"items\":[{{\"name\":\"{secrets} ??\"}}]}}"));
            bytes.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
            bytes
        }
        7 => {
            let target: String = secrets.chars().filter(char::is_ascii_alphanumeric).take(400).collect();
            with("302 Found", json, &format!("location: http://127.0.0.1:9/{target}\r\n"), &error)
        }
        _ => Vec::new(),
    }
}
