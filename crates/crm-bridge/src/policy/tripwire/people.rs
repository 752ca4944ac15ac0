//! Numbers that states give to people and firms.

use super::{Digits, digit, is_blank, names};

/// Whether there is a number of a person or a firm whose check digits are right. Where chance makes one in ten right, the number
/// counts only in a text that also names it.
pub(super) fn has_national_number(text: &str) -> bool {
    let inn = names(text, &["инн", "inn"]);
    let snils = names(text, &["снилс", "snils"]);
    let bsn = names(text, &["bsn", "burgerservicenummer", "sofinummer"]);
    let mut digits = Digits::new();
    let mut shape = Shape::default();
    let mut before = '\n';
    for letter in text.chars().chain(std::iter::once('\n')) {
        if let Some(value) = digit(letter) {
            shape.group(digit(before).is_none());
            if !digits.push(value) {
                return false;
            }
        } else if digit(before).is_some() && (is_blank(letter) || matches!(letter, '-' | '.' | '\u{2011}')) {
            shape.separator(letter);
        } else {
            let numbers = digits.as_slice();
            let whole = !letter.is_alphabetic();
            if whole
                && ((inn && is_inn(numbers))
                    || (is_snils(numbers) && (snils || shape.is("3-3-3 2") || shape.is("3-3-3-2")))
                    || (bsn && is_bsn(numbers))
                    || (is_belgian(numbers) && (shape.groups == 1 || shape.is("2.2.2-3.2")))
                    || (is_french(numbers) && (shape.groups == 1 || shape.groups >= 6)))
            {
                return true;
            }
            (digits, shape) = (Digits::new(), Shape::default());
        }
        before = letter;
    }
    text.split(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '-' | '+'))
        .any(|word| is_finnish(word.as_bytes()))
}

/// How a number is grouped: `3-3-3 2` is three, three and three digits with hyphens and two behind a blank.
#[derive(Default, Clone, Copy)]
struct Shape {
    groups: usize,
    lengths: [u8; 8],
    separators: [u8; 8],
}

impl Shape {
    fn group(&mut self, begins: bool) {
        self.groups += usize::from(begins);
        if let Some(length) = self.lengths.get_mut(self.groups.saturating_sub(1)) {
            *length = length.saturating_add(1);
        }
    }

    fn separator(&mut self, letter: char) {
        let byte = if is_blank(letter) { b' ' } else { u8::try_from(letter).unwrap_or(b'-') };
        if let Some(separator) = self.separators.get_mut(self.groups.saturating_sub(1)) {
            *separator = byte;
        }
    }

    fn is(&self, pattern: &str) -> bool {
        let bytes = pattern.as_bytes();
        let groups = bytes.len().div_ceil(2);
        groups == self.groups
            && bytes.iter().enumerate().all(|(i, byte)| {
                let list = if i % 2 == 0 { &self.lengths } else { &self.separators };
                let wanted = if i % 2 == 0 { byte - b'0' } else { *byte };
                list.get(i / 2) == Some(&wanted)
            })
    }
}

fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

fn at(digits: &[u8], place: usize) -> Option<u32> {
    digits.get(place).map(|digit| u32::from(*digit))
}

/// ИНН: ten digits of a firm, twelve of a person (order of the Federal Tax Service ММВ-7-6/435).
fn is_inn(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    let check = |place: usize, skip: usize| {
        let weights = WEIGHTS.get(skip..).unwrap_or_default();
        at(digits, place) == Some(weighted(digits.get(..place).unwrap_or_default(), weights) % 11 % 10)
    };
    match digits.len() {
        10 => check(9, 2),
        12 => check(10, 1) && check(11, 0),
        _ => false,
    }
}

/// СНИЛС: nine digits and a sum modulo 101.
fn is_snils(digits: &[u8]) -> bool {
    let Some((number, check)) = digits.split_at_checked(9) else { return false };
    let sum = weighted(number, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    check.len() == 2 && super::number_of(check) == u64::from(sum) && super::number_of(number) > 1_001_998
}

/// Burgerservicenummer: the "eleven test", the last digit counting negatively.
fn is_bsn(digits: &[u8]) -> bool {
    let Some((last, number)) = digits.split_last() else { return false };
    let sum = weighted(number, &[9, 8, 7, 6, 5, 4, 3, 2]);
    digits.len() == 9 && sum % 11 == u32::from(*last) && sum > 0
}

/// Belgian national number: day of birth, a counter, and 97 minus the rest by 97 (with a 2 in front for those born since 2000).
fn is_belgian(digits: &[u8]) -> bool {
    let Some((number, check)) = digits.split_at_checked(9) else { return false };
    let month = super::number_of(number.get(2..4).unwrap_or_default());
    let day = super::number_of(number.get(4..6).unwrap_or_default());
    let value = super::number_of(number);
    let check_of = |value: u64| 97 - value % 97;
    let check = (check.len() == 2).then(|| super::number_of(check));
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && check.is_some_and(|check| check == check_of(value) || check == check_of(2_000_000_000 + value))
}

/// French numéro de sécurité sociale: sex, year and month of birth, place, counter, and 97 minus the rest by 97.
fn is_french(digits: &[u8]) -> bool {
    let Some((number, key)) = digits.split_at_checked(13) else { return false };
    let month = super::number_of(number.get(3..5).unwrap_or_default());
    let sex = matches!(number.first(), Some(1 | 2));
    key.len() == 2
        && sex
        && (1..=12).contains(&month)
        && super::number_of(key) == 97 - super::number_of(number) % 97
}

/// Finnish henkilötunnus: day of birth, a sign for the century, a counter and a check letter modulo 31.
fn is_finnish(word: &[u8]) -> bool {
    const LETTERS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let (Some(birth), Some(century), Some(counter), Some(check), 11) =
        (word.get(..6), word.get(6), word.get(7..10), word.get(10), word.len())
    else {
        return false;
    };
    if !birth.iter().chain(counter).all(u8::is_ascii_digit) || !b"+-ABCDEFYXWVU".contains(century) {
        return false;
    }
    let value = |bytes: &[u8]| bytes.iter().fold(0_usize, |sum, byte| sum * 10 + usize::from(byte - b'0'));
    let (day, month) = (value(birth) / 10_000, value(birth) / 100 % 100);
    (1..=31).contains(&day)
        && (1..=12).contains(&month)
        && LETTERS.get((value(birth) * 1_000 + value(counter)) % 31) == Some(&check.to_ascii_uppercase())
}
