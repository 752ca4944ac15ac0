//! The one place through which everything that the CRM does goes on the record: who, what, how it ended. Never a customer's
//! id, a subject or a text.

use audit_log::Event;

use super::{CrmApi, CrmError};

/// A call of the CRM.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// The key that was used; none if there was none that is valid.
    pub key_id: Option<&'a str>,
    /// What was asked for.
    pub operation: &'static str,
    /// The ticket, if the call is about one.
    pub ticket: Option<i64>,
    /// The request, to find it in the log.
    pub request_id: &'a str,
}

impl Call<'_> {
    /// What the audit log calls it.
    fn action(&self) -> &'static str {
        match self.operation {
            "list_tickets" => "crm.list_tickets",
            "show_ticket" => "crm.show_ticket",
            "open_ticket" => "crm.open_ticket",
            "list_events" => "crm.list_events",
            "sign_panel_url" => "crm.sign_panel_url",
            "show_panel" => "crm.show_panel",
            _ => "crm.call",
        }
    }
}

/// Records how a call ended and passes the outcome on.
///
/// # Errors
/// The call's own; [`CrmError::Database`] if it can't be recorded: then nothing is shown.
pub async fn record<T>(api: &CrmApi, call: &Call<'_>, outcome: Result<T, CrmError>) -> Result<T, CrmError> {
    let word = outcome.as_ref().map_or_else(word, |_| "ok");
    api.bridge.outward.metrics.call(call.operation, word);
    tracing::info!(
        crm.key = call.key_id.unwrap_or("none"),
        crm.operation = call.operation,
        crm.outcome = word,
        ticket.number = call.ticket,
        request.id = call.request_id,
        "a call of the CRM"
    );
    // A flood of wrong keys is counted; in the log of record it would only bury the rest.
    if call.key_id.is_some() || call.operation == "show_panel" && outcome.is_ok() {
        let event = api.bridge.event(call.key_id.unwrap_or("crm-panel"), call.action());
        let event = event.with("outcome", word);
        api.bridge.store.record(call.ticket.into_iter().fold(event, Event::ticket)).await?;
    }
    outcome
}

/// How a call failed, in a word.
fn word(error: &CrmError) -> &'static str {
    match error {
        CrmError::KeyInvalid => "key_invalid",
        CrmError::ScopeMissing(_) => "scope_missing",
        CrmError::TooMany(_) => "too_many",
        CrmError::TooManyUnknown(_) => "too_many_unknown",
        CrmError::NoPolicy => "no_policy",
        CrmError::CustomerUnknown => "customer_unknown",
        CrmError::TicketUnknown => "ticket_unknown",
        CrmError::Invalid(_) => "invalid",
        CrmError::IdempotencyMissing => "idempotency_missing",
        CrmError::IdempotencyMismatch => "idempotency_mismatch",
        CrmError::Forgotten(_) => "forgotten",
        CrmError::OpeningOff => "opening_off",
        CrmError::TicketServiceAway(_) => "ticket_service_away",
        CrmError::CrmUnavailable(_) => "crm_unavailable",
        CrmError::Database(_) | CrmError::Internal(_) => "failed",
    }
}
