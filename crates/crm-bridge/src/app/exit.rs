//! The check at the door: what is about to leave is compared with the policy once more, by code that had no part in
//! making it. It believes neither parser nor types nor view; what it does not know to be right it withholds, counts and
//! logs, without the value. If it ever stops something, the bridge has a fault, and the fault has shown nothing.
//!
//! Cheap on purpose: one walk along the policy, no allocation for a field that is right.

use bridge_contract::{CardField, FieldValue, ViewerRole};
use unicode_segmentation::UnicodeSegmentation;

use super::Bridge;
use super::look::Wish;
use crate::connector::projection::Record;
use crate::policy::{Field, FieldKind, Keep, tripwire};
use crate::walls::Wall;

/// What every mask begins with.
const MASK_BEGINS: &str = "••••••";
const ADDRESS_CHARS_MAX: usize = 254;
const URL_CHARS_MAX: usize = 500;
/// `+` and 15 digits (ITU-T E.164).
const NUMBER_CHARS_MAX: usize = 16;
/// Of two spellings of one number so many digits at the end are the same.
const SAME_DIGITS: usize = 7;
const SAME_DIGITS_MIN: usize = 5;

/// What is done with a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    /// It is not in the policy, stands there twice or is not where it belongs: it goes.
    Unlisted,
    /// The role may not know of it: it goes.
    Hidden,
    /// The caption is not the policy's: the field goes.
    Label,
    /// The role may see the mask only: the value is withheld.
    Unmasked,
    /// The mask shows more than the policy keeps.
    Mask,
    /// Not a value of the field's type or size.
    Value,
    /// It looks like money, an account or a key.
    Shape,
}

impl Fault {
    fn as_str(self) -> &'static str {
        match self {
            Self::Unlisted => "unlisted",
            Self::Hidden => "hidden",
            Self::Label => "label",
            Self::Unmasked => "unmasked",
            Self::Mask => "mask",
            Self::Value => "value",
            Self::Shape => "shape",
        }
    }

    /// Whether nothing at all of the field may be told.
    fn takes_the_field(self) -> bool {
        matches!(self, Self::Unlisted | Self::Hidden | Self::Label)
    }
}

/// Leaves of these fields what the policy lists for the role.
pub(super) fn check(bridge: &Bridge, role: ViewerRole, wish: &Wish, fields: &mut Vec<CardField>) {
    if !bridge.walls.stands(Wall::Exit) {
        return;
    }
    let wanted = match wish {
        Wish::Card => None,
        Wish::Reveal(key) => Some(key.as_str()),
    };
    let mut rest = bridge.policy.fields.iter();
    fields.retain_mut(|shown| {
        // In the order of the policy, each once.
        let listed = rest.find(|field| field.key == shown.key.as_str());
        let listed = listed.filter(|field| wanted.is_none_or(|key| key == field.key));
        let fault = match listed {
            None => Some(Fault::Unlisted),
            Some(field) => fault_of(field, role, wanted.is_some(), shown),
        };
        let Some(fault) = fault else { return true };
        let name = listed.map_or("none of the policy's", |field| field.key.as_str());
        bridge.metrics.stopped_at_exit(name, fault.as_str());
        tracing::error!(
            card.field = name,
            exit.fault = fault.as_str(),
            "something that the policy does not list was stopped at the door; this is a fault of the bridge"
        );
        shown.value = FieldValue::Withheld {};
        !fault.takes_the_field()
    });
}

fn fault_of(field: &Field, role: ViewerRole, revealing: bool, shown: &CardField) -> Option<Fault> {
    let in_clear = field.show.contains(&role);
    let mask = field.mask.as_ref().filter(|mask| mask.roles.contains(&role));
    if !in_clear && mask.is_none() {
        return Some(Fault::Hidden);
    }
    if !is_caption(field, shown.label.as_str()) {
        return Some(Fault::Label);
    }
    match &shown.value {
        FieldValue::Withheld {} | FieldValue::Empty {} => None,
        FieldValue::Masked { mask: text, revealable } => {
            let Some(mask) = mask else { return Some(Fault::Mask) };
            let fits = text.as_str().strip_prefix(MASK_BEGINS).is_some_and(|end| keeps(mask.keep, end));
            (!fits || (*revealable && !mask.reveal)).then_some(Fault::Mask)
        }
        value => {
            let revealed = revealing && mask.is_some_and(|mask| mask.reveal);
            if in_clear || revealed { value_fault(&field.kind, value) } else { Some(Fault::Unmasked) }
        }
    }
}

