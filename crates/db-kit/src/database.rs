//! The door itself.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::connection::{Link, Purpose};
use crate::job::{Job, Task, pack, pack_and_tell};
use crate::queue::{Queue, Refused};
use crate::stats::{Counters, Stats};
use crate::worker::Worker;
use crate::writer::Writer;
use crate::{AnyConnection, Backend, DatabaseConfig, DbError};

/// A database and everything that works on it. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Backend,
    config: Arc<DatabaseConfig>,
    counters: Arc<Counters>,
    tasks: Arc<Queue<Task>>,
    writes: Option<Arc<Queue<Box<dyn Job>>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stopping: Arc<AtomicBool>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Database {
    /// Connects. Fails with a readable cause when the database is not there; creates a missing SQLite file, not its folder.
    pub async fn open(config: &DatabaseConfig) -> Result<Self, DbError> {
        let config = Arc::new(config.clone());
        let inner = in_background(move || Inner::open(config)).await?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.inner.backend
    }

    /// Runs `f` in one read-only transaction that sees one state of the database throughout.
    ///
    /// Dropping the future before its turn comes cancels it. Errors: whatever `f` returns, or [`DbError::Busy`],
    /// [`DbError::Unavailable`], [`DbError::Panicked`], [`DbError::ErrorIgnored`] as the caller's error type.
    pub async fn read<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.submit(Purpose::Reading, f).await
    }

    /// Runs `f` in one write transaction. `Ok` means: committed and, on SQLite, on the disk.
    ///
    /// An error or a panic in `f` undoes everything `f` wrote and nothing else. On SQLite waiting writes share a commit
    /// (each in its own savepoint); on PostgreSQL each has its own transaction, READ COMMITTED. Dropping the future does
    /// not cancel the write. Errors as in [`Database::read`], and [`DbError::StorageFull`].
    pub async fn write<T, E, F>(&self, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        self.submit(Purpose::Writing, f).await
    }

    /// Like [`Database::write`], for a caller that does not wait: `told` is called with the outcome once the transaction has
    /// ended, on a thread of the database, and must be quick. If it is dropped instead, the database has gone.
    pub fn write_and_tell<T, E, F>(&self, f: F, told: impl FnOnce(Result<T, E>) + Send + 'static)
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        if let Err((error, mut job)) = self.queue(Purpose::Writing, pack_and_tell(f, told)) {
            job.fail(error);
            job.answer();
        }
    }

    async fn submit<T, E, F>(&self, purpose: Purpose, f: F) -> Result<T, E>
    where
        F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        // Log lines written inside `f` keep the request they belong to.
        let span = tracing::Span::current();
        let (job, answer) = pack(move |conn: &mut AnyConnection| span.in_scope(|| f(conn)));
        match self.queue(purpose, job) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(closed().into())),
            Err((error, _)) => Err(error.into()),
        }
    }

    fn queue(&self, purpose: Purpose, job: Box<dyn Job>) -> Result<(), (DbError, Box<dyn Job>)> {
        let queued = match &self.inner.writes {
            Some(writes) if purpose == Purpose::Writing => writes.push(job),
            _ => self.inner.tasks.push(Task { purpose, job }).map_err(|(why, task)| (why, task.job)),
        };
        queued.map_err(|(why, job)| match why {
            Refused::Closed => (closed(), job),
            Refused::Full => {
                Counters::add(&self.inner.counters.refused, 1);
                (DbError::Busy("too many requests are waiting for the database".into()), job)
            }
        })
    }

    /// Asks the database for nothing, to learn whether it answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.read(|conn| {
            diesel::sql_query("SELECT 1").execute(conn)?;
            Ok(())
        })
        .await
    }

    /// Copies a SQLite database into a new file while it is in use. PostgreSQL has `pg_dump` for this.
    pub async fn backup_to(&self, path: &Path) -> Result<(), DbError> {
        if self.backend() != Backend::Sqlite {
            return Err(DbError::Unsupported("back up PostgreSQL with pg_dump"));
        }
        let config = Arc::clone(&self.inner.config);
        let path = path.to_owned();
        in_background(move || back_up(&config, &path)).await
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            reads_waiting: self.inner.tasks.len() as u64,
            writes_waiting: self.inner.writes.as_ref().map_or(0, |writes| writes.len()) as u64,
            ..self.inner.counters.snapshot()
        }
    }

    /// Finishes what is waiting, then closes every connection. Later calls are refused with [`DbError::Unavailable`].
    pub async fn close(&self) {
        self.inner.stop();
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = in_background(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a database thread had panicked");
                }
            }
            Ok(())
        });
        if let Err(error) = joined.await {
            tracing::error!(error = %error, "closing the database failed");
        }
    }

    pub(crate) fn config(&self) -> Arc<DatabaseConfig> {
        Arc::clone(&self.inner.config)
    }

    /// Becomes true when the database is closed.
    pub(crate) fn stopping(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.inner.stopping)
    }

    pub(crate) fn start_thread(
        &self,
        name: String,
        run: impl FnOnce() + Send + 'static,
    ) -> Result<(), DbError> {
        self.inner.start(name, run)
    }
}

