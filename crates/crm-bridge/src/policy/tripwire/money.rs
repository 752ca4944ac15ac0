//! A number beside a currency, in the order and with the separators of any country.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{digit, is_blank, names};

/// The most used currencies (BIS Triennial Survey 2025, and those of the languages of the lexicon): codes and words that mean nothing
/// else, on either side of the number.
#[rustfmt::skip]
const ON_EITHER_SIDE: &[&str] = &[
    "aed", "amd", "azn", "bgn", "brl", "byn", "chf", "clp", "cny", "czk", "dkk", "dollar", "dollari", "dollaria", "dollars", "dolar", "dolares",
    "eur", "euros", "gbp", "hkd", "huf", "idr", "ils", "inr", "jpy", "krw", "kzt", "kč", "mxn", "myr", "nis", "nok", "nzd", "pln", "rmb",
    "rouble", "roubles", "rub", "ruble", "rublej", "rubles", "rubley", "rupiah", "rur", "sek", "sgd", "thb", "twd", "uah", "usd", "uzs",
    "vnd", "zar", "zł",
    // In thousands and millions, as accountants write it, and coins of the net.
    "kchf", "keuro", "kgbp", "kusd", "mchf", "meur", "mgbp", "musd", "tchf", "teur", "tgbp", "tsdeur", "tusd", "btc", "usdt",
    "грн", "долл", "доллар", "доллара", "долларов", "евро", "руб", "рублей", "рубль", "рубля", "тенге",
    "אירו", "דולר", "דולרים", "ש\"ח", "שח", "שקל", "שקלים", "ש״ח",
    "جنيه", "درهم", "دولار", "دينار", "ريال", "يورو",
    "रुपए", "रुपये", "원", "人民币", "万元", "万円", "美元",
];
/// Words that mean a currency behind any number, and before one only if it is large: `Euro 6` is a norm, `Kr. 12` a district.
const BEHIND_OR_BEFORE_LARGE: &[&str] = &["euro", "kr"];
/// Words that mean a currency only behind the number.
#[rustfmt::skip]
const BEHIND: &[&str] = &[
    "baht", "cents", "dong", "eura", "euroa", "francs", "franken", "hryvnia", "kronen", "kroner", "kronor", "kruunua", "lari",
    "lei", "lira", "peso", "pesos", "pounds", "puntaa", "quid", "rand", "reais", "real", "ringgit", "rupees", "tl", "won", "yen", "yuan",
    "zloty", "zlotych", "đ", "đồng", "бат", "гривен", "гривна", "злотых", "иен", "лв", "р", "сом", "сум", "франков", "юаней",
];
/// Codes that are also words or versions (`PHP 8`, `CAD 2024`): only with a number of three digits, which is not a year.
#[rustfmt::skip]
const WITH_LARGE_NUMBERS: &[&str] = &[
    "ars", "aud", "bam", "bucks", "cad", "cop", "egp", "fr", "ft", "gel", "keur", "lek", "mad", "mdl", "ngn", "pen", "php", "pkr", "ron", "rm", "rp",
    "rs", "rsd", "sar", "sfr", "try",
];
const MULTIPLIERS: &[&str] = &[
    "bn",
    "cr",
    "crore",
    "jt",
    "juta",
    "k",
    "lakh",
    "m",
    "mil",
    "mill",
    "million",
    "millionen",
    "millions",
    "mio",
    "mln",
    "mrd",
    "ribu",
    "tsd",
    "к",
    "млн",
    "млрд",
    "т",
    "тыс",
    "אלף",
    "万",
];

/// What each word means.
static WORDS: LazyLock<HashMap<&'static str, Token>> = LazyLock::new(|| {
    let each = |words: &'static [&'static str], token: fn(&str) -> Token| {
        words.iter().map(move |word| (*word, token(word)))
    };
    let large = |word: &str| Token::Currency(Place::WithLargeNumbers { letters: word.chars().count() });
    each(ON_EITHER_SIDE, |_| Token::Currency(Place::EitherSide))
        .chain(each(BEHIND, |_| Token::Currency(Place::Behind)))
        .chain(each(BEHIND_OR_BEFORE_LARGE, |_| Token::Currency(Place::BehindOrBeforeLarge)))
        .chain(each(WITH_LARGE_NUMBERS, large))
        .chain(each(MULTIPLIERS, |_| Token::Multiplier))
        .collect()
});

/// Most words are none of those, and one look at a bit tells so.
static SEEN: LazyLock<[u64; 32]> = LazyLock::new(|| {
    let mut seen = [0; 32];
    for word in WORDS.keys() {
        let (place, bit) = bit_of(word.as_bytes());
        if let Some(bits) = seen.get_mut(place) {
            *bits |= bit;
        }
    }
    seen
});

