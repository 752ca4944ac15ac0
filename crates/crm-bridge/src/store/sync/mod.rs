//! What following the CRM needs to remember: how far each feed is, the copy of the customer base where the policy asks
//! for one ([`mirror`]), and what is to be fetched again ([`hints`]).
//!
//! A database of its own on SQLite: its writes are many and can be repeated, those of the looks are few and can't wait.

mod addresses;
pub mod hints;
pub mod mirror;
mod schema;

use db_kit::{Database, DatabaseConfig, DbError, Migrations, embed_migrations, on_both};
use diesel::prelude::*;
use service_kit::Timestamp;

use self::schema::{feeds, leases};

/// The tables of this store, for both databases.
pub static MIGRATIONS: Migrations = Migrations {
    sqlite: embed_migrations!("migrations-sync/sqlite"),
    postgres: embed_migrations!("migrations-sync/postgres"),
};

/// The store of the copy and of its progress.
#[derive(Clone, Debug)]
pub struct SyncStore {
    database: Database,
}

/// Whether the whole base is being copied or changes are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The whole base is being copied.
    First,
    /// Changes are followed.
    Delta,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Delta => "delta",
        }
    }
}

/// How far one feed is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Copying or following.
    pub phase: Phase,
    /// Where the next page begins, if a run was interrupted.
    pub mark: Option<String>,
    /// Changes up to then are in.
    pub since: Option<Timestamp>,
    /// The newest time of change seen in the run under way.
    pub newest: Option<Timestamp>,
    /// When the run under way began.
    pub run_started_at: Option<Timestamp>,
    /// When a run last came to its end.
    pub ended_well_at: Option<Timestamp>,
    /// What went wrong since then, from a closed set of words.
    pub trouble: Option<String>,
    /// When it did.
    pub trouble_at: Option<Timestamp>,
    /// Records written in the run under way.
    pub records: i64,
    /// How many the CRM says there are, where it says so.
    pub expected: Option<i64>,
    /// Counts the walks over the whole base.
    pub pass: i64,
    /// What was asked for.
    pub plan: String,
}

impl Feed {
    /// The beginning: nothing is known.
    #[must_use]
    pub fn new(phase: Phase, plan: &str) -> Self {
        Self {
            phase,
            mark: None,
            since: None,
            newest: None,
            run_started_at: None,
            ended_well_at: None,
            trouble: None,
            trouble_at: None,
            records: 0,
            expected: None,
            pass: 1,
            plan: plan.to_owned(),
        }
    }
}

type FeedRow = (
    String,
    String,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    i64,
    Option<i64>,
    i64,
    String,
);

fn feed_of(row: FeedRow) -> (String, Feed) {
    let (
        name,
        phase,
        mark,
        since,
        newest,
        run_started_at,
        ended_well_at,
        trouble,
        trouble_at,
        records,
        expected,
        pass,
        plan,
    ) = row;
    let instant = |ms: Option<i64>| ms.map(Timestamp::from_ms);
    let feed = Feed {
        phase: if phase == "first" { Phase::First } else { Phase::Delta },
        mark,
        since: instant(since),
        newest: instant(newest),
        run_started_at: instant(run_started_at),
        ended_well_at: instant(ended_well_at),
        trouble,
        trouble_at: instant(trouble_at),
        records,
        expected,
        pass,
        plan,
    };
    (name, feed)
}

type FeedColumns = (
    feeds::name,
    feeds::phase,
    feeds::mark,
    feeds::since,
    feeds::newest,
    feeds::run_started_at,
    feeds::ended_well_at,
    feeds::trouble,
    feeds::trouble_at,
    feeds::records,
    feeds::expected,
    feeds::pass,
    feeds::plan,
);

const COLUMNS: FeedColumns = (
    feeds::name,
    feeds::phase,
    feeds::mark,
    feeds::since,
    feeds::newest,
    feeds::run_started_at,
    feeds::ended_well_at,
    feeds::trouble,
    feeds::trouble_at,
    feeds::records,
    feeds::expected,
    feeds::pass,
    feeds::plan,
);

