//! By what customers of the copy are found: keyed hashes of addresses and numbers, each with a position in the copy.
//!
//! The first copy makes millions of them, and a row each with an index over all would take a seventh of its time. So each
//! page's are written down in one block as they come, and sorted into other blocks once, at the end; a search reads one of those.
//! Who comes or changes later gets rows. Sorted blocks stay as they are: each customer's row says by what it is found, and
//! an entry of which it does not say so any more is passed over.

use db_kit::{AnyConnection, DbError, on_both};
use diesel::declare_sql_function;
use diesel::prelude::*;
use diesel::sql_types::Binary;

use super::mirror::by_many;
use super::schema::{mirror_addresses, mirror_blocks};

/// A hash and a position.
pub(super) type Entry = (i64, i64);

const ENTRY_BYTES: usize = 16;
/// Entries of a sorted block: four blocks fill a page of SQLite.
const BLOCK_ENTRIES: usize = 250;
/// Entries that are sorted at a time, 4 MB; for each so many all blocks are read once.
const SORTED_ENTRIES: i64 = 250_000;
/// Unsorted blocks that are read at a time.
const BLOCKS_READ: i64 = 16;
/// Blocks that are looked at for one hash. Thousands share a number only if it is nobody's.
const BLOCKS_MAX: usize = 20;

/// Writes down entries of the first copy.
pub(super) fn gather(conn: &mut AnyConnection, entries: &[Entry]) -> Result<(), DbError> {
    if entries.is_empty() {
        return Ok(());
    }
    let number = gathered(conn)?;
    insert_block(conn, number, None, entries)
}

#[declare_sql_function]
extern "SQL" {
    /// Bytes of a binary value.
    fn length(bytes: Binary) -> Integer;
}

/// How many entries are in all blocks.
fn gathered(conn: &mut AnyConnection) -> Result<i64, DbError> {
    let last: Option<(i64, i32)> = mirror_blocks::table
        .order(mirror_blocks::number.desc())
        .select((mirror_blocks::number, length(mirror_blocks::entries)))
        .first(conn)
        .optional()?;
    Ok(last.map_or(0, |(number, bytes)| number.saturating_add(i64::from(bytes) / count(ENTRY_BYTES))))
}

fn insert_block(
    conn: &mut AnyConnection,
    number: i64,
    highest: Option<i64>,
    entries: &[Entry],
) -> Result<(), DbError> {
    let mut packed = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for (address, position) in entries {
        packed.extend_from_slice(&address.to_be_bytes());
        packed.extend_from_slice(&position.to_be_bytes());
    }
    let row = (
        mirror_blocks::number.eq(number),
        mirror_blocks::highest.eq(highest),
        mirror_blocks::entries.eq(packed),
    );
    on_both!(conn, |conn| diesel::insert_into(mirror_blocks::table).values(row).execute(conn))?;
    Ok(())
}

fn unpacked(entries: &[u8]) -> impl Iterator<Item = Entry> {
    let (whole, _) = entries.as_chunks::<8>();
    let (pairs, _) = whole.as_chunks::<2>();
    pairs.iter().map(|[address, position]| (i64::from_be_bytes(*address), i64::from_be_bytes(*position)))
}

/// Sorts what was gathered.
pub(super) fn sort(conn: &mut AnyConnection) -> Result<(), DbError> {
    let total = gathered(conn)?;
    let parts = total / SORTED_ENTRIES + 1;
    let mut number = total;
    for part in 0..parts {
        let mut entries = gathered_of(conn, total, |address| part_of(address, parts) == part)?;
        entries.sort_unstable();
        for block in entries.chunks(BLOCK_ENTRIES) {
            insert_block(conn, number, block.last().map(|(highest, _)| *highest), block)?;
            number += count(block.len());
        }
    }
    diesel::delete(mirror_blocks::table.filter(mirror_blocks::number.lt(total))).execute(conn)?;
    Ok(())
}

/// In which of so many equal parts of all hashes one is: they are as even as hashes are.
fn part_of(address: i64, parts: i64) -> i64 {
    i64::try_from((i128::from(address) * i128::from(parts)) >> 63).unwrap_or(0)
}

