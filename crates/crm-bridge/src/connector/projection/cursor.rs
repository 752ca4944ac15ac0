//! Goes through JSON (RFC 8259) as bytes, from value to value. What is skipped is checked as strictly as what is read:
//! grammar, escapes, depth. Only what is asked for becomes a value, and a text without escapes stays where it is.

use std::borrow::Cow;

use wide::u8x16;
use zeroize::Zeroizing;

use super::sink::Found;

/// Nothing is nested deeper than this, whatever the settings say: skipping goes down the stack.
const DEPTH_MAX: usize = 128;

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// Why the text can't be read on. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Not JSON.
    Syntax,
    /// Nested too deeply.
    TooDeep,
}

/// What begins at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    Object,
    List,
    /// A text, a number, a flag or null.
    Scalar,
}

/// A place in the text of an answer.
pub(super) struct Cursor<'de> {
    text: &'de str,
    at: usize,
    /// Objects and lists that are open here, and how many may be.
    depth: usize,
    depth_max: usize,
    /// An object or a list has just been opened.
    is_fresh: bool,
}

impl<'de> Cursor<'de> {
    /// At the beginning.
    pub(super) fn new(text: &'de str, depth_max: usize) -> Self {
        Self { text, at: 0, depth: 0, depth_max: depth_max.min(DEPTH_MAX), is_fresh: false }
    }

    /// What begins here. Nothing is consumed but blanks.
    #[inline]
    pub(super) fn begins(&mut self) -> Result<Begins, Broken> {
        match self.peek() {
            Some(b'{') => Ok(Begins::Object),
            Some(b'[') => Ok(Begins::List),
            Some(_) => Ok(Begins::Scalar),
            None => Err(Broken::Syntax),
        }
    }

