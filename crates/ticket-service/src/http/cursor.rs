//! Cursors: where the next page of a list begins, as an opaque text.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::TicketError;
use crate::store::tickets::PageStart;

/// The cursor that begins after this row.
pub(crate) fn write(start: PageStart) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", start.key, start.number))
}

/// The place that a cursor stands for.
pub(crate) fn read(cursor: &str) -> Result<PageStart, TicketError> {
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (key, number) = text.split_once('.')?;
        Some(PageStart { key: key.parse().ok()?, number: number.parse().ok()? })
    };
    parse().ok_or_else(|| TicketError::invalid("cursor", "is none that this list gave; begin without one"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_back(key in any::<i64>(), number in any::<i64>()) {
            let start = PageStart { key, number };
            prop_assert_eq!(read(&write(start)).unwrap(), start);
        }

        #[test]
        fn anything_else_is_refused_and_never_panics(text in ".{0,40}") {
            let _ = read(&text);
        }
    }
}
