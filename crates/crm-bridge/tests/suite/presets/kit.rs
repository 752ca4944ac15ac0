//! A bridge beside a CRM that is played on the wire, and what every preset must stand.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use bridge_contract::ViewerRole;
use crm_bridge::connector::ask::Question;
use crm_bridge::policy::Entity;
use crm_fakes::people::{DELETED, MERGED, People, TWIN_OF};
use crm_fakes::switch::Fault;
use crm_fakes::{Crm, Fake, Running};
use serde_json::{Value, json};
use service_kit::Clock;

use crate::support::{Town, field};

/// A bridge and its CRM, with one clock.
pub(crate) struct Stage<C: Crm> {
    pub(crate) town: Town,
    pub(crate) crm: Running<C>,
    /// Everything that the bridge has answered.
    said: RefCell<String>,
    _folder: tempfile::TempDir,
}

/// What a test knows of a preset.
pub(crate) struct Preset<C> {
    /// The name of the profile, or its text.
    pub(crate) name: &'static str,
    /// The key.
    pub(crate) secret: String,
    /// Further settings of the bridge.
    pub(crate) settings: Vec<(&'static str, String)>,
    /// What stands between the CRM's host and the paths of the profile.
    pub(crate) base: &'static str,
    /// The CRM.
    pub(crate) crm: C,
    /// The CRM's id of a person.
    pub(crate) id: fn(&People, u32) -> String,
    /// All members that this profile may name in its requests under the usual policy; none if it names none.
    pub(crate) names: &'static [&'static str],
    /// Whether people are found by their number.
    pub(crate) by_phone: bool,
    /// Fields of the card that this CRM has, of the usual policy.
    pub(crate) fields: &'static [&'static str],
}

impl<C: Crm> Stage<C> {
    /// Puts a bridge beside the CRM.
    pub(crate) async fn set(preset: Preset<C>) -> (Self, Script) {
        Self::among(preset, People::usual()).await
    }

    /// The same with other people.
    pub(crate) async fn among(preset: Preset<C>, people: People) -> (Self, Script) {
        let clock: Arc<OnceLock<Clock>> = Arc::default();
        let hands = Arc::clone(&clock);
        let now = move || {
            let ms = hands.get().map_or(1_795_252_320_000, |clock| clock.now().ms());
            jiff::Timestamp::from_millisecond(ms).unwrap()
        };
        let crm = Fake::new(Arc::new(now)).with_people(people).start(preset.crm).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let profile = if preset.name.contains('\n') {
            let file = folder.path().join("profile.toml");
            std::fs::write(&file, preset.name).unwrap();
            file.display().to_string()
        } else {
            preset.name.to_owned()
        };
        let mut settings = vec![
            ("CRM__PROFILE", profile),
            ("CRM__SECRET", preset.secret),
            ("CRM__TOTAL_TIMEOUT_MS", "5000".to_owned()),
        ];
        settings.extend(preset.settings);
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let town = Town::on_sqlite(&format!("{}{}", crm.url, preset.base), &settings).await;
        let _ = clock.set(town.clock.clone());
        let script =
            Script { id: preset.id, names: preset.names, by_phone: preset.by_phone, fields: preset.fields };
        (Self { town, crm, said: RefCell::default(), _folder: folder }, script)
    }

    /// Asks the bridge who that is, and remembers what it said.
    pub(crate) async fn resolve(&self, ticket: u64, question: Value) -> (u16, Value) {
        let answer = self.town.resolve(ticket, question).await;
        self.said.borrow_mut().push_str(&answer.1.to_string());
        answer
    }

    /// The reference of the only customer with that address.
    pub(crate) async fn matched(&self, ticket: u64, email: &str) -> String {
        let (status, body) = self.resolve(ticket, json!({ "email": email })).await;
        assert_eq!(status, 200, "{body}\n{}", self.crm.log().lines().join("\n"));
        let found = body["outcome"]["customer_ref"].as_str();
        found.unwrap_or_else(|| panic!("{body}\n{}", self.crm.log().lines().join("\n"))).to_owned()
    }

    /// Asks the bridge for a card, and remembers what it said.
    pub(crate) async fn card(&self, ticket: u64, customer_ref: &str, role: ViewerRole) -> (u16, Value) {
        let answer = self.town.card(ticket, customer_ref, role).await;
        self.said.borrow_mut().push_str(&answer.1.to_string());
        answer
    }

