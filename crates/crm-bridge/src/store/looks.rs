//! Looks that wait for the database go in together: one transaction, one stretch of the audit log, one commit. While it is
//! under way the next ones gather. Whoever looks is answered after the commit, so nothing is shown that is not on the disk.
//!
//! On PostgreSQL the next transaction is called when one has ended: two would wait for each other at the head of the audit log.
//! On SQLite one calls the next one as soon as it has taken those who wait; the one writer begins it right after the commit, while
//! others wait for the disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audit_log::Event;
use bridge_contract::ViewerId;
use db_kit::{AnyConnection, DbError};
use tokio::sync::oneshot;
use tracing::Span;

use super::Store;

/// Looks of one transaction. Many hold up each other and everybody else who writes.
const TOGETHER_MAX: usize = 64;
/// Looks that wait. More are told to come again.
const WAITING_MAX: usize = 4_096;

/// The looks of one store that wait.
#[derive(Clone, Default)]
pub(super) struct Looks(Arc<Mutex<Lane>>);

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Box<dyn Look>>,
    /// Whether a transaction is called that will take them, or (on PostgreSQL) one that took others has not ended.
    is_called: bool,
}

/// A look with its types erased. It can run again, if the transaction of all came to nothing.
trait Look: Send {
    fn operator(&self) -> &str;
    /// Does everything but writing to the audit log, which comes last.
    fn run(&mut self, conn: &mut AnyConnection, events: &mut Vec<Event>) -> Result<(), DbError>;
    fn answer(self: Box<Self>, failed: Option<DbError>);
}

struct Waiting<T, F> {
    operator: ViewerId,
    span: Span,
    work: F,
    outcome: Option<T>,
    reply: oneshot::Sender<Result<T, DbError>>,
}

impl<T, F> Look for Waiting<T, F>
where
    T: Send,
    F: FnMut(&mut AnyConnection, &mut Vec<Event>) -> Result<T, DbError> + Send,
{
    fn operator(&self) -> &str {
        self.operator.as_str()
    }

    fn run(&mut self, conn: &mut AnyConnection, events: &mut Vec<Event>) -> Result<(), DbError> {
        // Log lines keep the request that they belong to.
        let work = &mut self.work;
        self.outcome = Some(self.span.in_scope(|| work(conn, events))?);
        Ok(())
    }

    fn answer(self: Box<Self>, failed: Option<DbError>) {
        let outcome = match (failed, self.outcome) {
            (None, Some(outcome)) => Ok(outcome),
            (Some(error), _) => Err(error),
            (None, None) => Err(gone()),
        };
        // Whoever asked may have gone; what was committed stays committed.
        let _gone = self.reply.send(outcome);
    }
}

impl Looks {
    fn lock(&self) -> MutexGuard<'_, Lane> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one; true if a transaction has to be called for it.
    fn add(&self, look: Box<dyn Look>) -> Result<bool, DbError> {
        let mut lane = self.lock();
        if lane.waiting.len() >= WAITING_MAX {
            return Err(DbError::Busy("too many looks are waiting for the database".into()));
        }
        lane.waiting.push_back(look);
        Ok(!std::mem::replace(&mut lane.is_called, true))
    }

    fn take(&self, count_max: usize) -> Vec<Box<dyn Look>> {
        let mut lane = self.lock();
        let count = lane.waiting.len().min(count_max);
        lane.waiting.drain(..count).collect()
    }

    /// No transaction will take those who wait unless another one is called; true if it has to be.
    fn go_on(&self) -> bool {
        let mut lane = self.lock();
        lane.is_called = !lane.waiting.is_empty();
        lane.is_called
    }
}

