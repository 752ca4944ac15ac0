//! A client of the ticket service's interface: signs in as an operator, or comes with a key, and takes every answer as
//! it is.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ureq::http::{HeaderMap, Request};

/// Nothing here may take longer, however slow the CRM.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The JSON, if the status is the expected one.
    ///
    /// # Errors
    /// Another status; the message has the body.
    pub fn expect(self, status: u16) -> Result<Value> {
        ensure!(self.status == status, "{} instead of {status}: {}", self.status, self.text());
        Ok(self.json())
    }

    /// The code of a problem answer (RFC 9457), if it is a whole one: type, code, title, status, detail.
    ///
    /// # Errors
    /// It is none; the message has the body.
    pub fn problem(&self) -> Result<String> {
        let body = self.json();
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let whole = self.header("content-type").starts_with("application/problem+json")
            && body["status"] == self.status
            && text("title").is_some()
            && text("detail").is_some();
        let code = text("code").filter(|code| whole && body["type"] == format!("/problems/{code}").as_str());
        code.with_context(|| format!("{} is not a problem answer: {}", self.status, self.text()))
    }
}

/// Somebody who calls the ticket service.
#[derive(Clone)]
pub struct Api {
    base: String,
    agent: ureq::Agent,
    /// What is sent with each request.
    credentials: Option<(&'static str, String)>,
}

impl Api {
    /// A caller without credentials.
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(ANSWER_WITHIN));
        Self { base: base.to_owned(), agent: config.build().into(), credentials: None }
    }

    /// The same caller with an API key or a service token.
    #[must_use]
    pub fn with_bearer(&self, secret: &str) -> Self {
        Self { credentials: Some(("authorization", format!("Bearer {secret}"))), ..self.clone() }
    }

    /// Signs in.
    ///
    /// # Errors
    /// The service does not let the operator in.
    pub fn sign_in(&self, email: &str, password: &str) -> Result<Self> {
        let answer = self.post("/api/v1/session", &json!({"email": email, "password": password}))?;
        ensure!(answer.status == 200, "{email} can't sign in: {}", answer.text());
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default().to_owned();
        ensure!(cookie.starts_with("guichet_session="), "no session cookie: {cookie}");
        Ok(Self { credentials: Some(("cookie", cookie)), ..self.clone() })
    }

    /// The session cookie's value, for a browser.
    pub fn cookie(&self) -> &str {
        self.credentials.as_ref().map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Sends anything.
    ///
    /// # Errors
    /// No answer.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        // Writes with a cookie must come from the service's own pages.
        request = request.header("origin", &self.base);
        if let Some((name, value)) = &self.credentials {
            request = request.header(*name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let context = || format!("{method} {path}");
        let mut response = self.agent.run(request.body(body)?).with_context(context)?;
        let body =
            response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().with_context(context)?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// Reads an answer as it comes, for as long as [`ANSWER_WITHIN`] allows.
    ///
    /// # Errors
    /// No answer, or not a good one.
    pub fn stream(&self, path: &str) -> Result<impl Read + Send + 'static + use<>> {
        let mut request = Request::builder().uri(format!("{}{path}", self.base));
        if let Some((name, value)) = &self.credentials {
            request = request.header(*name, value);
        }
        let response = self.agent.run(request.body(())?)?;
        ensure!(response.status() == 200, "GET {path}: {}", response.status());
        Ok(response.into_body().into_reader())
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// No answer.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<Answer> {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        self.send(method, path, &headers, body.to_string().as_bytes())
    }

    /// Reads.
    ///
    /// # Errors
    /// No answer.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send("GET", path, &[], b"")
    }

    /// Creates.
    ///
    /// # Errors
    /// No answer.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.call("POST", path, &[], body)
    }

    /// Changes a ticket as it is now.
    ///
    /// # Errors
    /// No answer.
    pub fn change(&self, method: &str, path: &str, version: &Value, body: &Value) -> Result<Answer> {
        self.call(method, path, &[("if-match", &format!("\"{version}\""))], body)
    }
}

/// A text as one value of a query.
pub fn query(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
