//! The whole service on a database of its own, with people ready to act and a clock that moves when told.
//!
//! ```ignore
//! both_databases! {
//!     async fn an_operator_sees_their_own_account(app: TestApp) {
//!         let me = app.as_line1().get("/session").await.expect(200);
//!         assert_eq!(me["role"], "line1");
//!     }
//! }
//! ```
//!
//! A test fails when it ends with jobs that are due and were not run ([`TestApp::run_jobs`], [`TestApp::leave_jobs`]) or
//! with an error in the log that it did not announce ([`TestApp::expect_error`]).
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "not every helper is used by every state of the suite"
)]

pub(crate) mod bridge;
mod client;
mod errors;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, Version};
use db_kit::Backend;
use db_kit::testing::{StartOn, TestDatabase, block_on};
use service_kit::{Clock, Ids, Timestamp};
use ticket_service::app::App;
use ticket_service::app::sign_in::Credential;
use ticket_service::bridge::{self as way, BridgeClient};
use ticket_service::config::Config;
use ticket_service::domain::actor::KeyScope;
use ticket_service::domain::{Actor, Role};
use ticket_service::server::{Running, listen};
use ticket_service::store::api_keys::ApiKeyRecord;
use ticket_service::store::operators::OperatorRecord;
use ticket_service::store::sessions::SessionRecord;
use ticket_service::store::{MIGRATIONS, Scope, api_keys, jobs, operators, sessions};

pub(crate) use client::{Answer, Client};

/// The password of everybody in the tests.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// When every test begins: a Saturday morning.
pub(crate) const START: &str = "2026-11-21T09:00:00Z";

/// Ready-made people: id, name, mail address, role.
const PEOPLE: [(&str, &str, &str, Role); 7] = [
    ("opr_ann", "Ann Koval", "ann@support.example", Role::Line1),
    ("opr_lena", "Lena Orlova", "lena@support.example", Role::Line1),
    ("opr_boris", "Boris Petrov", "boris@support.example", Role::Line2),
    ("opr_clara", "Clara Weiss", "clara@support.example", Role::Line3),
    ("opr_sofia", "Sofia Marin", "sofia@support.example", Role::Supervisor),
    ("opr_adam", "Adam Novak", "adam@support.example", Role::Admin),
    ("opr_gone", "Greta Away", "greta@support.example", Role::Line1),
];

/// The service, running.
pub(crate) struct TestApp {
    /// Its inside, for what can't be had over HTTP.
    pub(crate) app: App,
    http: reqwest::Client,
    running: Running,
    leave_jobs: AtomicBool,
    // Dropped last: the folder with the database.
    _database: TestDatabase,
    _files: tempfile::TempDir,
}

impl StartOn for TestApp {
    async fn start_on(backend: Backend) -> Self {
        Self::start(backend, |_| {}).await
    }
}

impl TestApp {
    /// The service on this database, with changed settings.
    pub(crate) async fn start(backend: Backend, change: impl FnOnce(&mut Config)) -> Self {
        errors::watch();
        let database = TestDatabase::new(backend, &MIGRATIONS).await;
        let files = tempfile::tempdir().unwrap();
        let mut config = Config::defaults().unwrap();
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.workers = 1;
        config.database = database.config().clone();
        // Days pass in some tests, and nobody is to fall asleep over them.
        config.sessions.idle_minutes = config.sessions.absolute_hours * 60;
        config.attachments.dir = files.path().join("attachments");
        change(&mut config);
        let clock = Clock::manual(START.parse().unwrap());
        let ids = Ids::seeded(clock.clone(), 1);
        let bridge = BridgeClient::from_config(&config.bridge, clock.clone(), ids.clone()).unwrap();
        let key = way::verifier(&config.bridge, clock.clone()).unwrap();
        let app = App::new(config, database.database().clone(), clock, ids, audit_key())
            .with_bridge(bridge)
            .with_bridge_key(key);
        let running = listen(&app).unwrap();
        let http = client::http();
        let leave_jobs = AtomicBool::new(false);
        let app = Self { app, http, running, leave_jobs, _database: database, _files: files };
        app.add_people().await;
        app
    }

    /// Everybody of [`PEOPLE`].
    async fn add_people(&self) {
        for (id, name, email, role) in PEOPLE {
            self.add(id, name, email, role).await;
        }
    }

    /// One more operator, signed in.
    pub(crate) async fn new_operator(&self, id: &str, role: Role) -> Client {
        self.add(id, "Vera Newman", &format!("{id}@support.example"), role).await;
        self.as_operator(id)
    }

    /// An operator with a session whose cookie is `session-of-<id>`.
    async fn add(&self, id: &str, name: &str, email: &str, role: Role) {
        let record = OperatorRecord {
            id: id.into(),
            email: email.into(),
            email_folded: email.into(),
            name: name.into(),
            role,
            password_hash: cheap_hash(),
            locale: None,
            active: id != "opr_gone",
            created_at: self.now().ms(),
            version: 1,
        };
        let insert = move |scope: &mut Scope<'_>| operators::insert(scope, record);
        self.app.store.write(&Actor::system(), insert).await.unwrap();
        self.add_session(id, &cookie_of(id), 14 * 24 * 3_600_000).await;
    }

