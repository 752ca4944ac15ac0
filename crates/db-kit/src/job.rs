//! A caller's closure on its way through a queue: run on a connection, judged, answered.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::connection::{Link, Purpose};
use crate::{AnyConnection, DbError};

/// A closure with its types erased.
pub(crate) trait Job: Send {
    /// Runs the closure. True: what it wrote shall be kept.
    fn run(&mut self, conn: &mut AnyConnection) -> bool;
    /// Replaces a success by this failure.
    fn fail(&mut self, error: DbError);
    /// Tells the caller.
    fn answer(self: Box<Self>);
    /// True when nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
}

struct Closure<F, T, E> {
    closure: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: Reply<Result<T, E>>,
}

/// Who hears how it ended.
enum Reply<O> {
    /// Somebody who may stop waiting.
    Awaited(oneshot::Sender<O>),
    /// Something that is called.
    Told(Box<dyn FnOnce(O) + Send>),
}

/// Packs a closure for a queue; the receiver gets what it returned once its transaction has ended.
pub(crate) fn pack<F, T, E>(closure: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    let (reply, receiver) = oneshot::channel();
    (Box::new(Closure { closure: Some(closure), outcome: None, reply: Reply::Awaited(reply) }), receiver)
}

/// Packs a closure for a queue; `told` is called with what it returned once its transaction has ended.
pub(crate) fn pack_and_tell<F, T, E>(
    closure: F,
    told: impl FnOnce(Result<T, E>) + Send + 'static,
) -> Box<dyn Job>
where
    F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
{
    Box::new(Closure { closure: Some(closure), outcome: None, reply: Reply::Told(Box::new(told)) })
}

impl<F, T, E> Job for Closure<F, T, E>
where
    F: FnOnce(&mut AnyConnection) -> Result<T, E> + Send,
    T: Send,
    E: From<DbError> + Send,
{
    fn run(&mut self, conn: &mut AnyConnection) -> bool {
        let Some(closure) = self.closure.take() else { return false };
        // The connection is sound after a panic: its transaction is rolled back before anybody else uses it.
        let outcome = catch_unwind(AssertUnwindSafe(|| closure(conn)))
            .unwrap_or_else(|cause| Err(DbError::Panicked(panic_text(&*cause)).into()));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn fail(&mut self, error: DbError) {
        self.closure = None;
        self.outcome = Some(Err(error.into()));
    }

    fn answer(self: Box<Self>) {
        let Some(outcome) = self.outcome else { return };
        match self.reply {
            Reply::Awaited(reply) => {
                // The caller may have gone; what was committed stays committed.
                let _gone = reply.send(outcome);
            }
            Reply::Told(tell) => {
                if catch_unwind(AssertUnwindSafe(|| tell(outcome))).is_err() {
                    tracing::error!("what was to be told of a write panicked");
                }
            }
        }
    }

    fn is_abandoned(&self) -> bool {
        matches!(&self.reply, Reply::Awaited(reply) if reply.is_closed())
    }
}

fn panic_text(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| cause.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Runs one job in a transaction of its own that [`Link::begin`] has opened.
pub(crate) fn finish_transaction(link: &mut Link, job: &mut dyn Job) {
    if job.run(&mut link.conn) && may_be_kept(link, job) {
        if let Err(error) = link.commit() {
            job.fail(error.into());
        }
    } else if let Err(error) = link.roll_back() {
        // The caller hears of its own failure; the worker sees that the connection is unusable and drops it.
        tracing::warn!(error = %error, "rolling back failed");
    }
}

/// Refuses a success that ignored a failed statement.
pub(crate) fn may_be_kept(link: &Link, job: &mut dyn Job) -> bool {
    match link.watch.unhandled_failure() {
        None => true,
        Some(failure) => {
            job.fail(DbError::ErrorIgnored(failure));
            false
        }
    }
}

/// A job for a worker that serves reads and writes alike.
pub(crate) struct Task {
    pub(crate) purpose: Purpose,
    pub(crate) job: Box<dyn Job>,
}
