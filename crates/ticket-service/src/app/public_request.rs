//! A request from anybody, through the public form or its API.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use service_kit::Timestamp;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::app::App;
use crate::app::open_ticket::{NewRequester, NewTicket, open_public_request};
use crate::app::rate_limit::caller_of;
use crate::domain::html::MessageBody;
use crate::domain::{
    Channel, EmailAddress, InvalidText, PersonName, PhoneNumber, Priority, Subject, TicketNumber,
};
use crate::error::TicketError;
use crate::store::idempotency::IdempotencyKey;

/// What anybody may send.
#[derive(Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicRequest {
    /// Who asks.
    #[schema(max_length = 120)]
    pub name: String,
    /// The address to answer to.
    #[schema(max_length = 254)]
    pub email: String,
    /// A phone number, if they want to give one.
    #[serde(default)]
    #[schema(max_length = 40)]
    pub phone: String,
    /// What it is about.
    #[schema(max_length = 200)]
    pub subject: String,
    /// The request itself.
    pub text: String,
    /// Leave it empty: people do not see this member, programs that fill in everything do.
    #[serde(default)]
    pub website: String,
    /// When the form was opened (RFC 3339); nobody fills it in within a moment.
    pub opened_at: String,
    /// Any random text: the same request sent twice with it is opened once.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub form_id: String,
}

impl std::fmt::Debug for PublicRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[personal]")
    }
}

/// The answer to a request that was taken.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct TakenRequest {
    /// The number of the new ticket.
    pub number: TicketNumber,
}

/// Opens a ticket for anybody.
///
/// # Errors
/// [`TicketError::Invalid`] with everything that is wrong at once; [`TicketError::TooMany`] after too many requests
/// from one network. Nothing of it is kept; whoever shows a form keeps what was typed.
pub async fn take(app: &App, address: IpAddr, request: &PublicRequest) -> Result<TicketNumber, TicketError> {
    let seconds_min = i64::from(app.config.limits.form_seconds_min);
    let new = check(request, app.clock.now(), seconds_min).map_err(TicketError::Invalid)?;
    app.limits.form_address.attempt(&caller_of(address)).map_err(TicketError::TooMany)?;
    let number = open_public_request(app, new, idempotency_key(request)).await?;
    tracing::info!(ticket.number = number.0, "a request came in through the public form");
    Ok(number)
}

/// The same text under the same form is one request; another text is another, whatever the browser kept.
fn idempotency_key(request: &PublicRequest) -> Option<IdempotencyKey> {
    if request.form_id.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    for part in
        [&request.form_id, &request.name, &request.email, &request.phone, &request.subject, &request.text]
    {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part);
    }
    let fingerprint = hex::encode(hash.finalize());
    Some(IdempotencyKey { key: fingerprint.clone(), fingerprint })
}

fn check(
    request: &PublicRequest,
    now: Timestamp,
    seconds_min: i64,
) -> Result<NewTicket, Vec<(String, String)>> {
    let mut wrong = Vec::new();
    let mut note = |field: &str, message: String| wrong.push((field.to_owned(), message));
    let phone = Some(request.phone.trim()).filter(|phone| !phone.is_empty());
    let name = kept("name", PersonName::new(&request.name), &mut note);
    let email = kept("email", EmailAddress::new(&request.email), &mut note);
    let phone = phone.map(|phone| kept("phone", PhoneNumber::new(phone), &mut note));
    let subject = kept("subject", Subject::new(&request.subject), &mut note);
    let body = kept("text", MessageBody::from_text(&request.text), &mut note);
    if !request.website.is_empty() {
        note("website", "must stay empty; people do not see it".into());
    }
    match request.opened_at.parse::<Timestamp>() {
        Ok(opened_at) if now.since_ms(opened_at) >= seconds_min * 1000 => {}
        Ok(_) => note(
            "opened_at",
            format!("is less than {seconds_min} seconds ago; wait a moment and send it again"),
        ),
        Err(error) => note("opened_at", error.to_string()),
    }
    let requester = name.zip(email).map(|(name, email)| NewRequester { name, email, phone: phone.flatten() });
    match (requester, subject, body) {
        (Some(requester), Some(subject), Some(body)) if wrong.is_empty() => Ok(NewTicket {
            subject,
            body,
            requester,
            queue_id: None,
            priority: Priority::Normal,
            line: None,
            tags: BTreeSet::new(),
            channel: Channel::WebForm,
            attachment_ids: Vec::new(),
        }),
        _ => Err(wrong),
    }
}

fn kept<T>(field: &str, text: Result<T, InvalidText>, note: &mut impl FnMut(&str, String)) -> Option<T> {
    text.map_err(|error| note(field, error.to_string())).ok()
}
