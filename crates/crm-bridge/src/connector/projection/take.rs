//! What is made of the values that were found: the first that is one, in the form that the profile asks for. Only
//! what is taken here is copied out of the answer.

use jiff::civil::Date;
use service_kit::Timestamp;
use zeroize::Zeroizing;

use super::clock::{Clock, whole_number};
use super::plan::Plan;
use super::sink::{Found, Sink};
use super::walk::is_text;
use crate::connector::profile::Form;
use crate::policy::held::{Held, Texts};
use crate::policy::value::RawScalar;

/// Longest number that is taken as text: more digits are no customer number, but an account.
const DIGITS_MAX: usize = 12;

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Id,
    UpdatedAt,
    Deleted,
    MergedInto,
    MergedFrom,
    /// The id of a company that is a record of its own.
    Company,
    /// The id of the person that a child belongs to.
    Parent,
    /// The ids of those who hang on a child.
    Parents,
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
    pub(super) words: Vec<(Box<str>, Box<str>)>,
    /// Whether `false` is an answer here and not the lack of one.
    pub(super) false_is_a_value: bool,
}

/// Which cells a value is made of.
#[derive(Debug)]
pub(super) enum Parts {
    /// The first of these cells that has something.
    FirstOf(Vec<usize>),
    /// All of them, with a text between.
    Joined(Vec<usize>, Box<str>),
}

/// The listed members of one record and nothing else. No `Debug`, no `Serialize`.
#[derive(Default, Clone)]
pub struct Record {
    /// The CRM's id.
    pub id: Option<String>,
    /// When the CRM last changed it.
    pub updated_at: Option<Timestamp>,
    /// Mail addresses, for the check that a hit is a hit.
    pub emails: Vec<Held>,
    /// Phone numbers, for the same.
    pub phones: Vec<Held>,
    /// Whether the CRM counts it as deleted.
    pub deleted: bool,
    /// The id of the record that this one was merged into.
    pub merged_into: Option<String>,
    /// The ids of records that were merged into this one.
    pub merged_from: Vec<String>,
    /// The id of its company, where that is a record of its own.
    pub company_id: Option<String>,
    /// For a record of a child feed: the ids of the people it belongs to.
    pub parents: Vec<String>,
    /// For each policy field that this CRM has: its position in the policy, and what was found.
    pub values: Vec<(usize, RawScalar)>,
    /// Positions of those fields of which the record had no member at all, not even an empty one. Their value above is
    /// null. A CRM leaves out what it hides from the bridge's user, so this is no reason to forget a known value.
    pub not_sent: Vec<usize>,
    /// What came past the wall when a test took it away.
    #[cfg(feature = "sabotage")]
    pub unlisted: Vec<(String, String)>,
}

impl Record {
    pub(super) fn take(plan: &Plan, sink: &Sink<'_>, texts: &mut Texts) -> Self {
        let mut record = Self { values: Vec::with_capacity(plan.field_count), ..Self::default() };
        let mut missing = None;
        for output in &plan.outputs {
            match output.target {
                Target::Id => record.id = record.id.or_else(|| output.id(sink)),
                Target::UpdatedAt => {
                    record.updated_at = output.found(sink).find_map(|found| plan.clock.instant(found));
                }
                Target::Deleted => {
                    let wanted = plan.deleted.as_deref();
                    let is_it = |found: &Found<'_>| wanted.is_some_and(|wanted| is_text(found, wanted));
                    record.deleted = output.found(sink).any(is_it);
                }
                Target::MergedInto => record.merged_into = output.id(sink),
                Target::MergedFrom => {
                    output.found(sink).for_each(|found| ids(found, &mut record.merged_from))
                }
                Target::Company => record.company_id = output.id(sink),
                Target::Parent => record.parents.extend(output.id(sink)),
                Target::Parents => output.found(sink).for_each(|found| ids(found, &mut record.parents)),
                Target::Email => output.each(sink, &plan.clock, texts, |text| record.emails.push(text)),
                Target::Phone => output.each(sink, &plan.clock, texts, |text| record.phones.push(text)),
                Target::Field(field) => {
                    record.offer(field, output, sink, (&plan.clock, &mut *texts), &mut missing)
                }
            }
        }
        record.not_sent.extend(missing);
        record
    }

