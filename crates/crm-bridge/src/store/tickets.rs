//! Tickets as the CRM may read them, and the feed of what became of them. What the ticket policy does not list never gets
//! here; see [`crate::app::crm_api::receive`].

use db_kit::{AnyConnection, DbError, on_both};
use diesel::prelude::*;
use service_kit::Timestamp;

use super::schema::{
    crm_orders, crm_webhooks, customers, deliveries, ticket_feed, ticket_feed_head, ticket_links, tickets,
};
use super::{Store, link_ticket};
use crate::ticket_policy::TicketField;
use crate::walls::Wall;

/// Where a delivery to the CRM itself goes, beside the webhooks' ids.
pub const ACTIVITY_TARGET: &str = "activity";
/// What is forgotten of the feed in one transaction.
const FORGET_MAX: i64 = 500;

/// The listed members of a ticket's summary; those that are not listed are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable)]
pub struct Listed {
    /// What it is about.
    pub subject: Option<String>,
    /// Where it stands.
    pub status: Option<String>,
    /// How much it matters.
    pub priority: Option<String>,
    /// The line that works on it.
    pub line: Option<i64>,
    /// When it was opened, in milliseconds since 1970.
    pub created_at: Option<i64>,
    /// When it last changed.
    pub updated_at: Option<i64>,
    /// When it was resolved.
    pub resolved_at: Option<i64>,
    /// How content the requester was.
    pub rating: Option<i64>,
    /// How many messages went.
    pub public_messages: Option<i64>,
}

/// A ticket of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct TicketRow {
    /// Its number.
    pub ticket: i64,
    /// Its last event that was taken.
    pub sequence: i64,
    /// What may be read of it.
    pub listed: Listed,
}

/// An entry of the feed.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct FeedRow {
    /// Its number in the feed.
    pub seq: i64,
    /// The ticket.
    pub ticket: i64,
    /// Its place among the ticket's events.
    pub sequence: i64,
    /// What happened.
    pub change: String,
    /// When.
    pub at: i64,
    /// The CRM's id of the customer.
    pub crm_id: String,
    /// What may be read of the ticket.
    pub listed: Listed,
}

/// An event of a ticket, cut to what is listed.
#[derive(Clone, Debug)]
pub struct News {
    /// The ticket.
    pub ticket: i64,
    /// Its place among the ticket's events.
    pub sequence: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Whose the ticket is now, with what happened and how it looks; none if it is nobody's any more.
    pub now: Option<(String, &'static str, Listed)>,
}

/// What came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in the feed.
    News,
    /// It was known, or overtaken by one that was.
    Old,
    /// The ticket belongs to a customer who was never resolved for it, or is erased: nothing of it is kept.
    Stranger,
}

macro_rules! listed_columns {
    ($table:ident) => {
        (
            $table::subject,
            $table::status,
            $table::priority,
            $table::line,
            $table::created_at,
            $table::updated_at,
            $table::resolved_at,
            $table::rating,
            $table::public_messages,
        )
    };
}
macro_rules! listed_values {
    ($table:ident, $listed:expr) => {
        (
            $table::subject.eq($listed.subject.clone()),
            $table::status.eq($listed.status.clone()),
            $table::priority.eq($listed.priority.clone()),
            $table::line.eq($listed.line),
            $table::created_at.eq($listed.created_at),
            $table::updated_at.eq($listed.updated_at),
            $table::resolved_at.eq($listed.resolved_at),
            $table::rating.eq($listed.rating),
            $table::public_messages.eq($listed.public_messages),
        )
    };
}

/// That the bridge has linked ticket and customer, by its own table of links.
macro_rules! owned {
    ($table:ident) => {
        diesel::dsl::exists(
            ticket_links::table
                .filter(ticket_links::ticket.eq($table::ticket))
                .filter(ticket_links::customer_ref.nullable().eq($table::customer_ref.nullable())),
        )
    };
}
pub(super) use owned;

impl Store {
    /// Takes an event of the ticket service: remembers how the ticket looks, writes the feed, and queues a delivery to
    /// every webhook and, if `activity`, to the CRM. All or nothing.
    ///
    /// # Errors
    /// [`DbError`]; then the event has to be sent again.
    pub async fn take_news(
        &self,
        source: String,
        news: News,
        activity: bool,
        now: Timestamp,
    ) -> Result<Taken, DbError> {
        let (believe, way) = (!self.walls.stands(Wall::Belongs), Way { source, activity, now });
        self.database.write(move |conn| take(conn, &way, &news, believe)).await
    }

