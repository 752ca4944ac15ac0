//! Wall 3, *type*: a raw member of a CRM answer becomes a typed value, or it is withheld and counted. Nothing passes
//! "as is", and a withheld value is never described by more than its [`Reason`].

use std::fmt;

use service_kit::Timestamp;
use zeroize::Zeroizing;

use super::form::{
    EMAIL_CHARS_MAX, Formed, URL_CHARS_MAX, day_form, email_form, phone_form, trimmed, url_form,
};
pub use super::form::{PhoneRules, normal_email, normal_phone};
use super::held::Held;
use super::tripwire::{self, Shape};
use super::{Field, FieldKind};
use crate::walls::{Wall, Walls};

/// A listed member as the CRM sent it. Neither `Debug` nor `Serialize`: it may only become a [`Reading`].
#[derive(Clone)]
pub enum RawScalar {
    /// A JSON string.
    Text(Held),
    /// A JSON integer.
    Integer(i64),
    /// A JSON boolean.
    Flag(bool),
    /// A calendar day, from a CRM that sends days as objects.
    Day(jiff::civil::Date),
    /// A point in time, from the same.
    Instant(Timestamp),
    /// `null`.
    Null,
    /// Something that no field type takes: an object, a list, a fraction.
    Misfit,
    /// The member stood there twice, so nobody can say which one is meant.
    Ambiguous,
}

/// Why a value was withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A number, list or object where a text was due, or the like.
    WrongType,
    /// Longer than the policy allows.
    TooLong,
    /// Line breaks, control or direction characters.
    ControlCharacters,
    /// Not one of the words of the closed set.
    NotInSet,
    /// Not a mail address, number, day or web address.
    BadSyntax,
    /// Sent twice in one record.
    Ambiguous,
    /// Looks like an account number, a card number, money or a key.
    Shape(Shape),
}

impl Reason {
    /// The word in reports and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongType => "wrong_type",
            Self::TooLong => "too_long",
            Self::ControlCharacters => "control_characters",
            Self::NotInSet => "not_in_set",
            Self::BadSyntax => "bad_syntax",
            Self::Ambiguous => "ambiguous",
            Self::Shape(shape) => shape.as_str(),
        }
    }
}

/// A value that has passed its type. `Debug` prints the kind only.
#[derive(Clone, PartialEq, Eq)]
pub enum TypedValue {
    /// One line of text.
    Text(Zeroizing<String>),
    /// A mail address.
    Email(Zeroizing<String>),
    /// A telephone number, `+` and digits where the country is known.
    Phone(Zeroizing<String>),
    /// A web address.
    Url(Zeroizing<String>),
    /// A calendar day, `YYYY-MM-DD`.
    Date(Zeroizing<String>),
    /// A word of the field's closed set.
    Enum(Zeroizing<String>),
    /// Yes or no.
    Flag(bool),
}

impl TypedValue {
    /// The text inside, for projection and storage; a flag has none.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text)
            | Self::Email(text)
            | Self::Phone(text)
            | Self::Url(text)
            | Self::Date(text)
            | Self::Enum(text) => Some(text),
            Self::Flag(_) => None,
        }
    }
}

impl fmt::Debug for TypedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[personal]")
    }
}

/// What became of one listed member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It fits and may be shown to whom the policy says.
    Value(TypedValue),
    /// It does not fit and is gone; only the reason is left.
    Withheld(Reason),
    /// The CRM sent nothing for it.
    Absent,
}

/// What becomes of one listed member, before anything is copied.
pub enum Typed<'a> {
    /// It fits.
    Text(Formed<'a>),
    /// It fits, and is yes or no.
    Flag(bool),
    /// It does not fit.
    Withheld(Reason),
    /// The CRM sent nothing for it.
    Absent,
}

/// Reads a raw member as the field's type.
#[must_use]
pub fn read(field: &Field, raw: &RawScalar, phones: &PhoneRules, walls: Walls) -> Reading {
    match typed(field, raw, phones, walls) {
        Typed::Absent => Reading::Absent,
        Typed::Withheld(reason) => Reading::Withheld(reason),
        Typed::Flag(flag) => Reading::Value(TypedValue::Flag(flag)),
        Typed::Text(text) => {
            let text = text.keep();
            Reading::Value(match &field.kind {
                _ if !walls.stands(Wall::Type) => TypedValue::Text(text),
                FieldKind::Text { .. } | FieldKind::Flag => TypedValue::Text(text),
                FieldKind::Email => TypedValue::Email(text),
                FieldKind::Phone => TypedValue::Phone(text),
                FieldKind::Url => TypedValue::Url(text),
                FieldKind::Date => TypedValue::Date(text),
                FieldKind::Enum { .. } => TypedValue::Enum(text),
            })
        }
    }
}

