//! The log on both databases, and everything that its owner could try. The tables are those of the services' migrations.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up has failed")]

use audit_log::chain::{AuditKey, Report, SignedHead, Verdict};
use audit_log::{AuditLog, Countersigned, Event, check_file};
use db_kit::testing::{StartOn, TestDatabase};
use db_kit::{AnyConnection, Backend, Database, DbError, Migrations, both_databases, embed_migrations};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use service_kit::{Clock, Ids, Timestamp};

static MIGRATIONS: Migrations = Migrations {
    sqlite: embed_migrations!("../ticket-service/migrations/sqlite"),
    postgres: embed_migrations!("../ticket-service/migrations/postgres"),
};

const NOW: Timestamp = Timestamp::from_ms(1_795_252_320_000);

/// A log with a customer in every third entry, and the log of the other service.
struct Two {
    database: TestDatabase,
    log: AuditLog,
    other_database: TestDatabase,
    other: AuditLog,
}

fn log(service: &'static str, seed: u8) -> AuditLog {
    let ids = Ids::seeded(Clock::manual(NOW), u64::from(seed));
    AuditLog::new(service, AuditKey::from_seed(&[seed; 32]).unwrap(), ids)
}

impl StartOn for Two {
    async fn start_on(backend: Backend) -> Self {
        let two = Self {
            database: TestDatabase::new(backend, &MIGRATIONS).await,
            log: log("crm-bridge", 1),
            other_database: TestDatabase::new(backend, &MIGRATIONS).await,
            other: log("ticket-service", 2),
        };
        two.write(12).await;
        two.other.record(&two.other_database, vec![event(0)]).await.unwrap();
        two
    }
}

fn event(number: usize) -> Event {
    let event =
        Event::new(NOW.plus_ms(number as i64), "opr_0193aabb", "card.shown").with("shown", "person.name");
    if number.is_multiple_of(3) { event.ticket(7).customer(format!("cus_{}", number % 2)) } else { event }
}

impl Two {
    async fn write(&self, count: usize) {
        for number in 0..count {
            self.log.record(&self.database, vec![event(number)]).await.unwrap();
        }
    }

    /// What the other service would do: its head here, this head there. Gives the head of this log that it now holds.
    async fn exchange(&self) -> SignedHead {
        let ours = self.head().await;
        let theirs = match take(&self.other, &self.other_database, ours.clone()).await {
            Countersigned::Yes(head) => *head,
            Countersigned::No(conflict) => panic!("{conflict}"),
        };
        assert!(matches!(take(&self.log, &self.database, theirs).await, Countersigned::Yes(_)));
        ours
    }

    async fn head(&self) -> SignedHead {
        let log = self.log.clone();
        self.database.write(move |conn| log.signed_head(conn, NOW)).await.unwrap()
    }

    async fn verify(&self, held: &[SignedHead]) -> Report {
        self.log.verify(&self.database, held, None).await.unwrap()
    }

    /// What the owner of the database does, who is not kept by triggers.
    async fn tamper(&self, sql: &'static str) {
        let drop = match self.database.backend() {
            Backend::Sqlite => {
                "DROP TRIGGER IF EXISTS audit_log_is_not_changed; DROP TRIGGER IF EXISTS audit_log_is_not_cut;"
            }
            Backend::Postgres => "ALTER TABLE audit_log DISABLE TRIGGER ALL;",
        };
        self.run(format!("{drop} {sql}")).await.unwrap();
    }

    async fn run(&self, sql: String) -> Result<(), DbError> {
        self.database.write(move |conn| conn.batch_execute(&sql).map_err(DbError::from)).await
    }

    /// Whoever knows everything but the key, or has another key, computes the whole chain anew.
    async fn rewrite(&self, key: AuditKey, change: &'static str) {
        self.tamper(change).await;
        self.database.write(move |conn| rechain(conn, &key)).await.unwrap();
    }
}

