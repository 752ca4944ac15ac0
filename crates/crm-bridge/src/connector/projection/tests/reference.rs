//! Reading the slow and simple way, from a tree of everything, to compare with. Written from the grammar of profiles and
//! not from the plan.

use service_kit::Timestamp;

use super::*;
use crate::connector::pointer::Pointer;
use crate::connector::profile::{Each, Form, Place, Source};
use crate::policy::{Entity, FieldKind};

/// What stands somewhere.
#[derive(Clone, PartialEq)]
enum Thing {
    Text(String),
    Number(i64),
    Flag(bool),
    /// As it is written in the comparison.
    Day(String),
    Nothing,
    Misfit,
    Ambiguous,
}

impl Thing {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Nothing,
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => number.as_i64().map_or(Self::Misfit, Self::Number),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => Self::Misfit,
        }
    }

    fn is_nothing(&self) -> bool {
        match self {
            Self::Nothing | Self::Flag(false) => true,
            Self::Text(text) => text.trim_matches([' ', '\t', '\n', '\r', '\u{c}']).is_empty(),
            _ => false,
        }
    }

    fn plain_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Flag(flag) => Some(flag.to_string()),
            _ => None,
        }
    }
}

/// What should come through of a record, as [`super::passed`] writes it.
pub(super) fn expected(policy: &Policy, profile: &Profile, record: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    let here = Pointer::default();
    let person = &profile.person;
    if let Some(id) = at(record, &person.id).and_then(id) {
        texts.push(format!("id={id}"));
    }
    let time = person
        .updated_at
        .as_ref()
        .and_then(|updated_at| at(record, updated_at)?.as_str()?.trim().parse().ok());
    texts.extend(time.map(|at: Timestamp| format!("updated_at={at}")));
    for sources in [&person.r#match.email, &person.r#match.phone] {
        let things = sources.0.iter().flat_map(|source| things(record, &here, source, false));
        texts.extend(things.filter_map(|thing| match thing {
            Thing::Text(text) => Some(format!("match={text}")),
            _ => None,
        }));
    }
    for field in &policy.fields {
        let outer = match (field.entity, profile.embedded_company()) {
            (Entity::Company, None) => continue,
            (Entity::Company, Some(at)) => at,
            (Entity::Person, _) => &here,
        };
        let is_flag = field.kind == FieldKind::Flag;
        let sources = profile.sources(field.entity, &field.name).iter();
        let found = sources.flat_map(|source| things(record, outer, source, is_flag)).next();
        texts.extend(found.and_then(|thing| match thing {
            Thing::Nothing => None,
            Thing::Misfit => Some(format!("{} misfit", field.key)),
            Thing::Ambiguous => Some(format!("{} ambiguous", field.key)),
            Thing::Day(day) => Some(format!("{}={day}", field.key)),
            other => other.plain_text().map(|text| format!("{}={text}", field.key)),
        }));
    }
    texts
}

fn at<'a>(value: &'a Value, pointer: &Pointer) -> Option<&'a Value> {
    pointer.segments().iter().try_fold(value, |value, name| value.as_object()?.get(name))
}

fn id(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.as_i64()?.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let letters: Vec<char> = text.chars().collect();
    let begins_and_ends = [letters.first(), letters.last()].into_iter().flatten().all(|c| !c.is_whitespace());
    let no_address =
        !letters.iter().any(|c| "/\\?#%".contains(*c) || c.is_control()) && text != "." && text != "..";
    ((1..=140).contains(&letters.len()) && begins_and_ends && no_address).then_some(text)
}

/// The values of a source in their form, those that are none left out.
fn things(record: &Value, outer: &Pointer, source: &Source, is_flag: bool) -> Vec<Thing> {
    let Some(outer) = at(record, outer) else { return Vec::new() };
    let raw = match &source.place {
        Place::Member(pointer) => {
            at(outer, pointer).map(|value| standing(value, source.form)).unwrap_or_default()
        }
        Place::Each(each) => {
            at(outer, &each.each).map(|list| of_list(list, each, source.form)).unwrap_or_default()
        }
        Place::Join { members, with } => vec![joined(outer, members, with)],
    };
    let keeps_false = is_flag || source.form == Form::Flag;
    let raw =
        raw.into_iter().filter(|thing| !thing.is_nothing() || (keeps_false && *thing == Thing::Flag(false)));
    raw.filter_map(|thing| formed(thing, source)).collect()
}

