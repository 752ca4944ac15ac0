//! Hours and days by the clock of the place where people work.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use service_kit::Timestamp;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// The hour and the day of an instant: from the start, up to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// The full hour.
    pub hour_start: Timestamp,
    /// The next full hour.
    pub hour_end: Timestamp,
    /// Midnight.
    pub day_start: Timestamp,
    /// The next midnight; 23 to 25 hours later.
    pub day_end: Timestamp,
}

impl Windows {
    /// The windows of an instant in a time zone.
    #[must_use]
    pub fn at(now: Timestamp, zone: &TimeZone) -> Self {
        let Ok(instant) = jiff::Timestamp::from_millisecond(now.ms()) else { return Self::in_utc(now) };
        let local = instant.to_zoned(zone.clone());
        let days = local.start_of_day().and_then(|start| Ok((start, local.tomorrow()?.start_of_day()?)));
        let Ok((day_start, day_end)) = days else { return Self::in_utc(now) };
        // Full hours by the local clock, which in some places are half hours of UTC.
        let offset_ms = i64::from(local.offset().seconds()) * 1_000;
        let hour_start = (now.ms() + offset_ms).div_euclid(HOUR_MS) * HOUR_MS - offset_ms;
        let at = |zoned: jiff::Zoned| Timestamp::from_ms(zoned.timestamp().as_millisecond());
        Self {
            hour_start: Timestamp::from_ms(hour_start),
            hour_end: Timestamp::from_ms(hour_start + HOUR_MS),
            day_start: at(day_start),
            day_end: at(day_end),
        }
    }

    /// For the years beyond 9999.
    fn in_utc(now: Timestamp) -> Self {
        let from = |length: i64| now.ms().div_euclid(length) * length;
        Self {
            hour_start: Timestamp::from_ms(from(HOUR_MS)),
            hour_end: Timestamp::from_ms(from(HOUR_MS).saturating_add(HOUR_MS)),
            day_start: Timestamp::from_ms(from(DAY_MS)),
            day_end: Timestamp::from_ms(from(DAY_MS).saturating_add(DAY_MS)),
        }
    }
}

/// When people usually work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsualHours {
    from: Time,
    until: Time,
    days: Vec<Weekday>,
}

impl UsualHours {
    /// From settings such as `07:00-21:00` and `mon`, `tue`; none if the hours are empty. `22:00-06:00` goes past midnight
    /// and belongs to the day on which it begins.
    ///
    /// # Errors
    /// What does not fit, beginning with the setting's name.
    pub fn parse(hours: &str, days: &[String]) -> Result<Option<Self>, String> {
        if hours.trim().is_empty() {
            return Ok(None);
        }
        let wrong = || format!("usual_hours: write `{hours}` as \"07:00-21:00\"");
        let (from, until) = hours.split_once('-').ok_or_else(wrong)?;
        let time = |text: &str| text.trim().parse::<Time>().map_err(|_| wrong());
        let day = |name: &String| {
            Ok(match name.as_str() {
                "mon" => Weekday::Monday,
                "tue" => Weekday::Tuesday,
                "wed" => Weekday::Wednesday,
                "thu" => Weekday::Thursday,
                "fri" => Weekday::Friday,
                "sat" => Weekday::Saturday,
                "sun" => Weekday::Sunday,
                other => {
                    return Err(format!(
                        "usual_days: `{other}` is none of mon, tue, wed, thu, fri, sat, sun"
                    ));
                }
            })
        };
        let days = days.iter().map(day).collect::<Result<Vec<_>, String>>()?;
        Ok(Some(Self { from: time(from)?, until: time(until)?, days }))
    }

    /// Whether people usually work at that instant.
    #[must_use]
    pub fn includes(&self, now: Timestamp, zone: &TimeZone) -> bool {
        let Ok(instant) = jiff::Timestamp::from_millisecond(now.ms()) else { return true };
        let local = instant.to_zoned(zone.clone());
        let (time, today) = (local.time(), local.weekday());
        if self.from <= self.until {
            return self.days.contains(&today) && self.from <= time && time < self.until;
        }
        let yesterday = today.previous();
        (self.days.contains(&today) && self.from <= time)
            || (self.days.contains(&yesterday) && time < self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    #[test]
    fn a_day_begins_at_midnight_where_people_work() {
        let windows = Windows::at(at("2026-11-21T20:30:00Z"), &zone("Europe/Samara"));
        assert_eq!(windows.day_start, at("2026-11-21T20:00:00Z"));
        assert_eq!(
            (windows.hour_start, windows.hour_end),
            (at("2026-11-21T20:00:00Z"), at("2026-11-21T21:00:00Z"))
        );
        assert_eq!(windows.day_end, at("2026-11-22T20:00:00Z"));
    }

    #[test]
    fn an_hour_is_full_by_the_local_clock_and_a_day_may_have_25() {
        let windows = Windows::at(at("2026-11-21T10:10:00Z"), &zone("Asia/Kolkata"));
        assert_eq!(windows.hour_start, at("2026-11-21T09:30:00Z"));
        let windows = Windows::at(at("2026-10-25T12:00:00Z"), &zone("Europe/Berlin"));
        assert_eq!(windows.day_end.since_ms(windows.day_start), 25 * HOUR_MS);
    }

    #[test]
    fn usual_hours_know_weekdays_and_midnight() {
        let days = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let office = UsualHours::parse("07:00-21:00", &days(&["mon", "fri"])).unwrap().unwrap();
        let utc = TimeZone::UTC;
        // 2026-11-20 is a Friday.
        assert!(
            office.includes(at("2026-11-20T07:00:00Z"), &utc)
                && !office.includes(at("2026-11-20T21:00:00Z"), &utc)
        );
        assert!(!office.includes(at("2026-11-21T12:00:00Z"), &utc), "a Saturday");
        let night = UsualHours::parse("22:00-06:00", &days(&["fri"])).unwrap().unwrap();
        assert!(
            night.includes(at("2026-11-20T23:00:00Z"), &utc)
                && night.includes(at("2026-11-21T05:00:00Z"), &utc)
        );
        assert!(!night.includes(at("2026-11-20T05:00:00Z"), &utc), "the night before belongs to Thursday");
        assert_eq!(UsualHours::parse("", &[]).unwrap(), None);
        assert!(UsualHours::parse("07:00-21:00", &days(&["monday"])).unwrap_err().starts_with("usual_days"));
    }
}
