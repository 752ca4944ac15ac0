//! The sweep: every operation of the interface is called by everybody who may not, and once by somebody who may.
//!
//! An operation that is not in [`TABLE`] fails the test, and so does an entry without an operation. What is asked here is
//! who is let in; what the operations do is asked elsewhere.

use std::collections::BTreeSet;

use db_kit::both_databases;
use reqwest::Method;
use serde_json::{Value, json};
use ticket_service::domain::Role;
use ticket_service::domain::actor::KeyScope::{self, CardsRead, TicketsRead, TicketsWrite};

use crate::support::bridge::WithBridge;
use crate::support::{Answer, Client, PASSWORD, TestApp};

const ILYA: &str = "cus_0193aabb01";
const IRINA: &str = "cus_0193aabb02";
/// Operators with ids as the service makes them, for the grants that the bridge checks.
const LINE_2: &str = "opr_b0b00000000000000000000000000002";
const LINE_3: &str = "opr_c1a0a000000000000000000000000003";
const SUPERVISOR: &str = "opr_50f1a000000000000000000000000004";
const NOTICE: &str = "ntc_00000000000000000000000000000001";
const ORDER: &str = "ord_0193aabb01";
/// A ticket that does not exist.
const NO_TICKET: i64 = 99_999;

/// Who may call an operation, and how it is called rightly.
struct Entry {
    operation: &'static str,
    /// Nobody has to sign in.
    public: bool,
    /// Only administrators.
    admin: bool,
    /// Only supervisors who signed in.
    supervisor: bool,
    /// Only supervisors and administrators.
    overseer: bool,
    /// Only people, no keys.
    person: bool,
    /// Only the bridge, with a token that it signed.
    bridge: bool,
    /// What a key needs.
    scope: Option<KeyScope>,
    query: &'static str,
    body: Payload,
    /// Fills the `{id}` of the path.
    id: fn(&World) -> String,
    /// The version of what is changed.
    version: fn(&World) -> i64,
}

#[derive(Clone, Copy)]
enum Payload {
    Nothing,
    Json(fn(&World) -> Value),
    Raw(&'static [u8]),
}

/// What an operation is called on; made anew for each.
#[derive(Clone)]
struct World {
    operator: String,
    ticket: i64,
    version: i64,
    attachment: String,
    key: String,
    queue: String,
}

const fn operation(operation: &'static str) -> Entry {
    Entry {
        operation,
        public: false,
        admin: false,
        supervisor: false,
        overseer: false,
        person: false,
        bridge: false,
        scope: None,
        query: "",
        body: Payload::Nothing,
        id: |_| String::new(),
        version: |world| world.version,
    }
}

impl Entry {
    const fn public(mut self) -> Self {
        self.public = true;
        self
    }

    const fn person(mut self) -> Self {
        self.person = true;
        self
    }

    const fn supervisor(mut self) -> Self {
        self.supervisor = true;
        self.person()
    }

    const fn bridge(mut self) -> Self {
        self.bridge = true;
        self
    }

    const fn admin(mut self) -> Self {
        self.admin = true;
        self.scope(KeyScope::Admin)
    }

    const fn overseer(mut self) -> Self {
        self.overseer = true;
        self.scope(KeyScope::Admin)
    }

    const fn scope(mut self, scope: KeyScope) -> Self {
        self.scope = Some(scope);
        self
    }

    const fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    const fn json(mut self, body: fn(&World) -> Value) -> Self {
        self.body = Payload::Json(body);
        self
    }

    const fn raw(mut self, body: &'static [u8]) -> Self {
        self.body = Payload::Raw(body);
        self
    }

    const fn id(mut self, id: fn(&World) -> String) -> Self {
        self.id = id;
        self
    }

