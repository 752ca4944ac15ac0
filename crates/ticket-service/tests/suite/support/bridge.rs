//! A bridge at the other end of a real wire: checks real grants, answers what a test tells it to, and remembers what it
//! was asked.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bridge_contract::{BridgeGrant, CustomerRef, Grant, OrderId, Purpose};
use db_kit::Backend;
use db_kit::testing::StartOn;
use serde_json::{Value, json};
use service_kit::token::{AgreedKey, AgreedToken, Claims, Half, Signer, Verifier, generate_key_pair};
use service_kit::{Clock, Ids};

use super::TestApp;

const ISSUER: &str = "ticket-service";
const AUDIENCE: &str = "crm-bridge";

/// The service and its bridge.
pub(crate) struct WithBridge {
    pub(crate) app: TestApp,
    pub(crate) bridge: FakeBridge,
    signer: Signer,
}

/// The bridge.
pub(crate) struct FakeBridge {
    state: Arc<Mutex<State>>,
    port: u16,
    handle: Option<ServerHandle>,
}

struct State {
    clock: Clock,
    public_key: String,
    verifier: Verifier,
    people: HashMap<String, Vec<String>>,
    cards: HashMap<String, (u16, Value)>,
    everything: Option<(u16, String)>,
    changes: Vec<Value>,
    /// Whether it agrees on keys, and those that it has agreed on, by name.
    agrees: bool,
    keys: HashMap<String, AgreedKey>,
    /// What oversight answers, by the kind of the question.
    oversight: HashMap<String, Vec<(u16, Value)>>,
    asked: Vec<Asked>,
}

/// A question as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) grant: Value,
    pub(crate) question: Value,
    pub(crate) request_id: String,
    /// Whether the grant was under a key agreed on, not signed.
    pub(crate) by_agreed_key: bool,
}

impl StartOn for WithBridge {
    async fn start_on(backend: Backend) -> Self {
        Self::start(backend, false).await
    }
}

impl WithBridge {
    /// A service that tells the bridge of tickets, too, if `telling`.
    pub(crate) async fn start(backend: Backend, telling: bool) -> Self {
        let ids = Ids::seeded(Clock::system(), 7);
        let (private, public) = generate_key_pair(&ids).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("key.pem");
        std::fs::write(&key_file, private.expose()).unwrap();
        // The bridge's own pair: it signs orders, the service checks them.
        let (bridge_key, bridge_public) = generate_key_pair(&ids).unwrap();
        let bridge_file = folder.path().join("bridge.pem");
        std::fs::write(&bridge_file, bridge_public).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let app = TestApp::start(backend, |config| {
            config.bridge.url = format!("http://127.0.0.1:{port}");
            config.bridge.signing_key_file = key_file;
            config.bridge.timeout_ms = 1_000;
            config.bridge.verify_key_file = bridge_file;
            config.bridge.ticket_events = telling;
        })
        .await;
        let clock = app.app.clock.clone();
        let verifier = Verifier::new(&public, ISSUER, AUDIENCE, clock.clone()).unwrap();
        let (people, cards) = (HashMap::new(), HashMap::new());
        let public_key = public;
        let state = State {
            clock,
            public_key,
            verifier,
            people,
            cards,
            everything: None,
            changes: vec![],
            agrees: false,
            keys: HashMap::new(),
            oversight: HashMap::new(),
            asked: vec![],
        };
        let mut bridge = FakeBridge { state: Arc::new(Mutex::new(state)), port, handle: None };
        bridge.come_up();
        let signer = Signer::new(&bridge_key, AUDIENCE, ISSUER, app.app.clock.clone(), ids).unwrap();
        Self { app, bridge, signer }
    }

    /// A token with which the bridge orders a ticket.
    pub(crate) fn order_token(&self, order: &str, customer: &str) -> String {
        let grant = BridgeGrant::OpenTicket {
            order: OrderId::new(order).unwrap(),
            customer_ref: CustomerRef::new(customer).unwrap(),
        };
        self.signer.sign(grant).unwrap().expose().to_owned()
    }
}

impl Drop for FakeBridge {
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            drop(handle.stop(false));
        }
    }
}

