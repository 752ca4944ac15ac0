//! Who may ask the bridge: the ticket service, for a minute, for what it signed, and nobody else.

use std::fs;

use anyhow::{Context, Result, ensure};
use bridge_contract::{CustomerRef, Grant, Purpose, ViewerId, ViewerRole};
use dev_kit::CrmKind;
use serde_json::{Value, json};
use service_kit::secret::Secret;
use service_kit::time::Timestamp;
use service_kit::token::{Signer, generate_key_pair};
use service_kit::{Clock, Ids};
use system_tests::api::Answer;
use system_tests::desk::{Desk, Setup};

const NOBODY: &str = "cus_00000000000000000000000000000000";

/// Signs as the ticket service does, or nearly so.
struct Notary {
    key: Secret,
    clock: Clock,
}

impl Notary {
    fn sign(&self, issuer: &'static str, audience: &'static str, grant: &Grant) -> Result<String> {
        let ids = Ids::random(self.clock.clone());
        let signer = Signer::new(&self.key, issuer, audience, self.clock.clone(), ids)?;
        Ok(signer.sign(grant)?.expose().to_owned())
    }
}

fn resolve(ticket: u64) -> Grant {
    Grant { ticket, purpose: Purpose::Resolve {} }
}

fn card(ticket: u64, customer: &str) -> Result<Grant> {
    let operator = ViewerId::new("opr_00000000")?;
    let customer_ref = CustomerRef::new(customer)?;
    Ok(Grant { ticket, purpose: Purpose::Card { operator, role: ViewerRole::Line1, customer_ref } })
}

fn ask(desk: &Desk, token: &str, question: &str, body: &Value) -> Result<Answer> {
    desk.bridge().with_bearer(token).post(&format!("/v1/{question}"), body)
}

const OURS: &str = "ticket-service";
const THEIRS: &str = "crm-bridge";

fn notary(desk: &Desk) -> Result<Notary> {
    let key = Secret::new(fs::read_to_string(desk.signing_key())?);
    Ok(Notary { key, clock: Clock::system() })
}

#[test]
fn the_bridge_answers_nobody_but_the_ticket_service() -> Result<()> {
    let desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let notary = notary(&desk)?;
    let at = |seconds: i64| Notary {
        key: notary.key.clone(),
        clock: Clock::manual(Timestamp::from_ms(Clock::system().now().ms() + seconds * 1000)),
    };
    let (foreign_key, _) = generate_key_pair(&Ids::random(Clock::system()))?;
    let foreign = Notary { key: foreign_key, clock: Clock::system() };
    // No token, rubbish, no signature, another key, another audience, another issuer, too old, from the future.
    let refused = [
        String::new(),
        "rubbish".to_owned(),
        "e30.e30.".to_owned(),
        foreign.sign(OURS, THEIRS, &resolve(7))?,
        notary.sign(OURS, OURS, &resolve(7))?,
        notary.sign(THEIRS, THEIRS, &resolve(7))?,
        at(-120).sign(OURS, THEIRS, &resolve(7))?,
        at(600).sign(OURS, THEIRS, &resolve(7))?,
    ];
    let question = json!({"version": 1, "ticket": 7, "email": desk.customer(0)?.email});
    let questions = [("resolve", question), ("card", json!({})), ("reveal", json!({"version": 2}))];
    for token in refused {
        for (name, body) in &questions {
            let answer = ask(&desk, &token, name, body)?;
            ensure!(answer.status == 401, "{name} with {token}: {}", answer.text());
            ensure!(answer.problem()? == "token_invalid", "{name} with {token}: {}", answer.text());
        }
    }
    Ok(())
}

