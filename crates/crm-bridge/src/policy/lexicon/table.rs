//! The words of all languages in one table, found by the first or last letter of a piece.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::spell::{fold, other_forms, singular, split, transliterations, without_umlauts};
use super::{Finding, Severity};

/// A Cyrillic abbreviation this short means something else in Latin letters.
const TRANSLITERATED_LETTERS_MIN: usize = 3;

/// One entry, for the reader of a finding.
#[derive(Debug)]
struct Entry {
    word: String,
    severity: Severity,
    group: String,
}

/// Patterns and the number of their entry.
#[derive(Debug, Default)]
struct Patterns {
    exact: HashMap<String, Vec<usize>>,
    prefix: HashMap<char, Vec<(String, usize)>>,
    suffix: HashMap<char, Vec<(String, usize)>>,
    inside: Vec<(String, usize)>,
    /// By the first letter of their first word.
    phrases: HashMap<char, Vec<(Vec<String>, usize)>>,
}

/// The words, indexed.
#[derive(Debug, Default)]
pub(super) struct Table {
    wrappers: HashSet<String>,
    entries: Vec<Entry>,
    denied: Patterns,
    harmless: Patterns,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LanguageFile {
    #[serde(default)]
    wrappers: Vec<String>,
    harmless: Vec<String>,
    hard: Vec<Group>,
    soft: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    group: String,
    words: Vec<String>,
    #[serde(default)]
    phrases: Vec<String>,
}

impl Table {
    /// The table of these language files.
    pub(super) fn of(languages: &[(&str, &str)]) -> Result<Self, String> {
        let mut table = Self::default();
        for (language, text) in languages {
            let file: LanguageFile =
                toml::from_str(text).map_err(|error| format!("lexicon {language}: {error}"))?;
            table.wrappers.extend(file.wrappers.iter().map(|word| fold(word)));
            for word in &file.harmless {
                for spelling in spellings(word) {
                    table.harmless.add(&spelling, 0);
                }
            }
            for (severity, groups) in [(Severity::Hard, file.hard), (Severity::Soft, file.soft)] {
                for group in groups {
                    for word in group.words.iter().chain(&group.phrases) {
                        table.add_word(word, severity, &group.group);
                    }
                }
            }
        }
        Ok(table)
    }

    pub(super) fn wrappers(&self) -> &HashSet<String> {
        &self.wrappers
    }

    /// Adds one exact word or phrase, already in pieces.
    pub(super) fn add(&mut self, parts: &[String], severity: Severity, group: &str) {
        let entry = self.entry(&parts.join(" "), severity, group);
        match parts {
            [one] => self.denied.exact.entry(one.clone()).or_default().push(entry),
            several => self.denied.phrase(several.to_vec(), entry),
        }
    }

    fn add_word(&mut self, word: &str, severity: Severity, group: &str) {
        for spelling in spellings(word) {
            let entry = self.entry(spelling.trim_matches('*'), severity, group);
            self.denied.add(&spelling, entry);
        }
    }

    fn entry(&mut self, word: &str, severity: Severity, group: &str) -> usize {
        self.entries.push(Entry { word: word.to_owned(), severity, group: group.to_owned() });
        self.entries.len() - 1
    }

    /// Which of the pieces are excused as false friends.
    pub(super) fn excused(&self, tokens: &[String]) -> Vec<bool> {
        let mut excused: Vec<bool> = tokens
            .iter()
            .map(|token| forms(token).any(|form| self.harmless.find(form).next().is_some()))
            .collect();
        for (phrase, _) in self.harmless.phrases.values().flatten() {
            for start in 0..tokens.len().saturating_sub(phrase.len() - 1) {
                let window = start..start + phrase.len();
                if tokens.get(window.clone()).is_some_and(|window| same(window, phrase)) {
                    excused.iter_mut().take(window.end).skip(window.start).for_each(|flag| *flag = true);
                }
            }
        }
        excused
    }

