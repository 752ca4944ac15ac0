//! Signatures of each kind, and what is taken out of a body.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NOW_MS: i64 = 1_795_252_320_000;

fn hook(text: &str) -> Webhook {
    toml::from_str(text).unwrap()
}

fn outcome(
    hook: &Webhook,
    headers: &[(&str, &str)],
    query: &[(&str, &str)],
    body: &[u8],
) -> Result<(), Refusal> {
    let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_lowercase(), (*value).to_owned())).collect()
    };
    let (headers, query) = (of(headers), of(query));
    let header = |name: &str| headers.get(&name.to_lowercase()).cloned();
    let query = |name: &str| query.get(name).cloned();
    let delivery = Delivery {
        method: "POST",
        uri: "https://desk.example/hooks/crm",
        header: &header,
        query: &query,
        body,
    };
    verify(hook, Some(&Secret::new("key")), &delivery, Timestamp::from_ms(NOW_MS))
}

fn mac(parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"key").unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_digest_over_method_address_body_and_time_is_checked_with_its_window() {
    let hook = hook(
        "body='json'\nid='/objectId'\nkind={}\n[signature]\nkind='hmac'\nalgorithm='sha256'\nencoding='base64'\n\
         header='X-HubSpot-Signature-v3'\nsigned=['method','uri','body','timestamp']\n\
         timestamp={header='X-HubSpot-Request-Timestamp',unit='ms',window_s=300}",
    );
    let check = |stamp_ms: i64, body: &[u8], signed: &[u8]| {
        let stamp = stamp_ms.to_string();
        let digest =
            STANDARD.encode(mac(&[b"POST", b"https://desk.example/hooks/crm", signed, stamp.as_bytes()]));
        outcome(
            &hook,
            &[("x-hubspot-signature-v3", &digest), ("x-hubspot-request-timestamp", &stamp)],
            &[],
            body,
        )
    };
    assert_eq!(check(NOW_MS, b"[]", b"[]"), Ok(()));
    assert_eq!(check(NOW_MS - 300_000, b"[]", b"[]"), Ok(()));
    assert_eq!(check(NOW_MS - 300_001, b"[]", b"[]"), Err(Refusal::Stale), "a replay");
    assert_eq!(check(NOW_MS + 300_001, b"[]", b"[]"), Err(Refusal::Stale), "a clock that is off");
    assert_eq!(check(NOW_MS, b"[1]", b"[]"), Err(Refusal::Signature));
    assert_eq!(outcome(&hook, &[], &[], b"[]"), Err(Refusal::Signature));
}

#[test]
fn digests_are_read_in_every_encoding() {
    let digest = mac(&[b"{}"]);
    for (encoding, value) in [
        ("encoding='hex'\nprefix='sha256='", format!("sha256={}", hex(&digest))),
        ("encoding='base64'", STANDARD.encode(&digest)),
        ("encoding='base64-id-hex'", STANDARD.encode(format!("hook1:{}", hex(&digest)))),
        ("encoding='base64-id-raw'", STANDARD.encode([b"hook1:".as_slice(), &digest].concat())),
    ] {
        let hook = hook(&format!(
            "body='json'\nid='/id'\nkind={{}}\n[signature]\nkind='hmac'\nheader='S'\n{encoding}"
        ));
        assert_eq!(outcome(&hook, &[("S", &value)], &[], b"{}"), Ok(()), "{encoding}");
        assert_eq!(outcome(&hook, &[("S", &value)], &[], b"{ }"), Err(Refusal::Signature), "{encoding}");
        assert_eq!(outcome(&hook, &[("S", "x")], &[], b"{}"), Err(Refusal::Signature), "{encoding}");
    }
}

