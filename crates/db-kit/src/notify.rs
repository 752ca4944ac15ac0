//! Telling other nodes that something changed: PostgreSQL's `LISTEN` and `NOTIFY`.
//!
//! SQLite has one process, and a service tells itself without the database; [`notify`] does nothing there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use tokio::sync::broadcast;

use crate::connection::{Link, Purpose};
use crate::{AnyConnection, Backend, Database, DatabaseConfig, DbError};

const PAYLOAD_BYTES_MAX: usize = 7_999;
const HEARD_MAX: usize = 1_024;
const POLL_EVERY: Duration = Duration::from_millis(20);
const PROBE_EVERY: Duration = Duration::from_secs(15);
const RECONNECT_EVERY: Duration = Duration::from_secs(1);

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Somebody committed a [`notify`] with this payload; one's own included.
    Payload(String),
    /// The connection was lost and is back; anything may have been missed, so look at the database itself. A receiver
    /// that lags behind is told the same by the channel (`RecvError::Lagged`).
    Gap,
}

/// Tells all listeners of `channel`, when this transaction commits. Does nothing on SQLite.
pub fn notify(conn: &mut AnyConnection, channel: &str, payload: &str) -> Result<(), DbError> {
    let AnyConnection::Postgres(conn) = conn else { return Ok(()) };
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(DbError::Unsupported("a notification of 8,000 bytes or more"));
    }
    diesel::sql_query("SELECT pg_notify($1, $2)")
        .bind::<Text, _>(channel)
        .bind::<Text, _>(payload)
        .execute(conn)?;
    Ok(())
}

impl Database {
    /// Listens on a connection of its own until the database is closed or every receiver is gone. The channel's name
    /// consists of lower-case letters and `_`. Not supported on SQLite.
    pub fn listen(&self, channel: &'static str) -> Result<broadcast::Receiver<Heard>, DbError> {
        if self.backend() != Backend::Postgres {
            return Err(DbError::Unsupported("listening on SQLite, whose only process can tell itself"));
        }
        if !channel.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') {
            return Err(DbError::Unsupported("a channel name with other than lower-case letters and `_`"));
        }
        let (heard, receiver) = broadcast::channel(HEARD_MAX);
        let listener = Listener { config: self.config(), stopping: self.stopping(), channel, heard };
        self.start_thread(format!("db-{channel}"), move || listener.run())?;
        Ok(receiver)
    }
}

struct Listener {
    config: Arc<DatabaseConfig>,
    stopping: Arc<AtomicBool>,
    channel: &'static str,
    heard: broadcast::Sender<Heard>,
}

impl Listener {
    fn run(self) {
        let mut first = true;
        while self.is_wanted() {
            match self.listen(first) {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(error = %error, db.channel = self.channel, "listening was interrupted")
                }
            }
            first = false;
            let again = Instant::now() + RECONNECT_EVERY;
            while self.is_wanted() && Instant::now() < again {
                std::thread::sleep(POLL_EVERY);
            }
        }
    }

    fn is_wanted(&self) -> bool {
        !self.stopping.load(Relaxed) && self.heard.receiver_count() > 0
    }

    fn listen(&self, first: bool) -> Result<(), DbError> {
        let mut link = Link::open(&self.config, Purpose::Writing)?;
        let AnyConnection::Postgres(conn) = &mut link.conn else { return Ok(()) };
        conn.batch_execute(&format!("LISTEN {}", self.channel))?;
        if !first {
            self.tell(Heard::Gap);
        }
        let mut probed = Instant::now();
        while self.is_wanted() {
            for notification in conn.notifications_iter() {
                self.tell(Heard::Payload(notification?.payload));
            }
            if probed.elapsed() > PROBE_EVERY {
                conn.batch_execute("SELECT 1")?;
                probed = Instant::now();
            }
            std::thread::sleep(POLL_EVERY);
        }
        Ok(())
    }

    fn tell(&self, heard: Heard) {
        // Without receivers the thread ends a moment later.
        let _nobody = self.heard.send(heard);
    }
}
