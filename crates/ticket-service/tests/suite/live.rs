//! Live updates: who hears what, what a broken line misses, and who is said to be there.

use std::time::Duration;

use db_kit::{Backend, both_databases};
use reqwest::Method;
use serde_json::{Value, json};
use ticket_service::app::App;
use ticket_service::domain::Role;
use ticket_service::domain::actor::KeyScope;
use ticket_service::store::changes::Live;

use crate::support::{Client, TestApp};
use crate::tickets::{open, path};

/// One event as a browser would dispatch it; without a name it only carries an id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    id: String,
    data: Value,
}

/// An open stream of events.
pub(crate) struct Stream {
    response: reqwest::Response,
    text: String,
    /// The id of the last event that had one.
    mark: String,
}

impl Stream {
    /// Opens it and waits until it listens.
    async fn open(client: &Client) -> Self {
        let response = client.begin(Method::GET, "/events", vec![]).await;
        assert_eq!(response.status(), 200);
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
        let mut stream = Self { response, text: String::new(), mark: String::new() };
        stream.mark = stream.block().await.unwrap().strip_prefix("retry: ").map(|_| String::new()).unwrap();
        stream
    }

    pub(crate) async fn listening(client: &Client) -> Self {
        let mut stream = Self::open(client).await;
        assert_eq!(stream.next().await.name, "");
        stream
    }

    /// The next block of lines; none when the stream ends.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await;
            let chunk = chunk.expect("nothing was heard for ten seconds").unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event that is no heartbeat.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            let block = self.block().await.expect("the stream has ended");
            let field = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(&format!("{name}: ")))
                    .unwrap_or_default()
                    .to_owned()
            };
            if !field("id").is_empty() {
                self.mark = field("id");
            }
            if !block.starts_with(':') {
                let data = serde_json::from_str(&field("data")).unwrap_or_default();
                return Event { name: field("event"), id: field("id"), data };
            }
        }
    }

    async fn ticket(&mut self) -> (i64, String) {
        let event = self.next().await;
        assert_eq!(event.name, "ticket", "{event:?}");
        (event.data["number"].as_i64().unwrap(), event.data["kind"].as_str().unwrap().to_owned())
    }

    /// The names of those who have the ticket open, with what they do.
    async fn presence(&mut self) -> (i64, Vec<String>) {
        let event = self.next().await;
        assert_eq!(event.name, "presence", "{event:?}");
        let people = event.data["people"].as_array().unwrap();
        let shown = |person: &Value| {
            format!("{} {}", person["name"].as_str().unwrap(), person["state"].as_str().unwrap())
        };
        (event.data["number"].as_i64().unwrap(), people.iter().map(shown).collect())
    }

    async fn has_ended(&mut self) -> bool {
        while let Some(block) = self.block().await {
            assert!(block.starts_with(':'), "{block}");
        }
        true
    }
}

async fn hand_over(client: &Client, ticket: &Value, line: i32) {
    let words = json!({ "line": line, "reason": "The plate says 05." });
    client.clone().if_match(&ticket["version"]).post(&path(ticket, "/hand-over"), words).await.expect(200);
}

async fn be(client: &Client, ticket: &Value, state: &str) {
    client.put(&path(ticket, "/presence"), json!({ "state": state })).await.expect(204);
}

async fn quick_heartbeat(backend: Backend) -> TestApp {
    TestApp::start(backend, |config| config.live.heartbeat_ms = 50).await
}

