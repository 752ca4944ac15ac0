//! A request and an answer as plain data.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, percent-decoded, with the leading slash.
    pub path: String,
    /// The query in order, decoded.
    pub query: Vec<(String, String)>,
    /// Headers with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// The segments of the path.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// The first value of a parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a repeated parameter.
    pub fn params(&self, name: &str) -> Vec<&str> {
        self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// A parameter as a number.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.param(name)?.parse().ok()
    }

    /// Parameters that are none of these.
    pub fn unknown_params(&self, known: &[&str]) -> Vec<String> {
        let unknown = self.query.iter().map(|(key, _)| key).filter(|key| !known.contains(&key.as_str()));
        unknown.cloned().collect()
    }

    /// The same as sentences for [`Answer::forbidding`].
    pub fn undeclared(&self, known: &[&str]) -> Vec<String> {
        self.unknown_params(known).into_iter().map(|name| format!("parameter {name}")).collect()
    }

    /// A header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What follows a scheme word in `Authorization`, which is compared without regard to case.
    pub fn authorization(&self, scheme: &str) -> Option<&str> {
        let (word, rest) = self.header("authorization")?.split_once(' ')?;
        word.eq_ignore_ascii_case(scheme).then_some(rest.trim())
    }

    /// The body as JSON; `Null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as a form.
    pub fn form(&self) -> Vec<(String, String)> {
        serde_urlencoded::from_bytes(&self.body).unwrap_or_default()
    }

    /// A member of the form in the body.
    pub fn form_value(&self, name: &str) -> Option<String> {
        self.form().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// What is answered, and what the log is told about the request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
    /// Members that the request asked for, by the CRM's names.
    pub asked: Vec<String>,
    /// What the request touched that the bridge must never touch.
    pub forbidden: Vec<String>,
}

impl Answer {
    /// A status without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), asked: Vec::new(), forbidden: Vec::new() }
    }

    /// JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json;charset=UTF-8", body.to_string())
    }

    /// Any text.
    pub fn text(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        let mut answer = Self::empty(status).with("content-type", content_type);
        answer.body = Bytes::from(body.into());
        answer
    }

    /// A header more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Tells the log which members were asked for.
    #[must_use]
    pub fn asking<I: IntoIterator<Item = impl Into<String>>>(mut self, names: I) -> Self {
        self.asked.extend(names.into_iter().map(Into::into));
        self
    }

    /// Tells the log that something was touched that the bridge must never touch.
    #[must_use]
    pub fn forbidden(mut self, what: impl Into<String>) -> Self {
        let what = what.into();
        if !self.forbidden.contains(&what) {
            self.forbidden.push(what);
        }
        self
    }

    /// The same for several.
    #[must_use]
    pub fn forbidding<I: IntoIterator<Item = String>>(self, what: I) -> Self {
        what.into_iter().fold(self, Self::forbidden)
    }

    /// The body as JSON.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A message that the CRM sends to a receiver of webhooks.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Headers, content type included.
    pub headers: Vec<(String, String)>,
    /// Parameters that are added to the receiver's address.
    pub query: Vec<(String, String)>,
    /// Body.
    pub body: Bytes,
}

/// Text as it goes into a query or a form.
pub fn encode(text: &str) -> String {
    serde_urlencoded::to_string([("", text)])
        .map(|pair| pair.trim_start_matches('=').to_owned())
        .unwrap_or_default()
}