/// The caption of the policy in one of its languages, else the name with blanks.
fn is_caption(field: &Field, label: &str) -> bool {
    match (&field.label.en, &field.label.ru) {
        (None, None) => {
            let letters = field.name.chars().map(|letter| if letter == '_' { ' ' } else { letter });
            letters.eq(label.chars().flat_map(char::to_lowercase))
        }
        (en, ru) => en.as_deref() == Some(label) || ru.as_deref() == Some(label),
    }
}

/// Whether the end of a mask has no more than is kept.
fn keeps(keep: Keep, end: &str) -> bool {
    match keep {
        Keep::Last(count) if end.is_ascii() => end.len() <= usize::from(count),
        Keep::Last(count) => end.graphemes(true).count() <= usize::from(count),
        Keep::Domain => end.is_empty() || (end.starts_with('@') && end.matches('@').count() == 1),
    }
}

fn value_fault(kind: &FieldKind, value: &FieldValue) -> Option<Fault> {
    let (fits, text) = match (kind, value) {
        (FieldKind::Text { chars_max }, FieldValue::Text { value }) => {
            (is_within(value.as_str(), usize::from(*chars_max)), value.as_str())
        }
        (FieldKind::Email, FieldValue::Email { value }) => {
            let text = value.as_str();
            (
                is_within(text, ADDRESS_CHARS_MAX) && text.matches('@').count() == 1 && !text.contains(' '),
                text,
            )
        }
        (FieldKind::Url, FieldValue::Url { value }) => {
            let text = value.as_str();
            let web = text.starts_with("https://") || text.starts_with("http://");
            (web && is_within(text, URL_CHARS_MAX), text)
        }
        (FieldKind::Phone, FieldValue::Phone { value }) => {
            let digits = value.as_str().strip_prefix('+').unwrap_or(value.as_str());
            let number =
                value.as_str().len() <= NUMBER_CHARS_MAX && digits.bytes().all(|byte| byte.is_ascii_digit());
            // Digits that are a telephone number are no sentence about money.
            return (!number).then_some(Fault::Value);
        }
        (FieldKind::Enum { values }, FieldValue::Enum { value }) => {
            return (!values.iter().any(|word| word == value.as_str())).then_some(Fault::Value);
        }
        (FieldKind::Date, FieldValue::Date { .. }) | (FieldKind::Flag, FieldValue::Flag { .. }) => {
            return None;
        }
        _ => return Some(Fault::Value),
    };
    if !fits {
        return Some(Fault::Value);
    }
    tripwire::scan(text).map(|_| Fault::Shape)
}

fn is_within(text: &str, chars_max: usize) -> bool {
    text.len() <= chars_max || text.chars().count() <= chars_max
}

/// Whether a record carries a mail address: the second look at who was found, letter by letter.
pub(super) fn has_email(bridge: &Bridge, record: &Record, wanted: &str) -> bool {
    let same = |known: &str| {
        known
            .trim()
            .chars()
            .flat_map(char::to_lowercase)
            .eq(wanted.trim().chars().flat_map(char::to_lowercase))
    };
    !bridge.walls.stands(Wall::Exit) || record.emails.iter().any(|known| same(known))
}

/// Whether a record carries a telephone number: its last digits are the same, however the number begins.
pub(super) fn has_phone(bridge: &Bridge, record: &Record, wanted: &str) -> bool {
    let same = |known: &str| {
        let (mut one, mut other) = (last_digits(known), last_digits(wanted));
        let mut alike = 0;
        loop {
            match (one.next(), other.next()) {
                (Some(one), Some(other)) if one != other => return false,
                (Some(_), Some(_)) => alike += 1,
                _ => return alike >= SAME_DIGITS_MIN,
            }
        }
    };
    !bridge.walls.stands(Wall::Exit) || record.phones.iter().any(|known| same(known))
}

fn last_digits(text: &str) -> impl Iterator<Item = char> {
    text.chars().rev().filter(char::is_ascii_digit).take(SAME_DIGITS)
}

#[cfg(test)]
mod tests {
    use bridge_contract::{DateText, FieldKey, Label, Line, Mask};

    use super::*;
    use crate::policy::load::load;

    const POLICY: &str = r#"
        [policy]
        name = "t"
        number = 1
        owner = "t"
        [person.full_name]
        type = "text"
        chars_max = 12
        show = ["line1"]
        [person.phone]
        type = "phone"
        label = { en = "Phone", ru = "Телефон" }
        show = ["line2"]
        mask = { roles = ["line1"], keep_last = 2, reveal = true }
        [person.email]
        type = "email"
        label = "Mail"
        show = ["line2"]
        mask = { roles = ["line1"], keep = "domain" }
        [person.plan]
        type = "enum"
        values = ["gold", "silver"]
        show = ["line1"]
    "#;

