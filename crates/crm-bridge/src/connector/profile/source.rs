//! Where a value is in a record, and what is made of it on the way.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::connector::pointer::Pointer;

/// One or several places of a value; the first that has one wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(pub Vec<Source>);

/// A place of a value in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub place: Place,
    /// What is made of it.
    pub form: Form,
    /// Ids and the words they stand for; what is not listed is no value.
    pub words: BTreeMap<String, String>,
    /// What people call this field, where its name in the CRM says nothing; judged by the deny lexicon.
    pub label: Option<String>,
}

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The member itself.
    Member(Pointer),
    /// A member of the entries of a list that meet a condition.
    Each(Each),
    /// Several members with a text between them; what is empty is left out.
    Join {
        /// The members in their order.
        members: Vec<Pointer>,
        /// What stands between.
        with: String,
    },
}

/// `{ each = "/mechanisms", where = { type = ["email"] }, in = "/values", take = "/value" }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Each {
    /// Where the list is.
    pub each: Pointer,
    /// Member of an entry and the texts (or whole numbers, as text) it may have.
    pub conditions: BTreeMap<String, Vec<String>>,
    /// Where a list is inside an entry, whose entries are taken instead.
    pub inner: Option<Pointer>,
    /// Where the value is in an entry of the inner list, or of the outer one if there is no inner; empty: the entry itself.
    pub take: Pointer,
}

/// What is made of what stands there. Never more than a text, a flag or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The text, flag or day itself.
    #[default]
    Plain,
    /// The label of `[id, label]`, `{id, name}` or `{value, label}`.
    Label,
    /// A whole number of at most 12 digits, as text.
    Digits,
    /// `"Y"`/`"N"`, 1/0, `"1"`/`"0"`, true/false.
    Flag,
    /// Seconds since 1970, as a day.
    UnixS,
    /// Milliseconds since 1970, as a day.
    UnixMs,
    /// `2026-11-21 09:12:00`, as a day.
    DateTime,
}

impl Source {
    /// The member itself, as it is.
    #[must_use]
    pub fn member(pointer: Pointer) -> Self {
        Self { place: Place::Member(pointer), form: Form::Plain, words: BTreeMap::new(), label: None }
    }

    /// The places that values are taken from, members from the outside in. Conditions are not among them.
    #[must_use]
    pub fn paths(&self) -> Vec<Vec<&str>> {
        fn names(pointer: &Pointer) -> impl Iterator<Item = &str> {
            pointer.segments().iter().map(String::as_str)
        }
        match &self.place {
            Place::Member(pointer) => vec![names(pointer).collect()],
            Place::Each(each) => {
                let inner = each.inner.iter().flat_map(names);
                vec![names(&each.each).chain(inner).chain(names(&each.take)).collect()]
            }
            Place::Join { members, .. } => members.iter().map(|member| names(member).collect()).collect(),
        }
    }

    /// The places that conditions look at.
    #[must_use]
    pub fn condition_paths(&self) -> Vec<Vec<&str>> {
        let Place::Each(each) = &self.place else { return Vec::new() };
        let list = || each.each.segments().iter().map(String::as_str);
        each.conditions.keys().map(|member| list().chain([member.as_str()]).collect()).collect()
    }
}

/// A source as it is written when it is a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    at: Option<Pointer>,
    each: Option<Pointer>,
    #[serde(default, rename = "where")]
    conditions: BTreeMap<String, Texts>,
    #[serde(rename = "in")]
    inner: Option<Pointer>,
    take: Option<Pointer>,
    join: Option<Vec<Pointer>>,
    with: Option<String>,
    #[serde(default, rename = "as")]
    form: Form,
    #[serde(default)]
    words: BTreeMap<String, String>,
    label: Option<String>,
}

impl Table {
    fn into_source(self) -> Result<Source, String> {
        let belongs = |given: bool, key: &str, to: &str| {
            if given { Err(format!("`{key}` belongs to `{to}`")) } else { Ok(()) }
        };
        let has_each = self.each.is_some();
        if !has_each {
            belongs(!self.conditions.is_empty(), "where", "each")?;
            belongs(self.inner.is_some(), "in", "each")?;
            belongs(self.take.is_some(), "take", "each")?;
        }
        if self.join.is_none() {
            belongs(self.with.is_some(), "with", "join")?;
        }
        let place = match (self.at, self.each, self.join) {
            (Some(at), None, None) => Place::Member(at),
            (None, Some(each), None) => Place::Each(Each {
                each,
                conditions: self.conditions.into_iter().map(|(name, texts)| (name, texts.0)).collect(),
                inner: self.inner,
                take: self.take.unwrap_or_default(),
            }),
            (None, None, Some(members)) if (2..=4).contains(&members.len()) => {
                Place::Join { members, with: self.with.unwrap_or_else(|| " ".to_owned()) }
            }
            (None, None, Some(_)) => return Err("`join` lists 2 to 4 places".to_owned()),
            _ => return Err("a source says one of `at`, `each` and `join`".to_owned()),
        };
        Ok(Source { place, form: self.form, words: self.words, label: self.label })
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(toml: D) -> Result<Self, D::Error> {
        toml.deserialize_any(SourceVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = Source;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a pointer such as \"/name\", or a table with `at`, `each` or `join`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Source, E> {
        Pointer::try_from(text.to_owned()).map(Source::member).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map))?.into_source().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(toml: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Sources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a source or a list of sources")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Sources, E> {
                SourceVisitor.visit_str(text).map(|source| Sources(vec![source]))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sources, A::Error> {
                SourceVisitor.visit_map(map).map(|source| Sources(vec![source]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Sources, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Sources)
            }
        }
        toml.deserialize_any(All)
    }
}

/// One text or several; whole numbers pass as their digits.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Texts(Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(toml: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, or a list of them")
            }

            fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Texts, E> {
                Ok(Texts(vec![number.to_string()]))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Texts, E> {
                Ok(Texts(vec![flag.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut all = Vec::new();
                while let Some(Texts(texts)) = list.next_element()? {
                    all.extend(texts);
                }
                Ok(Texts(all))
            }
        }
        toml.deserialize_any(All)
    }
}
