//! What a change of the policy means, in sentences: for each role, what it sees more of and what less.

use std::fmt;

use serde::Serialize;

use super::view::{Access, access};
use super::{Field, FieldKind, Keep, Policy, Role};

/// Which way the window moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Somebody sees more.
    Widens,
    /// Somebody sees less.
    Narrows,
    /// Nobody sees more or less.
    Neutral,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which way.
    pub direction: Direction,
    /// What it means.
    pub sentence: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.direction {
            Direction::Widens => "widens ",
            Direction::Narrows => "narrows",
            Direction::Neutral => "       ",
        };
        write!(f, "{sign}  {}", self.sentence)
    }
}

/// All changes from one policy to another, what widens first.
#[must_use]
pub fn changes(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut found = Vec::new();
    for field in &new.fields {
        match old.field(&field.key) {
            Some(before) => compare(before, field, &mut found),
            None => listed(field, Direction::Widens, &mut found),
        }
    }
    for field in old.fields.iter().filter(|field| new.field(&field.key).is_none()) {
        listed(field, Direction::Narrows, &mut found);
    }
    let heads = [
        ("name", old.name.clone(), new.name.clone()),
        ("number", old.number.to_string(), new.number.to_string()),
        ("owner", old.owner.clone(), new.owner.clone()),
        ("language", old.language.as_str().to_owned(), new.language.as_str().to_owned()),
    ];
    for (what, before, after) in heads.into_iter().filter(|(_, before, after)| before != after) {
        neutral(&mut found, format!("the policy's {what} is now `{after}` (was `{before}`)"));
    }
    let order = |policy: &Policy, other: &Policy| -> Vec<String> {
        policy.fields.iter().map(|field| field.key.clone()).filter(|key| other.field(key).is_some()).collect()
    };
    if order(old, new) != order(new, old) {
        neutral(&mut found, "the fields stand in another order on the card".to_owned());
    }
    found.sort_by_key(|change| change.direction);
    found
}

/// Whether nobody sees more than before.
#[must_use]
pub fn only_narrows(changes: &[Change]) -> bool {
    changes.iter().all(|change| change.direction != Direction::Widens)
}

/// A field that came or went.
fn listed(field: &Field, direction: Direction, found: &mut Vec<Change>) {
    for role in Role::ALL {
        let (name, key) = (role.as_str(), &field.key);
        let sentence = match (view(field, role), direction) {
            (View::Hidden, _) => continue,
            (view, Direction::Widens) => format!("{name} now sees {key} {view} (was not listed)"),
            (view, _) => format!("{name} no longer sees {key} (was {view})"),
        };
        found.push(Change { direction, sentence });
    }
}

fn compare(before: &Field, after: &Field, found: &mut Vec<Change>) {
    let key = &after.key;
    for role in Role::ALL {
        let (old, new) = (view(before, role), view(after, role));
        let direction = match new.rank().cmp(&old.rank()) {
            std::cmp::Ordering::Equal if old == new => continue,
            // As much under another mask is something else that can be read.
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => Direction::Widens,
            std::cmp::Ordering::Less => Direction::Narrows,
        };
        let sentence = match (old, new) {
            (View::Hidden, new) => format!("{} now sees {key} {new} (did not see it)", role.as_str()),
            (old, View::Hidden) => format!("{} no longer sees {key} (was {old})", role.as_str()),
            (old, new) => format!("{} now sees {key} {new} (was {old})", role.as_str()),
        };
        found.push(Change { direction, sentence });
    }
    kinds(before, after, found);
    if before.label != after.label {
        neutral(found, format!("{key} has another label"));
    }
    if before.accept_risk != after.accept_risk {
        let reason = after
            .accept_risk
            .as_deref()
            .map_or_else(|| "is gone".to_owned(), |reason| format!("is now: {reason}"));
        neutral(found, format!("the accepted risk of {key} {reason}"));
    }
}

fn kinds(before: &Field, after: &Field, found: &mut Vec<Change>) {
    let key = &after.key;
    let mut change = |direction: Direction, sentence: String| found.push(Change { direction, sentence });
    match (&before.kind, &after.kind) {
        (old, new) if old == new => {}
        (FieldKind::Text { chars_max: old }, FieldKind::Text { chars_max: new }) => {
            let direction = if new > old { Direction::Widens } else { Direction::Narrows };
            change(direction, format!("{key} may now have {new} characters (was {old})"));
        }
        (FieldKind::Enum { values: old }, FieldKind::Enum { values: new }) => {
            for word in new.iter().filter(|word| !old.contains(word)) {
                change(Direction::Widens, format!("{key} may now be `{word}`"));
            }
            for word in old.iter().filter(|word| !new.contains(word)) {
                change(Direction::Narrows, format!("{key} may no longer be `{word}`"));
            }
            if old.len() == new.len() && new.iter().all(|word| old.contains(word)) {
                change(Direction::Neutral, format!("the words of {key} stand in another order"));
            }
        }
        // Any other type lets other values through, and nobody can say that they are fewer.
        (old, new) => {
            change(Direction::Widens, format!("{key} is now of type {} (was {})", new.as_str(), old.as_str()))
        }
    }
}

fn neutral(found: &mut Vec<Change>, sentence: String) {
    found.push(Change { direction: Direction::Neutral, sentence });
}

