//! Going along the whole log.

use audit_chain::{Anchor, Link, PublicKey, Report, SignedHead, Verifier};
use db_kit::{Database, DbError};
use diesel::prelude::*;

use crate::rows::{HeadRow, Row, audit_head, audit_log};
use crate::{AuditLog, HEAD};

/// Entries read at once: enough to forget the cost of a read, few enough to keep.
const BATCH: i64 = 2_000;

impl AuditLog {
    /// Reads every entry up to the present end, while others go on writing. `held`: heads of this log that the other
    /// service has; `other_key`: its public key, if it is known from elsewhere than this log.
    ///
    /// # Errors
    /// [`DbError`] if the log can't be read.
    pub async fn verify(
        &self,
        database: &Database,
        held: &[SignedHead],
        other_key: Option<PublicKey>,
    ) -> Result<Report, DbError> {
        let noted = note_of_the_end(database).await?;
        let (chain, end) = match &noted {
            Some(row) => (row.chain.clone(), row.link()),
            None => (String::new(), Link::genesis(self.service, "")),
        };
        let start = Link::genesis(self.service, &chain);
        let mut verifier = Verifier::new(start, Some(&self.key));
        let of_other = self.heads_of_other(database).await?;
        let other_key = other_key.or(of_other.first().map(|head| head.key));
        let signed_by_other = of_other.iter().filter(|head| head.check(other_key.as_ref()).is_ok());
        let seen = signed_by_other.filter_map(|head| head.head.seen.as_ref());
        let own = self.key.public();
        let held = held.iter().filter(|head| head.check(Some(&own)).is_ok()).map(|head| &head.head.place);
        for place in seen.chain(held).filter(|place| place.chain == chain) {
            verifier.expect(Anchor { seq: place.seq, hash: place.hash });
        }
        verifier.other_key(other_key);
        let mut after = 0;
        loop {
            let rows = entries(database, after, end.seq, BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows {
                let (entry, link) = row.read();
                verifier.take(&entry, link);
            }
        }
        Ok(verifier.finish(Some(end)))
    }
}

pub(crate) async fn note_of_the_end(database: &Database) -> Result<Option<HeadRow>, DbError> {
    database
        .read(|conn| {
            let row = audit_head::table.find(HEAD).select(HeadRow::as_select());
            Ok(row.get_result(conn).optional()?)
        })
        .await
}

/// The next entries after a number, up to another.
pub(crate) async fn entries(
    database: &Database,
    after: i64,
    up_to: i64,
    limit: i64,
) -> Result<Vec<Row>, DbError> {
    database
        .read(move |conn| {
            let rows = audit_log::table.filter(audit_log::seq.gt(after).and(audit_log::seq.le(up_to)));
            Ok(rows.order(audit_log::seq).limit(limit).select(Row::as_select()).load(conn)?)
        })
        .await
}
