//! The other direction, as the CRM sees it; webhooks; and the commands of the program.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use service_kit::{Secret, Timestamp};
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::ProveError;
use super::child::{Bridge, Home};
use super::look::{Place, PlaceKind, Scope};
use super::wire::{Call, Tape};
use crate::connector::hook::key_bytes;
use crate::connector::profile::auth::HashKind;
use crate::connector::profile::webhook::{
    DigestEncoding, HookBody, Signature, SignatureKind, SignedPart, StampUnit, Webhook,
};

/// What a CRM does with its key: lists tickets, opens the panel, asks for what does not exist.
pub(super) async fn as_the_crm(
    home: &Home,
    bridge: &Bridge,
    tape: &mut Tape,
    crm_id: &str,
    ticket: u64,
) -> Result<(), ProveError> {
    let mut arguments = vec!["crm-keys", "create", "--name", "prove"];
    for scope in ["tickets:read", "tickets:create", "events:read", "panel:sign"] {
        arguments.extend(["--scope", scope]);
    }
    let (_, printed) = home.run(&arguments).await?;
    let text = String::from_utf8_lossy(&printed).into_owned();
    tape.keep("crm-keys create".to_owned(), PlaceKind::Command, Scope::AtRest, printed);
    let key = text.lines().find_map(|line| line.strip_prefix("key")).map(str::trim).unwrap_or_default();
    let bearer = format!("Bearer {key}");
    let signed = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("idempotency-key", "prove-1"),
    ];
    let id: String = url::form_urlencoded::byte_serialize(crm_id.as_bytes()).collect();
    let (listed, one) =
        (format!("/v1/customers/{id}/tickets"), format!("/v1/customers/{id}/tickets/{ticket}"));
    let order = json!({ "subject": "A question", "text": "Please call back." }).to_string();
    let wish = json!({ "customer_id": crm_id }).to_string();
    let calls: Vec<(&str, &str, &str)> = vec![
        ("GET", &listed, ""),
        ("GET", &one, ""),
        ("POST", &listed, &order),
        ("GET", "/v1/customers/nobody-knows-this/tickets", ""),
        ("GET", "/v1/events?after=0", ""),
        ("POST", "/v1/panel-urls", &wish),
        ("POST", "/v1/panel-urls", "{\"customer_id\":"),
        ("GET", "/api/openapi.json", ""),
        ("GET", "/panel/nonsense", ""),
        ("GET", "/none", ""),
    ];
    let mut panel = None;
    for (method, path, body) in calls {
        let call = Call { method, path, headers: &signed, body: body.as_bytes() };
        let answer = tape.call(&bridge.crm_address, &call, PlaceKind::CrmAnswer, Scope::AtRest).await?;
        let url = answer.json()["url"].as_str().map(str::to_owned);
        panel =
            panel.or_else(|| url.and_then(|url| Some(format!("/panel/{}", url.rsplit_once("/panel/")?.1))));
        // And without a key.
        let call = Call { headers: &signed[1..2], ..call };
        tape.call(&bridge.crm_address, &call, PlaceKind::CrmAnswer, Scope::AtRest).await?;
    }
    if let Some(path) = panel {
        tape.call(&bridge.crm_address, &Call::get(&path), PlaceKind::CrmAnswer, Scope::AtRest).await?;
    }
    Ok(())
}

/// What a webhook is about and how it is signed.
pub(super) struct Hook<'a> {
    pub(super) rules: &'a Webhook,
    pub(super) path: &'a str,
    pub(super) secret: &'a str,
    pub(super) public_url: &'a str,
    pub(super) now: Timestamp,
}

/// Sends webhooks that say much more than the id: signed as agreed, and not. Answers whether the first was taken.
pub(super) async fn webhooks(
    hook: &Hook<'_>,
    bridge: &Bridge,
    tape: &mut Tape,
    crm_id: &str,
    secrets: &[String],
) -> Result<bool, ProveError> {
    let body = hook_body(hook.rules, crm_id, secrets);
    let path = format!("/hooks/{}", hook.path);
    let kind = match hook.rules.body {
        HookBody::Json => "application/json",
        HookBody::Form => "application/x-www-form-urlencoded",
    };
    let mut taken = false;
    for (number, secret) in [hook.secret, "somebody else's"].into_iter().enumerate() {
        let (path, body, headers) = signed(hook, secret, &path, body.clone());
        let mut headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        headers.push(("content-type", kind));
        let call = Call { method: "POST", path: &path, headers: &headers, body: &body };
        let answer = tape.call(&bridge.crm_address, &call, PlaceKind::CrmAnswer, Scope::AtRest).await?;
        taken |= number == 0 && answer.status == 202;
    }
    let call =
        Call { method: "POST", path: "/hooks/elsewhere", headers: &[("content-type", kind)], body: &body };
    tape.call(&bridge.crm_address, &call, PlaceKind::CrmAnswer, Scope::AtRest).await?;
    Ok(taken)
}

