//! Looks for thousands of byte strings at once, in hundreds of megabytes.

use std::collections::HashMap;

use crate::spell::Pattern;

/// A shorter pattern would be met by chance.
pub const LENGTH_MIN: usize = 8;
const FILTER_BITS: u32 = 22;

/// Finds any of its patterns; letters of ASCII are compared without their case.
pub struct Searcher {
    patterns: Vec<Pattern>,
    /// The first eight bytes of a pattern → the patterns that begin so.
    starts: HashMap<u64, Vec<usize>>,
    /// One bit for each hashed start; says "no" for nearly every place without a look at the table.
    filter: Vec<u64>,
    longest: usize,
}

/// A pattern that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Where it was looked for.
    pub place: String,
    /// How many bytes into it.
    pub at: usize,
    /// Which value it is, and how it was written.
    pub means: String,
    /// What stood around it.
    pub around: String,
}

impl Searcher {
    /// Prepares the search. Patterns shorter than [`LENGTH_MIN`] are left out.
    #[must_use]
    pub fn new(patterns: Vec<Pattern>) -> Self {
        let mut searcher = Self {
            patterns: patterns.into_iter().filter(|pattern| pattern.bytes.len() >= LENGTH_MIN).collect(),
            starts: HashMap::new(),
            filter: vec![0; 1 << (FILTER_BITS - 6)],
            longest: 0,
        };
        for (number, pattern) in searcher.patterns.iter_mut().enumerate() {
            pattern.bytes.make_ascii_lowercase();
            let start = pattern.bytes.iter().take(LENGTH_MIN).fold(0, |start, byte| slide(start, *byte));
            searcher.starts.entry(start).or_default().push(number);
            let bit = hash(start);
            searcher.filter[bit / 64] |= 1 << (bit % 64);
            searcher.longest = searcher.longest.max(pattern.bytes.len());
        }
        searcher
    }

    /// How many patterns it looks for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether it looks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The length of the longest pattern: pieces of a whole must overlap by so much.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Everything that is found in `bytes`; `place` is for the report.
    #[must_use]
    pub fn find(&self, place: &str, bytes: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        let mut window = 0;
        for (at, byte) in bytes.iter().enumerate() {
            window = slide(window, byte.to_ascii_lowercase());
            let bit = hash(window);
            if at + 1 < LENGTH_MIN || self.filter[bit / 64] & (1 << (bit % 64)) == 0 {
                continue;
            }
            let start = at + 1 - LENGTH_MIN;
            for number in self.starts.get(&window).into_iter().flatten() {
                let pattern = &self.patterns[*number];
                let there = bytes.get(start..start + pattern.bytes.len());
                if there.is_some_and(|there| there.eq_ignore_ascii_case(&pattern.bytes)) {
                    let around = bytes.get(start.saturating_sub(30)..(start + 60).min(bytes.len()));
                    hits.push(Hit {
                        place: place.to_owned(),
                        at: start,
                        means: pattern.means.clone(),
                        around: around.unwrap_or_default().escape_ascii().to_string(),
                    });
                }
            }
        }
        hits
    }
}

fn slide(window: u64, byte: u8) -> u64 {
    (window << 8) | u64::from(byte)
}

fn hash(start: u64) -> usize {
    (start.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - FILTER_BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searcher(texts: &[&str]) -> Searcher {
        let pattern = |text: &&str| Pattern { bytes: text.as_bytes().to_vec(), means: (*text).to_owned() };
        Searcher::new(texts.iter().map(pattern).collect())
    }

    #[test]
    fn every_occurrence_is_found_whatever_its_case_and_wherever_it_stands() {
        let searcher = searcher(&["markabcdefgh", "markabcdxyz", "another-one"]);
        let text = b"MARKABCDEFGH markabcdxyz, markabcd another-onE";
        let found: Vec<(usize, String)> =
            searcher.find("here", text).into_iter().map(|hit| (hit.at, hit.means)).collect();
        assert_eq!(
            found,
            [(0, "markabcdefgh".to_owned()), (13, "markabcdxyz".to_owned()), (35, "another-one".to_owned())]
        );
    }

    #[test]
    fn too_short_patterns_are_left_out_and_nothing_is_found_in_nothing() {
        let searcher = searcher(&["short", "long enough"]);
        assert_eq!(searcher.len(), 1);
        assert!(searcher.find("here", b"").is_empty());
        assert!(searcher.find("here", b"long enoug").is_empty());
    }
}
