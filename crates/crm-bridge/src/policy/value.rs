//! Wall 3, *type*: a raw member of a CRM answer becomes a typed value, or it is withheld and counted. Nothing passes
//! "as is", and a withheld value is never described by more than its [`Reason`].

use std::fmt;

use service_kit::Timestamp;
use zeroize::Zeroizing;

use super::tripwire::{self, Shape};
use super::{Field, FieldKind};
use crate::walls::{Wall, Walls};

const EMAIL_CHARS_MAX: usize = 254;
const URL_CHARS_MAX: usize = 500;
/// ITU-T E.164 allows 15 digits after the `+`.
const PHONE_DIGITS_MAX: usize = 15;
const PHONE_DIGITS_MIN: usize = 5;

/// A listed member as the CRM sent it. Neither `Debug` nor `Serialize`: it may only become a [`Reading`].
#[derive(Clone)]
pub enum RawScalar {
    /// A JSON string.
    Text(Zeroizing<String>),
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

/// How national telephone numbers become international ones, from the bridge's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PhoneRules {
    /// Digits of the home country, `7`, without `+`. Without it national numbers stay national.
    pub country_code: Option<String>,
    /// What people dial before a national number, `8` or `0`.
    pub trunk_prefix: Option<String>,
}

/// Reads a raw member as the field's type.
#[must_use]
pub fn read(field: &Field, raw: &RawScalar, phones: &PhoneRules, walls: Walls) -> Reading {
    if !walls.stands(Wall::Type) {
        return read_without_wall(raw, walls);
    }
    let text = match raw {
        RawScalar::Null => return Reading::Absent,
        RawScalar::Ambiguous => return Reading::Withheld(Reason::Ambiguous),
        RawScalar::Flag(flag) if field.kind == FieldKind::Flag => {
            return Reading::Value(TypedValue::Flag(*flag));
        }
        // Some CRMs say `false` where others say null.
        RawScalar::Flag(false) => return Reading::Absent,
        RawScalar::Day(day) if field.kind == FieldKind::Date => {
            return Reading::Value(TypedValue::Date(Zeroizing::new(day.to_string())));
        }
        RawScalar::Instant(instant) if field.kind == FieldKind::Date => {
            let day = instant.to_string().chars().take(10).collect();
            return Reading::Value(TypedValue::Date(Zeroizing::new(day)));
        }
        RawScalar::Text(text) => text.trim(),
        _ => return Reading::Withheld(Reason::WrongType),
    };
    if text.is_empty() {
        return Reading::Absent;
    }
    match read_text(&field.kind, text, phones, walls) {
        Ok(value) => Reading::Value(value),
        Err(reason) => Reading::Withheld(reason),
    }
}

/// What is left when the wall is taken away in a test build: everything is a text.
fn read_without_wall(raw: &RawScalar, walls: Walls) -> Reading {
    match raw {
        RawScalar::Text(text) => match shapeless(text, walls) {
            Ok(()) => Reading::Value(TypedValue::Text(text.clone())),
            Err(reason) => Reading::Withheld(reason),
        },
        RawScalar::Integer(number) => Reading::Value(TypedValue::Text(Zeroizing::new(number.to_string()))),
        RawScalar::Flag(flag) => Reading::Value(TypedValue::Flag(*flag)),
        RawScalar::Day(day) => Reading::Value(TypedValue::Text(Zeroizing::new(day.to_string()))),
        RawScalar::Instant(instant) => Reading::Value(TypedValue::Text(Zeroizing::new(instant.to_string()))),
        RawScalar::Null | RawScalar::Misfit | RawScalar::Ambiguous => Reading::Absent,
    }
}

fn read_text(kind: &FieldKind, text: &str, phones: &PhoneRules, walls: Walls) -> Result<TypedValue, Reason> {
    if !is_printable(text) {
        return Err(Reason::ControlCharacters);
    }
    match kind {
        FieldKind::Text { chars_max } => {
            within(text, usize::from(*chars_max))?;
            shapeless(text, walls)?;
            Ok(TypedValue::Text(held(text)))
        }
        FieldKind::Email => {
            within(text, EMAIL_CHARS_MAX)?;
            let address = normal_email(text).ok_or(Reason::BadSyntax)?;
            shapeless(&address, walls)?;
            Ok(TypedValue::Email(Zeroizing::new(address)))
        }
        FieldKind::Phone => {
            within(text, 40)?;
            normal_phone(text, phones)
                .map(|number| TypedValue::Phone(Zeroizing::new(number)))
                .ok_or(Reason::BadSyntax)
        }
        FieldKind::Url => {
            within(text, URL_CHARS_MAX)?;
            shapeless(text, walls)?;
            Ok(TypedValue::Url(Zeroizing::new(normal_url(text).ok_or(Reason::BadSyntax)?)))
        }
        FieldKind::Date => {
            within(text, 40)?;
            Ok(TypedValue::Date(Zeroizing::new(calendar_day(text).ok_or(Reason::BadSyntax)?.to_string())))
        }
        FieldKind::Enum { values } => values
            .iter()
            .find(|word| *word == text)
            .map(|word| TypedValue::Enum(held(word)))
            .ok_or(Reason::NotInSet),
        FieldKind::Flag => match text {
            "true" => Ok(TypedValue::Flag(true)),
            "false" => Ok(TypedValue::Flag(false)),
            _ => Err(Reason::WrongType),
        },
    }
}