fn may_be_known(word: &[u8]) -> bool {
    let (place, bit) = bit_of(word);
    SEEN.get(place).is_some_and(|bits| bits & bit != 0)
}

/// Place and bit of a word among 2,048, by its length, its first bytes and its last.
fn bit_of(bytes: &[u8]) -> (usize, u64) {
    let byte = |place: usize| bytes.get(place).map_or(0, |byte| usize::from(byte.to_ascii_lowercase()));
    let mixed = byte(0) * 31 + byte(1) * 131 + byte(bytes.len().saturating_sub(1)) * 517 + bytes.len() * 7;
    (mixed / 64 % 32, 1 << (mixed % 64))
}

/// Whether there is a number beside a currency, with at most a multiplier such as `k` or `тыс` between them, or a JSON object
/// that carries an amount.
pub(super) fn has_money(text: &str) -> bool {
    let object =
        text.contains('{') && names(text, &["amount", "amountmicros", "currency", "currencycode", "decimal"]);
    object || (may_name_currency(text) && has_pair(text))
}

/// Whether a look at all words is worth its time: a plain text has a `$`, a word that is a currency, the `,-` of a price or the `S/`
/// of Peru. Plain is what has beside ASCII only the letters of Western Europe (U+00C0 to U+00FF, whose first byte is C3): they are
/// in no such word and no sign.
fn may_name_currency(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_plain = !bytes.iter().any(|byte| *byte == b'$' || (*byte >= 0xC0 && *byte != 0xC3));
    let is_price = |pair: &[u8]| matches!(pair, [b',' | b'.', b'-'] | [b'S' | b's', b'/']);
    !is_plain
        || bytes.windows(2).any(is_price)
        || bytes.split(|byte| !byte.is_ascii_alphabetic()).any(is_currency)
}

/// Whether a word of ASCII letters is one.
fn is_currency(word: &[u8]) -> bool {
    if word.is_empty() || !may_be_known(word) {
        return false;
    }
    let mut lower = [0; Word::MAX];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    let token = std::str::from_utf8(lower).ok().and_then(|word| WORDS.get(word));
    matches!(token, Some(Token::Currency(_)))
}

#[derive(Clone, Copy, PartialEq)]
enum Token {
    Number(Number),
    /// A number with a dash or `_` behind it: `5000-EUR`.
    Joined(Number),
    Currency(Place),
    Multiplier,
    Other,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    EitherSide,
    Behind,
    BehindOrBeforeLarge,
    WithLargeNumbers {
        letters: usize,
    },
    /// One of those, abbreviated: `Rs.`
    Dotted,
    /// `S/`
    Sol,
}

/// The digits before the decimal separator, as far as one can tell: the first group and further ones of three.
#[derive(Clone, Copy, PartialEq, Default)]
struct Number {
    whole_digits: usize,
    group_digits: usize,
    groups: usize,
    value: u64,
}

impl Number {
    fn digit(&mut self, value: u8) {
        self.group_digits += 1;
        self.value = self.value.saturating_mul(10).saturating_add(u64::from(value));
    }

    fn end_group(&mut self) {
        if self.groups == 0 {
            self.whole_digits = self.group_digits;
        } else if self.group_digits == 3 {
            self.whole_digits += 3;
        }
        self.groups += usize::from(self.group_digits > 0);
        self.group_digits = 0;
    }

    fn is_year(self) -> bool {
        self.groups == 1 && self.whole_digits == 4 && (1900..2100).contains(&self.value)
    }
}

fn is_money(first: Token, second: Token) -> bool {
    match (first, second) {
        (
            Token::Number(_),
            Token::Currency(Place::EitherSide | Place::Behind | Place::BehindOrBeforeLarge),
        )
        | (Token::Currency(Place::EitherSide), Token::Number(_)) => true,
        (Token::Joined(number), Token::Currency(Place::EitherSide)) => {
            number.whole_digits >= 3 && !number.is_year()
        }
        (Token::Number(number), Token::Currency(Place::WithLargeNumbers { .. } | Place::Dotted)) => {
            number.whole_digits >= 3
        }
        (Token::Currency(Place::Dotted | Place::Sol), Token::Number(number)) => {
            number.whole_digits >= 3 && !number.is_year()
        }
        // `KR 06236` is a place in Korea.
        (Token::Currency(Place::BehindOrBeforeLarge), Token::Number(number)) => {
            number.whole_digits >= 3 && !number.is_year() && (number.whole_digits < 5 || number.groups > 1)
        }
        // `FR 75001` is a place; `Fr. 75'001` is money.
        (Token::Currency(Place::WithLargeNumbers { letters }), Token::Number(number)) => {
            number.whole_digits >= 3 && !number.is_year() && (letters > 2 || number.groups > 1)
        }
        _ => false,
    }
}

