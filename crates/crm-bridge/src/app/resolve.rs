//! Who is this? A mail address or a phone number becomes an opaque reference.

use std::collections::BTreeSet;

use audit_log::Event;
use bridge_contract::{
    CANDIDATES_MAX, CustomerRef, Grant, Purpose, ResolveAnswer, ResolveOutcome, ResolveQuestion, Version,
    ViewerId,
};
use service_kit::Personal;

use super::copied::Copied;
use super::whereabouts::{self, Place, There};
use super::{Bridge, BridgeError, Readings, exit};
use crate::connector::ask::{Priority, Question};
use crate::connector::projection::Record;
use crate::connector::trouble::Trouble;
use crate::policy::Entity;
use crate::policy::value::{normal_email, normal_phone};
use crate::store::Person;
use crate::store::audit::TICKET_SERVICE;
use crate::store::vault::AddressHash;
use crate::walls::Wall;

/// One way to look somebody up.
enum LookUp {
    Email(String),
    Phone(String),
}

/// Answers who is behind an address or number, from the CRM, or from memory while the CRM can't be asked.
///
/// # Errors
/// [`BridgeError`].
pub async fn resolve(
    bridge: &Bridge,
    grant: &Grant,
    question: &ResolveQuestion,
) -> Result<ResolveAnswer, BridgeError> {
    let operator = match &grant.purpose {
        Purpose::Resolve {} => None,
        Purpose::LookUp { operator } => Some(operator.clone()),
        _ => return Err(BridgeError::GrantRefused("it is not for a look-up")),
    };
    if grant.ticket != question.ticket {
        return Err(BridgeError::GrantRefused("it is for another ticket"));
    }
    let ticket =
        i64::try_from(question.ticket).map_err(|_| BridgeError::GrantRefused("no such ticket number"))?;
    let look_ups = look_ups(bridge, question);
    if look_ups.is_empty() {
        return Err(BridgeError::LookupMissing);
    }
    let mut trouble = None;
    for look_up in look_ups {
        match look_up_one(bridge, (operator.as_ref(), ticket), &look_up).await {
            Ok(found) if !found.is_empty() => return Ok(answer(bridge, found)),
            Ok(_) => {}
            Err(BridgeError::CrmUnavailable(why)) => trouble = Some(why),
            Err(other) => return Err(other),
        }
    }
    match trouble {
        Some(why) => {
            bridge.metrics.resolve("unavailable");
            Err(BridgeError::CrmUnavailable(why))
        }
        None => {
            bridge.store.record_miss(operator, ticket, bridge.meter(None)).await?;
            Ok(answer(bridge, Vec::new()))
        }
    }
}

fn look_ups(bridge: &Bridge, question: &ResolveQuestion) -> Vec<LookUp> {
    let checked = |text: &str| match normal_email(text) {
        None if !bridge.walls.stands(Wall::Input) => Some(text.trim().to_lowercase()),
        checked => checked,
    };
    let email = question.email.as_ref().and_then(|email| checked(email.as_str())).map(LookUp::Email);
    let phone = question.phone.as_ref().and_then(|phone| normal_phone(phone.as_str(), &bridge.phones));
    email.into_iter().chain(phone.map(LookUp::Phone)).collect()
}

