//! What a CRM, or somebody who writes to support, could make the bridge ask, find, send or say.

use std::io;
use std::sync::{Arc, Mutex};

use bridge_contract::ViewerRole;
use crm_bridge::connector::ask::Question;
use crm_bridge::policy::Entity;
use db_kit::Backend;
use serde_json::json;

use super::fields::{nothing, one_person};
use super::measure::Outcome;
use crate::registry::Registry;
use crate::support::{Down, Town, WireCrm, json_answer, status_answer};
use crate::wire::{Wire, people, profile, with_table};

/// Looks Bob up, whom the CRM does not have; whoever is found is somebody else.
async fn nobody_else(town: &Town, address: &str) -> Outcome {
    let (status, answer) = town.resolve(1, json!({ "email": address })).await;
    let kind = answer["outcome"]["kind"].as_str().unwrap_or_default().to_owned();
    assert!(status == 422 || status == 200, "{answer}");
    nothing(status == 200 && kind != "none", || format!("somebody was found: {answer}"))
}

/// A CRM whose filter is a text in a language: a quote that is not doubled ends the literal, and then all are meant.
pub(super) async fn filter_changed(down: Down) -> Outcome {
    let crm = WireCrm::answering(|line| {
        let target = line.split(' ').nth(1).unwrap_or_default();
        let url = url::Url::parse(&format!("http://x{target}")).unwrap();
        let filter = url.query_pairs().find(|(key, _)| key == "where").map(|(_, text)| text.into_owned());
        let literal = filter.unwrap_or_default().trim_start_matches("email = ").replace("''", "");
        let is_whole = literal.matches('\'').count() == 2;
        people(if is_whole { &[] } else { &["ann"] }, &json!({ "next_cursor": null }))
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(&folder, |text| {
        text.replacen("email = \"{value}\", limit", "where = \"email = {value:sql}\", limit", 1)
    });
    let town = Town::beside(Backend::Sqlite, &crm.url, &[("CRM__PROFILE", &profile)], down).await;
    nobody_else(&town, "x'or('1'='1@x.example").await
}

pub(super) async fn stranger_found(down: Down) -> Outcome {
    let crm = one_person(json!({})).await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    nobody_else(&town, "bob@x.example").await
}

pub(super) async fn deleted_customer(down: Down) -> Outcome {
    let registry = Registry::start().await;
    registry.has(&["a", "b", "c"]);
    registry.set("a", "archived", json!(true));
    registry.merged(&["b", "c"]);
    let town = registry.town(Backend::Sqlite, down).await;
    for (ticket, email) in [(1, "a@x.example"), (2, "b@x.example")] {
        let (_, answer) = town.resolve(ticket, json!({ "email": email })).await;
        let Some(customer_ref) = answer["outcome"]["customer_ref"].as_str() else { continue };
        let (_, card) = town.card(ticket, customer_ref, ViewerRole::Supervisor).await;
        let shown = ["Person a", "Person b"].iter().any(|name| card.to_string().contains(name));
        nothing(shown, || format!("the card of somebody who is not there any more: {card}"))?;
    }
    Ok(())
}

pub(super) async fn other_record(down: Down) -> Outcome {
    let crm = WireCrm::answering(|line| {
        let one = line.contains("/contacts/");
        let bob = json!({ "id": "b", "full_name": "Bob Other", "email": "bob@x.example" });
        if one { json_answer(&bob) } else { people(&["a"], &json!({ "next_cursor": null })) }
    })
    .await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    let customer_ref = town.matched(1, "a@x.example").await;
    town.later();
    let (_, card) = town.card(1, &customer_ref, ViewerRole::Supervisor).await;
    nothing(card.to_string().contains("Bob Other"), || "the card is somebody else's".to_owned())
}

/// The same port under a name that nobody configured.
fn by_name(url: &str) -> String {
    url.replace("127.0.0.1", "localhost")
}

pub(super) async fn redirected(down: Down) -> Outcome {
    let elsewhere = WireCrm::answering(|_| people(&[], &json!({ "next_cursor": null }))).await;
    let location = format!("location: {}/api/v1/contacts?email=ann\r\n", by_name(&elsewhere.url));
    let crm = WireCrm::answering(move |_| status_answer("307 Temporary Redirect", &location)).await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    town.resolve(1, json!({ "email": "ann@x.example" })).await;
    assert!(!crm.requests().is_empty());
    nothing(!elsewhere.requests().is_empty(), || "another host was asked".to_owned())
}

pub(super) async fn sent_elsewhere(down: Down) -> Outcome {
    let elsewhere = Wire::answering(|_| people(&["b"], &json!({}))).await;
    let next = format!("{}/api/v1/contacts", by_name(&elsewhere.url));
    let crm = Wire::answering(move |_| people(&["a"], &json!({ "next": next }))).await;
    let folder = tempfile::tempdir().unwrap();
    let profile = profile(&folder, |text| {
        let text =
            with_table(&text, "paging", "[paging]\nkind = \"next-link\"\nnext = \"/next\"\nsize_max = 2\n");
        text.replace(", cursor = \"{cursor}\"", "")
    });
    let town = Town::beside(Backend::Sqlite, &crm.url, &[("CRM__PROFILE", &profile)], down).await;
    let page = |mark| Question::Page { entity: Entity::Person, size: 1, mark };
    if let Ok(found) = town.bridge.connector.ask(page(None)).await
        && found.next.is_some()
    {
        drop(town.bridge.connector.ask(page(found.next.clone())).await);
    }
    assert!(!crm.with("/contacts").is_empty());
    let with_key = |request: &String| request.to_ascii_lowercase().contains("authorization");
    nothing(elsewhere.with("").iter().any(with_key), || "another host has the CRM's key".to_owned())
}

/// All that is logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn of_this_process() -> Self {
        static LOG: std::sync::OnceLock<Log> = std::sync::OnceLock::new();
        let log = LOG.get_or_init(|| {
            let log = Self::default();
            let lines = log.clone();
            tracing_subscriber::fmt().with_writer(move || lines.clone()).init();
            log
        });
        log.0.lock().unwrap().clear();
        log.clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

pub(super) async fn word_of_error(down: Down) -> Outcome {
    let log = Log::of_this_process();
    let body = r#"{"message":"ann@x.example owes us much"}"#;
    let crm = WireCrm::answering(move |_| {
        format!(
            "HTTP/1.1 422 Unprocessable Content\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: \
             {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    })
    .await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    let (_, answer) = town.resolve(1, json!({ "email": "ann@x.example" })).await;
    let (log, metrics) = (log.text(), town.metrics.to_text().unwrap());
    assert!(log.contains("the CRM could not be asked"), "nothing was logged: {log}");
    nothing([log, metrics, answer.to_string()].iter().any(|text| text.contains("owes us")), || {
        "the CRM's words are in the log".to_owned()
    })
}

pub(super) async fn value_in_name(down: Down) -> Outcome {
    let log = Log::of_this_process();
    let crm = one_person(json!({ "iban DE89 3704 0044 0532 0130 00": true, "deals": [] })).await;
    let town = Town::beside(Backend::Sqlite, &crm.url, &[], down).await;
    town.matched(1, "ann@x.example").await;
    let (log, metrics) = (log.text(), town.metrics.to_text().unwrap());
    assert!(metrics.contains("deals") && log.contains("deals"), "names are not told at all: {metrics}");
    nothing(format!("{log}{metrics}").contains("0532"), || "a bank account is in log and metrics".to_owned())
}
