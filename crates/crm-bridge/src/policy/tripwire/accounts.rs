//! Numbers of accounts and cards.

use super::{Digits, digit, is_blank, names};

/// Length of an IBAN by country (ISO 13616 registry). Without it every length would have to be tried, and one in a
/// hundred order numbers would pass the check digits by chance.
#[rustfmt::skip]
const IBAN_CHARS: &[(&str, usize)] = &[
    ("AD", 24), ("AE", 23), ("AL", 28), ("AT", 20), ("AZ", 28), ("BA", 20), ("BE", 16), ("BG", 22), ("BH", 22), ("BI", 27),
    ("BR", 29), ("BY", 28), ("CH", 21), ("CR", 22), ("CY", 28), ("CZ", 24), ("DE", 22), ("DJ", 27), ("DK", 18), ("DO", 28),
    ("EE", 20), ("EG", 29), ("ES", 24), ("FI", 18), ("FK", 18), ("FO", 18), ("FR", 27), ("GB", 22), ("GE", 22), ("GI", 23),
    ("GL", 18), ("GR", 27), ("GT", 28), ("HN", 28), ("HR", 21), ("HU", 28), ("IE", 22), ("IL", 23), ("IQ", 23), ("IS", 26),
    ("IT", 27), ("JO", 30), ("KW", 30), ("KZ", 20), ("LB", 28), ("LC", 32), ("LI", 21), ("LT", 20), ("LU", 20), ("LV", 21),
    ("LY", 25), ("MC", 27), ("MD", 24), ("ME", 22), ("MK", 19), ("MN", 20), ("MR", 27), ("MT", 31), ("MU", 30), ("NI", 28),
    ("NL", 18), ("NO", 15), ("OM", 23), ("PK", 24), ("PL", 28), ("PS", 29), ("PT", 25), ("QA", 29), ("RO", 24), ("RS", 22),
    ("RU", 33), ("SA", 24), ("SC", 31), ("SD", 18), ("SE", 24), ("SI", 19), ("SK", 24), ("SM", 27), ("SO", 23), ("ST", 25),
    ("SV", 28), ("TL", 23), ("TN", 24), ("TR", 26), ("UA", 29), ("VA", 22), ("VG", 24), ("XK", 20), ("YE", 30),
];
const IBAN_CHARS_MAX: usize = 34;
/// Every IBAN has at least so many digits; a sentence that happens to check out has not.
pub(super) const IBAN_DIGITS_MIN: usize = 8;

/// Whether there is an IBAN. People write it in groups of four; blanks and hyphens between the groups do not hide one.
pub(super) fn has_iban(text: &str) -> bool {
    let mut in_word = false;
    text.char_indices().any(|(start, letter)| {
        let begins = letter.is_ascii_alphabetic() && !in_word;
        in_word = letter.is_alphanumeric();
        begins && text.get(start..).is_some_and(begins_with_iban)
    })
}

fn begins_with_iban(text: &str) -> bool {
    let mut compact = [0_u8; IBAN_CHARS_MAX];
    let mut count = 0;
    let mut wanted = IBAN_CHARS_MAX;
    let mut gap = false;
    for letter in text.chars() {
        let ascii = digit(letter).map(|value| b'0' + value).or_else(|| u8::try_from(letter).ok());
        match ascii {
            Some(byte) if byte.is_ascii_alphanumeric() => {
                // The number ends where its length says; a letter right behind it makes it part of something else.
                if count == wanted {
                    return gap && is_iban(&compact, count);
                }
                let Some(place) = compact.get_mut(count) else { return false };
                *place = byte.to_ascii_uppercase();
                count += 1;
                gap = false;
                if count == 2 {
                    let country = compact.get(..2).unwrap_or_default();
                    match IBAN_CHARS.binary_search_by(|(code, _)| code.as_bytes().cmp(country)) {
                        Ok(i) => wanted = IBAN_CHARS.get(i).map_or(0, |(_, chars)| *chars),
                        Err(_) => return false,
                    }
                }
            }
            _ if is_blank(letter) || letter == '-' || letter == '.' => gap = true,
            _ => break,
        }
    }
    count == wanted && is_iban(&compact, count)
}