    /// The gravest entry that matches the pieces.
    pub(super) fn gravest(&self, tokens: &[String], excused: &[bool]) -> Option<Finding> {
        let words = tokens
            .iter()
            .enumerate()
            .filter(|(i, _)| !excused.get(*i).copied().unwrap_or(false))
            .flat_map(|(_, token)| forms(token).flat_map(|form| self.denied.find(form)));
        let phrases = tokens.iter().enumerate().flat_map(|(i, token)| {
            forms(token).flat_map(move |form| self.denied.phrases_at(form)).filter(move |(phrase, _)| {
                tokens.get(i..i + phrase.len()).is_some_and(|window| same(window, phrase))
                    || is_joined(token, phrase)
            })
        });
        let found = words.chain(phrases.map(|(_, entry)| *entry)).filter_map(|entry| self.entries.get(entry));
        found.max_by_key(|entry| (entry.severity, entry.word.len())).map(|entry| Finding {
            severity: entry.severity,
            word: entry.word.clone(),
            group: entry.group.clone(),
        })
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (&str, Severity)> {
        self.entries.iter().map(|entry| (entry.group.as_str(), entry.severity))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (String, Severity)> {
        self.entries.iter().map(|entry| (entry.word.clone(), entry.severity))
    }
}

impl Patterns {
    fn add(&mut self, word: &str, entry: usize) {
        let bare = fold(word.trim_matches('*'));
        match (word.starts_with('*'), word.ends_with('*')) {
            (true, true) => {
                self.suffixed(&bare, entry);
                self.inside.push((bare, entry));
            }
            (true, false) => {
                self.suffixed(&bare, entry);
            }
            (false, true) => {
                let without_s = singular(&bare);
                if without_s != bare {
                    // The piece has lost its s, too: `bonus`.
                    self.exact.entry(without_s).or_default().push(entry);
                }
                let first = bare.chars().next().unwrap_or_default();
                self.prefix.entry(first).or_default().push((bare, entry));
            }
            (false, false) => {
                let parts: Vec<String> = split(&bare).iter().map(|part| singular(part)).collect();
                match parts.as_slice() {
                    [one] => self.exact.entry(one.clone()).or_default().push(entry),
                    _ => self.phrase(parts, entry),
                }
            }
        }
    }

    fn phrase(&mut self, words: Vec<String>, entry: usize) {
        let first = words.first().and_then(|word| word.chars().next()).unwrap_or_default();
        self.phrases.entry(first).or_default().push((words, entry));
    }

    fn phrases_at(&self, token: &str) -> impl Iterator<Item = &(Vec<String>, usize)> {
        let first = token.chars().next().unwrap_or_default();
        self.phrases.get(&first).into_iter().flatten()
    }

    fn suffixed(&mut self, bare: &str, entry: usize) {
        let bare = singular(bare);
        let last = bare.chars().next_back().unwrap_or_default();
        self.suffix.entry(last).or_default().push((bare, entry));
    }

    fn find<'a>(&'a self, token: &'a str) -> impl Iterator<Item = usize> + 'a {
        let first = token.chars().next().and_then(|letter| self.prefix.get(&letter));
        let last = token.chars().next_back().and_then(|letter| self.suffix.get(&letter));
        let exact = self.exact.get(token).into_iter().flatten().copied();
        let prefix = first.into_iter().flatten().filter(move |(word, _)| token.starts_with(word.as_str()));
        let suffix = last.into_iter().flatten().filter(move |(word, _)| token.ends_with(word.as_str()));
        let inside = self.inside.iter().filter(move |(word, _)| token.contains(word.as_str()));
        exact.chain(prefix.chain(suffix).chain(inside).map(|(_, entry)| *entry))
    }
}

/// The word itself, without umlauts, and in Latin letters.
fn spellings(word: &str) -> Vec<String> {
    let mut spellings = vec![word.to_lowercase(), without_umlauts(&word.to_lowercase())];
    let letters = word.chars().filter(|letter| letter.is_alphabetic()).count();
    if letters >= TRANSLITERATED_LETTERS_MIN {
        spellings.extend(transliterations(&word.to_lowercase()));
    }
    spellings.sort_unstable();
    spellings.dedup();
    spellings
}

fn forms(token: &str) -> impl Iterator<Item = &str> {
    std::iter::once(token).chain(other_forms(token))
}

fn same(window: &[String], phrase: &[String]) -> bool {
    window.len() == phrase.len()
        && window.iter().zip(phrase).all(|(token, word)| forms(token).any(|form| form == word))
}

/// All words of a phrase written as one; each may have kept its plural s: `salesorder`.
fn is_joined(token: &str, phrase: &[String]) -> bool {
    let Some((first, others)) = phrase.split_first() else { return token.is_empty() };
    token.strip_prefix(first.as_str()).is_some_and(|rest| {
        is_joined(rest, others) || rest.strip_prefix('s').is_some_and(|rest| is_joined(rest, others))
    })
}
