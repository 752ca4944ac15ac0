//! Shapes of values that give away money or secrets whatever the field is called: the last look before a text passes.
//!
//! A false alarm withholds a name or a title from support, so a shape counts only with proof: check digits, a known issuer, a
//! currency beside a number. Numbers whose check digit is right for one in ten (ИНН, BSN) count only beside their name.
//! Nothing is allocated: texts are at most 500 characters, and most are let go after one look for a digit.

mod accounts;
mod keys;
mod money;
mod people;

/// What a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// An IBAN whose check digits are right.
    Iban,
    /// A payment card number whose issuer is known and whose check digit is right.
    CardNumber,
    /// A bank: a BIC beside that word, a Russian account number or БИК.
    BankAccount,
    /// A number that a state gave a person or a firm, check digits right.
    NationalNumber,
    /// A number beside a currency, or a JSON object that carries one.
    Money,
    /// Nothing but a decimal number with cents: an amount that lost its currency.
    Decimal,
    /// A JSON web token.
    WebToken,
    /// A long run of hex digits: a key or a password hash.
    HexKey,
    /// A password hash, or a key by its length, its mixture or its first letters.
    Key,
}

impl Shape {
    /// The word in reports and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iban => "iban",
            Self::CardNumber => "card_number",
            Self::BankAccount => "bank_account",
            Self::NationalNumber => "national_number",
            Self::Money => "money",
            Self::Decimal => "decimal_number",
            Self::WebToken => "web_token",
            Self::HexKey => "hex_key",
            Self::Key => "key",
        }
    }
}

/// A shorter text without a digit can name a bank or begin a key, and is none of the other shapes.
const WORDLESS_BYTES_MIN: usize = 32;

type Look = (fn(&str) -> bool, Shape);

/// The first suspicious shape found in a text.
#[must_use]
pub fn scan(text: &str) -> Option<Shape> {
    const WITHOUT_DIGITS: [Look; 2] = [(accounts::has_bank, Shape::BankAccount), (keys::has_key, Shape::Key)];
    const ALL: [Look; 9] = [
        (accounts::has_iban, Shape::Iban),
        (accounts::has_card_number, Shape::CardNumber),
        (keys::has_web_token, Shape::WebToken),
        (keys::has_hex_key, Shape::HexKey),
        (keys::has_key, Shape::Key),
        (accounts::has_bank, Shape::BankAccount),
        (people::has_national_number, Shape::NationalNumber),
        (money::has_money, Shape::Money),
        (money::is_decimal, Shape::Decimal),
    ];
    let has_digit = text.chars().any(|letter| digit(letter).is_some());
    let looks: &[Look] = if has_digit || text.len() >= WORDLESS_BYTES_MIN { &ALL } else { &WITHOUT_DIGITS };
    looks.iter().find(|(looks, _)| looks(text)).map(|(_, shape)| *shape)
}

/// The value of a decimal digit of the scripts in which CRMs hold numbers: ASCII, Arabic, Persian, Devanagari, Bengali, full-width.
fn digit(letter: char) -> Option<u8> {
    let zero = match letter {
        '0'..='9' => '0',
        '٠'..='٩' => '٠',
        '۰'..='۹' => '۰',
        '०'..='९' => '०',
        '০'..='৯' => '০',
        '０'..='９' => '０',
        _ => return None,
    };
    u8::try_from(u32::from(letter) - u32::from(zero)).ok()
}

/// Blanks that people and programs put between groups of digits.
fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\u{a0}' | '\u{202f}' | '\u{2007}' | '\u{2009}')
}

/// Digits of a number, in place.
#[derive(Clone, Copy)]
struct Digits {
    digits: [u8; Self::MAX],
    count: usize,
}

impl Digits {
    const MAX: usize = 36;

    const fn new() -> Self {
        Self { digits: [0; Self::MAX], count: 0 }
    }

    /// False if there is no more room.
    fn push(&mut self, digit: u8) -> bool {
        let Some(place) = self.digits.get_mut(self.count) else { return false };
        *place = digit;
        self.count += 1;
        true
    }

    fn as_slice(&self) -> &[u8] {
        self.digits.get(..self.count).unwrap_or_default()
    }
}

/// The number that the first digits make.
fn number_of(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum: u64, digit| sum.wrapping_mul(10).wrapping_add(u64::from(*digit)))
}

/// Whether one of the words stands in the text, in any case, as a word of its own.
fn names(text: &str, words: &[&str]) -> bool {
    text.split(|letter: char| !letter.is_alphabetic())
        .filter(|word| !word.is_empty())
        .any(|word| words.iter().any(|wanted| same_letters(word, wanted)))
}

/// Equal but for case; `wanted` is in lower case.
fn same_letters(word: &str, wanted: &str) -> bool {
    word.chars().flat_map(char::to_lowercase).eq(wanted.chars())
}

#[cfg(test)]
mod tests;
