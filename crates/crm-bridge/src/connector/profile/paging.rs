//! How a list is cut into pages.

use serde::Deserialize;

use crate::connector::pointer::Pointer;

/// Table `[paging]`, and in an operation what it has instead.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// In which way.
    pub kind: PagingKind,
    /// Most records a page can have.
    #[serde(default = "default_size_max")]
    pub size_max: u16,
    /// Number of the first page, for `kind = "page"`.
    #[serde(default)]
    pub first: u8,
    /// Where the next cursor or link is in an answer, for `cursor` and `next-link`.
    pub next: Option<Pointer>,
    /// Where the last page says where the changes after it begin, such as `@odata.deltaLink`: the mark for the next time.
    /// Belongs to `gone` with `next-link` or `cursor`; `{since}` is not needed then.
    pub delta: Option<Pointer>,
    /// Where an answer says how many records there are on all pages together, for the progress of the first copy. Only where
    /// the CRM says so by itself: nothing is asked for it.
    pub total: Option<Pointer>,
    /// A member that is false on the last page.
    pub more: Option<Pointer>,
    /// Further query parameters that a next link may have.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Beginnings of paths that a next link may have beside the operation's own.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Records of one question after which this CRM stops; then the engine goes on with the newest time of change that it has
    /// seen, so such a list must be in the order of these times.
    pub cap: Option<u32>,
}

/// In which way a list is cut into pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PagingKind {
    /// There is one page.
    #[default]
    Single,
    /// So many records after so many: `{size}`, `{offset}`.
    Offset,
    /// Pages by number: `{size}`, `{page}`.
    Page,
    /// Each answer says where the next page begins: `{cursor}`.
    Cursor,
    /// Each answer has the next page's address in its body.
    NextLink,
    /// Each answer has the next page's address in its `Link` header (RFC 8288).
    LinkHeader,
    /// Records in the order of their ids, after the last one: `{last_id}`.
    Keyset,
    /// `{range}` in a header.
    Range,
}

fn default_size_max() -> u16 {
    100
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            kind: PagingKind::Single,
            size_max: default_size_max(),
            first: 0,
            next: None,
            delta: None,
            total: None,
            more: None,
            keys: Vec::new(),
            paths: Vec::new(),
            cap: None,
        }
    }
}
