//! A CRM that sees whole requests, bodies and headers, and answers each as a function says; and profiles to ask it with.

use std::sync::{Arc, Mutex};

use crm_bridge::connector::Connector;
use crm_bridge::start::{self, Around};
use serde_json::Value;
use service_kit::Ids;
use service_kit::metrics::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Town, json_answer};

/// A CRM that remembers what it was asked.
pub(crate) struct Wire {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    pub(crate) async fn answering(answer: impl Fn(&str) -> Vec<u8> + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let answer = std::rc::Rc::new(answer);
        tokio::task::spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), std::rc::Rc::clone(&answer));
                tokio::task::spawn_local(async move {
                    let request = read(&mut stream).await;
                    seen.lock().unwrap().push(request.clone());
                    let _ = stream.write_all(&answer(&request)).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self { url, requests }
    }

    /// The requests so far whose first line has that in it.
    pub(crate) fn with(&self, what: &str) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|one| one.lines().next().is_some_and(|line| line.contains(what)))
            .cloned()
            .collect()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> String {
    let (mut request, mut piece) = (Vec::new(), [0_u8; 4096]);
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => request.extend_from_slice(&piece[..count]),
        }
    }
}

/// Answers with a list of people that have these ids and addresses `ID@x.example`.
pub(crate) fn people(ids: &[&str], more: &Value) -> Vec<u8> {
    let items: Vec<Value> = ids
        .iter()
        .map(|id| serde_json::json!({ "id": id, "email": format!("{id}@x.example"), "full_name": format!("Person {id}") }))
        .collect();
    let mut body = serde_json::json!({ "items": items });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json_answer(&body)
}

/// The sandbox's profile with these tables instead of its own, in a file that goes with the folder.
pub(crate) fn profile(folder: &tempfile::TempDir, change: impl Fn(String) -> String) -> String {
    let text = include_str!("../../../../config/profiles/sandbox.toml").to_owned();
    let file = folder.path().join("wire.toml");
    std::fs::write(&file, change(text)).unwrap();
    file.display().to_string()
}

/// A table of a profile replaced by another.
pub(crate) fn with_table(text: &str, name: &str, table: &str) -> String {
    let begin = text.find(&format!("[{name}]\n")).unwrap();
    let rest = text.get(begin + 1..).unwrap();
    let end = rest.find("\n[").map_or(text.len(), |end| begin + 1 + end);
    format!("{}{table}\n{}", text.get(..begin).unwrap(), text.get(end..).unwrap())
}

/// A line of a profile replaced by another.
pub(crate) fn with_line(text: &str, begins: &str, line: &str) -> String {
    let old = text.lines().find(|known| known.starts_with(begins)).unwrap();
    text.replacen(old, line, 1)
}

impl Town {
    /// A connector as another process on the same database would have it.
    pub(crate) fn another_process(&self, seed: u64) -> Connector {
        let profile = self.config.profile().unwrap();
        let policy = start::policy(&self.config, &profile).unwrap();
        let metrics = Metrics::new("other");
        let counts = crm_bridge::app::BridgeMetrics::new(&metrics);
        let ids = Ids::seeded(self.clock.clone(), seed);
        let around = Around {
            clock: &self.clock,
            ids: &ids,
            metrics: &metrics,
            counts: &counts,
            database: Some(self.database.database()),
        };
        start::connector(&self.config, &policy, profile, &around).unwrap()
    }
}
