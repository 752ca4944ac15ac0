//! Shapes of values that give away money or secrets whatever the field is called: the last look before a text passes.
//!
//! A false alarm withholds a name or a title from support, so a shape counts only with proof: check digits, a known issuer, a
//! currency beside a number. Numbers whose check digit is right for one in ten (ИНН, BSN) count only beside their name.
//! Nothing is allocated: texts are at most 500 characters, and most are let go after one pass.

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

/// What a text has at all. Each shape needs some of it, so that most texts are let go after one pass.
#[derive(Default)]
struct Outline {
    bytes: usize,
    /// Digits of any script.
    digits: usize,
    /// ASCII capitals.
    capitals: usize,
    /// ASCII letters.
    letters: usize,
    /// The longest run without a blank, in bytes.
    longest_piece: usize,
    /// Whether there is a `{`.
    has_brace: bool,
}

/// What each byte adds to an outline, 16 bits each: digits, capitals, letters, braces.
const CLASSES: [u64; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        classes[byte as usize] = byte.is_ascii_digit() as u64
            | (byte.is_ascii_uppercase() as u64) << 16
            | (byte.is_ascii_alphabetic() as u64) << 32
            | ((byte == b'{') as u64) << 48;
        byte += 1;
    }
    classes
};

impl Outline {
    fn of(text: &str) -> Self {
        let mut outline = Self { bytes: text.len(), ..Self::default() };
        let mut piece = 0;
        let mut is_ascii = true;
        for some in text.as_bytes().chunks(usize::from(u16::MAX)) {
            let mut sums = 0;
            for byte in some {
                sums += CLASSES[usize::from(*byte)];
                is_ascii &= byte.is_ascii();
                piece = if *byte == b' ' { 0 } else { piece + 1 };
                outline.longest_piece = outline.longest_piece.max(piece);
            }
            let [digits, capitals, letters, braces] =
                [0, 16, 32, 48].map(|shift| usize::try_from(sums >> shift & 0xFFFF).unwrap_or(usize::MAX));
            outline.digits += digits;
            outline.capitals += capitals;
            outline.letters += letters;
            outline.has_brace |= braces > 0;
        }
        if !is_ascii {
            outline.digits = text.chars().filter(|letter| digit(*letter).is_some()).count();
        }
        outline
    }
}

struct Look {
    shape: Shape,
    /// Whether a text of that outline can have the shape.
    possible: fn(&Outline) -> bool,
    found: fn(&str) -> bool,
}

const LOOKS: [Look; 9] = [
    Look {
        shape: Shape::Iban,
        possible: |o| o.digits >= accounts::IBAN_DIGITS_MIN && o.bytes >= 15,
        found: accounts::has_iban,
    },
    Look { shape: Shape::CardNumber, possible: |o| o.digits >= 13, found: accounts::has_card_number },
    // `eyJ` stands in it twice.
    Look {
        shape: Shape::WebToken,
        possible: |o| o.capitals >= 2 && o.longest_piece >= 8,
        found: keys::has_web_token,
    },
    Look {
        shape: Shape::HexKey,
        possible: |o| o.longest_piece >= keys::HEX_CHARS_MIN,
        found: keys::has_hex_key,
    },
    Look { shape: Shape::Key, possible: |o| o.longest_piece >= keys::PIECE_MIN, found: keys::has_key },
    // A BIC has six capitals or more, a Russian БИК nine digits.
    Look {
        shape: Shape::BankAccount,
        possible: |o| o.capitals >= 6 || o.digits >= 9,
        found: accounts::has_bank,
    },
    Look { shape: Shape::NationalNumber, possible: |o| o.digits >= 9, found: people::has_national_number },
    Look { shape: Shape::Money, possible: |o| o.digits > 0 || o.has_brace, found: money::has_money },
    Look { shape: Shape::Decimal, possible: |o| o.digits >= 4 && o.letters == 0, found: money::is_decimal },
];

/// The first suspicious shape found in a text.
#[must_use]
pub fn scan(text: &str) -> Option<Shape> {
    let outline = Outline::of(text);
    LOOKS.iter().find(|look| (look.possible)(&outline) && (look.found)(text)).map(|look| look.shape)
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