fn held(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
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

/// A mail address in the form in which two are compared: trimmed, the domain in lower case, the local part too, since
/// no CRM and no mail provider of note tells `Anna@` from `anna@`. None if it is not one address.
#[must_use]
pub fn normal_email(text: &str) -> Option<String> {
    let text = text.trim();
    let (local, domain) = text.rsplit_once('@')?;
    let local_is_fine = !local.is_empty()
        && local.chars().count() <= 64
        && !local.chars().any(|c| c.is_whitespace() || c.is_control() || "\"(),:;<>[\\]@".contains(c))
        && !local.starts_with('.')
        && !local.ends_with('.');
    let labels_are_fine = domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    (local_is_fine && labels_are_fine && text.chars().count() <= EMAIL_CHARS_MAX).then(|| text.to_lowercase())
}

/// A telephone number in the form in which two are compared: `+` and digits where the country is known, else digits.
/// None if it has letters, too few or too many digits.
#[must_use]
pub fn normal_phone(text: &str, rules: &PhoneRules) -> Option<String> {
    let text = text.trim();
    let mut digits = String::new();
    for (i, letter) in text.chars().enumerate() {
        match letter {
            '0'..='9' => digits.push(letter),
            '+' if i == 0 => {}
            ' ' | '-' | '(' | ')' | '.' | '/' | '\u{a0}' | '\u{2011}' | '\u{2013}' => {}
            _ => return None,
        }
    }
    let international = if text.starts_with('+') {
        Some(digits.clone())
    } else if let Some(rest) = digits.strip_prefix("00") {
        Some(rest.to_owned())
    } else {
        rules.country_code.as_ref().and_then(|country| {
            let national = match rules.trunk_prefix.as_deref() {
                Some(trunk) => digits.strip_prefix(trunk)?,
                None => &digits,
            };
            Some(format!("{country}{national}"))
        })
    };
    let count = international.as_ref().map_or(digits.len(), String::len);
    if !(PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX).contains(&count) {
        return None;
    }
    Some(international.map_or(digits, |number| format!("+{number}")))
}

fn normal_url(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    let harmless = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none();
    harmless.then(|| url.to_string())
}

/// A day from `2026-11-21` or from the day part of an RFC 3339 or "date space time" instant.
fn calendar_day(text: &str) -> Option<jiff::civil::Date> {
    let (day, rest) = text.split_once(['T', ' ']).map_or((text, None), |(day, rest)| (day, Some(rest)));
    if rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit())) {
        return None;
    }
    let well_formed = day.len() == 10 && day.chars().all(|c| c.is_ascii_digit() || c == '-');
    well_formed.then(|| day.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load::load;

    fn field(entry: &str) -> Field {
        let header = "[policy]\nname=\"t\"\nnumber=1\nowner=\"t\"\n";
        load(&format!("{header}[person.x]\nshow=[\"line1\"]\n{entry}")).unwrap().fields.remove(0)
    }

    fn text(value: &str) -> RawScalar {
        RawScalar::Text(held(value))
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
    fn national_numbers_become_international_where_the_home_country_is_configured() {
        let rules = PhoneRules { country_code: Some("7".into()), trunk_prefix: Some("8".into()) };
        assert_eq!(normal_phone("8 (916) 555-22-41", &rules).unwrap(), "+79165552241");
        assert_eq!(normal_phone("+49 89 123456", &rules).unwrap(), "+4989123456");
        assert_eq!(normal_phone("89165552241", &PhoneRules::default()).unwrap(), "89165552241");
        assert_eq!(normal_phone("12", &rules), None);
    }

    #[test]
    fn a_typed_value_does_not_print_itself() {
        assert_eq!(format!("{:?}", TypedValue::Text(held("Anna"))), "[personal]");
    }
}