    /// Goes into the object or list that begins here. Then [`Self::name`] or [`Self::entry`] must be asked until they
    /// say that it is over.
    #[inline]
    pub(super) fn open(&mut self) -> Result<(), Broken> {
        if self.depth == self.depth_max {
            return Err(Broken::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        self.is_fresh = true;
        Ok(())
    }

    /// The name of the next member; the value must be read or skipped before the next one. None at the end of the object.
    #[inline]
    pub(super) fn name(&mut self) -> Result<Option<Cow<'de, str>>, Broken> {
        if self.member()? { Ok(Some(self.name_here()?.0)) } else { Ok(None) }
    }

    /// The name behind whose first quote this is, and its bytes up to and with the colon.
    #[inline]
    pub(super) fn name_here(&mut self) -> Result<(Cow<'de, str>, &'de [u8]), Broken> {
        let begin = self.at;
        let (raw, is_escaped) = self.raw_text()?;
        self.expect(b':')?;
        let bytes = self.text.as_bytes().get(begin..self.at).unwrap_or_default();
        if !is_escaped {
            return Ok((Cow::Borrowed(raw), bytes));
        }
        let mut name = unescaped(raw)?;
        Ok((Cow::Owned(std::mem::take(&mut *name)), bytes))
    }

    /// Goes behind the quote with which the next name begins; false at the end of the object.
    #[inline]
    pub(super) fn member(&mut self) -> Result<bool, Broken> {
        if self.is_over(b'}')? {
            return Ok(false);
        }
        self.expect(b'"')?;
        Ok(true)
    }

    /// Goes to the next entry of a list, which must be read or skipped before the next one; false at its end.
    #[inline]
    pub(super) fn entry(&mut self) -> Result<bool, Broken> {
        Ok(!self.is_over(b']')?)
    }

    /// A plain value. An object or a list is skipped and does not fit.
    #[inline]
    pub(super) fn scalar(&mut self) -> Result<Found<'de>, Broken> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                match self.raw_text()? {
                    (raw, false) => Ok(Found::Text(raw)),
                    (raw, true) => Ok(Found::Escaped(unescaped(raw)?)),
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let begin = self.at;
                let is_whole = self.skip_number()?;
                let number = || self.text.get(begin..self.at)?.parse().ok().map(Found::Integer);
                Ok(is_whole.then(number).flatten().unwrap_or(Found::Misfit))
            }
            Some(b't') => self.word(b"true").map(|()| Found::Flag(true)),
            Some(b'f') => self.word(b"false").map(|()| Found::Flag(false)),
            Some(b'n') => self.word(b"null").map(|()| Found::Null),
            _ => self.skip().map(|()| Found::Misfit),
        }
    }

    /// Goes behind the value that begins here.
    #[inline]
    pub(super) fn skip(&mut self) -> Result<(), Broken> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.skip_text()
            }
            Some(b'-' | b'0'..=b'9') => self.skip_number().map(drop),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'{') => self.skip_object(),
            Some(b'[') => self.skip_list(),
            _ => Err(Broken::Syntax),
        }
    }

    /// Goes behind the entries that are left of the list that was opened last.
    pub(super) fn skip_rest(&mut self) -> Result<(), Broken> {
        while self.entry()? {
            self.skip()?;
        }
        Ok(())
    }

    /// Only blanks may be left.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        if self.peek().is_none() { Ok(()) } else { Err(Broken::Syntax) }
    }

    /// Goes behind these bytes, if they stand here.
    #[inline]
    pub(super) fn take(&mut self, bytes: &[u8]) -> bool {
        let is_here = self.rest().starts_with(bytes);
        if is_here {
            self.at += bytes.len();
        }
        is_here
    }

    /// What stands between here, behind a quote, and the quote that ends the text; and whether it has escapes.
    #[inline]
    fn raw_text(&mut self) -> Result<(&'de str, bool), Broken> {
        let begin = self.at;
        let end = self.special(begin);
        let is_escaped = self.byte(end) != Some(b'"');
        self.at = end;
        if is_escaped {
            self.skip_text()?;
        } else {
            self.at += 1;
        }
        let raw = self.text.get(begin..self.at - 1).ok_or(Broken::Syntax)?;
        Ok((raw, is_escaped))
    }

    fn skip_object(&mut self) -> Result<(), Broken> {
        self.open()?;
        while self.member()? {
            self.skip_text()?;
            self.expect(b':')?;
            self.skip()?;
        }
        Ok(())
    }

    fn skip_list(&mut self) -> Result<(), Broken> {
        self.open()?;
        self.skip_rest()
    }

    /// Behind the quote that ends the text.
    #[inline]
    fn skip_text(&mut self) -> Result<(), Broken> {
        loop {
            self.at = self.special(self.at) + 1;
            match self.byte(self.at - 1) {
                Some(b'"') => return Ok(()),
                Some(b'\\') => match self.byte(self.at) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                    Some(b'u') => {
                        let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                            return Err(Broken::Syntax);
                        }
                        self.at += 5;
                    }
                    _ => return Err(Broken::Syntax),
                },
                // The text does not end, or a control character stands in it.
                _ => return Err(Broken::Syntax),
            }
        }
    }

    /// Behind a number; whether it is a whole one.
    #[inline]
    fn skip_number(&mut self) -> Result<bool, Broken> {
        if self.byte(self.at) == Some(b'-') {
            self.at += 1;
        }
        if self.byte(self.at) == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut is_whole = true;
        if self.byte(self.at) == Some(b'.') {
            is_whole = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte(self.at) {
            is_whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(is_whole)
    }

    /// Behind the digits that stand here; there must be one.
    #[inline]
    fn digits(&mut self) -> Result<(), Broken> {
        let begin = self.at;
        while let Some(b'0'..=b'9') = self.byte(self.at) {
            self.at += 1;
        }
        if self.at > begin { Ok(()) } else { Err(Broken::Syntax) }
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Result<(), Broken> {
        if self.take(word) { Ok(()) } else { Err(Broken::Syntax) }
    }

    /// Whether the object or list ends here; if not, behind the comma.
    #[inline]
    fn is_over(&mut self, bracket: u8) -> Result<bool, Broken> {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        match self.peek() {
            Some(byte) if byte == bracket => {
                self.at += 1;
                self.depth = self.depth.saturating_sub(1);
                Ok(true)
            }
            Some(b',') if !is_fresh => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if is_fresh => Ok(false),
            _ => Err(Broken::Syntax),
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Broken::Syntax)
        }
    }

    /// The next byte that is no blank.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other,
            }
        }
    }

    /// The place of the next byte that may not stand in a text as it is: quote, backslash, control character. The length
    /// of the whole if there is none.
    #[inline]
    fn special(&self, mut at: usize) -> usize {
        let bytes = self.text.as_bytes();
        while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
            let block = u8x16::new(*block);
            let control = block.min(u8x16::splat(0x1F)).simd_eq(block);
            let special = block.simd_eq(u8x16::splat(b'"')) | block.simd_eq(u8x16::splat(b'\\')) | control;
            let special = special.to_bitmask();
            if special != 0 {
                return at + usize::try_from(special.trailing_zeros()).unwrap_or(0);
            }
            at += BLOCK;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
    }

    #[inline]
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    #[inline]
    fn rest(&self) -> &'de [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }
}

/// The text of one with escapes, which have been checked, but for halves of pairs.
fn unescaped(raw: &str) -> Result<Zeroizing<String>, Broken> {
    // No escape is shorter than what it stands for, so the text never moves and leaves no copy behind.
    let mut text = Zeroizing::new(String::with_capacity(raw.len()));
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut letters = escape.chars();
        let letter = match letters.next().ok_or(Broken::Syntax)? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (letter, after) = letter(letters.as_str())?;
                letters = after.chars();
                letter
            }
            itself => itself,
        };
        text.push(letter);
        rest = letters.as_str();
    }
    text.push_str(rest);
    Ok(text)
}