#[test]
fn a_token_is_found_where_the_profile_says() {
    let check = |place: &str, headers: &[(&str, &str)], query: &[(&str, &str)], body: &str| {
        let hook = hook(&format!("body='json'\nid='/id'\nkind={{}}\n[signature]\nkind='token'\n{place}"));
        outcome(&hook, headers, query, body.as_bytes())
    };
    assert_eq!(check("header='X-Token'", &[("x-token", "key")], &[], ""), Ok(()));
    assert_eq!(check("header='X-Token'", &[("x-token", "kez")], &[], ""), Err(Refusal::Signature));
    assert_eq!(check("query='code'", &[], &[("code", "key")], ""), Ok(()));
    assert_eq!(check("form='auth[application_token]'", &[], &[], "auth%5Bapplication_token%5D=key"), Ok(()));
    assert_eq!(check("at='/token'", &[], &[], r#"{"token":"key"}"#), Ok(()));
    assert_eq!(check("at='/token'", &[], &[], r#"{"token":"key","token":"key"}"#), Err(Refusal::Signature));
    assert_eq!(check("at='/token'", &[], &[], "<html>"), Err(Refusal::Unreadable));
    let basic = hook("body='json'\nid='/id'\nkind={}\n[signature]\nkind='basic'");
    let header = format!("Basic {}", STANDARD.encode("key"));
    assert_eq!(outcome(&basic, &[("Authorization", &header)], &[], b""), Ok(()));
    assert_eq!(outcome(&basic, &[("Authorization", "Basic !")], &[], b""), Err(Refusal::Signature));
}

#[test]
fn ids_are_taken_and_everything_else_is_left() {
    let hook = hook(
        "body='json'\nevents='/events'\nid='/object/id'\n\
         kind={at='/type',person=['contact.changed'],company=['company.changed'],deleted=['contact.deleted']}\n\
         [signature]\nkind='none'",
    );
    let body = br#"{"events":[
        {"type":"contact.changed","object":{"id":17,"deal":{"amount":1}},"propertyValue":"987654.32"},
        {"type":"company.changed","object":{"id":"co_1"}},
        {"type":"contact.deleted","object":{"id":"ct_2"}},
        {"type":"deal.changed","object":{"id":"dl_3"}},
        {"type":"contact.changed","object":{"id":"../deals"}},
        {"type":"contact.changed"}, 7, null
    ]}"#;
    assert_eq!(
        hints(&hook, body).unwrap(),
        [
            Hint::Changed(Entity::Person, "17".into()),
            Hint::Changed(Entity::Company, "co_1".into()),
            Hint::Gone("ct_2".into())
        ]
    );
    assert_eq!(
        hints(&hook, br#"{"events":{"type":"contact.deleted","object":{"id":"ct_9"}}}"#).unwrap(),
        [Hint::Gone("ct_9".into())]
    );
    assert!(hints(&hook, b"{}").unwrap().is_empty());
    assert_eq!(hints(&hook, b"{\"events\":["), Err(Refusal::Unreadable));
    assert_eq!(hints(&hook, "[".repeat(100_000).as_bytes()), Err(Refusal::Unreadable));
    assert_eq!(hints(&hook, b"\xff"), Err(Refusal::Unreadable));
}

#[test]
fn forms_have_one_id_or_many_below_a_prefix() {
    let bitrix = hook(
        "body='form'\nid='data[FIELDS][ID]'\nkind={at='event',person=['ONCRMCONTACTUPDATE'],deleted=['ONCRMCONTACTDELETE']}\n\
         [signature]\nkind='none'",
    );
    let body = b"event=ONCRMCONTACTUPDATE&data%5BFIELDS%5D%5BID%5D=17&auth%5Bdomain%5D=x";
    assert_eq!(hints(&bitrix, body).unwrap(), [Hint::Changed(Entity::Person, "17".into())]);
    assert!(hints(&bitrix, b"event=ONCRMDEALUPDATE&data%5BFIELDS%5D%5BID%5D=17").unwrap().is_empty());
    let amo = hook("body='form'\nid='contacts[update]'\nkind={}\n[signature]\nkind='none'");
    let body = b"contacts[update][0][id]=5&contacts[update][0][name]=x&contacts[update][1][id]=6&leads[add][0][id]=7";
    let also =
        b"contacts[update][0][id]=5&contacts[update][0][custom_fields][0][id]=99&contacts[update][1][id]=6";
    let ids = [Hint::Changed(Entity::Person, "5".into()), Hint::Changed(Entity::Person, "6".into())];
    assert_eq!(hints(&amo, body).unwrap(), ids);
    assert_eq!(hints(&amo, also).unwrap(), ids, "the id of a field is nobody's");
    let all = hook("body='form'\nid='contacts'\nkind={}\n[signature]\nkind='none'");
    assert_eq!(hints(&all, also).unwrap(), ids);
    let zoho = hook("body='json'\nid='/ids'\nkind={}\n[signature]\nkind='none'");
    assert_eq!(hints(&zoho, br#"{"ids":[5,"6"],"deals":[7]}"#).unwrap(), ids, "several in one event");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_body_makes_it_crash_and_no_id_is_anything_but_an_id(body in prop::collection::vec(any::<u8>(), 0..400)) {
        for text in ["body='json'\nid='/id'\nkind={}\n[signature]\nkind='none'", "body='form'\nid='id'\nkind={}\n[signature]\nkind='none'"] {
            for hint in hints(&hook(text), &body).unwrap_or_default() {
                let (Hint::Changed(_, id) | Hint::Gone(id)) = hint;
                prop_assert!(is_id(&id));
            }
        }
    }

    #[test]
    fn a_changed_byte_is_noticed(body in "[a-z]{1,40}", at in 0_usize..40, bit in 0_u8..8) {
        let hook = hook("body='json'\nid='/id'\nkind={}\n[signature]\nkind='hmac'\nheader='S'\nencoding='hex'");
        let digest = hex(&mac(&[body.as_bytes()]));
        let mut changed = body.clone().into_bytes();
        let at = at % changed.len();
        changed[at] ^= 1 << bit;
        prop_assert_eq!(outcome(&hook, &[("S", &digest)], &[], &changed), Err(Refusal::Signature));
        prop_assert_eq!(outcome(&hook, &[("S", &digest)], &[], body.as_bytes()), Ok(()));
    }
}
