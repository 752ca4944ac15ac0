//! The copy of the customer base: sealed cards by the CRM's id, and keyed hashes of addresses to find them by.
//!
//! The first copy only ever appends: rows come in the order of the CRM's pages, without an index that would have to be
//! kept up at random places, which is what makes copies of large bases slow and large in memory. The index is made, and the
//! hashes are sorted ([`addresses`]), once, when the copy is complete; until then the copy answers nothing.

use std::collections::{BTreeSet, HashMap};

use db_kit::{AnyConnection, DbError, on_both};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use service_kit::Timestamp;

use super::addresses::{self, Entry};
use super::schema::{mirror, mirror_policies};
use super::{Feed, Phase, SyncStore, set_feed_in};

/// The hash of an address in the copy. 63 bits are enough: among ten million addresses the chance that a look-up
/// meets somebody else's is one in 10^12.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortHash(pub i64);

/// One customer on the way into the copy.
#[derive(Debug, Clone)]
pub struct Row {
    /// The CRM's id.
    pub crm_id: String,
    /// The sealed card.
    pub sealed: Vec<u8>,
    /// When the CRM gave it.
    pub as_of: Timestamp,
    /// By what the customer is found.
    pub addresses: Vec<ShortHash>,
}

/// One customer out of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The CRM's id.
    pub crm_id: String,
    /// The sealed card.
    pub sealed: Vec<u8>,
    /// The policy under which it was read.
    pub policy_hash: String,
    /// When the CRM gave it.
    pub as_of: Timestamp,
}

impl Row {
    fn packed_addresses(&self) -> Vec<u8> {
        self.addresses.iter().flat_map(|address| address.0.to_be_bytes()).collect()
    }
}

fn unpacked(addresses: &[u8]) -> impl Iterator<Item = i64> {
    let (whole, _) = addresses.as_chunks::<8>();
    whole.iter().map(|bytes| i64::from_be_bytes(*bytes))
}

const BY_ID: &str = "CREATE UNIQUE INDEX mirror_by_id ON mirror (crm_id)";
const NO_INDEX: &str = "DROP INDEX IF EXISTS mirror_by_id";

impl SyncStore {
    /// Writes pages of the first copy, and how far the feed is, in one transaction. Rows are appended as they come; a
    /// customer who moved between pages is there twice until [`SyncStore::finish_copy`].
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn append_page(
        &self,
        name: &str,
        feed: Feed,
        policy_hash: &str,
        rows: Vec<Row>,
    ) -> Result<(), DbError> {
        let (name, policy_hash) = (name.to_owned(), policy_hash.to_owned());
        self.database
            .write(move |conn| {
                let policy = policy_number(conn, &policy_hash)?;
                let entries = append(conn, rows, policy, feed.pass, &HashMap::new())?;
                addresses::gather(conn, &entries)?;
                set_feed_in(conn, &name, &feed)
            })
            .await
    }

