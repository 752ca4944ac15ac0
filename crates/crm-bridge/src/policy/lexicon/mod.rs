//! The deny lexicon: words that, in a field name, mean that the field is none of support's business.
//!
//! It is the seat-belt, the allow-list is the brake: only listed fields survive at all; the lexicon catches a data owner
//! who lists the wrong one. The words are data, one file a language, in `lexicon/words/`. How a name becomes comparable
//! is in [`spell`], how it is compared in [`table`], what to do with names that carry no word in [`opaque`].

pub mod opaque;
mod spell;
mod table;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use self::spell::tokens;
use self::table::Table;

/// The languages that ship, each a file.
const LANGUAGES: &[(&str, &str)] = &[
    ("en", include_str!("words/en.toml")),
    ("ru", include_str!("words/ru.toml")),
    ("de", include_str!("words/de.toml")),
    ("fr", include_str!("words/fr.toml")),
    ("es", include_str!("words/es.toml")),
    ("id", include_str!("words/id.toml")),
    ("fi", include_str!("words/fi.toml")),
    ("he", include_str!("words/he.toml")),
];

/// Longest phrase that a profile may add, in words.
const PROFILE_WORDS_MAX: usize = 4;

/// Made once: every check of every policy compares with the same words.
static SHIPPED: LazyLock<Result<Table, String>> = LazyLock::new(|| Table::of(LANGUAGES));

/// How strongly a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Passes with a written reason.
    Soft,
    /// Never passes.
    Hard,
}

/// What the lexicon has against a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Refused or to be explained.
    pub severity: Severity,
    /// The entry of the lexicon that matched.
    pub word: String,
    /// What the entry protects, for the reader.
    pub group: String,
}

/// The words, ready to be compared with names.
#[derive(Debug)]
pub struct Lexicon {
    shipped: &'static Table,
    of_profile: Table,
}

impl Lexicon {
    /// The lexicon that ships with the program, plus names that one profile adds as hard ones.
    ///
    /// # Errors
    /// A sentence, if a name of the profile is no word, or if the built-in data is broken; a test keeps that from happening.
    pub fn with(profile_words: &[String]) -> Result<Self, String> {
        let shipped = SHIPPED.as_ref().map_err(Clone::clone)?;
        let mut of_profile = Table::default();
        for word in profile_words {
            let parts = tokens(word, shipped.wrappers());
            if parts.is_empty() || parts.len() > PROFILE_WORDS_MAX {
                return Err(format!("deny word `{word}`: one to {PROFILE_WORDS_MAX} words, please"));
            }
            of_profile.add(&parts, Severity::Hard, "named by the connector profile");
        }
        Ok(Self { shipped, of_profile })
    }

    /// The gravest thing the lexicon has against a name or a path, if any.
    #[must_use]
    pub fn judge(&self, name: &str) -> Option<Finding> {
        let tokens = tokens(name, self.shipped.wrappers());
        let excused = self.shipped.excused(&tokens);
        let found = self.shipped.gravest(&tokens, &excused);
        // What the profile names is meant: no false friend excuses it.
        found.into_iter().chain(self.of_profile.gravest(&tokens, &[])).max_by_key(|finding| finding.severity)
    }

    /// The subjects of the entries of that severity, in the order of the files.
    #[must_use]
    pub fn groups(&self, severity: Severity) -> Vec<String> {
        let mut groups: Vec<String> = Vec::new();
        for (group, of) in self.shipped.groups() {
            if of == severity && !groups.iter().any(|known| known == group) {
                groups.push(group.to_owned());
            }
        }
        groups
    }

    /// Every entry, written as a field name: what a policy must never get past [`Self::judge`].
    pub fn entries(&self) -> impl Iterator<Item = (String, Severity)> {
        self.shipped.entries().chain(self.of_profile.entries())
    }
}
