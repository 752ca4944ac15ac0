//! The other direction over HTTP, on both databases: events come in, the CRM asks, receivers are called.

mod access;
mod deliveries;
mod opening;
mod panel;
mod tickets;

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use bridge_contract::{Grant, Purpose};
use crm_bridge::app::crm_api::keys::{self, Scope};
use crm_bridge::deliver::Courier;
use crm_bridge::http::crm::serve;
use crm_bridge::other_way;
use db_kit::Backend;
use db_kit::testing::StartOn;
use serde_json::{Value, json};
use service_kit::Ids;
use service_kit::token::generate_key_pair;

use crate::support::{Down, Town, sandbox};

/// A bridge with a listener for the CRM, beside a sandbox CRM and a ticket service that is told what to answer.
pub(crate) struct CrmTown {
    pub(crate) town: Town,
    pub(crate) crm_api: String,
    pub(crate) desk: Receiver,
    handle: ServerHandle,
    crm: Option<ServerHandle>,
    _folder: tempfile::TempDir,
}

impl StartOn for CrmTown {
    async fn start_on(backend: Backend) -> Self {
        Self::with(backend, &[]).await
    }
}

impl CrmTown {
    pub(crate) async fn with(backend: Backend, more: &[(&str, &str)]) -> Self {
        Self::behind(backend, more, Down::None).await
    }

    pub(crate) async fn behind(backend: Backend, more: &[(&str, &str)], down: Down) -> Self {
        let (url, crm) = sandbox();
        let mut town = Self::at(backend, &url, more, down).await;
        town.crm = Some(crm);
        town
    }

    /// Beside the CRM at that address.
    pub(crate) async fn beside(backend: Backend, url: &str, more: &[(&str, &str)]) -> Self {
        Self::at(backend, url, more, Down::None).await
    }

    async fn at(backend: Backend, url: &str, more: &[(&str, &str)], down: Down) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (private, _) = generate_key_pair(&Ids::seeded(service_kit::Clock::system(), 5)).unwrap();
        let key_file = folder.path().join("bridge.pem");
        std::fs::write(&key_file, private.expose()).unwrap();
        let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/ticket-policy.toml");
        let desk = Receiver::start();
        let key_file = key_file.display().to_string();
        let mut settings = vec![
            ("TICKET_POLICY__FILE", policy),
            ("CRM_API__PUBLIC_URL", "https://bridge.example.org/"),
            ("CRM_API__TICKET_SERVICE_URL", desk.url.as_str()),
            ("CRM_API__SIGNING_KEY_FILE", key_file.as_str()),
            ("CRM_API__PANEL_ORIGINS", "[\"https://crm.example.org\"]"),
            ("CRM_API__WEBHOOK_ALLOW_PRIVATE", "true"),
            ("CRM_API__WEBHOOK_TIMEOUT_MS", "500"),
            ("CRM_API__DELIVERY_ATTEMPTS_MAX", "4"),
        ];
        settings.extend(more);
        let town = Town::beside(backend, url, &settings, down).await;
        let listener = other_way::listener(&town.config, &town.bridge, &town.metrics).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let crm_api = format!("http://{}", port.local_addr().unwrap());
        let server = serve(listener, 1, port).unwrap();
        let handle = server.handle();
        tokio::task::spawn_local(server);
        Self { town, crm_api, desk, handle, crm: None, _folder: folder }
    }

    /// A key with these scopes: its secret.
    pub(crate) async fn key(&self, scopes: &[Scope]) -> String {
        let (row, secret) = keys::make("CRM", scopes, &self.town.clock, &self.town.bridge.ids);
        self.town.bridge.store.insert_crm_key(row).await.unwrap();
        secret.expose().to_owned()
    }

    /// A contact of the sandbox CRM whom a ticket was resolved to: the CRM's id and the bridge's reference.
    pub(crate) async fn customer(&self, place: usize, ticket: u64) -> (String, String) {
        let contact = &self.town.contacts().await[place];
        let customer_ref = self.town.matched(ticket, contact["email"].as_str().unwrap()).await;
        (contact["id"].as_str().unwrap().to_owned(), customer_ref)
    }

    /// The ticket service tells of a ticket.
    pub(crate) async fn tell(&self, ticket: u64, sequence: u64, news: Value) -> (u16, Value) {
        let event = json!({
            "version": 1, "ticket": ticket, "sequence": sequence,
            "at": self.town.clock.now().to_string(), "news": news,
        });
        let grant = Grant { ticket, purpose: Purpose::TicketEvent { sequence } };
        self.town.ask("/v1/ticket-events", &grant, &event).await
    }

    /// The same, and the bridge takes it as news or not.
    pub(crate) async fn tells(&self, ticket: u64, sequence: u64, news: Value) -> bool {
        let (status, receipt) = self.tell(ticket, sequence, news).await;
        assert_eq!(status, 200, "{receipt}");
        receipt["news"].as_bool().unwrap()
    }

    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        Answer::of(self.town.http.get(format!("{}{path}", self.crm_api)).bearer_auth(key)).await
    }

    pub(crate) async fn post(&self, key: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let request = self.town.http.post(format!("{}{path}", self.crm_api)).bearer_auth(key).json(&body);
        Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// Delivers what is due now; how many attempts were made.
    pub(crate) async fn deliver(&self) -> usize {
        let courier = Courier::new(self.town.bridge.clone(), &self.town.config.crm_api).unwrap();
        courier.run_due().await.unwrap()
    }
}