impl Inner {
    fn open(config: Arc<DatabaseConfig>) -> Result<Self, DbError> {
        let backend = config.backend()?;
        let counters = Arc::new(Counters::default());
        let tasks = Arc::new(Queue::new(config.read_queue_max));
        // The first connection is opened here, so that a wrong configuration stops the service at once.
        let first = Link::open(&config, Purpose::Writing)?;
        let mut inner = Self {
            backend,
            config,
            counters,
            tasks,
            writes: None,
            threads: Mutex::default(),
            stopping: Arc::default(),
        };
        match backend {
            Backend::Sqlite => {
                inner.start_writer(first)?;
                for number in 0..inner.config.readers_max {
                    let link = Link::open(&inner.config, Purpose::Reading)?;
                    inner.start_worker(number, Some(link))?;
                }
            }
            Backend::Postgres => {
                Counters::add(&inner.counters.connections_opened, 1);
                let mut first = Some(first);
                for number in 0..inner.config.connections_max {
                    inner.start_worker(number, first.take())?;
                }
            }
        }
        Ok(inner)
    }

    fn start_writer(&mut self, link: Link) -> Result<(), DbError> {
        let queue = Arc::new(Queue::new(self.config.write_queue_max));
        let (config, counters) = (Arc::clone(&self.config), Arc::clone(&self.counters));
        let writer = Writer { link, queue: Arc::clone(&queue), config, counters };
        self.writes = Some(queue);
        self.start("db-writer".into(), move || writer.run())
    }

    fn start_worker(&self, number: usize, link: Option<Link>) -> Result<(), DbError> {
        let (config, counters) = (Arc::clone(&self.config), Arc::clone(&self.counters));
        let worker = Worker { link, backend: self.backend, queue: Arc::clone(&self.tasks), config, counters };
        self.start(format!("db-{number}"), move || worker.run())
    }

    fn start(&self, name: String, run: impl FnOnce() + Send + 'static) -> Result<(), DbError> {
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(run)
            .map_err(|error| DbError::Unavailable(format!("no thread for the database: {error}")))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn stop(&self) {
        self.stopping.store(true, Relaxed);
        self.tasks.close();
        if let Some(writes) = &self.writes {
            writes.close();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

fn closed() -> DbError {
    DbError::Unavailable("it has been closed".into())
}

/// Runs something that blocks, off the async threads.
pub(crate) async fn in_background<T: Send + 'static>(
    f: impl FnOnce() -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    tokio::task::spawn_blocking(f).await.unwrap_or_else(|error| Err(DbError::Panicked(error.to_string())))
}

fn back_up(config: &DatabaseConfig, path: &Path) -> Result<(), DbError> {
    let failed =
        |error: std::io::Error| DbError::Unavailable(format!("backup to {}: {error}", path.display()));
    let text = path.to_str().ok_or(DbError::Unsupported("a backup path that is not UTF-8"))?;
    let mut link = Link::open(config, Purpose::Writing)?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(text).execute(&mut link.conn)?;
    std::fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed)
}
