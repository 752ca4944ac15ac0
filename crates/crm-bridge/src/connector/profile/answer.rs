//! Where things are in an answer, and what an answer means that has no records.

use serde::Deserialize;

use crate::connector::pointer::Pointer;

/// Table `[answer]`, and in an operation what differs from it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// Where the list of records is.
    pub records: Option<Pointer>,
    /// Where the record is in an entry of the list.
    pub within: Option<Pointer>,
    /// Where the record is in an answer for one; a list with one entry passes, too.
    pub record: Option<Pointer>,
    /// Where the id is in a tombstone, if not where it is in a record; for `gone` only.
    pub id: Option<Pointer>,
    /// Where a tombstone says into which record this one was merged, if ordinary records have no such member; for `gone`
    /// only.
    pub merged_into: Option<Pointer>,
    /// Statuses that say "nothing".
    pub empty: Option<Vec<u16>>,
    /// Statuses that say "no such record".
    pub missing: Option<Vec<u16>>,
    /// Statuses that say "nothing has changed".
    pub unchanged: Option<Vec<u16>>,
    /// What makes an answer with status 200 an error.
    pub errors: Option<Vec<ErrorRule>>,
}

/// What makes an answer with status 200 an error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// The member to look at.
    pub at: Pointer,
    /// The value that means an error. Without it: present and neither null nor false.
    pub is: Option<Literal>,
    /// Where a short code is that says which error; only looked up among the throttling words, never kept.
    pub code: Option<Pointer>,
}

/// A plain value to compare a member with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a text, a whole number, true or false")]
pub enum Literal {
    /// `true`, `false`
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

/// All that is to be known to read the answer of one operation: `[answer]` and `[paging]` with what the operation says
/// differently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Where the list of records is.
    pub records: Pointer,
    /// Where the record is in an entry of the list.
    pub within: Pointer,
    /// Where the record is in an answer for one.
    pub record: Pointer,
    /// Statuses that say "nothing".
    pub empty: Vec<u16>,
    /// Statuses that say "no such record".
    pub missing: Vec<u16>,
    /// Statuses that say "nothing has changed".
    pub unchanged: Vec<u16>,
    /// What makes an answer with status 200 an error.
    pub errors: Vec<ErrorRule>,
    /// Where the cursor or the link of the next page is; a text or a whole number there.
    pub next: Option<Pointer>,
    /// Where the mark for the next time is.
    pub delta: Option<Pointer>,
    /// Where it says how many records there are on all pages.
    pub total: Option<Pointer>,
    /// Where it says whether there is a next page; `false` there ends.
    pub more: Option<Pointer>,
}

impl Answer {
    /// This table over that one: what is given here wins.
    #[must_use]
    pub fn over(&self, base: &Self) -> Shape {
        let pointer = |own: &Option<Pointer>, base: &Option<Pointer>| {
            own.clone().or_else(|| base.clone()).unwrap_or_default()
        };
        let statuses = |own: &Option<Vec<u16>>, base: &Option<Vec<u16>>, default: &[u16]| {
            own.clone().or_else(|| base.clone()).unwrap_or_else(|| default.to_vec())
        };
        Shape {
            records: pointer(&self.records, &base.records),
            within: pointer(&self.within, &base.within),
            record: pointer(&self.record, &base.record),
            empty: statuses(&self.empty, &base.empty, &[204]),
            missing: statuses(&self.missing, &base.missing, &[404, 410]),
            unchanged: statuses(&self.unchanged, &base.unchanged, &[304]),
            errors: self.errors.clone().or_else(|| base.errors.clone()).unwrap_or_default(),
            next: None,
            delta: None,
            total: None,
            more: None,
        }
    }
}
