//! A bridge on a database of its own, next to a CRM of its own.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bridge_contract::{CustomerRef, FieldKey, Grant, Purpose, ViewerId, ViewerRole};
use crm_bridge::app::Bridge;
use crm_bridge::app::policies::Live;
use crm_bridge::app::sync::Sync;
use crm_bridge::config::Config;
use crm_bridge::http::{Listener, Peers, serve};
use crm_bridge::store::sync::{MIGRATIONS as SYNC_MIGRATIONS, SyncStore};
use crm_bridge::store::vault::{Bond, Vault};
#[cfg(feature = "sabotage")]
use crm_bridge::walls::Wall;
use crm_bridge::{MIGRATIONS, start};
use db_kit::Backend;
use db_kit::testing::{StartOn, TestDatabase};
use sandbox_crm::behaviour::Behaviour;
use serde_json::{Value, json};
use service_kit::metrics::Metrics;
use service_kit::token::{Signer, generate_key_pair};
use service_kit::{Clock, Ids, Timestamp};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const CRM_KEY: &str = "sandbox-key-0123456789";

/// Walls that a test takes away; only a build with the feature `sabotage` can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    None,
    #[cfg(feature = "sabotage")]
    Walls(&'static [Wall]),
}

/// A running bridge.
pub(crate) struct Town {
    pub(crate) bridge: Bridge,
    pub(crate) live: Live,
    pub(crate) url: String,
    pub(crate) crm_url: String,
    pub(crate) clock: Clock,
    pub(crate) database: TestDatabase,
    pub(crate) http: reqwest::Client,
    pub(crate) metrics: Metrics,
    pub(crate) config: Config,
    pub(crate) signer: Signer,
    handle: actix_web::dev::ServerHandle,
    crm: Option<actix_web::dev::ServerHandle>,
    _keys: TempDir,
    _sync_database: TestDatabase,
}

impl StartOn for Town {
    async fn start_on(backend: Backend) -> Self {
        let (url, crm) = sandbox();
        let mut town = Self::beside(backend, &url, &[], Down::None).await;
        town.crm = Some(crm);
        town
    }
}

/// A sandbox CRM of forty customers.
pub(crate) fn sandbox() -> (String, actix_web::dev::ServerHandle) {
    let running = sandbox_crm::start(sandbox_crm::Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        secret: CRM_KEY.to_owned(),
        data: None,
        recipe: sandbox_crm::Recipe {
            seed: 7,
            customers: 40,
            marked: true,
            today: jiff::civil::date(2026, 11, 21),
        },
        crowd: None,
        webhook: None,
        behaviour: Behaviour::default(),
        clock: Arc::new(|| "2026-11-21T09:00:00Z".parse().unwrap()),
    })
    .unwrap();
    let handle = running.server.handle();
    tokio::task::spawn_local(running.server);
    (format!("http://{}", running.address), handle)
}

impl Town {
    /// A bridge on SQLite beside the CRM at that address.
    pub(crate) async fn on_sqlite(crm_url: &str, settings: &[(&str, &str)]) -> Self {
        Self::beside(Backend::Sqlite, crm_url, settings, Down::None).await
    }

