//! What several CRMs do alike: times, pages, selections, signatures.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use crate::World;
use crate::people::{People, Person};
use crate::switch::Fault;
use crate::wire::Answer;

/// `2026-01-10 08:00:00` in UTC.
pub(crate) fn space_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-01-10 08:00:00.000000` in a time zone; UTC if there is no such zone.
pub(crate) fn zoned_time(at: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// Reads what [`space_time`] writes, with or without a fraction.
pub(crate) fn read_space_time(text: &str, zone: &str) -> Option<Timestamp> {
    let civil: jiff::civil::DateTime = text.trim().replacen(' ', "T", 1).parse().ok()?;
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    Some(civil.to_zoned(zone).ok()?.timestamp())
}

/// The members of a record that are named; all of them if there is no list or the CRM ignores it.
pub(crate) fn pick(record: Value, names: Option<&[String]>) -> Value {
    let (Value::Object(members), Some(names)) = (&record, names) else { return record };
    let kept: Map<String, Value> = members
        .iter()
        .filter(|(name, _)| names.iter().any(|wanted| wanted == *name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(kept)
}

/// The names that a record of this CRM has.
pub(crate) fn names_of(record: &Value) -> Vec<String> {
    record.as_object().map(|members| members.keys().cloned().collect()).unwrap_or_default()
}

/// Names in a list that a record does not have.
pub(crate) fn strangers(record: &Value, names: &[String]) -> Vec<String> {
    names.iter().filter(|name| record.get(name.as_str()).is_none()).cloned().collect()
}

/// `a,b, c`
pub(crate) fn comma_list(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

/// So many after so many.
pub(crate) fn slice<T>(items: &[T], offset: usize, size: usize) -> &[T] {
    let start = offset.min(items.len());
    items.get(start..start.saturating_add(size).min(items.len())).unwrap_or_default()
}

/// Everybody who is there, in the order of change, or of number if the question names no order.
pub(crate) fn ordered(people: &People, by_change: bool) -> Vec<&Person> {
    if by_change { people.by_change() } else { people.living().collect() }
}

/// The deals of a person that a careless CRM embeds, and all else that was linked to them.
pub(crate) fn deals(world: &World, person: u32) -> Value {
    let mut deals = json!([{
        "id": person * 10,
        "title": world.marks.text("deal.title", person),
        "stage": world.marks.text("deal.stage", person),
        "amount": world.marks.money("deal.amount", person),
        "probability": world.marks.count("deal.probability", person),
    }]);
    if let Some(deals) = deals.as_array_mut() {
        deals.extend(world.shelf.about(person).into_iter().map(|record| Value::Object(record.body)));
    }
    deals
}

/// Adds the deals of a person to a record when this CRM is told to.
pub(crate) fn with_deals(world: &World, person: u32, member: &str, record: Value) -> Value {
    let mut record = record;
    if world.switch.is_on(Fault::EmbedDeals)
        && let Some(members) = record.as_object_mut()
    {
        members.insert(member.to_owned(), deals(world, person));
    }
    record
}

/// The number of the person whose number passes; 0 if there is none.
pub(crate) fn number_of(world: &World, is: impl Fn(u32) -> bool) -> u32 {
    world
        .read(|people| people.persons.iter().map(|person| person.number).find(|number| is(*number)))
        .unwrap_or(0)
}

/// A text; empty if it is none.
pub(crate) fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The web page that a proxy sends with status 200 while it is being repaired.
pub(crate) fn page_in_200(world: &World) -> Option<Answer> {
    let page = "<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>";
    world.switch.take(Fault::ErrorIn200).then(|| Answer::text(200, "text/html; charset=utf-8", page))
}

/// HMAC-SHA256.
pub(crate) fn hmac_sha256(key: &str, message: &[u8]) -> Vec<u8> {
    // A key of any length is allowed.
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map(|mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().to_vec()
        })
        .unwrap_or_default()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 with padding.
pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Base64 with padding, decoded to text.
pub(crate) fn from_base64(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_in_their_zone() {
        let at: Timestamp = "2026-07-10T08:00:00Z".parse().unwrap();
        assert_eq!(space_time(at), "2026-07-10 08:00:00");
        assert_eq!(zoned_time(at, "Europe/Berlin"), "2026-07-10 10:00:00.000000");
        assert_eq!(read_space_time("2026-07-10 10:00:00.000000", "Europe/Berlin"), Some(at));
        assert_eq!(read_space_time("2026-07-10 08:00:00", "UTC"), Some(at));
    }

    #[test]
    fn a_signature_is_the_one_of_the_standard() {
        // RFC 4231, test case 2.
        let mac = hex(&hmac_sha256("Jefe", b"what do ya want for nothing?"));
        assert_eq!(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