    /// A session of this operator that ends after so many milliseconds.
    pub(crate) async fn add_session(&self, operator: &str, cookie: &str, lasts_ms: i64) {
        let Credential::Session { hash } = Credential::session(cookie) else { unreachable!() };
        let session = SessionRecord {
            token_hash: hash,
            operator_id: operator.into(),
            created_at: self.now().ms(),
            last_seen_at: self.now().ms(),
            expires_at: self.now().plus_ms(lasts_ms).ms(),
        };
        let insert = move |scope: &mut Scope<'_>| sessions::insert(scope, &session);
        self.app.store.write(&Actor::system(), insert).await.unwrap();
    }

    /// Where the service listens, such as `http://127.0.0.1:40123`.
    pub(crate) fn address(&self) -> &str {
        &self.running.address
    }

    fn client(&self) -> Client {
        Client::new(self.http.clone(), self.running.address.clone())
    }

    /// Nobody: neither cookie nor key.
    pub(crate) fn as_nobody(&self) -> Client {
        self.client()
    }

    /// Ann Koval (`opr_ann`), first line.
    pub(crate) fn as_line1(&self) -> Client {
        self.as_operator("opr_ann")
    }

    /// Lena Orlova (`opr_lena`), her colleague in the first line.
    pub(crate) fn as_other_line1(&self) -> Client {
        self.as_operator("opr_lena")
    }

    /// Boris Petrov (`opr_boris`), second line.
    pub(crate) fn as_line2(&self) -> Client {
        self.as_operator("opr_boris")
    }

    /// Clara Weiss (`opr_clara`), third line.
    pub(crate) fn as_line3(&self) -> Client {
        self.as_operator("opr_clara")
    }

    /// Sofia Marin (`opr_sofia`), supervisor.
    pub(crate) fn as_supervisor(&self) -> Client {
        self.as_operator("opr_sofia")
    }

    /// Adam Novak (`opr_adam`), administrator.
    pub(crate) fn as_admin(&self) -> Client {
        self.as_operator("opr_adam")
    }

    /// Anybody of [`PEOPLE`], in a browser that shows our pages.
    pub(crate) fn as_operator(&self, id: &str) -> Client {
        self.client().with_cookie(&cookie_of(id))
    }

    /// A program whose API key has these scopes and this role.
    pub(crate) async fn with_key(&self, scopes: &[KeyScope], role: Role) -> Client {
        let secret = format!("gk_{}", self.app.ids.token(32));
        let Credential::ApiKey { hash } = Credential::api_key(&secret) else { unreachable!() };
        let names: Vec<_> = scopes.iter().map(|scope| scope.as_str()).collect();
        let scopes = names.join(" ");
        let add = move |scope: &mut Scope<'_>| {
            let record = ApiKeyRecord {
                id: scope.new_id("key"),
                name: "Test program".into(),
                secret_hash: hash,
                role,
                scopes,
                created_by: "opr_adam".into(),
                created_at: scope.now.ms(),
                last_used_at: None,
                revoked_at: None,
            };
            api_keys::insert(scope, record)
        };
        self.app.store.write(&Actor::system(), add).await.unwrap();
        self.client().with_key(&secret)
    }

    /// The present instant of the service.
    pub(crate) fn now(&self) -> Timestamp {
        self.app.clock.now()
    }

    /// Moves the service's clock forward.
    pub(crate) fn advance_s(&self, seconds: i64) {
        self.app.clock.advance_ms(seconds * 1000);
    }

    /// Runs every job that is due; answers how many.
    pub(crate) async fn run_jobs(&self) -> usize {
        ticket_service::jobs::run_due(&self.app).await.unwrap()
    }

    /// This test is not about jobs: what it leaves to do is no failure.
    pub(crate) fn leave_jobs(&self) {
        self.leave_jobs.store(true, Ordering::Relaxed);
    }

    /// This test makes the service log an error with this problem code, or with this text in it.
    pub(crate) fn expect_error(&self, code_or_text: &str) {
        errors::expect(code_or_text);
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.stop();
        // The order to stop goes out at once; nobody has to wait for its end.
        drop(self.running.handle.stop(false));
        if thread::panicking() {
            return;
        }
        errors::check();
        if self.leave_jobs.load(Ordering::Relaxed) {
            return;
        }
        let app = self.app.clone();
        let due =
            thread::spawn(move || block_on(async { app.store.read(&Actor::system(), jobs::next_due).await }));
        let due = due.join().unwrap().unwrap();
        let now = self.app.clock.now().ms();
        assert!(
            due.is_none_or(|at| at > now),
            "the test ended with jobs to do: run them with `app.run_jobs().await`, or say `app.leave_jobs()`"
        );
    }
}

/// The value of the session cookie of one of [`PEOPLE`].
fn cookie_of(id: &str) -> String {
    format!("session-of-{id}")
}

/// A real hash of [`PASSWORD`] that takes no time.
fn cheap_hash() -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash =
        argon2.hash_password_with_salt(PASSWORD.as_bytes(), b"salt of the test").unwrap();
    hash.to_string()
}

/// The key of the audit log in the tests; the same on every node.
pub(crate) fn audit_key() -> audit_log::chain::AuditKey {
    audit_log::chain::AuditKey::from_seed(&[7; 32]).unwrap()
}
