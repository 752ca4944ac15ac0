//! What has yet to be delivered to the CRM, and where to. Each target has a lane for each ticket: only the first of a lane
//! can be claimed, so nothing overtakes, and one lane that is stuck does not hold up the others.

use db_kit::DbError;
use diesel::prelude::*;
use service_kit::Timestamp;

use super::Store;
use super::schema::{crm_webhooks, deliveries, ticket_feed, ticket_links};
use super::tickets::{FeedRow, feed_rows, owned, queue};
use crate::walls::Wall;

/// What went wrong is kept up to this many characters.
const ERROR_CHARS_MAX: usize = 120;

/// Where events go.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = crm_webhooks)]
pub struct WebhookRow {
    /// Its id, from which its secret is derived.
    pub id: String,
    /// The address.
    pub url: String,
    /// Since when.
    pub created_at: i64,
    /// When it was stopped.
    pub stopped_at: Option<i64>,
    /// Why.
    pub stopped_why: Option<String>,
}

/// A delivery that one worker has to itself until the lease ends.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// A webhook's id, or [`super::tickets::ACTIVITY_TARGET`].
    pub target: String,
    /// How often it was tried before.
    pub attempts: i32,
    /// The webhook's address; none for the CRM itself.
    pub url: Option<String>,
    /// What to deliver.
    pub entry: FeedRow,
}

/// How much waits at one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The target.
    pub target: String,
    /// Waits or is under way.
    pub waiting: i64,
    /// Failed too often and waits for people.
    pub dead: i64,
}

