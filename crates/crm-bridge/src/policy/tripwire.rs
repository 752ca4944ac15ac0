//! Shapes of values that give away money or secrets whatever the field is called: the last look before a text passes.

/// What a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// An IBAN whose check digits are right.
    Iban,
    /// A payment card number whose check digit is right.
    CardNumber,
    /// A number beside a currency.
    Money,
    /// A JSON web token.
    WebToken,
    /// A long run of hex digits: a key or a password hash.
    HexKey,
}

impl Shape {
    /// The word in reports and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Iban => "iban",
            Self::CardNumber => "card_number",
            Self::Money => "money",
            Self::WebToken => "web_token",
            Self::HexKey => "hex_key",
        }
    }
}

/// The first suspicious shape found in a text.
#[must_use]
pub fn scan(text: &str) -> Option<Shape> {
    let letters: Vec<char> = text.chars().collect();
    if has_iban(&letters) {
        Some(Shape::Iban)
    } else if has_card_number(&letters) {
        Some(Shape::CardNumber)
    } else if has_web_token(text) {
        Some(Shape::WebToken)
    } else if has_money(&letters) {
        Some(Shape::Money)
    } else if has_hex_key(&letters) {
        Some(Shape::HexKey)
    } else {
        None
    }
}

/// Length of an IBAN by country (ISO 13616 registry). Without it every length would have to be tried, and one in a
/// hundred order numbers would pass the check digits by chance.
#[rustfmt::skip]
const IBAN_CHARS: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22), ("BH", 22), ("BR", 29),
    ("BY", 28), ("CH", 21), ("CR", 22), ("CY", 28), ("CZ", 24), ("DE", 22), ("DK", 18), ("DO", 28), ("EE", 20), ("EG", 29),
    ("ES", 24), ("FI", 18), ("FO", 18), ("FR", 27), ("GB", 22), ("GE", 22), ("GI", 23), ("GL", 18), ("GR", 27), ("GT", 28),
    ("HR", 21), ("HU", 28), ("IE", 22), ("IL", 23), ("IQ", 23), ("IS", 26), ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20),
    ("LB", 28), ("LC", 32), ("LI", 21), ("LT", 20), ("LU", 20), ("LV", 21), ("LY", 25), ("MC", 27), ("MD", 24), ("ME", 22),
    ("MK", 19), ("MR", 27), ("MT", 31), ("MU", 30), ("NL", 18), ("NO", 15), ("PK", 24), ("PL", 28), ("PS", 29), ("PT", 25),
    ("QA", 29), ("RO", 24), ("RS", 22), ("RU", 33), ("SA", 24), ("SC", 31), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27),
    ("ST", 25), ("SV", 28), ("TL", 23), ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20),
];

fn has_iban(letters: &[char]) -> bool {
    // People write IBANs in groups of four; spaces and hyphens between the groups do not hide one.
    let starts = (0..letters.len()).filter(|&i| i == 0 || !letters[i - 1].is_alphanumeric());
    starts.into_iter().any(|start| {
        let compact: Vec<char> = letters[start..]
            .iter()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '\u{a0}' | '\u{202f}'))
            .filter(|c| c.is_ascii_alphanumeric())
            .map(char::to_ascii_uppercase)
            .take(34)
            .collect();
        let country: String = compact.iter().take(2).collect();
        let Some((_, chars)) = IBAN_CHARS.iter().find(|(code, _)| *code == country) else { return false };
        compact.get(..*chars).is_some_and(iban_check_digits_are_right)
    })
}

/// ISO 7064 mod 97-10 over the number with its first four characters moved to the end.
fn iban_check_digits_are_right(iban: &[char]) -> bool {
    if !iban.iter().skip(2).take(2).all(char::is_ascii_digit) {
        return false;
    }
    let rearranged = iban.iter().skip(4).chain(iban.iter().take(4));
    let mut remainder = 0_u32;
    for letter in rearranged {
        let Some(value) = letter.to_digit(36) else { return false };
        remainder = if value < 10 { remainder * 10 + value } else { remainder * 100 + value } % 97;
    }
    remainder == 1
}

fn has_card_number(letters: &[char]) -> bool {
    runs(letters, |c| c.is_ascii_digit() || matches!(c, ' ' | '-')).any(|run| {
        let digits: Vec<u32> = run.iter().filter_map(|c| c.to_digit(10)).collect();
        // 13 to 19 digits (ISO/IEC 7812); a leading 0 is no issuer.
        (13..=19).contains(&digits.len()) && digits.first() != Some(&0) && luhn(&digits)
    })
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(
            |(i, digit)| {
                if i % 2 == 0 { *digit } else { [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][*digit as usize % 10] }
            },
        )
        .sum();
    sum.is_multiple_of(10)
}

/// Three base64url parts of which the first begins as every JOSE header does: `{"` in base64url is `eyJ`.
fn has_web_token(text: &str) -> bool {
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.split(|c: char| !is_token_char(c)).any(|word| {
        let mut parts = word.split('.');
        let (header, payload) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        header.starts_with("eyJ") && payload.starts_with("eyJ") && parts.next().is_some()
    })
}