both_databases! {
    async fn a_line_hears_of_its_own_tickets_and_of_no_others(app: TestApp) {
        app.leave_jobs();
        let (mut ann, mut boris) = (Stream::listening(&app.as_line1()).await, Stream::listening(&app.as_line2()).await);
        let mut sofia = Stream::listening(&app.as_supervisor()).await;
        open(&app.as_line1(), "Of line 1").await;
        open(&app.as_line2(), "Of line 2").await;
        assert_eq!(ann.ticket().await, (10_001, "opened".into()));
        assert_eq!(boris.ticket().await, (10_002, "opened".into()), "nothing of the ticket of line 1");
        assert_eq!(sofia.ticket().await, (10_001, "opened".into()));
        assert_eq!(sofia.ticket().await, (10_002, "opened".into()));
    }

    async fn a_hand_over_is_heard_by_both_lines_and_what_follows_by_one(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let (mut ann, mut boris) = (Stream::listening(&app.as_line1()).await, Stream::listening(&app.as_line2()).await);
        hand_over(&app.as_line1(), &ticket, 2).await;
        assert_eq!(ann.ticket().await, (10_001, "handed_over".into()));
        assert_eq!(boris.ticket().await, (10_001, "handed_over".into()));
        app.as_line2().post(&path(&ticket, "/messages"), json!({ "kind": "note", "text": "Mine." })).await.expect(201);
        open(&app.as_line1(), "Another").await;
        assert_eq!(boris.ticket().await, (10_001, "noted".into()));
        assert_eq!(ann.ticket().await, (10_002, "opened".into()), "nothing of the note on line 2");
    }

    async fn a_line_that_broke_goes_on_where_it_ended(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1();
        let mut stream = Stream::listening(&ann).await;
        open(&ann, "One").await;
        assert_eq!(stream.ticket().await, (10_001, "opened".into()));
        let mark = stream.mark.clone();
        drop(stream);
        open(&ann, "Two").await;
        open(&app.as_line2(), "Of line 2").await;
        open(&ann, "Four").await;
        let mut again = Stream::open(&ann.clone().with("Last-Event-ID", &mark)).await;
        assert_eq!(again.ticket().await, (10_002, "opened".into()));
        assert_eq!(again.ticket().await, (10_004, "opened".into()));
        assert_eq!(again.next().await.name, "");
    }

    async fn whoever_missed_too_much_is_told_to_reload(app: TestApp) {
        app.leave_jobs();
        let ann = app.as_line1();
        for mark in ["nonsense", "another-run-7", "%F0%9F%90%B1"] {
            let mut stream = Stream::open(&ann.clone().with("Last-Event-ID", mark)).await;
            let event = stream.next().await;
            assert_eq!((event.name.as_str(), &event.data), ("reload", &json!({})), "{mark}");
            assert!(!event.id.is_empty(), "there is a mark to come back with");
        }
    }

    async fn the_stream_ends_when_its_listener_signs_out(backend: Backend) {
        let app = quick_heartbeat(backend).await;
        let mut stream = Stream::listening(&app.as_line1()).await;
        app.as_line1().delete("/session").await.expect(204);
        assert!(stream.has_ended().await);
        app.as_line1().get("/events").await.problem(401, "not_signed_in");
    }

    async fn the_stream_ends_when_the_role_of_its_listener_changes(backend: Backend) {
        let app = quick_heartbeat(backend).await;
        let mut stream = Stream::listening(&app.as_line1()).await;
        app.as_admin().if_match(1).patch("/operators/opr_ann", json!({ "role": "line3" })).await.expect(200);
        assert!(stream.has_ended().await);
    }

    async fn a_page_that_is_merely_open_does_not_keep_anybody_signed_in(backend: Backend) {
        let app = TestApp::start(backend, |config| {
            config.live.heartbeat_ms = 50;
            config.sessions.idle_minutes = 12 * 60;
        })
        .await;
        let mut stream = Stream::listening(&app.as_line1()).await;
        for _ in 0..12 {
            app.advance_s(3600);
            stream.block().await;
        }
        assert!(stream.has_ended().await);
        app.as_line1().get("/session").await.problem(401, "not_signed_in");
    }

    async fn nodes_hear_of_each_others_changes(app: TestApp) {
        app.leave_jobs();
        let database = db_kit::Database::open(&app.app.config.database).await.unwrap();
        if database.backend() == Backend::Sqlite {
            // One process has the file; there is nobody else to hear.
            return app.app.store.follow_other_nodes().unwrap();
        }
        let (clock, ids) = (app.app.clock.clone(), app.app.ids.clone());
        let other = App::new((*app.app.config).clone(), database, clock, ids, crate::support::audit_key());
        other.store.follow_other_nodes().unwrap();
        let mut heard = other.store.changes().subscribe(None).live;
        // The other node may begin to listen a moment later.
        let change = loop {
            open(&app.as_line1(), "Coupling stuck").await;
            match tokio::time::timeout(Duration::from_millis(200), heard.recv()).await {
                Ok(Ok(Live::Change(_, change))) => break change,
                Ok(other) => panic!("{other:?}"),
                Err(_) => {}
            }
        };
        assert_eq!((change.kind, change.after.line.number()), ("opened", 1));
        other.store.database().close().await;
    }

    async fn the_stream_ends_when_the_service_stops(app: TestApp) {
        let mut stream = Stream::listening(&app.as_line1()).await;
        app.app.stop();
        assert!(stream.has_ended().await);
    }

    async fn nobody_listens_in_too_many_places(backend: Backend) {
        let app = TestApp::start(backend, |config| config.live.streams_per_caller_max = 2).await;
        let ann = app.as_line1();
        let (_first, second) = (Stream::listening(&ann).await, Stream::listening(&ann).await);
        let refused = ann.get("/events").await;
        refused.problem(429, "too_many_attempts");
        assert_eq!(refused.header("retry-after"), "15");
        let _other = Stream::listening(&app.as_other_line1()).await;
        drop(second);
    }

    async fn a_program_that_may_not_read_hears_nothing(app: TestApp) {
        let writer = app.with_key(&[KeyScope::TicketsWrite], Role::Line1).await;
        writer.get("/events").await.problem(403, "forbidden");
        app.as_nobody().get("/events").await.problem(401, "not_signed_in");
        let _reader = Stream::listening(&app.with_key(&[KeyScope::TicketsRead], Role::Line1).await).await;
    }

    async fn colleagues_hear_who_reads_and_who_answers(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let (mut lena, mut boris) = (Stream::listening(&app.as_other_line1()).await, Stream::listening(&app.as_line2()).await);
        be(&app.as_line1(), &ticket, "reading").await;
        assert_eq!(lena.presence().await, (10_001, vec!["Ann Koval reading".to_owned()]));
        be(&app.as_line1(), &ticket, "answering").await;
        assert_eq!(lena.presence().await, (10_001, vec!["Ann Koval answering".to_owned()]));
        let mut sofia = Stream::listening(&app.as_supervisor()).await;
        assert_eq!(sofia.presence().await.1, ["Ann Koval answering"], "who comes later is told as well");
        be(&app.as_line1(), &ticket, "away").await;
        assert_eq!(lena.presence().await, (10_001, vec![]));
        open(&app.as_line2(), "Of line 2").await;
        assert_eq!(boris.ticket().await, (10_002, "opened".into()), "line 2 heard nothing of it");
    }

    async fn a_ticket_that_does_not_exist_for_somebody_can_not_be_read_by_them(app: TestApp) {
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let presence = path(&ticket, "/presence");
        app.as_line2().put(&presence, json!({ "state": "reading" })).await.problem(404, "ticket_not_found");
        app.as_line1().put(&presence, json!({ "state": "asleep" })).await.problem(422, "invalid");
        let program = app.with_key(&[KeyScope::TicketsRead], Role::Line1).await;
        program.put(&presence, json!({ "state": "reading" })).await.problem(403, "forbidden");
    }

    async fn whoever_falls_silent_has_gone_after_half_a_minute(backend: Backend) {
        let app = quick_heartbeat(backend).await;
        app.leave_jobs();
        let ticket = open(&app.as_line1(), "Coupling stuck").await;
        let mut lena = Stream::listening(&app.as_other_line1()).await;
        be(&app.as_line1(), &ticket, "answering").await;
        assert_eq!(lena.presence().await.1, ["Ann Koval answering"]);
        app.advance_s(31);
        assert_eq!(lena.presence().await, (10_001, vec![]));
    }
}