/// The same, for whoever needs the value only for a moment.
#[must_use]
pub fn typed<'a>(field: &'a Field, raw: &'a RawScalar, phones: &PhoneRules, walls: Walls) -> Typed<'a> {
    if !walls.stands(Wall::Type) {
        return typed_without_wall(raw, walls);
    }
    let text = match raw {
        RawScalar::Null => return Typed::Absent,
        RawScalar::Ambiguous => return Typed::Withheld(Reason::Ambiguous),
        RawScalar::Flag(flag) if field.kind == FieldKind::Flag => return Typed::Flag(*flag),
        // Some CRMs say `false` where others say null.
        RawScalar::Flag(false) => return Typed::Absent,
        RawScalar::Day(day) if field.kind == FieldKind::Date => return made(day.to_string()),
        RawScalar::Instant(instant) if field.kind == FieldKind::Date => {
            return made(instant.to_string().chars().take(10).collect());
        }
        RawScalar::Text(text) => trimmed(text),
        _ => return Typed::Withheld(Reason::WrongType),
    };
    if text.is_empty() {
        return Typed::Absent;
    }
    typed_text(&field.kind, text, phones, walls).unwrap_or_else(Typed::Withheld)
}

/// What is left when the wall is taken away in a test build: everything is a text.
fn typed_without_wall(raw: &RawScalar, walls: Walls) -> Typed<'_> {
    match raw {
        RawScalar::Text(text) => match shapeless(text, walls) {
            Ok(()) => Typed::Text(Formed::Here(text)),
            Err(reason) => Typed::Withheld(reason),
        },
        RawScalar::Integer(number) => made(number.to_string()),
        RawScalar::Flag(flag) => Typed::Flag(*flag),
        RawScalar::Day(day) => made(day.to_string()),
        RawScalar::Instant(instant) => made(instant.to_string()),
        RawScalar::Null | RawScalar::Misfit | RawScalar::Ambiguous => Typed::Absent,
    }
}

fn made<'a>(text: String) -> Typed<'a> {
    Typed::Text(Formed::Made(Zeroizing::new(text)))
}

fn typed_text<'a>(
    kind: &'a FieldKind,
    text: &'a str,
    phones: &PhoneRules,
    walls: Walls,
) -> Result<Typed<'a>, Reason> {
    if !is_printable(text) {
        return Err(Reason::ControlCharacters);
    }
    let formed = match kind {
        FieldKind::Text { chars_max } => {
            within(text, usize::from(*chars_max))?;
            shapeless(text, walls)?;
            Formed::Here(text)
        }
        FieldKind::Email => {
            within(text, EMAIL_CHARS_MAX)?;
            let address = email_form(text).ok_or(Reason::BadSyntax)?;
            shapeless(&address, walls)?;
            address
        }
        FieldKind::Phone => {
            within(text, 40)?;
            phone_form(text, phones).ok_or(Reason::BadSyntax)?
        }
        FieldKind::Url => {
            within(text, URL_CHARS_MAX)?;
            shapeless(text, walls)?;
            url_form(text).ok_or(Reason::BadSyntax)?
        }
        FieldKind::Date => {
            within(text, 40)?;
            day_form(text).ok_or(Reason::BadSyntax)?
        }
        FieldKind::Enum { values } => {
            Formed::Here(values.iter().find(|word| *word == text).ok_or(Reason::NotInSet)?)
        }
        FieldKind::Flag => {
            return match text {
                "true" => Ok(Typed::Flag(true)),
                "false" => Ok(Typed::Flag(false)),
                _ => Err(Reason::WrongType),
            };
        }
    };
    Ok(Typed::Text(formed))
}

fn within(text: &str, chars_max: usize) -> Result<(), Reason> {
    if text.len() > chars_max && text.chars().count() > chars_max { Err(Reason::TooLong) } else { Ok(()) }
}

fn shapeless(text: &str, walls: Walls) -> Result<(), Reason> {
    tripwire::scan(text)
        .filter(|_| walls.stands(Wall::Tripwire))
        .map_or(Ok(()), |shape| Err(Reason::Shape(shape)))
}

fn is_printable(text: &str) -> bool {
    if text.is_ascii() {
        !text.bytes().any(|byte| byte.is_ascii_control())
    } else {
        !text.chars().any(is_unprintable)
    }
}

/// Control characters, and the ones that turn the direction of the text around them (Unicode TR 36) or are invisible.
fn is_unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || ('\u{e0000}'..='\u{e007f}').contains(&letter)
}

#[cfg(test)]
mod tests {
    use super::super::form::held;
    use super::*;
    use crate::policy::load::load;