async fn look_up_one(
    bridge: &Bridge,
    (operator, ticket): (Option<&ViewerId>, i64),
    look_up: &LookUp,
) -> Result<Vec<CustomerRef>, BridgeError> {
    let (question, address) = match look_up {
        LookUp::Email(email) => {
            (Question::ByEmail(Personal::new(email.clone())), bridge.vault.address_hash("email", email))
        }
        LookUp::Phone(phone) => {
            (Question::ByPhone(Personal::new(phone.clone())), bridge.vault.address_hash("phone", phone))
        }
    };
    let source = bridge.source().to_owned();
    if let Some((_, true)) = bridge.copy_state()
        && let Some(copied) = bridge.copied_at(&address).await
        // That the copy has nobody may be because somebody was entered a moment ago: the CRM has the last word.
        && !copied.is_empty()
    {
        let found = copied.len();
        let copied = bridge.still_there(copied).await?;
        // Of whom something else is known the CRM is asked.
        if copied.len() == found {
            let event = looked_up(bridge, (operator, ticket), look_up);
            return remember_copied(bridge, ticket, address, copied, event).await;
        }
    }
    let found = match people(bridge, question, look_up).await {
        Ok(nobody) if nobody.is_empty() => by_id(bridge, &address, look_up).await,
        found => found,
    };
    let people = match found {
        Ok(people) => people,
        Err(trouble) => {
            let event = looked_up(bridge, (operator, ticket), look_up);
            if let Some(copied) = bridge.copied_at(&address).await {
                let copied = bridge.still_there(copied).await?;
                return remember_copied(bridge, ticket, address, copied, event).await;
            }
            let refs = bridge.store.recall_answer(source, ticket, address, event).await?;
            return if refs.is_empty() { Err(BridgeError::CrmUnavailable(trouble)) } else { Ok(refs) };
        }
    };
    let (ids, readings): (Vec<String>, Vec<Readings>) = people.into_iter().unzip();
    let people = ids.into_iter().map(|crm_id| Ok(Person { crm_id, new_ref: new_ref(bridge)? }));
    let people = people.collect::<Result<Vec<_>, BridgeError>>()?;
    let event = looked_up(bridge, (operator, ticket), look_up);
    let now = event.at;
    let sealer = bridge.clone();
    let seal =
        move |position: usize, customer_ref: &str| sealer.seal(readings.get(position)?, customer_ref, now);
    Ok(bridge.store.record_answer(source, ticket, address, people, seal, event).await?)
}

/// What goes on the record: by what kind of address somebody was looked up, never the address.
fn looked_up(bridge: &Bridge, (operator, ticket): (Option<&ViewerId>, i64), look_up: &LookUp) -> Event {
    let by = match look_up {
        LookUp::Email(_) => "email",
        LookUp::Phone(_) => "phone",
    };
    let actor = operator.map_or(TICKET_SERVICE, ViewerId::as_str);
    bridge.event(actor, "customer.resolved").ticket(ticket).with("by", by)
}

/// The copy answers as the CRM would: the same people are remembered, with the same cards.
async fn remember_copied(
    bridge: &Bridge,
    ticket: i64,
    address: AddressHash,
    mut copied: Vec<Copied>,
    event: Event,
) -> Result<Vec<CustomerRef>, BridgeError> {
    copied.sort_by(|one, other| one.crm_id.cmp(&other.crm_id));
    copied.truncate(CANDIDATES_MAX);
    let people = copied
        .iter()
        .map(|copied| Ok(Person { crm_id: copied.crm_id.clone(), new_ref: new_ref(bridge)? }))
        .collect::<Result<Vec<_>, BridgeError>>()?;
    let source = bridge.source().to_owned();
    let sealer = bridge.clone();
    let seal = move |position: usize, customer_ref: &str| {
        let Copied { readings, as_of, .. } = copied.get(position)?;
        sealer.seal(readings, customer_ref, *as_of)
    };
    Ok(bridge.store.record_answer(source, ticket, address, people, seal, event).await?)
}

/// Some searches learn of a change later than the bridge does, which fetches by id whom a webhook names: whoever the copy has
/// at that address is asked for by id, and is who is looked for if the CRM says so.
async fn by_id(
    bridge: &Bridge,
    address: &AddressHash,
    look_up: &LookUp,
) -> Result<Vec<(String, Readings)>, Trouble> {
    let mut people = Vec::new();
    let copied = bridge.copied_at(address).await.unwrap_or_default();
    for copied in copied.into_iter().take(CANDIDATES_MAX) {
        let found = bridge.connector.ask(Question::ById(Entity::Person, copied.crm_id)).await?;
        let hits = hits(bridge, &found.records, look_up).into_iter();
        people.extend(
            hits.filter(|(_, record)| record.is_there()).map(|(id, record)| (id, bridge.type_record(record))),
        );
    }
    Ok(people)
}