    pub(crate) async fn beside(
        backend: Backend,
        crm_url: &str,
        settings: &[(&str, &str)],
        down: Down,
    ) -> Self {
        let clock = Clock::manual(Timestamp::from_ms(1_795_252_320_000));
        let ids = Ids::seeded(clock.clone(), 42);
        let keys = tempfile::tempdir().unwrap();
        let (private, public) = generate_key_pair(&ids).unwrap();
        std::fs::write(keys.path().join("public.pem"), &public).unwrap();
        std::fs::write(keys.path().join("cache.key"), Vault::generate_key(&ids).expose()).unwrap();
        let config = config(crm_url, keys.path(), settings, down);
        let database = TestDatabase::new(backend, &MIGRATIONS).await;
        let metrics = Metrics::new("guichet_bridge");
        let mut bridge =
            start::bridge(&config, database.database().clone(), clock.clone(), ids.clone(), &metrics)
                .unwrap();
        // Its tests run on both databases elsewhere; beside a bridge a file will do.
        let sync_database = TestDatabase::new(Backend::Sqlite, &SYNC_MIGRATIONS).await;
        let settings = config.sync_settings(bridge.policy.copy.is_some()).unwrap().unwrap();
        let store = SyncStore::new(sync_database.database().clone());
        bridge.sync = Some(Sync::new(store, settings, "this test".into()));
        let live = start::live(&config, bridge.clone()).unwrap();
        let listener = Listener {
            bridge: live.clone(),
            verifier: start::verifier(&config, clock.clone()).unwrap(),
            peers: Peers::parse(&config.ticket_service.allow_from).unwrap(),
            metrics: metrics.clone(),
            body_bytes_max: config.limits.body_bytes_max,
        };
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", port.local_addr().unwrap());
        let server = serve(listener, &config, port).unwrap();
        let handle = server.handle();
        tokio::task::spawn_local(server);
        let signer = Signer::new(&private, "ticket-service", "crm-bridge", clock.clone(), ids).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let crm_url = crm_url.to_owned();
        Self {
            bridge,
            live,
            url,
            crm_url,
            clock,
            database,
            http,
            metrics,
            config,
            signer,
            handle,
            crm: None,
            _keys: keys,
            _sync_database: sync_database,
        }
    }

    /// Asks with a grant and answers status and body.
    pub(crate) async fn ask(&self, path: &str, grant: &Grant, body: &Value) -> (u16, Value) {
        let token = self.signer.sign(grant).unwrap();
        self.ask_with(path, Some(token.expose()), body.to_string()).await
    }