    /// The first copy has come to its end: of customers who are there twice the newer row stays, and customers can be found.
    /// Takes seconds for a million. True if somebody was there twice.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn finish_copy(&self, name: &str, feed: Feed) -> Result<bool, DbError> {
        let name = name.to_owned();
        self.database
            .write(move |conn| {
                addresses::sort(conn)?;
                let was_twice = !index_by_id(conn);
                if was_twice {
                    keep_the_newer(conn)?;
                    conn.batch_execute(BY_ID)?;
                }
                set_feed_in(conn, &name, &Feed { phase: Phase::Delta, ..feed })?;
                Ok(was_twice)
            })
            .await
    }

    /// Empties the copy, for instance because another policy asks for other fields.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn clear_copy(&self) -> Result<(), DbError> {
        self.database
            .write(|conn| {
                conn.batch_execute(NO_INDEX)?;
                addresses::clear(conn)?;
                diesel::delete(mirror::table).execute(conn)?;
                diesel::delete(mirror_policies::table).execute(conn)?;
                Ok(())
            })
            .await
    }

    /// Writes changed customers into the complete copy, and how far the feed is, in one transaction.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn replace_rows(
        &self,
        progress: Option<(String, Feed)>,
        policy_hash: &str,
        pass: i64,
        rows: Vec<Row>,
    ) -> Result<(), DbError> {
        let policy_hash = policy_hash.to_owned();
        self.database
            .write(move |conn| {
                let policy = policy_number(conn, &policy_hash)?;
                let ids: Vec<&str> = rows.iter().map(|row| row.crm_id.as_str()).collect();
                let before = take_out(conn, &ids)?;
                // Who has the same addresses as before is found as before.
                let places = before.iter().map(|row| (row.crm_id.clone(), row.position)).collect();
                let old: BTreeSet<Entry> = before.iter().flat_map(TakenOut::entries).collect();
                let new = append(conn, rows, policy, pass, &places)?.into_iter().collect();
                for entry in old.difference(&new) {
                    addresses::take_away(conn, *entry)?;
                }
                addresses::add(conn, new.difference(&old).copied().collect())?;
                match progress {
                    Some((name, feed)) => set_feed_in(conn, &name, &feed),
                    None => Ok(()),
                }
            })
            .await
    }

    /// Removes customers from the copy.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn remove_rows(&self, crm_ids: Vec<String>) -> Result<(), DbError> {
        self.database
            .write(move |conn| {
                let ids: Vec<&str> = crm_ids.iter().map(String::as_str).collect();
                for entry in take_out(conn, &ids)?.iter().flat_map(TakenOut::entries) {
                    addresses::take_away(conn, entry)?;
                }
                Ok(())
            })
            .await
    }

    /// Up to `limit` customers of the copy whom the walk of that number did not see.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn unseen(&self, pass: i64, limit: i64) -> Result<Vec<String>, DbError> {
        self.database
            .read(move |conn| {
                let unseen = mirror::table.filter(mirror::pass.lt(pass)).select(mirror::crm_id);
                Ok(unseen.limit(limit).load(conn)?)
            })
            .await
    }

    /// The customers with that address, at most `limit`.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn find_rows(&self, address: ShortHash, limit: usize) -> Result<Vec<Kept>, DbError> {
        self.database
            .read(move |conn| {
                let mut found: Vec<Kept> = Vec::new();
                addresses::each(conn, address.0, limit.max(1), |conn, positions| {
                    for row in rows_at(conn, address, positions)? {
                        if found.len() < limit && found.iter().all(|known| known.crm_id != row.crm_id) {
                            found.push(row);
                        }
                    }
                    Ok(found.len() >= limit)
                })?;
                Ok(found)
            })
            .await
    }

    /// The customer of that id.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn row(&self, crm_id: &str) -> Result<Option<Kept>, DbError> {
        let crm_id = crm_id.to_owned();
        self.database
            .read(move |conn| {
                let row = mirror::table
                    .inner_join(mirror_policies::table.on(mirror_policies::number.eq(mirror::policy)))
                    .filter(mirror::crm_id.eq(&crm_id))
                    .select((mirror::crm_id, mirror::sealed, mirror_policies::hash, mirror::as_of))
                    .first::<(String, Vec<u8>, String, i64)>(conn)
                    .optional()?;
                Ok(row.map(kept))
            })
            .await
    }

    /// How many customers are in the copy. Counts them; for reports, not for requests.
    ///
    /// # Errors
    /// [`DbError`].
    pub async fn rows(&self) -> Result<i64, DbError> {
        self.database.read(|conn| Ok(mirror::table.count().get_result(conn)?)).await
    }
}

/// Those of the rows at these positions that have that address.
fn rows_at(conn: &mut AnyConnection, address: ShortHash, positions: &[i64]) -> Result<Vec<Kept>, DbError> {
    let rows = mirror::table
        .inner_join(mirror_policies::table.on(mirror_policies::number.eq(mirror::policy)))
        .filter(mirror::position.eq_any(positions))
        .order(mirror::position)
        .select(((mirror::crm_id, mirror::sealed, mirror_policies::hash, mirror::as_of), mirror::addresses))
        .load::<((String, Vec<u8>, String, i64), Vec<u8>)>(conn)?;
    let is_found = |found_by: &[u8]| unpacked(found_by).any(|one| one == address.0);
    Ok(rows.into_iter().filter(|(_, found_by)| is_found(found_by)).map(|(row, _)| kept(row)).collect())
}

fn kept((crm_id, sealed, policy_hash, as_of): (String, Vec<u8>, String, i64)) -> Kept {
    Kept { crm_id, sealed, policy_hash, as_of: Timestamp::from_ms(as_of) }
}

fn policy_number(conn: &mut AnyConnection, hash: &str) -> Result<i64, DbError> {
    let known = mirror_policies::table.filter(mirror_policies::hash.eq(hash)).select(mirror_policies::number);
    if let Some(number) = known.first(conn).optional()? {
        return Ok(number);
    }
    let last: Option<i64> =
        mirror_policies::table.select(diesel::dsl::max(mirror_policies::number)).first(conn)?;
    let number = last.unwrap_or(0) + 1;
    diesel::insert_into(mirror_policies::table)
        .values((mirror_policies::number.eq(number), mirror_policies::hash.eq(hash)))
        .execute(conn)?;
    Ok(number)
}

