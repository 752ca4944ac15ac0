//! What a fuzzer feeds bytes to: everything here takes bytes from outside and must neither panic nor break what it
//! promises. Driven by `cargo fuzz` (folder `fuzz/`) and, for a bounded time, by the tests (`tests/fuzz_smoke.rs`).

use std::sync::LazyLock;

use base64::Engine;
use serde_json::Value;
use service_kit::{Personal, Secret, Timestamp};

use super::ask::{Asker, Payload, Question, Request};
use super::hook::{Delivery, Hint, hints, verify};
use super::plans::Plans;
use super::profile::template::Template;
use super::profile::webhook::SignatureKind;
use super::profile::{BUILT_IN, Profile, Shape};
use super::projection::{KeyWatch, Limits, Plan, RawAnswer, Record, read_list, read_one};
use super::{Settings, SettingsGiven};
use crate::policy::Policy;
use crate::policy::lexicon::Lexicon;
use crate::policy::load::load;
use crate::policy::value::{PhoneRules, Reading, read};
use crate::walls::Walls;

const LIMITS: Limits = Limits { answer_bytes_max: 1 << 20, depth_max: 32, records_max: 50 };

/// A profile that ships, ready to ask and to read.
struct Connection {
    profile: Profile,
    plans: Plans,
    plan: Plan,
    shape: Shape,
    settings: Settings,
}

struct Parts {
    policy: Policy,
    watch: KeyWatch,
    connections: Vec<Connection>,
}

/// Loaded once; without them there is nothing to fuzz.
static PARTS: LazyLock<Option<Parts>> = LazyLock::new(|| {
    let policy = load(include_str!("../../../../config/field-policy.toml")).ok()?;
    let connections =
        BUILT_IN.iter().filter_map(|(_, text)| connect(&policy, Profile::load(text).ok()?)).collect();
    Some(Parts { watch: KeyWatch::new(Lexicon::with(&[]).ok()?), policy, connections })
});

fn connect(policy: &Policy, profile: Profile) -> Option<Connection> {
    let settings = profile.settings.keys().map(|name| {
        let value = if name.contains("zone") { "UTC" } else { "crm" };
        (name.clone(), value.to_owned())
    });
    let given = SettingsGiven {
        secret: Some(Secret::new("s3cret")),
        settings: settings.collect(),
        ..SettingsGiven::default()
    };
    let settings = Settings::new(&profile, given).ok()?;
    Some(Connection {
        plans: Plans::compile(policy, &profile, &settings, LIMITS),
        plan: Plan::compile(policy, &profile, LIMITS),
        shape: profile.shape(&profile.person.page),
        settings,
        profile,
    })
}

/// How many of the profiles that ship could be made ready. The tests see that it is all of them.
#[must_use]
pub fn connections() -> usize {
    PARTS.as_ref().map_or(0, |parts| parts.connections.len())
}

/// An answer of a CRM: the first byte says of which, the rest is what it sends.
pub fn answer(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let Some((parts, connection)) = pick(*first) else { return };
    let mut raw = RawAnswer::with_room(0);
    if !raw.push(body, LIMITS.answer_bytes_max) {
        return;
    }
    let Connection { plan, shape, .. } = connection;
    if let Ok(page) = read_list(&raw, plan, shape, &parts.watch, Walls::standing()) {
        assert!(page.records.len() <= LIMITS.records_max, "no more records than allowed");
        page.records.iter().for_each(|record| promised(&parts.policy, record));
    }
    if let Ok(Some(record)) = read_one(&raw, plan, shape, &parts.watch, Walls::standing()) {
        promised(&parts.policy, &record);
    }
}

/// What a record promises whatever was sent.
fn promised(policy: &Policy, record: &Record) {
    let ids = [&record.id, &record.merged_into, &record.company_id];
    for id in ids.into_iter().flatten().chain(&record.merged_from).chain(&record.parents) {
        let leads_elsewhere = id == "." || id == ".." || id.contains(['/', '\\', '?', '#', '%']);
        assert!(!leads_elsewhere && !id.chars().any(char::is_control), "an id that is one segment of a path");
    }
    for (position, raw) in &record.values {
        let Some(field) = policy.fields.get(*position) else { continue };
        if let Reading::Value(value) = read(field, raw, &PhoneRules::default(), Walls::standing()) {
            let has_control = value.text().is_some_and(|text| text.chars().any(char::is_control));
            assert!(!has_control, "no control character passes wall 3");
        }
    }
}

