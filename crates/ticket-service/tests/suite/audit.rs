//! The audit log inside the service: checked every day, exported, erased from; what somebody did to it behind the service's
//! back is found.

use audit_log::chain::Verdict;
use audit_log::check_file;
use bridge_contract::CustomerRef;
use db_kit::{Backend, both_databases};
use ticket_service::app::audit::records;
use ticket_service::domain::Role;

use crate::support::bridge::WithBridge;
use crate::tickets::{open, path};

const DAY_S: i64 = 24 * 3_600;

both_databases! {
    async fn the_log_is_checked_once_a_day_and_what_was_changed_behind_its_back_is_found(with: WithBridge) {
        let app = &with.app;
        app.leave_jobs();
        open(&app.as_line1(), "A ticket").await;
        let check = || records::verify_if_due(&app.app, "req_check");
        assert!(check().await.unwrap());
        assert!(!check().await.unwrap(), "not twice a day");
        assert!(app.app.metrics.to_text().unwrap().contains("audit_unaltered 1"));
        let state = app.as_supervisor().get("/audit/state").await.expect(200);
        assert_eq!((state["unaltered"].as_str(), state["verified_at"].as_str()), (Some("yes"), Some("2026-11-21T09:00:00.000Z")));
        app.advance_s(DAY_S);
        assert!(check().await.unwrap());

        let drop = match app.app.store.database().backend() {
            Backend::Sqlite => "DROP TRIGGER audit_log_is_not_changed;",
            Backend::Postgres => "ALTER TABLE audit_log DISABLE TRIGGER ALL;",
        };
        // Who owns the database is not kept by triggers.
        let change = format!("{drop} UPDATE audit_log SET actor = 'opr_somebody' WHERE seq = 1");
        let changed = app.app.store.database().write(move |conn| {
            use diesel::connection::SimpleConnection;
            conn.batch_execute(&change).map_err(db_kit::DbError::from)
        });
        changed.await.unwrap();
        app.advance_s(DAY_S);
        app.expect_error("the audit log is not what it was");
        assert!(check().await.unwrap());
        assert!(app.app.metrics.to_text().unwrap().contains("audit_unaltered -1"));
        let state = app.as_supervisor().get("/audit/state").await.expect(200);
        assert_eq!(state["unaltered"], "no");
        let told = with.bridge.asked().into_iter().filter(|asked| asked.question["ask"]["kind"] == "report_audit");
        assert_eq!(told.map(|asked| asked.grant["purpose"]["kind"].clone()).collect::<Vec<_>>(), ["review"]);
    }

    async fn an_export_stands_alone_and_an_erasure_leaves_the_log_valid(with: WithBridge) {
        let app = &with.app;
        with.bridge.knows("ilya@volga.example", &["cus_0193aabb"]);
        with.bridge.shows("cus_0193aabb", "Ilya Sorin");
        let ann = app.new_operator("opr_0193aabb", Role::Line1).await;
        let ticket = open(&ann, "A ticket").await;
        app.run_jobs().await;
        ann.get(&path(&ticket, "/card")).await.expect(200);
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (folder.path().join("before.jsonl"), folder.path().join("after.jsonl"));
        records::export(&app.app, (None, None), &before).await.unwrap();
        assert!(std::fs::read_to_string(&before).unwrap().contains("cus_0193aabb"));
        records::erase(&app.app, CustomerRef::new("cus_0193aabb").unwrap()).await.unwrap();
        records::export(&app.app, (None, None), &after).await.unwrap();
        assert!(!std::fs::read_to_string(&after).unwrap().contains("cus_0193aabb"), "the reference is out of the log");
        for file in [&before, &after] {
            let (report, _) = check_file(file, None, Some(app.app.store.audit_key()), None).unwrap();
            assert!(report.passes(), "{report}");
        }
        let report = records::verify(&app.app, &[], None).await.unwrap();
        assert!(matches!(report.unaltered, Verdict::Yes) && report.erased > 0, "{report}");
    }
}