    const fn version(mut self, version: fn(&World) -> i64) -> Self {
        self.version = version;
        self
    }
}

const TABLE: &[Entry] = &[
    // The own session.
    operation("startSession").public().json(|world| json!({"email": mail_of(&world.operator), "password": PASSWORD})),
    operation("showSession").person(),
    operation("changeSession").person().json(|_| json!({"locale": "en"})),
    operation("changePassword").person().json(|_| json!({"current": PASSWORD, "new": "a horse and a battery"})),
    operation("endSession").person(),
    // The bridge.
    operation("openTicketOfOrder").bridge().json(|_| {
        json!({"version": 1, "order": ORDER, "customer_ref": ILYA, "subject": "S", "text": "T"})
    }),
    // People and programs.
    operation("listOperators").scope(TicketsRead),
    operation("createOperator").admin().json(|world| {
        json!({"email": format!("new-{}@x.example", world.ticket), "name": "New", "role": "line1", "password": "a horse and a battery"})
    }),
    operation("changeOperator")
        .admin()
        .id(|world| world.operator.clone())
        .version(|_| 1)
        .json(|_| json!({"name": "Other"})),
    operation("listApiKeys").admin(),
    operation("createApiKey").admin().person().json(|_| json!({"name": "K", "role": "line1", "scopes": ["tickets:read"]})),
    operation("revokeApiKey").admin().id(|world| world.key.clone()),
    operation("listAuditEntries").overseer().query("?action=session.started&limit=3"),
    operation("showAuditState").overseer(),
    // Queues and tags.
    operation("listQueues").scope(TicketsRead),
    operation("addQueue").admin().json(|world| json!({"name": format!("Queue {}", world.ticket)})),
    operation("changeQueue").admin().id(|world| world.queue.clone()).json(|_| json!({"position": 0})),
    operation("listTags").scope(TicketsRead),
    // Tickets.
    operation("listTickets").scope(TicketsRead),
    operation("openTicket").scope(TicketsWrite).json(|_| new_ticket("new@volga.example")),
    operation("showTicket").scope(TicketsRead),
    operation("changeTicket").scope(TicketsWrite).json(|_| json!({"status": "open"})),
    operation("handOverTicket")
        .scope(TicketsWrite)
        .json(|_| json!({"line": 2, "reason": "Needs a look at the machine", "tried": "Restarted it"})),
    operation("listTicketHistory").scope(TicketsRead),
    operation("markTicketRead").scope(TicketsRead),
    operation("searchTickets").scope(TicketsRead).query("?q=coupling"),
    operation("countOpenTickets").scope(TicketsRead),
    // Messages and files.
    operation("listMessages").scope(TicketsRead),
    operation("postMessage").scope(TicketsWrite).json(|_| json!({"kind": "note", "text": "Looks like the coupling."})),
    operation("uploadAttachment").scope(TicketsWrite).query("?name=log.txt").raw(b"nothing to see"),
    operation("downloadAttachment").scope(TicketsRead).id(|world| world.attachment.clone()),
    // The window.
    operation("showCard").scope(CardsRead),
    operation("revealField").scope(CardsRead).json(|_| json!({"key": "person.phone"})),
    operation("breakGlass")
        .person()
        .json(|_| json!({"ground": "incident", "reason": "Half of Samara is without a line."})),
    operation("chooseCustomer").scope(TicketsWrite).json(|_| json!({"customer_ref": IRINA})),
    operation("unlinkCustomer").scope(TicketsWrite),
    operation("lookUpCustomer").scope(TicketsWrite).json(|_| json!({"email": "both@volga.example"})),
    // Oversight.
    operation("listLooks").supervisor(),
    operation("listBudgets").supervisor(),
    operation("listAnomalies").supervisor(),
    operation("listNotices").supervisor(),
    operation("acknowledgeNotice").supervisor().id(|_| NOTICE.into()),
    // Live.
    operation("listenToEvents").scope(TicketsRead),
    operation("setPresence").scope(TicketsRead).person().json(|_| json!({"state": "reading"})),
    // For anybody.
    operation("sendPublicRequest").public().json(|_| {
        json!({"name": "N", "email": "n@x.example", "subject": "S", "text": "T", "opened_at": "2026-11-20T09:00:00Z"})
    }),
    operation("healthLive").public(),
    operation("healthReady").public(),
];

fn mail_of(operator: &str) -> String {
    format!("{operator}@support.example")
}

fn new_ticket(email: &str) -> Value {
    json!({"subject": "Coupling stuck", "text": "The line stops.", "requester": {"name": "Ilya Sorin", "email": email}})
}

/// One operation of the document, with its entry.
struct Operation<'a> {
    entry: &'a Entry,
    method: Method,
    path: &'a str,
    described: &'a Value,
}