impl Drop for CrmTown {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(crm) = &self.crm {
            drop(crm.stop(false));
        }
    }
}

/// A ticket that looks like this now.
pub(crate) fn looks(customer_ref: &str, change: &str, subject: &str, status: &str) -> Value {
    let mut summary = json!({
        "subject": subject, "status": status, "priority": "urgent", "line": 3,
        "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T09:00:00Z", "public_messages": 77,
        "rating": 5,
    });
    if status == "resolved" {
        summary["resolved_at"] = "2026-11-21T09:00:00Z".into();
    }
    json!({ "kind": "changed", "change": change, "customer_ref": customer_ref, "summary": summary })
}

pub(crate) fn withdrawn(customer_ref: &str) -> Value {
    json!({ "kind": "withdrawn", "customer_ref": customer_ref })
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Self { status, headers, text: answer.text().await.unwrap() }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body()
    }

    /// A whole problem with this code.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.body();
        assert_eq!((self.status, body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert!(body["detail"].as_str().is_some_and(|text| text.len() > 20), "{body}");
        body
    }
}

/// Somebody at the other end of a wire: remembers what came, and answers as told, by default with 200.
pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    handle: ServerHandle,
}

#[derive(Default)]
struct State {
    came: Vec<Came>,
    answers: VecDeque<(u16, Value)>,
    always: Option<(u16, Value)>,
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Came {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let data = web::Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new().app_data(data.clone()).default_service(web::to(
                |state: web::Data<Mutex<State>>, request: HttpRequest, body: web::Bytes| async move {
                    let header = |(name, value): (
                        &actix_web::http::header::HeaderName,
                        &actix_web::http::header::HeaderValue,
                    )| {
                        (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
                    };
                    let headers = request.headers().iter().map(header).collect();
                    let mut state = state.lock().unwrap();
                    state.came.push(Came { headers, text: String::from_utf8(body.to_vec()).unwrap() });
                    let next = state.answers.pop_front().or_else(|| state.always.clone());
                    let (status, body) = next.unwrap_or((200, json!({})));
                    HttpResponse::build(status.try_into().unwrap()).json(body)
                },
            ))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::task::spawn_local(server);
        Self { url, state, handle }
    }

    /// The next answers, in this order.
    pub(crate) fn answers(&self, answers: impl IntoIterator<Item = (u16, Value)>) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// Every answer from now on.
    pub(crate) fn always(&self, status: u16, body: Value) {
        self.state.lock().unwrap().always = Some((status, body));
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.state.lock().unwrap().came.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}
