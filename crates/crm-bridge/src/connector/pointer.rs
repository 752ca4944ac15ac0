//! A place in a JSON answer, as in RFC 6901 but without escapes, numbers as indices or stars: `/company/name`.

use serde::Deserialize;

const SEGMENTS_MAX: usize = 8;

/// The members to go through, from the outside in. Empty: the value itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// The members to go through.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// This place seen from the place that `outer` is relative to.
    #[must_use]
    pub fn below(&self, outer: &Self) -> Self {
        Self(outer.0.iter().chain(&self.0).cloned().collect())
    }

    /// The pointer of one member of that name.
    ///
    /// # Errors
    /// A sentence, if the name has letters that no profile may use.
    pub fn member(name: &str) -> Result<Self, String> {
        Self::try_from(format!("/{name}"))
    }
}

impl TryFrom<String> for Pointer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let Some(path) = text.strip_prefix('/') else {
            return Err(format!("`{text}`: a pointer begins with `/`"));
        };
        let segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        let plain = |segment: &String| {
            !segment.is_empty()
                && segment
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@' | ':'))
        };
        if segments.len() > SEGMENTS_MAX || !segments.iter().all(plain) {
            return Err(format!(
                "`{text}`: a pointer has 1 to {SEGMENTS_MAX} plain member names, no star, no index"
            ));
        }
        Ok(Self(segments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_has_plain_names_only() {
        assert_eq!(Pointer::try_from("/a/b".to_owned()).unwrap().segments(), ["a", "b"]);
        assert!(Pointer::try_from(String::new()).unwrap().segments().is_empty());
        for wrong in ["a", "/", "/a//b", "/*", "/a b", "/a~1b", "/1/2/3/4/5/6/7/8/9"] {
            assert!(Pointer::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
