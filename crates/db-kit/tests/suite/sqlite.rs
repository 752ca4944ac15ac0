//! Shared commits, a full disk, a backup: what only SQLite needs.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{MIGRATIONS, insert, names};
use db_kit::testing::TestDatabase;
use db_kit::{Database, DatabaseConfig, DbError, on_both};
use diesel::connection::SimpleConnection;

async fn things() -> TestDatabase {
    TestDatabase::sqlite(&MIGRATIONS).await
}

type Outcome = tokio::task::JoinHandle<Result<(), DbError>>;

fn spawn(
    db: &Database,
    f: impl FnOnce(&mut db_kit::AnyConnection) -> Result<(), DbError> + Send + 'static,
) -> Outcome {
    let db = db.clone();
    tokio::spawn(async move { db.write(f).await })
}

/// Keeps the writer busy until everything handed to `queue` waits behind it.
async fn while_writer_is_busy(
    db: &Database,
    queue: impl FnOnce() -> Vec<Outcome>,
) -> Vec<Result<(), DbError>> {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (began, has_begun) = std::sync::mpsc::channel();
    let busy = spawn(db, move |_| {
        began.send(()).unwrap();
        released.recv().unwrap();
        Err(DbError::NotFound)
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    let queued = queue();
    while db.stats().writes_waiting < queued.len() as u64 {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    assert!(matches!(busy.await.unwrap(), Err(DbError::NotFound)));
    let mut outcomes = Vec::new();
    for one in queued {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn waiting_writes_share_commits_and_all_are_kept() {
    let kept = things().await;
    let db = kept.reopened(|config| config.group_ms_max = 10_000).await;
    let outcomes = while_writer_is_busy(&db, || {
        (0..100)
            .map(|number| {
                spawn(&db, move |conn| insert(conn, &format!("{number}"), &format!("thing {number}")))
            })
            .collect()
    })
    .await;
    assert!(outcomes.iter().all(Result::is_ok));
    let stats = db.stats();
    assert_eq!((stats.writes, stats.commits, stats.group_writes_highest), (101, 1, 100));
    db.close().await;
    assert_eq!(names(&kept).await.len(), 100);
}

#[tokio::test]
async fn a_failing_and_a_panicking_write_do_not_disturb_their_neighbours() {
    let kept = things().await;
    let db = kept.reopened(|config| config.group_ms_max = 10_000).await;
    let outcomes = while_writer_is_busy(&db, || {
        (0..30)
            .map(|number| {
                spawn(&db, move |conn| {
                    insert(conn, &format!("{number}"), &format!("thing {number}"))?;
                    match number % 3 {
                        0 => Ok(()),
                        1 => insert(conn, "again", &format!("thing {number}")),
                        _ => panic!("a bug"),
                    }
                })
            })
            .collect()
    })
    .await;
    for (number, outcome) in outcomes.iter().enumerate() {
        match number % 3 {
            0 => assert!(outcome.is_ok(), "{outcome:?}"),
            1 => assert!(matches!(outcome, Err(DbError::Conflict(_))), "{outcome:?}"),
            _ => assert!(matches!(outcome, Err(DbError::Panicked(_))), "{outcome:?}"),
        }
    }
    assert_eq!(db.stats().commits, 1, "one group, one commit");
    assert_eq!(names(&db).await.len(), 10);
}

#[tokio::test]
async fn a_full_disk_is_reported_and_saves_nothing_by_halves() {
    let db = things().await;
    let limit = |conn: &mut db_kit::AnyConnection, pages: &str| {
        on_both!(
            conn,
            sqlite | conn | conn.batch_execute(&format!("PRAGMA max_page_count = {pages}")),
            postgres | _conn | Ok(()),
        )
        .map_err(DbError::from)
    };
    db.write(move |conn| limit(conn, "1")).await.unwrap();
    let outcomes = while_writer_is_busy(&db, || {
        (0..20)
            .map(|number| {
                let name = if number == 10 { "x".repeat(200_000) } else { format!("thing {number}") };
                spawn(&db, move |conn| insert(conn, &format!("{number}"), &name))
            })
            .collect()
    })
    .await;
    assert!(matches!(outcomes[10], Err(DbError::StorageFull)), "{:?}", outcomes[10]);
    let saved = names(&db).await.len();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), saved, "{outcomes:?}");
    for outcome in &outcomes {
        assert!(matches!(outcome, Ok(()) | Err(DbError::StorageFull)), "{outcome:?}");
    }
    db.write(move |conn| limit(conn, "1000000")).await.unwrap();
    db.write(|conn| insert(conn, "later", "later")).await.unwrap();
    assert_eq!(names(&db).await.len(), saved + 1);
}

#[tokio::test]
async fn a_process_that_holds_the_write_lock_makes_us_busy_not_broken() {
    let db = things().await;
    let impatient = db.reopened(|config| config.busy_timeout_ms = 20).await;
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (began, has_begun) = std::sync::mpsc::channel();
    let holding = spawn(&db, move |conn| {
        insert(conn, "a", "one")?;
        began.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    let refused = impatient.write(|conn| insert(conn, "b", "two")).await;
    assert!(matches!(refused, Err(DbError::Busy(_))), "{refused:?}");
    release.send(()).unwrap();
    holding.await.unwrap().unwrap();
    impatient.write(|conn| insert(conn, "b", "two")).await.unwrap();
    assert_eq!(names(&db).await, ["one", "two"]);
}

#[tokio::test]
async fn a_backup_is_a_whole_database_and_never_overwrites() {
    let db = things().await;
    db.write(|conn| insert(conn, "a", "one")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup 100% #1?.db");
    db.backup_to(&path).await.unwrap();
    db.write(|conn| insert(conn, "b", "two")).await.unwrap();
    assert!(db.backup_to(&path).await.is_err());
    let copy = open(&path).await;
    assert_eq!(names(&copy).await, ["one"]);
    assert_eq!(names(&db).await, ["one", "two"]);
}

async fn open(path: &Path) -> Database {
    Database::open(&DatabaseConfig::for_url(format!("sqlite:{}", path.display()))).await.unwrap()
}

#[tokio::test]
async fn a_missing_file_is_created_and_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(&folder.path().join("new.db")).await;
    assert_eq!(db.pending(&MIGRATIONS).await.unwrap(), ["0001_things", "0002_jobs"]);
    assert_eq!(db.migrate(&MIGRATIONS).await.unwrap(), ["0001_things", "0002_jobs"]);
    db.write(|conn| insert(conn, "a", "one")).await.unwrap();
    assert_eq!(names(&db).await, ["one"]);
}

const CHILD_DATABASE: &str = "DB_KIT_CHILD_DATABASE";

/// Not a test by itself: the program that the test below starts and kills.
#[tokio::test]
#[ignore = "started by what_was_acknowledged_survives_a_killed_process"]
async fn a_child_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD_DATABASE) else { return };
    let db = open(Path::new(&path)).await;
    for start in 0.. {
        let outcomes: Vec<_> = (start * 16..start * 16 + 16)
            .map(|number: u64| {
                (
                    number,
                    spawn(&db, move |conn| insert(conn, &format!("{number}"), &format!("thing {number}"))),
                )
            })
            .collect();
        for (number, outcome) in outcomes {
            outcome.await.unwrap().unwrap();
            println!("thing {number}");
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_killed_process() {
    let db = things().await;
    let path = db.config().url.strip_prefix("sqlite:").unwrap().to_owned();
    db.close().await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::a_child_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_DATABASE, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let acknowledged: BTreeSet<String> = lines.filter(|line| line.starts_with("thing ")).take(300).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(acknowledged.len(), 300);
    let saved: BTreeSet<String> = names(&open(Path::new(&path)).await).await.into_iter().collect();
    assert!(acknowledged.is_subset(&saved));
}
