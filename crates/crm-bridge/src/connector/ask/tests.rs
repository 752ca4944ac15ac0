//! What a request looks like, and that no value changes its structure.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::connector::plans::Plans;
use crate::connector::profile::BUILT_IN;
use crate::connector::profile::time::{TimeFormat, Times};
use crate::connector::projection::Limits;
use crate::connector::{Settings, SettingsGiven};
use crate::policy::load::load;

const POLICY: &str = "[policy]\nname=\"t\"\nnumber=1\nowner=\"t\"\n[person.name]\ntype=\"text\"\nchars_max=9\nshow=[\"line1\"]\n\
                      [company.name]\ntype=\"text\"\nchars_max=9\nshow=[\"line1\"]\n";

fn given() -> SettingsGiven {
    SettingsGiven {
        secret: Some(service_kit::Secret::new("s3cret")),
        settings: [("database".to_owned(), "crm".to_owned())].into(),
        ..SettingsGiven::default()
    }
}

/// Asks with a profile whose settings are taken from [`given`] where it wants them.
fn request_of(profile: &Profile, question: &Question) -> Result<Request, Unaskable> {
    let policy = load(POLICY).unwrap();
    let mut given = given();
    given.settings.retain(|name, _| profile.settings.contains_key(name));
    let settings = Settings::new(profile, given).unwrap();
    let plans = Plans::compile(
        &policy,
        profile,
        &settings,
        Limits { answer_bytes_max: 1, depth_max: 1, records_max: 1 },
    );
    let operation = profile.operation(question.purpose()).unwrap();
    let plan = plans.of(question.purpose(), operation).unwrap();
    let asker = Asker { profile, fillings: settings.fillings(), walls: Walls::standing() };
    asker.request(question, operation, plan.selection(), None)
}

fn text_of(request: &Request) -> String {
    let path: Vec<&str> = request.path.iter().map(|segment| segment.as_str()).collect();
    let query: Vec<String> =
        request.query.iter().map(|(name, value)| format!("{name}={}", **value)).collect();
    format!("{} /{}?{}", request.method.as_str(), path.join("/"), query.join("&"))
}

fn request(profile: usize, question: &Question) -> String {
    text_of(&request_of(&Profile::load(BUILT_IN[profile].1).unwrap(), question).unwrap())
}

fn held(text: &str) -> Personal<String> {
    Personal::new(text.to_owned())
}

fn page(mark: Option<PageMark>) -> Question {
    Question::Page { entity: Entity::Person, size: 50, mark }
}

#[test]
fn only_what_policy_and_match_need_is_selected() {
    assert_eq!(
        request(0, &Question::ByEmail(held("a@b.example"))),
        "GET /api/v1/contacts?email=a@b.example&fields=company.name,email,full_name,id,mobile,other_emails,phone,\
         updated_at&limit=20"
    );
    assert_eq!(
        request(1, &Question::ById(Entity::Person, "17".into())),
        "GET /crm/rest/model/party.party/17?f=contact_mechanisms.type&f=contact_mechanisms.value&f=id&f=name&f=write_date"
    );
}

#[test]
fn a_value_cannot_become_a_condition() {
    use base64::Engine;
    let nasty = r#"x"]],[["bank_accounts.numbers.number","ilike","DE%"#;
    let request = request(1, &Question::ByEmail(held(nasty)));
    let encoded = request.split("d=").nth(1).unwrap().split('&').next().unwrap();
    let domain = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    let domain: Value = serde_json::from_slice(&domain).unwrap();
    assert_eq!(domain, json!([["contact_mechanisms.value", "=", nasty]]));
}

#[test]
fn pages_follow_the_profile_and_a_mark_belongs_to_its_question() {
    let second = PageMark::next(&page(None), Begin::Page(1, Some(50)), 50).unwrap();
    let text = request(1, &page(Some(second.clone())));
    assert!(text.ends_with("&p=1&s=50"), "{text}");
    let next = PageMark::next(&page(None), Begin::Cursor("c2".into()), 50).unwrap();
    assert!(request(0, &page(Some(next))).contains("cursor=c2&fields="));
    assert!(!request(0, &page(None)).contains("cursor"), "no cursor, no parameter");
    let kept = PageMark::from_text(&second.to_text()).unwrap();
    assert_eq!((kept == second, kept.records_before()), (true, 50));
    let other = Question::Changed {
        entity: Entity::Person,
        since: Timestamp::from_ms(0),
        size: 50,
        mark: Some(second),
    };
    assert!(
        request_of(&Profile::load(BUILT_IN[1].1).unwrap(), &other).is_err(),
        "a mark of another question"
    );
    assert_eq!(format!("{kept:?}"), "PageMark(after 50 records)");
}

