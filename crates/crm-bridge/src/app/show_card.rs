//! Show the card: one role's view of one customer, for one ticket, on the record.

use bridge_contract::{
    AsOf, CardField, CardQuestion, CustomerCard, CustomerRef, FieldValue, Grant, OperatorId, Purpose,
    Version, ViewerRole,
};
use service_kit::Timestamp;

use super::{Bridge, BridgeError, Readings};
use crate::connector::ask::{PageMark, Question};
use crate::connector::trouble::Trouble;
use crate::policy::view;
use crate::store::{Action, LogLine, SealedCard, Viewing};

/// Answers with the card as this operator's role sees it.
///
/// # Errors
/// [`BridgeError`].
pub async fn show_card(
    bridge: &Bridge,
    grant: &Grant,
    question: &CardQuestion,
    request_id: &str,
) -> Result<CustomerCard, BridgeError> {
    let Purpose::Card { operator, role, customer_ref } = &grant.purpose else {
        return Err(BridgeError::GrantRefused("it is not for a card"));
    };
    let granted = Granted { ticket: grant.ticket, operator, role: *role, customer_ref };
    let viewing = viewing(bridge, granted, (question.ticket, &question.customer_ref), request_id)?;
    let known = known(bridge, &viewing).await?;
    let fields = project(bridge, viewing.role, &known.readings);
    let line = line(bridge, &known, Action::Card, &fields);
    let policy = bridge.policy_stamp()?;
    let as_of = AsOf::new(known.as_of.to_string()).map_err(|_| BridgeError::Internal("as_of"))?;
    bridge.store.record_view(&viewing, line, known.to_keep).await?;
    let customer_ref = viewing.customer_ref;
    Ok(CustomerCard { version: Version, customer_ref, policy, as_of, stale: known.stale, fields })
}

/// What a grant says about who may see whom.
pub(super) struct Granted<'a> {
    pub(super) ticket: u64,
    pub(super) operator: &'a OperatorId,
    pub(super) role: ViewerRole,
    pub(super) customer_ref: &'a CustomerRef,
}

/// Wall 4: what is asked must be what was granted.
pub(super) fn viewing(
    bridge: &Bridge,
    granted: Granted<'_>,
    (ticket, customer_ref): (u64, &CustomerRef),
    request_id: &str,
) -> Result<Viewing, BridgeError> {
    if bridge.walls.who_stands() {
        if granted.ticket != ticket {
            return Err(BridgeError::GrantRefused("it is for another ticket"));
        }
        if granted.customer_ref != customer_ref {
            return Err(BridgeError::GrantRefused("it is for another customer"));
        }
    }
    Ok(Viewing {
        operator: granted.operator.clone(),
        role: granted.role,
        ticket: i64::try_from(ticket).map_err(|_| BridgeError::GrantRefused("no such ticket number"))?,
        customer_ref: customer_ref.clone(),
        request_id: request_id.to_owned(),
    })
}

/// What is known of a customer at this moment.
pub(super) struct Known {
    pub(super) readings: Readings,
    pub(super) as_of: Timestamp,
    pub(super) stale: bool,
    /// The card, if it is newer than the kept one.
    pub(super) to_keep: Option<SealedCard>,
}

/// The values: kept ones while they are fresh, else the CRM's, else kept ones with their age.
pub(super) async fn known(bridge: &Bridge, viewing: &Viewing) -> Result<Known, BridgeError> {
    let customer = match bridge.store.customer(viewing, bridge.source()).await? {
        Some(customer) => customer,
        None => {
            bridge.metrics.card("unknown");
            return refuse(bridge, viewing, BridgeError::CustomerUnknown).await;
        }
    };
    if customer.erased {
        bridge.metrics.card("erased");
        return Err(BridgeError::CustomerErased);
    }
    let kept = customer.card.as_ref().and_then(|card| {
        let readings = bridge.open(card, viewing.customer_ref.as_str())?;
        Some((card, Known { readings, as_of: card.as_of, stale: false, to_keep: None }))
    });
    let now = bridge.clock.now();
    let fresh = |card: &SealedCard| {
        now.since_ms(card.as_of) < bridge.cache.fresh_ms && card.policy_hash == bridge.policy.hash().as_str()
    };
    let old = match kept {
        Some((card, known)) if fresh(card) => {
            bridge.metrics.card("kept");
            return Ok(known);
        }
        old => old.map(|(_, known)| known),
    };
    match ask(bridge, &customer.crm_id).await {
        Ok(Some(readings)) => {
            bridge.metrics.card("asked");
            let to_keep = bridge.seal(&readings, viewing.customer_ref.as_str(), now);
            Ok(Known { readings, as_of: now, stale: false, to_keep })
        }
        Ok(None) => {
            bridge.store.erase(&viewing.customer_ref, now).await?;
            bridge.metrics.card("erased");
            tracing::info!(customer.reference = %viewing.customer_ref, "the CRM has erased a customer");
            Err(BridgeError::CustomerErased)
        }
        Err(trouble) => {
            let Some(old) = old else {
                bridge.metrics.card("unavailable");
                return Err(BridgeError::CrmUnavailable(trouble));
            };
            bridge.metrics.card("stale");
            Ok(Known { stale: true, ..old })
        }
    }
}

