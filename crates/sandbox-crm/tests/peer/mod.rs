//! A CRM in this process and a client for it.
#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "only tests use it, and each test file uses its own part"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use sandbox_crm::behaviour::Behaviour;
use sandbox_crm::{Recipe, Settings};
use serde_json::Value;

pub(crate) const KEY: &str = "test-key";

pub(crate) struct Peer {
    pub(crate) http: reqwest::Client,
    base: String,
    handle: ServerHandle,
}

/// The one instant at which everything in these tests happens.
pub(crate) fn now() -> jiff::Timestamp {
    "2026-11-21T15:00:00Z".parse().unwrap()
}

impl Peer {
    pub(crate) fn start() -> Self {
        Self::run(None, None)
    }

    pub(crate) fn with_data(file: &Path) -> Self {
        Self::run(Some(file.to_owned()), None)
    }

    pub(crate) fn with_crowd(size: u64) -> Self {
        Self::run(None, Some(size))
    }

    fn run(data: Option<PathBuf>, crowd: Option<u64>) -> Self {
        let running = sandbox_crm::start(Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            secret: KEY.to_owned(),
            data,
            recipe: Recipe { seed: 5, customers: 40, marked: false, today: jiff::civil::date(2026, 11, 21) },
            crowd,
            webhook: None,
            behaviour: Behaviour::default(),
            clock: Arc::new(now),
        })
        .unwrap();
        let handle = running.server.handle();
        actix_web::rt::spawn(running.server);
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, base: format!("http://{}", running.address), handle }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) async fn stop(self) {
        self.handle.stop(true).await;
    }

    pub(crate) fn call(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(self.url(path)).bearer_auth(KEY)
    }

    pub(crate) async fn try_get(&self, path: &str) -> (u16, Value) {
        let answer = self.call(path).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.try_get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.http.patch(self.url(path)).bearer_auth(KEY).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn delete(&self, path: &str) -> u16 {
        self.http.delete(self.url(path)).bearer_auth(KEY).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn behave(&self, behaviour: Value) {
        let answer = self.http.put(self.url("/debug/behaviour")).json(&behaviour).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        self.http.get(self.url(path)).send().await.unwrap().text().await.unwrap()
    }
}
