//! An export: a file that an auditor checks with neither database nor secret key. JSON lines: one for each entry in
//! order, then the manifest, then its signature by the service whose log it is.
//!
//! A stretch of a log begins after a hash that the manifest names; the heads in it, and those in an export of the other
//! service, say whether the stretch is the one that was countersigned.

use serde::{Deserialize, Serialize};

use crate::chain::{AuditKey, Link, genesis};
use crate::digest::{Digest, PublicKey, Salt, Signature};
use crate::entry::{Details, Entry, Opening, Seal};
use crate::head::{Seen, SignedHead};
use crate::verify::{Anchor, Fault, FaultKind, Report, StoredLink, Verifier};

/// What the manifest begins with; a later format gets another number.
pub const FORMAT: &str = "guichet audit export 1";

/// Why a file can't be read as an export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A line is none of ours.
    #[error("line {line} is not of an export: {cause}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// Where in it, and why.
        cause: serde_json::Error,
    },
    /// The file ends early.
    #[error("the file ends without a signed manifest: it was cut off")]
    Unfinished,
    /// Another format.
    #[error("the manifest is not of format `{FORMAT}`")]
    Format,
}

/// What an export is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Whose log.
    pub service: String,
    /// The chain's own name.
    pub chain: String,
    /// The public chain before the first entry here.
    pub before: Digest,
    /// Number of the first entry here.
    pub first: i64,
    /// Number of the last entry here; `first - 1` if there is none.
    pub last: i64,
    /// How many entries.
    pub entries: u64,
    /// How many of them have lost their customer to an erasure.
    pub erased: u64,
    /// The head of the whole log when the export was made.
    pub head: SignedHead,
    /// The newest head of the other service on this log, which names what it has seen of this one.
    pub other: Option<SignedHead>,
    /// The public key of this log.
    pub key: PublicKey,
    /// The public key of the other service's log, if it is known.
    pub other_key: Option<PublicKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    seq: i64,
    at_ms: i64,
    actor: String,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_ref: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<Salt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commitment: Option<Digest>,
    details: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    request_id: String,
    hash: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Entry(EntryLine),
    Manifest { manifest: Box<Manifest> },
    Signature { signature: Signature, key: PublicKey },
}

/// The line of an entry, without its line feed.
///
/// # Errors
/// None in practice: there is no map and no number that JSON can't write.
pub fn entry_line(entry: &Entry, hash: Digest) -> Result<String, serde_json::Error> {
    let opening = entry.customer.as_ref().and_then(|seal| seal.opening.as_ref());
    serde_json::to_string(&EntryLine {
        seq: entry.seq,
        at_ms: entry.at_ms,
        actor: entry.actor.clone(),
        action: entry.action.clone(),
        ticket: entry.ticket,
        customer_ref: opening.map(|opening| opening.value.clone()),
        salt: opening.map(|opening| opening.salt),
        commitment: entry.customer.as_ref().map(|seal| seal.commitment),
        details: entry.details.as_str().to_owned(),
        policy: entry.policy.clone(),
        request_id: entry.request_id.clone(),
        hash,
    })
}

/// The last two lines: the manifest and its signature, each without its line feed.
///
/// # Errors
/// As [`entry_line`].
pub fn closing_lines(manifest: Manifest, key: &AuditKey) -> Result<[String; 2], serde_json::Error> {
    let manifest = serde_json::to_string(&Line::Manifest { manifest: Box::new(manifest) })?;
    let signature = key.sign(manifest.as_bytes());
    Ok([manifest, serde_json::to_string(&Line::Signature { signature, key: key.public() })?])
}

impl EntryLine {
    fn into_entry(self) -> (Entry, Digest) {
        let opening = match (self.customer_ref, self.salt) {
            (None, None) => None,
            // One without the other never fits its commitment, and so it shall be.
            (value, salt) => {
                Some(Opening { value: value.unwrap_or_default(), salt: salt.unwrap_or(Salt([0; 16])) })
            }
        };
        let customer = match (self.commitment, opening) {
            (None, None) => None,
            (commitment, opening) => {
                Some(Seal { commitment: commitment.unwrap_or(Digest([0; 32])), opening })
            }
        };
        let entry = Entry {
            seq: self.seq,
            at_ms: self.at_ms,
            actor: self.actor,
            action: self.action,
            ticket: self.ticket,
            customer,
            details: Details::stored(self.details),
            policy: self.policy,
            request_id: self.request_id,
        };
        (entry, self.hash)
    }
}

/// What one pass over a file tells before its entries can be checked in a second one.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What the file says of itself.
    pub manifest: Manifest,
    /// Whether the manifest is signed by the key that it names.
    pub signed: bool,
    /// The heads of the other service that stand in the entries, and the one of the manifest.
    pub heads: Vec<SignedHead>,
}