impl Store {
    /// Adds a webhook. It gets what happens from now on.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn insert_webhook(&self, webhook: WebhookRow) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                diesel::insert_into(crm_webhooks::table).values(webhook).execute(conn)?;
                Ok(())
            })
            .await
    }

    /// All webhooks, oldest first.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn webhooks(&self) -> Result<Vec<WebhookRow>, DbError> {
        self.database
            .read(|conn| {
                Ok(crm_webhooks::table.order((crm_webhooks::created_at, crm_webhooks::id)).load(conn)?)
            })
            .await
    }

    /// Stops a webhook and drops what waits for it; false if it did not run.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn stop_webhook(&self, id: String, why: &'static str, now: Timestamp) -> Result<bool, DbError> {
        self.database
            .write(move |conn| {
                let running = crm_webhooks::table
                    .filter(crm_webhooks::id.eq(&id).and(crm_webhooks::stopped_at.is_null()));
                let stopped = diesel::update(running)
                    .set((
                        crm_webhooks::stopped_at.eq(Some(now.ms())),
                        crm_webhooks::stopped_why.eq(Some(why)),
                    ))
                    .execute(conn)?;
                diesel::delete(deliveries::table.filter(deliveries::target.eq(&id))).execute(conn)?;
                Ok(stopped == 1)
            })
            .await
    }

    /// Claims the first delivery of lanes that are due, for `lease_ms`. Nobody else gets them before the lease ends.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn claim_deliveries(
        &self,
        now: Timestamp,
        lease_ms: i64,
        limit: i64,
    ) -> Result<Vec<Claimed>, DbError> {
        let any = !self.walls.stands(Wall::Owner);
        self.database
            .write(move |conn| {
                let earlier = diesel::alias!(deliveries as earlier);
                let is_behind = earlier
                    .filter(earlier.field(deliveries::target).eq(deliveries::target))
                    .filter(earlier.field(deliveries::ticket).eq(deliveries::ticket))
                    .filter(earlier.field(deliveries::seq).lt(deliveries::seq));
                let free = || deliveries::claimed_until.is_null().or(deliveries::claimed_until.le(now.ms()));
                let due: Vec<(String, i64, i32)> = deliveries::table
                    .filter(deliveries::dead.eq(false).and(deliveries::next_at.le(now.ms())))
                    .filter(free())
                    .filter(diesel::dsl::not(diesel::dsl::exists(is_behind)))
                    .order((deliveries::next_at, deliveries::seq))
                    .limit(limit)
                    .select((deliveries::target, deliveries::seq, deliveries::attempts))
                    .load(conn)?;
                let mut claimed = Vec::new();
                for (target, seq, attempts) in due {
                    let this = deliveries::table
                        .filter(deliveries::target.eq(&target).and(deliveries::seq.eq(seq)))
                        .filter(free());
                    let got = diesel::update(this)
                        .set(deliveries::claimed_until.eq(Some(now.plus_ms(lease_ms).ms())))
                        .execute(conn)?;
                    if got == 1 {
                        let entry = feed_rows()
                            .filter(ticket_feed::seq.eq(seq))
                            .filter(owned!(ticket_feed).or(any.into_sql::<diesel::sql_types::Bool>()))
                            .get_result(conn)
                            .optional()?;
                        let Some(entry) = entry else {
                            // Of a customer who has nothing to do with the ticket nobody is told.
                            let row = deliveries::target.eq(&target).and(deliveries::seq.eq(seq));
                            diesel::delete(deliveries::table.filter(row)).execute(conn)?;
                            continue;
                        };
                        let url = crm_webhooks::table
                            .filter(crm_webhooks::id.eq(&target))
                            .select(crm_webhooks::url)
                            .get_result(conn)
                            .optional()?;
                        claimed.push(Claimed { target, attempts, url, entry });
                    }
                }
                Ok(claimed)
            })
            .await
    }

    /// When the next delivery is due or the next lease ends, if anything waits that can move.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn next_delivery(&self) -> Result<Option<i64>, DbError> {
        self.database
            .read(|conn| {
                let earlier = diesel::alias!(deliveries as earlier);
                let is_behind = earlier
                    .filter(earlier.field(deliveries::target).eq(deliveries::target))
                    .filter(earlier.field(deliveries::ticket).eq(deliveries::ticket))
                    .filter(earlier.field(deliveries::seq).lt(deliveries::seq));
                let first = deliveries::table
                    .filter(deliveries::dead.eq(false))
                    .filter(diesel::dsl::not(diesel::dsl::exists(is_behind)));
                let free: Option<i64> = first
                    .filter(deliveries::claimed_until.is_null())
                    .select(diesel::dsl::min(deliveries::next_at))
                    .get_result(conn)?;
                let leased: Option<i64> = first
                    .filter(deliveries::claimed_until.is_not_null())
                    .select(diesel::dsl::min(deliveries::claimed_until))
                    .get_result(conn)?;
                Ok([free, leased].into_iter().flatten().min())
            })
            .await
    }

    /// It was delivered.
    ///
    /// # Errors
    /// [`DbError`]; then it is delivered once more.
    pub async fn delivered(&self, target: String, seq: i64) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let this =
                    deliveries::table.filter(deliveries::target.eq(target).and(deliveries::seq.eq(seq)));
                diesel::delete(this).execute(conn)?;
                Ok(())
            })
            .await
    }

    /// It was not: tried again at `next_at`, or dead since `now` if there is no such time.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn not_delivered(
        &self,
        target: String,
        seq: i64,
        why: String,
        next_at: Option<i64>,
        now: Timestamp,
    ) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let why: String = why.chars().take(ERROR_CHARS_MAX).collect();
                let this =
                    deliveries::table.filter(deliveries::target.eq(target).and(deliveries::seq.eq(seq)));
                diesel::update(this)
                    .set((
                        deliveries::attempts.eq(deliveries::attempts + 1),
                        deliveries::claimed_until.eq(None::<i64>),
                        deliveries::dead.eq(next_at.is_none()),
                        // Of a dead one it is when it died.
                        deliveries::next_at.eq(next_at.unwrap_or(now.ms())),
                        deliveries::last_error.eq(Some(why)),
                    ))
                    .execute(conn)?;
                Ok(())
            })
            .await
    }

    /// Tries the dead ones of a target again, in their order; answers how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn revive(&self, target: String, now: Timestamp) -> Result<usize, DbError> {
        self.database
            .write(move |conn| {
                let dead =
                    deliveries::table.filter(deliveries::target.eq(target).and(deliveries::dead.eq(true)));
                Ok(diesel::update(dead)
                    .set((
                        deliveries::dead.eq(false),
                        deliveries::attempts.eq(0),
                        deliveries::next_at.eq(now.ms()),
                    ))
                    .execute(conn)?)
            })
            .await
    }

    /// Gives up the dead ones of a target: what comes after them for the same tickets goes on. Answers how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn skip_dead(&self, target: String) -> Result<usize, DbError> {
        self.database
            .write(move |conn| {
                let dead =
                    deliveries::table.filter(deliveries::target.eq(target).and(deliveries::dead.eq(true)));
                Ok(diesel::delete(dead).execute(conn)?)
            })
            .await
    }

    /// Gives up those that have been dead since before that instant, so that the feed is not kept for them for ever: what comes after
    /// them for the same tickets goes on. Answers how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn give_up_dead_before(&self, instant: Timestamp, now: Timestamp) -> Result<usize, DbError> {
        self.database
            .write(move |conn| {
                let dead = || deliveries::table.filter(deliveries::dead.eq(true));
                // An earlier version did not note when: they get as long from now on.
                diesel::update(dead().filter(deliveries::next_at.eq(0)))
                    .set(deliveries::next_at.eq(now.ms()))
                    .execute(conn)?;
                let long = dead().filter(deliveries::next_at.lt(instant.ms()));
                Ok(diesel::delete(long).execute(conn)?)
            })
            .await
    }

    /// Delivers entries of the feed from `from` on once more; answers how many were queued.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn replay(&self, target: String, from: i64, now: Timestamp) -> Result<usize, DbError> {
        self.database
            .write(move |conn| {
                let entries: Vec<(i64, i64)> = ticket_feed::table
                    .filter(ticket_feed::seq.ge(from))
                    .order(ticket_feed::seq)
                    .select((ticket_feed::seq, ticket_feed::ticket))
                    .load(conn)?;
                let queued = entries.into_iter().map(|(seq, ticket)| queue(conn, &target, seq, ticket, now));
                queued.sum()
            })
            .await
    }

    /// How much waits at each target.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn backlogs(&self) -> Result<Vec<Backlog>, DbError> {
        self.database
            .read(|conn| {
                let rows: Vec<(String, bool, i64)> = deliveries::table
                    .group_by((deliveries::target, deliveries::dead))
                    .order(deliveries::target)
                    .select((deliveries::target, deliveries::dead, diesel::dsl::count_star()))
                    .load(conn)?;
                let mut backlogs: Vec<Backlog> = Vec::new();
                for (target, dead, count) in rows {
                    if backlogs.last().is_none_or(|last| last.target != target) {
                        backlogs.push(Backlog { target, waiting: 0, dead: 0 });
                    }
                    if let Some(last) = backlogs.last_mut() {
                        *(if dead { &mut last.dead } else { &mut last.waiting }) = count;
                    }
                }
                Ok(backlogs)
            })
            .await
    }
}
