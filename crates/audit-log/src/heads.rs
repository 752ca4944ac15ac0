//! Heads, exchanged with the other service: each writes what the other has signed into its own chain.

use audit_chain::{COUNTERSIGNED, Head, PublicKey, Seen, SignedHead};
use db_kit::{AnyConnection, Database, DbError};
use diesel::prelude::*;
use service_kit::Timestamp;

use crate::rows::{HeadRow, Row, audit_head, audit_log};
use crate::{AuditLog, Event, HEAD};

/// Why a head of the other service is not countersigned. One of both logs is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Signed by another key than before.
    #[error("the head of the other service is not signed by the key that is known of it")]
    Key,
    /// It ends before what this log has seen of it, or says something else there.
    #[error(
        "the other service's log has been cut off, rewritten or set back: this log has seen a later head of it"
    )]
    TheirsBehind,
    /// The other service has seen something of this log that is not there any more.
    #[error(
        "this log has been cut off, rewritten or set back: the other service has seen a later head of it"
    )]
    OursBehind,
}

impl Conflict {
    /// As a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::TheirsBehind => "theirs_behind",
            Self::OursBehind => "ours_behind",
        }
    }
}

/// How a head of the other service was taken. Either way it is on the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Countersigned {
    /// It is in this chain now; this is the head after it, which says that it has seen theirs.
    Yes(Box<SignedHead>),
    /// It does not fit.
    No(Conflict),
}

impl AuditLog {
    /// Where this log ends, signed, with the newest head of the other service.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn signed_head(&self, conn: &mut AnyConnection, now: Timestamp) -> Result<SignedHead, DbError> {
        let seen = self.newest_of_other(conn)?.map(|head| head.head.place);
        let row = audit_head::table.find(HEAD).select(HeadRow::as_select()).get_result(conn).optional()?;
        let (chain, link) = match row {
            Some(row) => (row.chain.clone(), row.link()),
            None => self.locked(conn)?,
        };
        let place = Seen { chain, seq: link.seq, hash: link.hash };
        Ok(Head { service: self.service.to_owned(), place, at_ms: now.ms(), seen }.sign(&self.key))
    }

    /// The newest head of the other service in this log.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn newest_of_other(&self, conn: &mut AnyConnection) -> Result<Option<SignedHead>, DbError> {
        let newest = self.newest(conn, COUNTERSIGNED)?;
        Ok(newest.and_then(|entry| SignedHead::from_details(&entry.details).ok()))
    }

    /// Takes a head of the other service: if it fits what both have seen of each other, it is written into this chain,
    /// and the head after it is the countersignature. If not, that is recorded instead.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn countersign(
        &self,
        conn: &mut AnyConnection,
        theirs: &SignedHead,
        known_key: Option<PublicKey>,
        event: Event,
    ) -> Result<Countersigned, DbError> {
        // Whoever else is about to write waits, so that "newest" stays true.
        self.locked(conn)?;
        let at = event.at;
        let event = Event { actor: theirs.head.service.clone(), ..event };
        if let Some(conflict) = self.conflict(conn, theirs, known_key)? {
            let event = Event { action: "audit.refused", ..event };
            self.append(conn, &[event.with("reason", conflict.as_str()).with("seq", theirs.head.place.seq)])?;
            return Ok(Countersigned::No(conflict));
        }
        self.append(conn, &[Event { action: COUNTERSIGNED, details: theirs.to_details(), ..event }])?;
        Ok(Countersigned::Yes(Box::new(self.signed_head(conn, at)?)))
    }

    fn conflict(
        &self,
        conn: &mut AnyConnection,
        theirs: &SignedHead,
        known_key: Option<PublicKey>,
    ) -> Result<Option<Conflict>, DbError> {
        let newest = self.newest_of_other(conn)?;
        let key = known_key.or(newest.as_ref().map(|head| head.key));
        if theirs.check(key.as_ref()).is_err() || theirs.head.service == self.service {
            return Ok(Some(Conflict::Key));
        }
        if let Some(newest) = newest {
            let (place, before) = (&theirs.head.place, &newest.head.place);
            let same = place.seq == before.seq && place.hash == before.hash;
            // A log that grew again after it was cut has forgotten what it had seen of this one.
            let forgot = match (&theirs.head.seen, &newest.head.seen) {
                (Some(seen), Some(before)) => seen.chain == before.chain && seen.seq < before.seq,
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if place.chain != before.chain || (place.seq <= before.seq && !same) || forgot {
                return Ok(Some(Conflict::TheirsBehind));
            }
        }
        match &theirs.head.seen {
            Some(seen) if !self.has(conn, seen)? => Ok(Some(Conflict::OursBehind)),
            _ => Ok(None),
        }
    }

    fn has(&self, conn: &mut AnyConnection, seen: &Seen) -> Result<bool, DbError> {
        let chain: Option<String> =
            audit_head::table.find(HEAD).select(audit_head::chain).get_result(conn).optional()?;
        if chain.as_deref() != Some(&seen.chain) {
            return Ok(false);
        }
        if seen.seq == 0 {
            return Ok(true);
        }
        let hash: Option<String> =
            audit_log::table.find(seen.seq).select(audit_log::hash).get_result(conn).optional()?;
        Ok(hash == Some(seen.hash.to_string()))
    }

    /// Heads of the other service in entries after that number, the oldest first, with the numbers of the entries.
    ///
    /// # Errors
    /// [`DbError`].
    pub fn heads_after(
        &self,
        conn: &mut AnyConnection,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, SignedHead)>, DbError> {
        let heads =
            audit_log::table.filter(audit_log::action.eq(COUNTERSIGNED).and(audit_log::seq.gt(after)));
        let rows: Vec<Row> = heads.order(audit_log::seq).limit(limit).select(Row::as_select()).load(conn)?;
        let read = |row: Row| {
            let seq = row.seq;
            Some((seq, SignedHead::from_details(&row.read().0.details).ok()?))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// All heads of the other service in this log, the oldest first.
    pub(crate) async fn heads_of_other(&self, database: &Database) -> Result<Vec<SignedHead>, DbError> {
        let rows: Vec<Row> = database
            .read(|conn| {
                let heads = audit_log::table.filter(audit_log::action.eq(COUNTERSIGNED));
                heads.order(audit_log::seq).select(Row::as_select()).load(conn).map_err(DbError::from)
            })
            .await?;
        Ok(rows.into_iter().filter_map(|row| SignedHead::from_details(&row.read().0.details).ok()).collect())
    }
}
