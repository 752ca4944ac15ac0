//! A CRM that marks its people as deleted or merged and goes on naming them: its search finds them, and asked by id it
//! answers with them, or with whoever has taken them in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use db_kit::Backend;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Down, Town, WireCrm, json_answer, status_answer};
use crate::wire::{profile, with_line};

type People = Arc<Mutex<BTreeMap<String, Value>>>;

/// Such a CRM.
pub(crate) struct Registry {
    pub(crate) crm: WireCrm,
    /// The file of its profile.
    pub(crate) profile: String,
    people: People,
    _folder: TempDir,
}

const MARKS: &str = "updated_at = \"/updated_at\"\ndeleted = { at = \"/archived\", is = true }\nmerged_into = \"/master\"\n\
                     merged_from = \"/merged_ids\"";

impl Registry {
    pub(crate) async fn start() -> Self {
        let people = People::default();
        let theirs = Arc::clone(&people);
        let crm = WireCrm::answering(move |line| answer(line, &theirs.lock().unwrap())).await;
        let folder = tempfile::tempdir().unwrap();
        let profile = profile(&folder, |text| with_line(&text, "updated_at ", MARKS));
        Self { crm, profile, people, _folder: folder }
    }

    /// A bridge beside it.
    pub(crate) async fn town(&self, backend: Backend, down: Down) -> Town {
        Town::beside(backend, &self.crm.url, &[("CRM__PROFILE", &self.profile)], down).await
    }

    /// It and a bridge beside it.
    pub(crate) async fn with_town(backend: Backend) -> (Self, Town) {
        let registry = Self::start().await;
        let town = registry.town(backend, Down::None).await;
        (registry, town)
    }

    /// People with these ids, called `Person ID`, at `ID@x.example`.
    pub(crate) fn has(&self, ids: &[&str]) {
        for id in ids {
            let person =
                json!({ "id": id, "full_name": format!("Person {id}"), "email": format!("{id}@x.example") });
            self.people.lock().unwrap().insert((*id).to_owned(), person);
        }
    }

    pub(crate) fn set(&self, id: &str, member: &str, value: Value) {
        self.people.lock().unwrap().get_mut(id).unwrap()[member] = value;
    }

    pub(crate) fn lost(&self, id: &str) {
        self.people.lock().unwrap().remove(id);
    }

    /// Each was merged into the next.
    pub(crate) fn merged(&self, ids: &[&str]) {
        ids.windows(2).for_each(|two| self.set(two[0], "master", json!(two[1])));
    }

    /// How often the CRM was asked for one record.
    pub(crate) fn asked_for_one(&self) -> usize {
        self.crm.requests().iter().filter(|head| head.contains("/contacts/")).count()
    }
}

fn answer(line: &str, people: &BTreeMap<String, Value>) -> Vec<u8> {
    let target = line.split(' ').nth(1).unwrap_or_default();
    let url = url::Url::parse(&format!("http://x{target}")).unwrap();
    let list = |people: Vec<&Value>| json_answer(&json!({ "items": people, "next_cursor": null }));
    if url.path().ends_with("/gone") {
        return list(Vec::new());
    }
    if let Some((_, id)) = url.path().split_once("/contacts/") {
        let Some(person) = people.get(id) else { return status_answer("404 Not Found", "") };
        return match person["broken"].as_bool() {
            Some(true) => status_answer("422 Unprocessable Content", ""),
            // As HubSpot does: asked for one, another answers.
            _ => {
                json_answer(person["answers"].as_str().and_then(|other| people.get(other)).unwrap_or(person))
            }
        };
    }
    let wanted = url.query_pairs().find(|(key, _)| key == "email").map(|(_, email)| email.into_owned());
    list(people.values().filter(|one| wanted.as_ref().is_none_or(|email| one["email"] == **email)).collect())
}
