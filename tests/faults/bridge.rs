//! Who may ask the bridge: the ticket service, for a minute, for what it signed, and nobody else.

use std::fs;

use anyhow::{Context, Result, ensure};
use bridge_contract::{CustomerRef, Grant, OperatorId, Purpose, ViewerRole};
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
    let operator = OperatorId::new("opr_00000000")?;
    let customer_ref = CustomerRef::new(customer)?;
    Ok(Grant { ticket, purpose: Purpose::Card { operator, role: ViewerRole::Line1, customer_ref } })
}

fn ask(desk: &Desk, token: &str, question: &str, body: &Value) -> Result<Answer> {
    desk.bridge().with_bearer(token).post(&format!("/v1/{question}"), body)
}

#[test]
fn the_bridge_answers_nobody_but_the_ticket_service_and_only_what_was_granted() -> Result<()> {
    let desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let key = Secret::new(fs::read_to_string(desk.signing_key())?);
    let now = Clock::system().now();
    let at = |seconds: i64| Clock::manual(Timestamp::from_ms(now.ms() + seconds * 1000));
    let notary = Notary { key, clock: Clock::system() };
    let email = desk.customer(0)?.email.as_str();
    let question = json!({"version": 1, "ticket": 7, "email": email});
    let (ours, theirs) = ("ticket-service", "crm-bridge");

    // No token, rubbish, another key, another audience, another issuer, too old, from the future.
    let (foreign_key, _) = generate_key_pair(&Ids::random(Clock::system()))?;
    let foreign = Notary { key: foreign_key, clock: Clock::system() };
    let (old, early) = (at(-120), at(600));
    let (old, early) =
        (Notary { key: notary.key.clone(), clock: old }, Notary { key: notary.key.clone(), clock: early });
    let refused = [
        String::new(),
        "rubbish".to_owned(),
        "e30.e30.".to_owned(),
        foreign.sign(ours, theirs, &resolve(7))?,
        notary.sign(ours, "ticket-service", &resolve(7))?,
        notary.sign("crm-bridge", theirs, &resolve(7))?,
        old.sign(ours, theirs, &resolve(7))?,
        early.sign(ours, theirs, &resolve(7))?,
    ];
    for token in refused {
        for (name, body) in [("resolve", &question), ("card", &json!({})), ("reveal", &json!({"version": 2}))]
        {
            let answer = ask(&desk, &token, name, body)?;
            ensure!(
                answer.status == 401 && answer.problem()? == "token_invalid",
                "{name} with {token}: {}",
                answer.text()
            );
        }
    }

    // A true token, and still not everything.
    let token = notary.sign(ours, theirs, &resolve(7))?;
    let found = ask(&desk, &token, "resolve", &question)?.expect(200)?;
    let customer = found["outcome"]["customer_ref"].as_str().context("nobody was found")?.to_owned();
    let card_7 = json!({"version": 1, "ticket": 7, "customer_ref": customer});
    let granted = notary.sign(ours, theirs, &card(7, &customer)?)?;
    ask(&desk, &granted, "card", &card_7)?.expect(200)?;
    let other = |number: u64| json!({"version": 1, "ticket": number, "customer_ref": customer});
    let cases: [(&str, String, &str, Value, u16, &str); 8] = [
        ("a look-up used for a card", token.clone(), "card", card_7.clone(), 403, "grant_refused"),
        ("a card used for a look-up", granted.clone(), "resolve", question.clone(), 403, "grant_refused"),
        ("another ticket", granted.clone(), "card", other(8), 403, "grant_refused"),
        (
            "never resolved for this ticket",
            notary.sign(ours, theirs, &card(8, &customer)?)?,
            "card",
            other(8),
            404,
            "customer_unknown",
        ),
        (
            "no such customer",
            notary.sign(ours, theirs, &card(7, NOBODY)?)?,
            "card",
            json!({"version": 1, "ticket": 7, "customer_ref": NOBODY}),
            404,
            "customer_unknown",
        ),
        (
            "another version",
            token.clone(),
            "resolve",
            json!({"version": 2, "ticket": 7, "email": email}),
            422,
            "body_invalid",
        ),
        (
            "an unknown member",
            token.clone(),
            "resolve",
            json!({"version": 1, "ticket": 7, "email": email, "all": true}),
            422,
            "body_invalid",
        ),
        ("no address", token.clone(), "resolve", json!({"version": 1, "ticket": 7}), 422, "lookup_missing"),
    ];
    for (what, token, name, body, status, code) in cases {
        let answer = ask(&desk, &token, name, &body)?;
        ensure!(answer.status == status && answer.problem()? == code, "{what}: {}", answer.text());
    }
    let bearer = desk.bridge().with_bearer(&token);
    let json_type = [("content-type", "application/json")];
    for (what, body) in
        [("not JSON", b"{".as_slice()), ("not UTF-8", b"{\"version\":1,\"ticket\":7,\"email\":\"\xff\"}")]
    {
        let answer = bearer.send("POST", "/v1/resolve", &json_type, body)?;
        ensure!((400..500).contains(&answer.status), "{what}: {}", answer.text());
        answer.problem()?;
    }
    let long = format!("{{\"version\":1,\"ticket\":7,\"email\":\"{}@x.example\"}}", "a".repeat(10_000));
    ensure!(
        bearer.send("POST", "/v1/resolve", &json_type, long.as_bytes())?.problem()? == "body_too_large",
        "10 kB"
    );
    for (method, path) in
        [("GET", "/v1/card"), ("GET", "/v1/customers"), ("POST", "/v1/search"), ("GET", "/")]
    {
        let answer = bearer.send(method, path, &[], b"")?;
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
