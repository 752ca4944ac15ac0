//! Going along a chain, entry by entry, and saying two things separately: whether it is unaltered, and whether it is
//! complete. Needs memory for the heads that it is compared with, not for the entries.

use std::collections::BTreeMap;
use std::fmt;

use crate::chain::{AuditKey, Link, hash_after};
use crate::digest::{Digest, PublicKey};
use crate::entry::Entry;
use crate::head::SignedHead;

/// What stands beside an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredLink {
    /// Of the public chain.
    pub hash: Digest,
    /// Of the keyed chain; an export has none.
    pub mac: Option<Digest>,
}

/// A place of this chain that the other service has signed, or that this service signed and the other one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anchor {
    /// After which entry.
    pub seq: i64,
    /// The public chain there.
    pub hash: Digest,
}

/// The answer to one of the two questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Yes,
    /// No, and where it begins.
    No(Fault),
    /// Nothing speaks against it, and nothing for it: why.
    Unproven(&'static str),
}

impl Verdict {
    /// As one word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No(_) => "no",
            Self::Unproven(_) => "not_proven",
        }
    }

    /// Whether it is [`Verdict::No`].
    #[must_use]
    pub fn is_no(&self) -> bool {
        matches!(self, Self::No(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("yes"),
            Self::No(fault) => write!(f, "NO: {fault}"),
            Self::Unproven(why) => write!(f, "not proven: {why}"),
        }
    }
}

/// What is wrong and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// At which entry.
    pub seq: i64,
    /// What.
    pub kind: FaultKind,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The entry's content does not fit its hash: it was changed, or one before it was exchanged.
    Changed,
    /// The hash fits and the keyed value does not: made by somebody without the key.
    NotByTheKey,
    /// Another number was due here.
    Gap {
        /// Which.
        expected: i64,
    },
    /// The customer's reference is not the one that was committed to.
    Seal,
    /// The log ends before an entry that there has been.
    CutOff {
        /// Where it ends.
        end: i64,
    },
    /// The entry is another one than the one that was countersigned.
    Rewritten,
    /// The head of the other service in this entry is not signed by it.
    Countersignature,
    /// The table's note of the end and the last entry are not the same.
    End,
    /// An export does not hold what its manifest says.
    Manifest,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seq = self.seq;
        match self.kind {
            FaultKind::Changed => write!(f, "entry {seq} was changed, exchanged or put in another place"),
            FaultKind::NotByTheKey => {
                write!(f, "entry {seq} was written by somebody without the key of this log")
            }
            FaultKind::Gap { expected } => {
                write!(f, "entry {expected} is missing: entry {seq} stands in its place")
            }
            FaultKind::Seal => write!(f, "the customer of entry {seq} is not the one it was written with"),
            FaultKind::CutOff { end } => {
                write!(f, "entry {seq} was there and the log ends with entry {end}: its end was cut off")
            }
            FaultKind::Rewritten => {
                write!(f, "entry {seq} is not the one that was countersigned: the log was written anew")
            }
            FaultKind::Countersignature => {
                write!(f, "the head in entry {seq} is not signed by the other service")
            }
            FaultKind::End => {
                write!(f, "the log ends with entry {seq}, but its note of the end says otherwise")
            }
            FaultKind::Manifest => write!(f, "the export is not what its manifest says (entry {seq})"),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Does every entry fit the one before it?
    pub unaltered: Verdict,
    /// Is every entry there that the other service knows of?
    pub complete: Verdict,
    /// How many entries were read.
    pub entries: u64,
    /// How many of them have lost their customer to an erasure.
    pub erased: u64,
    /// How many entries the erasures on the record have emptied.
    pub erased_on_record: u64,
    /// Up to which entry the other service vouches.
    pub countersigned: Option<i64>,
    /// Where the chain ends.
    pub end: Link,
}

impl Report {
    /// Whether neither question was answered with no.
    #[must_use]
    pub fn passes(&self) -> bool {
        !self.unaltered.is_no() && !self.complete.is_no()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "unaltered:     {}", self.unaltered)?;
        writeln!(f, "complete:      {}", self.complete)?;
        writeln!(f, "entries:       {}, up to number {}", self.entries, self.end.seq)?;
        let from_the_record = match self.erased.checked_sub(self.erased_on_record) {
            None | Some(0) => "",
            Some(_) => " (some of them without an entry that says so)",
        };
        writeln!(f, "erased:        {}{from_the_record}", self.erased)?;
        match self.countersigned {
            Some(seq) => write!(f, "countersigned: up to entry {seq}"),
            None => f.write_str("countersigned: nothing"),
        }
    }
}

/// Goes along a chain.
#[derive(Debug)]
pub struct Verifier<'k> {
    key: Option<&'k AuditKey>,
    at: Link,
    other: Option<PublicKey>,
    anchors: BTreeMap<i64, Vec<Digest>>,
    unaltered: Option<Fault>,
    complete: Option<Fault>,
    countersigned: Option<i64>,
    entries: u64,
    erased: u64,
    erased_on_record: u64,
}

