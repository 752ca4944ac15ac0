//! The forms in which values of a type are shown and compared. Most CRMs send most values in plain ASCII and in that form
//! already; one pass sees that, and nothing is copied. Everything else goes the long way, with the same result (a property test
//! compares the two).

use zeroize::Zeroizing;

pub(super) const EMAIL_CHARS_MAX: usize = 254;
pub(super) const URL_CHARS_MAX: usize = 500;
/// ITU-T E.164 allows 15 digits after the `+`.
const PHONE_DIGITS_MAX: usize = 15;
const PHONE_DIGITS_MIN: usize = 5;

/// A text in the form of its type: where it came from if it had that form already, else a copy that is wiped.
pub enum Formed<'a> {
    /// As it came.
    Here(&'a str),
    /// In another form.
    Made(Zeroizing<String>),
}

impl std::ops::Deref for Formed<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Here(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl Formed<'_> {
    /// As a text of its own.
    pub(super) fn keep(self) -> Zeroizing<String> {
        match self {
            Self::Here(text) => held(text),
            Self::Made(text) => text,
        }
    }
}

/// How national telephone numbers become international ones, from the bridge's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PhoneRules {
    /// Digits of the home country, `7`, without `+`. Without it national numbers stay national.
    pub country_code: Option<String>,
    /// What people dial before a national number, `8` or `0`.
    pub trunk_prefix: Option<String>,
}

pub(super) fn held(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// Most texts have nothing to trim, and two bytes tell.
pub(super) fn trimmed(text: &str) -> &str {
    let has_edges = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let bytes = text.as_bytes();
    if has_edges(bytes.first()) && has_edges(bytes.last()) { text } else { text.trim() }
}

/// [`normal_email`] without a copy where there is nothing to change.
#[must_use]
pub fn email_form(text: &str) -> Option<Formed<'_>> {
    let text = trimmed(text);
    if is_plain_email(text, EMAIL_CHARS_MAX) {
        return Some(Formed::Here(text));
    }
    normal_email(text).map(|address| Formed::Made(Zeroizing::new(address)))
}

/// [`normal_phone`] without a copy where there is nothing to change.
#[must_use]
pub fn phone_form<'a>(text: &'a str, rules: &PhoneRules) -> Option<Formed<'a>> {
    let text = trimmed(text);
    if is_plain_phone(text, PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX) {
        return Some(Formed::Here(text));
    }
    normal_phone(text, rules).map(|number| Formed::Made(Zeroizing::new(number)))
}

pub(super) fn url_form(text: &str) -> Option<Formed<'_>> {
    let url = match plain_url(text) {
        Some(PlainUrl::Whole) => return Some(Formed::Here(text)),
        Some(PlainUrl::WithoutPath) => [text, "/"].concat(),
        None => normal_url(text)?,
    };
    Some(Formed::Made(Zeroizing::new(url)))
}

pub(super) fn day_form(text: &str) -> Option<Formed<'_>> {
    let day = calendar_day(text)?;
    // As it is written where it stands first; a negative year would be longer.
    match text.split_at_checked(10) {
        Some((written, _)) if is_plain_day(written) => Some(Formed::Here(written)),
        _ => Some(Formed::Made(Zeroizing::new(day.to_string()))),
    }
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

/// What a plain web address lacks of its form.
enum PlainUrl {
    /// Nothing.
    Whole,
    /// The `/` behind the host.
    WithoutPath,
}

/// `anna.k@mail.example.org`
fn is_plain_email(text: &str, bytes_max: usize) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let in_local = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'+');
    (1..=64).contains(&local.len())
        && text.len() <= bytes_max
        && local.bytes().all(in_local)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && is_plain_host(domain)
}