/// ISO 7064 mod 97-10 over the number with its first four characters moved to the end.
fn is_iban(compact: &[u8], count: usize) -> bool {
    let Some(iban) = compact.get(..count) else { return false };
    let check_digits = iban.iter().skip(2).take(2).all(u8::is_ascii_digit);
    let digits = iban.iter().filter(|byte| byte.is_ascii_digit()).count();
    let remainder = iban.iter().skip(4).chain(iban.iter().take(4)).fold(0_u32, |remainder, byte| {
        let value = char::from(*byte).to_digit(36).unwrap_or(0);
        (if value < 10 { remainder * 10 + value } else { remainder * 100 + value }) % 97
    });
    check_digits && digits >= IBAN_DIGITS_MIN && remainder == 1
}

/// First digits of issuers and the lengths of their numbers (ISO/IEC 7812; ranges as the schemes publish them).
#[rustfmt::skip]
const ISSUERS: &[(std::ops::RangeInclusive<u64>, u32, &[usize])] = &[
    (4..=4, 1, &[13, 16, 19]),              // Visa
    (51..=55, 2, &[16]),                    // Mastercard
    (2221..=2720, 4, &[16]),                // Mastercard
    (2200..=2204, 4, &[16, 17, 18, 19]),    // Мир
    (34..=34, 2, &[15]), (37..=37, 2, &[15]), // American Express
    (6011..=6011, 4, &[16, 19]), (644..=659, 3, &[16, 19]), // Discover, RuPay
    (300..=305, 3, &[14]), (36..=36, 2, &[14]), (38..=39, 2, &[14]), // Diners Club
    (3528..=3589, 4, &[16, 17, 18, 19]),    // JCB
    (62..=62, 2, &[16, 17, 18, 19]), (81..=82, 2, &[16]), // UnionPay, RuPay
    (50..=50, 2, &[16, 19]), (56..=58, 2, &[16, 19]), (6304..=6304, 4, &[16, 19]), (6759..=6763, 4, &[16, 19]), // Maestro
    (9704..=9704, 4, &[16, 19]), (9792..=9792, 4, &[16]), (508..=508, 3, &[16]), (606..=608, 3, &[16]), // Napas, Troy, RuPay
];

/// Whether there is a payment card number: by itself, or in the groups that are printed on cards.
pub(super) fn has_card_number(text: &str) -> bool {
    const GROUPS_MAX: usize = 12;
    let mut groups: [(usize, usize); GROUPS_MAX] = [(0, 0); GROUPS_MAX];
    let mut digits = Digits::new();
    let mut count = 0;
    let mut found = false;
    let mut dialled = false;
    let mut before = ' ';
    // One turn more than there are letters, so that the last number is looked at, too.
    for letter in text.chars().chain(std::iter::once('\n')) {
        if let Some(value) = digit(letter) {
            if count == 0 || digit(before).is_none() {
                // A number behind + is dialled; letters right before digits make them part of a code.
                dialled |= count == 0 && (before == '+' || before.is_alphabetic());
                count += 1;
                if let Some(group) = groups.get_mut(count - 1) {
                    *group = (digits.count, digits.count);
                }
            }
            if !digits.push(value) || count > GROUPS_MAX {
                // No card is that long; what was there may still be one.
                found |= !dialled && groups.get(..count - 1).is_some_and(|groups| has_card(groups, &digits));
                (digits, count, dialled) = (Digits::new(), 0, false);
                before = 'x';
                continue;
            }
            if let Some(group) = groups.get_mut(count - 1) {
                group.1 = digits.count;
            }
        } else if !((is_blank(letter) || matches!(letter, '-' | '.')) && digit(before).is_some()) {
            let whole = digit(before).is_none() || !letter.is_alphabetic();
            found |= !dialled && whole && groups.get(..count).is_some_and(|groups| has_card(groups, &digits));
            (digits, count, dialled) = (Digits::new(), 0, false);
        }
        before = letter;
    }
    found
}

