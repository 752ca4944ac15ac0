//! Instants as CRMs write them.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// `2026-01-05T08:00:00Z`
pub fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-01-05T08:00:00.000Z`
pub fn iso_ms(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// `2026-01-05T11:00:00+03:00`
pub fn iso_at(at: Timestamp, hours: i8) -> String {
    let zone = TimeZone::fixed(Offset::constant(hours));
    at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// RFC 3339 with `Z` or an offset.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_as_crms_write_them() {
        let at = parse("2026-01-05T08:00:00Z").unwrap();
        assert_eq!(iso(at), "2026-01-05T08:00:00Z");
        assert_eq!(iso_ms(at), "2026-01-05T08:00:00.000Z");
        assert_eq!(iso_at(at, 3), "2026-01-05T11:00:00+03:00");
        assert_eq!(parse("2026-01-05T11:00:00+03:00"), Some(at));
    }
}