fn hook_body(rules: &Webhook, crm_id: &str, secrets: &[String]) -> Vec<u8> {
    let word = rules.kind.person.first();
    match rules.body {
        HookBody::Json => {
            let mut event = json!({ "record": secrets, "deal": { "title": secrets.join(" ") } });
            put(&mut event, &rules.id, json!(crm_id));
            if let (Some(at), Some(word)) = (&rules.kind.at, word) {
                put(&mut event, at, json!(word));
            }
            let events = rules.events.segments().iter().rev();
            let whole = events.fold(json!([event]), |inner, name| json!({ name.as_str(): inner }));
            whole.to_string().into_bytes()
        }
        HookBody::Form => {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair(&rules.id, crm_id).append_pair("record", &secrets.join(" "));
            if let (Some(at), Some(word)) = (&rules.kind.at, word) {
                form.append_pair(at, word);
            }
            form.finish().into_bytes()
        }
    }
}

/// Puts a value at `/a/b`.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut place = object;
    for name in pointer.split('/').filter(|name| !name.is_empty()) {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[name];
    }
    *place = value;
}

type Signed = (String, Vec<u8>, Vec<(String, String)>);

/// The delivery with its signature: path, body and headers.
fn signed(hook: &Hook<'_>, secret: &str, path: &str, mut body: Vec<u8>) -> Signed {
    let rules = &hook.rules.signature;
    let mut headers = Vec::new();
    let mut path = path.to_owned();
    match rules.kind {
        SignatureKind::None => {}
        SignatureKind::Basic => {
            headers.push(("authorization".to_owned(), format!("Basic {}", STANDARD.encode(secret))))
        }
        SignatureKind::Token => {
            let token = format!("{}{secret}", rules.prefix);
            if let Some(header) = &rules.header {
                headers.push((header.clone(), token));
            } else if let Some(query) = &rules.query {
                path = format!("{path}?{query}={token}");
            } else if let Some(key) = &rules.form {
                body.extend(format!("&{key}={token}").bytes());
            } else if let Some(at) = &rules.at {
                let mut whole: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
                put(&mut whole, &at.segments().join("/"), json!(token));
                body = whole.to_string().into_bytes();
            }
        }
        SignatureKind::Hmac => {
            let stamp = rules.timestamp.as_ref().map(|at| match at.unit {
                StampUnit::S => (at.header.clone(), (hook.now.ms() / 1_000).to_string()),
                StampUnit::Ms => (at.header.clone(), hook.now.ms().to_string()),
            });
            let text = stamp.as_ref().map(|(_, text)| text.as_str()).unwrap_or_default();
            let digest = digest(rules, secret, &format!("{}{path}", hook.public_url), &body, text);
            let digest = format!("{}{digest}", rules.prefix);
            let digest =
                rules.field.as_ref().map_or_else(|| digest.clone(), |name| format!("{name}={digest}"));
            headers.extend(rules.header.clone().map(|header| (header, digest)));
            headers.extend(rules.id_header.clone().map(|header| (header, DELIVERY_ID.to_owned())));
            let field = rules.timestamp.as_ref().and_then(|at| at.field.as_ref());
            match (stamp, field) {
                (Some((header, text)), Some(name)) => {
                    let same = headers.iter_mut().find(|(known, _)| *known == header);
                    match same {
                        Some((_, value)) => *value = format!("{name}={text},{value}"),
                        None => headers.push((header, format!("{name}={text}"))),
                    }
                }
                (stamp, _) => headers.extend(stamp),
            }
        }
    }
    (path, body, headers)
}

/// Of a delivery whose id is signed.
const DELIVERY_ID: &str = "msg_guichet_prove";

