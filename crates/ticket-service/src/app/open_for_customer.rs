//! Opening a ticket on an order of the CRM that the bridge has signed: it belongs to that customer from the beginning.

use std::collections::BTreeSet;

use bridge_contract::{BridgeGrant, CustomerRef, OrderRequester, TicketOrder};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::app::open_ticket::{self, NewRequester, NewTicket};
use crate::domain::html::MessageBody;
use crate::domain::text::InvalidText;
use crate::domain::{
    Actor, Channel, EmailAddress, Line, PersonName, PhoneNumber, Priority, Subject, TicketNumber,
};
use crate::error::TicketError;
use crate::store::customers::{self, Link};
use crate::store::idempotency::{IdempotencyKey, once};
use crate::store::tickets;

/// The name that the history shows, and the requester's if the order names nobody.
const NAME: &str = "CRM";
/// Mailboxes that can't exist (RFC 2606): for requesters whose address nobody has told. Mail is never sent there.
const NO_MAIL_DOMAIN: &str = "no-mail.invalid";

/// Opens the ticket of an order, once, however often the order comes.
///
/// # Errors
/// [`TicketError::Forbidden`] if the grant is for another order or customer, [`TicketError::Invalid`] for texts that
/// can't be a ticket's, [`TicketError::IdempotencyMismatch`] for another order under the same id.
pub async fn open_for_customer(
    app: &App,
    grant: &BridgeGrant,
    order: &TicketOrder,
) -> Result<TicketNumber, TicketError> {
    let BridgeGrant::OpenTicket { order: granted, customer_ref } = grant;
    if (granted, customer_ref) != (&order.order, &order.customer_ref) {
        return Err(TicketError::Forbidden("The token was signed for another order."));
    }
    let new = check(order)?;
    let key = idempotency_key(order)?;
    let link = Link::Found(order.customer_ref.as_str().to_owned());
    let actor = Actor { name: NAME.to_owned(), ..Actor::system() };
    let number = app
        .store
        .write(&actor, move |scope| {
            once(scope, Some(&key), |scope| {
                let number = open_ticket::insert(scope, &new, Line::FIRST)?;
                let row = tickets::find(scope, number)?;
                customers::set(scope, &row.ticket, &link)?;
                Ok(number)
            })
        })
        .await?;
    tracing::info!(ticket.number = number.0, "a ticket was opened from the CRM");
    Ok(number)
}

fn idempotency_key(order: &TicketOrder) -> Result<IdempotencyKey, TicketError> {
    let bytes = serde_json::to_vec(order).map_err(|error| TicketError::Internal(error.to_string()))?;
    Ok(IdempotencyKey {
        key: order.order.as_str().to_owned(),
        fingerprint: hex::encode(Sha256::digest(bytes)),
    })
}

fn check(order: &TicketOrder) -> Result<NewTicket, TicketError> {
    let invalid = |field: &str| {
        let field = field.to_owned();
        move |error: InvalidText| TicketError::invalid(field, error)
    };
    Ok(NewTicket {
        subject: Subject::new(order.subject.as_str()).map_err(invalid("subject"))?,
        body: MessageBody::from_text(order.text.as_str()).map_err(invalid("text"))?,
        requester: requester(order.requester.as_ref(), &order.customer_ref)?,
        queue_id: None,
        priority: Priority::Normal,
        line: None,
        tags: BTreeSet::new(),
        channel: Channel::Crm,
        attachment_ids: Vec::new(),
    })
}

fn requester(told: Option<&OrderRequester>, customer: &CustomerRef) -> Result<NewRequester, TicketError> {
    let name = told.map_or(NAME, |told| told.name.as_str());
    let email = match told.and_then(|told| told.email.as_ref()) {
        Some(email) => email.as_str().to_owned(),
        // One mailbox is one requester, so each customer gets a mailbox of their own; the hash keeps the reference where
        // it belongs.
        None => {
            let hash = hex::encode(Sha256::digest(customer.as_str()));
            format!("{}@{NO_MAIL_DOMAIN}", hash.chars().take(24).collect::<String>())
        }
    };
    let phone = told.and_then(|told| told.phone.as_ref()).map(|phone| PhoneNumber::new(phone.as_str()));
    Ok(NewRequester {
        name: PersonName::new(name).map_err(|error| TicketError::invalid("requester.name", error))?,
        email: EmailAddress::new(&email).map_err(|error| TicketError::invalid("requester.email", error))?,
        phone: phone.transpose().map_err(|error| TicketError::invalid("requester.phone", error))?,
    })
}