impl<'k> Verifier<'k> {
    /// Begins after `start`: [`Link::genesis`] for a whole log. Without the key the keyed chain is not looked at.
    #[must_use]
    pub fn new(start: Link, key: Option<&'k AuditKey>) -> Self {
        Self {
            key,
            at: start,
            other: None,
            anchors: BTreeMap::new(),
            unaltered: None,
            complete: None,
            countersigned: None,
            entries: 0,
            erased: 0,
            erased_on_record: 0,
        }
    }

    /// This place has been countersigned; say so before the entries come.
    pub fn expect(&mut self, anchor: Anchor) {
        if anchor.seq == self.at.seq {
            self.meet(anchor.seq, self.at.hash, anchor.hash);
        } else if anchor.seq > self.at.seq {
            self.anchors.entry(anchor.seq).or_default().push(anchor.hash);
        }
    }

    /// Whose heads to expect in the entries; without, the first one's signer is believed.
    pub fn other_key(&mut self, key: Option<PublicKey>) {
        self.other = key;
    }

    fn look_at_head(&mut self, entry: &Entry) {
        let signed = SignedHead::from_details(&entry.details);
        match signed.and_then(|head| head.check(self.other.as_ref()).map(|()| head.key)) {
            Ok(key) => self.other = Some(key),
            Err(_) => self.blame(entry.seq, FaultKind::Countersignature),
        }
    }

    fn meet(&mut self, seq: i64, is: Digest, countersigned: Digest) {
        if is == countersigned {
            self.countersigned = self.countersigned.max(Some(seq));
        } else if self.complete.is_none() {
            self.complete = Some(Fault { seq, kind: FaultKind::Rewritten });
        }
    }

    fn blame(&mut self, seq: i64, kind: FaultKind) {
        self.unaltered.get_or_insert(Fault { seq, kind });
    }

    /// The next entry. After a fault it goes on from what is stored, so that the rest is still counted.
    pub fn take(&mut self, entry: &Entry, stored: StoredLink) {
        let expected = self.at.seq.saturating_add(1);
        if entry.seq != expected {
            self.blame(entry.seq, FaultKind::Gap { expected });
        }
        if hash_after(&self.at.hash, entry) != stored.hash {
            self.blame(entry.seq, FaultKind::Changed);
        }
        if let (Some(key), Some(mac)) = (self.key, stored.mac)
            && key.mac_after(&self.at.mac, &stored.hash) != mac
        {
            self.blame(entry.seq, FaultKind::NotByTheKey);
        }
        if let Some(seal) = &entry.customer {
            if !seal.holds() {
                self.blame(entry.seq, FaultKind::Seal);
            }
            self.erased += u64::from(seal.opening.is_none());
        }
        if let Some(emptied) = entry.details.get("emptied").and_then(|text| text.parse::<u64>().ok()) {
            self.erased_on_record = self.erased_on_record.saturating_add(emptied);
        }
        if entry.action == crate::COUNTERSIGNED {
            self.look_at_head(entry);
        }
        self.entries += 1;
        self.at = Link { seq: entry.seq, hash: stored.hash, mac: stored.mac.unwrap_or(self.at.mac) };
        for countersigned in self.anchors.remove(&entry.seq).unwrap_or_default() {
            self.meet(entry.seq, stored.hash, countersigned);
        }
    }

    /// A fault that the caller has found.
    pub fn fault(&mut self, fault: Fault) {
        self.unaltered.get_or_insert(fault);
    }

    /// The end. `noted`: where the database says that the chain ends.
    #[must_use]
    pub fn finish(mut self, noted: Option<Link>) -> Report {
        let end = self.at.seq;
        // What is still expected lies behind the end, or where a gap is, which has been told already.
        let beyond = self.anchors.last_key_value().map(|(seq, _)| *seq).filter(|seq| *seq > end);
        let noted_beyond = noted.map(|link| link.seq).filter(|seq| *seq > end);
        if let Some(seq) = beyond.max(noted_beyond) {
            self.complete.get_or_insert(Fault { seq, kind: FaultKind::CutOff { end } });
        } else if noted.is_some_and(|link| link != self.at) {
            self.blame(end, FaultKind::End);
        }
        let unaltered = self.unaltered.map_or(Verdict::Yes, Verdict::No);
        let complete = match (self.complete, self.countersigned, self.anchors.is_empty()) {
            (Some(fault), ..) => Verdict::No(fault),
            // An anchor that was never met: its entry is missing in the middle.
            (None, _, false) => Verdict::No(Fault {
                seq: self.anchors.first_key_value().map_or(0, |(seq, _)| *seq),
                kind: FaultKind::Rewritten,
            }),
            (None, Some(_), true) => Verdict::Yes,
            (None, None, true) => Verdict::Unproven("the other service has not countersigned any of it yet"),
        };
        Report {
            unaltered,
            complete,
            entries: self.entries,
            erased: self.erased,
            erased_on_record: self.erased_on_record,
            countersigned: self.countersigned,
            end: self.at,
        }
    }
}
