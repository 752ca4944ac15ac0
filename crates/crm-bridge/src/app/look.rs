//! Looking at a customer, the part that card and reveal share: what is granted, what is known, what goes on the record.

use bridge_contract::{
    BrokenGlass, BudgetState, CardField, CustomerRef, FieldKey, FieldValue, ViewerId, ViewerRole,
};
use service_kit::Timestamp;

use super::{Bridge, BridgeError, Readings};
use crate::connector::ask::Question;
use crate::connector::trouble::Trouble;
use crate::oversight::budget::Standing;
use crate::policy::{Entity, view};
use crate::store::audit::{Action, LogLine, Refusal};
use crate::store::{Customer, SealedCard, Viewing};

/// What a grant says about who may see whom.
pub(super) struct Granted<'a> {
    pub(super) ticket: u64,
    pub(super) operator: &'a ViewerId,
    pub(super) role: ViewerRole,
    pub(super) customer_ref: &'a CustomerRef,
}

/// What somebody wants to see.
#[derive(Clone)]
pub(super) enum Wish {
    /// The card as the role sees it.
    Card,
    /// One masked field in clear.
    Reveal(FieldKey),
}

/// What is shown; it is on the record already.
pub(super) struct Shown {
    pub(super) fields: Vec<CardField>,
    pub(super) as_of: Timestamp,
    pub(super) stale: bool,
    pub(super) budget: Option<BudgetState>,
}

