//! How many entries per second are appended, each in a durable transaction of its own, and how fast a log is verified:
//! `cargo run --release --example appends -p audit-log -- URL [seconds]`. The database named by the URL gets the tables of
//! the ticket service.
#![expect(clippy::print_stdout, reason = "its purpose is to print")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use audit_log::chain::AuditKey;
use audit_log::{AuditLog, Event};
use db_kit::{Database, DatabaseConfig, DbError, Migrations, embed_migrations};
use service_kit::{Clock, Ids};

static MIGRATIONS: Migrations = Migrations {
    sqlite: embed_migrations!("../ticket-service/migrations/sqlite"),
    postgres: embed_migrations!("../ticket-service/migrations/postgres"),
};

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), DbError> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or_else(|| DbError::Configuration("name a URL".into()))?;
    let seconds = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(3);
    let database = Database::open(&DatabaseConfig::for_url(url)).await?;
    database.migrate(&MIGRATIONS).await?;
    let key = AuditKey::from_seed(&[1; 32]).map_err(|error| DbError::Configuration(error.to_string()))?;
    let clock = Clock::system();
    let log = AuditLog::new("ticket-service", key, Ids::random(clock.clone()));
    for callers in [1, 8, 32] {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let started = Instant::now();
        let running: Vec<_> = (0..callers)
            .map(|_| {
                let (log, database, clock) = (log.clone(), database.clone(), clock.clone());
                let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
                tokio::spawn(async move {
                    while !stop.load(Relaxed) {
                        let event = Event::new(clock.now(), "opr_0193aabb", "card.shown")
                            .with("shown", "person.name,company.name,person.service_level")
                            .ticket(10_482)
                            .customer("cus_0193aabbccddeeff0011223344556677");
                        log.record(&database, vec![event]).await?;
                        done.fetch_add(1, Relaxed);
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
        println!(
            "{callers:>3} callers: {:>8.0} entries per second",
            done.load(Relaxed) as f64 / started.elapsed().as_secs_f64()
        );
    }
    let started = Instant::now();
    let report = log.verify(&database, &[], None).await?;
    println!("verified: {:>8.0} entries per second", report.entries as f64 / started.elapsed().as_secs_f64());
    println!("{report}");
    database.close().await;
    Ok(())
}
