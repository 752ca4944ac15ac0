//! Short texts with a fixed alphabet or a bounded length.

/// A text is too long, empty, or holds characters that don't belong there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: expected {expected}")]
pub struct TextError {
    /// What it should have been.
    pub kind: &'static str,
    /// How it should have looked.
    pub expected: &'static str,
}

/// Declares a text newtype that can't be built wrong. The check runs in `new` and when it is read from JSON.
macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $max:tt, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, utoipa::ToSchema)]
        #[serde(try_from = "String")]
        #[schema(value_type = String, max_length = $max)]
        pub struct $name(String);

        impl $name {
            /// Checks and wraps the text.
            ///
            /// # Errors
            /// [`TextError`](crate::text::TextError) that says how it should have looked.
            pub fn new(text: impl Into<String>) -> Result<Self, $crate::text::TextError> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err($crate::text::TextError { kind: $kind, expected: $expected })
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::text::TextError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    };
}
pub(crate) use bounded_text;

/// Prints the type's name instead of the value, for texts that are personal data.
macro_rules! redacted_debug {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!("[", stringify!($name), "]"))
            }
        }
    };
}
pub(crate) use redacted_debug;

/// Prints the value, for ids that say nothing about a person.
macro_rules! plain_debug {
    ($name:ident) => {
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use plain_debug;

/// `prefix_` and 8 to 64 letters or digits.
fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        (8..=64).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// No control characters, not empty, at most `chars_max` characters.
pub(crate) fn is_line(text: &str, chars_max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

bounded_text! {
    /// The opaque id that the bridge minted for a customer. It says nothing about the customer and nothing in the CRM.
    CustomerRef, "customer reference", "`cus_` and 8 to 64 letters or digits", 68, |text| is_id(text, "cus_")
}
plain_debug!(CustomerRef);

bounded_text! {
    /// On whose behalf the ticket service asks: an operator, or a program with an API key.
    ViewerId, "viewer id", "`opr_` or `key_` and 8 to 64 letters or digits", 68, |text| {
        is_id(text, "opr_") || is_id(text, "key_")
    }
}
plain_debug!(ViewerId);

bounded_text! {
    /// A mail address to look somebody up by, as the customer wrote it.
    LookupEmail, "mail address", "one @, no spaces, at most 254 characters", 254, |text| {
        is_line(text, 254) && !text.contains(char::is_whitespace) && text.split('@').filter(|part| !part.is_empty()).count() == 2
            && text.matches('@').count() == 1
    }
}
redacted_debug!(LookupEmail);

bounded_text! {
    /// A phone number to look somebody up by, as the customer wrote it.
    LookupPhone, "phone number", "digits, spaces and + - ( ) . / only, 5 to 20 digits", 40, |text| {
        is_line(text, 40)
            && text.chars().all(|char| char.is_ascii_digit() || "+-()./ ".contains(char))
            && (5..=20).contains(&text.chars().filter(char::is_ascii_digit).count())
    }
}
redacted_debug!(LookupPhone);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_prefix_and_a_plain_alphabet() {
        assert!(CustomerRef::new("cus_0193aabbccdd").is_ok());
        for wrong in ["", "cus_", "opr_0193aabbccdd", "cus_0193aabb\n", "cus_0193 aabb", "4711"] {
            assert!(CustomerRef::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_viewer_is_an_operator_or_a_program() {
        assert!(ViewerId::new("opr_0193aabb").is_ok() && ViewerId::new("key_0193aabb").is_ok());
        assert!(ViewerId::new("cus_0193aabb").is_err());
    }

    #[test]
    fn a_look_up_takes_one_address_and_nothing_else() {
        assert!(LookupEmail::new("ilya@volga.example").is_ok());
        for wrong in ["@", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: x", ""] {
            assert!(LookupEmail::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(LookupPhone::new("+7 (846) 555-01-41").is_ok());
        for wrong in ["", "12", "call me", "0".repeat(41).as_str()] {
            assert!(LookupPhone::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn addresses_are_not_printed() {
        assert_eq!(format!("{:?}", LookupEmail::new("a@b.example").unwrap()), "[LookupEmail]");
    }
}
