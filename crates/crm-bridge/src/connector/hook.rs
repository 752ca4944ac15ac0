//! What a CRM sends by itself. A webhook is a hint that a record changed and nothing more: who sent it is checked over
//! the raw bytes, ids are taken out without building anything else, and the rest is dropped unread. What changed is then
//! asked for as always, through all five walls; so an unsigned or over-sharing webhook can do no harm but flood.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use service_kit::{Secret, Timestamp};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use zeroize::Zeroizing;

use super::pluck::{List, Plucked, Row, pluck, pluck_each};
use super::pointer::Pointer;
use super::profile::auth::HashKind;
use super::profile::webhook::{
    DigestEncoding, HookBody, KeyEncoding, Signature, SignatureKind, SignedPart, StampUnit, Webhook,
};
use super::projection::is_id;
use super::projection::scan::look_over;
use crate::policy::Entity;

/// Events of one delivery that are taken; a sender that has more says so again, or the next sync finds them.
pub const EVENTS_MAX: usize = 1_000;
const DEPTH_MAX: usize = 32;
/// Digests of one delivery that are compared: while a key is being changed there are two.
const DIGESTS_MAX: usize = 8;

/// One delivery as it came in, not yet believed.
pub struct Delivery<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// The whole address as the sender knows it.
    pub uri: &'a str,
    /// Gives a header's value, whatever the case of its name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// Gives a query parameter's value.
    pub query: &'a dyn Fn(&str) -> Option<String>,
    /// The body.
    pub body: &'a [u8],
}

/// What is taken out of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// A record was made or changed.
    Changed(Entity, String),
    /// A person is gone.
    Gone(String),
}

/// Why a delivery was not taken: a closed set, without a word of what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// Not signed, or not with our key.
    Signature,
    /// Signed too long ago, or in the future: a replay, or a clock that is off.
    Stale,
    /// Not a body as the profile says.
    Unreadable,
}

impl Refusal {
    /// The word in metrics, logs and problems.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Stale => "stale",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Checks who sent a delivery, over the bytes as they came. `secret` is the key that the CRM and the bridge share.
///
/// # Errors
/// [`Refusal::Signature`], [`Refusal::Stale`], or [`Refusal::Unreadable`] if the token is to be found in a body that is none.
pub fn verify(
    hook: &Webhook,
    secret: Option<&Secret>,
    delivery: &Delivery<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let signature = &hook.signature;
    if signature.kind == SignatureKind::None {
        return Ok(());
    }
    let secret = secret.filter(|secret| !secret.expose().is_empty()).ok_or(Refusal::Signature)?;
    match signature.kind {
        SignatureKind::None => Ok(()),
        SignatureKind::Hmac => verify_digest(hook, secret, delivery, now),
        SignatureKind::Token => {
            let given = if let Some(header) = &signature.header {
                (delivery.header)(header)
            } else if let Some(query) = &signature.query {
                (delivery.query)(query)
            } else if let Some(key) = &signature.form {
                form_value(delivery.body, key)
            } else if let Some(at) = &signature.at {
                token_in_json(delivery.body, at)?
            } else {
                None
            };
            let given = given.ok_or(Refusal::Signature)?;
            let given = given.strip_prefix(signature.prefix.as_str()).unwrap_or(&given);
            if same(given.as_bytes(), secret.expose().as_bytes()) { Ok(()) } else { Err(Refusal::Signature) }
        }
        SignatureKind::Basic => {
            let given = (delivery.header)("authorization").unwrap_or_default();
            let encoded = given.strip_prefix("Basic ").ok_or(Refusal::Signature)?;
            let plain = STANDARD.decode(encoded).map_err(|_| Refusal::Signature)?;
            if same(&plain, secret.expose().as_bytes()) { Ok(()) } else { Err(Refusal::Signature) }
        }
    }
}

/// Compares without telling by the time it takes how far both are alike: their digests under a key of no importance.
pub fn same(given: &[u8], expected: &[u8]) -> bool {
    let (Ok(mut one), Ok(mut other)) =
        (Hmac::<Sha256>::new_from_slice(b"compare"), Hmac::<Sha256>::new_from_slice(b"compare"))
    else {
        return false;
    };
    one.update(given);
    other.update(expected);
    one.verify_slice(&other.finalize().into_bytes()).is_ok()
}

fn verify_digest(
    hook: &Webhook,
    secret: &Secret,
    delivery: &Delivery<'_>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let signature = &hook.signature;
    let stamp = match &signature.timestamp {
        None => String::new(),
        Some(signed_at) => {
            let header = (delivery.header)(&signed_at.header).ok_or(Refusal::Signature)?;
            let stamp = match &signed_at.field {
                Some(name) => field_of(&header, name).next().map(str::to_owned).ok_or(Refusal::Signature)?,
                None => header,
            };
            let count: i64 = stamp.trim().parse().map_err(|_| Refusal::Signature)?;
            let ms = match signed_at.unit {
                StampUnit::S => count.saturating_mul(1_000),
                StampUnit::Ms => count,
            };
            let off_ms = now.since_ms(Timestamp::from_ms(ms)).saturating_abs();
            if off_ms > i64::from(signed_at.window_s) * 1_000 {
                return Err(Refusal::Stale);
            }
            stamp
        }
    };
    let header = signature.header.as_deref().ok_or(Refusal::Signature)?;
    let given = (delivery.header)(header).ok_or(Refusal::Signature)?;
    let digests = digests_of(&given, signature);
    let id = match &signature.id_header {
        Some(header) => (delivery.header)(header).ok_or(Refusal::Signature)?,
        None => String::new(),
    };
    let mut parts: Vec<&[u8]> = Vec::new();
    let body_alone = [SignedPart::Body];
    let signed = if signature.signed.is_empty() { &body_alone[..] } else { &signature.signed };
    for (position, part) in signed.iter().enumerate() {
        if position > 0 {
            parts.push(signature.separator.as_bytes());
        }
        parts.push(match part {
            SignedPart::Method => delivery.method.as_bytes(),
            SignedPart::Uri => delivery.uri.as_bytes(),
            SignedPart::Body => delivery.body,
            SignedPart::Timestamp => stamp.as_bytes(),
            SignedPart::Id => id.as_bytes(),
        });
    }
    let key = key_bytes(secret, signature.key).ok_or(Refusal::Signature)?;
    let fits = |digest: &Vec<u8>| match signature.algorithm.unwrap_or(HashKind::Sha256) {
        HashKind::Sha1 => mac_fits(Hmac::<Sha1>::new_from_slice(&key), &parts, digest),
        HashKind::Sha256 => mac_fits(Hmac::<Sha256>::new_from_slice(&key), &parts, digest),
        HashKind::Sha512 => mac_fits(Hmac::<Sha512>::new_from_slice(&key), &parts, digest),
    };
    if digests.iter().any(fits) { Ok(()) } else { Err(Refusal::Signature) }
}

/// The shared key. An empty one would let everybody sign.
pub(crate) fn key_bytes(secret: &Secret, encoding: KeyEncoding) -> Option<Zeroizing<Vec<u8>>> {
    let text = secret.expose();
    let bytes = Zeroizing::new(match encoding {
        KeyEncoding::Text => text.as_bytes().to_vec(),
        KeyEncoding::Base64 => STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text).trim()).ok()?,
    });
    Some(bytes).filter(|bytes| !bytes.is_empty())
}