/// False if somebody is there twice.
#[expect(
    clippy::disallowed_methods,
    reason = "a savepoint in db_kit's transaction, which goes on if this fails"
)]
fn index_by_id(conn: &mut AnyConnection) -> bool {
    conn.transaction::<(), diesel::result::Error, _>(|conn| conn.batch_execute(BY_ID)).is_ok()
}

/// Of customers who are there twice the newer row stays.
fn keep_the_newer(conn: &mut AnyConnection) -> Result<(), DbError> {
    const OLDER: &str = "SELECT position FROM mirror WHERE EXISTS (SELECT 1 FROM mirror AS newer \
                         WHERE newer.crm_id = mirror.crm_id AND newer.position > mirror.position)";
    conn.batch_execute("CREATE INDEX mirror_doubles ON mirror (crm_id, position)")?;
    conn.batch_execute(&format!("DELETE FROM mirror_addresses WHERE position IN ({OLDER})"))?;
    conn.batch_execute(&format!("DELETE FROM mirror WHERE position IN ({OLDER})"))?;
    conn.batch_execute("DROP INDEX mirror_doubles")?;
    Ok(())
}

/// Rows of one statement: so many at a time that the statement is made once and used again. SQLite copies the pages that a
/// statement begins to change aside, so few large statements are better than many small ones.
const AT_A_TIME: usize = 200;

/// Appends rows, or puts them in their old place if they had one. Answers by what they are found.
fn append(
    conn: &mut AnyConnection,
    rows: Vec<Row>,
    policy: i64,
    pass: i64,
    places: &HashMap<String, i64>,
) -> Result<Vec<Entry>, DbError> {
    let last: Option<i64> = mirror::table.select(diesel::dsl::max(mirror::position)).first(conn)?;
    let mut last = last.max(places.values().max().copied()).unwrap_or(0);
    let mut entries = Vec::with_capacity(rows.len() * 2);
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        let position = places.get(&row.crm_id).copied().unwrap_or_else(|| {
            last += 1;
            last
        });
        entries.extend(row.addresses.iter().map(|address| (address.0, position)));
        let packed = row.packed_addresses();
        values.push((
            mirror::position.eq(position),
            mirror::crm_id.eq(row.crm_id),
            mirror::as_of.eq(row.as_of.ms()),
            mirror::policy.eq(policy),
            mirror::pass.eq(pass),
            mirror::addresses.eq(packed),
            mirror::sealed.eq(row.sealed),
        ));
    }
    on_both!(conn, |conn| {
        let (many, few) = by_many(values);
        for some in many {
            diesel::insert_into(mirror::table).values(some).execute(conn)?;
        }
        diesel::insert_into(mirror::table).values(few).execute(conn)
    })?;
    Ok(entries)
}

pub(super) fn by_many<T>(values: Vec<T>) -> (Vec<[T; AT_A_TIME]>, Vec<T>) {
    let mut many = Vec::with_capacity(values.len() / AT_A_TIME);
    let mut values = values.into_iter();
    loop {
        let some: Vec<T> = values.by_ref().take(AT_A_TIME).collect();
        match some.try_into() {
            Ok(some) => many.push(some),
            Err(few) => return (many, few),
        }
    }
}

/// A row that is not there any more.
struct TakenOut {
    crm_id: String,
    position: i64,
    addresses: Vec<u8>,
}

impl TakenOut {
    fn entries(&self) -> impl Iterator<Item = Entry> {
        unpacked(&self.addresses).map(|address| (address, self.position))
    }
}

/// Deletes the rows of customers; by what they are found stays.
fn take_out(conn: &mut AnyConnection, crm_ids: &[&str]) -> Result<Vec<TakenOut>, DbError> {
    let mut taken_out = Vec::with_capacity(crm_ids.len());
    // SQLite binds at most 32,766 values; pages are far smaller, but nobody has to know.
    for ids in crm_ids.chunks(1_000) {
        let rows: Vec<(String, i64, Vec<u8>)> = mirror::table
            .filter(mirror::crm_id.eq_any(ids))
            .select((mirror::crm_id, mirror::position, mirror::addresses))
            .load(conn)?;
        let positions = rows.iter().map(|(_, position, _)| *position);
        diesel::delete(mirror::table.filter(mirror::position.eq_any(positions))).execute(conn)?;
        taken_out.extend(rows.into_iter().map(|(crm_id, position, addresses)| TakenOut {
            crm_id,
            position,
            addresses,
        }));
    }
    Ok(taken_out)
}