#[test]
fn times_are_written_as_the_crm_reads_them() {
    let at: Timestamp = "2026-11-21T09:12:03.456Z".parse().unwrap();
    let write = |format| match Times::new(format, "Europe/Samara").unwrap().write(at).unwrap() {
        crate::connector::profile::time::Written::Text(text) => text,
        crate::connector::profile::time::Written::Number(number) => number.to_string(),
        crate::connector::profile::time::Written::Object(json) => json,
    };
    assert_eq!(write(TimeFormat::Rfc3339), "2026-11-21T09:12:03Z");
    assert_eq!(write(TimeFormat::DateTime), "2026-11-21 13:12:03");
    assert_eq!(write(TimeFormat::Compact), "20261121131203");
    assert_eq!(write(TimeFormat::UnixS), "1795252323");
    assert_eq!(write(TimeFormat::UnixMs), "1795252323456");
    assert!(write(TimeFormat::TypedObject).contains("\"day\":21,\"hour\":9"));
    assert!(Times::new(TimeFormat::DateTime, "Nowhere/Town").is_err());
}

/// A profile with each escape and place for values.
fn all_places() -> Profile {
    let operation = r#"by_email = { post = "/x", query = { o = "a eq {value:odata} and b", s = "SELECT {select:comma} FROM C WHERE E = {value:soql}", v = "SELECT {select:comma} FROM C WHERE E = {value:sql};", j = { json = [["e", "=", "{value}"]] }, b = { base64-json = [["e", "=", "{value}"]] }, p = "{value}", q = "x {value:json} y" }, json = { filters = [{ value = "{value}", after = "{cursor}" }], keep = 1, cursor = "{cursor}", list = ["id", ">", "{last_id}"], text = "e:{value:json} a:{cursor:json} i:{last_id:soql}", names = "{select}" } }"#;
    let text = BUILT_IN[0].1;
    let line = text.lines().find(|line| line.starts_with("by_email")).unwrap();
    Profile::load(&text.replace(line, operation)).unwrap()
}

#[test]
fn what_has_no_value_is_left_out_and_half_a_condition_goes_whole() {
    let profile = all_places();
    let request = request_of(&profile, &Question::ByEmail(held("o'x"))).unwrap();
    let Some(Payload::Json(body)) = &request.body else { panic!("no body") };
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["filters"], json!([]), "an entry without its cursor is no entry");
    assert_eq!((body.get("cursor"), body.get("list")), (None, None));
    assert_eq!(body["text"], r#"e:"o'x" a:null i:''"#);
    assert_eq!(body["names"][0], "company.name");
    let query = text_of(&request);
    assert!(query.contains("o=a eq 'o''x' and b&"), "{query}");
    assert!(query.contains(r"WHERE E = 'o\'x'&"), "{query}");
    assert!(query.contains("WHERE E = 'o''x';"), "{query}");
}