/// The values of that name in a list of `name=value` with commas between.
fn field_of<'h>(header: &'h str, name: &str) -> impl Iterator<Item = &'h str> {
    header.split(',').filter_map(move |pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then_some(value)
    })
}

/// The digests that a header carries: one, or the first few of a list.
fn digests_of(given: &str, signature: &Signature) -> Vec<Vec<u8>> {
    let digest = |text: &str| digest_of(text, &signature.prefix, signature.encoding);
    match &signature.field {
        Some(name) => field_of(given, name).filter_map(digest).take(DIGESTS_MAX).collect(),
        None if signature.several => given.split(' ').filter_map(digest).take(DIGESTS_MAX).collect(),
        None => digest(given).into_iter().collect(),
    }
}

fn mac_fits<M: Mac, E>(mac: Result<M, E>, parts: &[&[u8]], digest: &[u8]) -> bool {
    let Ok(mut mac) = mac else { return false };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(digest).is_ok()
}

/// The bytes of the digest that a header carries.
fn digest_of(given: &str, prefix: &str, encoding: Option<DigestEncoding>) -> Option<Vec<u8>> {
    let text = given.trim().strip_prefix(prefix)?;
    match encoding.unwrap_or(DigestEncoding::Hex) {
        DigestEncoding::Hex => bytes_of_hex(text.as_bytes()),
        DigestEncoding::Base64 => STANDARD.decode(text).ok(),
        DigestEncoding::Base64IdHex => {
            let plain = STANDARD.decode(text).ok()?;
            bytes_of_hex(plain.rsplit(|byte| *byte == b':').next()?)
        }
        DigestEncoding::Base64IdRaw => {
            let plain = STANDARD.decode(text).ok()?;
            let colon = plain.iter().position(|byte| *byte == b':')?;
            plain.get(colon + 1..).map(<[u8]>::to_vec)
        }
    }
}

