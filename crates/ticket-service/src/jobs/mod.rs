//! Work outside requests. Everything that reaches outside the database happens here, at least once, after the commit.

pub mod runner;

use std::time::Duration;

use audit_log::chain::{Report, Verdict};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use service_kit::http::with_request_id;
use service_kit::metrics::Metrics;

pub use crate::domain::job::Job;
pub use runner::Runner;

use crate::app::{
    App, audit, close_resolved, follow_customers, oversight, resolve_customer, tell_bridge, tidy_up,
};
use crate::domain::TicketNumber;
use crate::domain::job::{ATTEMPTS_MAX, retry_delay_ms};
use crate::error::TicketError;
use crate::store::jobs::{self, Claim};

use crate::domain::Actor;

/// A claimed job is nobody else's for so long.
const LEASE_MS: i64 = 60_000;
/// A job that takes longer is given up, well before its lease ends.
const JOB_TIMEOUT: Duration = Duration::from_secs(45);

/// How many jobs ended how.
#[derive(Clone, Debug, Default)]
pub struct JobMetrics {
    done: Counter,
    failed: Counter,
    waiting: Gauge,
    dead: Gauge,
    unaltered: Gauge,
    complete: Gauge,
}

impl JobMetrics {
    /// Counters that show up in these metrics.
    pub fn registered_in(metrics: &Metrics) -> Self {
        let counts = Self::default();
        metrics.register("jobs_done", "Jobs that were done", counts.done.clone());
        metrics.register("jobs_failed", "Attempts of jobs that failed", counts.failed.clone());
        metrics.register("jobs_waiting", "Jobs that wait or run", counts.waiting.clone());
        metrics.register("jobs_dead", "Jobs that failed too often and wait for people", counts.dead.clone());
        let words = "by the last check of this process: 1 yes, 0 not proven or not checked yet, -1 no";
        metrics.register(
            "audit_unaltered",
            &format!("Whether the audit log is unaltered, {words}"),
            counts.unaltered.clone(),
        );
        metrics.register(
            "audit_complete",
            &format!("Whether the audit log is complete, {words}"),
            counts.complete.clone(),
        );
        counts
    }

    /// What a check of the audit log said.
    pub fn audit_verified(&self, report: &Report) {
        for (gauge, verdict) in [(&self.unaltered, &report.unaltered), (&self.complete, &report.complete)] {
            gauge.set(match verdict {
                Verdict::Yes => 1,
                Verdict::Unproven(_) => 0,
                Verdict::No(_) => -1,
            });
        }
    }
}

/// Runs everything that is due now, one after the other, until nothing is; answers how many jobs were run.
///
/// For tests and commands; a running service has a [`Runner`].
///
/// # Errors
/// [`TicketError::Database`]. A job that fails is no error: it is tried again later.
pub async fn run_due(app: &App) -> Result<usize, TicketError> {
    let runner = app.ids.new_id("run");
    let mut count = 0;
    loop {
        let claims = claim(app, &runner, 1).await?;
        if claims.is_empty() {
            return Ok(count);
        }
        for claim in claims {
            run_claimed(app, &runner, claim).await?;
            count += 1;
        }
    }
}

async fn claim(app: &App, runner: &str, limit: i64) -> Result<Vec<Claim>, TicketError> {
    let runner = runner.to_owned();
    app.store.write(&Actor::system(), move |scope| jobs::claim(scope, &runner, limit, LEASE_MS)).await
}

/// Runs one claimed job and writes down how it ended.
async fn run_claimed(app: &App, runner: &str, claim: Claim) -> Result<(), TicketError> {
    let Claim { id, job, attempt } = claim;
    let result = match &job {
        Ok(job) => tokio::time::timeout(JOB_TIMEOUT, with_request_id(&id, run(app, &id, job)))
            .await
            .unwrap_or_else(|_| Err(TicketError::Internal("it took too long".into()))),
        Err(error) => Err(TicketError::Internal(format!("this version does not know the job: {error}"))),
    };
    let runner = runner.to_owned();
    match result {
        Ok(()) => {
            app.job_metrics.done.inc();
            app.store.write(&Actor::system(), move |scope| jobs::finish(scope, &runner, &id)).await
        }
        Err(error) => {
            app.job_metrics.failed.inc();
            let given_up = attempt >= ATTEMPTS_MAX && !Job::is_never_given_up(&id);
            let wait_ms = retry_delay_ms(attempt, app.ids.below(u64::MAX));
            if given_up {
                tracing::error!(job.id = id, job.attempt = attempt, error.cause = %error, "a job was given up");
            } else {
                tracing::warn!(
                    job.id = id, job.attempt = attempt, job.retry_in_ms = wait_ms, error.cause = %error,
                    "a job failed and is tried again"
                );
            }
            let cause = error.to_string();
            app.store
                .write(&Actor::system(), move |scope| {
                    let run_at = (!given_up).then(|| scope.now.plus_ms(wait_ms).ms());
                    jobs::fail(scope, &runner, &id, &cause, run_at)
                })
                .await
        }
    }
}

async fn run(app: &App, id: &str, job: &Job) -> Result<(), TicketError> {
    match job {
        Job::ResolveCustomer { ticket } => {
            // The job's id goes to the bridge as the id of the request, so that both logs tell one story.
            resolve_customer::resolve_opened(app, TicketNumber(*ticket), id).await
        }
        Job::TellBridge { ticket } => tell_bridge::tell(app, TicketNumber(*ticket), id).await,
        Job::CloseResolved {} => close_resolved::close_resolved(app).await.map(drop),
        Job::ExchangeHeads {} => audit::heads::exchange_if_due(app, id).await.map(drop),
        Job::VerifyAudit {} => audit::records::verify_if_due(app, id).await.map(drop),
        Job::TidyUp {} => tidy_up::tidy_up(app).await,
        Job::WatchOversight {} => oversight::review::watch(app, id).await,
        Job::FollowCustomers {} => follow_customers::follow_customers(app, id).await.map(drop),
    }
}