fn gathered_of(
    conn: &mut AnyConnection,
    total: i64,
    wanted: impl Fn(i64) -> bool,
) -> Result<Vec<Entry>, DbError> {
    // Hashes are even, but for those that many customers share.
    let mut entries = Vec::with_capacity(usize::try_from(total.min(SORTED_ENTRIES)).unwrap_or(0));
    let mut after = -1;
    loop {
        let blocks: Vec<(i64, Vec<u8>)> = mirror_blocks::table
            .filter(mirror_blocks::number.gt(after).and(mirror_blocks::number.lt(total)))
            .order(mirror_blocks::number)
            .select((mirror_blocks::number, mirror_blocks::entries))
            .limit(BLOCKS_READ)
            .load(conn)?;
        let Some((last, _)) = blocks.last() else { return Ok(entries) };
        after = *last;
        entries.extend(
            blocks.iter().flat_map(|(_, block)| unpacked(block)).filter(|(address, _)| wanted(*address)),
        );
    }
}

/// Adds entries to the complete copy.
pub(super) fn add(conn: &mut AnyConnection, entries: Vec<Entry>) -> Result<(), DbError> {
    let row = |(address, position): Entry| {
        (mirror_addresses::address.eq(address), mirror_addresses::position.eq(position))
    };
    let (many, few) = by_many(entries.into_iter().map(row).collect());
    on_both!(conn, |conn| {
        for some in many {
            diesel::insert_into(mirror_addresses::table).values(some).execute(conn)?;
        }
        diesel::insert_into(mirror_addresses::table).values(few).execute(conn)
    })?;
    Ok(())
}

/// Takes away an entry that was added; one in a block stays and is passed over.
pub(super) fn take_away(conn: &mut AnyConnection, (address, position): Entry) -> Result<(), DbError> {
    let this = mirror_addresses::address.eq(address).and(mirror_addresses::position.eq(position));
    diesel::delete(mirror_addresses::table.filter(this)).execute(conn)?;
    Ok(())
}

/// Forgets all.
pub(super) fn clear(conn: &mut AnyConnection) -> Result<(), DbError> {
    diesel::delete(mirror_addresses::table).execute(conn)?;
    diesel::delete(mirror_blocks::table).execute(conn)?;
    Ok(())
}

/// Tells `take` the positions of those who were found by that hash at some time, at most so many at a time, until it answers that it
/// has enough. Whether they still are, their rows say.
pub(super) fn each(
    conn: &mut AnyConnection,
    address: i64,
    at_a_time: usize,
    mut take: impl FnMut(&mut AnyConnection, &[i64]) -> Result<bool, DbError>,
) -> Result<(), DbError> {
    let added: Vec<i64> = mirror_addresses::table
        .filter(mirror_addresses::address.eq(address))
        .select(mirror_addresses::position)
        .limit(count(at_a_time))
        .load(conn)?;
    if !added.is_empty() && take(conn, &added)? {
        return Ok(());
    }
    let columns = (mirror_blocks::number, mirror_blocks::highest, mirror_blocks::entries);
    let mut next: Option<(i64, Option<i64>, Vec<u8>)> = mirror_blocks::table
        .filter(mirror_blocks::highest.ge(address))
        .order((mirror_blocks::highest, mirror_blocks::number))
        .select(columns)
        .first(conn)
        .optional()?;
    for _ in 0..BLOCKS_MAX {
        let Some((number, highest, entries)) = next else { return Ok(()) };
        let here = unpacked(&entries).filter(|entry| entry.0 == address);
        let positions: Vec<i64> = here.map(|(_, position)| position).collect();
        for some in positions.chunks(at_a_time) {
            if take(conn, some)? {
                return Ok(());
            }
        }
        if highest != Some(address) {
            return Ok(());
        }
        // Those with the same hash go on in the next block.
        let behind = mirror_blocks::table.filter(mirror_blocks::number.gt(number));
        next = behind.order(mirror_blocks::number).select(columns).first(conn).optional()?;
    }
    Ok(())
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_as_hashes_do_and_hold_equally_many() {
        for parts in [1, 2, 3, 7, 1_000] {
            let spread = (0..=10_000).map(|i| part_of(i64::MAX / 10_000 * i, parts));
            let all: Vec<i64> = spread.collect();
            assert!(all.is_sorted() && all.first() == Some(&0) && part_of(i64::MAX, parts) == parts - 1);
            for part in 0..parts {
                let many = count(all.iter().filter(|one| **one == part).count());
                assert!((many - 10_000 / parts).abs() <= 2, "{part} of {parts}: {many}");
            }
        }
    }
}