/// What one role sees of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Hidden,
    Masked { keep: Keep, reveal: bool },
    Shown,
}

impl View {
    /// More is more; two views of equal rank are the same or neither contains the other.
    fn rank(self) -> (u8, bool, u8) {
        match self {
            Self::Hidden => (0, false, 0),
            Self::Masked { keep, reveal } => {
                let kept = match keep {
                    Keep::Last(count) => count,
                    Keep::Domain => u8::MAX,
                };
                (1, reveal, kept)
            }
            Self::Shown => (2, false, 0),
        }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hidden => f.write_str("not at all"),
            Self::Shown => f.write_str("in clear"),
            Self::Masked { keep, reveal } => {
                let on_request = if *reveal { ", in clear on request" } else { "" };
                match keep {
                    Keep::Domain => write!(f, "masked but for the domain{on_request}"),
                    Keep::Last(0) => write!(f, "masked{on_request}"),
                    Keep::Last(count) => write!(f, "masked but for the last {count}{on_request}"),
                }
            }
        }
    }
}

fn view(field: &Field, role: Role) -> View {
    match (access(field, role), &field.mask) {
        (Access::Shown, _) => View::Shown,
        (Access::Masked { reveal }, Some(mask)) => View::Masked { keep: mask.keep, reveal },
        _ => View::Hidden,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load::load;

    const OLD: &str = "[person.mobile]\ntype=\"phone\"\nshow=[\"line3\"]\nmask={roles=[\"line1\",\"line2\"],keep_last=2,reveal=true}\n\
                       [person.name]\ntype=\"text\"\nchars_max=80\nshow=[\"line1\"]\n";

    fn diff(old: &str, new: &str) -> Vec<String> {
        let policy = |entries: &str, number: u32| {
            load(&format!("[policy]\nname=\"t\"\nnumber={number}\nowner=\"t\"\n{entries}")).unwrap()
        };
        changes(&policy(old, 1), &policy(new, 1)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_policy_that_is_the_same_changes_nothing() {
        assert!(diff(OLD, OLD).is_empty());
    }

    #[test]
    fn each_role_is_told_what_it_sees_more_and_less_of() {
        let new = OLD
            .replace("show=[\"line3\"]", "show=[\"line1\"]")
            .replace("roles=[\"line1\",\"line2\"]", "roles=[\"line2\"]");
        assert_eq!(
            diff(OLD, &new),
            [
                "widens   line1 now sees person.mobile in clear (was masked but for the last 2, in clear on request)",
                "narrows  line3 no longer sees person.mobile (was in clear)",
            ]
        );
    }

    #[test]
    fn a_new_field_widens_and_a_field_less_narrows() {
        let city = format!("{OLD}[person.city]\ntype=\"text\"\nchars_max=60\nshow=[\"line2\"]\n");
        assert_eq!(diff(OLD, &city), ["widens   line2 now sees person.city in clear (was not listed)"]);
        assert_eq!(diff(&city, OLD), ["narrows  line2 no longer sees person.city (was in clear)"]);
    }

    #[test]
    fn longer_texts_more_words_another_type_a_longer_end_and_a_way_to_reveal_widen() {
        let case = |from: &str, to: &str| diff(OLD, &OLD.replace(from, to));
        assert_eq!(
            case("chars_max=80", "chars_max=81"),
            ["widens   person.name may now have 81 characters (was 80)"]
        );
        assert_eq!(
            case("chars_max=80", "chars_max=79"),
            ["narrows  person.name may now have 79 characters (was 80)"]
        );
        assert!(case("keep_last=2", "keep_last=3")[0].starts_with("widens   line1"));
        assert!(case("keep_last=2", "keep_last=1")[0].starts_with("narrows  line1"));
        assert!(case(",reveal=true", "")[0].starts_with("narrows  line1"));
        assert!(
            case("type=\"phone\"", "type=\"date\"")[0]
                .starts_with("widens   person.mobile is now of type date")
        );
        let level =
            |words: &str| format!("[person.level]\ntype=\"enum\"\nvalues=[{words}]\nshow=[\"line1\"]\n");
        assert_eq!(diff(&level("\"a\",\"b\""), &level("\"a\",\"c\"")).len(), 2);
        assert!(diff(&level("\"a\",\"b\""), &level("\"b\",\"a\""))[0].contains("another order"));
    }

    #[test]
    fn a_mask_of_another_kind_counts_as_widening_even_where_less_can_be_read() {
        let mail = |keep: &str| {
            format!("[person.email]\ntype=\"email\"\nshow=[]\nmask={{roles=[\"line1\"],{keep}}}\n")
        };
        assert!(diff(&mail("keep_last=4"), &mail("keep=\"domain\""))[0].starts_with("widens"));
    }

    #[test]
    fn labels_reasons_and_order_move_nothing() {
        let labelled = OLD.replace("type=\"phone\"", "type=\"phone\"\nlabel=\"Cell\"");
        assert_eq!(diff(OLD, &labelled), ["         person.mobile has another label"]);
        let parts: Vec<&str> = OLD.split_inclusive("reveal=true}\n").collect();
        assert!(diff(OLD, &format!("{}{}", parts[1], parts[0]))[0].contains("another order"));
    }
}