    fn line(text: &str) -> Line {
        Line::new(text).unwrap()
    }

    fn masked(text: &str, revealable: bool) -> FieldValue {
        FieldValue::Masked { mask: Mask::new(text).unwrap(), revealable }
    }

    fn fault(key: &str, label: &str, role: ViewerRole, revealing: bool, value: FieldValue) -> &'static str {
        let policy = load(POLICY).unwrap();
        let shown = CardField { key: FieldKey::new(key).unwrap(), label: Label::new(label).unwrap(), value };
        fault_of(policy.field(key).unwrap(), role, revealing, &shown).map_or("none", Fault::as_str)
    }

    #[test]
    fn what_the_policy_lists_for_the_role_passes_and_nothing_else() {
        use ViewerRole::{Line1, Line2, Line3};
        let name = |text: &str| FieldValue::Text { value: line(text) };
        assert_eq!(fault("person.full_name", "Full name", Line1, false, name("Ilya Sorin")), "none");
        assert_eq!(fault("person.full_name", "Full name", Line2, false, name("Ilya Sorin")), "hidden");
        assert_eq!(fault("person.full_name", "Ilya Sorin", Line1, false, name("Ilya")), "label");
        assert_eq!(fault("person.full_name", "Full name", Line1, false, name("Ilya Petrovich")), "value");
        assert_eq!(fault("person.full_name", "Full name", Line1, false, name("12 500 €")), "shape");
        let phone = |text: &str| FieldValue::Phone { value: line(text) };
        assert_eq!(fault("person.phone", "Телефон", Line2, false, phone("+79165552241")), "none");
        assert_eq!(fault("person.phone", "Phone", Line1, false, phone("+79165552241")), "unmasked");
        assert_eq!(fault("person.phone", "Phone", Line1, true, phone("+79165552241")), "none", "revealed");
        assert_eq!(fault("person.phone", "Phone", Line3, true, phone("+79165552241")), "hidden");
        assert_eq!(fault("person.phone", "Phone", Line2, false, phone("DE89370400440532013000")), "value");
        assert_eq!(fault("person.phone", "Phone", Line2, false, phone("4111111111111111123")), "value");
        let date = FieldValue::Date { value: DateText::new("2026-11-21").unwrap() };
        assert_eq!(fault("person.phone", "Phone", Line2, false, date), "value", "of another type");
        let plan = |text: &str| FieldValue::Enum { value: line(text) };
        assert_eq!(fault("person.plan", "Plan", Line1, false, plan("gold")), "none");
        assert_eq!(fault("person.plan", "Plan", Line1, false, plan("owes much")), "value");
    }

    #[test]
    fn what_is_right_costs_no_allocation() {
        let policy = load(POLICY).unwrap();
        let value = |field: &Field| match field.kind {
            FieldKind::Text { .. } => FieldValue::Text { value: line("Сорин Илья") },
            FieldKind::Enum { .. } => FieldValue::Enum { value: line("silver") },
            _ => masked(
                if field.name == "phone" { "••••••41" } else { "••••••@x.example" },
                field.name == "phone",
            ),
        };
        let card: Vec<(&Field, CardField)> = policy
            .fields
            .iter()
            .map(|field| {
                let key = FieldKey::new(field.key.as_str()).unwrap();
                (
                    field,
                    CardField {
                        key,
                        label: Label::new(field.caption(policy.language)).unwrap(),
                        value: value(field),
                    },
                )
            })
            .collect();
        let measured = allocation_counter::measure(|| {
            assert!(
                card.iter().all(|(field, shown)| fault_of(field, ViewerRole::Line1, false, shown).is_none())
            );
        });
        assert_eq!(measured.count_total, 0);
    }

    #[test]
    fn a_mask_shows_no_more_than_the_policy_keeps() {
        use ViewerRole::{Line1, Line2};
        assert_eq!(fault("person.phone", "Phone", Line1, false, masked("••••••41", true)), "none");
        assert_eq!(fault("person.phone", "Phone", Line1, false, masked("••••••241", true)), "mask");
        assert_eq!(fault("person.phone", "Phone", Line1, false, masked("+79165552241", true)), "mask");
        assert_eq!(fault("person.phone", "Phone", Line2, false, masked("••••••41", true)), "mask");
        assert_eq!(fault("person.email", "Mail", Line1, false, masked("••••••@x.example", false)), "none");
        assert_eq!(fault("person.email", "Mail", Line1, false, masked("••••••@x.example", true)), "mask");
        assert_eq!(
            fault("person.email", "Mail", Line1, false, masked("••••••anna@x.example", false)),
            "mask"
        );
    }
}