/// Wall 4: what is asked must be what was granted.
pub(super) fn viewing(
    bridge: &Bridge,
    granted: &Granted<'_>,
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

/// Shows kept values while they are fresh, else the CRM's, else kept ones with their age. What is shown or refused is
/// on the record before this returns, and counted against the operator's budget.
pub(super) async fn look(
    bridge: &Bridge,
    viewing: Viewing,
    wish: Wish,
    glass: Option<BrokenGlass>,
) -> Result<Shown, BridgeError> {
    let meter = bridge.meter(glass);
    // A fresh card is found, shown and recorded in one transaction.
    let step = {
        let (bridge, viewing, wish, source) =
            (bridge.clone(), viewing.clone(), wish.clone(), bridge.source().to_owned());
        let store = bridge.store.clone();
        store
            .look(viewing.clone(), source, meter.clone(), move |customer, standing| {
                first_step(&bridge, &viewing, &wish, customer, standing)
            })
            .await?
    };
    let (customer, old) = match step {
        Step::Ended(outcome) => return outcome,
        Step::Ask { customer, old } => (customer, old),
    };
    let now = bridge.clock.now();
    let (known, to_keep) = match ask(bridge, &customer.crm_id).await {
        Ok(Some(readings)) => {
            bridge.metrics.card("asked");
            let card = bridge.seal(&readings, customer.customer_ref.as_str(), now);
            let to_keep = card.map(|card| (customer.customer_ref, card));
            (Known { readings, as_of: now, stale: false }, to_keep)
        }
        Ok(None) => {
            bridge.store.erase(&customer.customer_ref, now).await?;
            bridge.metrics.card("erased");
            tracing::info!(customer.reference = %viewing.customer_ref, "the CRM has erased a customer");
            return Err(BridgeError::CustomerErased);
        }
        Err(trouble) => {
            let Some(old) = old else {
                bridge.metrics.card("unavailable");
                return Err(BridgeError::CrmUnavailable(trouble));
            };
            bridge.metrics.card("stale");
            (Known { stale: true, ..old }, None)
        }
    };
    let (outcome, line) = show(bridge, viewing.role, &wish, known);
    let standing = bridge.store.record_view(viewing, line, to_keep, meter).await?;
    budgeted(bridge, &standing)?;
    outcome.map(|shown| Shown { budget: standing.hint(), ..shown })
}

/// Wall 4 again: refuses what the operator's viewing budget has no place for.
fn budgeted(bridge: &Bridge, standing: &Standing) -> Result<(), BridgeError> {
    let Some(until) = standing.closed_until() else { return Ok(()) };
    bridge.metrics.card("budget_spent");
    Err(BridgeError::BudgetSpent { verdict: standing.verdict, wait_ms: until.since_ms(bridge.clock.now()) })
}

/// What is known of a customer at this moment.
struct Known {
    readings: Readings,
    as_of: Timestamp,
    stale: bool,
}

/// How far the database alone gets.
enum Step {
    Ended(Result<Shown, BridgeError>),
    Ask { customer: Customer, old: Option<Known> },
}

fn first_step(
    bridge: &Bridge,
    viewing: &Viewing,
    wish: &Wish,
    customer: Option<Customer>,
    standing: &Standing,
) -> (Step, Option<LogLine>) {
    let Some(customer) = customer else {
        bridge.metrics.card("unknown");
        return (
            Step::Ended(Err(BridgeError::CustomerUnknown)),
            Some(line(bridge, None, Action::Refused(Refusal::Unknown), &[])),
        );
    };
    if customer.erased {
        bridge.metrics.card("erased");
        let line = line(bridge, None, Action::Refused(Refusal::Erased), &[]);
        return (Step::Ended(Err(BridgeError::CustomerErased)), Some(line));
    }
    if let Err(spent) = budgeted(bridge, standing) {
        let line = line(bridge, None, Action::Refused(Refusal::BudgetSpent), &[]);
        return (Step::Ended(Err(spent)), Some(line));
    }
    let kept = customer.card.as_ref().and_then(|card| {
        let readings = bridge.open(card, customer.customer_ref.as_str())?;
        Some((is_fresh(bridge, card), Known { readings, as_of: card.as_of, stale: false }))
    });
    match kept {
        Some((true, known)) => {
            bridge.metrics.card("kept");
            let (outcome, line) = show(bridge, viewing.role, wish, known);
            let outcome = outcome.map(|shown| Shown { budget: standing.hint(), ..shown });
            (Step::Ended(outcome), Some(line))
        }
        old => (Step::Ask { customer, old: old.map(|(_, known)| known) }, None),
    }
}

fn is_fresh(bridge: &Bridge, card: &SealedCard) -> bool {
    bridge.clock.now().since_ms(card.as_of) < bridge.cache.fresh_ms
        && card.policy_hash == bridge.policy.hash().as_str()
}

/// The CRM's values for an id; none if the CRM has no such record any more.
async fn ask(bridge: &Bridge, crm_id: &str) -> Result<Option<Readings>, Trouble> {
    let found = bridge.connector.ask(Question::ById(Entity::Person, crm_id.to_owned())).await?;
    if let Some(record) = found.records.first() {
        // A CRM that answers with somebody else is not to be believed.
        let same = record.id.as_deref() == Some(crm_id) || !bridge.walls.ask_stands();
        return if same { Ok(Some(bridge.type_record(record))) } else { Err(Trouble::UnexpectedShape) };
    }
    // "Not found" is also what a wrong path or a half-started CRM says. Erasing takes a CRM that works.
    let probe = bridge.connector.ask(Question::Page { entity: Entity::Person, size: 1, mark: None }).await?;
    if probe.records.is_empty() { Err(Trouble::UnexpectedShape) } else { Ok(None) }
}

/// One role's view of what is known, and the line that records it.
fn show(
    bridge: &Bridge,
    role: ViewerRole,
    wish: &Wish,
    known: Known,
) -> (Result<Shown, BridgeError>, LogLine) {
    let (fields, action) = match wish {
        Wish::Card => (Some(card_fields(bridge, role, &known.readings)), Action::Card),
        Wish::Reveal(key) => {
            let field =
                view::reveal(&bridge.policy, role, key.as_str(), &known.readings.fields, bridge.walls);
            (field.map(|field| vec![field]), Action::Reveal)
        }
    };
    match fields {
        Some(fields) => {
            let line = line(bridge, Some(&known), action, &fields);
            (Ok(Shown { fields, as_of: known.as_of, stale: known.stale, budget: None }), line)
        }
        None => {
            let why = Action::Refused(Refusal::NotRevealable);
            (Err(BridgeError::FieldNotRevealable), line(bridge, None, why, &[]))
        }
    }
}

fn line(bridge: &Bridge, known: Option<&Known>, action: Action, fields: &[CardField]) -> LogLine {
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
        as_of: known.map(|known| known.as_of),
        stale: known.is_some_and(|known| known.stale),
    }
}

fn card_fields(bridge: &Bridge, role: ViewerRole, readings: &Readings) -> Vec<CardField> {
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
            key: FieldKey::new(format!("person.unlisted{i}")).ok()?,
            label: bridge_contract::Label::new(format!("Unlisted {i}")).ok()?,
            value: FieldValue::Text { value: bridge_contract::Line::new(printable(chunk)).ok()? },
        })
    });
    fields.collect()
}
