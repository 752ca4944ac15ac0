//! Takes one short value out of a small JSON text, such as the code of an error, and builds nothing else of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::pointer::Pointer;

/// Longest text that is taken.
const TEXT_BYTES_MAX: usize = 16 * 1024;

/// A value that was taken.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Picked {
    /// A text.
    Text(Zeroizing<String>),
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// There is something else: an object, a list, a fraction.
    Something,
}

impl Picked {
    /// As text: numbers as their digits.
    pub(super) fn text(&self) -> Option<Zeroizing<String>> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(Zeroizing::new(number.to_string())),
            Self::Flag(_) | Self::Something => None,
        }
    }

    /// As whole number: texts of digits, too.
    pub(super) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Flag(_) | Self::Something => None,
        }
    }
}

/// What stands at that place. A list on the way, or at the root, counts as its first entry. None if there is nothing or
/// null, or the text is no JSON.
pub(super) fn pick(json: &[u8], at: &Pointer) -> Option<Picked> {
    let mut found = None;
    let mut json = serde_json::Deserializer::from_slice(json);
    Seed { path: at.segments(), found: &mut found }.deserialize(&mut json).ok()?;
    found
}

struct Seed<'a> {
    path: &'a [String],
    found: &'a mut Option<Picked>,
}

impl Seed<'_> {
    fn here(self, value: Picked) {
        if self.path.is_empty() && self.found.is_none() {
            *self.found = Some(value);
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        let value = if text.len() <= TEXT_BYTES_MAX {
            Picked::Text(Zeroizing::new(text.to_owned()))
        } else {
            Picked::Something
        };
        self.here(value);
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.here(Picked::Flag(flag));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.here(Picked::Number(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.here(i64::try_from(number).map_or(Picked::Something, Picked::Number));
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.here(Picked::Something);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((wanted, rest)) = self.path.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            self.here(Picked::Something);
            return Ok(());
        };
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if *name == **wanted {
                map.next_value_seed(Seed { path: rest, found: &mut *self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let first = Seed { path: self.path, found: &mut *self.found };
        if list.next_element_seed(first)?.is_some() {
            while list.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str, at: &str) -> Option<String> {
        pick(json.as_bytes(), &Pointer::try_from(at.to_owned()).unwrap())?.text().map(|text| text.to_string())
    }

    #[test]
    fn one_value_is_taken_and_a_list_counts_as_its_first_entry() {
        assert_eq!(
            text(r#"{"error":{"code":"QUERY_LIMIT"},"x":[1]}"#, "/error/code").unwrap(),
            "QUERY_LIMIT"
        );
        assert_eq!(text(r#"[{"errorCode":"A"},{"errorCode":"B"}]"#, "/errorCode").unwrap(), "A");
        assert_eq!(text(r#"{"result":17}"#, "/result").unwrap(), "17");
        for (json, at) in [
            ("{}", "/a"),
            ("[]", "/a"),
            ("{\"a\":null}", "/a"),
            ("{\"a\":{}}", "/a"),
            ("<html>", "/a"),
            ("", "/a"),
        ] {
            assert_eq!(text(json, at), None, "{json}");
        }
    }
}