    /// The tickets of the CRM's customer, newest first, at most `limit`, with numbers below `before`.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn tickets_of(
        &self,
        source: String,
        crm_id: String,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<TicketRow>, DbError> {
        let any = !self.walls.stands(Wall::Owner);
        self.database
            .read(move |conn| {
                Ok(tickets::table
                    .inner_join(
                        customers::table.on(tickets::customer_ref.eq(customers::customer_ref.nullable())),
                    )
                    .filter(customers::source.eq(&source).and(customers::crm_id.eq(&crm_id)))
                    .filter(customers::erased_at.is_null())
                    // Whatever made it the customer's: the bridge itself has linked both.
                    .filter(owned!(tickets).or(any.into_sql::<diesel::sql_types::Bool>()))
                    .filter(tickets::ticket.lt(before.unwrap_or(i64::MAX)))
                    .order(tickets::ticket.desc())
                    .limit(limit)
                    .select((tickets::ticket, tickets::sequence, listed_columns!(tickets)))
                    .load(conn)?)
            })
            .await
    }

    /// One ticket, if it is this customer's.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn ticket_of(
        &self,
        source: String,
        crm_id: String,
        ticket: i64,
    ) -> Result<Option<TicketRow>, DbError> {
        let page = self.tickets_of(source, crm_id, Some(ticket.saturating_add(1)), 1).await?;
        Ok(page.into_iter().find(|row| row.ticket == ticket))
    }

    /// Entries of the feed after `after`, oldest first; none if some of them were forgotten already.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn feed_after(
        &self,
        source: String,
        after: i64,
        limit: i64,
    ) -> Result<Option<Vec<FeedRow>>, DbError> {
        let any = !self.walls.stands(Wall::Owner);
        self.database
            .read(move |conn| {
                let forgotten: i64 =
                    ticket_feed_head::table.select(ticket_feed_head::forgotten).get_result(conn)?;
                if after < forgotten {
                    return Ok(None);
                }
                let rows = feed_rows()
                    .filter(customers::source.eq(&source))
                    .filter(owned!(ticket_feed).or(any.into_sql::<diesel::sql_types::Bool>()))
                    .filter(ticket_feed::seq.gt(after))
                    .order(ticket_feed::seq)
                    .limit(limit)
                    .load(conn)?;
                Ok(Some(rows))
            })
            .await
    }

    /// The last number of the feed and the last one that was forgotten.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn feed_head(&self) -> Result<(i64, i64), DbError> {
        let head = (ticket_feed_head::last, ticket_feed_head::forgotten);
        self.database.read(move |conn| Ok(ticket_feed_head::table.select(head).get_result(conn)?)).await
    }

    /// Forgets the oldest entries of the feed from before that instant that nobody waits for; answers how many.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn forget_feed_before(&self, instant: Timestamp) -> Result<usize, DbError> {
        self.database
            .write(move |conn| {
                let waited: Option<i64> =
                    deliveries::table.select(diesel::dsl::min(deliveries::seq)).get_result(conn)?;
                // An event with an old time does not take along what came before it and is new.
                let kept: Option<i64> = ticket_feed::table
                    .filter(ticket_feed::at.ge(instant.ms()))
                    .select(diesel::dsl::min(ticket_feed::seq))
                    .get_result(conn)?;
                let old: Vec<i64> = ticket_feed::table
                    .filter(ticket_feed::at.lt(instant.ms()))
                    .filter(ticket_feed::seq.lt(waited.unwrap_or(i64::MAX)))
                    .filter(ticket_feed::seq.lt(kept.unwrap_or(i64::MAX)))
                    .order(ticket_feed::seq)
                    .limit(FORGET_MAX)
                    .select(ticket_feed::seq)
                    .load(conn)?;
                let Some(last) = old.last() else { return Ok(0) };
                diesel::update(ticket_feed_head::table)
                    .set(ticket_feed_head::forgotten.eq(*last))
                    .execute(conn)?;
                Ok(diesel::delete(ticket_feed::table.filter(ticket_feed::seq.le(*last))).execute(conn)?)
            })
            .await
    }

    /// Removes what the policy does not list any more, from tickets and feed.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn withhold(&self, fields: Vec<TicketField>) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                for field in &fields {
                    // From a closed set of words.
                    let column = field.as_str();
                    for table in ["tickets", "ticket_feed"] {
                        let sql = format!("UPDATE {table} SET {column} = NULL WHERE {column} IS NOT NULL");
                        diesel::sql_query(sql).execute(conn)?;
                    }
                }
                Ok(())
            })
            .await
    }
}

