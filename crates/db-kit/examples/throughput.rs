//! How many reads and durable writes per second the door lets through: `cargo run --release --example throughput -p
//! db-kit -- URL [seconds]`. The database named by the URL gets a table `throughput`; the disk decides over the writes.
#![expect(clippy::print_stdout, reason = "its purpose is to print")]
#![expect(missing_docs, reason = "the table macro emits public items without doc comments")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use db_kit::{AnyConnection, Database, DatabaseConfig, DbError};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

diesel::table! {
    throughput (id) {
        id -> BigInt,
        name -> Text,
        body -> Text,
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), DbError> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or_else(|| DbError::Configuration("name a URL".into()))?;
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(3);
    let db = Database::open(&DatabaseConfig::for_url(url)).await?;
    db.write(|conn| {
        conn.batch_execute(
            "DROP TABLE IF EXISTS throughput; \
             CREATE TABLE throughput (id BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL)",
        )?;
        (0..10_000).try_for_each(|id| insert(conn, id))
    })
    .await?;
    for callers in [1, 8, 32] {
        let one = measure(&db, callers, seconds, |db, number| async move {
            let id = (number * 7_919) % 10_000;
            db.read(move |conn| {
                throughput::table.find(id).first::<(i64, String, String)>(conn).map_err(DbError::from)
            })
            .await
            .map(drop)
        });
        println!("{callers:>3} callers: {:>8} reads of one row per second", one.await?);
        let page = measure(&db, callers, seconds, |db, number| async move {
            let id = (number * 7_919) % 10_000;
            db.read(move |conn| {
                throughput::table
                    .filter(throughput::id.ge(id))
                    .order(throughput::id)
                    .limit(50)
                    .load::<(i64, String, String)>(conn)
                    .map_err(DbError::from)
            })
            .await
            .map(drop)
        });
        println!("{callers:>3} callers: {:>8} reads of 50 rows per second", page.await?);
        let start = 1_000_000 * i64::from(callers);
        let written = measure(&db, callers, seconds, move |db, number| async move {
            db.write(move |conn| insert(conn, start + number)).await
        });
        println!("{callers:>3} callers: {:>8} durable writes per second", written.await?);
    }
    println!("{:?}", db.stats());
    db.close().await;
    Ok(())
}

fn insert(conn: &mut AnyConnection, id: i64) -> Result<(), DbError> {
    diesel::insert_into(throughput::table)
        .values((throughput::id.eq(id), throughput::name.eq("a name"), throughput::body.eq("x".repeat(400))))
        .execute(conn)?;
    Ok(())
}

async fn measure<W>(
    db: &Database,
    callers: u32,
    seconds: u64,
    work: impl Fn(Database, i64) -> W + Clone + Send + 'static,
) -> Result<u64, DbError>
where
    W: Future<Output = Result<(), DbError>> + Send,
{
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let running: Vec<_> = (0..callers)
        .map(|_| {
            let (db, stop, done, work) = (db.clone(), Arc::clone(&stop), Arc::clone(&done), work.clone());
            tokio::spawn(async move {
                while !stop.load(Relaxed) {
                    let number = done.fetch_add(1, Relaxed) as i64;
                    work(db.clone(), number).await?;
                }
                Ok::<_, DbError>(())
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Relaxed);
    for one in running {
        one.await.map_err(|error| DbError::Panicked(error.to_string()))??;
    }
    Ok((done.load(Relaxed) as f64 / started.elapsed().as_secs_f64()) as u64)
}