/// The CRM's values for an id; none if the CRM has no such record any more.
async fn ask(bridge: &Bridge, crm_id: &str) -> Result<Option<Readings>, Trouble> {
    let found = bridge.connector.ask(Question::ById(crm_id.to_owned())).await?;
    if let Some(record) = found.records.first() {
        // A CRM that answers with somebody else is not to be believed.
        let same = record.id.as_deref() == Some(crm_id) || !bridge.walls.ask_stands();
        return if same { Ok(Some(bridge.type_record(record))) } else { Err(Trouble::UnexpectedShape) };
    }
    // "Not found" is also what a wrong path or a half-started CRM says. Erasing takes a CRM that works.
    let probe = bridge.connector.ask(Question::Sample { size: 1, from: PageMark::Offset(0) }).await?;
    if probe.records.is_empty() { Err(Trouble::UnexpectedShape) } else { Ok(None) }
}

pub(super) async fn refuse<T>(
    bridge: &Bridge,
    viewing: &Viewing,
    error: BridgeError,
) -> Result<T, BridgeError> {
    let line = LogLine {
        at: bridge.clock.now(),
        action: Action::Refused,
        shown: Vec::new(),
        masked: Vec::new(),
        policy_hash: bridge.policy.hash().to_string(),
        as_of: None,
        stale: false,
    };
    bridge.store.record_view(viewing, line, None).await?;
    Err(error)
}

pub(super) fn line(bridge: &Bridge, known: &Known, action: Action, fields: &[CardField]) -> LogLine {
    let keys = |wanted: fn(&FieldValue) -> bool| {
        fields
            .iter()
            .filter(|field| wanted(&field.value))
            .map(|field| field.key.as_str().to_owned())
            .collect()
    };
    LogLine {
        at: bridge.clock.now(),
        action,
        shown: keys(|value| {
            !matches!(value, FieldValue::Masked { .. } | FieldValue::Withheld {} | FieldValue::Empty {})
        }),
        masked: keys(|value| matches!(value, FieldValue::Masked { .. })),
        policy_hash: bridge.policy.hash().to_string(),
        as_of: Some(known.as_of),
        stale: known.stale,
    }
}

fn project(bridge: &Bridge, role: ViewerRole, readings: &Readings) -> Vec<CardField> {
    #[cfg_attr(not(feature = "sabotage"), expect(unused_mut, reason = "only a test build adds to it"))]
    let mut fields = view::project(&bridge.policy, role, &readings.fields, bridge.walls);
    #[cfg(feature = "sabotage")]
    fields.extend(unlisted(&readings.unlisted));
    fields
}

/// What a card would carry if wall 2 were not there: everything, as text, in as few fields as the contract allows.
#[cfg(feature = "sabotage")]
fn unlisted(found: &[(String, String)]) -> Vec<CardField> {
    let all: Vec<char> =
        found.iter().flat_map(|(path, text)| format!("{path}={text} ").chars().collect::<Vec<_>>()).collect();
    let printable = |chunk: &[char]| chunk.iter().filter(|c| !c.is_control()).collect::<String>();
    let fields = all.chunks(480).take(40).enumerate().filter_map(|(i, chunk)| {
        Some(CardField {
            key: bridge_contract::FieldKey::new(format!("person.unlisted{i}")).ok()?,
            label: bridge_contract::Label::new(format!("Unlisted {i}")).ok()?,
            value: FieldValue::Text { value: bridge_contract::Line::new(printable(chunk)).ok()? },
        })
    });
    fields.collect()
}