impl Operation<'_> {
    /// Depends on which tickets the caller may see.
    fn is_on_ticket(&self) -> bool {
        self.path.contains("{number}") || self.entry.operation == "downloadAttachment"
    }

    async fn call(&self, client: &Client, world: &World) -> Answer {
        let path =
            self.path.replace("{number}", &world.ticket.to_string()).replace("{id}", &(self.entry.id)(world));
        let path = format!("/{path}{}", self.entry.query);
        let client = client.with("If-Match", &format!("\"{}\"", (self.entry.version)(world)));
        let response = match self.entry.body {
            Payload::Nothing => client.begin(self.method.clone(), &path, Vec::new()).await,
            Payload::Json(body) => {
                let client = client.with("Content-Type", "application/json");
                client.begin(self.method.clone(), &path, body(world).to_string().into_bytes()).await
            }
            Payload::Raw(bytes) => {
                let client = client.with("Content-Type", "application/octet-stream");
                client.begin(self.method.clone(), &path, bytes.to_vec()).await
            }
        };
        // Live updates never end, so an answer is read only if it is a problem.
        if response.status().is_success() { Answer::head(&response) } else { Answer::read(response).await }
    }

    async fn refuses(&self, who: &str, client: &Client, world: &World, status: u16, code: &str) {
        let answer = self.call(client, world).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{} by {who}",
            self.entry.operation
        );
        answer.problem(status, code);
    }
}

