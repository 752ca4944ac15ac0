//! What stands around the records, and the members of a record that are no field.

use super::*;
use crate::connector::pointer::Pointer;
use crate::connector::profile::answer::{ErrorRule, Literal};
use crate::connector::profile::time::TimeFormat;
use crate::connector::profile::{BUILT_IN, Flagged};

fn pointer(text: &str) -> Pointer {
    Pointer::try_from(text.to_owned()).unwrap()
}

/// The sandbox, changed.
fn setting(change: impl FnOnce(&mut Profile, &mut Shape)) -> Setting {
    let mut profile = built_in(0);
    let mut shape = profile.shape(&profile.person.page);
    change(&mut profile, &mut shape);
    Setting { shape, ..Setting::new(policy(), profile) }
}

fn ids(page: Result<Page, Unreadable>) -> Result<Vec<String>, Unreadable> {
    page.map(|page| page.records.into_iter().map(|record| record.id.unwrap_or_default()).collect())
}

#[test]
fn records_may_lie_inside_of_what_is_listed() {
    let setting = setting(|_, shape| {
        shape.records = pointer("/data/items");
        shape.within = pointer("/item/person");
    });
    let answer = json!({"data": {"items": [
        {"result_score": 0.3, "item": {"id": "decoy", "person": {"id": "a"}}}, {"item": {"person": {"id": "b"}}}, {"item": 7}
    ]}});
    assert_eq!(ids(setting.page(answer.to_string().as_bytes())).unwrap(), ["a", "b", ""]);
}

