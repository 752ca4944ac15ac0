//! The tickets of one customer, named by the CRM's own id.

use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::keys::{Caller, Scope};
use super::wire::TicketView;
use super::{CrmApi, CrmError};

/// The longest page.
pub const PAGE_MAX: u32 = 100;
/// The page, if the caller does not say.
pub const PAGE_USUAL: u32 = 50;
const CUSTOMER_ID_CHARS_MAX: usize = 200;

/// A page of a customer's tickets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TicketPage {
    /// The tickets, newest first.
    pub items: Vec<TicketView>,
    /// Where the next page begins: give it as `before`. None if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
    /// Changes when anything on the page does.
    #[serde(skip)]
    pub etag: String,
}

/// Lists the tickets of a customer. One who is not known has none: whether the bridge knows them is not told.
///
/// # Errors
/// [`CrmError`].
pub async fn list(
    api: &CrmApi,
    caller: &Caller,
    customer_id: &str,
    before: Option<i64>,
    limit: Option<u32>,
) -> Result<TicketPage, CrmError> {
    caller.needs(Scope::TicketsRead)?;
    let policy = api.policy()?;
    let limit = limit.unwrap_or(PAGE_USUAL);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(CrmError::Invalid(vec![("limit", format!("is between 1 and {PAGE_MAX}"))]));
    }
    known(api, caller, customer_id).await?;
    let source = api.bridge.source().to_owned();
    let rows =
        api.bridge.store.tickets_of(source, customer_id.to_owned(), before, i64::from(limit) + 1).await?;
    let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    let items: Vec<TicketView> = rows
        .into_iter()
        .take(usize::try_from(limit).unwrap_or(usize::MAX))
        .map(|row| TicketView::new(policy, row))
        .collect();
    let next = items.last().filter(|_| more).map(|last| last.number);
    let etag = etag(policy.hash(), &items);
    Ok(TicketPage { items, next, etag })
}

/// One ticket of a customer, with its tag.
///
/// # Errors
/// [`CrmError::TicketUnknown`] also where the ticket is somebody else's; [`CrmError`].
pub async fn one(
    api: &CrmApi,
    caller: &Caller,
    customer_id: &str,
    number: i64,
) -> Result<(TicketView, String), CrmError> {
    caller.needs(Scope::TicketsRead)?;
    let policy = api.policy()?;
    known(api, caller, customer_id).await?;
    let source = api.bridge.source().to_owned();
    let row = api.bridge.store.ticket_of(source, customer_id.to_owned(), number).await?;
    let view = TicketView::new(policy, row.ok_or(CrmError::TicketUnknown)?);
    let etag = etag(policy.hash(), std::slice::from_ref(&view));
    Ok((view, etag))
}

/// Counts a customer that the bridge has no reference for. Somebody who tries one id after the other is made to wait, and
/// then learns nothing of known ones either.
pub(super) async fn known(api: &CrmApi, caller: &Caller, customer_id: &str) -> Result<bool, CrmError> {
    check_customer_id(customer_id)?;
    if let Some(wait) = api.limits.unknown.spent(&caller.key_id) {
        return Err(CrmError::TooManyUnknown(wait));
    }
    let source = api.bridge.source().to_owned();
    let found = api.bridge.store.customer_by_crm_id(source, customer_id.to_owned()).await?;
    let is_known = found.is_some_and(|(_, erased)| !erased);
    if !is_known {
        miss(api, caller, customer_id);
    }
    Ok(is_known)
}

/// An id that nobody knows was asked for.
pub(super) fn miss(api: &CrmApi, caller: &Caller, customer_id: &str) {
    api.bridge.outward.metrics.unknown_customer();
    // A page of the CRM that shows the same customer again and again guesses nothing.
    if api.limits.counted.attempt(&(caller.key_id.clone(), customer_id.to_owned())).is_err() {
        return;
    }
    if api.limits.unknown.attempt(&caller.key_id).is_ok()
        && api.limits.unknown.spent(&caller.key_id).is_some()
    {
        tracing::warn!(crm.key = caller.key_id, "a key has asked for many customers that are not known");
    }
}

pub(super) fn check_customer_id(id: &str) -> Result<(), CrmError> {
    let fits = !id.is_empty()
        && id.chars().count() <= CUSTOMER_ID_CHARS_MAX
        && !id.chars().any(char::is_control)
        // As a part of an address these would lead elsewhere.
        && !matches!(id, "." | "..");
    if fits {
        return Ok(());
    }
    let what = format!("is the CRM's id of the customer, 1 to {CUSTOMER_ID_CHARS_MAX} characters");
    Err(CrmError::Invalid(vec![("customer_id", what)]))
}

fn etag(policy: &str, items: &[TicketView]) -> String {
    let mut hash = Sha256::new();
    hash.update(policy);
    for item in items {
        hash.update(item.number.to_le_bytes());
        hash.update(item.sequence.to_le_bytes());
    }
    let hex: String = hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}
