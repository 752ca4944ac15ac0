//! What the door promises, on both databases alike.

use std::time::Duration;

use crate::support::{MIGRATIONS, Things, insert, jobs, names, parts, things};
use db_kit::{
    Database, DatabaseConfig, DbError, Migrations, TypeClass, both_databases, embed_migrations, on_both,
    savepoint, schema_report,
};
use diesel::prelude::*;

#[derive(Queryable, Selectable, Insertable, Debug, PartialEq, Clone)]
#[diesel(table_name = things)]
struct Thing {
    id: String,
    name: String,
    amount: i64,
    flag: bool,
    note: Option<String>,
}

fn thing(id: &str, name: &str) -> Thing {
    Thing { id: id.into(), name: name.into(), amount: 7, flag: false, note: None }
}

static BROKEN: Migrations = Migrations {
    sqlite: embed_migrations!("tests/migrations/broken"),
    postgres: embed_migrations!("tests/migrations/broken"),
};

static LATER: Migrations = Migrations {
    sqlite: embed_migrations!("tests/migrations/later"),
    postgres: embed_migrations!("tests/migrations/later"),
};

both_databases! {
    async fn what_was_written_is_read(db: Things) {
        let id: String = db.write(|conn| {
            diesel::insert_into(things::table)
                .values(thing("a", "Ärger"))
                .returning(things::id)
                .get_result(conn)
                .map_err(DbError::from)
        }).await.unwrap();
        let found: Thing = db
            .read(move |conn| things::table.find(id).select(Thing::as_select()).first(conn).map_err(DbError::from))
            .await
            .unwrap();
        assert_eq!(found, thing("a", "Ärger"));
    }

    async fn whoever_does_not_wait_is_told_how_a_write_ended(db: Things) {
        let (tell, told) = tokio::sync::oneshot::channel();
        db.write_and_tell(|conn| insert(conn, "a", "one"), |outcome| tell.send(outcome).unwrap());
        told.await.unwrap().unwrap();
        assert_eq!(names(&db).await, ["one"]);
        let (tell, told) = tokio::sync::oneshot::channel();
        db.write_and_tell(|conn| insert(conn, "a", "again"), |outcome| tell.send(outcome).unwrap());
        assert!(told.await.unwrap().is_err());
        db.close().await;
        let (tell, told) = tokio::sync::oneshot::channel();
        db.write_and_tell(|conn| insert(conn, "b", "two"), |outcome| tell.send(outcome).unwrap());
        assert!(matches!(told.await.unwrap(), Err(DbError::Unavailable(_))));
    }

    async fn an_error_undoes_everything_the_closure_wrote(db: Things) {
        let outcome: Result<(), DbError> = db.write(|conn| {
            insert(conn, "a", "one")?;
            Err(DbError::NotFound)
        }).await;
        assert!(matches!(outcome, Err(DbError::NotFound)));
        assert_eq!(names(&db).await, Vec::<String>::new());
    }

    async fn a_panic_undoes_everything_and_the_door_stays_open(db: Things) {
        let outcome: Result<(), DbError> = db.write(|conn| {
            insert(conn, "a", "one")?;
            panic!("a bug in a use case")
        }).await;
        assert!(matches!(outcome, Err(DbError::Panicked(text)) if text == "a bug in a use case"));
        let outcome: Result<(), DbError> = db.read(|_| panic!("another")).await;
        assert!(matches!(outcome, Err(DbError::Panicked(_))));
        db.write(|conn| insert(conn, "b", "two")).await.unwrap();
        assert_eq!(names(&db).await, ["two"]);
    }

    async fn a_read_cannot_write(db: Things) {
        let outcome = db.read(|conn| insert(conn, "a", "one")).await;
        assert!(outcome.is_err());
        assert_eq!(names(&db).await, Vec::<String>::new());
    }

    async fn a_read_sees_one_state_throughout(db: Things) {
        let (began, has_begun) = std::sync::mpsc::channel();
        let (written, was_written) = std::sync::mpsc::channel();
        let reader = db.database().clone();
        let read = tokio::spawn(async move {
            reader.read(move |conn| {
                let before: i64 = things::table.count().get_result(conn)?;
                began.send(()).unwrap();
                was_written.recv_timeout(Duration::from_secs(10)).unwrap();
                let after: i64 = things::table.count().get_result(conn)?;
                Ok::<_, DbError>((before, after))
            }).await
        });
        tokio::task::spawn_blocking(move || has_begun.recv_timeout(Duration::from_secs(10)).unwrap()).await.unwrap();
        db.write(|conn| insert(conn, "a", "one")).await.unwrap();
        written.send(()).unwrap();
        assert_eq!(read.await.unwrap().unwrap(), (0, 0));
        assert_eq!(names(&db).await, ["one"]);
    }

    async fn reading_before_writing_never_fails_on_an_upgrade(db: Things) {
        // Trap 2: with a deferred BEGIN one of these would answer "database is locked" at once.
        db.write(|conn| insert(conn, "a", "counter")).await.unwrap();
        let second = db.reopened(|_| {}).await;
        let mut running = Vec::new();
        for door in [db.database().clone(), second].into_iter().cycle().take(40) {
            running.push(tokio::spawn(async move {
                door.write(|conn| {
                    let exists: i64 = things::table.filter(things::name.eq("counter")).count().get_result(conn)?;
                    diesel::update(things::table.find("a")).set(things::amount.eq(things::amount + exists)).execute(conn)?;
                    Ok::<_, DbError>(())
                }).await
            }));
        }
        for one in running {
            one.await.unwrap().unwrap();
        }
        let amount: i64 = db
            .read(|conn| things::table.find("a").select(things::amount).first(conn).map_err(DbError::from))
            .await
            .unwrap();
        assert_eq!(amount, 40);
    }

    async fn an_ignored_failure_is_refused(db: Things) {
        // Trap 3: SQLite would carry on and commit, PostgreSQL would silently roll back.
        db.write(|conn| insert(conn, "a", "one")).await.unwrap();
        let outcome = db.write(|conn| {
            insert(conn, "b", "two")?;
            let _ignored = insert(conn, "c", "one");
            Ok::<_, DbError>(())
        }).await;
        assert!(matches!(outcome, Err(DbError::ErrorIgnored(_))), "{outcome:?}");
        assert_eq!(names(&db).await, ["one"]);
    }

    async fn a_savepoint_makes_a_failure_harmless(db: Things) {
        db.write(|conn| insert(conn, "a", "one")).await.unwrap();
        db.write(|conn| {
            insert(conn, "b", "two")?;
            let tried = savepoint(conn, |conn| {
                insert(conn, "c", "three")?;
                insert(conn, "d", "one")
            });
            assert!(matches!(tried, Err(DbError::Conflict(_))), "{tried:?}");
            savepoint(conn, |conn| insert(conn, "e", "five"))
        }).await.unwrap();
        assert_eq!(names(&db).await, ["five", "one", "two"]);
    }

    async fn ignoring_a_failure_inside_a_savepoint_is_refused_too(db: Things) {
        let outcome = db.write(|conn| {
            insert(conn, "a", "one")?;
            let _kept = savepoint(conn, |conn| {
                let _ignored = insert(conn, "b", "one");
                Ok::<_, DbError>(())
            });
            Ok::<_, DbError>(())
        }).await;
        assert!(outcome.is_err());
        assert_eq!(names(&db).await, Vec::<String>::new());
    }

    async fn violations_have_the_same_kind(db: Things) {
        // Trap 7: the kind is the same on both, the constraint's name is not.
        db.write(|conn| insert(conn, "a", "one")).await.unwrap();
        let unique = db.write(|conn| insert(conn, "b", "one")).await;
        assert!(matches!(unique, Err(DbError::Conflict(_))), "{unique:?}");
        let primary = db.write(|conn| insert(conn, "a", "two")).await;
        assert!(matches!(primary, Err(DbError::Conflict(_))), "{primary:?}");
        let check: Result<usize, DbError> = db.write(|conn| {
            Ok(diesel::update(things::table).set(things::amount.eq(-1)).execute(conn)?)
        }).await;
        assert!(matches!(check, Err(DbError::Query(_))), "{check:?}");
        let missing: Result<String, DbError> =
            db.read(|conn| Ok(things::table.find("z").select(things::id).first(conn)?)).await;
        assert!(matches!(missing, Err(DbError::NotFound)), "{missing:?}");
    }

    async fn foreign_keys_are_checked(db: Things) {
        // Trap 6: many builds of SQLite do not check them by default.
        let outcome: Result<usize, DbError> = db.write(|conn| {
            Ok(diesel::insert_into(parts::table).values(parts::thing_id.eq("nothing")).execute(conn)?)
        }).await;
        assert!(matches!(outcome, Err(DbError::ForeignKey(_))), "{outcome:?}");
    }

    async fn like_differs_and_a_folded_column_does_not(db: Things) {
        // Trap 4: what SQLite folds (ASCII) PostgreSQL does not; neither folds the rest. Folded in Rust both agree.
        db.write(|conn| insert(conn, "a", &"Großer ÄRGER".to_lowercase())).await.unwrap();
        let pattern = format!("%{}%", "Ärger".to_lowercase());
        let found: i64 = db
            .read(move |conn| things::table.filter(things::name.like(pattern)).count().get_result(conn).map_err(DbError::from))
            .await
            .unwrap();
        assert_eq!(found, 1);
    }

    async fn a_job_is_claimed_once(db: Things) {
        // Trap 8: the predicate of the claim stands inside and outside.
        db.write(|conn| {
            for number in 0..5 {
                diesel::insert_into(jobs::table).values(jobs::id.eq(format!("job_{number}"))).execute(conn)?;
            }
            Ok::<_, DbError>(())
        }).await.unwrap();
        let mut claims = Vec::new();
        for worker in 0..4 {
            let door = db.database().clone();
            claims.push(tokio::spawn(async move {
                let mut mine = Vec::new();
                for _ in 0..20 {
                    let claimed: Vec<String> = door.write(move |conn| {
                        let inner = diesel::alias!(jobs as waiting);
                        let free = inner
                            .filter(inner.field(jobs::worker).is_null())
                            .order(inner.field(jobs::id))
                            .select(inner.field(jobs::id))
                            .limit(1);
                        diesel::update(jobs::table.filter(jobs::id.eq_any(free)).filter(jobs::worker.is_null()))
                            .set(jobs::worker.eq(format!("worker {worker}")))
                            .returning(jobs::id)
                            .get_results(conn)
                            .map_err(DbError::from)
                    }).await.unwrap();
                    mine.extend(claimed);
                }
                mine
            }));
        }
        let mut all = Vec::new();
        for claim in claims {
            all.extend(claim.await.unwrap());
        }
        all.sort();
        assert_eq!(all, ["job_0", "job_1", "job_2", "job_3", "job_4"]);
    }

    async fn statements_of_one_database_fit_in_one_body(db: Things) {
        db.write(|conn| {
            let many = vec![thing("a", "one"), thing("b", "two")];
            let stored: Vec<Thing> = on_both!(conn, |conn| diesel::insert_into(things::table)
                .values(&many)
                .returning(Thing::as_returning())
                .get_results(conn))?;
            assert_eq!(stored, many);
            on_both!(conn, |conn| diesel::insert_into(things::table)
                .values(&many[0])
                .on_conflict(things::id)
                .do_update()
                .set(things::note.eq("seen"))
                .execute(conn))?;
            Ok::<_, DbError>(())
        }).await.unwrap();
        let note: Option<String> = db
            .read(|conn| things::table.find("a").select(things::note).first(conn).map_err(DbError::from))
            .await
            .unwrap();
        assert_eq!(note.as_deref(), Some("seen"));
    }

    async fn migrations_are_applied_once(db: Things) {
        assert_eq!(db.pending(&MIGRATIONS).await.unwrap(), Vec::<String>::new());
        assert_eq!(db.migrate(&MIGRATIONS).await.unwrap(), Vec::<String>::new());
    }

    async fn a_failed_migration_leaves_nothing_behind(db: Things) {
        let outcome = db.migrate(&BROKEN).await;
        assert!(matches!(outcome, Err(DbError::Migration(_))), "{outcome:?}");
        assert_eq!(db.pending(&BROKEN).await.unwrap(), ["0003_broken"]);
        let report = db.read(schema_report).await.unwrap();
        assert!(!report.contains_key("halves"), "{report:?}");
    }

    async fn several_nodes_may_migrate_at_once(db: Things) {
        let doors: Vec<_> = (0..4).map(|_| db.database().clone()).collect();
        let running: Vec<_> =
            doors.into_iter().map(|door| tokio::spawn(async move { door.migrate(&LATER).await })).collect();
        let mut applied = Vec::new();
        for one in running {
            applied.extend(one.await.unwrap().unwrap());
        }
        assert_eq!(applied, ["0003_later"]);
        db.write(|conn| insert(conn, "a", "one")).await.unwrap();
    }

    async fn both_migration_sets_lead_to_this_schema(db: Things) {
        let report = db.read(schema_report).await.unwrap();
        let shown: Vec<String> = report
            .iter()
            .flat_map(|(table, columns)| columns.iter().map(move |(name, column)| {
                format!("{table}.{name} {:?}{}", column.class, if column.nullable { "?" } else { "" })
            }))
            .collect();
        assert_eq!(shown, [
            "jobs.id Text", "jobs.worker Text?",
            "parts.number Integer", "parts.picture Binary?", "parts.thing_id Text", "parts.weight Float?",
            "things.amount Integer", "things.flag Bool", "things.id Text", "things.name Text", "things.note Text?",
        ]);
        assert_eq!(report["things"]["flag"].class, TypeClass::Bool);
    }

    async fn closing_finishes_what_waits_and_refuses_the_rest(db: Things) {
        let door = db.database().clone();
        let mut running = Vec::new();
        for number in 0..30 {
            let door = door.clone();
            running.push(tokio::spawn(async move {
                door.write(move |conn| insert(conn, &format!("{number}"), &format!("thing {number}"))).await
            }));
        }
        tokio::task::yield_now().await;
        door.close().await;
        let mut saved = 0;
        for one in running {
            match one.await.unwrap() {
                Ok(()) => saved += 1,
                Err(error) => assert!(matches!(error, DbError::Unavailable(_)), "{error}"),
            }
        }
        assert!(matches!(door.ping().await, Err(DbError::Unavailable(_))));
        assert_eq!(names(&db.reopened(|_| {}).await).await.len(), saved);
    }

    async fn a_full_queue_is_told_to_the_caller(db: Things) {
        let narrow = db.reopened(|config| {
            config.read_queue_max = 1;
            config.write_queue_max = 1;
            config.connections_max = 1;
        }).await;
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (began, has_begun) = std::sync::mpsc::channel();
        let door = narrow.clone();
        let blocking = tokio::spawn(async move {
            door.write(move |_| {
                began.send(()).unwrap();
                released.recv().unwrap();
                Ok::<_, DbError>(())
            }).await
        });
        tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
        let door = narrow.clone();
        let waiting = tokio::spawn(async move { door.write(|conn| insert(conn, "a", "one")).await });
        while narrow.stats().reads_waiting + narrow.stats().writes_waiting == 0 {
            tokio::task::yield_now().await;
        }
        let refused = narrow.write(|conn| insert(conn, "b", "two")).await;
        assert!(matches!(&refused, Err(error @ DbError::Busy(_)) if error.is_transient()), "{refused:?}");
        assert_eq!(narrow.stats().refused, 1);
        release.send(()).unwrap();
        blocking.await.unwrap().unwrap();
        waiting.await.unwrap().unwrap();
        assert_eq!(names(&db).await, ["one"]);
    }
}

#[test]
fn both_migration_sets_have_the_same_names() {
    let (sqlite, postgres) = MIGRATIONS.names().unwrap();
    assert_eq!(sqlite, postgres);
    assert_eq!(sqlite, ["0001_things", "0002_jobs"]);
}

#[tokio::test]
async fn a_database_that_is_not_there_says_so_without_the_password() {
    // Trap 1: diesel's own `establish` says "Invalid connection url for multiconnection".
    let missing =
        Database::open(&DatabaseConfig::for_url("sqlite:/nowhere/at/all/tickets.db")).await.unwrap_err();
    assert!(missing.to_string().contains("the folder /nowhere/at/all does not exist"), "{missing}");
    let refused = Database::open(&DatabaseConfig::for_url("postgres://user:s3cret@127.0.0.1:1/tickets"))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("refused") && !refused.to_string().contains("s3cret"), "{refused}");
    let wrong =
        Database::open(&DatabaseConfig::for_url("postgres://user:s3%zzcret@127.0.0.1/t")).await.unwrap_err();
    assert!(!wrong.to_string().contains("s3%zzcret"), "{wrong}");
}
