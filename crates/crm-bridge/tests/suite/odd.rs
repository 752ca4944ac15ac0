//! A CRM whose records misbehave one by one, and that can be away as a whole.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bridge_contract::ViewerRole;
use crm_bridge::app::sync::{Done, SyncError, run_due};
use crm_bridge::store::sync::{Feed, SyncStore};
use serde_json::{Value, json};
use service_kit::Timestamp;
use tempfile::TempDir;

use crate::support::{Town, field, json_answer, status_answer};
use crate::wire::Wire;

/// What the CRM has, and what is wrong with it.
#[derive(Default)]
pub(crate) struct State {
    /// By id.
    pub(crate) people: BTreeMap<String, Value>,
    /// What a question for one record is answered with instead.
    pub(crate) broken: BTreeMap<String, Vec<u8>>,
    /// What everything is answered with instead.
    pub(crate) away: Option<Vec<u8>>,
    /// Of whom lists know nothing.
    pub(crate) unlisted: BTreeSet<String>,
    /// Of one question for changes no more records are shown.
    pub(crate) cap: Option<usize>,
    /// How many there are, as lists say it, if that is not how many there are.
    pub(crate) total: Option<usize>,
}

/// A bridge beside such a CRM.
pub(crate) struct Odd {
    pub(crate) state: Rc<RefCell<State>>,
    pub(crate) town: Town,
    /// Tickets that were written so far.
    tickets: Cell<u64>,
    _folder: TempDir,
}

pub(crate) const EARLIER: &str = "2026-11-01T09:00:00Z";

pub(crate) fn html() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: 4\r\n\r\n<p/>"
        .to_vec()
}

pub(crate) fn status(code: u16) -> Vec<u8> {
    status_answer(&format!("{code} X"), "")
}

fn parameter(request: &str, name: &str) -> Option<String> {
    let target = request.lines().next()?.split(' ').nth(1)?;
    let url = url::Url::parse(&format!("http://x{target}")).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

impl State {
    fn answer(&self, request: &str) -> Vec<u8> {
        if let Some(away) = &self.away {
            return away.clone();
        }
        let path = request.split(['?', ' ']).nth(1).unwrap_or_default();
        if let Some(firm) = path.strip_prefix("/firms/") {
            return json_answer(&json!({ "id": firm, "name": "Volga" }));
        }
        let Some(id) = path.strip_prefix("/api/v1/contacts") else { return status(404) };
        let id = id.trim_start_matches('/');
        if id == "gone" {
            return json_answer(&json!({ "items": [] }));
        }
        if !id.is_empty() {
            let broken = self.broken.get(id).cloned();
            let there = || self.people.get(id).map_or_else(|| status(404), json_answer);
            return broken.unwrap_or_else(there);
        }
        let mut found: Vec<&Value> = self
            .people
            .iter()
            .filter(|(id, _)| !self.unlisted.contains(*id))
            .map(|(_, person)| person)
            .collect();
        let from = parameter(request, "cursor").and_then(|from| from.parse().ok()).unwrap_or(0_usize);
        if let Some(since) = parameter(request, "updated_since") {
            if self.cap.is_some_and(|cap| from >= cap) {
                return status(400);
            }
            let since: Timestamp = since.parse().unwrap();
            let changed =
                |person: &Value| person["updated_at"].as_str().unwrap().parse::<Timestamp>().unwrap();
            found.retain(|person| changed(person) >= since);
            found.sort_by_key(|person| changed(person));
        }
        for name in ["email", "phone"] {
            if let Some(wanted) = parameter(request, name) {
                found.retain(|person| person[name] == wanted.as_str());
            }
        }
        let size = parameter(request, "limit").and_then(|size| size.parse().ok()).unwrap_or(200);
        let next = (from + size < found.len()).then(|| (from + size).to_string());
        let items: Vec<&Value> = found.iter().skip(from).take(size).copied().collect();
        json_answer(
            &json!({ "items": items, "next_cursor": next, "total": self.total.unwrap_or(found.len()) }),
        )
    }
}

impl Odd {
    /// A bridge beside a CRM with so many people, `p1` to `pN`.
    pub(crate) async fn new(people: u32, copy: bool, settings: &[(&str, &str)]) -> Self {
        Self::with(people, copy, settings, |profile| profile).await
    }

    /// The same with another profile.
    pub(crate) async fn with(
        people: u32,
        copy: bool,
        settings: &[(&str, &str)],
        change: impl Fn(String) -> String,
    ) -> Self {
        let state = Rc::new(RefCell::new(State::default()));
        for number in 1..=people {
            let person = json!({
                "id": format!("p{number}"), "email": format!("p{number}@x.example"),
                "full_name": format!("Person {number}"), "updated_at": EARLIER,
            });
            state.borrow_mut().people.insert(format!("p{number}"), person);
        }
        let hands = Rc::clone(&state);
        let crm = Wire::answering(move |request| hands.borrow().answer(request)).await;
        let folder = tempfile::tempdir().unwrap();
        let profile = crate::wire::profile(&folder, change);
        let policy = folder.path().join("policy.toml");
        let text = include_str!("../../../../config/field-policy.toml");
        let reason = "copy = \"customers phone in and the CRM is away at night\"\n\n[person.name]";
        std::fs::write(&policy, if copy { text.replacen("[person.name]", reason, 1) } else { text.into() })
            .unwrap();
        let policy = policy.display().to_string();
        let mut all = vec![
            ("CRM__PROFILE", profile.as_str()),
            ("POLICY__FILE", policy.as_str()),
            ("LIMITS__RETRY_PAUSE_MS", "1"),
        ];
        all.extend(settings);
        let town = Town::on_sqlite(&crm.url, &all).await;
        Self { state, town, tickets: Cell::new(0), _folder: folder }
    }

    /// Somebody writes: the ticket and the customer.
    pub(crate) async fn writes(&self, id: &str) -> (u64, String) {
        let ticket = self.tickets.get() + 1;
        self.tickets.set(ticket);
        (ticket, self.town.matched(ticket, &format!("{id}@x.example")).await)
    }

    /// A record gets another name now, or as if then.
    pub(crate) fn rename(&self, id: &str, name: &str, at: Option<&str>) {
        let at = at.map_or_else(|| self.town.clock.now().to_string(), str::to_owned);
        let mut state = self.state.borrow_mut();
        let person = state.people.get_mut(id).unwrap();
        person["full_name"] = json!(name);
        person["updated_at"] = json!(at);
    }

    pub(crate) fn store(&self) -> SyncStore {
        self.town.bridge.sync.as_ref().unwrap().store.clone()
    }

    pub(crate) async fn feed(&self, name: &str) -> Feed {
        self.store().feed(name).await.unwrap().unwrap()
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.town.clock.advance_ms(seconds * 1_000);
    }

    /// Follows so many seconds later.
    pub(crate) async fn run_after(&self, seconds: i64) -> Result<Done, SyncError> {
        self.pass(seconds);
        run_due(&self.town.bridge).await
    }

    pub(crate) async fn card(&self, (ticket, customer_ref): &(u64, String)) -> (u16, Value) {
        self.town.card(*ticket, customer_ref, ViewerRole::Line3).await
    }

    pub(crate) async fn name_on_card(&self, customer: &(u64, String)) -> Value {
        let (status, card) = self.card(customer).await;
        assert_eq!(status, 200, "{card}");
        field(&card, "person.name")["value"].clone()
    }
}
