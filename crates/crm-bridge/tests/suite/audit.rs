//! The audit log inside the bridge: heads are exchanged over HTTP, it is checked, exported and erased from, and what somebody
//! did to it behind the bridge's back is found.

use audit_log::chain::{AuditKey, Verdict};
use audit_log::wire::{from_wire, to_wire};
use audit_log::{AuditLog, Event, check_file};
use bridge_contract::{CustomerRef, Grant, NoticeKind, Purpose, ViewerRole};
use crm_bridge::app::audit::verify_if_due;
use db_kit::testing::TestDatabase;
use db_kit::{Backend, both_databases};
use serde_json::{Value, json};
use service_kit::{Clock, Ids};

use crate::support::Town;

/// The ticket service's log, as far as the bridge sees it.
struct OtherLog {
    log: AuditLog,
    database: TestDatabase,
    clock: Clock,
}

impl OtherLog {
    async fn beside(town: &Town, seed: u64) -> Self {
        let ids = Ids::seeded(town.clock.clone(), seed);
        let log = AuditLog::new(
            "ticket-service",
            AuditKey::from_seed(&[u8::try_from(seed).unwrap(); 32]).unwrap(),
            ids,
        );
        let database = TestDatabase::new(Backend::Sqlite, &crm_bridge::MIGRATIONS).await;
        let other = Self { log, database, clock: town.clock.clone() };
        other.does("service.started").await;
        other
    }

    async fn does(&self, what: &'static str) {
        let events = vec![Event::new(self.clock.now(), "system", what)];
        self.log.record(self.database.database(), events).await.unwrap();
    }

    async fn head(&self) -> Value {
        let (log, now) = (self.log.clone(), self.clock.now());
        let head = self.database.database().write(move |conn| log.signed_head(conn, now)).await.unwrap();
        serde_json::to_value(to_wire(&head).unwrap()).unwrap()
    }
}

async fn exchange(town: &Town, head: &Value) -> (u16, Value) {
    let question = json!({ "version": 1, "head": head, "after": 0 });
    town.ask("/v1/audit/head", &Grant { ticket: 0, purpose: Purpose::AuditHead {} }, &question).await
}

both_databases! {
    async fn heads_are_exchanged_and_a_log_that_was_cut_or_rewritten_is_not_believed(town: Town) {
        let other = OtherLog::beside(&town, 77).await;
        other.does("operator.changed").await;
        let first = other.head().await;
        let (status, answer) = exchange(&town, &first).await;
        assert_eq!(status, 200, "{answer}");
        let theirs = from_wire("crm-bridge", &serde_json::from_value(answer["head"].clone()).unwrap()).unwrap();
        assert!(theirs.check(Some(&town.bridge.store.audit().public_key())).is_ok(), "the bridge signs its own");
        other.does("operator.changed").await;
        assert_eq!(exchange(&town, &other.head().await).await.0, 200);
        let report = town.bridge.store.verify_audit(&[], None).await.unwrap();
        assert!(report.passes(), "{report}");

        // A log with the same key that has forgotten what the bridge has seen, and one of somebody else.
        assert_eq!(exchange(&town, &first).await.0, 409, "shorter than before");
        let stranger = OtherLog::beside(&town, 78).await;
        for _ in 0..5 {
            stranger.does("operator.changed").await;
        }
        assert_eq!(exchange(&town, &stranger.head().await).await.0, 409, "another key");
        let wrong = Grant { ticket: 1, purpose: Purpose::Resolve {} };
        let (status, _) = town.ask("/v1/audit/head", &wrong, &json!({ "version": 1, "after": 0 })).await;
        assert_eq!(status, 403);
    }

    async fn the_log_is_checked_once_a_day_and_what_was_changed_behind_its_back_is_found(town: Town) {
        let contact = town.contacts().await[0].clone();
        let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
        town.card(1, &customer_ref, ViewerRole::Line1).await;
        let report = verify_if_due(&town.bridge).await.unwrap().unwrap();
        assert!(matches!(report.unaltered, Verdict::Yes), "{report}");
        assert!(town.metrics.to_text().unwrap().contains("audit_unaltered 1"));
        assert!(verify_if_due(&town.bridge).await.unwrap().is_none(), "not twice a day");
        town.clock.advance_ms(24 * 3_600_000);
        let checked = verify_if_due(&town.bridge).await.unwrap().unwrap();
        assert!(checked.entries > report.entries, "the check itself is on the record");

        let drop = match town.database.database().backend() {
            Backend::Sqlite => "DROP TRIGGER audit_log_is_not_changed;",
            Backend::Postgres => "ALTER TABLE audit_log DISABLE TRIGGER ALL;",
        };
        // Who owns the database is not kept by triggers.
        let change = format!("{drop} UPDATE audit_log SET actor = 'opr_0000aaaa' WHERE action = 'card.shown'");
        let changed = town.database.database().write(move |conn| {
            use diesel::connection::SimpleConnection;
            conn.batch_execute(&change).map_err(db_kit::DbError::from)
        });
        changed.await.unwrap();
        town.clock.advance_ms(24 * 3_600_000);
        let report = verify_if_due(&town.bridge).await.unwrap().unwrap();
        assert!(report.unaltered.is_no() && !report.passes(), "{report}");
        assert!(town.metrics.to_text().unwrap().contains("audit_unaltered -1"));
        let (notices, _, open) = town.bridge.store.notices_page(true, true, None).await.unwrap();
        assert_eq!((notices[0].about, &notices[0].operator, open), (NoticeKind::BridgeAuditFailed, &None, 1));
    }

    async fn an_export_stands_alone_and_an_erasure_leaves_the_log_valid(town: Town) {
        let contact = town.contacts().await[0].clone();
        let customer_ref = town.matched(1, contact["email"].as_str().unwrap()).await;
        town.card(1, &customer_ref, ViewerRole::Line1).await;
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (folder.path().join("before.jsonl"), folder.path().join("after.jsonl"));
        let store = &town.bridge.store;
        store.export_audit((None, None), town.clock.now(), &before).await.unwrap();
        assert!(std::fs::read_to_string(&before).unwrap().contains(&customer_ref));
        store.erase(&CustomerRef::new(customer_ref.clone()).unwrap(), town.clock.now()).await.unwrap();
        store.export_audit((None, None), town.clock.now(), &after).await.unwrap();
        assert!(!std::fs::read_to_string(&after).unwrap().contains(&customer_ref), "the reference is out of the log");
        for file in [&before, &after] {
            let (report, _) = check_file(file, None, Some(store.audit().public_key()), None).unwrap();
            assert!(report.passes(), "{report}");
        }
        let report = store.verify_audit(&[], None).await.unwrap();
        assert!(report.passes() && report.erased > 0, "{report}");
        let text = std::fs::read_to_string(&after).unwrap().replacen("card.shown", "card.sh0wn", 1);
        std::fs::write(&after, text).unwrap();
        let (report, _) = check_file(&after, None, None, None).unwrap();
        assert!(!report.passes(), "one letter is enough");
    }
}
