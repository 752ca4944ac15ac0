//! Problem details: the one shape in which both services say that something went wrong (RFC 9457).

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong with one member of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldProblem {
    /// The member, as a path such as `requester.email`.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

/// The body of an answer that reports a problem (RFC 9457, `application/problem+json`).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// A stable relative reference that names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The stable code, for programs.
    code: Cow<'static, str>,
    /// The kind of problem in a few words.
    title: Cow<'static, str>,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do about it, for people.
    detail: String,
    /// Why, in one word of a set that the code names; for programs and for statistics.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'static, str>>,
    /// The id under which the log tells more.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// The members that are wrong, when the request was read but not accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    /// What is stored at present, when a write was refused because somebody else was first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    current: Option<serde_json::Value>,
    #[serde(skip)]
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    /// A problem with its stable code, HTTP status and title.
    pub fn new(code: &'static str, status: u16, title: &'static str) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            code: code.into(),
            title: title.into(),
            status,
            detail: String::new(),
            reason: None,
            request_id: None,
            errors: Vec::new(),
            current: None,
            headers: Vec::new(),
        }
    }

    /// Says what happened and what to do.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Says why in one word of a closed set.
    #[must_use]
    pub fn reason(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Adds a member that is wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldProblem { field: field.into(), message: message.into() });
        self
    }

    /// Adds what is stored at present.
    #[must_use]
    pub fn current(mut self, current: serde_json::Value) -> Self {
        self.current = Some(current);
        self
    }

    /// Adds an HTTP header to the answer, such as `Retry-After`.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Names the request under which the log tells more.
    #[must_use]
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// The stable code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What happened, for people.
    pub fn detail_text(&self) -> &str {
        &self.detail
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        for (name, value) in &self.headers {
            answer.insert_header((name.clone(), value.as_str()));
        }
        let mut answer = answer.json(self);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_written_as_rfc_9457_asks() {
        let problem = Problem::new("subject_missing", 422, "The subject is missing")
            .detail("Write a subject of at least one character.")
            .field("subject", "is empty");
        let body = serde_json::to_value(&problem).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "/problems/subject_missing", "code": "subject_missing", "title": "The subject is missing",
                "status": 422, "detail": "Write a subject of at least one character.",
                "errors": [{"field": "subject", "message": "is empty"}],
            })
        );
        let answer = problem.error_response();
        assert_eq!(answer.headers().get(CONTENT_TYPE).unwrap(), "application/problem+json");
    }
}
