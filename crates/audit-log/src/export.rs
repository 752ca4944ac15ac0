//! Writing a stretch of the log for an auditor, and checking such a file without database or secret key.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use audit_chain::export::{
    ExportError, FORMAT, Manifest, Overview, Pins, check, closing_lines, entry_line, overview,
};
use audit_chain::{Digest, Link, PublicKey, Report, SignedHead};
use db_kit::{Database, DbError};
use diesel::prelude::*;
use service_kit::Timestamp;

use crate::AuditLog;
use crate::rows::audit_log;
use crate::verify::{entries, note_of_the_end};

const BATCH: i64 = 2_000;

/// Why there is no export, or no verdict on one.
#[derive(Debug, thiserror::Error)]
pub enum ExportFailed {
    /// The log can't be read.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The file can't be written or read.
    #[error("{path}: {cause}")]
    File {
        /// The path as given.
        path: String,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The file is no export.
    #[error("{path}: {cause}")]
    Format {
        /// The path as given.
        path: String,
        /// What is wrong.
        cause: ExportError,
    },
    /// An entry can't be written as JSON, which cannot be.
    #[error("an entry can't be written as JSON: {0}")]
    Json(String),
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many entries.
    pub entries: u64,
    /// The first one's number.
    pub first: i64,
    /// The last one's number.
    pub last: i64,
}

impl AuditLog {
    /// Writes the entries from `from` up to, not including, `to` into a new file; everything before and after with no
    /// limit given.
    ///
    /// # Errors
    /// [`ExportFailed`]; an existing file is not overwritten.
    pub async fn export(
        &self,
        database: &Database,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
        now: Timestamp,
        path: &Path,
    ) -> Result<Exported, ExportFailed> {
        let failed = |cause| ExportFailed::File { path: path.display().to_string(), cause };
        let log = self.clone();
        let (head, other) = database
            .read(move |conn| Ok::<_, DbError>((log.signed_head(conn, now)?, log.newest_of_other(conn)?)))
            .await?;
        let note = note_of_the_end(database).await?;
        let chain = note.map(|row| row.chain).unwrap_or_default();
        let (first, last) = stretch(database, from, to, head.head.place.seq).await?;
        let before = hash_at(database, first - 1).await?;
        let before = before.unwrap_or(Link::genesis(self.service, &chain).hash);
        let file = File::create_new(path).map_err(failed)?;
        let mut out = BufWriter::new(file);
        let json = |error: serde_json::Error| ExportFailed::Json(error.to_string());
        let (mut after, mut count, mut erased) = (first - 1, 0_u64, 0_u64);
        loop {
            let rows = entries(database, after, last, BATCH).await?;
            let Some(row) = rows.last() else { break };
            after = row.seq;
            for row in rows {
                let (entry, link) = row.read();
                count += 1;
                erased += u64::from(entry.customer.as_ref().is_some_and(|seal| seal.opening.is_none()));
                writeln!(out, "{}", entry_line(&entry, link.hash).map_err(json)?).map_err(failed)?;
            }
        }
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            service: self.service.to_owned(),
            chain,
            before,
            first,
            last,
            entries: count,
            erased,
            head,
            other_key: other.as_ref().map(|head| head.key),
            other,
            key: self.key.public(),
        };
        for line in closing_lines(manifest, &self.key).map_err(json)? {
            writeln!(out, "{line}").map_err(failed)?;
        }
        out.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
        Ok(Exported { entries: count, first, last })
    }
}

/// The numbers of the first and the last entry between two instants; clocks of several nodes may differ a little.
async fn stretch(
    database: &Database,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    end: i64,
) -> Result<(i64, i64), DbError> {
    database
        .read(move |conn| {
            let first: Option<i64> = match from {
                None => Some(1),
                Some(from) => audit_log::table
                    .filter(audit_log::at.ge(from.ms()).and(audit_log::seq.le(end)))
                    .select(diesel::dsl::min(audit_log::seq))
                    .get_result(conn)?,
            };
            let last: Option<i64> = match to {
                None => Some(end),
                Some(to) => audit_log::table
                    .filter(audit_log::at.lt(to.ms()).and(audit_log::seq.le(end)))
                    .select(diesel::dsl::max(audit_log::seq))
                    .get_result(conn)?,
            };
            let first = first.unwrap_or(end + 1);
            Ok((first, last.unwrap_or(0).max(first - 1)))
        })
        .await
}

async fn hash_at(database: &Database, seq: i64) -> Result<Option<Digest>, DbError> {
    if seq == 0 {
        return Ok(None);
    }
    database
        .read(move |conn| {
            let hash: Option<String> =
                audit_log::table.find(seq).select(audit_log::hash).get_result(conn).optional()?;
            Ok(hash.and_then(|hash| hash.parse().ok()))
        })
        .await
}

/// Checks an export, with the help of one of the other service if there is one. `own` and `other_key`: public keys that
/// the auditor has from elsewhere.
///
/// # Errors
/// [`ExportFailed`] if one of the files is no export.
pub fn check_file(
    path: &Path,
    other: Option<&Path>,
    own: Option<PublicKey>,
    other_key: Option<PublicKey>,
) -> Result<(Report, Manifest), ExportFailed> {
    let first_pass = |path: &Path| -> Result<Overview, ExportFailed> { read(path, |lines| overview(lines)) };
    let view = first_pass(path)?;
    let other = other.map(first_pass).transpose()?;
    let pins = Pins { own, other: other_key };
    let report = read(path, |lines| check(lines, &view, other.as_ref(), pins))?;
    Ok((report, view.manifest))
}

/// The heads that an export holds: if it is the other service's export, heads of one's own log.
///
/// # Errors
/// [`ExportFailed`] if the file is no export.
pub fn heads_in_file(path: &Path) -> Result<Vec<SignedHead>, ExportFailed> {
    Ok(read(path, |lines| overview(lines))?.heads)
}

/// A public key in a PEM file.
///
/// # Errors
/// [`ExportFailed::File`].
pub fn public_key_file(path: &Path) -> Result<PublicKey, ExportFailed> {
    let failed = |cause| ExportFailed::File { path: path.display().to_string(), cause };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let text = text.trim();
    // As PEM, or as `audit verify` prints it.
    PublicKey::from_pem(text)
        .ok()
        .or_else(|| text.parse().ok())
        .ok_or_else(|| failed(std::io::Error::other("not an Ed25519 public key")))
}

/// Runs `work` over the lines of a file. A line that can't be read ends them, and the manifest is then missing.
fn read<T>(
    path: &Path,
    work: impl FnOnce(&mut dyn Iterator<Item = String>) -> Result<T, ExportError>,
) -> Result<T, ExportFailed> {
    let name = || path.display().to_string();
    let file = File::open(path).map_err(|cause| ExportFailed::File { path: name(), cause })?;
    let mut failure = None;
    let mut lines = BufReader::new(file).lines().map_while(|line| match line {
        Ok(line) => Some(line),
        Err(error) => {
            failure = Some(error);
            None
        }
    });
    let outcome = work(&mut lines);
    drop(lines);
    match failure {
        Some(cause) => Err(ExportFailed::File { path: name(), cause }),
        None => outcome.map_err(|cause| ExportFailed::Format { path: name(), cause }),
    }
}
