//! Sensitive values: believable ones, or unique markers that can be searched for.

use std::ops::Range;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::model::Cents;

const MARKER_START: &str = "mark";
const MARKER_CHARS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const MARKER_LENGTH: usize = 20;

pub(super) struct Values {
    marked: bool,
    /// Apart from the generator's, so that marked and unmarked customers are the same people.
    markers: StdRng,
}

impl Values {
    pub(super) fn new(seed: u64, marked: bool) -> Self {
        Self { marked, markers: StdRng::seed_from_u64(seed ^ 0x6d61_726b) }
    }

    /// `plain`, followed by a marker when marking.
    pub(super) fn text(&mut self, plain: &str) -> String {
        if self.marked { format!("{plain} {}", self.marker()) } else { plain.to_owned() }
    }

    /// `plain`, replaced by a marker when marking.
    pub(super) fn word(&mut self, plain: &str) -> String {
        if self.marked { self.marker() } else { plain.to_owned() }
    }

    /// An amount in the range (whole units); when marking, one that nobody meets by chance.
    pub(super) fn money(&mut self, rng: &mut StdRng, range: Range<i64>) -> Cents {
        let believable = Cents(rng.random_range(range) * 100);
        if !self.marked {
            return believable;
        }
        // Eight digits before the point and no trailing zero: the shortest spelling has all ten digits.
        let cents = self.markers.random_range(1..10_i64) * 10 + self.markers.random_range(1..10_i64);
        Cents(self.markers.random_range(10_000_000..100_000_000_i64) * 100 + cents)
    }

    /// A bank account with valid check digits.
    pub(super) fn iban(&mut self, rng: &mut StdRng, country: &str) -> String {
        let (country, digits) = match country {
            "FI" => ("FI", 14),
            "IL" => ("IL", 19),
            _ => ("DE", 18),
        };
        let mut account = String::new();
        let source = if self.marked { &mut self.markers } else { rng };
        account.extend((0..digits).map(|_| char::from(b'0' + source.random_range(0..10_u8))));
        iban(country, &account)
    }

    pub(super) fn moment_between(
        &mut self,
        rng: &mut StdRng,
        from: Timestamp,
        until: Timestamp,
    ) -> Timestamp {
        let (from, until) = (from.as_millisecond(), until.as_millisecond());
        if until <= from {
            return Timestamp::from_millisecond(from).unwrap_or(Timestamp::UNIX_EPOCH);
        }
        Timestamp::from_millisecond(rng.random_range(from..until)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn marker(&mut self) -> String {
        let mut marker = MARKER_START.to_owned();
        for _ in 0..MARKER_LENGTH {
            marker.push(char::from(MARKER_CHARS[self.markers.random_range(0..MARKER_CHARS.len())]));
        }
        marker
    }
}

/// Whether this word is a text marker.
pub(crate) fn is_marker(word: &str) -> bool {
    let rest = word.strip_prefix(MARKER_START);
    rest.is_some_and(|rest| {
        rest.len() == MARKER_LENGTH && rest.bytes().all(|byte| MARKER_CHARS.contains(&byte))
    })
}

/// Puts the check digits of ISO 13616 before a domestic account number.
fn iban(country: &str, account: &str) -> String {
    let check = 98 - remainder_97(&format!("{account}{country}00"));
    format!("{country}{check:02}{account}")
}

/// ISO 7064 mod 97-10, letters counted from A = 10.
fn remainder_97(text: &str) -> u32 {
    text.chars().fold(0, |rest, character| {
        let digit = character.to_digit(36).unwrap_or(0);
        (rest * if digit > 9 { 100 } else { 10 } + digit) % 97
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_match_the_published_examples() {
        assert_eq!(iban("DE", "370400440532013000"), "DE89370400440532013000");
        assert_eq!(iban("FI", "12345600000785"), "FI2112345600000785");
        assert_eq!(iban("IL", "0108000000099999999"), "IL620108000000099999999");
    }

    #[test]
    fn an_amount_marker_is_spelt_with_all_its_digits() {
        let mut values = Values::new(1, true);
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..1000 {
            let amount = values.money(&mut rng, 1..2);
            assert_eq!(serde_json::to_string(&amount).unwrap(), amount.to_string());
            assert_eq!(amount.to_string().len(), 11);
        }
    }
}
