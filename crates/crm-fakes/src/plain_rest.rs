//! A REST CRM that no preset knows, called Contora here: for the guide, and for whoever has something of the kind.
//!
//! Traps: it can't be told what to send, and unknown parameters are ignored without a word; the employer with its
//! turnover is embedded; the next page is in the `Link` header; webhooks carry the whole record.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::people::{Company, Person};
use crate::shape::{hex, hmac_sha256, number_of, ordered, page_in_200, slice, with_deals, word};
use crate::switch::Fault;
use crate::wire::{Answer, Call, Delivery, encode};
use crate::{Crm, World};

/// Most records of a page.
pub const PAGE_MAX: usize = 50;

/// Contora.
#[derive(Debug, Default)]
pub struct PlainRest;

impl PlainRest {
    /// The key.
    pub const KEY: &'static str = "contora-key-2b7e151628";
    /// The secret of the webhook.
    pub const WEBHOOK_SECRET: &'static str = "contora-webhook-Kd9";

    /// The id of a person's record.
    pub fn client_uid(number: u32) -> String {
        format!("cl-{number:05}")
    }

    /// A message that a person was changed, with the whole record.
    pub fn changed(&self, world: &World, number: u32) -> Delivery {
        let found = world.read(|people| {
            let person = people.person(number)?;
            Some(client(world, person, people.company_of(person)))
        });
        let body = json!({"event": "client.changed", "client": found}).to_string();
        let signature = format!("sha256={}", hex(&hmac_sha256(Self::WEBHOOK_SECRET, body.as_bytes())));
        Delivery {
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("x-contora-signature".to_owned(), signature),
            ],
            query: Vec::new(),
            body: Bytes::from(body),
        }
    }
}

impl Crm for PlainRest {
    fn answer(&self, call: &Call, world: &World) -> Answer {
        if call.authorization("bearer") != Some(Self::KEY) {
            return Answer::json(401, &json!({"message": "unauthorised"}));
        }
        if let Some(page) = page_in_200(world) {
            return page;
        }
        match (call.method.as_str(), call.segments().as_slice()) {
            ("GET", ["v1", "clients"]) => list(call, world),
            ("GET", ["v1", "clients", uid]) => one(world, uid),
            ("POST", ["v1", "clients", uid, "notes"]) => {
                let person = number_of(world, |number| Self::client_uid(number) == *uid);
                let number = world.note(person, word(&call.json()["text"]));
                Answer::json(201, &json!({"uid": format!("nt-{number}")}))
            }
            _ => Answer::json(404, &json!({"message": "not found"}))
                .forbidden(format!("{} {}", call.method, call.path)),
        }
    }

    fn throttled(&self, _: &Call, _: &World) -> Answer {
        Answer::json(429, &json!({"message": "slow down"})).with("retry-after", "6")
    }

    fn secrets(&self) -> Vec<String> {
        [Self::KEY, Self::WEBHOOK_SECRET].map(str::to_owned).to_vec()
    }
}

fn list(call: &Call, world: &World) -> Answer {
    let known = ["mail", "tel", "changed_after", "page", "per_page", "sort"];
    let unknown = call.unknown_params(&known).into_iter().map(|name| format!("parameter {name}"));
    let number = call.number("page").unwrap_or(1).max(1);
    let size = call.number("per_page").unwrap_or(20).clamp(1, PAGE_MAX);
    if number > 1 {
        world.shift();
    }
    let fits = |person: &&Person| {
        let since = call.param("changed_after").and_then(|text| text.parse::<jiff::Timestamp>().ok());
        call.param("mail").is_none_or(|mail| person.has_email(mail))
            && call.param("tel").is_none_or(|tel| person.phones.iter().any(|phone| phone.e164 == tel))
            && since.is_none_or(|since| person.updated >= since)
    };
    let found: Vec<Value> = world.read(|people| {
        let found = ordered(people, call.param("sort") == Some("changed")).into_iter().filter(fits);
        found.map(|person| client(world, person, people.company_of(person))).collect()
    });
    let page = slice(&found, (number - 1) * size, size);
    let answer = Answer::json(200, &json!(page)).forbidding(unknown);
    if number * size >= found.len() {
        return answer;
    }
    let host = if world.switch.take(Fault::NextElsewhere) {
        world.switch.elsewhere()
    } else {
        world.url().to_owned()
    };
    let others = call.query.iter().filter(|(name, _)| name != "page");
    let query: String = others.map(|(name, value)| format!("{name}={}&", encode(value))).collect();
    let next = format!("<{host}/v1/clients?{query}page={}>; rel=\"next\"", number + 1);
    answer.with("link", format!("<{host}/v1/clients?{query}page=1>; rel=\"first\", {next}"))
}

fn one(world: &World, uid: &str) -> Answer {
    let found = world.read(|people| {
        let person = people.living().find(|person| PlainRest::client_uid(person.number) == uid)?;
        Some(client(world, person, people.company_of(person)))
    });
    found.map_or_else(
        || Answer::json(404, &json!({"message": "no such client"})),
        |record| Answer::json(200, &record),
    )
}

fn client(world: &World, person: &Person, company: Option<&Company>) -> Value {
    let marks = &world.marks;
    let number = person.number;
    let phones = person
        .phones
        .iter()
        .map(|phone| json!({"kind": if phone.mobile { "cell" } else { "office" }, "number": phone.e164}));
    let firm = company.map(|company| {
        json!({
            "uid": format!("fm-{:04}", company.number),
            "title": company.name,
            "homepage": company.website(),
            "turnover": marks.money("firm.turnover", company.number),
            "account": marks.iban("firm.account", company.number),
            "payment_days": marks.count("firm.payment_days", company.number),
        })
    });
    let record = json!({
        "uid": PlainRest::client_uid(number),
        "given": person.first_name,
        "family": person.last_name,
        "mails": person.emails,
        "tels": Value::from_iter(phones),
        "role": person.job_title,
        "speaks": person.language,
        "zone": person.time_zone,
        "place": {"street": person.street, "town": person.city, "land": person.country},
        "support": {"level": person.service_level, "until": person.support_until.to_string()},
        "firm": firm,
        "made": person.created.to_string(),
        "changed": person.updated.to_string(),
        "sales": {
            "manager": marks.text("client.sales.manager", number),
            "step": marks.text("client.sales.step", number),
            "expected": marks.money("client.sales.expected", number),
            "discount": marks.count("client.sales.discount", number),
        },
        "remarks": format!("owes 3 invoices, {}", marks.text("client.remarks", number)),
        "debt": marks.amount("client.debt", number),
    });
    with_deals(world, number, "deals", record)
}