/// The feed with the CRM's ids of the customers.
#[diesel::dsl::auto_type]
pub(super) fn feed_rows() -> _ {
    ticket_feed::table
        .inner_join(customers::table.on(ticket_feed::customer_ref.eq(customers::customer_ref)))
        .select((
            ticket_feed::seq,
            ticket_feed::ticket,
            ticket_feed::sequence,
            ticket_feed::change,
            ticket_feed::at,
            customers::crm_id,
            (
                ticket_feed::subject,
                ticket_feed::status,
                ticket_feed::priority,
                ticket_feed::line,
                ticket_feed::created_at,
                ticket_feed::updated_at,
                ticket_feed::resolved_at,
                ticket_feed::rating,
                ticket_feed::public_messages,
            ),
        ))
}

/// Where an event comes from and what it leads to.
struct Way {
    source: String,
    activity: bool,
    now: Timestamp,
}

/// `believe` is for test builds: then nobody asks whose the ticket is.
fn take(conn: &mut AnyConnection, way: &Way, news: &News, believe: bool) -> Result<Taken, DbError> {
    let Way { source, activity, now } = way;
    let (activity, now) = (*activity, *now);
    // First of all, and so one after the other: of two that bring the same event the second one sees what the first did.
    let mut last: i64 = diesel::update(ticket_feed_head::table)
        .set(ticket_feed_head::last.eq(ticket_feed_head::last))
        .returning(ticket_feed_head::last)
        .get_result(conn)?;
    let known: Option<(i64, Option<String>)> = tickets::table
        .filter(tickets::ticket.eq(news.ticket))
        .select((tickets::sequence, tickets::customer_ref))
        .get_result(conn)
        .optional()?;
    if known.as_ref().is_some_and(|(sequence, _)| *sequence >= news.sequence) {
        return Ok(Taken::Old);
    }
    let theirs = match &news.now {
        Some(_) if believe => true,
        Some((customer_ref, ..)) => belongs(conn, source, news.ticket, customer_ref, now)?,
        None => true,
    };
    let owner = news.now.as_ref().filter(|_| theirs);
    let targets = targets(conn, activity)?;
    let before = known.and_then(|(_, customer_ref)| customer_ref);
    let mut entries: Vec<(String, &'static str, Listed)> = Vec::new();
    if let Some(old) = before.filter(|old| owner.is_none_or(|(new, ..)| new != old)) {
        entries.push((old, "withdrawn", Listed::default()));
    }
    entries.extend(owner.cloned());
    for (customer_ref, change, listed) in &entries {
        last += 1;
        insert_entry(conn, last, news, customer_ref, change, listed)?;
        for target in &targets {
            queue(conn, target, last, news.ticket, now)?;
        }
    }
    diesel::update(ticket_feed_head::table).set(ticket_feed_head::last.eq(last)).execute(conn)?;
    let empty = Listed::default();
    let listed = owner.map_or(&empty, |(_, _, listed)| listed);
    store_ticket(conn, news, owner.map(|(customer_ref, ..)| customer_ref.as_str()), listed)?;
    Ok(if theirs { Taken::News } else { Taken::Stranger })
}

/// Whether the bridge itself has said that the ticket may belong to this customer: it resolved the customer for it, or it
/// has ordered a ticket for the customer and waits to hear its number.
fn belongs(
    conn: &mut AnyConnection,
    source: &str,
    ticket: i64,
    customer_ref: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let alive: i64 = customers::table
        .filter(customers::customer_ref.eq(customer_ref))
        .filter(customers::source.eq(source).and(customers::erased_at.is_null()))
        .count()
        .get_result(conn)?;
    if alive == 0 {
        return Ok(false);
    }
    let linked: i64 = ticket_links::table
        .filter(ticket_links::ticket.eq(ticket).and(ticket_links::customer_ref.eq(customer_ref)))
        .count()
        .get_result(conn)?;
    if linked > 0 {
        return Ok(true);
    }
    let ordered: Option<(String, String)> = crm_orders::table
        .filter(crm_orders::customer_ref.eq(customer_ref))
        .filter(crm_orders::ticket.is_null().and(crm_orders::adopted.is_null()))
        .order(crm_orders::created_at)
        .limit(1)
        .select((crm_orders::key_id, crm_orders::idempotency_key))
        .get_result(conn)
        .optional()?;
    let Some((key_id, key)) = ordered else { return Ok(false) };
    // Which of the customer's open orders it is, only the answer to the order says. Each vouches for one ticket.
    let order =
        crm_orders::table.filter(crm_orders::key_id.eq(key_id).and(crm_orders::idempotency_key.eq(key)));
    diesel::update(order).set(crm_orders::adopted.eq(Some(ticket))).execute(conn)?;
    link_ticket(conn, ticket, customer_ref, now)?;
    Ok(true)
}

fn targets(conn: &mut AnyConnection, activity: bool) -> Result<Vec<String>, DbError> {
    let mut targets: Vec<String> = crm_webhooks::table
        .filter(crm_webhooks::stopped_at.is_null())
        .order(crm_webhooks::id)
        .select(crm_webhooks::id)
        .load(conn)?;
    if activity {
        targets.push(ACTIVITY_TARGET.to_owned());
    }
    Ok(targets)
}

fn insert_entry(
    conn: &mut AnyConnection,
    seq: i64,
    news: &News,
    customer_ref: &str,
    change: &str,
    listed: &Listed,
) -> Result<(), DbError> {
    let row = (
        ticket_feed::seq.eq(seq),
        ticket_feed::ticket.eq(news.ticket),
        ticket_feed::sequence.eq(news.sequence),
        ticket_feed::customer_ref.eq(customer_ref),
        ticket_feed::change.eq(change),
        ticket_feed::at.eq(news.at.ms()),
        listed_values!(ticket_feed, listed),
    );
    diesel::insert_into(ticket_feed::table).values(row).execute(conn)?;
    Ok(())
}

/// Queues a delivery, unless it is queued.
pub(super) fn queue(
    conn: &mut AnyConnection,
    target: &str,
    seq: i64,
    ticket: i64,
    now: Timestamp,
) -> Result<usize, DbError> {
    let row = (
        deliveries::target.eq(target),
        deliveries::seq.eq(seq),
        deliveries::ticket.eq(ticket),
        deliveries::attempts.eq(0),
        deliveries::next_at.eq(now.ms()),
        deliveries::dead.eq(false),
    );
    Ok(on_both!(conn, |conn| diesel::insert_into(deliveries::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(conn))?)
}

fn store_ticket(
    conn: &mut AnyConnection,
    news: &News,
    customer_ref: Option<&str>,
    listed: &Listed,
) -> Result<(), DbError> {
    let values = || {
        (
            tickets::customer_ref.eq(customer_ref),
            tickets::sequence.eq(news.sequence),
            listed_values!(tickets, listed),
        )
    };
    on_both!(conn, |conn| diesel::insert_into(tickets::table)
        .values((tickets::ticket.eq(news.ticket), values()))
        .on_conflict(tickets::ticket)
        .do_update()
        .set(values())
        .execute(conn))?;
    Ok(())
}

/// The customer is erased: their tickets are nobody's, and the feed forgets what it said of them.
pub(super) fn forget_customer(conn: &mut AnyConnection, customer_ref: &str) -> Result<(), DbError> {
    let empty = Listed::default();
    diesel::update(tickets::table.filter(tickets::customer_ref.eq(customer_ref)))
        .set((tickets::customer_ref.eq(None::<String>), listed_values!(tickets, empty)))
        .execute(conn)?;
    diesel::update(ticket_feed::table.filter(ticket_feed::customer_ref.eq(customer_ref)))
        .set(listed_values!(ticket_feed, empty))
        .execute(conn)?;
    Ok(())
}
