//! What supervisors are to know. Written in the transaction of what it is about, once for each piece of news.

use bridge_contract::{
    Acknowledgement, AsOf, BrokenGlass, Count, CustomerRef, EntryId, Ground, Notice, NoticeKind,
    PAGE_ENTRIES_MAX, Reason, ViewerId,
};
use db_kit::{AnyConnection, DbError, on_both};
use diesel::prelude::*;
use service_kit::Timestamp;

use super::Meter;
use crate::store::Store;
use crate::store::schema::notices;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Counted facts.
pub(super) struct News<'a> {
    pub(super) about: NoticeKind,
    pub(super) since: Timestamp,
    pub(super) counted: u32,
    pub(super) threshold: u32,
    pub(super) ticket: Option<i64>,
    pub(super) customer_ref: Option<&'a str>,
    pub(super) glass: Option<&'a BrokenGlass>,
}

impl Default for News<'_> {
    fn default() -> Self {
        Self {
            about: NoticeKind::BreakGlass,
            since: Timestamp::from_ms(0),
            counted: 0,
            threshold: 0,
            ticket: None,
            customer_ref: None,
            glass: None,
        }
    }
}

/// What became of an acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledged {
    /// The notice as it is now.
    Done(Box<Notice>),
    /// There is no such notice.
    Unknown,
    /// It is about the supervisor themselves.
    Own,
}

pub(super) fn tell(
    conn: &mut AnyConnection,
    meter: &Meter,
    operator: Option<&ViewerId>,
    news: &News<'_>,
) -> Result<(), DbError> {
    let id = meter.ids.new_id("ntc");
    let who = operator.map(ViewerId::as_str);
    // Each broken glass is news; of the rest, one for a window.
    let same = match news.glass {
        Some(_) => id.clone(),
        None => format!("{}:{}:{}", news.about.as_str(), who.unwrap_or_default(), news.since.ms()),
    };
    let row = (
        (
            notices::id.eq(&id),
            notices::at.eq(meter.now.ms()),
            notices::about.eq(news.about.as_str()),
            notices::is_anomaly.eq(news.about.is_anomaly()),
            notices::news.eq(&same),
            notices::operator.eq(who),
            notices::ticket.eq(news.ticket),
            notices::customer_ref.eq(news.customer_ref),
        ),
        (
            notices::since.eq(news.since.ms()),
            notices::counted.eq(i64::from(news.counted)),
            notices::threshold.eq(i64::from(news.threshold)),
            notices::ground.eq(news.glass.map(|glass| glass.ground.as_str())),
            notices::reason.eq(news.glass.map(|glass| glass.reason.as_str())),
        ),
    );
    on_both!(conn, |conn| diesel::insert_into(notices::table)
        .values(row)
        .on_conflict(notices::news)
        .do_nothing()
        .execute(conn))?;
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = notices)]
struct Row {
    id: String,
    at: i64,
    about: String,
    operator: Option<String>,
    ticket: Option<i64>,
    customer_ref: Option<String>,
    since: i64,
    counted: i64,
    threshold: i64,
    ground: Option<String>,
    reason: Option<String>,
    acknowledged_by: Option<String>,
    acknowledged_at: Option<i64>,
}

impl Row {
    fn notice(self) -> Result<Notice, DbError> {
        let count = |number: i64| Count::saturating(u32::try_from(number).unwrap_or(u32::MAX));
        let about = NoticeKind::ALL.into_iter().find(|kind| kind.as_str() == self.about);
        let acknowledged = self.acknowledged_by.zip(self.acknowledged_at);
        Ok(Notice {
            id: EntryId::new(self.id).map_err(damaged)?,
            at: instant(self.at)?,
            about: about.ok_or_else(|| damaged("a kind of notice"))?,
            operator: self.operator.map(ViewerId::new).transpose().map_err(damaged)?,
            ticket: self.ticket.map(u64::try_from).transpose().map_err(damaged)?,
            customer_ref: self.customer_ref.map(CustomerRef::new).transpose().map_err(damaged)?,
            since: instant(self.since)?,
            counted: count(self.counted),
            threshold: count(self.threshold),
            break_glass: glass(self.ground, self.reason)?,
            acknowledged: match acknowledged {
                Some((by, at)) => {
                    Some(Acknowledgement { by: ViewerId::new(by).map_err(damaged)?, at: instant(at)? })
                }
                None => None,
            },
        })
    }
}

