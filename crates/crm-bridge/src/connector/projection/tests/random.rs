//! Random profiles, policies and answers: what comes through is what the slow and simple reading gives, and nothing of
//! anything else.

use std::collections::BTreeMap;

use super::*;
use crate::connector::pointer::Pointer;
use crate::connector::profile::{Each, Form, Place, Source, Sources};

const FIELDS: &str = r#"
[policy]
name = "t"
number = 1
owner = "t"
[person.name]
type = "text"
chars_max = 80
show = ["line1"]
[person.city]
type = "text"
chars_max = 80
show = ["line1"]
[person.portal_user]
type = "flag"
show = ["line1"]
[person.support_until]
type = "date"
show = ["line1"]
[company.name]
type = "text"
chars_max = 80
show = ["line1"]
"#;

/// Names of members that hold values or objects, so that places meet and lie inside of one another.
const MEMBERS: [&str; 5] = ["a", "b", "name", "label", "email"];
/// Names of lists; no source looks for a member below them.
const LISTS: [&str; 2] = ["l", "m"];

fn pointer(names: &[&str]) -> Pointer {
    let text: String = names.iter().flat_map(|name| ["/", *name]).collect();
    Pointer::try_from(text).unwrap()
}

fn any_member() -> impl Strategy<Value = Pointer> {
    prop::collection::vec(prop::sample::select(&MEMBERS[..]), 1..3).prop_map(|names| pointer(&names))
}

fn any_form() -> impl Strategy<Value = Form> {
    prop::sample::select(vec![
        Form::Plain,
        Form::Plain,
        Form::Label,
        Form::Digits,
        Form::Flag,
        Form::UnixS,
        Form::UnixMs,
        Form::DateTime,
    ])
}

fn any_place() -> impl Strategy<Value = Place> {
    let condition = (prop::sample::select(&MEMBERS[..2]), prop::collection::vec("[xy1]|true", 1..3));
    let conditions = prop::collection::vec(condition, 0..2).prop_map(|all| {
        all.into_iter().map(|(name, texts)| (name.to_owned(), texts)).collect::<BTreeMap<_, _>>()
    });
    let list = || prop::sample::select(&LISTS[..]).prop_map(|name| pointer(&[name]));
    let each = (list(), conditions, prop::option::of(list()), prop::option::of(any_member()));
    prop_oneof![
        3 => any_member().prop_map(Place::Member),
        3 => each.prop_map(|(each, conditions, inner, take)| Place::Each(Each { each, conditions, inner, take: take.unwrap_or_default() })),
        1 => (prop::collection::vec(any_member(), 2..4), "[ ,]?").prop_map(|(members, with)| Place::Join { members, with }),
    ]
}

fn any_sources() -> impl Strategy<Value = Sources> {
    let words = prop::collection::btree_map("[xy1]|true", "gold|silver", 1..3);
    let words = prop_oneof![4 => Just(BTreeMap::new()), 1 => words];
    let source = (any_place(), any_form(), words).prop_map(|(place, form, words)| {
        // A joined text has no label.
        let form =
            if matches!(place, Place::Join { .. }) && form == Form::Label { Form::Plain } else { form };
        Source { place, form, words, label: None }
    });
    prop::collection::vec(source, 1..4).prop_map(Sources)
}

/// The sandbox profile with other sources everywhere.
fn any_setting() -> impl Strategy<Value = Setting> {
    let fields = prop::collection::vec(any_sources(), 4);
    (fields, any_sources(), any_sources(), any_sources()).prop_map(|(fields, company, email, phone)| {
        let mut profile = built_in(0);
        let names = ["name", "city", "portal_user", "support_until"];
        profile.person.fields = names.iter().map(|name| (*name).to_owned()).zip(fields).collect();
        profile.person.r#match.email = email;
        profile.person.r#match.phone = phone;
        if let Some(embedded) = &mut profile.company {
            embedded.fields = [("name".to_owned(), company)].into();
        }
        Setting::new(load(FIELDS).unwrap(), profile)
    })
}

