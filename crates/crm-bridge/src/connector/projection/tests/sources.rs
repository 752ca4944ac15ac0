//! Each kind of source, and each form that a value can take.

use super::*;
use crate::connector::profile::Sources;

const POLICY: &str = r#"
[policy]
name = "t"
number = 1
owner = "t"
[person.name]
type = "text"
chars_max = 80
show = ["line1"]
[person.portal_user]
type = "flag"
show = ["line1"]
[person.support_until]
type = "date"
show = ["line1"]
"#;

/// The sandbox profile with other sources for the three fields.
fn setting(field: &str, source: &str) -> Setting {
    #[derive(serde::Deserialize)]
    struct Table {
        source: Sources,
    }
    let table: Table = toml::from_str(&format!("source = {source}")).unwrap();
    let mut profile = built_in(0);
    profile.person.fields.clear();
    profile.person.fields.insert(field.to_owned(), table.source);
    Setting::new(load(POLICY).unwrap(), profile)
}

/// What a field is read as, in records that have the members given.
fn read(field: &str, source: &str, record: Value) -> String {
    let setting = setting(field, source);
    let records = setting.records(&json!({"items": [record]}));
    let sent = if records[0].was_sent(records[0].values[0].0) { "" } else { " (not sent)" };
    let passed = passed(&setting.policy, &records);
    let prefix = format!("person.{field}");
    let of_field: Vec<&str> = passed.iter().filter_map(|text| text.strip_prefix(&prefix)).collect();
    format!("{}{sent}", of_field.join(","))
}

fn name(source: &str, record: Value) -> String {
    read("name", source, record)
}

#[test]
fn the_first_source_that_has_something_wins() {
    let sources = r#"["/a", "/b/c", { at = "/d" }]"#;
    assert_eq!(name(sources, json!({"d": "D", "b": {"c": "C"}, "a": "A"})), "=A");
    for nothing in [json!(null), json!(false), json!(""), json!("  ")] {
        assert_eq!(name(sources, json!({"a": nothing, "b": {"c": "C"}, "d": "D"})), "=C");
        assert_eq!(name(sources, json!({"a": nothing, "b": nothing, "d": "D"})), "=D");
        assert_eq!(name(sources, json!({"a": nothing, "b": nothing, "d": nothing})), "");
    }
    assert_eq!(
        name(sources, json!({"a": 1.5, "d": "D"})),
        " misfit",
        "a fraction is something, and nothing else"
    );
    assert_eq!(name(sources, json!({"a": {"amount": 1}, "d": "D"})), " misfit");
}

