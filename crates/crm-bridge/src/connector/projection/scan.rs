//! A first look over raw bytes, before any parser: UTF-8, that there is something at all, and for parsers that set no
//! limit themselves the depth.

use wide::u8x16;

/// What an answer may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size after decompression.
    pub answer_bytes_max: usize,
    /// Objects and lists inside one another.
    pub depth_max: usize,
    /// Records that are read of one list; further ones are skipped.
    pub records_max: usize,
}

/// Why the bytes are not worth parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::connector) enum Unfit {
    Empty,
    NotUtf8,
    TooDeep,
}

/// The text, if it is UTF-8 and there is any.
pub(in crate::connector) fn text_of(bytes: &[u8]) -> Result<&str, Unfit> {
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| Unfit::NotUtf8)?;
    if text.trim_ascii().is_empty() { Err(Unfit::Empty) } else { Ok(text) }
}

/// The text, if it is also nested no deeper than allowed.
pub(in crate::connector) fn look_over(bytes: &[u8], depth_max: usize) -> Result<&str, Unfit> {
    let text = text_of(bytes)?;
    if is_deeper_than(bytes, depth_max) { Err(Unfit::TooDeep) } else { Ok(text) }
}

/// Bytes that are looked at together, a bit for each.
const BLOCK: usize = 64;

/// Whether brackets outside of strings are nested deeper than that. What is no JSON may be called too deep or not; the
/// parser refuses it anyway, and up to where it does this count is right.
fn is_deeper_than(bytes: &[u8], depth_max: usize) -> bool {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let mut state = State { depth: 0, depth_max, in_string: 0, escaped: 0 };
    if blocks.iter().any(|block| state.goes_too_deep(block)) {
        return true;
    }
    let mut last = [b' '; BLOCK];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    state.goes_too_deep(&last)
}

struct State {
    depth: usize,
    depth_max: usize,
    /// All ones if the block before ended inside a string.
    in_string: u64,
    /// One if the block before ended in a backslash that is not itself escaped.
    escaped: u64,
}

impl State {
    fn goes_too_deep(&mut self, block: &[u8; BLOCK]) -> bool {
        let Bits { quotes, backslashes, opening, closing } = Bits::of(block);
        let quotes = quotes & !self.escaped_bytes(backslashes);
        let in_string = prefix_xor(quotes) ^ self.in_string;
        self.in_string = 0_u64.wrapping_sub(in_string >> 63);
        let (opening, closing) = (opening & !in_string, closing & !in_string);
        let opened = count(opening);
        if self.depth + opened <= self.depth_max {
            self.depth = (self.depth + opened).saturating_sub(count(closing));
            return false;
        }
        let mut brackets = opening | closing;
        while brackets != 0 {
            let first = brackets & brackets.wrapping_neg();
            brackets ^= first;
            if opening & first == 0 {
                self.depth = self.depth.saturating_sub(1);
            } else if self.depth == self.depth_max {
                return true;
            } else {
                self.depth += 1;
            }
        }
        false
    }

    /// Which bytes stand behind a backslash that is not itself escaped (Langdale and Lemire, Parsing Gigabytes of JSON
    /// per Second, 2019, section 3.1.1).
    fn escaped_bytes(&mut self, backslashes: u64) -> u64 {
        if backslashes == 0 {
            return std::mem::take(&mut self.escaped);
        }
        const EVEN: u64 = 0x5555_5555_5555_5555;
        let backslashes = backslashes & !self.escaped;
        let follows = (backslashes << 1) | self.escaped;
        let odd_starts = backslashes & !EVEN & !follows;
        let (even_runs, overflow) = odd_starts.overflowing_add(backslashes);
        self.escaped = u64::from(overflow);
        (EVEN ^ (even_runs << 1)) & follows
    }
}

/// A bit for each byte of a block.
struct Bits {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Bits {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let (quarters, _) = block.as_chunks::<16>();
        let mut bits = Self { quotes: 0, backslashes: 0, opening: 0, closing: 0 };
        let mut any_backslash = u8x16::splat(0);
        for (i, quarter) in quarters.iter().enumerate() {
            let bytes = u8x16::new(*quarter);
            // `[` and `{`, and `]` and `}`, differ in this bit only.
            let folded = bytes | u8x16::splat(0x20);
            any_backslash |= bytes.simd_eq(u8x16::splat(b'\\'));
            bits.quotes |= mask_of(bytes, b'"') << (16 * i);
            bits.opening |= mask_of(folded, b'{') << (16 * i);
            bits.closing |= mask_of(folded, b'}') << (16 * i);
        }
        // Rare enough to be looked for only where there is one.
        if any_backslash.any() {
            for (i, quarter) in quarters.iter().enumerate() {
                bits.backslashes |= mask_of(u8x16::new(*quarter), b'\\') << (16 * i);
            }
        }
        bits
    }
}

#[inline]
fn mask_of(bytes: u8x16, byte: u8) -> u64 {
    bytes.simd_eq(u8x16::splat(byte)).to_bitmask().into()
}

/// For each bit, whether the number of ones up to it is odd.
fn prefix_xor(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, shift| bits ^ (bits << shift))
}

fn count(bits: u64) -> usize {
    usize::try_from(bits.count_ones()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn depth_is_counted_outside_of_strings() {
        assert!(look_over(br#"{"a":"[[[[\"[[[["}"#, 1).is_ok());
        assert_eq!(look_over(br#"{"a":[{}]}"#, 2), Err(Unfit::TooDeep));
        assert!(look_over(br#"{"a":[{}],"b":[{}]}"#, 3).is_ok());
        assert_eq!(look_over(&b"[".repeat(1_000_000), 64), Err(Unfit::TooDeep));
        let wide = format!("[{}1]", "[[]],".repeat(10_000));
        assert!(look_over(wide.as_bytes(), 3).is_ok());
        assert_eq!(look_over(wide.as_bytes(), 2), Err(Unfit::TooDeep));
    }

    #[test]
    fn broken_text_and_nothing_are_refused() {
        assert_eq!(look_over(b"{\"a\":\"\xff\"}", 9), Err(Unfit::NotUtf8));
        assert_eq!(look_over(b" \n", 9), Err(Unfit::Empty));
    }

    /// The depth of JSON, byte by byte.
    fn depth_of(bytes: &[u8]) -> usize {
        let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
        for byte in bytes {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b'{' | b'[' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' => depth -= 1,
                _ => {}
            }
        }
        deepest
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            r#"[\\"\[\]{}a ]{0,70}"#.prop_map(serde_json::Value::from)
        ];
        leaf.prop_recursive(8, 60, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::vec((r#"[\\"\[a]{0,9}"#, inner), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn blocks_count_the_same_depth_as_bytes(json in any_json()) {
            let text = json.to_string();
            let depth = depth_of(text.as_bytes());
            prop_assert!(!is_deeper_than(text.as_bytes(), depth));
            prop_assert_eq!(is_deeper_than(text.as_bytes(), depth.saturating_sub(1)), depth > 0);
        }

        #[test]
        fn any_bytes_have_some_depth(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = look_over(&bytes, 3);
        }
    }
}