    pub(crate) async fn ask_with(&self, path: &str, token: Option<&str>, body: String) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path}", self.url));
        request = request.header("content-type", "application/json").body(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        answer_of(request.send().await.unwrap()).await
    }

    /// A token for a grant of any shape.
    pub(crate) fn sign(&self, grant: &Value) -> String {
        self.signer.sign(grant).unwrap().expose().to_owned()
    }

    pub(crate) fn token(&self, grant: &Grant) -> String {
        self.signer.sign(grant).unwrap().expose().to_owned()
    }

    pub(crate) async fn resolve(&self, ticket: u64, question: Value) -> (u16, Value) {
        let mut body = json!({ "version": 1, "ticket": ticket });
        body.as_object_mut().unwrap().extend(question.as_object().unwrap().clone());
        self.ask("/v1/resolve", &Grant { ticket, purpose: Purpose::Resolve {} }, &body).await
    }

    /// The reference of the one customer with this address.
    pub(crate) async fn matched(&self, ticket: u64, email: &str) -> String {
        let (status, body) = self.resolve(ticket, json!({ "email": email })).await;
        assert_eq!(status, 200, "{body}");
        body["outcome"]["customer_ref"]
            .as_str()
            .unwrap_or_else(|| panic!("not one customer: {body}"))
            .to_owned()
    }

    pub(crate) async fn card(&self, ticket: u64, customer_ref: &str, role: ViewerRole) -> (u16, Value) {
        let body = json!({ "version": 1, "ticket": ticket, "customer_ref": customer_ref });
        self.ask("/v1/card", &card_grant(ticket, customer_ref, role), &body).await
    }

    /// The card as a bridge shows it whose policy can change.
    pub(crate) async fn card_under(
        &self,
        live: &Live,
        ticket: u64,
        customer_ref: &str,
        role: ViewerRole,
    ) -> Value {
        let question = json!({ "version": 1, "ticket": ticket, "customer_ref": customer_ref });
        let question = serde_json::from_value(question).unwrap();
        let grant = card_grant(ticket, customer_ref, role);
        let card = crm_bridge::app::show_card::show_card(&live.now(), &grant, &question, "req").await;
        serde_json::to_value(card.unwrap()).unwrap()
    }

    pub(crate) async fn reveal(
        &self,
        ticket: u64,
        customer_ref: &str,
        role: ViewerRole,
        key: &str,
    ) -> (u16, Value) {
        let purpose = Purpose::Reveal {
            operator: operator(),
            role,
            customer_ref: CustomerRef::new(customer_ref).unwrap(),
            field: FieldKey::new(key).unwrap(),
        };
        let body = json!({ "version": 1, "ticket": ticket, "customer_ref": customer_ref, "field": key });
        self.ask("/v1/reveal", &Grant { ticket, purpose }, &body).await
    }

    /// The sandbox CRM's contacts, with everything.
    pub(crate) async fn contacts(&self) -> Vec<Value> {
        let url = format!("{}/api/v1/contacts?limit=200", self.crm_url);
        let (_, body) = answer_of(self.http.get(url).bearer_auth(CRM_KEY).send().await.unwrap()).await;
        body["items"].as_array().unwrap().clone()
    }

    pub(crate) async fn change_contact(&self, id: &str, change: Value) {
        let url = format!("{}/api/v1/contacts/{id}", self.crm_url);
        let request = self.http.patch(url).bearer_auth(CRM_KEY).json(&change);
        assert!(request.send().await.unwrap().status().is_success());
    }

    pub(crate) async fn erase_contact(&self, id: &str) {
        let url = format!("{}/api/v1/contacts/{id}", self.crm_url);
        assert!(self.http.delete(url).bearer_auth(CRM_KEY).send().await.unwrap().status().is_success());
    }

    /// Tells the sandbox CRM how to misbehave.
    pub(crate) async fn behave(&self, behaviour: Value) {
        let request = self.http.put(format!("{}/debug/behaviour", self.crm_url)).json(&behaviour);
        assert!(request.send().await.unwrap().status().is_success(), "{behaviour}");
    }

    /// How many calls of the API the sandbox CRM has had.
    pub(crate) async fn crm_calls(&self) -> u64 {
        let url = format!("{}/debug/calls", self.crm_url);
        answer_of(self.http.get(url).send().await.unwrap()).await.1["total"].as_u64().unwrap()
    }

    /// Looks in the audit log as `action actor ticket details`.
    pub(crate) async fn looks(&self) -> Vec<String> {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Line {
            #[diesel(sql_type = diesel::sql_types::Text)]
            line: String,
        }
        const SQL: &str = "SELECT action || ' ' || actor || ' ' || COALESCE(CAST(ticket AS TEXT), '-') || ' ' || details AS line \
                           FROM audit_log WHERE action <> 'customer.resolved' ORDER BY seq";
        self.database
            .read(|conn| diesel::sql_query(SQL).load::<Line>(conn).map_err(db_kit::DbError::from))
            .await
            .unwrap()
            .into_iter()
            .map(|row| row.line)
            .collect()
    }

    /// How many rows of these tables name the customer.
    pub(crate) async fn rows_with(&self, customer_ref: &str, tables: &[&str]) -> i64 {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            count: i64,
        }
        let mut sum = 0;
        for table in tables {
            let sql = format!("SELECT COUNT(*) AS count FROM {table} WHERE customer_ref = '{customer_ref}'");
            let count = self.database.read(move |conn| {
                diesel::sql_query(sql).get_result::<Count>(conn).map_err(db_kit::DbError::from)
            });
            sum += count.await.unwrap().count;
        }
        sum
    }

    /// All rows of customers, as text.
    pub(crate) async fn rows_of_customers(&self) -> String {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            text: String,
        }
        const SQL: &str = "SELECT customer_ref || ' ' || source || ' ' || crm_id AS text FROM customers";
        let rows = self
            .database
            .read(|conn| diesel::sql_query(SQL).load::<Row>(conn).map_err(db_kit::DbError::from));
        rows.await.unwrap().into_iter().map(|row| row.text).collect::<Vec<_>>().join("\n")
    }

    /// The kept card of a customer, opened with the key.
    pub(crate) async fn kept_card(&self, customer_ref: &str) -> String {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Kept {
            #[diesel(sql_type = diesel::sql_types::Binary)]
            sealed: Vec<u8>,
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            as_of: i64,
            #[diesel(sql_type = diesel::sql_types::Text)]
            policy_hash: String,
        }
        let sql =
            format!("SELECT sealed, as_of, policy_hash FROM cards WHERE customer_ref = '{customer_ref}'");
        let kept = self
            .database
            .read(move |conn| diesel::sql_query(sql).get_result::<Kept>(conn).map_err(db_kit::DbError::from));
        let kept = kept.await.unwrap();
        let bond = Bond { customer_ref, as_of: Timestamp::from_ms(kept.as_of), policy: &kept.policy_hash };
        String::from_utf8(self.bridge.vault.open(&kept.sealed, bond).unwrap().to_vec()).unwrap()
    }

    pub(crate) async fn stop_crm(&self) {
        if let Some(crm) = &self.crm {
            crm.stop(false).await;
        }
    }

    /// Past the time for which a card is fresh.
    pub(crate) fn later(&self) {
        self.clock.advance_ms(301_000);
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        // The future asks the server to stop when it is made; waiting for it is not needed.
        drop(self.handle.stop(false));
        if let Some(crm) = &self.crm {
            drop(crm.stop(false));
        }
    }
}

