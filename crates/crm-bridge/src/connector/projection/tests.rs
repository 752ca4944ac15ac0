//! What the parser lets through, whatever is sent.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::connector::profile::{BUILT_IN, Profile, Shape};
use crate::policy::Policy;
use crate::policy::lexicon::Lexicon;
use crate::policy::load::load;
use crate::policy::value::RawScalar;
use crate::walls::Walls;

const LIMITS: Limits = Limits { answer_bytes_max: 1 << 20, depth_max: 32, records_max: 100 };

fn policy() -> Policy {
    load(include_str!("../../../../../config/field-policy.toml")).unwrap()
}

fn plan(profile: usize) -> Plan {
    Plan::compile(&policy(), &Profile::load(BUILT_IN[profile].1).unwrap(), LIMITS)
}

fn shape(profile: usize) -> Shape {
    let profile = Profile::load(BUILT_IN[profile].1).unwrap();
    profile.shape(&profile.person.page)
}

fn watch() -> KeyWatch {
    KeyWatch::new(Lexicon::with(&[]).unwrap())
}

fn raw(bytes: &[u8]) -> RawAnswer {
    let mut answer = RawAnswer::with_room(0);
    assert!(answer.push(bytes, LIMITS.answer_bytes_max));
    answer
}

/// Everything that came through, as text.
fn passed(records: &[Record]) -> Vec<String> {
    let policy = policy();
    let mut texts = Vec::new();
    for record in records {
        texts.extend(record.id.iter().map(|id| format!("id={id}")));
        texts.extend(record.emails.iter().map(|email| format!("match={}", **email)));
        texts.extend(record.phones.iter().map(|phone| format!("match={}", **phone)));
        for (field, value) in &record.values {
            let key = &policy.fields[*field].key;
            match value {
                RawScalar::Text(text) => texts.push(format!("{key}={}", **text)),
                RawScalar::Integer(number) => texts.push(format!("{key}={number}")),
                RawScalar::Flag(flag) => texts.push(format!("{key}={flag}")),
                RawScalar::Day(day) => texts.push(format!("{key}={day}")),
                RawScalar::Instant(instant) => texts.push(format!("{key}={instant}")),
                RawScalar::Misfit => texts.push(format!("{key} misfit")),
                RawScalar::Ambiguous => texts.push(format!("{key} ambiguous")),
                RawScalar::Null => {}
            }
        }
    }
    texts.sort();
    texts
}

fn read_sandbox(answer: &Value) -> Vec<String> {
    let Page { records, .. } =
        read_list(&raw(answer.to_string().as_bytes()), &plan(0), &shape(0), &watch(), Walls::standing())
            .unwrap();
    passed(&records)
}

#[test]
fn of_a_record_with_everything_only_the_listed_members_come_through() {
    let record = json!({
        "id": "ct_1", "full_name": "Ilya Sorin", "email": "ilya@volga.example", "other_emails": ["i@s.example", 7],
        "deals": [{"amount": 987_654.32, "full_name": "decoy"}], "iban": "DE89370400440532013000",
        "company": {"name": "Volga", "iban": "DE89370400440532013000", "annual_revenue": 1},
        "owner": {"full_name": "decoy"}, "phone": {"number": 1}, "language": ["ru"]
    });
    assert_eq!(
        read_sandbox(&json!({"items": [record], "next_cursor": "c2", "total": 1})),
        [
            "company.name=Volga",
            "id=ct_1",
            "match=i@s.example",
            "match=ilya@volga.example",
            "person.email=ilya@volga.example",
            "person.language misfit",
            "person.name=Ilya Sorin",
            "person.phone misfit",
        ]
    );
}

#[test]
fn entries_of_a_list_are_taken_by_condition_and_typed_days_are_read() {
    let record = json!([{
        "id": 7, "__name__": "party.party", "name": "Ilya", "code": "17", "lang": {"code": "ru", "id": 3},
        "write_date": {"__class__": "datetime", "year": 2026, "month": 11, "day": 21, "hour": 19, "minute": 14, "second": 16, "microsecond": 25},
        "contact_mechanisms": [
            {"type": "fax", "value": "+1 000"}, {"value": "i@s.example", "type": "email", "id": 1},
            {"type": "mobile", "value": "+79165552241"}, {"type": "email", "value": "second@s.example"}
        ],
        "receivable": {"__class__": "Decimal", "decimal": "55555"}
    }]);
    let Page { records, .. } =
        read_list(&raw(record.to_string().as_bytes()), &plan(1), &shape(1), &watch(), Walls::standing())
            .unwrap();
    assert_eq!(
        passed(&records),
        [
            "id=7",
            "match=+79165552241",
            "match=i@s.example",
            "match=second@s.example",
            "person.customer_number=17",
            "person.email=i@s.example",
            "person.language=ru",
            "person.mobile=+79165552241",
            "person.name=Ilya",
        ]
    );
    assert_eq!(records[0].updated_at.unwrap().to_string(), "2026-11-21T19:14:16.000Z");
}