/// Any JSON, with the names above and others, and values that mean something to some form.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        4 => prop::sample::select(&MEMBERS[..]).prop_map(str::to_owned),
        3 => prop::sample::select(&LISTS[..]).prop_map(str::to_owned),
        1 => Just("company".to_owned()),
        1 => Just("id".to_owned()),
        1 => Just("deals".to_owned()),
        1 => "[0-9]",
        1 => "[a-z_\"\\\\]{0,20}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        "[xy1YN0]|true| ?[0-9]{1,13} ?|2026-1[0-9]-[0-9]{2} 09:00:00|0000-00-00 x".prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 80, 6, move |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            5 => prop::collection::vec((name.clone(), inner), 0..7)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_profile_reads_any_json_as_the_slow_way_does(setting in any_setting(), records in prop::collection::vec(any_json(), 1..4)) {
        let found: Vec<Vec<String>> = setting
            .records(&json!({ "deals": records.clone(), "items": records.clone() }))
            .iter()
            .map(|record| passed(&setting.policy, std::slice::from_ref(record)))
            .collect();
        let expected: Vec<Vec<String>> =
            records.iter().map(|record| sorted(reference::expected(&setting.policy, &setting.profile, record))).collect();
        prop_assert_eq!(found, expected, "{:?}", setting.profile.person);
    }

    #[test]
    fn every_profile_that_ships_lets_only_card_members_out(profile in 0..BUILT_IN.len(), mutations in any::<u64>(), noise in any_json()) {
        let setting = Setting::of(profile);
        // A record in the shape that this profile expects, every wanted place filled, in a sea of markers.
        let record = filled(&setting, mutations, &noise);
        let mut answer = record;
        for name in setting.shape.within.segments().iter().rev() {
            answer = json!({ name: answer, "decoy": "MARKER" });
        }
        answer = json!([answer]);
        for name in setting.shape.records.segments().iter().rev() {
            answer = json!({ name: answer, "decoy": {"iban": "MARKER", "list": ["MARKER"]} });
        }
        if let Ok(page) = setting.page(answer.to_string().as_bytes()) {
            for text in passed(&setting.policy, &page.records) {
                prop_assert!(!text.contains("MARKER"), "{}: {text}", BUILT_IN[profile].0);
            }
        }
    }

    #[test]
    fn a_damaged_answer_gives_the_same_or_nothing(setting in any_setting(), record in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let whole = json!({ "items": [record] }).to_string().into_bytes();
        let cut = at.index(whole.len());
        prop_assert!(setting.page(&whole[..cut]).is_err(), "a cut answer is none");
        let mut damaged = whole;
        damaged[cut] = byte;
        // What is skipped may have numbers and escapes that a tree would refuse; it is skipped all the same.
        if let (Ok(page), Ok(value)) = (setting.page(&damaged), serde_json::from_slice::<Value>(&damaged)) {
            let records = value["items"].as_array().cloned().unwrap_or_default();
            // Where a name now stands twice, the tree has forgotten the first; the reader says ambiguous.
            if records.len() == page.records.len() && !has_twins(&damaged) {
                let expected =
                    records.iter().flat_map(|record| reference::expected(&setting.policy, &setting.profile, record));
                prop_assert_eq!(sorted(passed(&setting.policy, &page.records)), sorted(expected.collect()));
            }
        }
    }

    #[test]
    fn what_is_skipped_may_be_as_deep_as_allowed_and_no_deeper(depth in 1_usize..80) {
        let nested = format!("{{\"items\":[{{\"id\":\"a\",\"x\":{}1{}}}]}}", "[".repeat(depth), "]".repeat(depth));
        let read = Setting::of(0).page(nested.as_bytes());
        // The answer, the list and the record are three of the levels.
        prop_assert_eq!(read.is_ok(), depth + 3 <= LIMITS.depth_max);
    }
}

/// Whether some object has a member twice.
fn has_twins(bytes: &[u8]) -> bool {
    struct Twins(bool);
    impl<'de> serde::Deserialize<'de> for Twins {
        fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
            struct Look;
            impl<'de> serde::de::Visitor<'de> for Look {
                type Value = Twins;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("anything")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Twins, A::Error> {
                    let (mut names, mut twins) = (std::collections::HashSet::new(), false);
                    while let Some((name, inner)) = map.next_entry::<String, Twins>()? {
                        twins |= inner.0 | !names.insert(name);
                    }
                    Ok(Twins(twins))
                }
                fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Twins, A::Error> {
                    let mut twins = false;
                    while let Some(inner) = list.next_element::<Twins>()? {
                        twins |= inner.0;
                    }
                    Ok(Twins(twins))
                }
                fn visit_str<E>(self, _: &str) -> Result<Twins, E> {
                    Ok(Twins(false))
                }
                fn visit_bool<E>(self, _: bool) -> Result<Twins, E> {
                    Ok(Twins(false))
                }
                fn visit_i64<E>(self, _: i64) -> Result<Twins, E> {
                    Ok(Twins(false))
                }
                fn visit_u64<E>(self, _: u64) -> Result<Twins, E> {
                    Ok(Twins(false))
                }
                fn visit_f64<E>(self, _: f64) -> Result<Twins, E> {
                    Ok(Twins(false))
                }
                fn visit_unit<E>(self) -> Result<Twins, E> {
                    Ok(Twins(false))
                }
            }
            json.deserialize_any(Look)
        }
    }
    serde_json::from_slice::<Twins>(bytes).is_ok_and(|twins| twins.0)
}

/// A record with something at every place that the profile wants, and markers around each of them.
fn filled(setting: &Setting, mut draw: u64, noise: &Value) -> Value {
    let mut record =
        json!({"iban": "MARKER", "deals": [{"amount": "MARKER", "name": "MARKER"}], "_noise": marked(noise)});
    for path in setting.plan.selection() {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let value = match (draw >> 60) % 5 {
            0 => json!("value"),
            1 => json!({"deep": "MARKER", "amount": 1, "list": ["MARKER"]}),
            2 => json!([{"deep": "MARKER"}]),
            3 => json!([["MARKER"], ["MARKER"], {"amount": "MARKER"}]),
            _ => json!({"__class__": "MARKER", "decimal": "MARKER"}),
        };
        let is_list = (draw >> 50).is_multiple_of(3);
        insert(&mut record, path, value, is_list);
    }
    record
}

fn insert(place: &mut Value, path: &[String], value: Value, is_list: bool) {
    let Some((name, rest)) = path.split_first() else { return };
    if let Value::Array(entries) = place
        && let Some(first) = entries.first_mut()
    {
        return insert(first, path, value, is_list);
    }
    let Value::Object(members) = place else { return };
    members.entry("beside").or_insert_with(|| json!("MARKER"));
    if rest.is_empty() {
        members.insert(name.clone(), value);
        return;
    }
    let empty = if is_list { json!([{}]) } else { json!({}) };
    insert(members.entry(name.clone()).or_insert(empty), rest, value, is_list);
}

/// The same with markers for texts, under names that no profile asks for.
fn marked(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(format!("MARKER{text}")),
        Value::Array(items) => items.iter().map(marked).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), marked(value))).collect(),
        other => other.clone(),
    }
}