impl SyncStore {
    /// A store on that database, which has been brought up to date with [`MIGRATIONS`].
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Where the store is if nobody says so: beside the bridge's own file, or in the bridge's own PostgreSQL database.
    #[must_use]
    pub fn config_beside(bridge: &DatabaseConfig) -> DatabaseConfig {
        let url = match bridge.url.strip_prefix("sqlite:") {
            Some(path) => match path.strip_suffix(".db") {
                Some(stem) => format!("sqlite:{stem}-sync.db"),
                None => format!("sqlite:{path}-sync"),
            },
            None => bridge.url.clone(),
        };
        DatabaseConfig { url, connections_max: 3, readers_max: 2, can_be_made_anew: true, ..bridge.clone() }
    }

    /// Finishes what is waiting and closes.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// How far a feed is followed; none if it never began.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn feed(&self, name: &str) -> Result<Option<Feed>, DbError> {
        let name = name.to_owned();
        self.database
            .read(move |conn| {
                let row = feeds::table.filter(feeds::name.eq(&name)).select(COLUMNS);
                let row = row.first::<FeedRow>(conn).optional()?;
                Ok(row.map(|row| feed_of(row).1))
            })
            .await
    }

    /// All feeds that ever began, by name.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn feeds(&self) -> Result<Vec<(String, Feed)>, DbError> {
        self.database
            .read(|conn| {
                let rows = feeds::table.order(feeds::name).select(COLUMNS).load::<FeedRow>(conn)?;
                Ok(rows.into_iter().map(feed_of).collect())
            })
            .await
    }

    /// Notes how far a feed is followed.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn set_feed(&self, name: &str, feed: Feed) -> Result<(), DbError> {
        let name = name.to_owned();
        self.database.write(move |conn| set_feed_in(conn, &name, &feed)).await
    }

    /// Forgets a feed.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn forget_feed(&self, name: &str) -> Result<(), DbError> {
        let name = name.to_owned();
        self.database
            .write(move |conn| {
                diesel::delete(feeds::table.filter(feeds::name.eq(&name))).execute(conn)?;
                Ok(())
            })
            .await
    }

    /// Takes or keeps the lease under that name until then. False if somebody else has it.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        ends_at: Timestamp,
    ) -> Result<bool, DbError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.database
            .write(move |conn| {
                let row =
                    (leases::name.eq(&name), leases::holder.eq(&holder), leases::ends_at.eq(ends_at.ms()));
                let made = on_both!(conn, |conn| diesel::insert_into(leases::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(conn))?;
                let free = leases::holder.eq(&holder).or(leases::ends_at.le(now.ms()));
                let taken = diesel::update(leases::table.filter(leases::name.eq(&name)).filter(free))
                    .set((leases::holder.eq(&holder), leases::ends_at.eq(ends_at.ms())))
                    .execute(conn)?;
                Ok(made + taken > 0)
            })
            .await
    }

    /// Gives the lease back, so that whoever waits for it need not wait for its end.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn end_lease(&self, name: &str, holder: &str) -> Result<(), DbError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.database
            .write(move |conn| {
                let ours = leases::name.eq(&name).and(leases::holder.eq(&holder));
                diesel::delete(leases::table.filter(ours)).execute(conn)?;
                Ok(())
            })
            .await
    }
}

fn set_feed_in(conn: &mut db_kit::AnyConnection, name: &str, feed: &Feed) -> Result<(), DbError> {
    let ms = |instant: Option<Timestamp>| instant.map(Timestamp::ms);
    let values = (
        feeds::phase.eq(feed.phase.as_str()),
        feeds::mark.eq(&feed.mark),
        feeds::since.eq(ms(feed.since)),
        feeds::newest.eq(ms(feed.newest)),
        feeds::run_started_at.eq(ms(feed.run_started_at)),
        feeds::ended_well_at.eq(ms(feed.ended_well_at)),
        feeds::trouble.eq(&feed.trouble),
        feeds::trouble_at.eq(ms(feed.trouble_at)),
        feeds::records.eq(feed.records),
        feeds::expected.eq(feed.expected),
        feeds::pass.eq(feed.pass),
        feeds::plan.eq(&feed.plan),
    );
    // Nearly always the row is there, and this statement is prepared once.
    if diesel::update(feeds::table.filter(feeds::name.eq(name))).set(values).execute(conn)? > 0 {
        return Ok(());
    }
    on_both!(conn, |conn| diesel::insert_into(feeds::table)
        .values((feeds::name.eq(name), values))
        .on_conflict(feeds::name)
        .do_update()
        .set(values)
        .execute(conn))?;
    Ok(())
}
