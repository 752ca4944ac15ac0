//! Where a page begins: opaque to whoever asks, good for the question it came from and no other, and kept as text, so
//! that a long copy goes on where it was when the process is ended.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Question;
use crate::connector::profile::paging::{Paging, PagingKind};

const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Where a page begins. Prints nothing of itself: a cursor may be made of names.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageMark {
    /// Which question it belongs to, without its page.
    question: String,
    begin: Begin,
    /// Records before it.
    pub(crate) records: u64,
    /// Pages before it.
    pub(crate) pages: u32,
    /// A place from before, moved on ever more rarely: whoever comes to it again goes in a circle (R. P. Brent, 1980).
    anchor: u64,
    until_moved: u32,
}

/// The place itself.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::connector) enum Begin {
    /// There is nothing to say.
    Nowhere,
    /// After so many records.
    Offset(u64),
    /// Page of that number, with so many records a page: with another size it would begin elsewhere.
    Page(u64, Option<u16>),
    /// Where the CRM's cursor says.
    Cursor(String),
    /// After that id.
    LastId(Option<String>),
    /// At that address, which was compared with what may be asked.
    Link(String),
    /// After so many records.
    Range(u64),
}

/// A text that is no page mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a page mark of this program")]
pub struct MarkError;

impl fmt::Debug for PageMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageMark(after {} records)", self.records)
    }
}

impl PageMark {
    /// A mark for the page after one of that question. None if that place was seen before.
    pub(in crate::connector) fn next(question: &Question, begin: Begin, records: u64) -> Option<Self> {
        let place = begin.digest();
        let mark = match question.mark() {
            None => Self {
                question: fingerprint(question),
                begin,
                records,
                pages: 1,
                anchor: place,
                until_moved: 1,
            },
            Some(before) => {
                if before.anchor == place || before.begin == begin {
                    return None;
                }
                let pages = before.pages.saturating_add(1);
                let moved = pages >= before.until_moved;
                Self {
                    question: before.question.clone(),
                    begin,
                    records: before.records.saturating_add(records),
                    pages,
                    anchor: if moved { place } else { before.anchor },
                    until_moved: if moved { pages.saturating_mul(2) } else { before.until_moved },
                }
            }
        };
        Some(mark)
    }

    /// A mark for the next time: it belongs to questions of that kind, from whenever on they ask.
    pub(in crate::connector) fn for_next_time(question: &Question, begin: Begin) -> Self {
        let anchor = begin.digest();
        Self { question: timeless(question), begin, records: 0, pages: 0, anchor, until_moved: 1 }
    }

    /// The place, if the mark belongs to this question.
    pub(in crate::connector) fn begin(&self, question: &Question) -> Option<&Begin> {
        let is_its = self.question == fingerprint(question) || self.question == timeless(question);
        is_its.then_some(&self.begin)
    }

    /// The text to keep.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From a text that was kept.
    ///
    /// # Errors
    /// [`MarkError`].
    pub fn from_text(text: &str) -> Result<Self, MarkError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(MarkError);
        }
        serde_json::from_str(text).map_err(|_| MarkError)
    }

    /// Records before it.
    #[must_use]
    pub fn records_before(&self) -> u64 {
        self.records
    }
}

impl Begin {
    fn digest(&self) -> u64 {
        let text = serde_json::to_string(self).unwrap_or_default();
        let bytes = Sha256::digest(text.as_bytes());
        bytes.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }

    /// The first page.
    pub(in crate::connector) fn first(paging: &Paging) -> Self {
        match paging.kind {
            PagingKind::Offset => Self::Offset(0),
            PagingKind::Page => Self::Page(u64::from(paging.first), None),
            PagingKind::Range => Self::Range(0),
            PagingKind::Keyset => Self::LastId(None),
            PagingKind::Single | PagingKind::Cursor | PagingKind::NextLink | PagingKind::LinkHeader => {
                Self::Nowhere
            }
        }
    }
}

/// The question without its page, shortened. Only questions that are paged have one.
fn fingerprint(question: &Question) -> String {
    let since = question.since().map_or_else(String::new, |since| since.ms().to_string());
    shortened(&format!("{:?}|{since}", question.purpose()))
}

/// The kind of question alone.
fn timeless(question: &Question) -> String {
    shortened(&format!("{:?}|next time", question.purpose()))
}

fn shortened(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
