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

#[test]
fn a_stamp_and_its_digests_may_stand_in_one_header() {
    let hook = hook(
        "body='json'\nid='/id'\nkind={}\n[signature]\nkind='hmac'\nalgorithm='sha256'\nencoding='hex'\n\
         header='Stripe-Signature'\nfield='v1'\nsigned=['timestamp','body']\nseparator='.'\n\
         timestamp={header='Stripe-Signature',field='t',unit='s'}",
    );
    let now = NOW_MS / 1_000;
    let digest = |stamp: i64| hex(&mac(&[stamp.to_string().as_bytes(), b".", b"{}"]));
    let check = |header: &str| outcome(&hook, &[("stripe-signature", header)], &[], b"{}");
    assert_eq!(check(&format!("t={now},v1={}", digest(now))), Ok(()));
    // While the key is changed there are two, and `v0` is a fake of the test mode.
    assert_eq!(check(&format!("t={now}, v1={}, v1={},v0=x", hex(&[1; 32]), digest(now))), Ok(()));
    assert_eq!(check(&format!("t={now},v0={}", digest(now))), Err(Refusal::Signature));
    assert_eq!(
        check(&format!("t={},v1={}", now + 1, digest(now))),
        Err(Refusal::Signature),
        "a renewed stamp"
    );
    assert_eq!(check(&format!("t={},v1={}", now - 301, digest(now - 301))), Err(Refusal::Stale));
    for broken in ["", "t=", "v1=", "t,v1", &format!("v1={}", digest(now)), &format!("t={now}")] {
        assert_eq!(check(broken), Err(Refusal::Signature), "{broken}");
    }
}

#[test]
fn standard_webhooks_sign_id_stamp_and_body_and_list_their_digests() {
    let hook = hook(
        "body='json'\nid='/id'\nkind={}\n[signature]\nkind='hmac'\nalgorithm='sha256'\nencoding='base64'\nkey='base64'\n\
         header='webhook-signature'\nprefix='v1,'\nseveral=true\nid_header='webhook-id'\nsigned=['id','timestamp','body']\n\
         separator='.'\ntimestamp={header='webhook-timestamp',unit='s'}",
    );
    // The example of the specification (standard-webhooks/standard-webhooks, "Signature scheme").
    let secret = Secret::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let check = |id: &str, signature: &str, now_s: i64| {
        let header = |name: &str| match name {
            "webhook-id" => Some(id.to_owned()),
            "webhook-timestamp" => Some("1674087231".to_owned()),
            "webhook-signature" => Some(signature.to_owned()),
            _ => None,
        };
        let delivery = Delivery { method: "POST", uri: "", header: &header, query: &|_| None, body };
        verify(&hook, Some(&secret), &delivery, Timestamp::from_ms(now_s * 1_000))
    };
    let key = STANDARD.decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(b"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk.1674087231.");
    mac.update(body);
    let right = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let id = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    assert_eq!(check(id, &right, 1_674_087_231), Ok(()));
    assert_eq!(check(id, &format!("v1a,AAAA v1,AAAA {right}"), 1_674_087_231), Ok(()));
    assert_eq!(check("msg_other", &right, 1_674_087_231), Err(Refusal::Signature));
    assert_eq!(check(id, &right, 1_674_087_231 + 301), Err(Refusal::Stale));
    assert_eq!(check(id, "v1,AAAA", 1_674_087_231), Err(Refusal::Signature));
}

#[test]
fn an_empty_key_lets_nobody_in() {
    let hook = hook(
        "body='json'\nid='/id'\nkind={}\n[signature]\nkind='hmac'\nalgorithm='sha256'\nencoding='hex'\nheader='S'",
    );
    let signed = hex(&{
        let mut mac = Hmac::<Sha256>::new_from_slice(b"").unwrap();
        mac.update(b"{}");
        mac.finalize().into_bytes()
    });
    let header = |_: &str| Some(signed.clone());
    let delivery = Delivery { method: "POST", uri: "", header: &header, query: &|_| None, body: b"{}" };
    let outcome = verify(&hook, Some(&Secret::new("")), &delivery, Timestamp::from_ms(NOW_MS));
    assert_eq!(outcome, Err(Refusal::Signature));
}