/// Those who are behind an address, by the CRM's id, with what a card shows of them.
async fn people(
    bridge: &Bridge,
    question: Question,
    look_up: &LookUp,
) -> Result<Vec<(String, Readings)>, Trouble> {
    let found = bridge.connector.ask(question).await?;
    let mut people: Vec<(String, Readings)> = Vec::new();
    for (id, record) in hits(bridge, &found.records, look_up) {
        if record.is_there() || !bridge.walls.stands(Wall::Living) {
            people.push((id, bridge.type_record(record)));
            continue;
        }
        // A search may know somebody for longer than the CRM has them.
        let Some(into) = &record.merged_into else { continue };
        if let Some((id, stays)) = who_stays(bridge, into).await? {
            people.extend(stays.record().map(|record| (id, bridge.type_record(record))));
        }
    }
    let mut known = BTreeSet::new();
    people.retain(|(id, _)| known.insert(id.clone()));
    Ok(people)
}

/// Whoever has taken in a record that was merged into that one; none if the CRM can't tell of anybody who is there.
async fn who_stays(bridge: &Bridge, into: &str) -> Result<Option<(String, There)>, Trouble> {
    match whereabouts::of(bridge, into, Priority::LookUp).await {
        Ok(Place::Here(there)) => Ok(Some((into.to_owned(), there))),
        Ok(Place::With(id, there)) => Ok(Some((id, there))),
        Ok(Place::Gone) => Ok(None),
        Err(trouble) if trouble.concerns_all() => Err(trouble),
        Err(_) => Ok(None),
    }
}

/// The records that really have the address. CRMs search fuzzily, by prefix, or not at all.
fn hits<'a>(bridge: &Bridge, records: &'a [Record], look_up: &LookUp) -> Vec<(String, &'a Record)> {
    let is_hit = |record: &&Record| match look_up {
        _ if !bridge.walls.stands(Wall::Hit) => true,
        LookUp::Email(wanted) => {
            record.emails.iter().any(|email| normal_email(email).is_some_and(|email| email == *wanted))
        }
        LookUp::Phone(wanted) => record
            .phones
            .iter()
            .any(|phone| normal_phone(phone, &bridge.phones).is_some_and(|phone| phone == *wanted)),
    };
    let agrees = |record: &&Record| match look_up {
        LookUp::Email(wanted) => exit::has_email(bridge, record, wanted),
        LookUp::Phone(wanted) => exit::has_phone(bridge, record, wanted),
    };
    let mut hits: Vec<(String, &Record)> = records
        .iter()
        .filter(is_hit)
        .filter(agrees)
        .filter_map(|record| Some((record.id.clone()?, record)))
        .collect();
    // The most recently changed first; the id makes the order the same every time.
    hits.sort_by(|(id, record), (other_id, other)| {
        other.updated_at.cmp(&record.updated_at).then_with(|| id.cmp(other_id))
    });
    hits.dedup_by(|(id, _), (other, _)| id == other);
    hits.truncate(CANDIDATES_MAX);
    hits
}

pub(super) fn new_ref(bridge: &Bridge) -> Result<CustomerRef, BridgeError> {
    // Random and nothing else: an id that sorts by time would tell when a customer first wrote.
    let mut bytes = [0_u8; 16];
    bridge.ids.fill(&mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    CustomerRef::new(format!("cus_{hex}")).map_err(|_| BridgeError::Internal("customer reference"))
}

fn answer(bridge: &Bridge, mut found: Vec<CustomerRef>) -> ResolveAnswer {
    found.truncate(CANDIDATES_MAX);
    let (label, outcome) = match (found.len(), found.pop()) {
        (1, Some(customer_ref)) => ("matched", ResolveOutcome::Matched { customer_ref }),
        (_, Some(last)) => {
            found.push(last);
            ("several", ResolveOutcome::Several { candidates: found })
        }
        (_, None) => ("none", ResolveOutcome::None {}),
    };
    bridge.metrics.resolve(label);
    ResolveAnswer { version: Version, outcome }
}