    /// Takes the first value that is one; sources of a field come in the order of the profile, one after the other.
    /// `missing` is the field before, or this one, as long as none of its places was in the record.
    fn offer(
        &mut self,
        field: usize,
        output: &Output,
        sink: &Sink<'_>,
        (clock, texts): (&Clock, &mut Texts),
        missing: &mut Option<usize>,
    ) {
        if self.values.last().is_none_or(|(known, _)| *known != field) {
            self.values.push((field, RawScalar::Null));
            self.not_sent.extend(missing.replace(field));
        }
        let Some((_, value)) = self.values.last_mut() else { return };
        if !matches!(value, RawScalar::Null) {
            return;
        }
        if output.cells().iter().any(|cell| sink.was_sent(*cell)) {
            *missing = None;
        }
        if let Some(found) = output.first(sink, clock, texts) {
            *value = found;
        }
    }

    /// Whether the record had that field, be it empty.
    #[must_use]
    pub fn was_sent(&self, field: usize) -> bool {
        self.values.iter().any(|(known, _)| *known == field) && !self.not_sent.contains(&field)
    }
}

impl Output {
    fn cells(&self) -> &[usize] {
        match &self.parts {
            Parts::FirstOf(cells) | Parts::Joined(cells, _) => cells,
        }
    }

    fn found<'s, 'de>(&'s self, sink: &'s Sink<'de>) -> impl Iterator<Item = &'s Found<'de>> {
        self.cells().iter().flat_map(|cell| sink.values(*cell))
    }

    fn id(&self, sink: &Sink<'_>) -> Option<String> {
        self.found(sink).find_map(id_text)
    }

    fn first(&self, sink: &Sink<'_>, clock: &Clock, texts: &mut Texts) -> Option<RawScalar> {
        match &self.parts {
            Parts::FirstOf(_) => self.found(sink).find_map(|found| self.formed(found, clock, texts)),
            Parts::Joined(cells, with) => self.formed(&joined(cells, with, sink), clock, texts),
        }
    }

    fn each(&self, sink: &Sink<'_>, clock: &Clock, texts: &mut Texts, mut take: impl FnMut(Held)) {
        let mut take = |value: Option<RawScalar>| {
            if let Some(RawScalar::Text(text)) = value {
                take(text);
            }
        };
        match &self.parts {
            Parts::FirstOf(_) => self.found(sink).for_each(|found| take(self.formed(found, clock, texts))),
            Parts::Joined(cells, with) => take(self.formed(&joined(cells, with, sink), clock, texts)),
        }
    }

    /// The value in its form, if it is one.
    fn formed(&self, found: &Found<'_>, clock: &Clock, texts: &mut Texts) -> Option<RawScalar> {
        if found.is_nothing() && !(self.false_is_a_value && matches!(found, Found::Flag(_))) {
            return None;
        }
        if matches!(found, Found::Ambiguous) {
            return Some(RawScalar::Ambiguous);
        }
        if !self.words.is_empty() {
            let word = self.words.iter().find(|(id, _)| is_text(found, id));
            return word.map(|(_, word)| RawScalar::Text(texts.hold(word)));
        }
        let formed = match self.form {
            Form::Plain => return Some(plain(found, texts)),
            Form::Label => found.text().map(|text| RawScalar::Text(texts.hold(text))),
            Form::Digits => digits(found, texts),
            Form::Flag => flag(found).map(RawScalar::Flag),
            Form::UnixS => whole_number(found).and_then(|s| clock.day_of_seconds(s)).map(RawScalar::Day),
            Form::UnixMs => {
                let seconds = whole_number(found).map(|ms| ms.div_euclid(1_000));
                seconds.and_then(|s| clock.day_of_seconds(s)).map(RawScalar::Day)
            }
            Form::DateTime => match day_of_text(found) {
                DayText::None => return None,
                DayText::Day(day) => Some(RawScalar::Day(day)),
                DayText::Other => None,
            },
        };
        Some(formed.unwrap_or(RawScalar::Misfit))
    }
}