/// The letter that is written as `\u0442`, or as a pair of such, from the first digit on; and what follows.
fn letter(digits: &str) -> Result<(char, &str), Broken> {
    let (first, rest) = unit(digits)?;
    if let Some(letter) = char::from_u32(first.into()) {
        return Ok((letter, rest));
    }
    let (second, rest) = unit(rest.strip_prefix("\\u").ok_or(Broken::Syntax)?)?;
    match char::decode_utf16([first, second]).next() {
        Some(Ok(letter)) => Ok((letter, rest)),
        _ => Err(Broken::Syntax),
    }
}

fn unit(digits: &str) -> Result<(u16, &str), Broken> {
    let (digits, rest) = digits.split_at_checked(4).ok_or(Broken::Syntax)?;
    Ok((u16::from_str_radix(digits, 16).map_err(|_| Broken::Syntax)?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    fn skipped(text: &str, depth_max: usize) -> Result<(), Broken> {
        let mut json = Cursor::new(text, depth_max);
        json.skip()?;
        json.end()
    }

    fn text_of(json: &str) -> Option<String> {
        Cursor::new(json, 1).scalar().ok()?.text().map(str::to_owned)
    }

    #[test]
    fn what_is_skipped_is_checked_as_strictly_as_what_is_read() {
        for good in ["{}", " [ ] ", "[1,-0.5e+3,{\"a\":[null]}]", r#""\u00e9\n\/""#, "0", "true"] {
            assert_eq!(skipped(good, 9), Ok(()), "{good}");
        }
        let bad = [
            "",
            "{",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":1]",
            "[1}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "nul",
            "True",
            "\"a",
            "\"\u{1}\"",
            r#""\x""#,
            r#""\u12g4""#,
            "[] []",
            "'a'",
            "NaN",
            "\u{feff}{}",
        ];
        for bad in bad {
            assert_eq!(skipped(bad, 9), Err(Broken::Syntax), "{bad}");
        }
    }

    #[test]
    fn depth_is_counted_in_what_is_skipped() {
        assert_eq!(skipped(r#"{"a":"[[[[\"[[[["}"#, 1), Ok(()));
        assert_eq!(skipped(r#"{"a":[{}]}"#, 3), Ok(()));
        assert_eq!(skipped(r#"{"a":[{}]}"#, 2), Err(Broken::TooDeep));
        assert_eq!(skipped(&"[".repeat(1_000_000), usize::MAX), Err(Broken::TooDeep), "the stack has an end");
        assert_eq!(skipped(&format!("[{}1]", "[[]],".repeat(1_000)), 3), Ok(()), "wide is not deep");
    }

    #[test]
    fn escapes_become_their_letters_and_half_a_letter_is_none() {
        assert_eq!(text_of(r#""a\u00e9\ud83d\ude00\t\"\\""#).as_deref(), Some("aé\u{1f600}\t\"\\"));
        for half in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ude00""#, r#""\ud83d\ud83d""#, r#""\ud83d\n""#] {
            assert_eq!(text_of(half), None, "{half}");
        }
    }

    #[test]
    fn whole_numbers_are_read_and_others_do_not_fit() {
        let number = |text| match Cursor::new(text, 1).scalar() {
            Ok(Found::Integer(number)) => Some(number),
            Ok(Found::Misfit) => None,
            _ => Some(-1),
        };
        assert_eq!(number("42,"), Some(42));
        assert_eq!(number("-9223372036854775808"), Some(i64::MIN));
        for other in ["9223372036854775808", "1.0", "1e3", "1e999", "[]", "{}"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    /// JSON, and JSON that somebody damaged.
    fn any_text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            "-?[0-9]{1,4}(\\.[0-9]{1,2})?([eE][+-]?[0-9])?",
            r#""([a-z\[\]{},: ]|é|\\[nrt"\\/bf]|\\u[0-9a-f]{4}){0,40}""#,
        ];
        let json = leaf.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|all| format!("[{}]", all.join(" ,"))),
                prop::collection::vec((r#""([a-z]|\\")*""#, inner), 0..4).prop_map(|all| {
                    let all: Vec<_> = all.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                    format!("{{{}}}", all.join(",\n"))
                }),
            ]
        });
        let damage = prop::option::of((any::<prop::sample::Index>(), "[\"\\\\,:{}\\[\\]0-9a-fn.e\u{1} -]?"));
        (json, damage).prop_map(|(json, damage)| match damage {
            None => json,
            Some((at, instead)) => {
                let mut letters: Vec<String> = json.chars().map(String::from).collect();
                let at = at.index(letters.len());
                letters[at] = instead;
                letters.concat()
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_skips_what_serde_json_skips_and_nothing_else(text in any_text()) {
            let expected = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(skipped(&text, 100).is_ok(), expected, "{}", text);
        }

        #[test]
        fn it_reads_the_texts_that_serde_json_reads(inside in r#"([a-z]|é|\\[nrt"\\/bf]|\\ud83[d-e]|\\ude0[0-9]|\\u[0-9a-f]{4}){0,40}"#) {
            let json = format!("\"{inside}\"");
            prop_assert_eq!(text_of(&json), serde_json::from_str::<String>(&json).ok());
        }
    }
}
