//! Days and times that are sent as an object of numbers, as in Tryton's JSON.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use service_kit::Timestamp;

use super::sink::Found;

/// `{"__class__": "datetime", "year": 2026, …}` in UTC, or a `date`. Anything else is a misfit.
pub(super) fn typed_date<'de, A: MapAccess<'de>>(mut map: A) -> Result<Found<'de>, A::Error> {
    let mut parts: [Option<i64>; 6] = [None; 6];
    let mut is_day = None;
    while let Some(part) = map.next_key::<Part>()? {
        match part {
            Part::Class => {
                is_day = match map.next_value_seed(Scalar)? {
                    Small::Date => Some(true),
                    Small::DateTime => Some(false),
                    _ => None,
                };
            }
            Part::Number(part) => {
                parts[part] = match map.next_value_seed(Scalar)? {
                    Small::Number(number) => Some(number),
                    _ => None,
                };
            }
            Part::Other => drop(map.next_value::<IgnoredAny>()?),
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

/// Which member of such an object it is.
enum Part {
    Class,
    Number(usize),
    Other,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Part, E> {
                const PARTS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
                Ok(match PARTS.iter().position(|part| *part == name) {
                    Some(part) => Part::Number(part),
                    None if name == "__class__" => Part::Class,
                    None => Part::Other,
                })
            }
        }
        json.deserialize_str(Name)
    }
}

/// What may stand in such an object.
enum Small {
    Date,
    DateTime,
    Number(i64),
    Other,
}

struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Small;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Small, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Small;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Small, E> {
        Ok(match text {
            "date" => Small::Date,
            "datetime" => Small::DateTime,
            _ => Small::Other,
        })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Small, E> {
        Ok(i64::try_from(number).map_or(Small::Other, Small::Number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Small, E> {
        Ok(Small::Number(number))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Small, E> {
        Ok(Small::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Small, E> {
        Ok(Small::Other)
    }

    fn visit_unit<E>(self) -> Result<Small, E> {
        Ok(Small::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Small, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Small::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Small, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Small::Other)
    }
}
