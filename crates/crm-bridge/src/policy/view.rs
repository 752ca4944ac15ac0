//! Wall 4, *who*, the pure part: one role's view of typed values. The grant that names the role is checked in `app`.

use bridge_contract::{CardField, DateText, FieldKey, FieldValue, Label, Line, Mask as MaskText};

use super::value::{Reading, TypedValue};
use super::{Field, Keep, Language, Policy, Role};
use crate::walls::{Wall, Walls};
use unicode_segmentation::UnicodeSegmentation;

/// The contract's masks have 64 characters.
const DOMAIN_BYTES_MAX: usize = 58;
/// Bullets of a mask. Always as many, so that the mask does not tell the length.
const BULLETS: &str = "••••••";

/// What a role may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// See the value.
    Shown,
    /// See the mask and, if so, ask for the value.
    Masked {
        /// Whether the value may be asked for.
        reveal: bool,
    },
    /// Not know of it.
    Hidden,
}

/// What a role may do with a field.
#[must_use]
pub fn access(field: &Field, role: Role) -> Access {
    if field.show.contains(&role) {
        return Access::Shown;
    }
    match &field.mask {
        Some(mask) if mask.roles.contains(&role) => Access::Masked { reveal: mask.reveal },
        _ => Access::Hidden,
    }
}

/// The card fields of one role, in the policy's order. `readings` go by the position of the field in the policy.
#[must_use]
pub fn project(policy: &Policy, role: Role, readings: &[(usize, Reading)], walls: Walls) -> Vec<CardField> {
    let fields = readings.iter().filter_map(|(position, reading)| {
        let field = policy.fields.get(*position)?;
        let access = if walls.stands(Wall::View) { access(field, role) } else { Access::Shown };
        let value = match (access, reading) {
            (Access::Hidden, _) => return None,
            (_, Reading::Absent) => FieldValue::Empty {},
            (_, Reading::Withheld(_)) => FieldValue::Withheld {},
            (Access::Shown, Reading::Value(value)) => shown(value),
            (Access::Masked { reveal }, Reading::Value(value)) => masked(field, value, reveal),
        };
        card_field(field, value, policy.language)
    });
    fields.collect()
}

/// One masked field in clear, if this role may have it. None says nothing of whether there is a value.
#[must_use]
pub fn reveal(
    policy: &Policy,
    role: Role,
    key: &str,
    readings: &[(usize, Reading)],
    walls: Walls,
) -> Option<CardField> {
    let position = policy.fields.iter().position(|field| field.key == key)?;
    let field = policy.fields.get(position)?;
    let allowed = matches!(access(field, role), Access::Shown | Access::Masked { reveal: true });
    if walls.stands(Wall::View) && !allowed {
        return None;
    }
    let (_, reading) = readings.iter().find(|(known, _)| *known == position)?;
    match reading {
        Reading::Value(value) => card_field(field, shown(value), policy.language),
        Reading::Withheld(_) => card_field(field, FieldValue::Withheld {}, policy.language),
        Reading::Absent => card_field(field, FieldValue::Empty {}, policy.language),
    }
}

fn card_field(field: &Field, value: FieldValue, language: Language) -> Option<CardField> {
    let key = FieldKey::new(field.key.as_str()).ok()?;
    let label = Label::new(field.caption(language)).ok()?;
    Some(CardField { key, label, value })
}

/// The value as the contract carries it; what the contract has no room for is withheld, not cut.
fn shown(value: &TypedValue) -> FieldValue {
    let line = |text: &str| Line::new(text).ok();
    let fitted = match value {
        TypedValue::Text(text) => line(text).map(|value| FieldValue::Text { value }),
        TypedValue::Email(text) => line(text).map(|value| FieldValue::Email { value }),
        TypedValue::Phone(text) => line(text).map(|value| FieldValue::Phone { value }),
        TypedValue::Url(text) => line(text).map(|value| FieldValue::Url { value }),
        TypedValue::Enum(text) => line(text).map(|value| FieldValue::Enum { value }),
        TypedValue::Date(text) => DateText::new(text.as_str()).ok().map(|value| FieldValue::Date { value }),
        TypedValue::Flag(flag) => Some(FieldValue::Flag { value: *flag }),
    };
    fitted.unwrap_or(FieldValue::Withheld {})
}

fn masked(field: &Field, value: &TypedValue, revealable: bool) -> FieldValue {
    let keep = field.mask.as_ref().map_or(Keep::Last(0), |mask| mask.keep);
    let mask = value.text().map_or_else(|| BULLETS.to_owned(), |text| mask_text(text, keep));
    MaskText::new(mask).map_or(FieldValue::Withheld {}, |mask| FieldValue::Masked { mask, revealable })
}

/// Bullets and what stays readable.
fn mask_text(text: &str, keep: Keep) -> String {
    let kept = match keep {
        Keep::Last(count) => last_letters(text, usize::from(count)),
        Keep::Domain => {
            text.rfind('@').and_then(|at| text.get(at..)).filter(|domain| domain.len() <= DOMAIN_BYTES_MAX)
        }
    };
    format!("{BULLETS}{}", kept.unwrap_or_default())
}

