//! Days and times that are sent as an object of numbers, as in Tryton's JSON.

use service_kit::Timestamp;

use super::cursor::{Broken, Cursor};
use super::sink::Found;

/// Members with a number.
const PARTS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];

/// `{"__class__": "datetime", "year": 2026, …}` in UTC, or a `date`. Anything else is a misfit.
pub(super) fn typed_date<'de>(json: &mut Cursor<'de>) -> Result<Found<'de>, Broken> {
    let mut parts: [Option<i64>; 6] = [None; 6];
    let mut is_day = None;
    json.open()?;
    while let Some(name) = json.name()? {
        if name == "__class__" {
            is_day = match json.scalar()?.text() {
                Some("date") => Some(true),
                Some("datetime") => Some(false),
                _ => None,
            };
        } else if let Some(part) = PARTS.iter().position(|part| *part == name) {
            parts[part] = match json.scalar()? {
                Found::Integer(number) => Some(number),
                _ => None,
            };
        } else {
            json.skip()?;
        }
    }
    let number = |part: usize| parts[part].and_then(|number| i8::try_from(number).ok());
    let day = || {
        let year = i16::try_from(parts[0]?).ok()?;
        jiff::civil::Date::new(year, number(1)?, number(2)?).ok()
    };
    let time = || {
        let time = jiff::civil::Time::new(number(3)?, number(4)?, number(5)?, 0).ok()?;
        let zoned = day()?.to_datetime(time).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Timestamp::from_ms(zoned.timestamp().as_millisecond()))
    };
    Ok(match is_day {
        Some(true) => day().map_or(Found::Misfit, Found::Day),
        Some(false) => time().map_or(Found::Misfit, Found::Instant),
        None => Found::Misfit,
    })
}
