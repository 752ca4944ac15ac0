//! Runs jobs as they come due, several at a time, until the service stops.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::domain::Actor;
use crate::error::TicketError;
use crate::jobs::{claim, run_claimed};
use crate::store::jobs;

/// Jobs that run when the service stops may take so long to end; then they are handed back.
const GRACE: Duration = Duration::from_secs(10);
/// Counting costs the more the more jobs wait, so it is done now and then.
const COUNT_EVERY: Duration = Duration::from_secs(5);
/// After a failure of the database the runner looks again so much later.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Runs jobs in the background. Several processes may each have one.
#[derive(Debug)]
pub struct Runner(JoinHandle<()>);

impl Runner {
    /// Queues the recurring jobs if they are not queued, and begins to run whatever is due.
    ///
    /// # Errors
    /// [`TicketError::Database`].
    pub async fn start(app: App) -> Result<Self, TicketError> {
        app.store.write(&Actor::system(), jobs::ensure_recurring).await?;
        let working = Working { id: app.ids.new_id("run"), app, running: JoinSet::new(), counted: None };
        Ok(Self(tokio::spawn(working.run())))
    }

    /// Waits for the end after [`App::stop`]: nothing more is claimed, what runs may finish, and what does not finish in
    /// time is handed back.
    pub async fn ended(self) {
        if let Err(error) = self.0.await {
            tracing::error!(error.cause = %error, "the job runner ended badly");
        }
    }
}

struct Working {
    id: String,
    app: App,
    running: JoinSet<()>,
    counted: Option<Instant>,
}

impl Working {
    async fn run(mut self) {
        loop {
            // A bell that rings while this looks for work is heard below: it is kept until somebody waits for it.
            let pause = self.start_due().await.unwrap_or_else(|error| {
                tracing::warn!(error.cause = %error, "jobs could not be claimed");
                Some(AFTER_FAILURE)
            });
            if self.wait(pause).await.is_break() {
                return self.end().await;
            }
        }
    }

    /// Starts as many due jobs as there is room for; answers how long to wait before looking again, if nothing happens.
    async fn start_due(&mut self) -> Result<Option<Duration>, TicketError> {
        self.count().await?;
        let app = &self.app;
        let room = app.config.jobs.concurrency.saturating_sub(self.running.len());
        if room == 0 {
            return Ok(None);
        }
        let due = app.store.read(&Actor::system(), jobs::next_due).await?;
        let wait_ms = due.map_or(i64::MAX, |due| due - app.clock.now().ms());
        if wait_ms > 0 {
            let poll_ms = app.config.jobs.poll_ms;
            return Ok(Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(poll_ms).min(poll_ms))));
        }
        for claim in claim(app, &self.id, i64::try_from(room).unwrap_or(1)).await? {
            let (app, id) = (app.clone(), self.id.clone());
            self.running.spawn(async move {
                if let Err(error) = run_claimed(&app, &id, claim).await {
                    // Its lease ends and somebody does it again.
                    tracing::warn!(error.cause = %error, "the end of a job could not be written down");
                }
            });
        }
        Ok(Some(Duration::ZERO))
    }

    /// Keeps the metrics near the truth.
    async fn count(&mut self) -> Result<(), TicketError> {
        if self.counted.is_some_and(|at| at.elapsed() < COUNT_EVERY) {
            return Ok(());
        }
        self.counted = Some(Instant::now());
        let counts = self.app.store.read(&Actor::system(), jobs::counts).await?;
        self.app.job_metrics.waiting.set(counts.waiting);
        self.app.job_metrics.dead.set(counts.dead);
        Ok(())
    }

    async fn wait(&mut self, pause: Option<Duration>) -> ControlFlow<()> {
        let pause = async {
            match pause {
                Some(pause) => sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.app.stopped() => return ControlFlow::Break(()),
            () = self.app.store.jobs_bell().notified() => {}
            Some(_) = self.running.join_next() => {}
            () = pause => {}
        }
        ControlFlow::Continue(())
    }

    async fn end(mut self) {
        let all_ended =
            timeout(GRACE, async { while self.running.join_next().await.is_some() {} }).await.is_ok();
        if all_ended {
            return;
        }
        self.running.shutdown().await;
        let id = self.id.clone();
        match self.app.store.write(&Actor::system(), move |scope| jobs::hand_back(scope, &id)).await {
            Ok(count) => tracing::info!(jobs.count = count, "handed jobs back"),
            Err(error) => {
                tracing::warn!(error.cause = %error, "jobs could not be handed back; their leases end soon")
            }
        }
    }
}