/// Reads one quoted literal the way its language does and gives its value and what stands behind it.
fn read_literal(text: &str, backslashes: bool) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text.strip_prefix('\'')?;
    loop {
        let c = rest.chars().next()?;
        rest = rest.strip_prefix(c)?;
        match c {
            '\\' if backslashes => {
                let next = rest.chars().next()?;
                rest = rest.strip_prefix(next)?;
                value.push(next);
            }
            '\'' if !backslashes && rest.starts_with('\'') => {
                rest = rest.strip_prefix('\'')?;
                value.push('\'');
            }
            '\'' => return Some((value, rest)),
            other => value.push(other),
        }
    }
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,24}",
        r#"['"\\{}\[\],:;&=?#/%+ a-z0-9*()-]{0,24}"#,
        Just("' OR 1=1 --".to_owned()),
        Just("\\' OR Name != '".to_owned()),
        Just("{select:comma}".to_owned()),
        Just("..".to_owned()),
        Just("\u{2028}\u{202e}".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_value_whatever_changes_the_structure_of_a_request(value in any_value()) {
        let profile = all_places();
        let question = Question::ByEmail(held(&value));
        let Ok(request) = request_of(&profile, &question) else {
            prop_assert!(value.chars().any(char::is_control) || value.contains('\\'), "{value:?} was refused");
            return Ok(());
        };
        prop_assert!(!value.chars().any(char::is_control));
        let innocent = request_of(&profile, &Question::ByEmail(held("x"))).unwrap();
        let keys = |request: &Request| request.query.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        prop_assert_eq!(keys(&request), keys(&innocent));
        let get = |name: &str| request.query.iter().find(|(key, _)| key == name).unwrap().1.to_string();
        prop_assert_eq!(&get("p"), &value);
        let odata = get("o");
        prop_assert_eq!(read_literal(odata.strip_prefix("a eq ").unwrap(), false).unwrap(), (value.clone(), " and b"));
        let soql = get("s");
        let literal = soql.split_once("E = ").unwrap().1;
        prop_assert_eq!(read_literal(literal, true).unwrap(), (value.clone(), ""));
        let sql = get("v");
        let literal = sql.split_once("E = ").unwrap().1;
        prop_assert_eq!(read_literal(literal, false).unwrap(), (value.clone(), ";"));
        let domain: Value = serde_json::from_str(&get("j")).unwrap();
        prop_assert_eq!(domain, json!([["e", "=", value.clone()]]));
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD.decode(get("b")).unwrap();
        let domain: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(domain, json!([["e", "=", value.clone()]]));
        let quoted = get("q");
        let inside = quoted.strip_prefix("x ").unwrap().strip_suffix(" y").unwrap();
        prop_assert_eq!(serde_json::from_str::<String>(inside).unwrap(), value.clone());
        let Some(Payload::Json(body)) = &request.body else { panic!("no body") };
        let body: Value = serde_json::from_str(body).unwrap();
        prop_assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["filters", "keep", "names", "text"]);
    }

    #[test]
    fn no_id_whatever_leaves_its_segment(id in any_value()) {
        let odata = BUILT_IN[0].1.replace("/api/v1/contacts/{id}", "/contacts({id})");
        for profile in [Profile::load(BUILT_IN[0].1).unwrap(), Profile::load(&odata).unwrap()] {
            let question = Question::ById(Entity::Person, id.clone());
            let Ok(request) = request_of(&profile, &question) else { continue };
            let mut url = Url::parse("https://crm.example.org/base").unwrap();
            url.path_segments_mut().unwrap().extend(request.path.iter().map(|segment| segment.as_str()));
            let segments = url.path_segments().unwrap().count();
            prop_assert_eq!(segments, request.path.len() + 1, "{}", url);
            prop_assert_eq!((url.query(), url.fragment(), url.host_str()), (None, None, Some("crm.example.org")));
            let last = request.path.last().unwrap();
            let wrapped = format!("contacts({id})");
            prop_assert!(*last.as_str() == id || *last.as_str() == wrapped);
            if last.starts_with("contacts(") {
                prop_assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
            }
        }
    }
}

#[test]
fn a_number_stands_in_json_as_a_number_and_what_is_none_stands_nowhere() {
    type Trees = std::collections::BTreeMap<String, crate::connector::profile::operation::Tree>;
    let trees: Trees = toml::from_str("a = [\"{value:number}\", \"{value}\"]").unwrap();
    let written = |value: &str| {
        let fillings = Fillings { value: Some(Zeroizing::new(value.to_owned())), ..Fillings::default() };
        Pen::plain(&fillings).json(&trees["a"]).ok().flatten().map(|text| text.to_string())
    };
    assert_eq!(written("17").as_deref(), Some("[17,\"17\"]"));
    for value in ["17 or 1=1", "0x1", "01", "1e5", "1234567890123456789", ""] {
        assert_eq!(written(value), None, "{value}");
    }
}

#[test]
fn an_amount_of_the_proof_stands_in_json_as_a_number_or_nowhere() {
    type Trees = std::collections::BTreeMap<String, crate::connector::profile::operation::Tree>;
    let trees: Trees =
        toml::from_str("a = [\"{marker.x:decimal}\", \"{marker.x:micros}\", \"{marker.x}\"]").unwrap();
    let written = |value: &str| {
        let markers = [("x".to_owned(), value.to_owned())].into();
        let fillings = Fillings { markers, ..Fillings::default() };
        Pen::plain(&fillings).json(&trees["a"]).ok().flatten().map(|text| text.to_string())
    };
    assert_eq!(written("12345678.91").as_deref(), Some("[12345678.91,12345678910000,\"12345678.91\"]"));
    for value in ["1", "1.", ".5", "01.5", "1e5.0", "1.5 or 1", "-1.5", "1.1234567", ""] {
        assert_eq!(written(value), None, "{value}");
    }
}