pub(super) fn damaged(what: impl std::fmt::Display) -> DbError {
    DbError::Configuration(format!("a stored value does not fit its type: {what}"))
}

pub(super) fn instant(ms: i64) -> Result<AsOf, DbError> {
    AsOf::new(Timestamp::from_ms(ms).to_string()).map_err(damaged)
}

pub(super) fn glass(ground: Option<String>, reason: Option<String>) -> Result<Option<BrokenGlass>, DbError> {
    let Some((ground, reason)) = ground.zip(reason) else { return Ok(None) };
    let ground = Ground::ALL.into_iter().find(|known| known.as_str() == ground);
    Ok(Some(BrokenGlass {
        ground: ground.ok_or_else(|| damaged("a ground"))?,
        reason: Reason::new(reason).map_err(damaged)?,
    }))
}

impl Store {
    /// A page of notices, newest first; whether there are more, and how many are open in all.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn notices_page(
        &self,
        anomalies: bool,
        open: bool,
        before: Option<EntryId>,
    ) -> Result<(Vec<Notice>, bool, u32), DbError> {
        self.database
            .read(move |conn| {
                let mut query = notices::table.into_boxed::<db_kit::MultiBackend>();
                if anomalies {
                    query = query.filter(notices::is_anomaly.eq(true));
                }
                if open {
                    query = query.filter(notices::acknowledged_at.is_null());
                }
                if let Some(before) = &before {
                    query = query.filter(notices::id.lt(before.as_str().to_owned()));
                }
                let rows: Vec<Row> = query
                    .order(notices::id.desc())
                    .limit(i64::from(PAGE_ENTRIES_MAX) + 1)
                    .select(Row::as_select())
                    .load(conn)?;
                let more = rows.len() > usize::from(PAGE_ENTRIES_MAX);
                let page = rows.into_iter().take(usize::from(PAGE_ENTRIES_MAX)).map(Row::notice);
                let page = page.collect::<Result<Vec<_>, _>>()?;
                let open: i64 =
                    notices::table.filter(notices::acknowledged_at.is_null()).count().get_result(conn)?;
                Ok((page, more, u32::try_from(open).unwrap_or(u32::MAX)))
            })
            .await
    }

    /// A supervisor has seen a notice; one about themselves only if `may_be_own`. Whoever was first stays.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn acknowledge(
        &self,
        notice: EntryId,
        by: ViewerId,
        may_be_own: bool,
        now: Timestamp,
    ) -> Result<Acknowledged, DbError> {
        self.database
            .write(move |conn| {
                let this = notices::table.filter(notices::id.eq(notice.as_str()));
                let find = |conn: &mut AnyConnection| {
                    this.select(Row::as_select()).get_result::<Row>(conn).optional()
                };
                let Some(row) = find(conn)? else { return Ok(Acknowledged::Unknown) };
                if row.operator.as_deref() == Some(by.as_str()) && !may_be_own {
                    return Ok(Acknowledged::Own);
                }
                diesel::update(this.filter(notices::acknowledged_at.is_null()))
                    .set((notices::acknowledged_by.eq(by.as_str()), notices::acknowledged_at.eq(now.ms())))
                    .execute(conn)?;
                match find(conn)? {
                    Some(row) => Ok(Acknowledged::Done(Box::new(row.notice()?))),
                    None => Ok(Acknowledged::Unknown),
                }
            })
            .await
    }

    /// The ticket service found somebody who looks at cards without working on the tickets.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn report_idle(
        &self,
        operator: ViewerId,
        since: Timestamp,
        counted: u32,
        threshold: u32,
        meter: Meter,
    ) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let news =
                    News { about: NoticeKind::IdleLooks, since, counted, threshold, ..News::default() };
                tell(conn, &meter, Some(&operator), &news)
            })
            .await
    }

    /// An audit log failed its daily check: news once a day until it passes again.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn report_audit(&self, about: NoticeKind, meter: Meter) -> Result<(), DbError> {
        let since = Timestamp::from_ms(meter.now.ms().div_euclid(DAY_MS) * DAY_MS);
        self.database
            .write(move |conn| tell(conn, &meter, None, &News { about, since, ..News::default() }))
            .await
    }
}
