//! A bridge beside a CRM that is played on the wire, with the door for what the CRM sends by itself and with the courier
//! that writes into its history.

use std::net::TcpListener;

use bridge_contract::{Grant, Purpose};
use crm_bridge::app::sync::run_due;
use crm_bridge::deliver::Courier;
use crm_bridge::http::crm::serve;
use crm_bridge::other_way;
use crm_fakes::Crm;
use crm_fakes::wire::Delivery;
use serde_json::json;
use service_kit::Ids;
use service_kit::token::generate_key_pair;

use super::kit::{Preset, Script, Stage};
use crate::crm_api::looks;

/// What the CRM calls, as the bridge's settings name it.
pub(super) const RECEIVER: &str = "https://desk.example/hooks/p4th-that-nobody-guesses";
pub(super) const PATH: &str = "/hooks/p4th-that-nobody-guesses";

pub(super) struct Outward<C: Crm> {
    pub(super) stage: Stage<C>,
    pub(super) script: Script,
    door: String,
    handle: actix_web::dev::ServerHandle,
    _folder: tempfile::TempDir,
}

impl<C: Crm> Outward<C> {
    /// A bridge that writes into the CRM's history.
    pub(super) async fn with_history(mut preset: Preset<C>) -> Self {
        preset.settings.push(("CRM_API__ACTIVITIES", "true".to_owned()));
        Self::set(preset, None).await
    }

    /// A bridge that takes what the CRM sends; the key is what signs it.
    pub(super) async fn set(mut preset: Preset<C>, key: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (private, _) = generate_key_pair(&Ids::seeded(service_kit::Clock::system(), 5)).unwrap();
        let key_file = folder.path().join("bridge.pem");
        std::fs::write(&key_file, private.expose()).unwrap();
        let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/ticket-policy.toml");
        preset.settings.extend([
            ("TICKET_POLICY__FILE", policy.to_owned()),
            ("CRM_API__PUBLIC_URL", "https://desk.example".to_owned()),
            ("CRM_API__SIGNING_KEY_FILE", key_file.display().to_string()),
            ("WEBHOOKS__PATH", PATH.trim_start_matches("/hooks/").to_owned()),
        ]);
        preset.settings.extend(key.map(|key| ("CRM__SECRETS__WEBHOOK", key.to_owned())));
        let (stage, script) = Stage::set(preset).await;
        let town = &stage.town;
        let listener = other_way::listener(&town.config, &town.bridge, &town.metrics).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = format!("http://{}", port.local_addr().unwrap());
        let server = serve(listener, 1, port).unwrap();
        let handle = server.handle();
        tokio::task::spawn_local(server);
        Self { stage, script, door, handle, _folder: folder }
    }

    /// Carries a delivery of the CRM to the bridge: what it answered, and the ids that it then means to fetch again.
    pub(super) async fn carry(&self, sent: &Delivery) -> (u16, Vec<String>) {
        self.carry_to(PATH, sent).await
    }

    pub(super) async fn carry_to(&self, path: &str, sent: &Delivery) -> (u16, Vec<String>) {
        let status = self.post(path, sent).await;
        (status, self.noted().await)
    }

    /// Carries a delivery to the bridge, which then has something to do.
    pub(super) async fn post(&self, path: &str, sent: &Delivery) -> u16 {
        let mut url = url::Url::parse(&format!("{}{path}", self.door)).unwrap();
        if !sent.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&sent.query);
        }
        let mut request = self.stage.town.http.post(url);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let answer = request.body(sent.body.clone()).send().await.unwrap();
        let status = answer.status().as_u16();
        let said = answer.text().await.unwrap();
        assert!(self.stage.crm.marks().found_in(&said).is_empty(), "{said}");
        status
    }

    /// The ids that are to be fetched again; they are forgotten by this.
    async fn noted(&self) -> Vec<String> {
        let store = &self.stage.town.bridge.sync.as_ref().unwrap().store;
        let hints = store.due_hints(self.stage.town.clock.now().plus_ms(86_400_000), 100).await.unwrap();
        let ids = hints.iter().map(|hint| hint.crm_id.clone()).collect();
        for hint in hints {
            store.hint_done(hint).await.unwrap();
        }
        ids
    }

    /// The bridge does what the CRM's messages and its own clock want of it.
    pub(super) async fn follow(&self) {
        self.stage.town.clock.advance_ms(60_000);
        run_due(&self.stage.town.bridge).await.unwrap();
    }

    /// The ticket service tells that the customer's ticket looks like this now.
    pub(super) async fn tells(
        &self,
        ticket: u64,
        sequence: u64,
        customer_ref: &str,
        subject: &str,
        to: &str,
    ) {
        let change = match to {
            "new" => "opened",
            "resolved" => "resolved",
            _ => "status_changed",
        };
        let event = json!({
            "version": 1, "ticket": ticket, "sequence": sequence,
            "at": self.stage.town.clock.now().to_string(), "news": looks(customer_ref, change, subject, to),
        });
        let grant = Grant { ticket, purpose: Purpose::TicketEvent { sequence } };
        let (status, receipt) = self.stage.town.ask("/v1/ticket-events", &grant, &event).await;
        assert_eq!((status, &receipt["news"]), (200, &json!(true)), "{receipt}");
    }

    /// The courier does what is due; how many attempts it made.
    pub(super) async fn deliver(&self) -> usize {
        let courier = Courier::new(self.stage.town.bridge.clone(), &self.stage.town.config.crm_api).unwrap();
        courier.run_due().await.unwrap()
    }
}

impl<C: Crm> Drop for Outward<C> {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}
