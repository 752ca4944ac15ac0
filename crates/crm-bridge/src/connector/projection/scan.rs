//! A first look over the raw bytes, before any parser: UTF-8, depth, and that there is something at all.

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
pub(super) enum Unfit {
    Empty,
    NotUtf8,
    TooDeep,
}

/// The text of the answer, if it is UTF-8 and nested no deeper than allowed, in the skipped parts too.
pub(super) fn look_over(bytes: &[u8], depth_max: usize) -> Result<&str, Unfit> {
    let text = std::str::from_utf8(bytes).map_err(|_| Unfit::NotUtf8)?;
    if text.trim_ascii().is_empty() {
        return Err(Unfit::Empty);
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return Err(Unfit::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_strings() {
        assert!(look_over(br#"{"a":"[[[[\"[[[["}"#, 1).is_ok());
        assert_eq!(look_over(br#"{"a":[{}]}"#, 2), Err(Unfit::TooDeep));
        assert!(look_over(br#"{"a":[{}],"b":[{}]}"#, 3).is_ok());
        assert_eq!(look_over(&b"[".repeat(1_000_000), 64), Err(Unfit::TooDeep));
    }

    #[test]
    fn broken_text_and_nothing_are_refused() {
        assert_eq!(look_over(b"{\"a\":\"\xff\"}", 9), Err(Unfit::NotUtf8));
        assert_eq!(look_over(b" \n", 9), Err(Unfit::Empty));
    }
}
