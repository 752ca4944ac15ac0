//! What can go wrong in the ticket service, and how it is told.
//!
//! Each variant has one stable code, one status and one public sentence that says what to do; [`TicketError::problem`]
//! is the only place where they meet HTTP. Causes that are nobody's business go to the log under the request id.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};
use db_kit::DbError;
use service_kit::Problem;

use crate::domain::ticket::{Status, TicketNumber};

/// Anything a use case can fail with.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// No session, an expired one, or an unknown API key.
    #[error("not signed in")]
    NotSignedIn,
    /// Wrong mail address or password; which of both is not told.
    #[error("wrong credentials")]
    CredentialsWrong,
    /// Signed in, but this is for somebody else. Only where existence is no secret.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// A write with a session cookie that did not come from our own pages.
    #[error("a cross-site request was refused")]
    CrossSite,
    /// The ticket does not exist for the caller.
    #[error("ticket {0} does not exist for the caller")]
    TicketNotFound(TicketNumber),
    /// Something else does not exist for the caller.
    #[error("{0} does not exist for the caller")]
    NotFound(&'static str),
    /// The request is not JSON, or not of the expected shape.
    #[error("unreadable request: {0}")]
    Unreadable(String),
    /// The body is announced as something else than JSON.
    #[error("the body is not announced as JSON")]
    NotJson,
    /// Members of the request are wrong: name and what is wrong.
    #[error("invalid input: {0:?}")]
    Invalid(Vec<(String, String)>),
    /// A change without saying which version it was made from.
    #[error("the If-Match header is missing")]
    IfMatchRequired,
    /// Somebody else changed the record first; what is stored now.
    #[error("version conflict")]
    VersionConflict(Box<serde_json::Value>),
    /// New messages arrived that the writer has not seen.
    #[error("messages arrived that the writer has not seen")]
    UnseenMessages(Box<serde_json::Value>),
    /// The life cycle has no such move for the caller.
    #[error("no move from {from} to {to}")]
    MoveRefused {
        /// Where the ticket is.
        from: Status,
        /// Where it should have gone.
        to: Status,
        /// Where it may go.
        allowed: Vec<Status>,
    },
    /// It exists already: what exists.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// The same Idempotency-Key with another request.
    #[error("an idempotency key was used for another request")]
    IdempotencyMismatch,
    /// Too often; when to try again, in seconds.
    #[error("too many attempts, wait {0} s")]
    TooMany(u64),
    /// More bytes than allowed; how many are.
    #[error("more than {0} bytes")]
    TooLarge(u64),
    /// The kind of file is not accepted.
    #[error("unsupported media type {0}")]
    UnsupportedMedia(String),
    /// An attached file is known but no longer on the disk; its id.
    #[error("the attached file {0} is not on the disk")]
    FileGone(String),
    /// The bridge refused to show or find the customer; its problem code.
    #[error("the bridge answered {code}")]
    Bridge {
        /// The bridge's stable code.
        code: String,
        /// The status for our caller.
        status: u16,
    },
    /// The operator has looked at as many customers as allowed.
    #[error("{code}, wait {retry_after_s} s")]
    BudgetSpent {
        /// The bridge's stable code: the budget, or the few looks beyond it.
        code: &'static str,
        /// When the next may be looked at, in seconds.
        retry_after_s: u64,
    },
    /// The database.
    #[error("database: {0}")]
    Database(#[from] DbError),
    /// Anything that must not happen; the cause is for the log only.
    #[error("internal: {0}")]
    Internal(String),
}

impl TicketError {
    /// One wrong member.
    pub fn invalid(field: impl Into<String>, message: impl ToString) -> Self {
        Self::Invalid(vec![(field.into(), message.to_string())])
    }

    /// How it is told over HTTP (RFC 9457).
    pub fn problem(&self) -> Problem {
        match self {
            Self::NotSignedIn => Problem::new("not_signed_in", 401, "Not signed in")
                .detail("Sign in, or send a valid API key as `Authorization: Bearer gk_…`."),
            Self::CredentialsWrong => Problem::new("credentials_wrong", 401, "Wrong mail address or password")
                .detail("The mail address or the password is wrong. Check both and try again."),
            Self::Forbidden(why) => Problem::new("forbidden", 403, "Not allowed").detail(*why),
            Self::CrossSite => Problem::new("cross_site", 403, "Request from another site")
                .detail("A change with a session cookie must come from this site's own pages; programs use an API key."),
            Self::TicketNotFound(number) => Problem::new("ticket_not_found", 404, "No such ticket")
                .detail(format!("There is no ticket {number} that you may see. Check the number, or ask its line.")),
            Self::NotFound(what) => Problem::new("not_found", 404, "Not found")
                .detail(format!("There is no such {what} that you may see. It may have been removed; reload the list.")),
            Self::Unreadable(why) => Problem::new("unreadable", 400, "The request can't be read")
                .detail(format!("{why}. Compare the request with the description at /api/docs.")),
            Self::NotJson => Problem::new("not_json", 415, "The body must be JSON")
                .detail("Send the body as JSON with the header `Content-Type: application/json`."),
            Self::Invalid(fields) => fields.iter().fold(
                Problem::new("invalid", 422, "The request is not right")
                    .detail("Correct the members listed under `errors` and send it again; nothing was changed."),
                |problem, (field, message)| problem.field(field, message),
            ),
            Self::IfMatchRequired => Problem::new("if_match_required", 428, "Which version?")
                .detail("Send the ETag of the version you changed in the If-Match header."),
            Self::VersionConflict(current) => Problem::new("version_conflict", 412, "Changed by somebody else")
                .detail("Somebody changed it in the meantime. `current` is what it is now; nothing of yours was saved.")
                .current((**current).clone()),
            Self::UnseenMessages(current) => Problem::new("unseen_messages", 409, "New messages arrived")
                .detail("New messages arrived while you wrote. Read them, then send again; your text was not sent.")
                .current((**current).clone()),
            Self::MoveRefused { from, to, allowed } => {
                let names: Vec<_> = allowed.iter().map(|status| status.as_str()).collect();
                let can = if names.is_empty() { String::from("nothing") } else { names.join(", ") };
                Problem::new("move_refused", 409, "The status can't change like that")
                    .detail(format!("A ticket that is {from} can't become {to}. It can become: {can}."))
            }
            Self::Exists(what) => Problem::new("exists", 409, "Exists already")
                .detail(format!("There is already {what}. Choose another, or change the existing one.")),
            Self::IdempotencyMismatch => Problem::new("idempotency_mismatch", 422, "Key used before")
                .detail("This Idempotency-Key was used for another request. Use a new key for a new request."),
            Self::TooMany(seconds) => Problem::new("too_many_attempts", 429, "Too many attempts")
                .detail(format!("Too many attempts. Wait {seconds} seconds and try again."))
                .header(RETRY_AFTER, seconds.to_string()),
            Self::TooLarge(bytes) => Problem::new("too_large", 413, "Too large")
                .detail(format!("At most {bytes} bytes are accepted here. Send less, or share a link.")),
            Self::UnsupportedMedia(kind) => Problem::new("unsupported_media", 415, "This kind of file is not accepted")
                .detail(format!("Files of the kind {kind} are not accepted. Send it as a picture, PDF, text or archive.")),
            Self::FileGone(_) => Problem::new("file_gone", 500, "The file is gone").detail(
                "The file is known but no longer on the disk. Ask the sender for it again, and give your administrator \
                 the request id.",
            ),
            Self::Bridge { code, status } => bridge_problem(code, *status),
            Self::BudgetSpent { code, retry_after_s } => {
                bridge_problem(code, 429).header(RETRY_AFTER, retry_after_s.to_string())
            }
            Self::Database(error) => database_problem(error),
            Self::Internal(_) => internal(),
        }
    }
}

fn bridge_problem(code: &str, status: u16) -> Problem {
    let detail = match code {
        "grant_refused" => "The bridge did not accept the request. Reload the ticket and try again.",
        "customer_erased" => "The customer was erased in the CRM. There is nothing left to show.",
        "field_not_revealable" => "Your role may not have this field shown. Ask your supervisor.",
        "viewing_budget_spent" => {
            "You have looked at as many customers as your budget allows. Wait, ask your supervisor, or give a reason: then \
             the card is shown, and every supervisor is told."
        }
        "break_glass_spent" => {
            "You have given reasons for as many customers as a day allows. Ask your supervisor to look this one up."
        }
        _ => "The customer data can't be had just now. The ticket works without it; try again in a minute.",
    };
    Problem::new("customer_data_unavailable", status, "No customer data").detail(detail).field("bridge", code)
}

fn database_problem(error: &DbError) -> Problem {
    match error {
        DbError::StorageFull => Problem::new("storage_full", 507, "The disk is full")
            .detail("Nothing was saved: the disk is full. Keep your text and tell your administrator."),
        error if error.is_transient() => Problem::new("busy", 503, "Busy")
            .detail("The database does not answer in time. Nothing was saved; try again in a few seconds.")
            .header(RETRY_AFTER, "5"),
        _ => internal(),
    }
}

fn internal() -> Problem {
    Problem::new("internal_error", 500, "Internal error").detail(
        "Something went wrong on our side. Nothing was saved. Try again; if it stays, give your administrator the \
         request id.",
    )
}

impl ResponseError for TicketError {
    fn status_code(&self) -> StatusCode {
        self.problem().status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let problem = self.problem();
        // A CRM that is away is no fault of this service, and the log has it from where the bridge was asked.
        if problem.status() >= 500 && !matches!(self, Self::Bridge { .. }) {
            tracing::error!(error.cause = %self, problem.code = problem.code(), "a request failed");
        }
        problem.error_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internal_cause_is_not_told() {
        let problem = TicketError::Internal("password=hunter2".into()).problem();
        assert_eq!((problem.status(), problem.code()), (500, "internal_error"));
        assert!(!serde_json::to_string(&problem).unwrap().contains("hunter2"));
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        assert_eq!(TicketError::from(DbError::StorageFull).problem().code(), "storage_full");
    }

    #[test]
    fn a_refused_move_says_which_moves_there_are() {
        let error =
            TicketError::MoveRefused { from: Status::Closed, to: Status::New, allowed: vec![Status::Open] };
        assert_eq!(
            error.problem().detail_text(),
            "A ticket that is closed can't become new. It can become: open."
        );
    }
}