fn parsed(number: usize, line: &str) -> Result<Line, ExportError> {
    serde_json::from_str(line).map_err(|cause| ExportError::Line { line: number + 1, cause })
}

/// The first pass: manifest and heads.
///
/// # Errors
/// [`ExportError`] if it is no export.
pub fn overview(lines: impl Iterator<Item = String>) -> Result<Overview, ExportError> {
    let (mut heads, mut manifest, mut signed) = (Vec::new(), None, None);
    for (number, line) in lines.enumerate() {
        match parsed(number, &line)? {
            Line::Entry(entry) if entry.action == crate::COUNTERSIGNED => {
                heads.extend(SignedHead::from_details(&Details::stored(entry.details)));
            }
            Line::Entry(_) => {}
            Line::Manifest { manifest: found } => manifest = Some((*found, line)),
            Line::Signature { signature, key } => {
                signed = manifest.as_ref().map(|(manifest, line)| {
                    key == manifest.key && key.has_signed(line.as_bytes(), &signature)
                });
            }
        }
    }
    let ((manifest, _), signed) = manifest.zip(signed).ok_or(ExportError::Unfinished)?;
    if manifest.format != FORMAT {
        return Err(ExportError::Format);
    }
    heads.extend(manifest.other.clone());
    Ok(Overview { manifest, signed, heads })
}

/// Public keys that the auditor has from elsewhere; without them the manifests' are believed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pins {
    /// Of the log at hand.
    pub own: Option<PublicKey>,
    /// Of the other service's log.
    pub other: Option<PublicKey>,
}

/// The second pass: every entry, and the places that either service has signed. `other`: what the first pass told of an
/// export of the other service.
///
/// # Errors
/// [`ExportError`] if it is no export.
pub fn check(
    lines: impl Iterator<Item = String>,
    overview: &Overview,
    other: Option<&Overview>,
    pins: Pins,
) -> Result<Report, ExportError> {
    let manifest = &overview.manifest;
    let start = Link { seq: manifest.first - 1, hash: manifest.before, mac: Digest([0; 32]) };
    let mut verifier = Verifier::new(start, None);
    let fault = |kind| Fault { seq: manifest.first, kind };
    let key = pins.own.unwrap_or(manifest.key);
    let is_ours =
        |head: &SignedHead| head.check(Some(&key)).is_ok() && head.head.place.chain == manifest.chain;
    let begins = manifest.first > 1 || manifest.before == genesis(&manifest.service, &manifest.chain);
    if !overview.signed || manifest.key != key || !is_ours(&manifest.head) || !begins {
        verifier.fault(fault(FaultKind::Manifest));
    }
    let other_key = pins.other.or(other.map(|other| other.manifest.key)).or(manifest.other_key);
    let reaches_the_end = manifest.last == manifest.head.head.place.seq;
    let places = places(overview, other, &key, other_key, &manifest.chain);
    for place in places.iter().filter(|place| reaches_the_end || place.seq <= manifest.last) {
        verifier.expect(Anchor { seq: place.seq, hash: place.hash });
    }
    verifier.other_key(other_key);
    let mut last_hash = manifest.before;
    for (number, line) in lines.enumerate() {
        if let Line::Entry(line) = parsed(number, &line)? {
            let (entry, hash) = line.into_entry();
            verifier.take(&entry, StoredLink { hash, mac: None });
            last_hash = hash;
        }
    }
    let report = verifier.finish(None);
    let own = &manifest.head.head.place;
    let as_said = (report.entries, report.erased, report.end.seq)
        == (manifest.entries, manifest.erased, manifest.last)
        && (!reaches_the_end || last_hash == own.hash);
    Ok(if as_said || report.unaltered.is_no() {
        report
    } else {
        let end = Fault { seq: report.end.seq, kind: FaultKind::Manifest };
        Report { unaltered: crate::Verdict::No(end), ..report }
    })
}

/// Places of this log that the other service has signed, and places that this one signed and the other one holds.
fn places(
    overview: &Overview,
    other: Option<&Overview>,
    key: &PublicKey,
    other_key: Option<PublicKey>,
    chain: &str,
) -> Vec<Seen> {
    let seen = overview
        .heads
        .iter()
        .filter(|head| other_key.is_some_and(|key| head.check(Some(&key)).is_ok()))
        .filter_map(|head| head.head.seen.clone());
    let held = other
        .into_iter()
        .flat_map(|other| &other.heads)
        .filter(|head| head.check(Some(key)).is_ok())
        .map(|head| head.head.place.clone());
    let manifest = other.and_then(|other| other.manifest.head.head.seen.clone());
    seen.chain(held).chain(manifest).filter(|place| place.chain == chain).collect()
}