fn plain(found: &Found<'_>, texts: &mut Texts) -> RawScalar {
    match found {
        Found::Text(text) => RawScalar::Text(texts.hold(text)),
        Found::Escaped(text) => RawScalar::Text(texts.hold(text)),
        Found::Integer(number) => RawScalar::Integer(*number),
        Found::Flag(flag) => RawScalar::Flag(*flag),
        Found::Day(day) => RawScalar::Day(*day),
        Found::Instant(instant) => RawScalar::Instant(*instant),
        Found::Null => RawScalar::Null,
        Found::Misfit => RawScalar::Misfit,
        Found::Ambiguous => RawScalar::Ambiguous,
    }
}

/// A whole number that is a name for something, such as a customer number. Not one that could be an account.
fn digits(found: &Found<'_>, texts: &mut Texts) -> Option<RawScalar> {
    let is_number =
        |text: &str| (1..=DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let mut hold = |text: &str| is_number(text).then(|| RawScalar::Text(texts.hold(text)));
    match found {
        Found::Integer(number) => hold(&number.to_string()),
        other => hold(other.text()?.trim_ascii()),
    }
}

fn flag(found: &Found<'_>) -> Option<bool> {
    match found {
        Found::Flag(flag) => Some(*flag),
        Found::Integer(1) => Some(true),
        Found::Integer(0) => Some(false),
        other => match other.text()?.trim_ascii() {
            "Y" | "y" | "1" | "true" => Some(true),
            "N" | "n" | "0" | "false" => Some(false),
            _ => None,
        },
    }
}

enum DayText {
    None,
    Day(Date),
    Other,
}

/// The day of `2026-11-21 09:12:00`. MySQL's `0000-00-00` is none.
fn day_of_text(found: &Found<'_>) -> DayText {
    let Some((day, _)) = found.text().map(str::trim_ascii).and_then(|text| text.split_at_checked(10)) else {
        return DayText::Other;
    };
    match day.parse() {
        _ if day == "0000-00-00" => DayText::None,
        Ok(day) => DayText::Day(day),
        Err(_) => DayText::Other,
    }
}

/// The texts of the cells, those that are none left out. What is no text makes a misfit of the whole.
fn joined<'de>(cells: &[usize], with: &str, sink: &Sink<'de>) -> Found<'de> {
    let mut parts = Vec::with_capacity(cells.len());
    for found in cells.iter().filter_map(|cell| sink.first(*cell)).filter(|found| !found.is_nothing()) {
        match found.text() {
            Some(text) => parts.push(text.trim_ascii()),
            None if matches!(found, Found::Ambiguous) => return Found::Ambiguous,
            None => return Found::Misfit,
        }
    }
    if parts.is_empty() { Found::Null } else { Found::Escaped(Zeroizing::new(parts.join(with))) }
}

const ID_CHARS_MAX: usize = 140;

/// Whether a text can be an id: a short line without a letter that means something in an address. Some CRMs make ids of
/// names, with blanks and letters of any script.
pub(in crate::connector) fn is_id(text: &str) -> bool {
    let leads_elsewhere = matches!(text, "." | "..") || text.contains(['/', '\\', '?', '#', '%']);
    let is_line = text.trim() == text && !leads_elsewhere && !text.chars().any(char::is_control);
    is_line && (1..=ID_CHARS_MAX).contains(&text.chars().count())
}

/// The ids that stand there: one, or several in a text with `;`, `,` or blanks between.
fn ids(value: &Found<'_>, into: &mut Vec<String>) {
    match value.text() {
        Some(text) => into.extend(text.split([';', ',', ' ']).filter(|id| is_id(id)).map(str::to_owned)),
        None => into.extend(id_text(value)),
    }
}

fn id_text(value: &Found<'_>) -> Option<String> {
    if let Found::Integer(number) = value {
        return Some(number.to_string());
    }
    let text = value.text()?;
    is_id(text).then(|| text.to_owned())
}