/// Goes through the text once, keeping the last two tokens.
fn has_pair(text: &str) -> bool {
    let mut last = [Token::Other; 2];
    let mut number: Option<Number> = None;
    let mut word = Word::new();
    let mut before = ' ';
    let mut before_word = ' ';
    let mut is_price = false;
    for letter in text.chars().chain(std::iter::once('\n')) {
        // `500,-`
        if is_price && (is_blank(letter) || letter == '\n') {
            return true;
        }
        is_price = false;
        let in_word = word.takes(letter);
        if let Some(token) = word.token().filter(|_| !in_word) {
            let token = word.with_sign(token, before_word, letter);
            let of_sign = letter == '$' && token == Token::Other && word.count <= LETTERS_OF_A_SIGN_MAX;
            word = Word::new();
            if (of_sign && is_money(last[1], DOLLAR)) || ends(&mut last, token) {
                return true;
            }
        }
        if let Some(value) = digit(letter) {
            number.get_or_insert_default().digit(value);
        } else if let Some(open) = number.as_mut() {
            open.end_group();
            is_price = is_dash(letter) && ends_a_price(before, open.whole_digits);
            let goes_on =
                is_blank(letter) || is_separator(letter) || (is_separator(before) && is_dash(letter));
            if !goes_on {
                let done = Token::Number(*open);
                number = None;
                if ends(&mut last, done) {
                    return true;
                }
            }
        }
        if in_word {
            if word.count == 0 {
                before_word = before;
            }
            word.push(letter);
        } else if is_sign(letter) {
            if ends(&mut last, Token::Currency(Place::EitherSide)) {
                return true;
            }
        } else if let (true, Token::Number(number)) = (joins(before, letter), last[1]) {
            last[1] = Token::Joined(number);
        } else if number.is_none() && !is_blank(letter) && !may_stand_between(letter, last[1]) {
            last = [last[1], Token::Other];
        }
        before = letter;
    }
    false
}

const DOLLAR: Token = Token::Currency(Place::EitherSide);
/// `5000 US$`: the letters belong to the sign.
const LETTERS_OF_A_SIGN_MAX: usize = 3;

/// `5000-EUR`; `Level 3 - EUR team` is a team.
fn joins(before: char, letter: char) -> bool {
    digit(before).is_some() && (is_dash(letter) || letter == '_')
}

/// `500,-` and, in Switzerland, `500.-`; `10.- 12. Mai` is a time.
fn ends_a_price(separator: char, whole_digits: usize) -> bool {
    match separator {
        ',' => whole_digits >= 2,
        '.' => whole_digits >= 3,
        _ => false,
    }
}

/// Takes a token in and says whether it completes money.
fn ends(last: &mut [Token; 2], token: Token) -> bool {
    let found = is_money(last[1], token) || (last[1] == Token::Multiplier && is_money(last[0], token));
    *last = [last[1], token];
    found
}

/// `EUR: 500`, `Fr. 500`, `€ -500`, `12.500,- CHF`.
fn may_stand_between(letter: char, last: Token) -> bool {
    let after_currency = matches!(last, Token::Currency(_));
    (after_currency
        && (is_dash(letter) || matches!(letter, '.' | ':' | '=' | '(' | '~' | '≈' | '+' | '<' | '>' | '/')))
        || (matches!(last, Token::Multiplier) && letter == '.')
        || matches!(letter, '\u{200e}' | '\u{200f}')
}

fn is_dash(letter: char) -> bool {
    matches!(letter, '-' | '\u{2011}' | '\u{2013}' | '\u{2014}' | '\u{2212}')
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '.' | ',' | '\'' | '\u{2019}' | '٫' | '٬' | '،')
}

fn is_sign(letter: char) -> bool {
    matches!(
        letter,
        '$' | '¢' | '£' | '¥' | '\u{20a0}'
            ..='\u{20c0}' | '฿' | '៛' | '﷼' | '＄' | '￡' | '￥' | '￦' | '元' | '円' | '圓'
    )
}

/// A word in lower case, in place; a longer one than any currency is none.
struct Word {
    bytes: [u8; Self::MAX],
    count: usize,
    too_long: bool,
}

impl Word {
    const MAX: usize = 32;

    const fn new() -> Self {
        Self { bytes: [0; Self::MAX], count: 0, too_long: false }
    }

    /// Letters belong to a word; so do the marks inside ש״ח.
    fn takes(&self, letter: char) -> bool {
        (letter.is_alphabetic() && !is_sign(letter))
            || (self.count > 0 && matches!(letter, '"' | '\u{5f4}') && self.bytes[0] == 0xd7)
    }

