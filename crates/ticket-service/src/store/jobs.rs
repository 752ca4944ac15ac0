//! The queue of jobs. A job is queued in the transaction that causes it, and claimed by one conditional update.

use db_kit::on_both;
use diesel::prelude::*;

use crate::domain::Job;
use crate::error::TicketError;
use crate::store::Scope;
use crate::store::schema::jobs;

/// What went wrong is kept up to this many characters.
const ERROR_CHARS_MAX: usize = 500;

/// A job that one runner has to itself until the lease ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The job's id.
    pub id: String,
    /// The job; `Err` with the reason if this version of the program does not know it.
    pub job: Result<Job, String>,
    /// Which attempt this is, from 1.
    pub attempt: i32,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Jobs that wait or run.
    pub waiting: i64,
    /// Jobs that failed too often and wait for people.
    pub dead: i64,
}

/// Queues a job; it runs as soon as the transaction is committed.
pub fn enqueue(scope: &mut Scope<'_>, job: &Job) -> Result<(), TicketError> {
    let (kind, payload) = stored(job)?;
    diesel::insert_into(jobs::table)
        .values((
            jobs::id.eq(scope.new_id("job")),
            jobs::kind.eq(kind),
            jobs::payload.eq(payload),
            jobs::run_at.eq(scope.now.ms()),
            jobs::attempts.eq(0),
            jobs::dead.eq(false),
        ))
        .execute(scope.conn)?;
    scope.jobs_queued = true;
    Ok(())
}

/// Queues a job of which there is one at most (see [`Job::own_id`]). If it is queued already it becomes due at once, and
/// if somebody runs it just now it runs once more after that.
pub fn enqueue_again(scope: &mut Scope<'_>, job: &Job) -> Result<(), TicketError> {
    let Some(id) = job.own_id() else { return enqueue(scope, job) };
    let (kind, payload) = stored(job)?;
    let now = scope.now.ms();
    let state = || {
        (
            jobs::run_at.eq(now),
            jobs::attempts.eq(0),
            jobs::dead.eq(false),
            // Takes the claim from a runner: its end no longer ends the job.
            jobs::claimed_by.eq(None::<String>),
            jobs::claimed_until.eq(None::<i64>),
        )
    };
    let row = (jobs::id.eq(id), jobs::kind.eq(kind), jobs::payload.eq(payload), state());
    on_both!(scope.conn, |conn| diesel::insert_into(jobs::table)
        .values(row)
        .on_conflict(jobs::id)
        .do_update()
        .set(state())
        .execute(conn))?;
    scope.jobs_queued = true;
    Ok(())
}

/// Queues the recurring jobs that are not queued yet.
pub fn ensure_recurring(scope: &mut Scope<'_>) -> Result<(), TicketError> {
    for (id, job, rest_ms) in Job::RECURRING {
        let (kind, payload) = stored(&job)?;
        let row = (
            jobs::id.eq(id),
            jobs::kind.eq(kind),
            jobs::payload.eq(payload),
            jobs::run_at.eq(scope.now.plus_ms(rest_ms).ms()),
            jobs::attempts.eq(0),
            jobs::dead.eq(false),
        );
        on_both!(scope.conn, |conn| diesel::insert_into(jobs::table)
            .values(row)
            .on_conflict(jobs::id)
            .do_nothing()
            .execute(conn))?;
    }
    Ok(())
}

fn stored(job: &Job) -> Result<(String, String), TicketError> {
    let value = serde_json::to_value(job).map_err(|error| TicketError::Internal(error.to_string()))?;
    let kind = value.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned();
    let payload = value.get("payload").map(ToString::to_string).unwrap_or_default();
    Ok((kind, payload))
}

fn read_back(kind: &str, payload: &str) -> Result<Job, String> {
    let payload: serde_json::Value = serde_json::from_str(payload).map_err(|error| error.to_string())?;
    serde_json::from_value(serde_json::json!({ "kind": kind, "payload": payload }))
        .map_err(|error| error.to_string())
}

