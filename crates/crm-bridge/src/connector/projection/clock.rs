//! Reads the times of one CRM.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use service_kit::Timestamp;

use super::sink::Found;
use crate::connector::pick::Picked;
use crate::connector::profile::template::Part;
use crate::connector::profile::time::{Time, TimeFormat};

/// How a CRM writes times, and the zone of those that name none.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    pub(super) format: TimeFormat,
    pub(super) zone: TimeZone,
}

impl Clock {
    /// With the zone of the profile, if it names one; a zone from the settings comes later.
    pub(super) fn new(time: &Time) -> Self {
        let zone = match time.zone.parts() {
            [Part::Text(name)] => TimeZone::get(name).ok(),
            _ => None,
        };
        Self { format: time.format, zone: zone.unwrap_or(TimeZone::UTC) }
    }

    /// The instant, if that is one.
    pub(super) fn instant(&self, found: &Found<'_>) -> Option<Timestamp> {
        if let Found::Instant(instant) = found {
            return Some(*instant);
        }
        match self.format {
            TimeFormat::Rfc3339 | TimeFormat::DateTime => self.written(found.text()?.trim_ascii()),
            TimeFormat::UnixS => Timestamp::from_ms(whole_number(found)?.checked_mul(1_000)?).into(),
            TimeFormat::UnixMs => Timestamp::from_ms(whole_number(found)?).into(),
            TimeFormat::Compact => {
                self.at(DateTime::strptime("%Y%m%d%H%M%S", found.text()?.trim_ascii()).ok()?)
            }
            TimeFormat::TypedObject => None,
        }
    }

    /// The day of so many seconds since 1970.
    pub(super) fn day_of_seconds(&self, seconds: i64) -> Option<Date> {
        Some(jiff::Timestamp::from_second(seconds).ok()?.to_zoned(self.zone.clone()).date())
    }

    /// `2026-11-21T09:12:00Z` with any offset, or without one in the zone of the profile, `T` or a blank between.
    fn written(&self, text: &str) -> Option<Timestamp> {
        if let Ok(instant) = text.parse() {
            return Some(instant);
        }
        self.at(text.parse().ok()?)
    }

    fn at(&self, time: DateTime) -> Option<Timestamp> {
        let zoned = time.to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp::from_ms(zoned.timestamp().as_millisecond()))
    }
}

/// The instant that a value is which was taken by itself.
pub(in crate::connector) fn instant_of(
    format: TimeFormat,
    zone: &TimeZone,
    value: &Picked,
) -> Option<Timestamp> {
    let clock = Clock { format, zone: zone.clone() };
    match value {
        Picked::Text(text) => clock.instant(&Found::Text(text)),
        Picked::Number(number) => clock.instant(&Found::Integer(*number)),
        Picked::Flag(_) | Picked::Something => None,
    }
}

/// A whole number, also one that is sent as text.
pub(super) fn whole_number(found: &Found<'_>) -> Option<i64> {
    match found {
        Found::Integer(number) => Some(*number),
        other => other.text()?.trim_ascii().parse().ok(),
    }
}
