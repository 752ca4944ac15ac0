//! Errors as problem details. The one place where a use case's error gets a status and a sentence for people.

use actix_web::HttpRequest;
use actix_web::error::JsonPayloadError;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::JsonConfig;
use bridge_contract::BudgetWindow;
use db_kit::DbError;
use service_kit::Problem;
use service_kit::http::RequestId;

use crate::app::BridgeError;
use crate::oversight::budget::Verdict;

/// The problem for an error, with the id under which the log tells more.
pub(super) fn problem(error: &BridgeError, request_id: &str) -> Problem {
    let problem = match error {
        BridgeError::GrantRefused(why) => {
            Problem::new("grant_refused", 403, "The grant does not cover the question")
                .detail(format!("The token was signed for something else: {why}."))
        }
        BridgeError::LookupMissing => Problem::new("lookup_missing", 422, "Nothing to look up")
            .detail("Send a mail address or a phone number; what was sent is neither."),
        BridgeError::CustomerUnknown => Problem::new("customer_unknown", 404, "The customer is not known")
            .detail("There is no such customer for this ticket. Look the customer up again."),
        BridgeError::CustomerErased => Problem::new("customer_erased", 410, "The customer has been erased")
            .detail("The CRM has no record of this customer any more, so there is nothing to show."),
        BridgeError::FieldNotRevealable => {
            Problem::new("field_not_revealable", 403, "The field stays hidden")
                .detail("The field policy does not let this role see this field in clear.")
        }
        BridgeError::BudgetSpent { verdict, wait_ms } => budget_spent(*verdict, *wait_ms),
        BridgeError::CeilingReached { wait_ms } => {
            let wait_s = (*wait_ms).max(0).saturating_add(999).div_euclid(1_000);
            Problem::new("customer_ceiling", 429, "The helpdesk has seen enough customers for this hour")
                .detail(
                    "All operators together have looked at as many customers as ceiling.customers_per_hour allows. If that is \
                     ordinary work, the setting is too low; if not, find out who asks.",
                )
                .header(RETRY_AFTER, wait_s.to_string())
        }
        BridgeError::NoticeUnknown => Problem::new("notice_unknown", 404, "There is no such notice")
            .detail("The notice is not known. Read the list again."),
        BridgeError::OwnNotice => Problem::new("own_notice", 403, "The notice is about yourself")
            .detail("Somebody else has to acknowledge what you did yourself. Ask another supervisor."),
        BridgeError::CrmUnavailable(trouble) => {
            let problem = Problem::new("crm_unavailable", 503, "The CRM can't be asked")
                .detail(trouble.sentence())
                .reason(trouble.as_str());
            problem.header(RETRY_AFTER, "10")
        }
        BridgeError::AuditConflict(reason) => {
            Problem::new("audit_head_conflict", 409, "The heads of the audit logs do not fit")
                .detail(
                    "One of both logs was cut off, rewritten, set back or begun anew. Run `audit verify` in both services.",
                )
                .reason(reason)
        }
        BridgeError::Database(error) if error.is_transient() => {
            tracing::error!(error = %error, "the database can't be used");
            Problem::new("database_unavailable", 503, "The bridge's database is not available")
                .detail("The question can be asked again in a moment.")
                .header(RETRY_AFTER, "1")
        }
        BridgeError::Database(error) => internal(error),
        BridgeError::Internal(what) => {
            tracing::error!(what, "something that cannot be");
            Problem::new("internal_error", 500, "Internal error")
                .detail("This is a fault of the bridge. The log tells more under the request id.")
        }
    };
    problem.request_id(request_id)
}

fn budget_spent(verdict: Verdict, wait_ms: i64) -> Problem {
    let problem = match verdict {
        Verdict::GlassSpent => Problem::new(
            "break_glass_spent",
            429,
            "No more customers today, even with a reason",
        )
        .detail(
            "Every look beyond the budget that a day allows is used. A supervisor can look the customer up.",
        )
        .reason("day"),
        verdict => {
            let hour = verdict == Verdict::Spent(BudgetWindow::Hour);
            let (reason, time) = if hour { ("hour", "hour") } else { ("day", "day") };
            Problem::new("viewing_budget_spent", 429, "The viewing budget is spent")
                .detail(format!(
                    "This operator has looked at as many customers as a {time} allows. Wait until the {time} ends, ask a \
                     supervisor, or break the glass: give a reason, and every supervisor is told."
                ))
                .reason(reason)
        }
    };
    // Rounded up: whoever comes back then is not turned away again.
    problem.header(RETRY_AFTER, wait_ms.max(0).saturating_add(999).div_euclid(1_000).to_string())
}

fn internal(error: &DbError) -> Problem {
    tracing::error!(error = %error, "a database operation failed");
    Problem::new("internal_error", 500, "Internal error")
        .detail("This is a fault of the bridge. The log tells more under the request id.")
}

/// How bodies are read, and what is said about those that can't be.
pub(super) fn json_config(body_bytes_max: usize) -> JsonConfig {
    JsonConfig::default().limit(body_bytes_max).error_handler(move |error, request: &HttpRequest| {
        let problem = match &error {
            JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
                Problem::new("body_too_large", 413, "The question is too large")
                    .detail(format!("A question has at most {body_bytes_max} bytes."))
            }
            JsonPayloadError::ContentType => Problem::new("content_type_wrong", 415, "The question is not JSON")
                .detail("Send it with Content-Type: application/json."),
            JsonPayloadError::Deserialize(cause) if cause.is_data() => {
                Problem::new("body_invalid", 422, "The question is not of the expected shape").detail(format!(
                    "The member at line {}, column {} is unknown, missing, or of another type or version than the \
                     contract says.",
                    cause.line(),
                    cause.column()
                ))
            }
            _ => Problem::new("body_unreadable", 400, "The question can't be read")
                .detail("The body is not JSON in UTF-8."),
        };
        problem.request_id(RequestId::of(request).as_str()).into()
    })
}
