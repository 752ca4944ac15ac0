//! What is made of the values that were found: the first that is one, in the form that the profile asks for. Only
//! what is taken here is copied out of the answer.

use jiff::tz::TimeZone;
use service_kit::Timestamp;
use zeroize::Zeroizing;

use super::plan::Plan;
use super::sink::{Found, Sink};
use crate::connector::profile::answer::Literal;
use crate::policy::value::RawScalar;

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Id,
    UpdatedAt,
    Deleted,
    MergedInto,
    /// The id of a company that is a record of its own.
    Company,
    /// The id of the person that a child belongs to.
    Parent,
    Email,
    Phone,
    /// Position of the field in the policy.
    Field(usize),
}

/// From cells to a value.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) target: Target,
    pub(super) parts: Parts,
    pub(super) form: Form,
    /// Ids and the words they stand for.
    pub(super) words: Option<Box<[(Box<str>, Box<str>)]>>,
    /// Whether `false` is an answer here and not the lack of one.
    pub(super) false_is_a_value: bool,
    /// Where a day begins that is sent as seconds.
    pub(super) zone: TimeZone,
}

/// Which cells a value is made of.
#[derive(Debug)]
pub(super) enum Parts {
    /// The first of these cells that has something.
    FirstOf(Vec<usize>),
    /// All of them, with a text between.
    Joined(Vec<usize>, Box<str>),
}

/// What is made of what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
}

/// The listed members of one record and nothing else. No `Debug`, no `Serialize`.
#[derive(Default)]
pub struct Record {
    /// The CRM's id.
    pub id: Option<String>,
    /// When the CRM last changed it.
    pub updated_at: Option<Timestamp>,
    /// Mail addresses, for the check that a hit is a hit.
    pub emails: Vec<Zeroizing<String>>,
    /// Phone numbers, for the same.
    pub phones: Vec<Zeroizing<String>>,
    /// Whether the CRM counts it as deleted.
    pub deleted: bool,
    /// The id of the record that this one was merged into.
    pub merged_into: Option<String>,
    /// The id of its company, where that is a record of its own.
    pub company_id: Option<String>,
    /// For a record of a child feed: the id of the person it belongs to.
    pub parent: Option<String>,
    /// For each policy field that this CRM has: its position in the policy, and what was found.
    pub values: Vec<(usize, RawScalar)>,
    /// What came past the wall when a test took it away.
    #[cfg(feature = "sabotage")]
    pub unlisted: Vec<(String, String)>,
}

impl Record {
    pub(super) fn take(plan: &Plan, sink: &Sink<'_>) -> Self {
        let mut record = Self::default();
        for output in &plan.outputs {
            match output.target {
                Target::Id => record.id = output.first(sink).and_then(id_text),
                Target::UpdatedAt => record.updated_at = output.first(sink).and_then(instant),
                Target::Deleted => {
                    record.deleted |= output.first(sink).zip(plan.deleted.as_ref()).is_some_and(is)
                }
                Target::MergedInto => record.merged_into = output.first(sink).and_then(id_text),
                Target::Company => record.company_id = output.first(sink).and_then(id_text),
                Target::Parent => record.parent = output.first(sink).and_then(id_text),
                Target::Email => record.emails.extend(output.texts(sink)),
                Target::Phone => record.phones.extend(output.texts(sink)),
                Target::Field(field) => record.offer(field, output, sink),
            }
        }
        record
    }

    /// Takes the first value that is one; sources of a field come in the order of the profile, one after the other.
    fn offer(&mut self, field: usize, output: &Output, sink: &Sink<'_>) {
        match self.values.last_mut().filter(|(known, _)| *known == field) {
            Some((_, RawScalar::Null)) | None => {}
            Some(_) => return,
        }
        let value = output.value(sink).unwrap_or(RawScalar::Null);
        match self.values.last_mut().filter(|(known, _)| *known == field) {
            Some((_, known)) => *known = value,
            None => self.values.push((field, value)),
        }
    }
}

impl Output {
    fn cells(&self) -> &[usize] {
        match &self.parts {
            Parts::FirstOf(cells) | Parts::Joined(cells, _) => cells,
        }
    }

    fn first<'s, 'de>(&self, sink: &'s Sink<'de>) -> Option<&'s Found<'de>> {
        self.cells().iter().find_map(|cell| sink.first(*cell))
    }

    fn texts<'s>(&'s self, sink: &'s Sink<'_>) -> impl Iterator<Item = Zeroizing<String>> + 's {
        let found = self.cells().iter().flat_map(|cell| sink.values(*cell));
        found.filter_map(Found::text).map(|text| Zeroizing::new(text.to_owned()))
    }

    fn value(&self, sink: &Sink<'_>) -> Option<RawScalar> {
        self.cells().iter().flat_map(|cell| sink.values(*cell)).find_map(|found| self.formed(found))
    }

    /// The value in its form, if it is one.
    fn formed(&self, found: &Found<'_>) -> Option<RawScalar> {
        if found.is_nothing() && !(self.false_is_a_value && matches!(found, Found::Flag(_))) {
            return None;
        }
        Some(match found {
            Found::Text(text) => RawScalar::Text(Zeroizing::new((*text).to_owned())),
            Found::Escaped(text) => RawScalar::Text(text.clone()),
            Found::Integer(number) => RawScalar::Integer(*number),
            Found::Flag(flag) => RawScalar::Flag(*flag),
            Found::Day(day) => RawScalar::Day(*day),
            Found::Instant(instant) => RawScalar::Instant(*instant),
            Found::Null => return None,
            Found::Misfit => RawScalar::Misfit,
            Found::Ambiguous => RawScalar::Ambiguous,
        })
    }
}

fn is((value, literal): (&Found<'_>, &Literal)) -> bool {
    match (value, literal) {
        (Found::Flag(flag), Literal::Flag(wanted)) => flag == wanted,
        (Found::Integer(number), Literal::Number(wanted)) => number == wanted,
        (other, Literal::Text(wanted)) => other.text() == Some(wanted.as_str()),
        _ => false,
    }
}

/// An id that is safe to put into a path: short, and without a letter that means something there.
fn id_text(value: &Found<'_>) -> Option<String> {
    if let Found::Integer(number) = value {
        return Some(number.to_string());
    }
    let text = value.text()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'=');
    ((1..=128).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}

fn instant(value: &Found<'_>) -> Option<Timestamp> {
    match value {
        Found::Instant(instant) => Some(*instant),
        other => other.text()?.parse().ok(),
    }
}
