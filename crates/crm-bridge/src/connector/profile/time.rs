//! How a CRM writes days and times.

use serde::Deserialize;
use service_kit::Timestamp;

use super::template::Template;

/// Table `[time]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Time {
    /// How times are written in answers.
    pub format: TimeFormat,
    /// How they are written in requests; as in answers unless given.
    pub requests: Option<TimeFormat>,
    /// Zone of a format that names none: an IANA name, or a setting.
    pub zone: Template,
    /// Seconds by which a question for changes looks further back than it must.
    pub overlap_s: u32,
    /// Whether "changed since" includes the instant itself; if not, the bridge asks from a little earlier on.
    pub inclusive: bool,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFormat {
    /// `2026-11-21T09:12:00Z`, with any offset
    #[default]
    Rfc3339,
    /// `2026-11-21 09:12:00` in the zone of the profile
    DateTime,
    /// Seconds since 1970, as number or text
    UnixS,
    /// Milliseconds since 1970, as number or text
    UnixMs,
    /// `{"__class__": "datetime", "year": 2026, …}` in UTC
    TypedObject,
    /// `20261121091200` in the zone of the profile
    Compact,
}

impl Default for Time {
    fn default() -> Self {
        Self {
            format: TimeFormat::default(),
            requests: None,
            zone: Template::parse("UTC").unwrap_or_default(),
            overlap_s: 120,
            inclusive: true,
        }
    }
}

impl Time {
    /// How times are written in requests.
    #[must_use]
    pub fn in_requests(&self) -> TimeFormat {
        self.requests.unwrap_or(self.format)
    }

    /// The first instant that requests tell apart from that one.
    #[must_use]
    pub fn instant_after(&self, at: Timestamp) -> Timestamp {
        let step = self.step_ms();
        Timestamp::from_ms(at.ms().div_euclid(step).saturating_add(1).saturating_mul(step))
    }

    /// The last instant before it that requests tell apart from that one.
    #[must_use]
    pub fn instant_before(&self, at: Timestamp) -> Timestamp {
        let step = self.step_ms();
        Timestamp::from_ms(at.ms().div_euclid(step).saturating_sub(1).saturating_mul(step))
    }

    /// How finely requests tell the time.
    fn step_ms(&self) -> i64 {
        if self.in_requests() == TimeFormat::UnixMs { 1 } else { 1_000 }
    }
}

/// Writes times as one CRM wants them.
#[derive(Debug, Clone)]
pub struct Times {
    format: TimeFormat,
    zone: jiff::tz::TimeZone,
    /// What a "since" is written earlier, because the CRM leaves that instant itself out.
    earlier_ms: i64,
}

/// A time as it stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
    /// An object, as JSON.
    Object(String),
}

impl Default for Times {
    fn default() -> Self {
        Self { format: TimeFormat::Rfc3339, zone: jiff::tz::TimeZone::UTC, earlier_ms: 0 }
    }
}

impl Times {
    /// A writer in that format and zone (an IANA name).
    ///
    /// # Errors
    /// A sentence, if there is no such zone.
    pub fn new(format: TimeFormat, zone: &str) -> Result<Self, String> {
        let zone = jiff::tz::TimeZone::get(zone)
            .map_err(|_| format!("`{zone}` is not a time zone such as \"UTC\" or \"Europe/Samara\""))?;
        Ok(Self { format, zone, earlier_ms: 0 })
    }

    /// The same for a CRM whose "changed since" leaves the instant itself out: a record that changed in the same second as
    /// the last one read would never be told.
    #[must_use]
    pub fn exclusive(self) -> Self {
        let earlier_ms = if self.format == TimeFormat::UnixMs { 1 } else { 1_000 };
        Self { earlier_ms, ..self }
    }

    /// An instant from which on changes are asked for, as [`Times::write`] writes it.
    #[must_use]
    pub fn write_since(&self, since: Timestamp) -> Option<Written> {
        self.write(since.plus_ms(-self.earlier_ms))
    }

    /// The zone of formats that name none.
    #[must_use]
    pub fn zone(&self) -> &jiff::tz::TimeZone {
        &self.zone
    }

    /// That instant, cut to whole seconds where the format has no finer ones. None for years that no calendar has.
    #[must_use]
    pub fn write(&self, at: Timestamp) -> Option<Written> {
        let instant = jiff::Timestamp::from_millisecond(at.ms()).ok()?;
        let local = instant.to_zoned(self.zone.clone());
        Some(match self.format {
            TimeFormat::Rfc3339 => Written::Text(instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            TimeFormat::DateTime => Written::Text(local.strftime("%Y-%m-%d %H:%M:%S").to_string()),
            TimeFormat::Compact => Written::Text(local.strftime("%Y%m%d%H%M%S").to_string()),
            TimeFormat::UnixS => Written::Number(instant.as_second()),
            TimeFormat::UnixMs => Written::Number(at.ms()),
            TimeFormat::TypedObject => {
                let utc = instant.to_zoned(jiff::tz::TimeZone::UTC);
                Written::Object(format!(
                    "{{\"__class__\":\"datetime\",\"year\":{},\"month\":{},\"day\":{},\"hour\":{},\"minute\":{},\
                     \"second\":{},\"microsecond\":0}}",
                    utc.year(),
                    utc.month(),
                    utc.day(),
                    utc.hour(),
                    utc.minute(),
                    utc.second()
                ))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crm_that_leaves_the_instant_itself_out_is_asked_from_a_little_earlier_on() {
        let at = Timestamp::from_ms(1_795_252_320_000);
        let times = |format| Times::new(format, "UTC").unwrap();
        for (format, inclusive, exclusive) in [
            (TimeFormat::Rfc3339, "2026-11-21T09:12:00Z", "2026-11-21T09:11:59Z"),
            (TimeFormat::DateTime, "2026-11-21 09:12:00", "2026-11-21 09:11:59"),
            (TimeFormat::Compact, "20261121091200", "20261121091159"),
        ] {
            assert_eq!(times(format).write_since(at), Some(Written::Text(inclusive.to_owned())));
            assert_eq!(times(format).exclusive().write_since(at), Some(Written::Text(exclusive.to_owned())));
            // Other times are written as they are.
            assert_eq!(times(format).exclusive().write(at), Some(Written::Text(inclusive.to_owned())));
        }
        let unix = times(TimeFormat::UnixMs).exclusive();
        assert_eq!(unix.write_since(at), Some(Written::Number(1_795_252_319_999)));
    }
}