/// What stands at a place, of which there may be several readings if a label is wanted.
fn standing(value: &Value, form: Form) -> Vec<Thing> {
    if form != Form::Label {
        return vec![Thing::of(value)];
    }
    match value {
        Value::Array(pair) if pair.len() > 2 => vec![Thing::Ambiguous],
        Value::Array(pair) => pair.get(1).map(Thing::of).into_iter().collect(),
        Value::Object(members) => {
            ["label", "name"].iter().filter_map(|name| members.get(*name)).map(Thing::of).collect()
        }
        scalar if Thing::of(scalar).is_nothing() => Vec::new(),
        _ => vec![Thing::Misfit],
    }
}

fn entries(list: &Value) -> Vec<&Value> {
    match list {
        Value::Array(entries) => entries.iter().collect(),
        Value::Object(entries) => {
            let is_position =
                |name: &str| (1..=9).contains(&name.len()) && name.chars().all(|c| c.is_ascii_digit());
            entries.iter().filter(|(name, _)| is_position(name)).map(|(_, entry)| entry).collect()
        }
        _ => Vec::new(),
    }
}

fn of_list(list: &Value, each: &Each, form: Form) -> Vec<Thing> {
    let mut found = Vec::new();
    for entry in entries(list).into_iter().take(1_000) {
        let meets = each.conditions.iter().all(|(name, texts)| {
            let thing = entry.as_object().and_then(|members| members.get(name)).map(Thing::of);
            thing.and_then(|thing| thing.plain_text()).is_some_and(|text| texts.contains(&text))
        });
        if !meets {
            continue;
        }
        let of_entry = |entry: &Value| {
            let things = at(entry, &each.take).map(|value| standing(value, form)).unwrap_or_default();
            // Of the readings of a label one is taken.
            let first =
                things.iter().position(|thing| !thing.is_nothing()).or((!things.is_empty()).then_some(0));
            first.map(|first| things[first].clone())
        };
        match &each.inner {
            None => found.extend(of_entry(entry)),
            Some(inner) => {
                let inner = at(entry, inner).map(entries).unwrap_or_default();
                found.extend(inner.into_iter().take(1_000).filter_map(of_entry).take(50));
            }
        }
    }
    found.truncate(50);
    found
}

fn joined(outer: &Value, members: &[Pointer], with: &str) -> Thing {
    let parts = members
        .iter()
        .filter_map(|member| at(outer, member))
        .map(Thing::of)
        .filter(|thing| !thing.is_nothing());
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Thing::Text(text) => texts.push(text.trim_matches([' ', '\t', '\n', '\r', '\u{c}']).to_owned()),
            _ => return Thing::Misfit,
        }
    }
    if texts.is_empty() { Thing::Nothing } else { Thing::Text(texts.join(with)) }
}

fn formed(thing: Thing, source: &Source) -> Option<Thing> {
    if matches!(thing, Thing::Ambiguous) {
        return Some(thing);
    }
    if !source.words.is_empty() {
        return source.words.get(&thing.plain_text()?).cloned().map(Thing::Text);
    }
    let trimmed = thing.plain_text().map(|text| text.trim().to_owned());
    let number = trimmed
        .as_ref()
        .filter(|_| !matches!(thing, Thing::Flag(_)))
        .and_then(|text| text.parse::<i64>().ok());
    let day = |seconds: i64| {
        let at = jiff::Timestamp::from_second(seconds).ok()?;
        Some(Thing::Day(at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()))
    };
    let formed = match source.form {
        Form::Plain => Some(thing),
        Form::Label => Some(thing).filter(|thing| matches!(thing, Thing::Text(_))),
        Form::Digits => trimmed
            .filter(|text| !matches!(thing, Thing::Flag(_)) && (1..=12).contains(&text.len()))
            .filter(|text| text.chars().all(|c| c.is_ascii_digit()))
            .map(Thing::Text),
        Form::Flag => match trimmed.as_deref() {
            Some("Y" | "y" | "1" | "true") => Some(Thing::Flag(true)),
            Some("N" | "n" | "0" | "false") => Some(Thing::Flag(false)),
            _ => None,
        },
        Form::UnixS => number.and_then(day),
        Form::UnixMs => number.and_then(|ms| day(ms.div_euclid(1_000))),
        Form::DateTime => match &thing {
            Thing::Text(text) => {
                let day: String = text.trim().chars().take(10).collect();
                if day == "0000-00-00" {
                    return None;
                }
                day.parse::<jiff::civil::Date>().ok().map(|day| Thing::Day(day.to_string()))
            }
            _ => None,
        },
    };
    Some(formed.unwrap_or(Thing::Misfit))
}
