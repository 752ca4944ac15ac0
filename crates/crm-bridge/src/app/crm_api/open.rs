//! Opening a ticket for a customer of the CRM. The order is written down, then the ticket service is asked under the
//! order's own id, so that a repetition, whoever repeats, opens no second ticket.

use bridge_contract::{
    CustomerRef, LookupEmail, LookupPhone, OrderId, OrderRequester, OrderText, RequesterName, TicketOrder,
    TicketSubject, Version,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::super::resolve::new_ref;
use super::super::whereabouts::{self, Place};
use super::keys::{Caller, Scope};
use super::tickets::{check_customer_id, miss};
use super::{CrmApi, CrmError};
use crate::connector::ask::Priority;
use crate::connector::trouble::Trouble;
use crate::deliver::orders::OrderTrouble;
use crate::store::Person;
use crate::store::crm_keys::{NewOrder, Order};

const IDEMPOTENCY_KEY_CHARS_MAX: usize = 128;

/// A ticket to open.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// What it is about.
    #[schema(max_length = 200)]
    pub subject: String,
    /// The request, as plain text.
    #[schema(max_length = 20000)]
    pub text: String,
    /// Who asks, if somebody does. Support sees it and answers to it.
    #[serde(default)]
    pub requester: Option<NewRequester>,
}

/// Who asks.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRequester {
    /// Their name.
    #[schema(max_length = 120)]
    pub name: String,
    /// Their mail address.
    #[serde(default)]
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Their phone number.
    #[serde(default)]
    #[schema(max_length = 40)]
    pub phone: Option<String>,
}

impl std::fmt::Debug for NewTicket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[NewTicket]")
    }
}

/// The ticket is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Opened {
    /// Its number.
    pub number: i64,
}

/// What of an order was checked.
struct Checked {
    subject: TicketSubject,
    text: OrderText,
    requester: Option<OrderRequester>,
}

/// Opens a ticket, once for each idempotency key.
///
/// # Errors
/// [`CrmError::CustomerUnknown`] if neither the bridge nor the CRM knows the customer; [`CrmError`].
pub async fn open(
    api: &CrmApi,
    caller: &Caller,
    customer_id: &str,
    idempotency_key: Option<&str>,
    new: &NewTicket,
) -> Result<Opened, CrmError> {
    caller.needs(Scope::TicketsCreate)?;
    let key = idempotency_key.ok_or(CrmError::IdempotencyMissing)?;
    let checked = check(new, key)?;
    let orders = api.orders.as_ref().ok_or(CrmError::OpeningOff)?;
    let customer_ref = customer(api, caller, customer_id).await?;
    let order = NewOrder {
        key_id: caller.key_id.clone(),
        idempotency_key: key.to_owned(),
        fingerprint: fingerprint(customer_id, new)?,
        order_id: order_id(api)?,
        customer_ref: customer_ref.clone(),
    };
    let order_id = match api.bridge.store.begin_order(order.clone(), api.bridge.clock.now()).await? {
        Order::Done(number) => return Ok(Opened { number }),
        Order::Mismatch => return Err(CrmError::IdempotencyMismatch),
        Order::Open(order_id) => order_id,
    };
    let Checked { subject, text, requester } = checked;
    let message = TicketOrder { version: Version, order: order_id, customer_ref, subject, text, requester };
    match orders.open(&message).await {
        Ok(ticket) => {
            let number = i64::try_from(ticket).map_err(|_| CrmError::Internal("a ticket's number"))?;
            api.bridge.store.finish_order(order, number, api.bridge.clock.now()).await?;
            Ok(Opened { number })
        }
        Err(OrderTrouble::Invalid) => {
            api.bridge.store.drop_order(order).await?;
            let why = "or the text can't be a ticket's; write readable text";
            Err(CrmError::Invalid(vec![("subject", why.to_owned())]))
        }
        Err(OrderTrouble::Away(why)) => Err(CrmError::TicketServiceAway(why)),
    }
}

/// The customer's reference. The bridge may meet them for the first time here; then the CRM is asked whether they exist.
async fn customer(api: &CrmApi, caller: &Caller, customer_id: &str) -> Result<CustomerRef, CrmError> {
    let bridge = &api.bridge;
    let source = bridge.source().to_owned();
    check_customer_id(customer_id)?;
    if let Some(wait) = api.limits.unknown.spent(&caller.key_id) {
        return Err(CrmError::TooManyUnknown(wait));
    }
    let found = bridge.store.customer_by_crm_id(source.clone(), customer_id.to_owned()).await?;
    if let Some((customer_ref, false)) = found {
        return Ok(customer_ref);
    }
    // Whoever is marked as deleted is not there, and of a merged record it is the one who stays.
    let crm_id = match whereabouts::of(bridge, customer_id, Priority::LookUp).await {
        Ok(Place::Here(_)) => customer_id.to_owned(),
        Ok(Place::With(id, _)) => id,
        Ok(Place::Gone) | Err(Trouble::MergeLoop) => {
            miss(api, caller, customer_id);
            return Err(CrmError::CustomerUnknown);
        }
        Err(trouble) => return Err(CrmError::CrmUnavailable(trouble)),
    };
    let new_ref = new_ref(bridge).map_err(|_| CrmError::Internal("customer reference"))?;
    let person = Person { crm_id, new_ref };
    Ok(bridge.store.record_customer(source, person, bridge.clock.now()).await?)
}

fn check(new: &NewTicket, key: &str) -> Result<Checked, CrmError> {
    let mut wrong: Vec<(&'static str, String)> = Vec::new();
    let key_fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.len())
        && key.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if !key_fits {
        let what = format!("write 1 to {IDEMPOTENCY_KEY_CHARS_MAX} ASCII characters, such as a random UUID");
        wrong.push(("Idempotency-Key", what));
    }
    let mut note = |field, error: bridge_contract::TextError| wrong.push((field, error.to_string()));
    let subject = TicketSubject::new(new.subject.trim()).map_err(|error| note("subject", error)).ok();
    let text = OrderText::new(new.text.clone()).map_err(|error| note("text", error)).ok();
    let requester = new.requester.as_ref().map(|requester| {
        let name = RequesterName::new(requester.name.trim()).map_err(|error| note("requester.name", error));
        let email = requester.email.as_deref().map(LookupEmail::new).transpose();
        let email = email.map_err(|error| note("requester.email", error));
        let phone = requester.phone.as_deref().map(LookupPhone::new).transpose();
        let phone = phone.map_err(|error| note("requester.phone", error));
        Some(OrderRequester { name: name.ok()?, email: email.ok()?, phone: phone.ok()? })
    });
    match (subject, text, requester) {
        (Some(subject), Some(text), requester) if wrong.is_empty() => {
            Ok(Checked { subject, text, requester: requester.flatten() })
        }
        _ => Err(CrmError::Invalid(wrong)),
    }
}

fn fingerprint(customer_id: &str, new: &NewTicket) -> Result<String, CrmError> {
    let text = serde_json::to_string(&(customer_id, new)).map_err(|_| CrmError::Internal("fingerprint"))?;
    Ok(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn order_id(api: &CrmApi) -> Result<OrderId, CrmError> {
    OrderId::new(api.bridge.ids.new_id("ord")).map_err(|_| CrmError::Internal("order id"))
}
