//! What must be found and what must pass, language by language: the names stand in `cases.toml`.

use serde::Deserialize;

use super::*;

fn judge(name: &str) -> Option<Finding> {
    Lexicon::with(&[]).unwrap().judge(name)
}

fn severity(name: &str) -> Option<Severity> {
    judge(name).map(|finding| finding.severity)
}

fn all_hard(names: &[&str]) {
    let missed: Vec<_> = names.iter().filter(|name| severity(name) != Some(Severity::Hard)).collect();
    assert!(missed.is_empty(), "not refused: {missed:?}");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    refused: Vec<String>,
    noticed: Vec<String>,
    harmless: Vec<String>,
}

fn judges(language: &str) {
    let mut all: std::collections::BTreeMap<String, Cases> =
        toml::from_str(include_str!("cases.toml")).unwrap();
    let cases = all.remove(language).unwrap();
    assert!(cases.refused.len() >= 15 && cases.noticed.len() >= 10 && cases.harmless.len() >= 15);
    let of = |list: &[String], wrong: fn(Option<Severity>) -> bool| -> Vec<String> {
        list.iter().filter(|name| wrong(severity(name))).cloned().collect()
    };
    let missed = of(&cases.refused, |found| found != Some(Severity::Hard));
    assert!(missed.is_empty(), "not refused: {missed:?}");
    let missed = of(&cases.noticed, |found| found.is_none());
    assert!(missed.is_empty(), "not noticed: {missed:?}");
    let caught: Vec<_> =
        cases.harmless.iter().filter_map(|name| judge(name).map(|found| (name, found))).collect();
    assert!(caught.is_empty(), "false alarms: {caught:?}");
}

#[test]
fn english_names_and_those_of_crms_are_judged() {
    judges("en");
    assert_eq!(severity("description"), Some(Severity::Soft));
    assert_eq!(severity("assigned_user"), Some(Severity::Soft));
}

#[test]
fn russian_names_are_judged_in_both_alphabets() {
    judges("ru");
}

#[test]
fn german_names_are_judged_with_their_compounds() {
    judges("de");
}

#[test]
fn french_names_are_judged() {
    judges("fr");
}

#[test]
fn spanish_names_are_judged() {
    judges("es");
}

#[test]
fn indonesian_names_are_judged_with_their_affixes() {
    judges("id");
}

#[test]
fn finnish_names_are_judged_with_cases_and_compounds() {
    judges("fi");
}

#[test]
fn hebrew_names_are_judged_with_points_prefixes_and_marks_of_direction() {
    judges("he");
}

#[test]
fn a_disguise_does_not_help() {
    all_hard(&[
        "cre\u{200b}dit",
        "iba\u{ad}n",
        "ｉｂａｎ",
        "сredit_limit",
        "deаl",
        "cr\u{e9}dit",
        "cre\u{301}dit",
        "I B A N iban",
        "IBAN\u{202e}",
    ]);
}

#[test]
fn every_entry_of_every_language_is_found_as_a_name_and_inside_a_path() {
    let lexicon = Lexicon::with(&["kulanz".to_owned()]).unwrap();
    let mut count = 0;
    for (word, severity) in lexicon.entries() {
        count += 1;
        for name in [word.clone(), word.replace(' ', "_"), format!("person.{}", word.replace(' ', ""))] {
            let found = lexicon.judge(&name);
            assert!(found.as_ref().is_some_and(|found| found.severity >= severity), "{name}: {found:?}");
        }
    }
    assert!(count > 1_000, "{count}");
}

#[test]
fn a_profile_adds_its_own_names_and_no_false_friend_excuses_them() {
    let lexicon =
        Lexicon::with(&["trust level".to_owned(), "kulanz".to_owned(), "summary".to_owned()]).unwrap();
    assert_eq!(lexicon.judge("x_trust_level").unwrap().severity, Severity::Hard);
    assert_eq!(lexicon.judge("kulanz").unwrap().group, "named by the connector profile");
    assert!(lexicon.judge("summary").is_some());
    assert!(Lexicon::with(&["five are too many words".to_owned()]).is_err());
}