fn digest(rules: &Signature, secret: &str, uri: &str, body: &[u8], stamp: &str) -> String {
    let body_alone = [SignedPart::Body];
    let order = if rules.signed.is_empty() { &body_alone[..] } else { &rules.signed };
    let mut message: Vec<u8> = Vec::new();
    for (position, part) in order.iter().enumerate() {
        if position > 0 {
            message.extend(rules.separator.bytes());
        }
        message.extend_from_slice(match part {
            SignedPart::Method => b"POST",
            SignedPart::Uri => uri.as_bytes(),
            SignedPart::Body => body,
            SignedPart::Timestamp => stamp.as_bytes(),
            SignedPart::Id => DELIVERY_ID.as_bytes(),
        });
    }
    fn mac<M: Mac, E>(mac: Result<M, E>, message: &[u8]) -> Vec<u8> {
        let Ok(mut mac) = mac else { return Vec::new() };
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
    let key = key_bytes(&Secret::new(secret), rules.key).unwrap_or_default();
    let key = key.as_slice();
    let bytes = match rules.algorithm.unwrap_or(HashKind::Sha256) {
        HashKind::Sha1 => mac(Hmac::<Sha1>::new_from_slice(key), &message),
        HashKind::Sha256 => mac(Hmac::<Sha256>::new_from_slice(key), &message),
        HashKind::Sha512 => mac(Hmac::<Sha512>::new_from_slice(key), &message),
    };
    let hex = || bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match rules.encoding.unwrap_or(DigestEncoding::Hex) {
        DigestEncoding::Hex => hex(),
        DigestEncoding::Base64 => STANDARD.encode(&bytes),
        DigestEncoding::Base64IdHex => STANDARD.encode(format!("1:{}", hex())),
        DigestEncoding::Base64IdRaw => STANDARD.encode([b"1:", bytes.as_slice()].concat()),
    }
}

/// How often one looks whether the bridge has followed the CRM, and how long one waits between.
const FOLLOWS_MAX: usize = 40;
const FOLLOW_PAUSE: Duration = Duration::from_millis(500);

/// Waits until the running bridge has followed what changed in the CRM once. Answers whether it has, as `sync status` says it
/// of the feed of people; others may have ended well without.
pub(super) async fn followed(home: &Home, places: &mut Vec<Place>) -> Result<bool, ProveError> {
    for _ in 0..FOLLOWS_MAX {
        let (_, bytes) = home.run(&["sync", "status"]).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let of_people = text.lines().skip_while(|line| !line.starts_with("person"));
        let of_people: Vec<&str> = of_people
            .enumerate()
            .take_while(|(at, line)| *at == 0 || line.starts_with(' '))
            .map(|(_, line)| line)
            .collect();
        let done = of_people.iter().any(|line| line.contains("last run began"));
        if of_people.iter().any(|line| line.contains("trouble since")) {
            places.push(Place {
                name: "sync status".to_owned(),
                kind: PlaceKind::Command,
                scope: Scope::AtRest,
                bytes,
            });
            return Ok(false);
        }
        places.push(Place {
            name: "sync status".to_owned(),
            kind: PlaceKind::Command,
            scope: Scope::AtRest,
            bytes,
        });
        if done {
            return Ok(true);
        }
        tokio::time::sleep(FOLLOW_PAUSE).await;
    }
    Ok(false)
}

/// Every command that looks at the CRM or at what is kept; answers those that were not content.
pub(super) async fn commands(home: &Home, places: &mut Vec<Place>) -> Result<Vec<String>, ProveError> {
    let export = home.folder.join("audit-export.jsonl").display().to_string();
    let mut failed = Vec::new();
    for arguments in [
        &["check-config"][..],
        &["policy", "check"],
        &["policy", "explain"],
        &["policy", "explain", "--format", "html"],
        &["policy", "explain", "--format", "json"],
        &["policy", "dry-run", "--count", "20"],
        &["policy", "history"],
        &["profile", "test", "--samples", "5"],
        &["crm-keys", "list"],
        &["audit", "export", "--out", &export],
        &["audit", "verify", "--export", &export],
        &["openapi"],
    ] {
        let (well, bytes) = home.run(arguments).await?;
        let name = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        if !well {
            failed.push(name.clone());
        }
        places.push(Place { name, kind: PlaceKind::Command, scope: Scope::AtRest, bytes });
    }
    Ok(failed)
}
