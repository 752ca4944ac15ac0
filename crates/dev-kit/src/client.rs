//! A small client for the ticket service's API, for filling it and for tests that need no more.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};

const VERSION_CONFLICT: u16 = 412;
const CHANGE_TRIES: usize = 10;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Somebody who calls the API: nobody, a person who signed in, or a program with a key.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    credential: Option<(&'static str, String)>,
}

/// An answer: its status, `ETag` and body (`null` if it has none).
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `ETag`, for `If-Match`.
    pub etag: Option<String>,
    /// JSON body.
    pub body: Value,
}

impl Client {
    /// A client that has not signed in.
    pub fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        Self { agent: config.into(), base: base.trim_end_matches('/').to_owned(), credential: None }
    }

    /// The same client with a session of this person.
    pub fn sign_in(&self, email: &str, password: &str) -> Result<Self> {
        let body = serde_json::json!({ "email": email, "password": password });
        let response = self.send(&Method::POST, "/api/v1/session", &[], Some(&body))?;
        let status = response.status();
        if status != 200 {
            bail!("{email} could not sign in ({status})");
        }
        let cookies = response.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let pairs: Vec<&str> = cookies.filter_map(|cookie| cookie.split(';').next()).collect();
        Ok(Self { credential: Some(("cookie", pairs.join("; "))), ..self.clone() })
    }

    /// The session's cookie, as the `Cookie` header has it.
    pub fn cookie(&self) -> Option<&str> {
        self.credential.as_ref().filter(|(name, _)| *name == "cookie").map(|(_, value)| value.as_str())
    }

    /// The same client with an API key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { credential: Some(("authorization", format!("Bearer {key}"))), ..self.clone() }
    }

    /// Calls the API and returns whatever it answers.
    pub fn call(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let mut response = self.send(method, path, headers, body)?;
        let text = response.body_mut().read_to_string()?;
        let etag = response.headers().get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        Ok(Answer { status: response.status().as_u16(), etag, body })
    }

    /// GET that must succeed.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.must(&Method::GET, path, &[], None).map(|answer| answer.body)
    }

    /// POST that must succeed.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.must(&Method::POST, path, &[], Some(body)).map(|answer| answer.body)
    }

    /// Changes a ticket whatever its version: asks for the version, sends it in `If-Match`, and begins again if
    /// somebody was quicker. `path` is the ticket's, `below` what is called below it (`/hand-over`, say).
    pub fn change_ticket(&self, method: &Method, path: &str, below: &str, body: &Value) -> Result<Value> {
        let target = format!("{path}{below}");
        for _ in 0..CHANGE_TRIES {
            let version = self.get(path)?["version"].as_i64().context("a ticket without a version")?;
            let tag = format!("\"{version}\"");
            let answer = self.call(method, &target, &[("if-match", &tag)], Some(body))?;
            if answer.status != VERSION_CONFLICT {
                return Self::succeeded(method, &target, answer).map(|answer| answer.body);
            }
        }
        bail!("{method} {target}: somebody else was quicker {CHANGE_TRIES} times")
    }

    fn must(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        Self::succeeded(method, path, self.call(method, path, headers, body)?)
    }

    fn succeeded(method: &Method, path: &str, answer: Answer) -> Result<Answer> {
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path} answered {}: {}", answer.status, answer.body);
        }
        Ok(answer)
    }

    fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<ureq::http::Response<ureq::Body>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            // What a browser sends from our own pages; without it a cookie may not write.
            .header("origin", &self.base)
            .header("sec-fetch-site", "same-origin");
        if let Some((name, value)) = &self.credential {
            request = request.header(*name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some(body) => {
                let request =
                    request.header("content-type", "application/json").body(serde_json::to_vec(body)?)?;
                self.agent.run(request)
            }
            None => self.agent.run(request.body(())?),
        };
        sent.with_context(|| format!("{method} {path} was not answered"))
    }
}