/// The last letters as people count them: a letter with its accents, a family of emoji and a syllable of Devanagari are one
/// each (Unicode Standard Annex 29). Of a short text nothing is kept: the end of `Li` is `Li`.
fn last_letters(text: &str, count: usize) -> Option<&str> {
    let mut letters = text.grapheme_indices(true).rev();
    let (start, _) = letters.nth(count.checked_sub(1)?)?;
    (letters.count() >= count + 2).then(|| text.get(start..)).flatten()
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;
    use crate::policy::load::load;

    const POLICY: &str = r#"
        [policy]
        name = "t"
        number = 1
        owner = "t"
        [person.name]
        type = "text"
        chars_max = 40
        show = ["line1", "line2"]
        [person.phone]
        type = "phone"
        show = ["line2"]
        mask = { roles = ["line1"], keep_last = 2, reveal = true }
        [person.mobile]
        type = "phone"
        show = ["line3"]
        mask = { roles = ["line1"], keep_last = 2 }
    "#;

    fn readings() -> Vec<(usize, Reading)> {
        let text = |text: &str| Zeroizing::new(text.to_owned());
        vec![
            (0, Reading::Value(TypedValue::Text(text("Ilya Sorin")))),
            (1, Reading::Value(TypedValue::Phone(text("+78465550141")))),
            (2, Reading::Value(TypedValue::Phone(text("+79165552242")))),
        ]
    }

    fn view(role: Role) -> String {
        let fields = project(&load(POLICY).unwrap(), role, &readings(), Walls::standing());
        serde_json::to_value(fields).unwrap().to_string()
    }

    #[test]
    fn each_role_gets_its_own_view_and_knows_of_nothing_else() {
        let first = view(Role::Line1);
        assert!(
            first.contains("Ilya Sorin") && first.contains("••••••41") && first.contains("••••••42"),
            "{first}"
        );
        assert!(!first.contains("0141") && !first.contains("2242"), "{first}");
        let second = view(Role::Line2);
        assert!(second.contains("+78465550141") && !second.contains("mobile"), "{second}");
        assert_eq!(view(Role::Supervisor), "[]");
    }

    #[test]
    fn labels_are_in_the_language_of_the_policy_or_made_from_the_name() {
        let label = |language: &str, entry: &str| {
            let header = format!("[policy]\nname=\"t\"\nnumber=1\nowner=\"t\"\n{language}");
            let policy =
                load(&format!("{header}[person.job_title]\ntype=\"flag\"\nshow=[\"line1\"]\n{entry}"))
                    .unwrap();
            policy.fields[0].caption(policy.language)
        };
        let both = "label = { en = \"Position\", ru = \"Должность\" }\n";
        assert_eq!(label("", both), "Position");
        assert_eq!(label("language = \"ru\"\n", both), "Должность");
        assert_eq!(label("language = \"ru\"\n", "label = \"Position\"\n"), "Position");
        assert_eq!(label("", ""), "Job title");
    }

    #[test]
    fn only_what_may_be_revealed_is_revealed() {
        let policy = load(POLICY).unwrap();
        let reveal = |role, key: &str| reveal(&policy, role, key, &readings(), Walls::standing()).is_some();
        assert!(reveal(Role::Line1, "person.phone"));
        assert!(!reveal(Role::Line1, "person.mobile"), "masked for good");
        assert!(!reveal(Role::Supervisor, "person.phone"), "hidden");
        assert!(!reveal(Role::Line1, "person.iban"), "not listed");
    }

    #[test]
    fn a_mask_keeps_whole_letters_and_does_not_tell_the_length() {
        let last = |text: &str, count| mask_text(text, Keep::Last(count));
        assert_eq!(last("+78465550141", 2), "••••••41");
        assert_eq!(last("Müller-Lüdenscheidt", 3), "••••••idt");
        assert_eq!(last("Сорин Илья", 2), "••••••ья");
        assert_eq!(last("Li", 2), BULLETS);
        assert_eq!(last("12345", 2), BULLETS);
        assert_eq!(last("123456", 2), "••••••56");
        assert_eq!(last("", 2), BULLETS);
        assert_eq!(last("secret", 0), BULLETS);
        assert_eq!(last("abcdefe\u{301}", 1), "••••••e\u{301}", "an accent stays on its letter");
        assert_eq!(
            last("abcd\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", 1),
            "••••••\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}"
        );
        assert_eq!(
            last("abcde\u{1f1eb}\u{1f1ee}", 1),
            "••••••\u{1f1eb}\u{1f1ee}",
            "a flag is two code points"
        );
        assert_eq!(last("משה כהן לוי", 2), "••••••וי");
    }

    #[test]
    fn a_masked_mail_address_may_keep_its_domain() {
        assert_eq!(mask_text("anna@example.org", Keep::Domain), "••••••@example.org");
        assert_eq!(
            mask_text(&format!("anna@{}.org", "x".repeat(60)), Keep::Domain),
            BULLETS,
            "longer than a mask can be"
        );
        assert_eq!(mask_text("anna", Keep::Domain), BULLETS);
    }
}