/// The text of a profile. One that loads must be possible to compile and to read with.
pub fn profile(bytes: &[u8]) {
    let (Some(parts), Ok(text)) = (PARTS.as_ref(), std::str::from_utf8(bytes)) else { return };
    match Profile::load(text) {
        Ok(profile) => {
            let plan = Plan::compile(&parts.policy, &profile, LIMITS);
            let shape = profile.shape(&profile.person.page);
            let mut raw = RawAnswer::with_room(0);
            raw.push(br#"{"id":"a","data":[{"id":"a"}],"items":[{"id":1}]}"#, LIMITS.answer_bytes_max);
            let _ = read_list(&raw, &plan, &shape, &parts.watch, Walls::standing());
        }
        Err(errors) => assert!(!errors.is_empty(), "a refusal has a reason"),
    }
}

/// The text of a field policy.
pub fn policy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(policy) = load(text) {
        assert_eq!(policy.hash().as_str().len(), 64, "every policy has a hash");
    }
}

/// A template, and a value that is asked for: the first byte says of which profile. Whatever the value is, the request
/// has the same parts in the same places.
pub fn template(bytes: &[u8]) {
    let Some((first, value)) = bytes.split_first() else { return };
    let Ok(value) = std::str::from_utf8(value) else { return };
    let _ = Template::parse(value);
    let Some((_, connection)) = pick(*first) else { return };
    let ask = |value: &str| request(connection, &Question::ByEmail(Personal::new(value.to_owned())));
    let (Some(plain), Some(asked)) = (ask("a@b.example"), ask(value)) else { return };
    assert_eq!(skeleton(&plain), skeleton(&asked), "a value changes no part of a request");
    let all = asked.path.iter().chain(asked.query.iter().map(|(_, value)| value));
    assert!(
        !all.into_iter().any(|text| text.contains(['\r', '\n', '\0'])),
        "no control character in a request"
    );
}

/// A webhook: the first byte says of which profile, the rest is the body.
pub fn webhook(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    let Some((_, connection)) = pick(*first) else { return };
    let Some(hook) = &connection.profile.webhook else { return };
    let header = |_: &str| std::str::from_utf8(body).ok().map(str::to_owned);
    let delivery =
        Delivery { method: "POST", uri: "https://bridge.example/", header: &header, query: &header, body };
    let key = Secret::new("a key that no fuzzer guesses");
    let believed = verify(hook, Some(&key), &delivery, Timestamp::from_ms(0)).is_ok();
    assert!(!believed || hook.signature.kind == SignatureKind::None, "nobody signs without the key");
    for hint in hints(hook, body).unwrap_or_default() {
        let (Hint::Changed(_, id) | Hint::Gone(id)) = hint;
        let leads_elsewhere = id == "." || id == ".." || id.contains(['/', '\\', '?', '#', '%']);
        assert!(!leads_elsewhere && !id.is_empty() && !id.chars().any(char::is_control), "an id is an id");
    }
}

fn pick(byte: u8) -> Option<(&'static Parts, &'static Connection)> {
    let parts = PARTS.as_ref()?;
    let position = usize::from(byte).checked_rem(parts.connections.len())?;
    parts.connections.get(position).map(|connection| (parts, connection))
}

fn request(connection: &Connection, question: &Question) -> Option<Request> {
    let operation = connection.profile.operation(question.purpose())?;
    let plan = connection.plans.of(question.purpose(), operation)?;
    let asker = Asker {
        profile: &connection.profile,
        fillings: connection.settings.fillings(),
        walls: Walls::standing(),
    };
    asker.request(question, operation, plan.selection(), Some(&Secret::new("t0ken"))).ok()
}

/// A request without its values: what a server takes it apart into.
fn skeleton(request: &Request) -> Vec<String> {
    let mut parts = vec![format!("{} segments", request.path.len())];
    parts.extend(request.query.iter().map(|(name, value)| format!("{name}={}", skeleton_of_text(value))));
    parts.extend(request.headers.iter().map(|(name, _)| name.clone()));
    parts.extend(match &request.body {
        None => Vec::new(),
        Some(Payload::Json(text)) => vec![skeleton_of_text(text)],
        Some(Payload::Form(form)) => {
            form.iter().map(|(name, value)| format!("{name}={}", skeleton_of_text(value))).collect()
        }
    });
    parts
}

/// Of JSON, also in base64, the structure; of any other text nothing.
fn skeleton_of_text(text: &str) -> String {
    let decoded = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    let json = [text.as_bytes(), decoded.as_slice()].into_iter().find_map(|bytes| {
        serde_json::from_slice::<Value>(bytes).ok().filter(|json| json.is_object() || json.is_array())
    });
    json.map_or_else(|| "text".to_owned(), |json| structure(&json))
}

fn structure(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, inner)| format!("{name}:{}", structure(inner))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(structure).collect::<Vec<_>>().join(",")),
        Value::String(_) => "text".to_owned(),
        other => other.to_string(),
    }
}