fn bytes_of_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// Takes the hints out of a body whose sender has been checked. Ids that could not be ids are passed over; events of
/// kinds that the profile does not name are none of ours.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub fn hints(hook: &Webhook, body: &[u8]) -> Result<Vec<Hint>, Refusal> {
    let events = match hook.body {
        HookBody::Json => json_events(hook, body)?,
        HookBody::Form => form_events(hook, body)?,
    };
    let mut hints: Vec<Hint> = events.into_iter().flat_map(|event| hints_of(hook, event)).collect();
    hints.truncate(EVENTS_MAX);
    hints.dedup();
    Ok(hints)
}

/// Ids and kind of one event; some CRMs name several records in one.
#[derive(Default)]
struct Event {
    ids: Plucked,
    kind: Plucked,
}

fn hints_of(hook: &Webhook, event: Event) -> Vec<Hint> {
    let ids = event.ids.all();
    let kind = event.kind.one();
    ids.into_iter().filter_map(|id| hint_of(hook, id, kind.as_deref())).collect()
}

fn hint_of(hook: &Webhook, id: String, kind: Option<&str>) -> Option<Hint> {
    if !is_id(&id) {
        return None;
    }
    if hook.kind.at.is_none() {
        return Some(Hint::Changed(Entity::Person, id));
    }
    let kind = kind?;
    let names = |words: &[String]| words.iter().any(|word| word.as_str() == kind);
    if names(&hook.kind.deleted) {
        Some(Hint::Gone(id))
    } else if names(&hook.kind.person) {
        Some(Hint::Changed(Entity::Person, id))
    } else if names(&hook.kind.company) {
        Some(Hint::Changed(Entity::Company, id))
    } else {
        None
    }
}

fn form_pairs(body: &[u8]) -> impl Iterator<Item = (String, String)> + '_ {
    url::form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned()))
}

fn form_value(body: &[u8], key: &str) -> Option<String> {
    form_pairs(body).find(|(name, _)| name == key).map(|(_, value)| value)
}

/// A form has one event with its id under a fixed key, or several below `prefix[…][id]`.
fn form_events(hook: &Webhook, body: &[u8]) -> Result<Vec<Event>, Refusal> {
    if std::str::from_utf8(body).is_err() {
        return Err(Refusal::Unreadable);
    }
    let kind_at = hook.kind.at.as_deref();
    let kind = kind_at.and_then(|key| form_value(body, key));
    let nested = format!("{}[", hook.id);
    // `contacts[update][0][id]`, but not `contacts[update][0][custom_fields][0][id]`.
    let is_nested = |name: &str| {
        let between = name.strip_prefix(nested.as_str()).and_then(|rest| rest.strip_suffix("][id]"));
        // A position, or what was done and a position: `contacts` stands for `contacts[add]` and `contacts[update]`.
        let Some(between) = between else { return false };
        let (done, position) = between.rsplit_once("][").unwrap_or(("", between));
        done.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && !position.is_empty()
            && position.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut events = Vec::new();
    for (name, value) in form_pairs(body) {
        if name == hook.id || is_nested(&name) {
            // Where no key says the kind, the name of the key may: `contacts[update][0][id]`.
            let kind = kind.clone().or_else(|| kind_at.filter(|at| name.contains(*at)).map(str::to_owned));
            let mut event = Event::default();
            event.ids.put(&value);
            kind.iter().for_each(|kind| event.kind.put(kind));
            events.push(event);
        }
        if events.len() == EVENTS_MAX {
            break;
        }
    }
    Ok(events)
}

fn text_of(body: &[u8]) -> Result<&str, Refusal> {
    look_over(body, DEPTH_MAX).map_err(|_| Refusal::Unreadable)
}

fn token_in_json(body: &[u8], at: &Pointer) -> Result<Option<String>, Refusal> {
    let mut found = Plucked::default();
    pluck(text_of(body)?, &mut [(at.segments(), &mut found)]).ok_or(Refusal::Unreadable)?;
    Ok(found.one())
}

fn json_events(hook: &Webhook, body: &[u8]) -> Result<Vec<Event>, Refusal> {
    let pointer = |text: &str| Pointer::try_from(text.to_owned()).map_err(|_| Refusal::Unreadable);
    let id = pointer(&hook.id)?;
    let kind = hook.kind.at.as_deref().map(pointer).transpose()?.unwrap_or_default();
    // An object in the place of the list is one event.
    let list = List { path: hook.events.segments(), by_name: false, rows_max: EVENTS_MAX };
    let rows = pluck_each(text_of(body)?, &list, &[id.segments(), kind.segments()]);
    let rows = rows.ok_or(Refusal::Unreadable)?;
    let event = |row: Row| {
        let mut found = row.found.into_iter();
        Event { ids: found.next().unwrap_or_default(), kind: found.next().unwrap_or_default() }
    };
    Ok(rows.into_iter().map(event).collect())
}

#[cfg(test)]
mod tests;