impl FakeBridge {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Begins to listen, on the same port as before.
    pub(crate) fn come_up(&mut self) {
        let state = web::Data::from(Arc::clone(&self.state));
        let server = HttpServer::new(move || {
            App::new().app_data(state.clone()).route("/v1/{question}", web::post().to(answer))
        })
        .disable_signals()
        .workers(1)
        .bind(("127.0.0.1", self.port))
        .unwrap()
        .run();
        self.handle = Some(server.handle());
        tokio::spawn(server);
    }

    /// Stops listening: connections are refused.
    pub(crate) async fn go_down(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.stop(false).await;
        }
    }

    /// These customers have this address or number.
    pub(crate) fn knows(&self, address: &str, customers: &[&str]) {
        let customers = customers.iter().map(|customer| (*customer).to_owned()).collect();
        self.state().people.insert(address.to_owned(), customers);
    }

    /// The card of this customer shows this name, and a masked phone number.
    pub(crate) fn shows(&self, customer: &str, name: &str) {
        let card = json!({
            "version": 1, "customer_ref": customer, "policy": { "number": 3, "hash": "0".repeat(64) },
            "as_of": "2026-11-21T08:59:00Z", "stale": false,
            "fields": [
                { "key": "person.name", "label": "Name", "value": { "kind": "text", "value": name } },
                { "key": "person.phone", "label": "Phone",
                  "value": { "kind": "masked", "mask": "+7 ••• •• 41", "revealable": true } },
            ],
        });
        self.state().cards.insert(customer.to_owned(), (200, card));
    }

    /// Agrees on keys from now on, and knows no earlier one.
    pub(crate) fn agrees_anew(&self) {
        let mut state = self.state();
        state.agrees = true;
        state.keys.clear();
    }

    /// How many keys it knows.
    pub(crate) fn keys(&self) -> usize {
        self.state().keys.len()
    }

    /// Has this to tell of customers that were erased or merged.
    pub(crate) fn tells(&self, changes: &[Value]) {
        self.state().changes = changes.to_vec();
    }

    /// The next question of this kind to oversight is answered with this; the last such answer stays.
    pub(crate) fn oversees(&self, kind: &str, status: u16, body: Value) {
        self.state().oversight.entry(kind.to_owned()).or_default().push((status, body));
    }

    /// The card of this customer tells that so many of three customers were looked at.
    pub(crate) fn counts(&self, customer: &str, used: u32) {
        let budget = json!({ "window": "hour", "used": used, "soft": 2, "hard": 3, "resets_at": "2026-11-21T10:00:00Z" });
        if let Some((_, card)) = self.state().cards.get_mut(customer) {
            card["budget"] = budget;
        }
    }

    /// Questions about this customer are answered with this problem.
    pub(crate) fn refuses(&self, customer: &str, status: u16, code: &str) {
        self.state().cards.insert(customer.to_owned(), (status, json!({ "code": code })));
    }

    /// Every question is answered with this, whatever it is.
    pub(crate) fn answers_everything_with(&self, status: u16, body: impl Into<String>) {
        self.state().everything = Some((status, body.into()));
    }

    /// Its clock is an hour ahead of the service's.
    pub(crate) fn lives_in_the_future(&self) {
        let mut state = self.state();
        let clock = Clock::manual(state.clock.now().plus_ms(3_600_000));
        state.verifier = Verifier::new(&state.public_key, ISSUER, AUDIENCE, clock).unwrap();
    }

    /// Answers as it did before [`FakeBridge::answers_everything_with`].
    pub(crate) fn recovers(&self) {
        self.state().everything = None;
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }
}