async fn take(log: &AuditLog, database: &Database, theirs: SignedHead) -> Countersigned {
    let log = log.clone();
    database
        .write(move |conn| log.countersign(conn, &theirs, None, Event::new(NOW, "", "audit.countersigned")))
        .await
        .unwrap()
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

/// Hashes and MACs of all entries and the note of the end, made with this key from what the rows say now.
fn rechain(conn: &mut AnyConnection, key: &AuditKey) -> Result<(), DbError> {
    let log = AuditLog::new("crm-bridge", key.clone(), Ids::seeded(Clock::manual(NOW), 9));
    let chain: Text = diesel::sql_query("SELECT chain AS text FROM audit_head").get_result(conn)?;
    let mut at = audit_log::chain::Link::genesis("crm-bridge", &chain.text);
    let mut entries = log.page(conn, &audit_log::Filter::default(), None, 1_000)?;
    entries.reverse();
    for mut entry in entries {
        let old = entry.seq;
        entry.seq = at.seq + 1;
        at = key.link(&at, &entry);
        conn.batch_execute(&format!(
            "UPDATE audit_log SET seq = {}, hash = '{}', mac = '{}' WHERE seq = {old}",
            at.seq, at.hash, at.mac
        ))?;
    }
    conn.batch_execute(&format!(
        "UPDATE audit_head SET seq = {}, hash = '{}', mac = '{}'",
        at.seq, at.hash, at.mac
    ))?;
    Ok(())
}

fn at(verdict: &Verdict) -> Option<i64> {
    match verdict {
        Verdict::No(fault) => Some(fault.seq),
        _ => None,
    }
}

both_databases! {
    async fn a_log_that_nobody_touched_is_unaltered_and_complete(two: Two) {
        assert!(matches!(two.verify(&[]).await.complete, Verdict::Unproven(_)), "before the first exchange");
        let held = two.exchange().await;
        two.write(3).await;
        for report in [two.verify(&[]).await, two.verify(&[held]).await] {
            assert_eq!((&report.unaltered, &report.complete), (&Verdict::Yes, &Verdict::Yes), "{report}");
            assert_eq!((report.entries, report.countersigned), (16, Some(12)));
        }
    }

    async fn the_triggers_let_nothing_but_an_erasure_through(two: Two) {
        for sql in [
            "UPDATE audit_log SET actor = 'opr_x'",
            "UPDATE audit_log SET ref_seal = NULL",
            "UPDATE audit_log SET customer_ref = 'cus_x'",
            "UPDATE audit_log SET ticket = NULL, customer_ref = NULL, ref_salt = NULL",
            "DELETE FROM audit_log",
        ] {
            let error = two.run(sql.to_owned()).await.unwrap_err().to_string();
            assert!(error.contains("append-only"), "{sql}: {error}");
        }
        two.run("UPDATE audit_log SET customer_ref = NULL, ref_salt = NULL WHERE seq = 1".to_owned()).await.unwrap();
    }

    async fn a_changed_row_is_found(two: Two) {
        for (sql, seq) in [
            ("UPDATE audit_log SET details = 'shown=person.phone' WHERE seq = 9", 9),
            ("UPDATE audit_log SET customer_ref = 'cus_9' WHERE seq = 7", 7),
            ("UPDATE audit_log SET ticket = NULL WHERE seq = 4", 4),
            ("UPDATE audit_log SET customer_ref = NULL WHERE seq = 1", 1),
        ] {
            two.tamper(sql).await;
            let report = two.verify(&[]).await;
            assert_eq!((at(&report.unaltered), at(&report.complete)), (Some(seq), None), "{sql}");
        }
    }

    async fn a_hole_in_the_middle_is_found(two: Two) {
        two.exchange().await;
        two.tamper("DELETE FROM audit_log WHERE seq BETWEEN 5 AND 6").await;
        assert_eq!(at(&two.verify(&[]).await.unaltered), Some(7));
    }

    async fn an_end_that_was_cut_off_is_found_by_the_note_and_else_by_the_other_service(two: Two) {
        let held = two.exchange().await;
        two.tamper("DELETE FROM audit_log WHERE seq > 10").await;
        let report = two.verify(&[]).await;
        assert_eq!((at(&report.unaltered), at(&report.complete)), (None, Some(13)), "{report}");
        // Whoever cuts thoroughly sets the note back, too: then only the other service knows.
        two.tamper(
            "UPDATE audit_head SET seq = 10, hash = (SELECT hash FROM audit_log WHERE seq = 10), \
             mac = (SELECT mac FROM audit_log WHERE seq = 10)",
        )
        .await;
        let alone = two.verify(&[]).await;
        assert!(alone.passes() && matches!(alone.complete, Verdict::Unproven(_)), "{alone}");
        let report = two.verify(&[held]).await;
        assert_eq!((at(&report.unaltered), at(&report.complete)), (None, Some(12)), "{report}");
    }

    async fn a_log_that_was_cut_and_has_grown_again_is_found_by_what_the_other_service_holds(two: Two) {
        two.exchange().await;
        two.exchange().await;
        two.tamper(
            "DELETE FROM audit_log WHERE seq > 10; \
             UPDATE audit_head SET seq = 10, hash = (SELECT hash FROM audit_log WHERE seq = 10), \
             mac = (SELECT mac FROM audit_log WHERE seq = 10)",
        )
        .await;
        two.write(20).await;
        // It has forgotten what it had seen: refused at the next exchange by itself.
        let refused = take(&two.other, &two.other_database, two.head().await).await;
        assert_eq!(refused, Countersigned::No(audit_log::Conflict::TheirsBehind));
        let other = two.other.clone();
        let held = two.other_database.read(move |conn| other.heads_after(conn, 0, 100)).await.unwrap();
        let held: Vec<SignedHead> = held.into_iter().map(|(_, head)| head).collect();
        assert_eq!(held.len(), 2);
        assert_eq!(at(&two.verify(&held).await.complete), Some(12));
    }

    async fn a_log_that_was_set_back_is_refused_at_the_next_exchange(two: Two) {
        two.exchange().await;
        two.tamper(
            "DELETE FROM audit_log WHERE seq > 8; \
             UPDATE audit_head SET seq = 8, hash = (SELECT hash FROM audit_log WHERE seq = 8), \
             mac = (SELECT mac FROM audit_log WHERE seq = 8)",
        )
        .await;
        let refused = take(&two.other, &two.other_database, two.head().await).await;
        assert_eq!(refused, Countersigned::No(audit_log::Conflict::TheirsBehind));
        // The other side's head names what it has seen, and that is not here any more.
        let log = two.other.clone();
        let theirs = two.other_database.write(move |conn| log.signed_head(conn, NOW)).await.unwrap();
        let refused = take(&two.log, &two.database, theirs).await;
        assert_eq!(refused, Countersigned::No(audit_log::Conflict::OursBehind));
    }

    async fn a_log_written_anew_without_the_key_is_altered_from_there_on(two: Two) {
        two.exchange().await;
        two.rewrite(AuditKey::from_seed(&[66; 32]).unwrap(), "UPDATE audit_log SET actor = 'opr_x' WHERE seq = 6").await;
        assert!(two.verify(&[]).await.unaltered.is_no());
    }

    async fn a_log_written_anew_with_the_key_is_not_what_the_other_service_countersigned(two: Two) {
        let held = two.exchange().await;
        let key = AuditKey::from_seed(&[1; 32]).unwrap();
        two.rewrite(key, "UPDATE audit_log SET actor = 'opr_x' WHERE seq = 6").await;
        for report in [two.verify(&[]).await, two.verify(std::slice::from_ref(&held)).await] {
            assert_eq!((at(&report.unaltered), at(&report.complete)), (None, Some(12)), "{report}");
        }
        // Without the countersignature in it, too: the other service still has it.
        let key = AuditKey::from_seed(&[1; 32]).unwrap();
        two.rewrite(key, "DELETE FROM audit_log WHERE action = 'audit.countersigned'").await;
        assert!(two.verify(&[]).await.passes(), "a perfect chain of one's own");
        assert_eq!(at(&two.verify(&[held]).await.complete), Some(12));
    }

    async fn erasing_a_customer_keeps_the_log_valid_and_is_on_the_record(two: Two) {
        two.exchange().await;
        let log = two.log.clone();
        let erase = move |conn: &mut AnyConnection| {
            log.erase(conn, &["cus_0".into(), "cus_other_name".into()], Event::new(NOW, "crm", "customer.erased"))
        };
        assert_eq!(two.database.write(erase).await.unwrap(), 2);
        let report = two.verify(&[]).await;
        assert_eq!((&report.unaltered, &report.complete), (&Verdict::Yes, &Verdict::Yes), "{report}");
        assert_eq!((report.erased, report.erased_on_record), (2, 2));
        let left = two.database.read(|conn| {
            Ok::<_, DbError>(diesel::sql_query("SELECT details AS text FROM audit_log WHERE customer_ref = 'cus_0'").load::<Text>(conn)?)
        });
        assert!(left.await.unwrap().is_empty());
        two.tamper("UPDATE audit_log SET customer_ref = NULL, ref_salt = NULL WHERE customer_ref = 'cus_1'").await;
        let report = two.verify(&[]).await;
        assert!(report.passes() && report.to_string().contains("without an entry that says so"), "{report}");
    }

    async fn an_erasure_finds_a_customer_in_each_block_of_the_log_and_from_before_there_were_blocks(two: Two) {
        let events = |count: usize| (0..count).map(event).collect();
        two.log.record(&two.database, events(600)).await.unwrap();
        // Back to the index, and to the blocks again.
        let (down, up) = match two.database.backend() {
            Backend::Sqlite => (
                include_str!("../../../ticket-service/migrations/sqlite/2026-11-22-000006_audit_blocks/down.sql"),
                include_str!("../../../ticket-service/migrations/sqlite/2026-11-22-000006_audit_blocks/up.sql"),
            ),
            Backend::Postgres => (
                include_str!("../../../ticket-service/migrations/postgres/2026-11-22-000006_audit_blocks/down.sql"),
                include_str!("../../../ticket-service/migrations/postgres/2026-11-22-000006_audit_blocks/up.sql"),
            ),
        };
        two.run(down.to_owned()).await.unwrap();
        two.run(up.to_owned()).await.unwrap();
        two.log.record(&two.database, events(600)).await.unwrap();
        let (log, count) = (two.log.clone(), |sql: &'static str| {
            two.database.read(move |conn| {
                let found: Text = diesel::sql_query(sql).get_result(conn)?;
                Ok::<_, DbError>(found.text)
            })
        });
        let of_both = count("SELECT CAST(COUNT(*) AS TEXT) AS text FROM audit_log WHERE customer_ref IS NOT NULL");
        assert_eq!(of_both.await.unwrap(), "404");
        let erase = move |conn: &mut AnyConnection| {
            log.erase(conn, &["cus_0".into()], Event::new(NOW, "crm", "customer.erased"))
        };
        assert_eq!(two.database.write(erase).await.unwrap(), 202);
        let left = count("SELECT CAST(COUNT(*) AS TEXT) AS text FROM audit_log WHERE customer_ref = 'cus_0'");
        assert_eq!(left.await.unwrap(), "0");
        let blocks = count(
            "SELECT CAST(SUM(CASE customer_ref WHEN 'cus_0' THEN 100 ELSE 1 END) AS TEXT) AS text FROM audit_customers",
        );
        assert_eq!(blocks.await.unwrap(), "5", "the other customer's five blocks");
        assert!(two.verify(&[]).await.unaltered == Verdict::Yes);
    }

    async fn an_export_is_checked_without_database_and_key(two: Two) {
        two.exchange().await;
        two.write(2).await;
        let folder = tempfile::tempdir().unwrap();
        let (whole, part, theirs) =
            (folder.path().join("whole"), folder.path().join("part"), folder.path().join("theirs"));
        two.log.export(&two.database, (None, None), NOW, &whole).await.unwrap();
        let from = Some(NOW.plus_ms(5));
        let done = two.log.export(&two.database, (from, None), NOW, &part).await.unwrap();
        assert_eq!((done.first, done.entries), (6, 10));
        two.other.export(&two.other_database, (None, None), NOW, &theirs).await.unwrap();
        for (file, other) in [(&whole, None), (&part, None), (&whole, Some(theirs.as_path()))] {
            let (report, manifest) = check_file(file, other, Some(two.log.public_key()), Some(two.other.public_key())).unwrap();
            assert_eq!((&report.unaltered, &report.complete), (&Verdict::Yes, &Verdict::Yes), "{report}");
            assert_eq!((manifest.service.as_str(), report.countersigned), ("crm-bridge", Some(12)));
        }
        let again = two.log.export(&two.database, (None, None), NOW, &whole).await;
        assert!(again.is_err(), "an export is not overwritten");
        let text = std::fs::read_to_string(&whole).unwrap().replacen("opr_0193aabb", "opr_0193aabc", 1);
        let forged = folder.path().join("forged");
        std::fs::write(&forged, text).unwrap();
        let (report, _) = check_file(&forged, None, None, None).unwrap();
        assert_eq!(at(&report.unaltered), Some(1));
        let stranger = AuditKey::from_seed(&[5; 32]).unwrap().public();
        let (report, _) = check_file(&whole, None, Some(stranger), None).unwrap();
        assert!(!report.passes(), "signed by somebody else");
        let text = std::fs::read_to_string(&whole).unwrap();
        let cut: Vec<&str> = text.lines().take(5).collect();
        std::fs::write(&forged, cut.join("\n")).unwrap();
        assert!(check_file(&forged, None, None, None).unwrap_err().to_string().contains("cut off"));
    }

    async fn a_log_that_was_cut_and_exported_is_found_by_the_other_services_export(two: Two) {
        two.exchange().await;
        two.tamper(
            "DELETE FROM audit_log WHERE seq > 10; \
             UPDATE audit_head SET seq = 10, hash = (SELECT hash FROM audit_log WHERE seq = 10), \
             mac = (SELECT mac FROM audit_log WHERE seq = 10)",
        )
        .await;
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        two.log.export(&two.database, (None, None), NOW, &ours).await.unwrap();
        two.other.export(&two.other_database, (None, None), NOW, &theirs).await.unwrap();
        assert!(check_file(&ours, None, None, None).unwrap().0.passes(), "alone it looks whole");
        let (report, _) = check_file(&ours, Some(&theirs), None, None).unwrap();
        assert_eq!(at(&report.complete), Some(12), "{report}");
    }

    async fn several_nodes_that_write_at_once_write_one_chain(two: Two) {
        let node = two.database.reopened(|_| {}).await;
        let writers = (0..8_usize).map(|writer| {
            let (log, database) = (two.log.clone(), if writer % 2 == 0 { two.database.database().clone() } else { node.clone() });
            async move {
                for number in 0..10 {
                    log.record(&database, vec![event(writer), event(number)]).await.unwrap();
                }
            }
        });
        let running: Vec<_> = writers.map(tokio::task::spawn_local).collect();
        for one in running {
            one.await.unwrap();
        }
        let report = two.verify(&[]).await;
        assert_eq!((&report.unaltered, report.entries), (&Verdict::Yes, 12 + 160), "{report}");
        node.close().await;
    }

    async fn what_is_rolled_back_leaves_no_gap(two: Two) {
        let log = two.log.clone();
        let failed: Result<(), DbError> = two
            .database
            .write(move |conn| {
                log.append(conn, &[event(1), event(2)])?;
                Err(DbError::NotFound)
            })
            .await;
        assert!(failed.is_err());
        two.write(1).await;
        let report = two.verify(&[]).await;
        assert_eq!((&report.unaltered, report.entries), (&Verdict::Yes, 13));
    }

    async fn a_log_is_not_continued_with_another_key(two: Two) {
        let error = log("crm-bridge", 3).record(&two.database, vec![event(1)]).await.unwrap_err().to_string();
        assert!(error.contains("audit.key_file"), "{error}");
    }
}
