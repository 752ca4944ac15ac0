//! Errors of the CRM's calls as problem details.

use actix_web::HttpRequest;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::web::{PathConfig, QueryConfig};
use service_kit::Problem;
use service_kit::http::RequestId;

use crate::app::crm_api::CrmError;

/// The problem for an error, with the id under which the log tells more.
pub(super) fn problem(error: &CrmError, request_id: &str) -> Problem {
    let problem = match error {
        CrmError::KeyInvalid => Problem::new("key_invalid", 401, "The key is not valid")
            .detail("Send a key as `Authorization: Bearer gck_…`; `crm-bridge crm-keys create` makes one.")
            .header(WWW_AUTHENTICATE, "Bearer"),
        CrmError::ScopeMissing(scope) => Problem::new("scope_missing", 403, "The key may not do that")
            .detail(format!("The operation needs a key with the scope {scope}. Make one, or use another.")),
        CrmError::TooMany(wait) => Problem::new("too_many_requests", 429, "Too many requests")
            .detail(format!("Wait {wait} seconds and try again."))
            .header(RETRY_AFTER, wait.to_string()),
        CrmError::TooManyUnknown(wait) => {
            Problem::new("too_many_unknown_customers", 429, "Too many unknown customers")
                .detail(format!(
                    "The key has asked for many customers that are not known. Wait {wait} seconds, and ask for ids that \
                     your CRM has."
                ))
                .header(RETRY_AFTER, wait.to_string())
        }
        CrmError::NoPolicy => Problem::new("ticket_policy_missing", 503, "Nothing may be read")
            .detail("The bridge has no ticket policy, so the CRM may read nothing. Set [ticket_policy] file."),
        CrmError::CustomerUnknown => Problem::new("customer_unknown", 404, "The customer is not known")
            .detail("Neither the bridge nor the CRM has a customer with this id. Check the id."),
        CrmError::TicketUnknown => Problem::new("ticket_unknown", 404, "No such ticket")
            .detail("This customer has no ticket with this number. List the customer's tickets."),
        CrmError::Invalid(fields) => fields.iter().fold(
            Problem::new("invalid", 422, "The request is not right")
                .detail("Correct the members listed under `errors` and send it again; nothing was changed."),
            |problem, (field, message)| problem.field(*field, message.clone()),
        ),
        CrmError::IdempotencyMissing => {
            Problem::new("idempotency_key_missing", 422, "The Idempotency-Key is missing").detail(
                "Send a header Idempotency-Key with a random text, the same one each time you repeat this order.",
            )
        }
        CrmError::IdempotencyMismatch => Problem::new("idempotency_mismatch", 422, "Key used before")
            .detail("This Idempotency-Key was used for another order. Use a new key for a new order."),
        CrmError::Forgotten(forgotten) => Problem::new("events_forgotten", 410, "The feed begins later")
            .detail(format!(
                "Events up to {forgotten} are no longer kept. Read the tickets anew and go on with after={forgotten}."
            )),
        CrmError::OpeningOff => Problem::new("opening_off", 503, "Tickets can't be opened here")
            .detail("The bridge knows no way to the ticket service. Set [crm_api] ticket_service_url."),
        CrmError::TicketServiceAway(_) => {
            tracing::warn!(error = %error, "an order of the CRM could not be carried out");
            Problem::new("ticket_service_unavailable", 503, "The helpdesk does not answer")
                .detail("Send the order again in a moment with the same Idempotency-Key; it is carried out once.")
                .header(RETRY_AFTER, "5")
        }
        CrmError::CrmUnavailable(trouble) => {
            Problem::new("crm_unavailable", 503, "The CRM can't be asked")
                .detail("The bridge can't ask the CRM whether it has this customer. Try again in a moment.")
                .reason(trouble.as_str())
                .header(RETRY_AFTER, "10")
        }
        CrmError::Database(error) if error.is_transient() => {
            tracing::error!(error = %error, "the database can't be used");
            Problem::new("database_unavailable", 503, "The bridge's database is not available")
                .detail("Try again in a moment.")
                .header(RETRY_AFTER, "1")
        }
        CrmError::Database(_) | CrmError::Internal(_) => {
            tracing::error!(error = %error, "a call of the CRM failed");
            Problem::new("internal_error", 500, "Internal error")
                .detail("This is a fault of the bridge. The log tells more under the request id.")
        }
    };
    problem.request_id(request_id)
}

/// A path with a part that is none, such as letters for a ticket's number: there is no such thing.
pub(super) fn path_config() -> PathConfig {
    PathConfig::default().error_handler(|_, request: &HttpRequest| {
        let problem = Problem::new("not_found", 404, "Not found")
            .detail("There is nothing at this address. The API is described at /api/docs.");
        problem.request_id(RequestId::of(request).as_str()).into()
    })
}

/// Parameters that can't be read.
pub(super) fn query_config() -> QueryConfig {
    QueryConfig::default().error_handler(|_, request: &HttpRequest| {
        let problem = Problem::new("invalid", 422, "The request is not right")
            .detail("A parameter behind the question mark is unknown or not a number. See /api/docs.");
        problem.request_id(RequestId::of(request).as_str()).into()
    })
}