/// Claims up to `limit` jobs that are due, for `lease_ms`. Nobody else gets them before the lease ends.
///
/// The condition stands in the inner and in the outer query: of two runners that find the same job at the same moment
/// PostgreSQL lets the second one wait for the first, looks at the outer condition again, and gives it nothing.
pub fn claim(
    scope: &mut Scope<'_>,
    runner: &str,
    limit: i64,
    lease_ms: i64,
) -> Result<Vec<Claim>, TicketError> {
    let now = scope.now.ms();
    let due = diesel::alias!(jobs as due);
    let candidates = due
        .filter(due.field(jobs::dead).eq(false))
        .filter(due.field(jobs::run_at).le(now))
        .filter(due.field(jobs::claimed_until).is_null().or(due.field(jobs::claimed_until).le(now)))
        .order(due.field(jobs::run_at))
        .limit(limit)
        .select(due.field(jobs::id));
    let claimable = jobs::dead
        .eq(false)
        .and(jobs::run_at.le(now))
        .and(jobs::claimed_until.is_null().or(jobs::claimed_until.le(now)));
    let mut rows: Vec<(i64, String, String, String, i32)> = diesel::update(jobs::table)
        .filter(jobs::id.eq_any(candidates))
        .filter(claimable)
        .set((
            jobs::claimed_by.eq(runner),
            jobs::claimed_until.eq(now.saturating_add(lease_ms)),
            jobs::attempts.eq(jobs::attempts + 1),
        ))
        .returning((jobs::run_at, jobs::id, jobs::kind, jobs::payload, jobs::attempts))
        .get_results(scope.conn)?;
    rows.sort();
    Ok(rows
        .into_iter()
        .map(|(_, id, kind, payload, attempt)| Claim { job: read_back(&kind, &payload), id, attempt })
        .collect())
}

/// The job is done; a recurring one rests. Does nothing if the lease has ended and somebody else has the job.
pub fn finish(scope: &mut Scope<'_>, runner: &str, id: &str) -> Result<(), TicketError> {
    let mine = jobs::table.filter(jobs::id.eq(id).and(jobs::claimed_by.eq(runner)));
    match Job::rest_ms(id) {
        None => diesel::delete(mine).execute(scope.conn)?,
        Some(rest_ms) => diesel::update(mine)
            .set((
                jobs::run_at.eq(scope.now.plus_ms(rest_ms).ms()),
                jobs::attempts.eq(0),
                jobs::claimed_by.eq(None::<String>),
                jobs::claimed_until.eq(None::<i64>),
                jobs::last_error.eq(None::<String>),
            ))
            .execute(scope.conn)?,
    };
    Ok(())
}

/// The job failed: it is tried again at `run_at`, or put aside for people if there is no such time.
pub fn fail(
    scope: &mut Scope<'_>,
    runner: &str,
    id: &str,
    error: &str,
    run_at: Option<i64>,
) -> Result<(), TicketError> {
    let mine = jobs::table.filter(jobs::id.eq(id).and(jobs::claimed_by.eq(runner)));
    let error: String = error.chars().take(ERROR_CHARS_MAX).collect();
    diesel::update(mine)
        .set((
            jobs::run_at.eq(run_at.unwrap_or(scope.now.ms())),
            jobs::dead.eq(run_at.is_none()),
            jobs::claimed_by.eq(None::<String>),
            jobs::claimed_until.eq(None::<i64>),
            jobs::last_error.eq(error),
        ))
        .execute(scope.conn)?;
    Ok(())
}

/// The runner stops: what it has claimed and not finished is free at once, as if it had not been tried.
pub fn hand_back(scope: &mut Scope<'_>, runner: &str) -> Result<usize, TicketError> {
    Ok(diesel::update(jobs::table.filter(jobs::claimed_by.eq(runner)))
        .set((
            jobs::attempts.eq(jobs::attempts - 1),
            jobs::claimed_by.eq(None::<String>),
            jobs::claimed_until.eq(None::<i64>),
        ))
        .execute(scope.conn)?)
}

/// When the next job is due or the next lease ends, if there is any.
pub fn next_due(scope: &mut Scope<'_>) -> Result<Option<i64>, TicketError> {
    let alive = jobs::table.filter(jobs::dead.eq(false));
    let free: Option<i64> = alive
        .filter(jobs::claimed_until.is_null())
        .select(diesel::dsl::min(jobs::run_at))
        .get_result(scope.conn)?;
    let leased: Option<i64> = alive
        .filter(jobs::claimed_until.is_not_null())
        .select(diesel::dsl::min(jobs::claimed_until))
        .get_result(scope.conn)?;
    Ok([free, leased].into_iter().flatten().min())
}

/// How much there is to do.
pub fn counts(scope: &mut Scope<'_>) -> Result<JobCounts, TicketError> {
    let rows: Vec<(bool, i64)> =
        jobs::table.group_by(jobs::dead).select((jobs::dead, diesel::dsl::count_star())).load(scope.conn)?;
    let of = |dead| rows.iter().find(|(is_dead, _)| *is_dead == dead).map_or(0, |(_, count)| *count);
    Ok(JobCounts { waiting: of(false), dead: of(true) })
}
