//! Which passwords are good enough to be set.

use std::fmt;

use service_kit::Secret;

use crate::domain::text::InvalidText;

/// The commonest passwords that are long enough; in lower case, one a line.
const COMMON: &str = include_str!("common_passwords.txt");

/// A password that may be set. Passwords to sign in with are taken as they come.
#[derive(Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, min_length = 12, max_length = 200, format = "password")]
pub struct NewPassword(Secret);

impl NewPassword {
    /// The shortest password, in characters.
    pub const CHARS_MIN: usize = 12;
    /// The longest password, in characters.
    pub const CHARS_MAX: usize = 200;

    /// Checks and wraps the password. Nothing is trimmed.
    ///
    /// # Errors
    /// [`InvalidText`] with what would be right.
    pub fn new(text: String) -> Result<Self, InvalidText> {
        let password = Secret::new(text);
        let chars = password.expose().chars().count();
        if chars < Self::CHARS_MIN {
            return Err(InvalidText(format!(
                "has fewer than {} characters; take a few words",
                Self::CHARS_MIN
            )));
        }
        if chars > Self::CHARS_MAX {
            return Err(InvalidText(format!("has more than {} characters; shorten it", Self::CHARS_MAX)));
        }
        if is_guessed_first(&password.expose().to_lowercase()) {
            return Err(InvalidText(
                "is among the first that anybody tries; take a few words of your own".into(),
            ));
        }
        Ok(Self(password))
    }

    /// The password itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl TryFrom<String> for NewPassword {
    type Error = InvalidText;

    fn try_from(text: String) -> Result<Self, InvalidText> {
        Self::new(text)
    }
}

fn is_guessed_first(folded: &str) -> bool {
    let mut chars: Vec<char> = folded.chars().collect();
    let steps: Vec<i64> =
        chars.windows(2).map(|pair| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0]))).collect();
    // 123456789012, abcdefghijkl, 999999999999: every step is the same, but for the one from 9 to 0.
    let even = steps.iter().filter(|step| Some(*step) == steps.first()).count() + 1 >= steps.len();
    chars.sort_unstable();
    chars.dedup();
    even || chars.len() <= 3 || COMMON.lines().any(|line| line == folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        NewPassword::new(text.into()).unwrap_err().to_string()
    }

    #[test]
    fn a_few_words_are_a_good_password() {
        for good in ["correct horse battery", "длинный пароль", "tr0ub4dor&3-and-more"] {
            assert!(NewPassword::new(good.into()).is_ok(), "{good}");
        }
    }

    #[test]
    fn short_endless_and_common_passwords_are_refused() {
        assert!(refusal("hunter2").contains("fewer than 12"));
        assert!(refusal(&"xyz1".repeat(60)).contains("more than 200"));
        for common in
            ["Password1234", "qwertyuiop123", "123456789012", "abcdefghijkl", "aaaaaaaaaaaa", "121212121212"]
        {
            assert!(refusal(common).contains("anybody tries"), "{common}");
        }
    }

    #[test]
    fn the_list_of_common_passwords_is_in_the_form_it_is_compared_with() {
        for line in COMMON.lines() {
            assert!(line.chars().count() >= NewPassword::CHARS_MIN && line == line.to_lowercase(), "{line}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        assert_eq!(format!("{:?}", NewPassword::new("correct horse battery".into())), "Ok([secret])");
    }
}