#[test]
fn what_was_not_sent_is_not_what_is_empty() {
    assert_eq!(name(r#""/a/b""#, json!({})), " (not sent)");
    assert_eq!(name(r#""/a/b""#, json!({"a": {}})), " (not sent)");
    assert_eq!(name(r#""/a/b""#, json!({"a": {"b": null}})), "");
    assert_eq!(name(r#""/a/b""#, json!({"a": null})), "", "what is inside of nothing is nothing");
    assert_eq!(name(r#"{ each = "/l", take = "/v" }"#, json!({"l": []})), "");
    assert_eq!(name(r#"{ each = "/l", take = "/v" }"#, json!({"l": false})), "");
    assert_eq!(name(r#"{ each = "/l", take = "/v" }"#, json!({})), " (not sent)");
    assert_eq!(name(r#"{ join = ["/a", "/b"] }"#, json!({"b": ""})), "");
    assert_eq!(name(r#"{ join = ["/a", "/b"] }"#, json!({"c": ""})), " (not sent)");
    assert_eq!(name(r#"{ at = "/a", as = "label" }"#, json!({"a": false})), "");
    assert_eq!(name(r#"["/a", "/b"]"#, json!({"b": null})), "");
}

#[test]
fn lists_are_taken_by_condition_and_from_lists_inside() {
    let phones =
        r#"{ each = "/fields", where = { code = ["PHONE", "MOB"] }, in = "/values", take = "/value" }"#;
    let record = json!({"fields": [
        {"code": "EMAIL", "values": [{"value": "a@b.example"}]},
        {"values": [{"value": null}, {"value": "+1 555", "enum_code": "WORK"}, {"value": "+1 666"}], "code": "PHONE"},
        {"code": "MOB", "values": null},
    ]});
    assert_eq!(name(phones, record), "=+1 555");
    let by_number = r#"{ each = "/f", where = { id = 17, main = true }, take = "/v" }"#;
    assert_eq!(
        name(by_number, json!({"f": [{"id": 17, "v": "x"}, {"id": "17", "main": true, "v": "y"}]})),
        "=y"
    );
    // PHP writes a list with a gap as an object.
    assert_eq!(name(by_number, json!({"f": {"3": {"id": 17, "main": true, "v": "z"}}})), "=z");
    let texts = r#"{ each = "/l" }"#;
    assert_eq!(
        name(texts, json!({"l": {"iban": "x", "0": "y", "00000000000001": "z"}})),
        "=y",
        "other members are not listed"
    );
    assert_eq!(name(texts, json!({"l": ["", null, "x", "y"]})), "=x");
    assert_eq!(name(texts, json!({"l": [["x"]]})), " misfit");
    assert_eq!(name(texts, json!({"l": "x"})), "", "a text is no list");
}

#[test]
fn a_label_is_taken_of_a_pair_or_an_object() {
    let label = r#"{ at = "/c", as = "label" }"#;
    assert_eq!(name(label, json!({"c": [7, "Acme"]})), "=Acme");
    assert_eq!(name(label, json!({"c": {"id": 7, "name": "Acme"}})), "=Acme");
    assert_eq!(name(label, json!({"c": {"value": 7, "label": "Acme"}})), "=Acme");
    assert_eq!(name(label, json!({"c": false})), "");
    assert_eq!(name(label, json!({"c": []})), "");
    assert_eq!(name(label, json!({"c": 7})), " misfit", "an id is no label");
    assert_eq!(name(label, json!({"c": "7"})), " misfit");
    assert_eq!(name(label, json!({"c": ["gold", "blue", "red"]})), " ambiguous", "three are no pair");
    assert_eq!(name(label, json!({"c": [7, {"name": "Acme"}]})), " misfit");
    assert_eq!(name(r#"{ each = "/l", take = "/c", as = "label" }"#, json!({"l": [{"c": [1, "x"]}]})), "=x");
}

#[test]
fn parts_are_joined_and_empty_ones_left_out() {
    let join = r#"{ join = ["/first", "/mid", "/last"] }"#;
    assert_eq!(name(join, json!({"last": "Sorin", "first": " Ilya ", "mid": ""})), "=Ilya Sorin");
    assert_eq!(name(join, json!({"last": "Sorin"})), "=Sorin");
    assert_eq!(name(join, json!({"first": null, "last": false})), "");
    assert_eq!(name(join, json!({"first": "Ilya", "last": 7})), " misfit");
    assert_eq!(name(r#"[{ join = ["/a", "/b"], with = "" }, "/c"]"#, json!({"a": "", "c": "C"})), "=C");
    assert_eq!(name(r#"{ join = ["/a", "/b"], with = "" }"#, json!({"a": "+49", "b": "89"})), "=+4989");
}

#[test]
fn numbers_become_text_only_as_digits_and_ids_only_as_words() {
    let digits = r#"{ at = "/n", as = "digits" }"#;
    assert_eq!(name(digits, json!({"n": 10_482})), "=10482");
    assert_eq!(name(digits, json!({"n": "010482"})), "=010482");
    for no_number in [
        json!(-1),
        json!(1.0),
        json!(1_234_567_890_123_i64),
        json!("1 2"),
        json!("x"),
        json!(true),
        json!([1]),
    ] {
        assert_eq!(name(digits, json!({"n": no_number})), " misfit", "{no_number}");
    }
    assert_eq!(name(r#""/n""#, json!({"n": 10_482})), "=10482", "a number stays one, which wall 3 withholds");
    let words = r#"{ at = "/n", words = { 1 = "gold", 2 = "silver", true = "bronze" } }"#;
    assert_eq!(name(words, json!({"n": 1})), "=gold");
    assert_eq!(name(words, json!({"n": "2"})), "=silver");
    assert_eq!(name(words, json!({"n": true})), "=bronze");
    assert_eq!(name(words, json!({"n": 3})), "", "what is not listed is nothing");
    assert_eq!(name(words, json!({"n": {"gold": 1}})), "");
}

#[test]
fn flags_are_read_however_they_are_written() {
    let flag = |value: Value| read("portal_user", r#"{ at = "/f", as = "flag" }"#, json!({"f": value}));
    for yes in [json!(true), json!(1), json!("1"), json!("Y"), json!("true")] {
        assert_eq!(flag(yes.clone()), "=true", "{yes}");
    }
    for no in [json!(false), json!(0), json!("0"), json!("N")] {
        assert_eq!(flag(no.clone()), "=false", "{no}");
    }
    assert_eq!(flag(json!("maybe")), " misfit");
    assert_eq!(flag(json!("")), "");
    assert_eq!(read("portal_user", r#""/f""#, json!({"f": false})), "=false", "of a flag, false is a value");
    assert_eq!(name(r#""/f""#, json!({"f": false})), "", "of a text, it is nothing");
}

#[test]
fn days_are_read_however_they_are_written() {
    let day = |form: &str, value: Value| {
        read("support_until", &format!(r#"{{ at = "/d", as = "{form}" }}"#), json!({"d": value}))
    };
    assert_eq!(day("unix-s", json!(1_763_715_600)), "=2025-11-21");
    assert_eq!(day("unix-s", json!("1763715600")), "=2025-11-21");
    assert_eq!(day("unix-ms", json!(1_763_715_600_123_i64)), "=2025-11-21");
    assert_eq!(day("date-time", json!("2026-11-21 09:12:00")), "=2026-11-21");
    assert_eq!(day("date-time", json!("0000-00-00 00:00:00")), "");
    assert_eq!(day("date-time", json!("soon, very soon")), " misfit");
    assert_eq!(day("unix-s", json!("soon")), " misfit");
    assert_eq!(day("unix-s", json!(i64::MAX)), " misfit");
    assert_eq!(day("unix-ms", json!(1.5)), " misfit");
    assert_eq!(read("support_until", r#""/d""#, json!({"d": "2026-11-21"})), "=2026-11-21");
}

#[test]
fn a_member_twice_is_ambiguous_in_every_kind_of_source() {
    for (source, record) in [
        (r#""/a""#, r#"{"a":"x","a":"y"}"#),
        (r#"{ at = "/a", as = "digits" }"#, r#"{"a":1,"a":1}"#),
        (r#"{ join = ["/a", "/b"] }"#, r#"{"a":"x","b":"y","a":null}"#),
        (r#"{ at = "/a", as = "label" }"#, r#"{"a":{"name":"x","name":"y"}}"#),
        (r#"{ at = "/a", words = { x = "y" } }"#, r#"{"a":"x","a":"x"}"#),
        (r#"{ each = "/l", take = "/v" }"#, r#"{"l":[{"v":"x","v":"y"}]}"#),
    ] {
        let setting = setting("name", source);
        let page = setting.page(format!("{{\"items\":[{record}]}}").as_bytes()).unwrap();
        assert_eq!(passed(&setting.policy, &page.records), ["person.name ambiguous"], "{source}");
    }
    // A condition that holds twice or once again differently decides nothing.
    let setting = setting("name", r#"{ each = "/l", where = { t = "x" }, take = "/v" }"#);
    let page = setting.page(br#"{"items":[{"l":[{"t":"x","v":"secret","t":"x"}]}]}"#).unwrap();
    assert_eq!(passed(&setting.policy, &page.records), Vec::<String>::new());
}

#[test]
fn texts_beyond_all_measure_and_with_escapes_are_told_apart() {
    assert_eq!(name(r#""/a""#, json!({"a": "x".repeat(20_000)})), " misfit");
    let setting = setting("name", r#""/a""#);
    let page = setting.page(br#"{"items":[{"\u0061":"Il\u00fda \"S\""}]}"#).unwrap();
    assert_eq!(passed(&setting.policy, &page.records), ["person.name=Il\u{fd}a \"S\""]);
}
