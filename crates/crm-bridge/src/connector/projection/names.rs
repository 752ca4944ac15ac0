//! Finds a member name among the few that are wanted, and remembers by a number which others have been seen.

/// A number that stands for a name. Different names have different ones but for accidents, which is why a wanted
/// name is always compared letter by letter as well.
#[inline]
pub(super) fn number_of(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    // The beginning and the end, which overlap in a short name, are quicker to read than one byte after the other.
    let (begin, end) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(begin), Some(end)) => (u64::from_le_bytes(*begin), u64::from_le_bytes(*end)),
        _ => short(bytes),
    };
    let ends = fold(begin ^ FACTORS[0], end ^ FACTORS[1] ^ length);
    if bytes.len() <= 16 {
        return ends;
    }
    let middle = bytes.get(8..bytes.len() - 8).unwrap_or_default();
    let (words, _) = middle.as_chunks::<8>();
    // Of the middle, too, the last eight overlap. One of less than eight is read together with what is before it.
    let last = bytes
        .get(..bytes.len() - 8)
        .and_then(<[u8]>::last_chunk::<8>)
        .map_or(0, |word| u64::from_le_bytes(*word));
    words.iter().fold(fold(ends, last ^ FACTORS[2]), |number, word| {
        fold(number ^ FACTORS[3], u64::from_le_bytes(*word) ^ FACTORS[1])
    })
}

/// Of a name of less than eight bytes.
fn short(bytes: &[u8]) -> (u64, u64) {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(begin), Some(end)) => (u32::from_le_bytes(*begin).into(), u32::from_le_bytes(*end).into()),
        _ => (bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)), 0),
    }
}

const FACTORS: [u64; 4] =
    [0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344, 0xA409_3822_299F_31D0, 0x9E37_79B9_7F4A_7C15];

#[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Wanted names and what they lead to.
#[derive(Debug)]
pub(super) struct Names<T> {
    entries: Vec<(Box<str>, T)>,
    /// Number of a name and one more than its position in `entries`, at the place that the number says or the next
    /// free one after it. Its length is a power of two and at least twice that of `entries`.
    places: Box<[(u64, u32)]>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: Box::default() }
    }
}

impl<T> Names<T> {
    /// What a name leads to; `number` is its [`number_of`].
    #[inline]
    pub(super) fn find(&self, name: &str, number: u64) -> Option<&T> {
        self.at(self.position(name, number)?)
    }

    /// What the name at that position leads to.
    #[inline]
    pub(super) fn at(&self, position: usize) -> Option<&T> {
        self.entries.get(position).map(|(_, to)| to)
    }

    /// The position of a name; `number` is its [`number_of`].
    #[inline]
    pub(super) fn position(&self, name: &str, number: u64) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = place(number, mask);
        loop {
            let (known, position) = *self.places.get(at)?;
            let position = usize::try_from(position).ok()?.checked_sub(1)?;
            if known == number
                && let Some((wanted, _)) = self.entries.get(position)
                && **wanted == *name
            {
                return Some(position);
            }
            at = (at + 1) & mask;
        }
    }

    /// What a name leads to, made if it is new. Only while the tree is compiled.
    pub(super) fn find_or_add(&mut self, name: &str) -> &mut T
    where
        T: Default,
    {
        let known = self.entries.iter().position(|(known, _)| **known == *name);
        let position = known.unwrap_or_else(|| {
            self.entries.push((name.into(), T::default()));
            self.index();
            self.entries.len() - 1
        });
        &mut self.entries[position].1
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|(_, to)| to)
    }

    fn index(&mut self) {
        let length = (self.entries.len() * 4).next_power_of_two();
        let mut places = vec![(0, 0); length].into_boxed_slice();
        for (position, (name, _)) in (1_u32..).zip(&self.entries) {
            let number = number_of(name);
            let mut at = place(number, length - 1);
            while places[at].1 != 0 {
                at = (at + 1) & (length - 1);
            }
            places[at] = (number, position);
        }
        self.places = places;
    }
}

/// The place where the search for a number begins.
#[inline]
pub(super) fn place(number: u64, mask: usize) -> usize {
    usize::try_from(number >> 32).unwrap_or(0) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wanted_name_is_found_and_no_other() {
        let wanted =
            ["id", "a", "", "full_name", "properties", "custom_field_000000001_value", "имя", "emails"];
        let mut names: Names<usize> = Names::default();
        for (i, name) in wanted.iter().enumerate() {
            *names.find_or_add(name) = i;
        }
        for (i, name) in wanted.iter().enumerate() {
            assert_eq!(names.find(name, number_of(name)), Some(&i));
            let longer = format!("{name}x");
            assert_eq!(names.find(&longer, number_of(&longer)), None);
            // Even if the numbers of two names were the same.
            assert_eq!(names.find("other", number_of(name)), None);
        }
        assert_eq!(Names::<usize>::default().find("id", number_of("id")), None);
    }

    #[test]
    fn names_that_differ_anywhere_have_different_numbers() {
        let long = "abcdefghijklmnopqrstuvwxyz";
        for length in 1..long.len() {
            let (name, _) = long.split_at(length);
            for at in 0..length {
                let mut other = name.as_bytes().to_vec();
                other[at] = b'_';
                let other = String::from_utf8(other).unwrap();
                assert_ne!(number_of(name), number_of(&other), "{name} {other}");
            }
        }
    }
}
