//! One value in all the ways in which people and programs write it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::search::LENGTH_MIN;

/// One value that a CRM keeps secret.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Marker {
    /// `text`, `amount`, `iban` or `phone`.
    pub kind: String,
    /// The field of the CRM that it stands in.
    pub field: String,
    /// The record that it stands in.
    pub record: String,
    /// As the CRM writes it.
    pub value: String,
}

/// A byte string to look for, and what it stands for.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The field it came from and how it is written, for the report.
    pub means: String,
}

/// One value in every spelling. Letters are compared without their case, so one spelling of hexadecimal is enough.
#[must_use]
pub fn spellings(marker: &Marker) -> Vec<Pattern> {
    let pattern =
        |(how, bytes)| Pattern { bytes, means: format!("{} of {}, {how}", marker.field, marker.record) };
    written(&marker.kind, &marker.value).into_iter().map(pattern).collect()
}

/// How a value of that kind (`text`, `email`, `amount`, `iban` or `phone`) can be written: a name for the way, and the bytes.
#[must_use]
pub fn written(kind: &str, value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut texts: Vec<(&'static str, String)> = vec![("as it is", value.to_owned())];
    match kind {
        "amount" => texts.extend(amounts(value)),
        "iban" => texts.extend(ibans(value)),
        "phone" => texts.push(("digits", value.trim_start_matches('+').to_owned())),
        // Their ends may be shown, and are no secret.
        "email" => {}
        // Halves: an index that leaves out what two neighbours share, or a database page that ends in the middle.
        _ => texts.extend(halves(value)),
    }
    let mut found: Vec<(&'static str, Vec<u8>)> = Vec::new();
    let mut add = |how: &'static str, bytes: Vec<u8>| {
        if bytes.len() >= LENGTH_MIN && !found.iter().any(|(_, known)| *known == bytes) {
            found.push((how, bytes));
        }
    };
    for (how, text) in &texts {
        add(how, text.clone().into_bytes());
    }
    for (how, bytes) in encodings(value) {
        add(how, bytes);
    }
    if kind == "amount"
        && let Ok(number) = value.parse::<f64>()
    {
        add("binary, little-endian", number.to_le_bytes().to_vec());
        add("binary, big-endian", number.to_be_bytes().to_vec());
    }
    found
}

/// `12345678.91` as people and programs of several countries write it.
fn amounts(value: &str) -> Vec<(&'static str, String)> {
    let (whole, cents) = value.split_once('.').unwrap_or((value, "00"));
    let grouped = |separator: &str| {
        let digits: Vec<char> = whole.chars().collect();
        let groups: Vec<String> = digits.rchunks(3).rev().map(|group| group.iter().collect()).collect();
        groups.join(separator)
    };
    let mantissa =
        format!("{}.{}{cents}", whole.get(..1).unwrap_or_default(), whole.get(1..).unwrap_or_default());
    let exponent = whole.len().saturating_sub(1);
    vec![
        ("with a comma", format!("{whole},{cents}")),
        ("in cents", format!("{whole}{cents}")),
        ("English", grouped(",")),
        ("German", grouped(".")),
        ("Russian", grouped(" ")),
        ("Russian, no-break", grouped("\u{a0}")),
        ("Russian, narrow", grouped("\u{202f}")),
        ("Swiss", grouped("’")),
        ("Swiss, plain", grouped("'")),
        ("exponent", format!("{mantissa}e{exponent}")),
        ("signed exponent", format!("{mantissa}e+{exponent:02}")),
    ]
}

fn ibans(value: &str) -> Vec<(&'static str, String)> {
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters: Vec<char> = plain.chars().collect();
    let grouped = |separator: &str| {
        letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(separator)
    };
    vec![
        ("without spaces", plain.clone()),
        ("in fours", grouped(" ")),
        ("in fours, no-break", grouped("\u{a0}")),
        ("in fours, narrow", grouped("\u{202f}")),
        ("in fours, dashes", grouped("-")),
        ("in fours, plus", grouped("+")),
        ("in fours, %20", grouped("%20")),
        ("domestic part", letters.iter().skip(4).collect()),
    ]
}

fn halves(value: &str) -> Vec<(&'static str, String)> {
    const HALF: usize = 14;
    let letters: Vec<char> = value.chars().collect();
    if letters.len() < HALF + 4 {
        return Vec::new();
    }
    vec![
        ("first half", letters.iter().take(HALF).collect()),
        ("second half", letters.iter().skip(letters.len() - HALF).collect()),
    ]
}

fn encodings(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let each = |write: &dyn Fn(u32) -> String| -> Vec<u8> {
        value.chars().map(|letter| write(u32::from(letter))).collect::<String>().into_bytes()
    };
    let wide: Vec<u16> = value.encode_utf16().collect();
    let mut found = vec![
        ("UTF-16", wide.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
        ("UTF-16, big-endian", wide.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
        ("hexadecimal", value.bytes().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()),
        (
            "percent-encoded",
            value.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>().into_bytes(),
        ),
        ("escaped in JSON", each(&|letter| format!("\\u{letter:04x}"))),
        ("HTML, decimal", each(&|letter| format!("&#{letter};"))),
        ("HTML, hexadecimal", each(&|letter| format!("&#x{letter:x};"))),
    ];
    for before in 0..3 {
        found.push(("base64", in_base64(&STANDARD_NO_PAD, value, before)));
        found.push(("base64 for addresses", in_base64(&URL_SAFE_NO_PAD, value, before)));
    }
    found
}

/// The letters that a value has in base64 whatever stands around it, with `before` bytes of its group before it.
fn in_base64(engine: &impl Engine, value: &str, before: usize) -> Vec<u8> {
    let mut bytes = vec![0_u8; before];
    bytes.extend(value.bytes());
    let whole_groups = bytes.len() / 3 * 4;
    let text = engine.encode(&bytes).into_bytes();
    let start = if before == 0 { 0 } else { before + 1 };
    text.get(start..whole_groups.min(text.len())).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(kind: &str, value: &str) -> Marker {
        let text = |text: &str| text.to_owned();
        Marker { kind: text(kind), field: text("deal.amount"), record: text("dl_1"), value: text(value) }
    }

    fn has(marker: &Marker, wanted: &[u8]) -> bool {
        spellings(marker).iter().any(|pattern| pattern.bytes == wanted)
    }

    #[test]
    fn an_amount_is_known_in_the_spellings_of_several_countries() {
        let amount = marker("amount", "12345678.91");
        let spellings = [
            "12345678.91",
            "12345678,91",
            "1234567891",
            "12,345,678",
            "12.345.678",
            "12 345 678",
            "12’345’678",
            "1.234567891e7",
            "1.234567891e+07",
        ];
        for spelling in spellings {
            assert!(has(&amount, spelling.as_bytes()), "{spelling}");
        }
        assert!(has(&amount, &12_345_678.91_f64.to_le_bytes()));
    }

    #[test]
    fn a_bank_account_is_known_with_and_without_spaces() {
        for written in ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00"] {
            let iban = marker("iban", written);
            for spelling in ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "370400440532013000"] {
                assert!(has(&iban, spelling.as_bytes()), "{spelling}");
            }
        }
    }

    #[test]
    fn base64_is_recognised_at_every_offset() {
        let text = marker("text", "markabcdefghjkmnpqrstuvw");
        for before in ["", "x", "xy", "xyz", "wxyz"] {
            let whole = STANDARD_NO_PAD.encode(format!("{before}{} and more", text.value));
            let found = spellings(&text).iter().any(|pattern| {
                pattern.means.contains("base64")
                    && whole.contains(std::str::from_utf8(&pattern.bytes).unwrap())
            });
            assert!(found, "after {before:?}");
        }
    }
}
