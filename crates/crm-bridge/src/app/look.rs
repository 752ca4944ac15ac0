//! Looking at a customer, the part that card and reveal share: what is granted, what is known, what goes on the record.

use std::sync::Arc;

use bridge_contract::{
    BrokenGlass, BudgetState, CardField, CustomerRef, FieldKey, FieldValue, ViewerId, ViewerRole,
};
use service_kit::Timestamp;

use super::resolve::new_ref;
use super::whereabouts::{self, Place};
use super::{Bridge, BridgeError, Readings, exit};
use crate::connector::ask::Priority;
use crate::connector::trouble::Trouble;
use crate::oversight::budget::Standing;
use crate::policy::view;
use crate::store::audit::{Action, LogLine, Refusal};
use crate::store::oversight::Meter;
use crate::store::{Customer, Person, SealedCard, Viewing};
use crate::walls::Wall;

/// A look that finds a merge begins again with the customer who stays; a CRM that goes on merging meanwhile ends it.
const LOOKS_MAX: usize = 3;

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
    if bridge.walls.stands(Wall::Grant) {
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
    for _ in 0..LOOKS_MAX {
        if let Some(shown) = look_once(bridge, &viewing, &wish, &meter).await? {
            return Ok(shown);
        }
    }
    bridge.metrics.card("unavailable");
    Err(BridgeError::CrmUnavailable(Trouble::MergeLoop))
}

/// None if the customer was found to be merged: the reference leads to the one who stays from now on.
async fn look_once(
    bridge: &Bridge,
    viewing: &Viewing,
    wish: &Wish,
    meter: &Meter,
) -> Result<Option<Shown>, BridgeError> {
    // A fresh card is found, shown and recorded in one transaction.
    let step = {
        let (bridge, viewing, wish, source) =
            (bridge.clone(), viewing.clone(), wish.clone(), bridge.source().to_owned());
        let store = bridge.store.clone();
        let mut ready = Ready::expecting(&bridge, &viewing, &wish);
        store
            .look(viewing.clone(), source, meter.clone(), move |customer, standing| {
                first_step(&bridge, &viewing, &wish, ready.take(), customer, standing)
            })
            .await?
    };
    let customer = match step {
        Step::Ended(outcome) => return outcome.map(Some),
        Step::Ask(customer) => customer,
    };
    // Opened only if it is needed.
    let old = || customer.card.as_ref().and_then(|card| opened(bridge, card, &customer.customer_ref));
    let now = bridge.clock.now();
    let (known, to_keep) = match current(bridge, &customer.crm_id).await {
        Ok(Current::Values(mut readings, as_of)) => {
            let older = if readings.not_sent.is_empty() { None } else { old() };
            let filled = older.and_then(|old| readings.fill_from(old.readings).then_some(old.as_of));
            let as_of = filled.map_or(as_of, |older| older.min(as_of));
            bridge.metrics.card(if as_of == now { "asked" } else { "copied" });
            let card = bridge.seal(&readings, customer.customer_ref.as_str(), as_of);
            let to_keep = card.map(|card| (customer.customer_ref.clone(), card));
            (Known { readings, as_of, stale: false }, to_keep)
        }
        Ok(Current::MergedInto(into)) => {
            let person = Person { crm_id: into, new_ref: new_ref(bridge)? };
            bridge.leave_copy(&customer.crm_id).await?;
            // False if another look was quicker, and has written the same.
            if bridge.store.merge(bridge.source().to_owned(), customer.crm_id, person, now).await? {
                tracing::info!("two customers were merged, as in the CRM");
            }
            return Ok(None);
        }
        Ok(Current::Gone) => {
            bridge.leave_copy(&customer.crm_id).await?;
            bridge.store.erase(&customer.customer_ref, now).await?;
            bridge.metrics.card("erased");
            tracing::info!(customer.reference = %viewing.customer_ref, "the CRM has erased a customer");
            return Err(BridgeError::CustomerErased);
        }
        Err(trouble) => {
            let copied = bridge.copied(&customer.crm_id).await;
            let copied =
                copied.map(|copied| Known { readings: copied.readings, as_of: copied.as_of, stale: true });
            let Some(old) = newer(old(), copied) else {
                bridge.metrics.card("unavailable");
                return Err(BridgeError::CrmUnavailable(trouble));
            };
            bridge.metrics.card("stale");
            (Known { stale: true, ..old }, None)
        }
    };
    let (outcome, line) = show(bridge, viewing.role, wish, known);
    let standing = bridge.store.record_view(viewing.clone(), line, to_keep, meter.clone()).await?;
    budgeted(bridge, &standing)?;
    outcome.map(|shown| Some(Shown { budget: standing.hint(), ..shown }))
}

/// Wall 4 again: refuses what the operator's viewing budget has no place for.
fn budgeted(bridge: &Bridge, standing: &Standing) -> Result<(), BridgeError> {
    let Some(until) = standing.closed_until() else { return Ok(()) };
    bridge.metrics.card("budget_spent");
    Err(BridgeError::BudgetSpent { verdict: standing.verdict, wait_ms: until.since_ms(bridge.clock.now()) })
}