#[test]
fn the_bridge_answers_only_what_was_granted() -> Result<()> {
    let desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let notary = notary(&desk)?;
    let email = desk.customer(0)?.email.as_str();
    let question = json!({"version": 1, "ticket": 7, "email": email});
    let sign = |grant: &Grant| notary.sign(OURS, THEIRS, grant);
    let found = ask(&desk, &sign(&resolve(7))?, "resolve", &question)?.expect(200)?;
    let customer = found["outcome"]["customer_ref"].as_str().context("nobody was found")?;
    let card_of =
        |ticket: u64, customer: &str| json!({"version": 1, "ticket": ticket, "customer_ref": customer});
    let (look_up, granted) = (resolve(7), card(7, customer)?);
    ask(&desk, &sign(&granted)?, "card", &card_of(7, customer))?.expect(200)?;
    let cases = [
        ("a look-up used for a card", &look_up, "card", card_of(7, customer), 403, "grant_refused"),
        ("a card used for a look-up", &granted, "resolve", question.clone(), 403, "grant_refused"),
        ("another ticket", &granted, "card", card_of(8, customer), 403, "grant_refused"),
        ("not resolved for it", &card(8, customer)?, "card", card_of(8, customer), 404, "customer_unknown"),
        ("no such customer", &card(7, NOBODY)?, "card", card_of(7, NOBODY), 404, "customer_unknown"),
    ];
    for (what, grant, name, body, status, code) in cases {
        let answer = ask(&desk, &sign(grant)?, name, &body)?;
        ensure!(answer.status == status && answer.problem()? == code, "{what}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn a_question_that_is_not_right_is_refused_with_a_code() -> Result<()> {
    let desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let caller = desk.bridge().with_bearer(&notary(&desk)?.sign(OURS, THEIRS, &resolve(7))?);
    let json_type = [("content-type", "application/json")];
    let long = format!(r#"{{"version":1,"ticket":7,"email":"{}@x.example"}}"#, "a".repeat(10_000));
    let cases: [(&str, &[u8], u16, &str); 7] = [
        ("another version", br#"{"version":2,"ticket":7,"email":"a@b.example"}"#, 422, "body_invalid"),
        (
            "an unknown member",
            br#"{"version":1,"ticket":7,"email":"a@b.example","all":true}"#,
            422,
            "body_invalid",
        ),
        ("another type", br#"{"version":1,"ticket":"7","email":"a@b.example"}"#, 422, "body_invalid"),
        ("no address", br#"{"version":1,"ticket":7}"#, 422, "lookup_missing"),
        ("half a question", b"{", 400, "body_unreadable"),
        ("not UTF-8", b"{\"version\":1,\"ticket\":7,\"email\":\"\xff\"}", 400, "body_unreadable"),
        ("10 kB", long.as_bytes(), 413, "body_too_large"),
    ];
    for (what, body, status, code) in cases {
        let answer = caller.send("POST", "/v1/resolve", &json_type, body)?;
        ensure!(answer.status == status && answer.problem()? == code, "{what}: {}", answer.text());
    }
    for (method, path) in
        [("GET", "/v1/card"), ("GET", "/v1/customers"), ("POST", "/v1/search"), ("GET", "/")]
    {
        let answer = caller.send(method, path, &[], b"")?;
        ensure!(answer.status == 404 || answer.status == 405, "{method} {path}: {}", answer.text());
    }
    Ok(())
}

#[test]
fn without_the_bridge_tickets_are_worked_on_and_customers_are_found_later() -> Result<()> {
    let mut desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let anna = desk.operator("anna")?;
    desk.stack().stop_bridge()?;
    let form = json!({"name": "A visitor", "email": desk.customer(0)?.email, "subject": "A question", "text": "How?",
        "website": "", "opened_at": "2026-01-01T00:00:00Z"});
    let made = desk.visitor().post("/api/v1/public/requests", &form)?.expect(201)?;
    let path = format!("/api/v1/tickets/{}", made["number"]);
    ensure!(anna.get(&format!("{path}/card"))?.expect(200)?["state"] == "pending", "a card without a bridge");
    anna.post(&format!("{path}/messages"), &json!({"kind": "answer", "text": "Like this."}))?.expect(201)?;
    let refused = anna.post(&format!("{path}/card/reveal"), &json!({"key": "person.phone"}))?;
    refused.problem()?;
    desk.stack().start_bridge()?;
    let look = || Ok(anna.get(&path)?.expect(200)?["customer"]["state"].clone());
    system_tests::wait::until("the customer is found after all", look, |state| state == "linked")?;
    Ok(())
}
