//! Markers: values that must never leave a CRM, each unique, so that a search for it can't hit anything else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// Letters that neither look like hexadecimal digits nor spell words.
const LETTERS: &[u8; 16] = b"ghjkmnpqrstvwxyz";

/// A value to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands, as `object.member`.
    pub field: String,
    /// The record it stands in.
    pub record: String,
    /// The characters to look for.
    pub value: String,
}

/// Every marker that was made so far. The same field of the same record always has the same one.
#[derive(Debug, Default)]
pub struct Marks(Mutex<BTreeMap<(String, String), String>>);

impl Marks {
    /// A word.
    pub fn text(&self, field: &str, record: impl ToString) -> String {
        self.make(field, record, |hash| {
            let letters = hash.iter().take(12).map(|byte| char::from(LETTERS[usize::from(byte % 16)]));
            format!("Zq{}", letters.collect::<String>())
        })
    }

    /// An amount of money, with cents.
    pub fn amount(&self, field: &str, record: impl ToString) -> String {
        self.make(field, record, |hash| {
            let number = number_of(hash);
            format!("{}.{:02}", 1_000_000 + number % 8_000_000, 10 + (number >> 32) % 89)
        })
    }

    /// An amount as a JSON number.
    pub fn money(&self, field: &str, record: impl ToString) -> serde_json::Value {
        let amount = self.amount(field, record);
        serde_json::from_str(&amount).unwrap_or_default()
    }

    /// A number without a fraction, for counts and scores: nine digits.
    pub fn count(&self, field: &str, record: impl ToString) -> u64 {
        let text = self.make(field, record, |hash| (100_000_000 + number_of(hash) % 800_000_000).to_string());
        text.parse().unwrap_or_default()
    }

    /// A German IBAN with valid check digits (ISO 13616).
    pub fn iban(&self, field: &str, record: impl ToString) -> String {
        self.make(field, record, |hash| {
            let account = format!("{:018}", number_of(hash) % 1_000_000_000_000_000_000);
            // D = 13, E = 14, and the check digits as zeros.
            let rest = format!("{account}131400")
                .bytes()
                .fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
            format!("DE{:02}{account}", 98 - rest)
        })
    }

    /// Everything that must not get out, so far.
    pub fn all(&self) -> Vec<Mark> {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = |((field, record), value): (&(String, String), &String)| Mark {
            field: field.clone(),
            record: record.clone(),
            value: value.clone(),
        };
        marks.iter().map(mark).collect()
    }

    /// The markers that stand in a text.
    pub fn found_in(&self, text: &str) -> Vec<Mark> {
        self.all().into_iter().filter(|mark| text.contains(&mark.value)).collect()
    }

    fn make(&self, field: &str, record: impl ToString, value: impl FnOnce(&[u8]) -> String) -> String {
        let key = (field.to_owned(), record.to_string());
        let hash = Sha256::digest(format!("{} of {}", key.0, key.1).as_bytes());
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.entry(key).or_insert_with(|| value(&hash)).clone()
    }
}

fn number_of(hash: &[u8]) -> u64 {
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn markers_are_unique_and_stay_the_same() {
        let marks = Marks::default();
        for record in 0..500 {
            marks.text("deal.name", record);
            marks.amount("deal.amount", record);
            marks.iban("bank.iban", record);
            marks.count("contact.score", record);
        }
        let values: BTreeSet<String> = marks.all().into_iter().map(|mark| mark.value).collect();
        assert_eq!(values.len(), 2000);
        assert_eq!(marks.text("deal.name", 7), Marks::default().text("deal.name", 7));
        let amount = marks.amount("deal.amount", 7);
        assert_eq!(marks.money("deal.amount", 7).to_string(), amount);
        let found = marks.found_in(&format!("owes {amount}"));
        assert_eq!((found.len(), found[0].field.as_str()), (1, "deal.amount"));
    }

    #[test]
    fn ibans_have_valid_check_digits() {
        let iban = Marks::default().iban("bank.iban", 1);
        assert_eq!(iban.len(), 22);
        let (head, tail) = iban.split_at(4);
        let digits = format!("{tail}{head}").replace('D', "13").replace('E', "14");
        let rest = digits.bytes().fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
        assert_eq!(rest, 1, "{iban}");
    }
}