/// Wall 4 for all together: refuses a customer beyond what the whole helpdesk may see in an hour.
fn below_ceiling(bridge: &Bridge, customer_ref: &str) -> Result<(), BridgeError> {
    let reached = bridge.ceiling.reached(customer_ref, bridge.clock.now());
    let Some(wait_ms) = reached.filter(|_| bridge.walls.stands(Wall::Ceiling)) else { return Ok(()) };
    bridge.metrics.card("ceiling_reached");
    tracing::error!(
        "the helpdesk has seen as many customers in this hour as ceiling.customers_per_hour allows"
    );
    Err(BridgeError::CeilingReached { wait_ms })
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
    Ask(Customer),
}

/// A look made ready before its turn at the database: what is shown, if the card there is still this one.
struct Ready {
    card: Arc<SealedCard>,
    outcome: Result<Shown, BridgeError>,
    line: LogLine,
}

impl Ready {
    fn expecting(bridge: &Bridge, viewing: &Viewing, wish: &Wish) -> Option<Self> {
        let card = bridge.store.recent_card(&viewing.customer_ref)?;
        let known = fresh(bridge, &card, &viewing.customer_ref)?;
        let (outcome, line) = show(bridge, viewing.role, wish, known);
        Some(Self { card, outcome, line })
    }
}

fn first_step(
    bridge: &Bridge,
    viewing: &Viewing,
    wish: &Wish,
    ready: Option<Ready>,
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
    let room =
        budgeted(bridge, standing).and_then(|()| below_ceiling(bridge, customer.customer_ref.as_str()));
    if let Err(spent) = room {
        let line = line(bridge, None, Action::Refused(Refusal::BudgetSpent), &[]);
        return (Step::Ended(Err(spent)), Some(line));
    }
    let shown = |(outcome, line): (Result<Shown, BridgeError>, LogLine)| {
        bridge.metrics.card("kept");
        let outcome = outcome.map(|shown| Shown { budget: standing.hint(), ..shown });
        (Step::Ended(outcome), Some(line))
    };
    let Some(card) = &customer.card else { return (Step::Ask(customer), None) };
    if let Some(ready) = ready.filter(|ready| *ready.card == *card) {
        return shown((ready.outcome, ready.line));
    }
    let Some(known) = fresh(bridge, card, &customer.customer_ref) else { return (Step::Ask(customer), None) };
    bridge.store.remember_card(&customer.customer_ref, card.clone());
    shown(show(bridge, viewing.role, wish, known))
}

/// What a kept card says, if it is fresh.
fn fresh(bridge: &Bridge, card: &SealedCard, customer_ref: &CustomerRef) -> Option<Known> {
    if is_fresh(bridge, card) { opened(bridge, card, customer_ref) } else { None }
}

/// What a kept card says, if it can be opened.
fn opened(bridge: &Bridge, card: &SealedCard, customer_ref: &CustomerRef) -> Option<Known> {
    let readings = bridge.open(card, customer_ref.as_str())?;
    Some(Known { readings, as_of: true_until(bridge, card), stale: false })
}

/// Until when it is known to be true: a copy that is followed may have confirmed it since.
fn true_until(bridge: &Bridge, card: &SealedCard) -> Timestamp {
    bridge.sync.as_ref().and_then(|sync| sync.confirmed(card.as_of)).unwrap_or(card.as_of)
}

fn is_fresh(bridge: &Bridge, card: &SealedCard) -> bool {
    let age_ms = bridge.clock.now().since_ms(true_until(bridge, card));
    age_ms < bridge.cache.fresh_ms && card.policy_hash == bridge.plan_name()
}

/// What is known of a customer just now.
enum Current {
    /// These values, true until then.
    Values(Readings, Timestamp),
    /// The CRM has no such record any more.
    Gone,
    /// The CRM has taken the record into another.
    MergedInto(String),
}

/// The newer of both; what it lacks, such as the company in a copy of people, comes from the older.
fn newer(one: Option<Known>, other: Option<Known>) -> Option<Known> {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.or(other),
    };
    let (mut newer, older) = if other.as_of > one.as_of { (other, one) } else { (one, other) };
    if newer.readings.fill_from(older.readings) {
        newer.as_of = older.as_of;
    }
    Some(newer)
}

/// The copy's values if there is a fresh copy, else the CRM's.
async fn current(bridge: &Bridge, crm_id: &str) -> Result<Current, Trouble> {
    if let Some((_, true)) = bridge.copy_state()
        && let Some(copied) = bridge.copied(crm_id).await
    {
        return Ok(Current::Values(copied.readings, copied.as_of));
    }
    Ok(match whereabouts::of(bridge, crm_id, Priority::LookUp).await? {
        Place::Here(there) => {
            let record = there.record().ok_or(Trouble::Empty)?;
            Current::Values(bridge.type_record(record), bridge.clock.now())
        }
        Place::With(id, _) => Current::MergedInto(id),
        Place::Gone => Current::Gone,
    })
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
        Some(mut fields) => {
            exit::check(bridge, role, wish, &mut fields);
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
