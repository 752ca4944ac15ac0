//! The name of an attached file, made fit to be shown and saved anywhere.

/// The longest name, in characters.
pub const CHARS_MAX: usize = 200;
/// A longer ending is not worth keeping when a name is cut.
const ENDING_CHARS_MAX: usize = 16;
/// For files without a usable name.
const UNNAMED: &str = "file";

/// A name without folders, without characters that change what is shown, and without those that no system can save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Makes a name of whatever the sender called the file.
    pub fn cleaned(name: &str) -> Self {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let plain: String = last
            .chars()
            .filter(|char| !char.is_control() && !turns_text(*char))
            .map(|char| if "<>:\"|?*".contains(char) { '_' } else { char })
            .collect();
        let trimmed = plain.trim_matches(|char: char| char.is_whitespace() || char == '.');
        Self(if trimmed.is_empty() { UNNAMED.to_owned() } else { cut(trimmed) })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as the value of `Content-Disposition` that makes a browser save it (RFC 6266, RFC 8187).
    pub fn content_disposition(&self) -> String {
        let plain: String = self
            .0
            .chars()
            .map(|char| if char.is_ascii_alphanumeric() || " ._-()".contains(char) { char } else { '_' })
            .collect();
        let mut encoded = String::new();
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
        format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
    }
}

/// Characters that turn the direction of what follows, or can't be seen, by which an `exe` can be made to read like a `pdf`.
fn turns_text(char: char) -> bool {
    matches!(char,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn cut(name: &str) -> String {
    if name.chars().count() <= CHARS_MAX {
        return name.to_owned();
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let ending =
        ending.filter(|ending| ending.chars().count() <= ENDING_CHARS_MAX).map(|ending| format!(".{ending}"));
    let ending = ending.unwrap_or_default();
    let kept: String = name.chars().take(CHARS_MAX - ending.chars().count()).collect();
    kept + &ending
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cleaned(name: &str) -> String {
        FileName::cleaned(name).as_str().to_owned()
    }

    #[test]
    fn folders_and_what_turns_the_text_go() {
        for (name, expected) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ann\\счёт № 5.pdf", "счёт № 5.pdf"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\r\nSet-Cookie: x.txt", "aSet-Cookie_ x.txt"),
            ("..", "file"),
            ("", "file"),
            (" .hidden. ", "hidden"),
            ("a<b>:\"|?*.txt", "a_b______.txt"),
        ] {
            assert_eq!(cleaned(name), expected, "{name:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = cleaned(&format!("{}.pdf", "ж".repeat(300)));
        assert!(name.ends_with("ж.pdf") && name.chars().count() == CHARS_MAX);
        assert_eq!(cleaned(&"x".repeat(300)).len(), CHARS_MAX);
    }

    #[test]
    fn a_browser_is_told_the_name_in_both_ways() {
        assert_eq!(
            FileName::cleaned("счёт 5.pdf").content_disposition(),
            "attachment; filename=\"____ 5.pdf\"; filename*=UTF-8''%D1%81%D1%87%D1%91%D1%82%205.pdf"
        );
    }

    proptest! {
        #[test]
        fn every_name_becomes_one_that_is_safe_and_stays_so(name in "\\PC{0,250}|.{0,50}") {
            let clean = cleaned(&name);
            prop_assert!((1..=CHARS_MAX).contains(&clean.chars().count()));
            let unwanted = |char: char| char.is_control() || matches!(char, '/' | '\\' | '"' | '\u{202e}');
            prop_assert!(!clean.contains(unwanted));
            prop_assert_ne!(&clean, "..");
            let header = FileName::cleaned(&name).content_disposition();
            prop_assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
    }
}
