//! Takes short texts out of JSON at places that are known beforehand, and builds nothing else of it: ids out of webhooks,
//! names and labels out of a CRM's description of its fields.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

const TEXT_BYTES_MAX: usize = 512;
const TEXTS_MAX: usize = 1_000;

/// What was found at one place.
#[derive(Default)]
pub(super) struct Plucked {
    texts: Vec<String>,
    /// The place stood there twice: nobody can say which one is meant.
    twice: bool,
}

impl Plucked {
    /// The one text, if there is exactly one.
    pub(super) fn one(self) -> Option<String> {
        match <[String; 1]>::try_from(self.texts) {
            Ok([text]) if !self.twice => Some(text),
            _ => None,
        }
    }

    /// All texts of a list, or the one in its place.
    pub(super) fn all(self) -> Vec<String> {
        if self.twice { Vec::new() } else { self.texts }
    }

    /// Something stood there.
    pub(super) fn put(&mut self, text: &str) {
        self.twice |= !self.texts.is_empty();
        self.add(text);
    }

    fn add(&mut self, text: &str) {
        if text.len() <= TEXT_BYTES_MAX && self.texts.len() < TEXTS_MAX {
            self.texts.push(text.to_owned());
        }
    }
}

/// A place, and what was found there.
pub(super) type Wanted<'a, 'b> = (&'a [String], &'b mut Plucked);

/// Looks at these places of a text. None if it is no JSON. `text` has been looked over: its depth is limited.
pub(super) fn pluck(text: &str, wanted: &mut [Wanted<'_, '_>]) -> Option<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    PickSeed { wanted }.deserialize(&mut json).ok()?;
    // Errors of serde_json can quote the input; none of it is kept.
    json.end().ok()
}

/// Where a list is.
pub(super) struct List<'a> {
    /// The members on the way to it.
    pub(super) path: &'a [String],
    /// Its entries are the members of an object; otherwise an object in its place is its only entry.
    pub(super) by_name: bool,
    /// Entries beyond are passed over.
    pub(super) rows_max: usize,
}

/// What was found in one entry.
pub(super) struct Row {
    /// Its name, where the list is an object.
    pub(super) name: Option<String>,
    /// What stood at each wanted place, in their order.
    pub(super) found: Vec<Plucked>,
}

/// Looks at the same places of each entry of a list. None if the text is no JSON.
pub(super) fn pluck_each(text: &str, list: &List<'_>, wanted: &[&[String]]) -> Option<Vec<Row>> {
    let mut rows = Vec::new();
    let mut json = serde_json::Deserializer::from_str(text);
    EachSeed { list, path: list.path, name: None, wanted, rows: &mut rows }.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(rows)
}

struct EachSeed<'l, 'a> {
    list: &'l List<'l>,
    path: &'l [String],
    /// The entry that this is, in an object of entries.
    name: Option<String>,
    wanted: &'l [&'l [String]],
    rows: &'a mut Vec<Row>,
}

impl EachSeed<'_, '_> {
    fn entry<'de, A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let mut found: Vec<Plucked> = self.wanted.iter().map(|_| Plucked::default()).collect();
        let mut wanted: Vec<Wanted<'_, '_>> = self.wanted.iter().copied().zip(&mut found).collect();
        PickSeed { wanted: &mut wanted }.walk(map)?;
        if self.rows.len() < self.list.rows_max {
            self.rows.push(Row { name: self.name, found });
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for EachSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for EachSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { list, path, name, wanted, rows } = self;
        let Some((head, rest)) = path.split_first() else {
            if !list.by_name || name.is_some() {
                return EachSeed { list, path, name, wanted, rows }.entry(map);
            }
            while let Some(name) = map.next_key::<String>()? {
                map.next_value_seed(EachSeed { list, path, name: Some(name), wanted, rows: &mut *rows })?;
            }
            return Ok(());
        };
        while let Some(member) = map.next_key::<String>()? {
            if member == *head {
                map.next_value_seed(EachSeed { list, path: rest, name: None, wanted, rows: &mut *rows })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Self { list, path, name, wanted, rows } = self;
        if !path.is_empty() || name.is_some() {
            while entries.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        loop {
            // An entry of a list is taken as it is, whether entries could have had names or not.
            let seed = EachSeed {
                list: &List { path: &[], by_name: false, rows_max: list.rows_max },
                path: &[],
                name: None,
                wanted,
                rows: &mut *rows,
            };
            if entries.next_element_seed(seed)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Takes short texts and whole numbers at wanted places; everything else is skipped as bytes.
struct PickSeed<'w, 'a, 'b> {
    wanted: &'w mut [Wanted<'a, 'b>],
}

impl PickSeed<'_, '_, '_> {
    fn walk<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let mut below: Vec<Wanted<'_, '_>> = self
                .wanted
                .iter_mut()
                .filter_map(|(path, found)| {
                    let (head, rest) = path.split_first()?;
                    (*head == name).then_some((rest, &mut **found))
                })
                .collect();
            if below.is_empty() {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(PickSeed { wanted: &mut below })?;
            }
        }
        Ok(())
    }

    fn found(self, text: &str) {
        for (path, found) in self.wanted.iter_mut() {
            if path.is_empty() {
                found.put(text);
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for PickSeed<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PickSeed<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.walk(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        // A list of ids in the place of an id: all of them are meant.
        let Some((_, found)) = self.wanted.iter_mut().find(|(path, _)| path.is_empty()) else {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        loop {
            let mut entry = Plucked::default();
            if list.next_element_seed(PickSeed { wanted: &mut [(&[], &mut entry)] })?.is_none() {
                return Ok(());
            }
            entry.texts.iter().for_each(|text| found.add(text));
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found(text);
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.found(&number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.found(&number.to_string());
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, path: &[&str], by_name: bool) -> Vec<(Option<String>, Option<String>)> {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        let label = ["a".to_owned(), "b".to_owned()];
        let list = List { path: &path, by_name, rows_max: 3 };
        let rows = pluck_each(text, &list, &[&label[..]]).unwrap();
        rows.into_iter().map(|mut row| (row.name, row.found.pop().unwrap().one())).collect()
    }

    fn label(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn entries_are_those_of_a_list_of_an_object_or_the_one_in_its_place() {
        let entry = |text: &str| format!("{{\"x\":[1,{{}}],\"a\":{{\"b\":\"{text}\"}}}}");
        let (one, two) = (entry("one"), entry("two"));
        let list = format!("{{\"z\":0,\"list\":[{one},7,null,[{two}],{two}]}}");
        assert_eq!(
            rows(&list, &["list"], false),
            [(None, label("one")), (None, label("two")), (None, label("two"))]
        );
        assert_eq!(rows(&format!("{{\"list\":{one}}}"), &["list"], false), [(None, label("one"))]);
        let named = format!("{{\"list\":{{\"f\":{one},\"g\":{two},\"h\":[{one}],\"i\":1}}}}");
        assert_eq!(rows(&named, &["list"], true), [(label("f"), label("one")), (label("g"), label("two"))]);
        assert_eq!(rows(&format!("[{one}]"), &[], true), [(None, label("one"))]);
        assert!(pluck_each("[1", &List { path: &[], by_name: false, rows_max: 1 }, &[]).is_none());
    }
}
