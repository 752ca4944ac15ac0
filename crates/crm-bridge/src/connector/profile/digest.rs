//! What a profile says, as a number to compare: comments, spacing and the order of keys do not count.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use toml::{Table, Value};

/// Tables that decide nothing of what a card shows: a copy that was made under others is as good.
const BESIDE_THE_CARD: &[&str] = &["limits", "webhook", "metadata", "probe", "activity", "deny", "plant"];

/// The digests of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Digests {
    /// SHA-256 over all that the profile says, as 64 hex digits.
    pub whole: String,
    /// The same over what decides which records and which values a card is made of.
    pub mapping: String,
}

impl Digests {
    /// Those of a text that is a profile; one that is no TOML has none.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let Ok(mut table) = text.parse::<Table>() else { return Self::default() };
        let whole = digest(&table);
        table.retain(|name, _| !BESIDE_THE_CARD.contains(&name));
        if let Some(Value::Table(head)) = table.get_mut("profile") {
            head.retain(|name, _| matches!(name, "name" | "grammar"));
        }
        Self { whole, mapping: digest(&table) }
    }
}

/// SHA-256 as 64 hex digits.
pub(in crate::connector) fn hex_of(hash: Sha256) -> String {
    let mut hex = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// SHA-256 as 64 hex digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hex_of(hash)
}

/// A text with its length, so that two texts never read as one.
pub(in crate::connector) fn add_text(hash: &mut Sha256, kind: u8, text: &str) {
    hash.update([kind]);
    hash.update(text.len().to_be_bytes());
    hash.update(text.as_bytes());
}

fn digest(table: &Table) -> String {
    let mut hash = Sha256::new();
    add_table(&mut hash, table);
    hex_of(hash)
}

fn add_table(hash: &mut Sha256, table: &Table) {
    let mut entries: Vec<(&String, &Value)> = table.iter().collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    add_text(hash, b'{', &entries.len().to_string());
    for (name, value) in entries {
        add_text(hash, b'k', name);
        add(hash, value);
    }
}

fn add(hash: &mut Sha256, value: &Value) {
    match value {
        Value::String(text) => add_text(hash, b's', text),
        Value::Integer(number) => add_text(hash, b'i', &number.to_string()),
        Value::Float(number) => add_text(hash, b'f', &number.to_string()),
        Value::Boolean(flag) => add_text(hash, b'b', if *flag { "1" } else { "0" }),
        Value::Datetime(time) => add_text(hash, b't', &time.to_string()),
        Value::Array(items) => {
            add_text(hash, b'[', &items.len().to_string());
            items.iter().for_each(|item| add(hash, item));
        }
        Value::Table(table) => add_table(hash, table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::profile::BUILT_IN;

    #[test]
    fn a_profile_is_another_if_it_says_something_else_and_not_if_it_is_written_otherwise() {
        let text = BUILT_IN[0].1;
        let digests = Digests::of(text);
        assert_eq!(digests.whole.len(), 64);
        let written_otherwise = format!("# a remark\n\n{text}").replace("name           =", "name =");
        assert_eq!(Digests::of(&written_otherwise), digests);
        let mapped = Digests::of(&text.replace("\"/full_name\"", "\"/greeting\""));
        assert!(mapped.whole != digests.whole && mapped.mapping != digests.mapping);
        let told = Digests::of(&text.replace("window_s = 300", "window_s = 60"));
        assert!(told.whole != digests.whole && told.mapping == digests.mapping);
    }

    #[test]
    fn no_two_profiles_that_ship_say_the_same() {
        let mut all: Vec<String> = BUILT_IN.iter().map(|(_, text)| Digests::of(text).mapping).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), BUILT_IN.len());
    }
}