    fn field(entry: &str) -> Field {
        let header = "[policy]\nname=\"t\"\nnumber=1\nowner=\"t\"\n";
        load(&format!("{header}[person.x]\nshow=[\"line1\"]\n{entry}")).unwrap().fields.remove(0)
    }

    fn text(value: &str) -> RawScalar {
        RawScalar::Text(held(value).into())
    }

    fn outcome(entry: &str, raw: &RawScalar) -> String {
        match read(&field(entry), raw, &PhoneRules::default(), Walls::standing()) {
            Reading::Value(TypedValue::Flag(flag)) => flag.to_string(),
            Reading::Value(value) => value.text().unwrap().to_owned(),
            Reading::Withheld(reason) => format!("withheld: {}", reason.as_str()),
            Reading::Absent => "absent".to_owned(),
        }
    }

    #[test]
    fn a_text_passes_only_when_short_printable_and_without_a_tell_tale_shape() {
        let entry = "type=\"text\"\nchars_max=12";
        assert_eq!(outcome(entry, &text("  Ärger GmbH ")), "Ärger GmbH");
        assert_eq!(outcome(entry, &text("ÄÖÜÄÖÜÄÖÜÄÖÜ")), "ÄÖÜÄÖÜÄÖÜÄÖÜ");
        assert_eq!(outcome(entry, &text("ÄÖÜÄÖÜÄÖÜÄÖÜÄ")), "withheld: too_long");
        assert_eq!(outcome(entry, &text("a\nb")), "withheld: control_characters");
        assert_eq!(outcome(entry, &text("a\u{202e}b")), "withheld: control_characters");
        assert_eq!(outcome(entry, &text("12 500 €")), "withheld: money");
        assert_eq!(outcome(entry, &text("   ")), "absent");
    }

    #[test]
    fn a_number_a_list_or_an_object_is_never_a_text() {
        let entry = "type=\"text\"\nchars_max=12";
        for raw in [RawScalar::Integer(98_765), RawScalar::Misfit, RawScalar::Flag(true)] {
            assert_eq!(outcome(entry, &raw), "withheld: wrong_type");
        }
        assert_eq!(outcome(entry, &RawScalar::Ambiguous), "withheld: ambiguous");
        assert_eq!(outcome(entry, &RawScalar::Null), "absent");
        assert_eq!(outcome(entry, &RawScalar::Flag(false)), "absent");
    }

    #[test]
    fn an_account_number_does_not_pass_as_a_phone_number() {
        assert_eq!(outcome("type=\"phone\"", &text("DE89 3704 0044 0532 0130 00")), "withheld: bad_syntax");
        assert_eq!(outcome("type=\"phone\"", &text("4111 1111 1111 1111")), "withheld: bad_syntax");
        assert_eq!(outcome("type=\"phone\"", &text("+7 (916) 555-22-41")), "+79165552241");
        assert_eq!(outcome("type=\"phone\"", &text("0049 89 123456")), "+4989123456");
    }

    #[test]
    fn mail_addresses_urls_days_words_and_flags_are_checked() {
        assert_eq!(outcome("type=\"email\"", &text("Anna.K@Example.ORG")), "anna.k@example.org");
        for broken in
            ["anna", "anna@example", "a b@example.org", "<anna@example.org>", "anna@-x.org", "@example.org"]
        {
            assert_eq!(outcome("type=\"email\"", &text(broken)), "withheld: bad_syntax", "{broken}");
        }
        assert_eq!(outcome("type=\"url\"", &text("https://example.org/a")), "https://example.org/a");
        assert_eq!(outcome("type=\"url\"", &text("javascript:alert(1)")), "withheld: bad_syntax");
        assert_eq!(outcome("type=\"url\"", &text("https://u:p@example.org/")), "withheld: bad_syntax");
        assert_eq!(outcome("type=\"date\"", &text("2026-11-21T10:00:00Z")), "2026-11-21");
        assert_eq!(outcome("type=\"date\"", &text("2026-13-21")), "withheld: bad_syntax");
        assert_eq!(outcome("type=\"enum\"\nvalues=[\"gold\"]", &text("gold")), "gold");
        assert_eq!(outcome("type=\"enum\"\nvalues=[\"gold\"]", &text("platinum")), "withheld: not_in_set");
        assert_eq!(outcome("type=\"flag\"", &RawScalar::Flag(false)), "false");
        assert_eq!(outcome("type=\"flag\"", &RawScalar::Integer(1)), "withheld: wrong_type");
    }

    #[test]
    fn a_typed_value_does_not_print_itself() {
        assert_eq!(format!("{:?}", TypedValue::Text(held("Anna"))), "[personal]");
    }
}