#[test]
fn a_list_may_come_as_one_record_or_as_an_object_of_records() {
    let setting = Setting::of(0);
    let list =
        |items: &str| ids(setting.page(format!("{{\"items\":{items},\"next_cursor\":\"n\"}}").as_bytes()));
    assert_eq!(list(r#"{"id":"a","full_name":"x"}"#).unwrap(), ["a"]);
    assert_eq!(list(r#"{"0":{"id":"a"},"2":{"id":"b"}}"#).unwrap(), ["a", "b"]);
    assert_eq!(list("{}").unwrap(), [""; 0]);
    assert_eq!(list(r#"{"0":{"id":"a"},"note":{}}"#), Err(Unreadable::UnexpectedShape));
    assert_eq!(list("null"), Err(Unreadable::UnexpectedShape));
    assert_eq!(list("\"a\""), Err(Unreadable::UnexpectedShape));
}

#[test]
fn an_object_without_members_may_come_as_an_empty_list() {
    let setting = setting(|_, shape| shape.records = pointer("/result/CONTACT"));
    let list = |answer: &str| ids(setting.page(answer.as_bytes()));
    assert_eq!(list(r#"{"result":{"CONTACT":[{"id":"a"}]}}"#).unwrap(), ["a"]);
    assert_eq!(list(r#"{"result":[]}"#).unwrap(), [""; 0]);
    for other in [r#"{"result":[1]}"#, r#"{"result":{}}"#, "[]", r#"{"other":[]}"#, r#"{"result":null}"#] {
        assert_eq!(list(other), Err(Unreadable::UnexpectedShape), "{other}");
    }
}

#[test]
fn the_id_of_the_company_may_stand_in_the_first_entry_of_a_list() {
    let link = |value: &str| {
        let mut profile = built_in(0);
        let amocrm = BUILT_IN.iter().find(|(name, _)| *name == "amocrm").unwrap().1;
        profile.company = Profile::load(amocrm).unwrap().company;
        let shape = profile.shape(&profile.person.page);
        let setting = Setting { shape, ..Setting::new(policy(), profile) };
        let answer = format!("{{\"items\":[{{\"id\":\"a\",\"_embedded\":{{\"companies\":{value}}}}}]}}");
        setting.page(answer.as_bytes()).unwrap().records.remove(0).company_id
    };
    assert_eq!(link(r#"[{"id":7,"name":"x"}]"#).as_deref(), Some("7"));
    assert_eq!(link(r#"[{"id":7},{"id":8}]"#).as_deref(), Some("7"));
    assert_eq!(link(r#"[7,"x"]"#).as_deref(), Some("7"));
    assert_eq!(link(r#"{"id":7}"#).as_deref(), Some("7"));
    assert_eq!(link("[]"), None);
}

#[test]
fn an_answer_for_one_may_be_a_list_of_one_or_of_none() {
    let setting = setting(|_, shape| shape.record = pointer("/result"));
    let one = |result: &str| {
        let answer = format!("{{\"result\":{result}}}");
        setting.one(answer.as_bytes()).map(|record| record.and_then(|record| record.id))
    };
    assert_eq!(one(r#"{"id":"a"}"#).unwrap().unwrap(), "a");
    assert_eq!(one(r#"[{"id":"a"}]"#).unwrap().unwrap(), "a");
    for nothing in ["[]", "null", "false", "\"\""] {
        assert_eq!(one(nothing), Ok(None), "{nothing}");
    }
    assert_eq!(one(r#"[{"id":"a"},{"id":"b"}]"#), Err(Unreadable::UnexpectedShape));
    assert_eq!(one("7"), Err(Unreadable::UnexpectedShape));
    assert_eq!(setting.one(br#"{"data":{"id":"a"}}"#).map(drop), Err(Unreadable::UnexpectedShape));
}

#[test]
fn an_error_in_an_answer_that_says_all_is_well_is_an_error() {
    let rule =
        |at: &str, is: Option<Literal>| ErrorRule { at: pointer(at), is, code: Some(pointer("/error/code")) };
    let setting = setting(|profile, shape| {
        shape.errors = vec![rule("/success", Some(Literal::Flag(false))), rule("/error", None)];
        profile.limits.throttled = toml::from_str::<crate::connector::profile::limits::Limits>(
            "throttled = [{ status = 503, at = \"/error\", is = [\"TOO_MANY\", \"429\"] }]",
        )
        .unwrap()
        .throttled;
    });
    for (answer, throttled) in [
        (r#"{"success":false,"error":{"code":"TOO_MANY"}}"#, true),
        (r#"{"error":{"code":429},"items":[]}"#, true),
        (r#"{"error":{"code":"X"},"items":[{"id":"a"}]}"#, false),
        (r#"{"items":[],"error":"no"}"#, false),
        (r#"{"items":[],"success":false}"#, false),
        (r#"{"items":[],"error":[{}]}"#, false),
    ] {
        let expected = Err(Unreadable::ErrorInside { throttled });
        assert_eq!(setting.page(answer.as_bytes()).map(drop), expected, "{answer}");
        assert_eq!(setting.one(answer.as_bytes()).map(drop), expected, "{answer}");
    }
    for fine in [
        r#"{"items":[],"error":null,"success":true}"#,
        r#"{"items":[],"error":false}"#,
        r#"{"items":[],"error":[]}"#,
    ] {
        assert!(setting.page(fine.as_bytes()).is_ok(), "{fine}");
    }
}

#[test]
fn the_next_page_is_a_text_or_a_number_and_the_flag_ends() {
    let setting = setting(|_, shape| {
        shape.next = Some(pointer("/paging/next"));
        shape.more = Some(pointer("/more"));
    });
    let next = |paging: &str| {
        let page = setting.page(format!("{{\"items\":[],{paging}}}").as_bytes()).unwrap();
        (page.next, page.more)
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(next(r#""paging":{"next":"c2"},"more":true"#), (text("c2"), Some(true)));
    assert_eq!(next(r#""paging":{"next":50},"more":false"#), (text("50"), Some(false)));
    assert_eq!(next(r#""paging":{"next":-1},"more":"false""#), (None, Some(false)));
    assert_eq!(
        next(r#""paging":{"next":"https:\/\/crm.example\/?a=b"}"#),
        (text("https://crm.example/?a=b"), None)
    );
    for none in ["null", "\"\"", "false", "{}", "[\"c2\"]", "1.5"] {
        assert_eq!(next(&format!("\"paging\":{{\"next\":{none}}}")).0, None, "{none}");
    }
    assert_eq!(next(&format!("\"paging\":{{\"next\":\"{}\"}}", "x".repeat(5_000))).0, None);
}

#[test]
fn a_list_of_ids_may_list_the_ids_or_objects_that_have_them() {
    let profile = built_in(0);
    let plan = Plan::ids(&profile, LIMITS);
    let shape = profile.shape(&profile.person.page);
    let list = |items: &str| {
        let answer = raw(format!("{{\"items\":{items}}}").as_bytes());
        ids(read_list(&answer, &plan, &shape, &watch(), Walls::standing())).unwrap()
    };
    assert_eq!(list(r#"[1,"b",{"id":"c","name":"x"},null,"a/b"]"#), ["1", "b", "c", "", ""]);
    assert_eq!(list("[]"), [""; 0]);
}

#[test]
fn deleted_and_merged_records_say_so() {
    let setting = setting(|profile, _| {
        profile.person.deleted = Some(Flagged { at: pointer("/archived"), is: Literal::Flag(true) });
        profile.person.merged_into = Some(pointer("/replaced_by"));
    });
    let plan = Plan::compile(&setting.policy, &setting.profile, LIMITS);
    let setting = Setting { plan, ..setting };
    let passed = |record: Value| setting.passed(&json!({"items": [record]}));
    assert_eq!(
        passed(json!({"id": 1, "archived": true, "replaced_by": 9})),
        ["deleted", "id=1", "merged_into=9"]
    );
    assert_eq!(passed(json!({"id": 1, "archived": "true"})), ["deleted", "id=1"]);
    assert_eq!(passed(json!({"id": 1, "archived": false, "replaced_by": null})), ["id=1"]);
}

#[test]
fn times_are_read_as_the_crm_writes_them() {
    let at = |format: TimeFormat, zone: &str, value: Value| {
        let setting = setting(|profile, _| profile.time.format = format);
        let zone = jiff::tz::TimeZone::get(zone).unwrap();
        let plan = Plan::compile(&setting.policy, &setting.profile, LIMITS).in_zone(&zone);
        let setting = Setting { plan, ..setting };
        setting.records(&json!({"items": [{"updated_at": value}]}))[0].updated_at.map(|at| at.to_string())
    };
    use TimeFormat::*;
    let nine = Some("2026-11-21T09:12:00.000Z".to_owned());
    for (format, zone, value) in [
        (Rfc3339, "UTC", json!("2026-11-21T09:12:00Z")),
        (Rfc3339, "UTC", json!("2026-11-21T13:12:00+04:00")),
        (Rfc3339, "UTC", json!("2026-11-21T09:12:00.000+0000")),
        (Rfc3339, "Europe/Samara", json!("2026-11-21T13:12:00")),
        (DateTime, "UTC", json!("2026-11-21 09:12:00")),
        (DateTime, "Europe/Samara", json!("2026-11-21 13:12:00")),
        (DateTime, "UTC", json!("2026-11-21 09:12:00.000000")),
        (UnixS, "UTC", json!(1_795_252_320)),
        (UnixS, "UTC", json!("1795252320")),
        (UnixMs, "UTC", json!(1_795_252_320_000_i64)),
        (UnixMs, "UTC", json!("1795252320000")),
        (Compact, "Europe/Samara", json!("20261121131200")),
        (
            TypedObject,
            "UTC",
            json!({"__class__": "datetime", "year": 2026, "month": 11, "day": 21, "hour": 9, "minute": 12, "second": 0}),
        ),
    ] {
        assert_eq!(at(format, zone, value.clone()), nine, "{format:?} {value}");
    }
    for (format, value) in [
        (Rfc3339, json!(1_795_252_320)),
        (DateTime, json!("yesterday")),
        (UnixS, json!(i64::MAX)),
        (UnixMs, json!(1.5)),
        (Compact, json!("2026112113")),
        (
            TypedObject,
            json!({"__class__": "datetime", "year": 2026, "month": 13, "day": 21, "hour": 9, "minute": 12, "second": 0}),
        ),
    ] {
        assert_eq!(at(format, "UTC", value.clone()), None, "{format:?} {value}");
    }
}