    /// The ids of all people, page by page.
    pub(crate) async fn all(&self, size: u16) -> Vec<String> {
        let mut ids = Vec::new();
        let mut mark = None;
        for _ in 0..20 {
            let question = Question::Page { entity: Entity::Person, size, mark };
            let found = self.town.bridge.connector.ask(question).await;
            let found = found.unwrap_or_else(|trouble| {
                panic!("{}\n{}", trouble.as_str(), self.crm.log().lines().join("\n"))
            });
            ids.extend(found.records.iter().map(|record| record.id.clone().unwrap()));
            mark = found.next.clone();
            if mark.is_none() {
                return ids;
            }
        }
        panic!("pages without end\n{}", self.crm.log().lines().join("\n"))
    }

    /// The ids of the people that were changed since so many seconds ago.
    pub(crate) async fn changed(&self, seconds: i64) -> Vec<String> {
        let since = service_kit::Timestamp::from_ms(self.town.clock.now().ms() - seconds * 1000);
        let question = Question::Changed { entity: Entity::Person, since, size: 50, mark: None };
        let found = self.town.bridge.connector.ask(question).await;
        let found = found
            .unwrap_or_else(|trouble| panic!("{}\n{}", trouble.as_str(), self.crm.log().lines().join("\n")));
        found.records.iter().map(|record| record.id.clone().unwrap()).collect()
    }

    /// Why the CRM can't be asked at the moment.
    pub(crate) async fn reason(&self, email: &str) -> String {
        let (status, body) = self.resolve(90, json!({ "email": email })).await;
        assert_eq!(status, 503, "{body}");
        body["reason"].as_str().unwrap().to_owned()
    }

    /// Nothing that support must not see has come out of the bridge, nothing was asked for beyond the list, and nothing was
    /// touched that must not be.
    pub(crate) async fn nothing_came_through(&self, script: &Script) {
        assert!(!self.crm.marks().all().is_empty(), "the CRM has shown nothing that could have come through");
        let said = self.said.borrow().clone();
        let metrics = self.town.metrics.to_text().unwrap();
        for text in [&said, &metrics, &self.everything_kept().await] {
            let marks = self.crm.marks().found_in(text);
            assert!(marks.is_empty(), "came through: {:?}", marks.first());
        }
        let lines = self.crm.log().lines().join("\n");
        assert!(self.crm.log().forbidden().is_empty(), "{:#?}", self.crm.log().forbidden());
        let allowed: BTreeSet<&str> = script.names.iter().copied().collect();
        let asked = self.crm.log().asked();
        let beyond: Vec<&String> = asked.iter().filter(|name| !allowed.contains(name.as_str())).collect();
        assert!(script.names.is_empty() || beyond.is_empty(), "asked for {beyond:?}\n{lines}");
    }

    /// The database, and the kept cards opened with the key.
    async fn everything_kept(&self) -> String {
        use diesel::prelude::*;
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            text: String,
        }
        const REFS: &str = "SELECT customer_ref AS text FROM cards";
        const PLAIN: &str = "SELECT COALESCE(crm_id, '') AS text FROM customers";
        let mut kept = String::new();
        for sql in [REFS, PLAIN] {
            let rows = self
                .town
                .database
                .read(move |conn| diesel::sql_query(sql).load::<Row>(conn).map_err(db_kit::DbError::from));
            for row in rows.await.unwrap() {
                kept.push_str(&row.text);
                if sql == REFS {
                    kept.push_str(&self.town.kept_card(&row.text).await);
                }
            }
        }
        kept
    }
}

/// What the usual scenes need to know.
pub(crate) struct Script {
    id: fn(&People, u32) -> String,
    names: &'static [&'static str],
    by_phone: bool,
    fields: &'static [&'static str],
}

impl Script {
    pub(crate) fn id<C: Crm>(&self, stage: &Stage<C>, number: u32) -> String {
        stage.crm.world().read(|people| (self.id)(people, number))
    }
}