/// Any neighbouring groups that could be printed on a card: one, fours, 4-6-5, 4-6-4.
fn has_card(groups: &[(usize, usize)], digits: &Digits) -> bool {
    (0..groups.len()).any(|first| {
        (first..groups.len()).any(|last| {
            let run = groups.get(first..=last).unwrap_or_default();
            let length = |i: usize| run.get(i).map_or(0, |(begin, end)| end - begin);
            let fours =
                (0..run.len().saturating_sub(1)).all(|i| length(i) == 4) && length(run.len() - 1) <= 4;
            let printed = run.len() == 1
                || (run.len() >= 4 && fours)
                || (run.len() == 3 && length(0) == 4 && length(1) == 6);
            let (Some((begin, _)), Some((_, end))) = (run.first(), run.last()) else { return false };
            printed && digits.as_slice().get(*begin..*end).is_some_and(is_card)
        })
    })
}

fn is_card(digits: &[u8]) -> bool {
    let known = ISSUERS.iter().any(|(range, places, lengths)| {
        let first = digits.get(..*places as usize).unwrap_or_default();
        lengths.contains(&digits.len()) && range.contains(&super::number_of(first))
    });
    // A number of one digit over and over is a placeholder.
    known && luhn(digits) && digits.iter().skip(1).any(|digit| Some(digit) != digits.first())
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| match (i % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the text names a bank: a BIC beside that word or with a branch, a Russian account, a БИК beside that word.
pub(super) fn has_bank(text: &str) -> bool {
    let mut named = false;
    let mut bic = false;
    for word in text.split(|letter: char| !letter.is_alphanumeric()) {
        named |= ["bic", "swift", "бик", "свифт"].iter().any(|name| super::same_letters(word, name));
        bic |= is_bic(word.as_bytes()) || is_russian_bank(word.as_bytes());
        if is_russian_account(word.as_bytes()) || is_bic_of_head_office(word.as_bytes()) {
            return true;
        }
    }
    (named && bic) || has_spaced_russian_account(text)
}

/// ISO 9362: four letters of the bank, two of the country, two of the place, three of the branch or none.
fn is_bic(word: &[u8]) -> bool {
    let letters = word.iter().take(6).all(u8::is_ascii_uppercase);
    let rest = word.iter().skip(6).all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    matches!(word.len(), 8 | 11) && letters && rest
}

/// `DEUTDEFFXXX`: the branch code says that it can be nothing else.
fn is_bic_of_head_office(word: &[u8]) -> bool {
    word.len() == 11 && is_bic(word) && word.ends_with(b"XXX")
}

/// Nine digits, the first two for Russia.
fn is_russian_bank(word: &[u8]) -> bool {
    word.len() == 9 && word.starts_with(b"04") && word.iter().all(u8::is_ascii_digit)
}

/// Twenty digits: a balance account of the chart of accounts, then the currency (810 and 643 are roubles). The check digit needs
/// the bank's number, which is not there; account and currency in their places are proof enough.
fn is_russian_account(word: &[u8]) -> bool {
    const ACCOUNTS: [&[u8]; 12] =
        [b"405", b"406", b"407", b"408", b"301", b"302", b"420", b"421", b"423", b"426", b"428", b"455"];
    const CURRENCIES: [&[u8]; 8] = [b"810", b"643", b"840", b"978", b"156", b"398", b"933", b"826"];
    let digits = word.len() == 20 && word.iter().all(u8::is_ascii_digit);
    let currency = word.get(5..8).unwrap_or_default();
    digits && ACCOUNTS.iter().any(|account| word.starts_with(account)) && CURRENCIES.contains(&currency)
}

fn has_spaced_russian_account(text: &str) -> bool {
    if !names(text, &["рс", "счет", "счёт", "р", "с", "schet", "account"]) {
        return false;
    }
    let mut run = [0_u8; 20];
    let mut count = 0;
    for letter in text.chars().chain(std::iter::once('\n')) {
        if let Some(value) = digit(letter) {
            if let Some(place) = run.get_mut(count) {
                *place = b'0' + value;
            }
            count += 1;
        } else if !is_blank(letter) && letter != '.' {
            if count == 20 && is_russian_account(&run) {
                return true;
            }
            count = 0;
        }
    }
    false
}
