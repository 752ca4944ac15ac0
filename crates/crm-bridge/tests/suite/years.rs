//! A bridge and a CRM, each with a clock of its own.

use std::path::PathBuf;
use std::sync::Arc;

use bridge_contract::ViewerRole;
use crm_bridge::app::sync::{Done, run_due};
use sandbox_crm::behaviour::Behaviour;
use serde_json::{Value, json};
use service_kit::{Clock, Timestamp};
use tempfile::TempDir;

use crate::support::{CRM_KEY, Down, Town, field};

/// A bridge and a CRM that live at the same time.
pub(crate) struct Years {
    pub(crate) town: Town,
    pub(crate) crm_clock: Clock,
    pub(crate) crm: actix_web::dev::ServerHandle,
    _folder: TempDir,
}

impl Years {
    pub(crate) async fn new(copy: bool, crowd: Option<u64>) -> Self {
        let crm_clock = Clock::manual(Timestamp::from_ms(1_795_252_320_000));
        let told = crm_clock.clone();
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
            crowd,
            webhook: None,
            behaviour: Behaviour::default(),
            clock: Arc::new(move || jiff::Timestamp::from_millisecond(told.now().ms()).unwrap()),
        })
        .unwrap();
        let crm = running.server.handle();
        tokio::task::spawn_local(running.server);
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.toml");
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config/field-policy.toml");
        let text = std::fs::read_to_string(root).unwrap();
        let reason = "copy = \"customers phone in and the CRM is away at night\"\n\n[person.name]";
        std::fs::write(&policy, if copy { text.replacen("[person.name]", reason, 1) } else { text }).unwrap();
        let file = policy.display().to_string();
        let url = format!("http://{}", running.address);
        let settings = [("POLICY__FILE", file.as_str()), ("CRM__TOTAL_TIMEOUT_MS", "5000")];
        let town = Town::beside(db_kit::Backend::Sqlite, &url, &settings, Down::None).await;
        Self { town, crm_clock, crm, _folder: folder }
    }

    pub(crate) fn pass(&self, seconds: i64) {
        self.town.clock.advance_ms(seconds * 1_000);
        self.crm_clock.advance_ms(seconds * 1_000);
    }

    pub(crate) async fn run(&self) -> Done {
        run_due(&self.town.bridge).await.unwrap()
    }

    pub(crate) async fn name_on_card(&self, ticket: u64, customer_ref: &str) -> Value {
        let (status, card) = self.town.card(ticket, customer_ref, ViewerRole::Line3).await;
        assert_eq!(status, 200, "{card}");
        field(&card, "person.name")["value"].clone()
    }

    pub(crate) async fn merge(&self, id: &str, into: &str) {
        let url = format!("{}/api/v1/contacts/{id}/merge", self.town.crm_url);
        let request = self.town.http.post(url).bearer_auth(CRM_KEY).json(&json!({ "into": into }));
        assert_eq!(request.send().await.unwrap().status(), 204);
    }
}

impl Drop for Years {
    fn drop(&mut self) {
        drop(self.crm.stop(false));
    }
}