/// Somebody is found by address and number and shown with what the policy lists; nobody, two people and somebody who is gone
/// are told apart.
pub(crate) async fn people_are_found_and_shown<C: Crm>(stage: &Stage<C>, script: &Script) {
    let zoe = stage.crm.person(2);
    let customer_ref = stage.matched(1, &zoe.email().to_uppercase()).await;
    if script.by_phone {
        let (status, body) = stage.resolve(2, json!({ "phone": zoe.phones[0].e164 })).await;
        assert_eq!((status, body["outcome"]["customer_ref"].as_str()), (200, Some(&*customer_ref)), "{body}");
    }
    let (_, nobody) = stage.resolve(3, json!({ "email": "nobody@else.example" })).await;
    assert_eq!(nobody["outcome"]["kind"], "none", "{}", stage.crm.log().lines().join("\n"));
    let (_, both) = stage.resolve(4, json!({ "email": stage.crm.person(TWIN_OF).email() })).await;
    assert_eq!(both["outcome"]["candidates"].as_array().map(Vec::len), Some(2), "{both}");
    for gone in [DELETED, MERGED] {
        let (_, body) = stage.resolve(5, json!({ "email": stage.crm.person(gone).email() })).await;
        assert_eq!(body["outcome"]["kind"], "none", "{body}");
    }
    for later in [false, true] {
        if later {
            stage.town.later();
        }
        let (status, card) = stage.card(1, &customer_ref, ViewerRole::Supervisor).await;
        assert_eq!((status, card["stale"].as_bool()), (200, Some(false)), "{card}");
        let company = stage.crm.company_of(2).unwrap();
        for key in script.fields {
            let mut value = field(&card, key)["value"].clone();
            if *key == "company.website" {
                // A web address is written in its normal form.
                value = json!(value.as_str().unwrap_or_default().trim_end_matches('/'));
            }
            let expected = match *key {
                "person.name" => zoe.full_name(),
                "person.email" => zoe.email().to_owned(),
                "person.phone" => zoe.phone().unwrap().e164.clone(),
                "person.mobile" => zoe.mobile().unwrap().e164.clone(),
                "person.job_title" => zoe.job_title.clone(),
                "person.city" => zoe.city.clone(),
                "person.time_zone" => zoe.time_zone.clone(),
                "person.service_level" => zoe.service_level.clone(),
                "person.support_until" => zoe.support_until.to_string(),
                "company.name" => company.name.clone(),
                "company.website" => company.website(),
                _ => value.as_str().unwrap_or_default().to_owned(),
            };
            assert_eq!(value, expected, "{key}: {card}");
        }
    }
}

/// Every page comes, everybody once; what was changed comes, and who is gone is erased.
pub(crate) async fn lists_are_complete_and_follow_changes<C: Crm>(stage: &Stage<C>, script: &Script) {
    let mut ids = stage.all(15).await;
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    let living: Vec<u32> = stage.crm.world().read(|people| people.living().map(|one| one.number).collect());
    let mut expected: Vec<String> = living.iter().map(|number| script.id(stage, *number)).collect();
    expected.sort_unstable();
    assert_eq!((count, ids), (38, expected), "{}", stage.crm.log().lines().join("\n"));

    stage.town.clock.advance_ms(3_600_000);
    assert!(stage.changed(600).await.is_empty(), "{}", stage.crm.log().lines().join("\n"));
    stage.crm.change(3, |person| person.city = "Köln".to_owned());
    assert_eq!(stage.changed(600).await, [script.id(stage, 3)], "{}", stage.crm.log().lines().join("\n"));

    let olga = stage.crm.person(10);
    let customer_ref = stage.matched(10, olga.email()).await;
    stage.crm.change(10, |person| person.gone = Some(crm_fakes::people::Gone::Deleted));
    stage.town.later();
    let (status, body) = stage.card(10, &customer_ref, ViewerRole::Line1).await;
    assert_eq!((status, body["code"].as_str()), (410, Some("customer_erased")), "{body}");
}

/// A CRM that is asked too often is left alone for a while; one that breaks gives a reason and nothing else.
pub(crate) async fn trouble_has_a_reason<C: Crm>(stage: &Stage<C>) {
    let email = stage.crm.person(14).email().to_owned();
    stage.crm.switch().on(Fault::ServerError, 1);
    assert_eq!(stage.reason(&email).await, "server_error");
    stage.crm.switch().on(Fault::Throttle, 1);
    assert_eq!(stage.reason(&email).await, "rate_limited", "{}", stage.crm.log().lines().join("\n"));
    stage.town.clock.advance_ms(900_000);
    stage.matched(14, &email).await;
}
