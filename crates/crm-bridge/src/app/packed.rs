//! The card of a customer of the copy before it is sealed: of each field its position in the policy, and what is kept of it.
//!
//! Copies are large, and the names of fields would be two thirds of each card. A position means something under one policy only.
//! The seal binds the card to that policy; under another one it is as good as none, and the copy is made anew.
//!
//! Behind the first byte stand two numbers (LEB128) for each field: its position, and what follows. That is 0 for empty, 1 for
//! withheld, 2 for no, 3 for yes, or 4 more than the length of a text, and then the text.

use zeroize::Zeroizing;

use super::kept::KeptValue;

/// JSON, in which the cards of people who wrote are kept, begins with `{`.
const FORMAT: u8 = 2;

const ABSENT: usize = 0;
const WITHHELD: usize = 1;
const NO: usize = 2;
const YES: usize = 3;
const TEXT: usize = 4;

/// Room for most cards.
const CARD_BYTES: usize = 1_024;

/// Room in which one card after the other is packed. Wiped when dropped, and when it grows.
pub(super) struct Packed(Zeroizing<Vec<u8>>);

impl Packed {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::with_capacity(CARD_BYTES)))
    }

    /// Forgets the card before.
    pub(super) fn begin(&mut self) {
        self.0.clear();
        self.put(&[FORMAT]);
    }

    pub(super) fn field(&mut self, position: usize, value: &KeptValue<&str>) {
        self.number(position);
        match value {
            KeptValue::Absent(()) => self.number(ABSENT),
            KeptValue::Withheld(()) => self.number(WITHHELD),
            KeptValue::Flag(false) => self.number(NO),
            KeptValue::Flag(true) => self.number(YES),
            KeptValue::Text(text) => {
                self.number(TEXT.saturating_add(text.len()));
                self.put(text.as_bytes());
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn number(&mut self, mut number: usize) {
        while let 0x80.. = number {
            self.put(&[low_bits(number) | 0x80]);
            number >>= 7;
        }
        self.put(&[low_bits(number)]);
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = Zeroizing::new(Vec::with_capacity((self.0.len() + bytes.len()) * 2));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

fn low_bits(number: usize) -> u8 {
    u8::try_from(number & 0x7F).unwrap_or(0)
}

/// The fields of a packed card by position; none if these bytes are no packed card.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<(usize, KeptValue<Zeroizing<String>>)>> {
    let mut rest = bytes.strip_prefix(&[FORMAT])?;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let position = number(&mut rest)?;
        let value = match number(&mut rest)? {
            ABSENT => KeptValue::Absent(()),
            WITHHELD => KeptValue::Withheld(()),
            NO => KeptValue::Flag(false),
            YES => KeptValue::Flag(true),
            more => {
                let (text, after) = rest.split_at_checked(more - TEXT)?;
                rest = after;
                KeptValue::Text(Zeroizing::new(std::str::from_utf8(text).ok()?.to_owned()))
            }
        };
        fields.push((position, value));
    }
    Some(fields)
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in [0, 7, 14, 21] {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = KeptValue<String>> {
        prop_oneof![
            "\\PC{0,300}".prop_map(KeptValue::Text),
            any::<bool>().prop_map(KeptValue::Flag),
            Just(KeptValue::Absent(())),
            Just(KeptValue::Withheld(())),
        ]
    }

    fn borrowed(value: &KeptValue<String>) -> KeptValue<&str> {
        match value {
            KeptValue::Text(text) => KeptValue::Text(text),
            KeptValue::Flag(flag) => KeptValue::Flag(*flag),
            KeptValue::Absent(()) => KeptValue::Absent(()),
            KeptValue::Withheld(()) => KeptValue::Withheld(()),
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(card in prop::collection::vec((0..70_000_usize, any_value()), 0..30)) {
            let mut packed = Packed::new();
            packed.begin();
            packed.field(1, &KeptValue::Text("of the customer before"));
            packed.begin();
            for (position, value) in &card {
                packed.field(*position, &borrowed(value));
            }
            let unpacked = unpack(packed.bytes()).unwrap().into_iter().map(|(position, value)| match value {
                KeptValue::Text(text) => (position, KeptValue::Text(text.to_string())),
                KeptValue::Flag(flag) => (position, KeptValue::Flag(flag)),
                KeptValue::Absent(()) => (position, KeptValue::Absent(())),
                KeptValue::Withheld(()) => (position, KeptValue::Withheld(())),
            });
            prop_assert_eq!(unpacked.collect::<Vec<_>>(), card.clone());
            for end in 1..packed.bytes().len() {
                // Cut anywhere it is fewer fields or nothing.
                prop_assert!(unpack(&packed.bytes()[..end]).is_none_or(|fields| fields.len() < card.len()));
            }
        }

        #[test]
        fn other_bytes_are_no_packed_card(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut packed = vec![FORMAT];
            packed.extend(&bytes);
            let _ = unpack(&packed);
            prop_assert!(bytes.first() == Some(&FORMAT) || unpack(&bytes).is_none());
        }
    }
}
