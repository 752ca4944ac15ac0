//! What the parser lets through, whatever is sent.

mod around;
mod random;
mod reference;

mod sources;

use std::sync::LazyLock;

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
    load(include_str!("../../../../../../config/field-policy.toml")).unwrap()
}

fn built_in(profile: usize) -> Profile {
    static LOADED: LazyLock<Vec<Profile>> =
        LazyLock::new(|| BUILT_IN.iter().map(|(_, text)| Profile::load(text).unwrap()).collect());
    LOADED[profile].clone()
}

fn watch() -> KeyWatch {
    KeyWatch::new(Lexicon::with(&[]).unwrap())
}

fn raw(bytes: &[u8]) -> RawAnswer {
    let mut answer = RawAnswer::with_room(0);
    assert!(answer.push(bytes, LIMITS.answer_bytes_max));
    answer
}

/// A profile with the plan and the shape of its list, for the policy of that text.
struct Setting {
    policy: Policy,
    profile: Profile,
    plan: Plan,
    shape: Shape,
    watch: KeyWatch,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Profile { person, company, .. } = &self.profile;
        f.debug_list().entry(&person.fields).entry(&person.r#match).entry(company).finish()
    }
}

impl Setting {
    fn new(policy: Policy, profile: Profile) -> Self {
        let plan = Plan::compile(&policy, &profile, LIMITS);
        let shape = profile.shape(&profile.person.page);
        Self { policy, profile, plan, shape, watch: watch() }
    }

    fn of(profile: usize) -> Self {
        Self::new(policy(), built_in(profile))
    }

    fn page(&self, bytes: &[u8]) -> Result<Page, Unreadable> {
        read_list(&raw(bytes), &self.plan, &self.shape, &self.watch, Walls::standing())
    }

    fn one(&self, bytes: &[u8]) -> Result<Option<Record>, Unreadable> {
        read_one(&raw(bytes), &self.plan, &self.shape, &self.watch, Walls::standing())
    }

    fn records(&self, answer: &Value) -> Vec<Record> {
        self.page(answer.to_string().as_bytes()).unwrap().records
    }

    /// What came through of an answer, as text.
    fn passed(&self, answer: &Value) -> Vec<String> {
        passed(&self.policy, &self.records(answer))
    }
}

/// Everything that came through, as text.
fn passed(policy: &Policy, records: &[Record]) -> Vec<String> {
    let mut texts = Vec::new();
    for record in records {
        texts.extend(record.id.iter().map(|id| format!("id={id}")));
        texts.extend(record.emails.iter().map(|email| format!("match={}", &**email)));
        texts.extend(record.phones.iter().map(|phone| format!("match={}", &**phone)));
        texts.extend(record.updated_at.iter().map(|at| format!("updated_at={at}")));
        texts.extend(record.deleted.then(|| "deleted".to_owned()));
        texts.extend(record.merged_into.iter().map(|id| format!("merged_into={id}")));
        texts.extend(record.company_id.iter().map(|id| format!("company_id={id}")));
        for (field, value) in &record.values {
            let key = &policy.fields[*field].key;
            match value {
                RawScalar::Text(text) => texts.push(format!("{key}={}", &**text)),
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

#[test]
fn of_a_record_with_everything_only_the_listed_members_come_through() {
    let record = json!({
        "id": "ct_1", "full_name": "Ilya Sorin", "email": "ilya@volga.example", "other_emails": ["i@s.example", 7],
        "deals": [{"amount": 987_654.32, "full_name": "decoy"}], "iban": "DE89370400440532013000",
        "company": {"name": "Volga", "iban": "DE89370400440532013000", "annual_revenue": 1},
        "owner": {"full_name": "decoy"}, "phone": {"number": 1}, "language": ["ru"]
    });
    assert_eq!(
        Setting::of(0).passed(&json!({"items": [record], "next_cursor": "c2", "total": 1})),
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
    assert_eq!(
        Setting::of(1).passed(&record),
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
            "updated_at=2026-11-21T19:14:16.000Z",
        ]
    );
}

#[test]
fn a_member_that_stands_there_twice_is_ambiguous() {
    let text = br#"{"items":[{"id":"a","full_name":"one","full_name":"two"}]}"#;
    let sandbox = Setting::of(0);
    let page = sandbox.page(text).unwrap();
    assert_eq!(passed(&sandbox.policy, &page.records), ["id=a", "person.name ambiguous"]);
}

#[test]
fn an_id_that_could_lead_elsewhere_is_none() {
    let id_of = |id: &str| Setting::of(0).records(&json!({"items": [{"id": id}]}))[0].id.clone();
    for id in ["../companies", "a/b", "a\\b", "a?x=1", "a#b", "", " ", "a\nb", "%2e%2e", "..", "."] {
        assert_eq!(id_of(id), None, "{id}");
    }
    for name in ["Robert \"Bob\" O'Hara-O'Brien \"Brothers\" Ltd", "李 伟-上海远东贸易"] {
        assert_eq!(id_of(name).as_deref(), Some(name), "some CRMs make ids of names");
    }
}

#[test]
fn over_sharing_is_noticed_by_name() {
    let sandbox = Setting::of(0);
    sandbox.page(br#"{"items":[{"id":"a","iban":"DE89","shoe_size":44,"deals":[]}]}"#).unwrap();
    assert_eq!(sandbox.watch.over_shared_names(), ["deals", "iban"]);
    assert_eq!(sandbox.watch.unexpected_count(), 3);
}

#[test]
fn what_is_no_answer_has_a_reason() {
    let reason = |bytes: &[u8]| Setting::of(0).page(bytes).map(|_| ()).unwrap_err();
    assert_eq!(reason(b""), Unreadable::Empty);
    assert_eq!(reason(b"<html>"), Unreadable::NotJson);
    assert_eq!(reason(br#"{"items":[{"id":"a"}]"#), Unreadable::NotJson);
    assert_eq!(reason(br#"{"items":[{"x":"\ud800"#), Unreadable::NotJson);
    assert_eq!(reason(br#"{"rows":[]}"#), Unreadable::UnexpectedShape);
    assert_eq!(reason(br#"{"items":{"key":"a"}}"#), Unreadable::UnexpectedShape);
    assert_eq!(reason(format!("{{\"x\":{}", "[".repeat(100)).as_bytes()), Unreadable::TooDeep);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_of_any_kind_are_refused_or_read_but_never_crash(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for profile in 0..2 {
            let setting = Setting::of(profile);
            let _ = setting.page(&bytes);
            let _ = setting.one(&bytes);
        }
    }

    #[test]
    fn a_damaged_answer_is_refused_or_read_but_never_crashes(at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..200) {
        let mut bytes = json!({"items": [{"id": "a", "full_name": "Ilya \u{1f600} \\ \"", "company": {"name": "x"},
            "other_emails": ["a", null, {"b": []}], "email": "a@b.example"}], "next_cursor": null}).to_string().into_bytes();
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(length - cut % length);
        let _ = Setting::of(0).page(&bytes);
    }
}