fn config(crm_url: &str, keys: &Path, settings: &[(&str, &str)], down: Down) -> Config {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = |path: &Path| path.display().to_string();
    let mut variables = vec![
        ("SERVER__WORKERS".to_owned(), "1".to_owned()),
        ("TICKET_SERVICE__VERIFY_KEY_FILE".to_owned(), path(&keys.join("public.pem"))),
        ("AUDIT__KEY_FILE".to_owned(), path(&keys.join("audit.pem"))),
        ("CACHE__KEY_FILE".to_owned(), path(&keys.join("cache.key"))),
        ("CRM__BASE_URL".to_owned(), crm_url.to_owned()),
        ("CRM__SECRET".to_owned(), CRM_KEY.to_owned()),
        ("CRM__TOTAL_TIMEOUT_MS".to_owned(), "600".to_owned()),
        ("LIMITS__FAILURES_MAX".to_owned(), "1000".to_owned()),
        ("POLICY__FILE".to_owned(), path(&root.join("config/field-policy.toml"))),
    ];
    variables.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let variables = variables.into_iter().map(|(key, value)| (format!("GUICHET_BRIDGE__{key}"), value));
    #[cfg_attr(not(feature = "sabotage"), expect(unused_mut, reason = "only a test build changes it"))]
    let mut config = Config::load(None, variables).unwrap();
    match down {
        Down::None => {}
        #[cfg(feature = "sabotage")]
        Down::Walls(walls) => config.sabotage.without = walls.to_vec(),
    }
    config
}

pub(crate) fn operator() -> ViewerId {
    ViewerId::new("opr_0193aabb").unwrap()
}

pub(crate) fn card_grant(ticket: u64, customer_ref: &str, role: ViewerRole) -> Grant {
    let customer_ref = CustomerRef::new(customer_ref).unwrap();
    Grant { ticket, purpose: Purpose::Card { operator: operator(), role, customer_ref } }
}

pub(crate) async fn answer_of(answer: reqwest::Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The value of a field of a card.
pub(crate) fn field<'a>(card: &'a Value, key: &str) -> &'a Value {
    let found = card["fields"].as_array().unwrap().iter().find(|field| field["key"] == key);
    found.map_or(&Value::Null, |field| &field["value"])
}

/// A CRM that answers each request line as a function says, and remembers them.
pub(crate) struct WireCrm {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl WireCrm {
    pub(crate) async fn answering(answer: impl Fn(&str) -> Vec<u8> + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::task::spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                let mut byte = [0_u8; 1024];
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    match stream.read(&mut byte).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => head.extend_from_slice(&byte[..count]),
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let line = head.lines().next().unwrap_or_default().to_owned();
                seen.lock().unwrap().push(head);
                let _ = stream.write_all(&answer(&line)).await;
            }
        });
        Self { url, requests }
    }

    /// The heads of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A 200 with that JSON.
pub(crate) fn json_answer(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length:";
    format!("{head} {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A status without a body.
pub(crate) fn status_answer(status: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
}