const CURRENCIES: &[&str] = &[
    "eur",
    "usd",
    "gbp",
    "chf",
    "rub",
    "rur",
    "uah",
    "kzt",
    "byn",
    "pln",
    "czk",
    "sek",
    "nok",
    "dkk",
    "jpy",
    "cny",
    "inr",
    "try",
    "aed",
    "cad",
    "aud",
    "brl",
    "euro",
    "euros",
    "dollar",
    "dollars",
    "руб",
    "рубль",
    "рубля",
    "рублей",
    "р",
    "евро",
    "долл",
    "долларов",
    "тенге",
    "грн",
];

/// A currency sign or word next to a number, with at most one blank or a multiplier such as `k` or `тыс` between them.
fn has_money(letters: &[char]) -> bool {
    let tokens = money_tokens(letters);
    tokens.windows(2).any(|pair| is_money_pair(&pair[0], &pair[1]))
        || tokens
            .windows(3)
            .any(|three| matches!(&three[1], MoneyToken::Multiplier) && is_money_pair(&three[0], &three[2]))
}

fn is_money_pair(a: &MoneyToken, b: &MoneyToken) -> bool {
    matches!((a, b), (MoneyToken::Number, MoneyToken::Currency) | (MoneyToken::Currency, MoneyToken::Number))
}

enum MoneyToken {
    Number,
    Currency,
    Multiplier,
    Other,
}

fn money_tokens(letters: &[char]) -> Vec<MoneyToken> {
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < letters.len() {
        let class = char_class(letters[i]);
        let begin = i;
        while i < letters.len() && char_class(letters[i]) == class {
            i += 1;
            if class == CharClass::Sign {
                break;
            }
        }
        let word: String = letters[begin..i].iter().flat_map(|c| c.to_lowercase()).collect();
        match class {
            CharClass::Blank => {}
            CharClass::Digit => {
                // 12 500,00 is one number: digits, a group separator, digits.
                if !matches!(tokens.last(), Some(MoneyToken::Number)) {
                    tokens.push(MoneyToken::Number);
                }
            }
            CharClass::Separator
                if matches!(tokens.last(), Some(MoneyToken::Number | MoneyToken::Multiplier)) => {}
            CharClass::Letter if CURRENCIES.contains(&word.as_str()) => tokens.push(MoneyToken::Currency),
            CharClass::Letter
                if matches!(word.as_str(), "k" | "m" | "mio" | "mln" | "тыс" | "млн" | "т" | "к") =>
            {
                tokens.push(MoneyToken::Multiplier);
            }
            CharClass::Sign => tokens.push(MoneyToken::Currency),
            _ => tokens.push(MoneyToken::Other),
        }
    }
    tokens
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum CharClass {
    Blank,
    Digit,
    Separator,
    Letter,
    Sign,
    Other,
}

fn char_class(letter: char) -> CharClass {
    match letter {
        ' ' | '\t' | '\u{a0}' | '\u{202f}' | '\u{2009}' => CharClass::Blank,
        '0'..='9' => CharClass::Digit,
        '.' | ',' | '\'' => CharClass::Separator,
        '€' | '$' | '£' | '¥' | '₽' | '₴' | '₸' | '₹' | '₺' => CharClass::Sign,
        other if other.is_alphabetic() => CharClass::Letter,
        _ => CharClass::Other,
    }
}

fn has_hex_key(letters: &[char]) -> bool {
    runs(letters, |c| c.is_ascii_hexdigit()).any(|run| run.len() >= 32)
}

fn runs(letters: &[char], belongs: fn(&char) -> bool) -> impl Iterator<Item = &[char]> {
    letters.split(move |c| !belongs(c)).filter(|run| !run.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_and_card_numbers_are_seen_through_spaces() {
        for text in
            ["DE89370400440532013000", "IBAN: DE89 3704 0044 0532 0130 00", "gb82-west-1234-5698-7654-32"]
        {
            assert_eq!(scan(text), Some(Shape::Iban), "{text}");
        }
        assert_eq!(scan("card 4111 1111 1111 1111"), Some(Shape::CardNumber));
        assert_eq!(scan("DE88370400440532013000"), None, "wrong check digits");
        assert_eq!(scan("4111 1111 1111 1112"), None, "wrong check digit");
    }

    #[test]
    fn money_is_a_number_beside_a_currency() {
        for text in [
            "987654.32 EUR",
            "EUR 12",
            "€ 12,500",
            "12 500 ₽",
            "VIP 2M $",
            "50 тыс. руб",
            "owes $1'200",
            "12500руб",
        ] {
            assert_eq!(scan(text), Some(Shape::Money), "{text}");
        }
        for text in [
            "Anna Petrova",
            "Rue de l'Euro",
            "Building 12",
            "24/7",
            "Level 3 support",
            "Euro Tools Ltd",
            "Room 12, 1st floor",
        ] {
            assert_eq!(scan(text), None, "{text}");
        }
    }

    #[test]
    fn tokens_and_keys_are_seen() {
        assert_eq!(scan("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln"), Some(Shape::WebToken));
        assert_eq!(scan("5f4dcc3b5aa765d61d8327deb882cf99"), Some(Shape::HexKey));
        assert_eq!(scan("cafe babe"), None);
    }
}