#[test]
fn a_member_that_stands_there_twice_is_ambiguous() {
    let text = br#"{"items":[{"id":"a","full_name":"one","full_name":"two"}]}"#;
    let Page { records, .. } =
        read_list(&raw(text), &plan(0), &shape(0), &watch(), Walls::standing()).unwrap();
    assert_eq!(passed(&records), ["id=a", "person.name ambiguous"]);
}

#[test]
fn an_id_that_could_lead_elsewhere_is_none() {
    for id in ["../companies", "a/b", "a?x=1", "", "a b", "%2e%2e"] {
        let answer = json!({"items": [{"id": id}]}).to_string();
        let Page { records, .. } =
            read_list(&raw(answer.as_bytes()), &plan(0), &shape(0), &watch(), Walls::standing()).unwrap();
        assert_eq!(records[0].id, None, "{id}");
    }
}

#[test]
fn over_sharing_is_noticed_by_name() {
    let watch = watch();
    let answer = br#"{"items":[{"id":"a","iban":"DE89","shoe_size":44,"deals":[]}]}"#;
    read_list(&raw(answer), &plan(0), &shape(0), &watch, Walls::standing()).unwrap();
    assert_eq!(watch.over_shared_names(), ["deals", "iban"]);
    assert_eq!(watch.unexpected_count(), 3);
}

#[test]
fn what_is_no_answer_has_a_reason() {
    let reason = |bytes: &[u8]| {
        read_list(&raw(bytes), &plan(0), &shape(0), &watch(), Walls::standing()).map(|_| ()).unwrap_err()
    };
    assert_eq!(reason(b""), Unreadable::Empty);
    assert_eq!(reason(b"<html>"), Unreadable::NotJson);
    assert_eq!(reason(br#"{"items":[{"id":"a"}]"#), Unreadable::NotJson);
    assert_eq!(reason(br#"{"items":[{"x":"\ud800"#), Unreadable::NotJson);
    assert_eq!(reason(br#"{"rows":[]}"#), Unreadable::UnexpectedShape);
    assert_eq!(reason(br#"{"items":{"id":"a"}}"#), Unreadable::UnexpectedShape);
    assert_eq!(reason(format!("{{\"x\":{}", "[".repeat(100)).as_bytes()), Unreadable::TooDeep);
}

/// Any JSON with a marker in every text and names that include the wanted ones.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("items".to_owned()),
        Just("id".to_owned()),
        Just("full_name".to_owned()),
        Just("company".to_owned()),
        Just("name".to_owned()),
        Just("deals".to_owned()),
        Just("email".to_owned()),
        Just("iban".to_owned()),
        "[a-z_]{1,6}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from)
    ];
    leaf.prop_recursive(6, 80, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..7)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The texts at the listed places of a sandbox answer, found the slow and simple way.
fn expected(answer: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    for record in answer["items"].as_array().into_iter().flatten() {
        for (path, key) in
            [("/full_name", "person.name"), ("/email", "person.email"), ("/company/name", "company.name")]
        {
            match record.pointer(path) {
                Some(Value::String(text)) if !text.trim().is_empty() => texts.push(format!("{key}={text}")),
                _ => {}
            }
        }
    }
    texts.sort();
    texts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_json_is_sent_only_listed_members_come_out(answer in any_json()) {
        let wrapped = json!({ "items": [answer.clone(), answer] });
        if let Ok(Page { records, .. }) = read_list(&raw(wrapped.to_string().as_bytes()), &plan(0), &shape(0), &watch(), Walls::standing()) {
            let mut texts = passed(&records);
            texts.retain(|text| text.contains('=') && !text.starts_with("id=") && !text.starts_with("match="));
            texts.retain(|text| ["person.name=", "person.email=", "company.name="].iter().any(|key| text.starts_with(key)));
            texts.retain(|text| text.parse::<f64>().is_err());
            let mut wanted = expected(&wrapped);
            // Whole numbers and flags come through to be withheld by their type; texts are compared here.
            texts.retain(|text| wanted.contains(text) || !is_number_or_flag(text));
            wanted.sort();
            prop_assert_eq!(texts, wanted);
        }
    }

    #[test]
    fn bytes_of_any_kind_are_refused_or_read_but_never_crash(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for profile in 0..2 {
            let _ = read_list(&raw(&bytes), &plan(profile), &shape(profile), &watch(), Walls::standing());
            let _ = read_one(&raw(&bytes), &plan(profile), &shape(profile), &watch(), Walls::standing());
        }
    }

    #[test]
    fn a_damaged_answer_is_refused_or_read_but_never_crashes(at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..200) {
        let mut bytes = json!({"items": [{"id": "a", "full_name": "Ilya \u{1f600} \\ \"", "company": {"name": "x"},
            "other_emails": ["a", null, {"b": []}], "email": "a@b.example"}], "next_cursor": null}).to_string().into_bytes();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        let _ = read_list(&raw(&bytes), &plan(0), &shape(0), &watch(), Walls::standing());
    }
}

fn is_number_or_flag(text: &str) -> bool {
    let value = text.split_once('=').map_or("", |(_, value)| value);
    value.parse::<i64>().is_ok() || matches!(value, "true" | "false")
}
