//! Speaking with the service as one caller.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// One caller. Paths are below `/api/v1` unless they begin with `//`, as `//health/live`.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
}

pub(crate) fn http() -> reqwest::Client {
    // Connections are not kept: a test's runtime ends with the test, and its connections with it.
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(30))
        .build()
        .unwrap()
}

impl Client {
    pub(crate) fn new(http: reqwest::Client, base: String) -> Self {
        Self { http, base, headers: HeaderMap::new() }
    }

    /// The same caller, sending one more header with every request (or another value of it).
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
        client
    }

    /// The same caller without this header.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut client = self.clone();
        client.headers.remove(name);
        client
    }

    /// A browser with this session cookie, on one of our own pages.
    pub(crate) fn with_cookie(&self, token: &str) -> Self {
        self.with("Cookie", &format!("guichet_session={token}")).with("Sec-Fetch-Site", "same-origin")
    }

    /// A program with this API key.
    pub(crate) fn with_key(&self, secret: &str) -> Self {
        self.with("Authorization", &format!("Bearer {secret}"))
    }

    /// A change from this version.
    pub(crate) fn if_match(&self, version: impl std::fmt::Display) -> Self {
        self.with("If-Match", &format!("\"{version}\""))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Vec::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.json(Method::POST, path, body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.json(Method::PUT, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.json(Method::PATCH, path, body).await
    }

    /// Sends a JSON body.
    pub(crate) async fn json(&self, method: Method, path: &str, body: Value) -> Answer {
        let client = self.with("Content-Type", "application/json");
        client.send(method, path, body.to_string().into_bytes()).await
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Answer {
        Answer::read(self.begin(method, path, body).await).await
    }

    /// Sends, and leaves reading the answer to the caller: for streams.
    pub(crate) async fn begin(&self, method: Method, path: &str, body: Vec<u8>) -> reqwest::Response {
        let address = match path.strip_prefix('/') {
            Some(rooted) if rooted.starts_with('/') => format!("{}{rooted}", self.base),
            _ => format!("{}/api/v1{path}", self.base),
        };
        let request = self.http.request(method, address).headers(self.headers.clone());
        let request = if body.is_empty() { request } else { request.body(body) };
        request.send().await.unwrap()
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    /// Everything but the body.
    pub(crate) fn head(response: &reqwest::Response) -> Self {
        Self { status: response.status().as_u16(), headers: response.headers().clone(), bytes: Vec::new() }
    }

    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The body as JSON; null if it is none.
    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        self.body()
    }

    /// The stable code of a problem; empty for anything else.
    pub(crate) fn code(&self) -> String {
        self.body()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The problem that the answer must be. It must be complete: sentence, request id, media type, no cache.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.body();
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(body["status"], status);
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert!(body["detail"].as_str().is_some_and(|text| text.len() > 20), "no helpful sentence: {body}");
        body
    }

    /// What an `invalid` problem says about one member.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let body = self.problem(422, "invalid");
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        let found = errors.iter().find(|error| error["field"] == name);
        found.unwrap_or_else(|| panic!("nothing about {name}: {body}"))["message"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}
