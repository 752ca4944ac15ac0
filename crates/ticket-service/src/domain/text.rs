//! Texts that can't be built wrong: nobody has to remember to validate them.

use std::fmt;

/// Why a text is not accepted: a phrase that goes after the member's name, such as "has more than 200 characters".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub String);

/// Trims, checks emptiness, length and control characters of a text on one line.
fn one_line(text: &str, chars_max: usize) -> Result<String, InvalidText> {
    let text = text.trim();
    if text.is_empty() {
        return Err(InvalidText("is empty".into()));
    }
    if text.chars().count() > chars_max {
        return Err(InvalidText(format!("has more than {chars_max} characters; shorten it")));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidText(
            "holds a line break or another control character; write it on one line".into(),
        ));
    }
    Ok(text.to_owned())
}

/// Declares a text newtype with a checking constructor, usable in JSON both ways and in OpenAPI.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $chars_max:tt, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, max_length = $chars_max)]
        pub struct $name(String);

        impl $name {
            /// The longest text, in characters.
            pub const CHARS_MAX: usize = $chars_max;

            /// Checks and wraps the text; white space around it is dropped.
            ///
            /// # Errors
            /// [`InvalidText`] with what is wrong and what would be right.
            pub fn new(text: &str) -> Result<Self, InvalidText> {
                let check: fn(&str) -> Result<String, InvalidText> = $check;
                check(text).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidText;

            fn try_from(text: String) -> Result<Self, InvalidText> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // What people write stays out of the log.
                f.write_str(concat!("[", stringify!($name), "]"))
            }
        }
    };
}

text_type! {
    /// What a ticket is about, on one line.
    Subject, 200, |text| one_line(text, 200)
}

text_type! {
    /// The name of a person as they write it.
    PersonName, 120, |text| one_line(text, 120)
}

text_type! {
    /// The name of a queue.
    QueueName, 60, |text| one_line(text, 60)
}

text_type! {
    /// A short text on one line or more, such as the reason of a hand-over.
    Note, 2000, |text| {
        let text = text.trim();
        if text.is_empty() {
            return Err(InvalidText("is empty".into()));
        }
        if text.chars().count() > 2000 {
            return Err(InvalidText("has more than 2000 characters; shorten it".into()));
        }
        Ok(text.replace("\r\n", "\n").replace(|char: char| char.is_control() && char != '\n', " "))
    }
}

text_type! {
    /// A mail address, its domain in lower case. Checked for shape only; whether it exists, the mail tells.
    EmailAddress, 254, |text| {
        let text = one_line(text, 254)?;
        let wrong = || InvalidText("is not a mail address; write it as name@example.org".into());
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        let plain = |part: &str| !part.is_empty() && !part.contains(|char: char| char.is_whitespace() || "<>()[],;:\"\\@".contains(char));
        let dots = |part: &str| !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
        if !plain(local) || !plain(domain) || !dots(local) || !dots(domain) || local.chars().count() > 64 {
            return Err(wrong());
        }
        Ok(format!("{local}@{}", domain.to_lowercase()))
    }
}

impl EmailAddress {
    /// The form under which the same mailbox is always found: all lower case.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }
}

text_type! {
    /// A phone number as people write it: digits, spaces and `+ - ( ) . /`.
    PhoneNumber, 40, |text| {
        let text = one_line(text, 40)?;
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let plain = text.chars().all(|char| char.is_ascii_digit() || "+-()./ ".contains(char));
        if plain && (5..=20).contains(&digits) {
            Ok(text)
        } else {
            Err(InvalidText("is not a phone number; write digits, spaces and + - ( ) only, at least 5 digits".into()))
        }
    }
}

text_type! {
    /// A tag: letters, digits and hyphens, in lower case.
    Tag, 40, |text| {
        let text = one_line(text, 40)?.to_lowercase();
        if text.chars().all(|char| char.is_alphanumeric() || char == '-' || char == '_') {
            Ok(text)
        } else {
            Err(InvalidText("is not a tag; use letters, digits, - and _ only".into()))
        }
    }
}

/// At most two letters that stand for a person on a small round mark.
pub fn initials(name: &str) -> String {
    let mut words =
        name.split_whitespace().filter_map(|word| word.chars().find(|char| char.is_alphanumeric()));
    let first = words.next();
    let last = words.next_back();
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mail_address_has_one_at_and_two_sides() {
        assert_eq!(EmailAddress::new(" Ilya@Volga.Example ").unwrap().as_str(), "Ilya@volga.example");
        for right in ["o'neill+x@a.example", "почта@пример.example", "a@localhost"] {
            assert!(EmailAddress::new(right).is_ok(), "{right}");
        }
        for wrong in
            ["", "a", "@", "a@", "@b", "a b@c.example", "a@b@c", "a..b@c", ".a@c", "a@c.", "a@b\r\nBcc: x@y"]
        {
            assert!(EmailAddress::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_length_is_counted_in_characters_not_bytes() {
        assert!(Subject::new(&"ж".repeat(200)).is_ok());
        let error = Subject::new(&"ж".repeat(201)).unwrap_err();
        assert_eq!(error.to_string(), "has more than 200 characters; shorten it");
    }

    #[test]
    fn initials_are_the_first_letters_of_the_first_and_the_last_word() {
        for (name, expected) in
            [("Ann Koval", "AK"), ("Ilya", "I"), ("ёжик в тумане", "ЁТ"), ("", ""), ("(x) y", "XY")]
        {
            assert_eq!(initials(name), expected);
        }
    }

    #[test]
    fn tags_are_folded_to_lower_case() {
        assert_eq!(Tag::new("Batch-05").unwrap().as_str(), "batch-05");
        assert!(Tag::new("two words").is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_once_is_accepted_again_unchanged(text in ".{0,260}") {
            if let Ok(subject) = Subject::new(&text) {
                prop_assert_eq!(Subject::new(subject.as_str()).unwrap(), subject);
            }
            if let Ok(email) = EmailAddress::new(&text) {
                prop_assert_eq!(EmailAddress::new(email.as_str()).unwrap(), email);
            }
            let _ = initials(&text);
        }
    }
}