impl Store {
    /// Runs `work` in one transaction with others that wait, and then writes its events to the audit log. It may run more
    /// than once; what came of it counts only with the commit.
    pub(super) async fn together<T, F>(&self, operator: &ViewerId, work: F) -> Result<T, DbError>
    where
        T: Send + 'static,
        F: FnMut(&mut AnyConnection, &mut Vec<Event>) -> Result<T, DbError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let (operator, span) = (operator.clone(), Span::current());
        if self.looks.add(Box::new(Waiting { operator, span, work, outcome: None, reply }))? {
            self.call();
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Calls a transaction for those who wait when it begins.
    fn call(&self) {
        let taken = Taken::default();
        let (store, filled) = (self.clone(), taken.clone());
        let end = End { store: self.clone(), taken, failed: Some(gone()) };
        self.database.write_and_tell(
            move |conn| store.run_waiting(conn, &mut filled.lock()),
            move |outcome| {
                let mut end = end;
                end.failed = outcome.err();
            },
        );
    }

    /// Runs the looks that wait, and writes their events to the audit log in one stretch.
    fn run_waiting(&self, conn: &mut AnyConnection, batch: &mut Batch) -> Result<(), DbError> {
        let mut events = Vec::new();
        batch.looks = self.looks.take(TOGETHER_MAX);
        // One order in all transactions of all nodes: whoever holds the row of an operator waits for later ones only.
        batch.looks.sort_by(|one, other| one.operator().cmp(other.operator()));
        for look in &mut batch.looks {
            look.run(conn, &mut events)?;
        }
        if matches!(conn, AnyConnection::Sqlite(_)) {
            batch.has_called = true;
            self.go_on();
        }
        self.audit.append(conn, &events)
    }

    fn run_alone(&self, conn: &mut AnyConnection, batch: &mut Batch) -> Result<(), DbError> {
        let mut events = Vec::new();
        for look in &mut batch.looks {
            look.run(conn, &mut events)?;
        }
        self.audit.append(conn, &events)
    }

    /// Calls a transaction for those who wait and for whom none is called.
    fn go_on(&self) {
        if self.looks.go_on() {
            self.call();
        }
    }
}

/// The looks of one transaction.
#[derive(Default)]
struct Batch {
    looks: Vec<Box<dyn Look>>,
    /// Whether it has called another transaction for those who came too late for it.
    has_called: bool,
}

/// A batch between the thread that runs it and the one that tells.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Batch>>);

impl Taken {
    fn lock(&self) -> MutexGuard<'_, Batch> {
        // After a panic the looks are run again, one by one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What happens when a transaction has ended, or will never run because the database has gone.
struct End {
    store: Store,
    taken: Taken,
    failed: Option<DbError>,
}

impl Drop for End {
    fn drop(&mut self) {
        let Batch { mut looks, has_called } = std::mem::take(&mut *self.taken.lock());
        match self.failed.take() {
            None => looks.into_iter().for_each(|look| look.answer(None)),
            Some(error) if looks.is_empty() => {
                // It has not even begun: nobody will come for those who wait.
                let waiting = self.store.looks.take(TOGETHER_MAX).into_iter();
                waiting.for_each(|look| look.answer(Some(error.for_another_caller())));
            }
            Some(error) => match looks.pop() {
                Some(look) if looks.is_empty() => look.answer(Some(error)),
                // One that fails must not take the others along.
                last => looks.into_iter().chain(last).for_each(|look| alone(&self.store, look)),
            },
        }
        if !has_called {
            self.store.go_on();
        }
    }
}

/// Runs a look in a transaction of its own.
fn alone(store: &Store, look: Box<dyn Look>) {
    let taken = Taken(Arc::new(Mutex::new(Batch { looks: vec![look], has_called: false })));
    let (writer, filled) = (store.clone(), taken.clone());
    let answer = move |outcome: Result<(), DbError>| {
        let mut failed = outcome.err();
        std::mem::take(&mut *taken.lock()).looks.into_iter().for_each(|look| look.answer(failed.take()));
    };
    store.database.write_and_tell(move |conn| writer.run_alone(conn, &mut filled.lock()), answer);
}

fn gone() -> DbError {
    DbError::Unavailable("it was closed while a look was waiting".into())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use audit_log::AuditLog;
    use audit_log::chain::AuditKey;
    use db_kit::testing::{StartOn, TestDatabase};
    use db_kit::{Backend, both_databases};
    use futures_util::future::join_all;
    use service_kit::{Clock, Ids, Timestamp};

    use super::*;
    use crate::store::MIGRATIONS;
    use crate::store::audit::SERVICE;
    use crate::walls::Walls;

    struct Looking {
        store: Store,
        _database: TestDatabase,
    }

    impl StartOn for Looking {
        async fn start_on(backend: Backend) -> Self {
            let database = TestDatabase::new(backend, &MIGRATIONS).await;
            let ids = Ids::seeded(Clock::manual(Timestamp::from_ms(0)), 1);
            let audit = AuditLog::new(SERVICE, AuditKey::from_seed(&[1; 32]).unwrap(), ids);
            Self {
                store: Store::new(database.database().clone(), Walls::standing(), audit),
                _database: database,
            }
        }
    }

    impl Looking {
        /// So many looks of two operators at once, each recorded unless `fails` stops it.
        async fn all(&self, count: i64, fails: fn(i64) -> Result<(), DbError>) -> Vec<Result<i64, DbError>> {
            let looks = (0..count).map(|number| {
                let operator = ViewerId::new(format!("opr_0000000{}", number % 2)).unwrap();
                let look = move |_: &mut AnyConnection, events: &mut Vec<Event>| {
                    events.push(Event::new(Timestamp::from_ms(number), "usr_0", "card.shown").ticket(number));
                    fails(number).map(|()| number)
                };
                async move { self.store.together(&operator, look).await }
            });
            join_all(looks).await
        }

        async fn recorded(&self) -> u64 {
            let report = self.store.verify_audit(&[], None).await.unwrap();
            assert_eq!(report.unaltered.as_str(), "yes", "{report:?}");
            report.entries
        }
    }

    both_databases! {
        async fn of_looks_at_once_each_is_recorded_and_gets_its_own_answer(looking: Looking) {
            let answers: Vec<i64> = looking.all(150, |_| Ok(())).await.into_iter().map(Result::unwrap).collect();
            assert_eq!(answers, (0..150).collect::<Vec<_>>());
            assert_eq!(looking.recorded().await, 150);
        }

        async fn a_look_that_fails_takes_no_other_along_and_leaves_no_entry(looking: Looking) {
            let answers = looking.all(20, |number| match number {
                3 => Err(DbError::NotFound),
                5 => panic!("a bug in a look"),
                _ => Ok(()),
            }).await;
            assert!(matches!(answers[3], Err(DbError::NotFound)));
            assert!(matches!(&answers[5], Err(DbError::Panicked(text)) if text == "a bug in a look"));
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 18);
            assert_eq!(looking.recorded().await, 18);
        }

        async fn a_look_that_comes_while_others_run_is_recorded_right_after_them(looking: Looking) {
            let (begun, has_begun) = oneshot::channel();
            let (go_on, may_go_on) = std::sync::mpsc::channel();
            let mut begun = Some(begun);
            let operator = ViewerId::new("opr_00000000").unwrap();
            let first = looking.store.together(&operator, move |_, events| {
                begun.take().map(|begun| begun.send(()));
                may_go_on.recv().unwrap();
                events.push(Event::new(Timestamp::from_ms(1), "usr_0", "card.shown"));
                Ok(())
            });
            let second = async {
                has_begun.await.unwrap();
                let mut look = pin!(looking.store.together(&operator, |_, events| {
                    events.push(Event::new(Timestamp::from_ms(2), "usr_0", "card.shown"));
                    Ok(())
                }));
                assert!(poll_fn(|context| Poll::Ready(look.as_mut().poll(context).is_pending())).await);
                go_on.send(()).unwrap();
                look.await
            };
            let writes = looking.store.database.stats().writes;
            let (first, second) = futures_util::future::join(first, second).await;
            assert!(first.is_ok() && second.is_ok());
            let writes = looking.store.database.stats().writes - writes;
            assert_eq!(writes, 2);
            assert_eq!(looking.recorded().await, 2);
        }

        async fn a_closed_database_refuses_looks_instead_of_keeping_them_waiting(looking: Looking) {
            looking.store.close().await;
            for answer in looking.all(3, |_| Ok(())).await {
                assert!(matches!(answer, Err(DbError::Unavailable(_))));
            }
        }
    }
}