async fn answer(
    state: web::Data<Mutex<State>>,
    request: HttpRequest,
    path: web::Path<String>,
    question: web::Json<Value>,
) -> HttpResponse {
    let mut state = state.lock().unwrap();
    let header =
        |name: &str| request.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let token = header("authorization");
    let token = token.strip_prefix("Bearer ").unwrap_or_default();
    let agreed = AgreedToken::read(token);
    let claims = match &agreed {
        None => state.verifier.verify(token),
        Some(agreed) => match state.keys.get(agreed.key_id()) {
            Some(key) => state.verifier.verify_agreed(agreed, key),
            None => return HttpResponse::Unauthorized().json(json!({ "code": "token_invalid" })),
        },
    };
    let claims: Claims<Grant> = match claims {
        Ok(claims) => claims,
        Err(_) => return HttpResponse::Forbidden().json(json!({ "code": "grant_refused" })),
    };
    let question = question.into_inner();
    if path.as_str() == "agreed-keys" {
        return state.agreement(&claims.grant, &question, agreed.is_some());
    }
    let asked = Asked {
        path: path.clone(),
        grant: serde_json::to_value(&claims.grant).unwrap(),
        question: question.clone(),
        request_id: header("x-request-id"),
        by_agreed_key: agreed.is_some(),
    };
    state.asked.push(asked);
    if let Some((status, body)) = &state.everything {
        return HttpResponse::build((*status).try_into().unwrap()).body(body.clone());
    }
    let (status, body) = match path.as_str() {
        "resolve" => (200, json!({ "version": 1, "outcome": state.outcome(&question) })),
        "card" => state.card(&question),
        "oversight" => state.oversight(&question),
        "ticket-events" => (200, json!({ "version": 1, "news": true })),
        "customer-changes" => {
            let after = question["after"].as_u64().unwrap();
            let news = state.changes.iter().filter(|change| change["number"].as_u64().unwrap() > after);
            (200, json!({ "version": 1, "changes": news.collect::<Vec<_>>() }))
        }
        _ => state.revealed(&question),
    };
    let mut answer = HttpResponse::build(status.try_into().unwrap());
    if status == 429 {
        answer.insert_header(("retry-after", "720"));
    }
    answer.json(body)
}

impl State {
    fn agreement(&mut self, grant: &Grant, question: &Value, by_agreed_key: bool) -> HttpResponse {
        let theirs = question["half"].as_str().unwrap();
        assert!(matches!(&grant.purpose, Purpose::Agreement { half } if half.as_str() == theirs));
        assert!(!by_agreed_key, "a key is agreed on under a signature");
        if !self.agrees {
            return HttpResponse::NotFound().json(json!({ "code": "not_found" }));
        }
        let half = Half::new(&Ids::random(self.clock.clone())).unwrap();
        let (ours, id) = (half.public(), format!("key-{}", self.keys.len()));
        self.keys.insert(id.clone(), half.agree(theirs).unwrap());
        HttpResponse::Ok().json(json!({ "version": 1, "key_id": id, "half": ours, "lasts_s": 600 }))
    }

    fn oversight(&mut self, question: &Value) -> (u16, Value) {
        let kind = question["ask"]["kind"].as_str().unwrap();
        let (status, found) = match self.oversight.get_mut(kind) {
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers[0].clone(),
            None if kind == "notices" => (200, json!({ "kind": kind, "items": [], "open": 0 })),
            None if kind.starts_with("report_") => (200, json!({ "kind": "reported" })),
            None => (200, json!({ "kind": kind, "items": [] })),
        };
        let body = if status == 200 { json!({ "version": 1, "found": found }) } else { found };
        (status, body)
    }

    fn outcome(&self, question: &Value) -> Value {
        let found = ["email", "phone"].iter().find_map(|by| self.people.get(question[*by].as_str()?));
        match found.map(Vec::as_slice) {
            None | Some([]) => json!({ "kind": "none" }),
            Some([only]) => json!({ "kind": "matched", "customer_ref": only }),
            Some(several) => json!({ "kind": "several", "candidates": several }),
        }
    }

    fn card(&self, question: &Value) -> (u16, Value) {
        let card = self.cards.get(question["customer_ref"].as_str().unwrap());
        card.cloned().unwrap_or((404, json!({ "code": "customer_unknown" })))
    }

    fn revealed(&self, question: &Value) -> (u16, Value) {
        let (status, card) = self.card(question);
        if status != 200 {
            return (status, card);
        }
        if question["field"] != "person.phone" {
            return (403, json!({ "code": "field_not_revealable" }));
        }
        let value = json!({ "kind": "phone", "value": "+78465550141" });
        let field = json!({ "key": "person.phone", "label": "Phone", "value": value });
        (200, json!({ "version": 1, "field": field, "policy": card["policy"] }))
    }
}