    fn is(&self, word: &str) -> bool {
        !self.too_long && self.bytes.get(..self.count) == Some(word.as_bytes())
    }

    /// What the word is with the letters around it: a dot makes a currency of `Rs. 500` and none of `Rm. 301`.
    fn with_sign(&self, token: Token, before: char, after: char) -> Token {
        let abbreviated = || ["fr", "rp", "rs", "sfr"].iter().any(|word| self.is(word));
        match (token, after) {
            (Token::Currency(Place::WithLargeNumbers { .. }), '.') if abbreviated() => {
                Token::Currency(Place::Dotted)
            }
            (Token::Other, '/') if self.is("s") && is_blank(before) => Token::Currency(Place::Sol),
            (token, _) => token,
        }
    }

    fn push(&mut self, letter: char) {
        if letter.is_ascii() {
            match self.bytes.get_mut(self.count) {
                Some(room) => {
                    *room = letter.to_ascii_lowercase() as u8;
                    self.count += 1;
                }
                None => self.too_long = true,
            }
            return;
        }
        for lower in letter.to_lowercase() {
            let mut utf8 = [0; 4];
            let encoded = lower.encode_utf8(&mut utf8).as_bytes();
            match self.bytes.get_mut(self.count..self.count + encoded.len()) {
                Some(room) => {
                    room.copy_from_slice(encoded);
                    self.count += encoded.len();
                }
                None => self.too_long = true,
            }
        }
    }

    fn token(&self) -> Option<Token> {
        if self.count == 0 {
            return None;
        }
        let word = self
            .bytes
            .get(..self.count)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default();
        let known = if self.too_long || !may_be_known(word.as_bytes()) { None } else { WORDS.get(word) };
        Some(known.copied().unwrap_or(Token::Other))
    }
}

/// Whether the whole text is a number of at least four digits with two or four decimals: `12 500,00`, `987654.32`; with a comma and
/// two decimals three digits are enough. A year and a month (`2026.11`) are not.
pub(super) fn is_decimal(text: &str) -> bool {
    let text = text.trim().trim_start_matches(is_dash);
    let Some((at, decimal)) = text.char_indices().rfind(|(_, letter)| is_separator(*letter)) else {
        return false;
    };
    let (Some(whole), Some(decimals)) = (text.get(..at), text.get(at + decimal.len_utf8()..)) else {
        return false;
    };
    let decimals_fit =
        matches!(decimals.chars().count(), 2 | 4) && decimals.chars().all(|c| digit(c).is_some());
    let mut number = Number::default();
    let mut first_group = 0;
    for letter in whole.chars() {
        if let Some(value) = digit(letter) {
            number.digit(value);
            continue;
        }
        let groups = is_blank(letter) || (is_separator(letter) && letter != decimal);
        let fits = if number.groups == 0 {
            (1..=3).contains(&number.group_digits)
        } else {
            number.group_digits == 3
        };
        if !groups || !fits {
            return false;
        }
        first_group += 1;
        number.end_group();
    }
    let last_group_fits = first_group == 0 || number.group_digits == 3;
    number.end_group();
    let digits_min = if decimal == ',' && decimals.chars().count() == 2 { 3 } else { 4 };
    decimals_fit && last_group_fits && number.whole_digits >= digits_min && !number.is_year()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_of_western_europe_are_in_no_currency() {
        let western = |letter: char| ('\u{c0}'..='\u{ff}').contains(&letter);
        assert!(!WORDS.keys().any(|word| word.chars().any(western)));
        assert!(('\u{c0}'..='\u{ff}').all(|letter| !is_sign(letter) && letter.to_lowercase().all(western)));
    }

    proptest! {
        #[test]
        fn the_first_look_lets_no_money_go(text in "([0-9]{1,4}|[a-z]{1,3}|[ .,-]|S/|_|euro|EUR|Kr|chf|é|Ü|\u{d7}|€|kč|£|руб|\u{212a}r){1,8}") {
            prop_assert!(may_name_currency(&text) || !has_pair(&text), "{text}");
        }
    }

    #[test]
    fn no_currency_is_in_two_lists() {
        for (i, word) in ON_EITHER_SIDE
            .iter()
            .chain(BEHIND)
            .chain(BEHIND_OR_BEFORE_LARGE)
            .chain(WITH_LARGE_NUMBERS)
            .enumerate()
        {
            let again = ON_EITHER_SIDE
                .iter()
                .chain(BEHIND)
                .chain(BEHIND_OR_BEFORE_LARGE)
                .chain(WITH_LARGE_NUMBERS)
                .skip(i + 1)
                .any(|other| other == word);
            assert!(!again, "{word}");
            assert_eq!(*word, word.to_lowercase());
        }
    }
}