/// `+79165552241`
fn is_plain_phone(text: &str, digits: std::ops::RangeInclusive<usize>) -> bool {
    text.strip_prefix('+').is_some_and(|number| {
        digits.contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// `https://www.example.org/about_us`. A dot in a path may be a step up, and is left to the long way.
fn plain_url(text: &str) -> Option<PlainUrl> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
    if !is_plain_host(host) || !path.unwrap_or_default().bytes().all(in_path) {
        return None;
    }
    Some(if path.is_some() { PlainUrl::Whole } else { PlainUrl::WithoutPath })
}

/// `2026-11-21`
fn is_plain_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(
            |(i, byte)| {
                if matches!(i, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() }
            },
        )
}

/// Two labels or more, each of small letters, digits and single hyphens, beginning with a letter: so it is no number and has
/// nothing of Punycode.
fn is_plain_host(text: &str) -> bool {
    let mut dots = 0;
    let mut before = b'.';
    for byte in text.bytes() {
        let fits = match byte {
            b'a'..=b'z' => true,
            b'0'..=b'9' => before != b'.',
            b'-' | b'.' => before.is_ascii_alphanumeric(),
            _ => false,
        };
        if !fits {
            return false;
        }
        dots += usize::from(byte == b'.');
        before = byte;
    }
    dots > 0 && before.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn national_numbers_become_international_where_the_home_country_is_configured() {
        let rules = PhoneRules { country_code: Some("7".into()), trunk_prefix: Some("8".into()) };
        assert_eq!(normal_phone("8 (916) 555-22-41", &rules).unwrap(), "+79165552241");
        assert_eq!(normal_phone("+49 89 123456", &rules).unwrap(), "+4989123456");
        assert_eq!(normal_phone("89165552241", &PhoneRules::default()).unwrap(), "89165552241");
        assert_eq!(normal_phone("12", &rules), None);
    }

    #[test]
    fn what_is_in_its_form_already_is_not_copied() {
        let here = |form: Option<Formed<'_>>| matches!(form, Some(Formed::Here(_)));
        assert!(here(email_form(" anna.k-2@mail.example.org ")) && !here(email_form("Anna@example.org")));
        let rules = PhoneRules { country_code: Some("7".into()), trunk_prefix: Some("8".into()) };
        assert!(here(phone_form("+79165552241", &rules)) && !here(phone_form("89165552241", &rules)));
        assert!(here(url_form("https://example.org/a/b_c")) && !here(url_form("https://example.org")));
        assert!(here(day_form("2026-11-21T10:00:00Z")) && here(day_form("2026-11-21")));
    }

    proptest! {
        #[test]
        fn the_short_way_to_a_form_ends_where_the_long_way_does(
            email in "[ ]?[a-zA-Z0-9.@+_-]{0,12}@?[a-z0-9.-]{0,12}",
            phone in "[ ]?[+]?[0-9 ]{0,18}",
            url in "https?://[a-z0-9.-]{0,14}(:8|@b)?/?[a-zA-Z0-9/._-]{0,8}",
            plain_url in "https?://([a-z][a-z0-9]{0,5}[.]){1,3}[a-z][a-z0-9-]{0,3}[a-z](/[a-z/_-]{0,9})?",
            day in "[0-9-]{9,11}|20[0-9]{2}-[01][0-9]-[0-3][0-9]([T ][0-9]{2})?",
        ) {
            let same = |form: Option<Formed<'_>>, wanted: Option<String>| {
                form.map(|form| form.to_owned()) == wanted
            };
            let rules = PhoneRules { country_code: Some("7".into()), trunk_prefix: None };
            prop_assert!(same(email_form(&email), normal_email(&email)), "{email}");
            prop_assert!(same(phone_form(&phone, &rules), normal_phone(&phone, &rules)), "{phone}");
            prop_assert!(same(url_form(&url), normal_url(&url)), "{url}");
            prop_assert!(same(url_form(&plain_url), normal_url(&plain_url)), "{plain_url}");
            prop_assert!(same(day_form(&day), calendar_day(&day).map(|day| day.to_string())), "{day}");
        }

        #[test]
        fn trimming_is_trimming(text in "[ \t\u{a0}\u{2003}]{0,2}[a-zé]{0,3}[ \t\u{a0}\u{2003}\u{1}]{0,2}") {
            prop_assert_eq!(trimmed(&text), text.trim());
        }
    }
}