/// Callers that are nobody, and must be told so alike.
async fn bogus(app: &TestApp) -> Vec<(&'static str, Client)> {
    app.add_session("opr_ann", "a-session-that-ended", 0).await;
    let key = app
        .as_admin()
        .post("/api-keys", json!({"name": "R", "role": "admin", "scopes": ["admin", "tickets:read"]}))
        .await;
    let key = key.expect(201);
    app.as_admin().delete(&format!("/api-keys/{}", key["key"]["id"].as_str().unwrap())).await.expect(204);
    let nobody = app.as_nobody();
    vec![
        ("nobody", nobody.clone()),
        ("a made-up cookie", nobody.with_cookie("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("an empty cookie", nobody.with_cookie("")),
        ("an ended session", nobody.with_cookie("a-session-that-ended")),
        ("somebody deactivated", app.as_operator("opr_gone")),
        ("a made-up key", nobody.with_key("gk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("a revoked key", nobody.with_key(key["secret"].as_str().unwrap())),
        ("a token of another kind", nobody.with_key("eyJhbGciOiJub25lIn0.e30.")),
        ("a name and a password", nobody.with("Authorization", "Basic YWRhbTpub3Zhaw==")),
    ]
}

/// A ticket of the first line with a file and a customer, and an operator whom it belongs to.
async fn new_world(with: &WithBridge, number: usize, operation: &str) -> (World, Client) {
    let app = &with.app;
    let operator = format!("opr_{number:032x}");
    let rightful = app.new_operator(&operator, Role::Line1).await;
    let several = matches!(operation, "chooseCustomer");
    let email = if several { "both@volga.example" } else { "ilya@volga.example" };
    let opened = rightful.post("/tickets", new_ticket(email)).await.expect(201);
    let ticket = opened["number"].as_i64().unwrap();
    app.run_jobs().await;
    let raw = rightful.with("Content-Type", "application/octet-stream");
    let file = raw.send(Method::POST, "/attachments?name=log.txt", b"log".to_vec()).await.expect(201);
    let message = json!({"kind": "note", "text": "The log", "attachment_ids": [file["id"]]});
    rightful.post(&format!("/tickets/{ticket}/messages"), message).await.expect(201);
    let key =
        app.as_admin().post("/api-keys", json!({"name": "K", "role": "line1", "scopes": ["admin"]})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let world = World {
        operator,
        ticket,
        version: app.as_admin().get(&format!("/tickets/{ticket}")).await.expect(200)["version"]
            .as_i64()
            .unwrap(),
        attachment: text(&file["id"]),
        key: text(&key.expect(201)["key"]["id"]),
        queue: text(&opened["queue"]["id"]),
    };
    (world, rightful)
}

async fn sweep_one(with: &WithBridge, operation: &Operation<'_>, number: usize, bogus: &[(&str, Client)]) {
    let (app, entry) = (&with.app, operation.entry);
    let (world, rightful) = new_world(with, number, entry.operation).await;
    if !entry.public {
        for (who, client) in bogus {
            operation.refuses(who, client, &world, 401, "not_signed_in").await;
        }
        // Who is not let in learns nothing about the request either.
        let rubbish = app.as_nobody().with("Content-Type", "application/json");
        let path = format!("/{}", operation.path.replace("{number}", "10001").replace("{id}", "x"));
        rubbish
            .send(operation.method.clone(), &path, b"rubbish".to_vec())
            .await
            .problem(401, "not_signed_in");
    }
    if entry.bridge {
        return only_the_bridge(with, operation, &world).await;
    }
    if !entry.public && !operation.method.is_safe() {
        let elsewhere = rightful.with("Sec-Fetch-Site", "cross-site");
        operation.refuses("a page of another site", &elsewhere, &world, 403, "cross_site").await;
        let silent = rightful.without("Sec-Fetch-Site");
        operation.refuses("a browser that does not say from where", &silent, &world, 403, "cross_site").await;
    }
    if entry.admin {
        let others = [
            ("line 1", app.as_line1()),
            ("line 2", app.as_line2()),
            ("line 3", app.as_line3()),
            ("supervisor", app.as_supervisor()),
        ];
        for (who, client) in others {
            operation.refuses(who, &client, &world, 403, "forbidden").await;
        }
        let key = app.with_key(KeyScope::ALL, Role::Supervisor).await;
        operation.refuses("a supervisor's key", &key, &world, 403, "forbidden").await;
    }
    if entry.supervisor {
        let others = [
            ("line 1", app.as_line1()),
            ("line 2", app.as_line2()),
            ("line 3", app.as_line3()),
            ("an administrator", app.as_admin()),
            ("a supervisor's key", app.with_key(KeyScope::ALL, Role::Supervisor).await),
        ];
        for (who, client) in others {
            operation.refuses(who, &client, &world, 403, "forbidden").await;
        }
    }
    if entry.overseer {
        for (who, client) in
            [("line 1", app.as_line1()), ("line 2", app.as_line2()), ("line 3", app.as_line3())]
        {
            operation.refuses(who, &client, &world, 403, "forbidden").await;
        }
        let key = app.with_key(KeyScope::ALL, Role::Line3).await;
        operation.refuses("a key of line 3", &key, &world, 403, "forbidden").await;
    }
    if let Some(scope) = entry.scope {
        let others: Vec<_> = KeyScope::ALL.iter().copied().filter(|other| *other != scope).collect();
        let role = if entry.operation == "listOperators" { Role::Line1 } else { Role::Admin };
        // An administrator's key sees the operators by its scope `admin`, too.
        let key = app.with_key(&others, role).await;
        operation.refuses("a key without the scope", &key, &world, 403, "forbidden").await;
    }
    if entry.person {
        let key = app.with_key(KeyScope::ALL, Role::Admin).await;
        operation.refuses("a key", &key, &world, 403, "forbidden").await;
    }
    if operation.is_on_ticket() {
        foreign_line(with, operation, &world).await;
        let now = app.as_admin().get(&format!("/tickets/{}", world.ticket)).await.expect(200);
        assert_eq!(now["version"], world.version, "{} changed something for somebody else", entry.operation);
    }
    let rightful = if entry.admin { app.as_admin() } else { rightful };
    let rightful = if entry.supervisor { app.as_operator(SUPERVISOR) } else { rightful };
    let rightful = if entry.overseer { app.as_supervisor() } else { rightful };
    let rightful = if entry.public { app.as_nobody() } else { rightful };
    let answer = operation.call(&rightful, &world).await;
    assert!(
        (200..300).contains(&answer.status),
        "{} by the rightful caller: {}",
        entry.operation,
        answer.text()
    );
    let described = &operation.described["responses"][answer.status.to_string()];
    assert!(described.is_object(), "{} answers {}, which is not described", entry.operation, answer.status);
}

/// Nobody of support may, whoever they are; the bridge may.
async fn only_the_bridge(with: &WithBridge, operation: &Operation<'_>, world: &World) {
    let app = &with.app;
    let everybody = [
        ("line 1", app.as_line1()),
        ("supervisor", app.as_supervisor()),
        ("administrator", app.as_admin()),
        ("an administrator's key", app.with_key(KeyScope::ALL, Role::Admin).await),
    ];
    for (who, client) in everybody {
        operation.refuses(who, &client, world, 401, "not_signed_in").await;
    }
    let token = with.order_token(ORDER, ILYA);
    let answer = operation.call(&app.as_nobody().with_key(&token), world).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

/// To somebody of another line the ticket does not exist: the answer is the one for a number that nobody has.
async fn foreign_line(with: &WithBridge, operation: &Operation<'_>, world: &World) {
    let app = &with.app;
    let missing = World { ticket: NO_TICKET, attachment: "att_none".into(), ..world.clone() };
    let mut callers = vec![("line 2", app.as_operator(LINE_2)), ("line 3", app.as_operator(LINE_3))];
    if !operation.entry.person {
        callers.push(("a key of line 2", app.with_key(KeyScope::ALL, Role::Line2).await));
    }
    for (who, client) in callers {
        let code = if operation.path.contains("{number}") { "ticket_not_found" } else { "not_found" };
        operation.refuses(who, &client, world, 404, code).await;
        let seen = operation.call(&client, world).await.text().replace(&world.ticket.to_string(), "N");
        let none = operation.call(&client, &missing).await.text().replace(&NO_TICKET.to_string(), "N");
        let without_id = |text: String| text.split("\"request_id\"").next().unwrap().to_owned();
        assert_eq!(
            without_id(seen),
            without_id(none),
            "{} by {who} tells what it should not",
            operation.entry.operation
        );
    }
}

both_databases! {
    async fn every_operation_lets_in_whom_it_should_and_nobody_else(with: WithBridge) {
        with.bridge.knows("ilya@volga.example", &[ILYA]);
        with.bridge.knows("both@volga.example", &[ILYA, IRINA]);
        with.bridge.shows(ILYA, "Ilya");
        with.bridge.shows(IRINA, "Irina");
        let document = with.app.as_nobody().get("//api/openapi.json").await.expect(200);
        let mut operations = Vec::new();
        let mut missing = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, described) in item.as_object().unwrap() {
                let id = described["operationId"].as_str().unwrap();
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                match TABLE.iter().find(|entry| entry.operation == id) {
                    Some(entry) => operations.push(Operation { entry, method, path, described }),
                    None => missing.push(id),
                }
            }
        }
        assert!(missing.is_empty(), "add these operations to the table in sweep.rs: {missing:?}");
        let known: BTreeSet<_> = operations.iter().map(|operation| operation.entry.operation).collect();
        let gone: Vec<_> = TABLE.iter().map(|entry| entry.operation).filter(|id| !known.contains(id)).collect();
        assert!(gone.is_empty() && known.len() == operations.len(), "no such operation, or twice: {gone:?}");
        with.app.new_operator(LINE_2, Role::Line2).await;
        with.app.new_operator(LINE_3, Role::Line3).await;
        with.app.new_operator(SUPERVISOR, Role::Supervisor).await;
        let notice = json!({ "id": NOTICE, "at": "2026-11-21T09:00:00Z", "about": "hour_soft", "since": "2026-11-21T09:00:00Z",
            "counted": 3, "threshold": 2 });
        with.bridge.oversees("acknowledge", 200, json!({ "kind": "acknowledged", "notice": notice }));
        let bogus = bogus(&with.app).await;
        for (number, operation) in operations.iter().enumerate() {
            let is_public = operation.described["security"] == json!([{}]);
            assert_eq!(is_public, operation.entry.public, "{}", operation.entry.operation);
            for needed in ["summary", "tags", "responses"] {
                assert!(!operation.described[needed].is_null(), "{} has no {needed}", operation.entry.operation);
            }
            sweep_one(&with, operation, number, &bogus).await;
        }
        with.app.leave_jobs();
    }
}
