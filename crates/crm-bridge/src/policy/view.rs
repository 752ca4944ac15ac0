//! Wall 4, *who*, the pure part: one role's view of typed values. The grant that names the role is checked in `app`.

use bridge_contract::{CardField, DateText, FieldKey, FieldValue, Label, Line, Mask as MaskText};

use super::value::{Reading, TypedValue};
use super::{Field, Language, Policy, Role};
use crate::walls::Walls;

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
        let access = if walls.who_stands() { access(field, role) } else { Access::Shown };
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
    if walls.who_stands() && !allowed {
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
    let keep_last = field.mask.as_ref().map_or(0, |mask| usize::from(mask.keep_last));
    let mask = value.text().map_or_else(|| BULLETS.to_owned(), |text| mask_text(text, keep_last));
    MaskText::new(mask).map_or(FieldValue::Withheld {}, |mask| FieldValue::Masked { mask, revealable })
}

/// Bullets and the last characters. Of a short text nothing is kept: the end of `Li` is `Li`.
fn mask_text(text: &str, keep_last: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if keep_last == 0 || letters.len() < keep_last * 2 + 2 {
        return BULLETS.to_owned();
    }
    let end = letters.iter().skip(letters.len() - keep_last);
    // An accent without its letter would sit on the bullet.
    let end: String = end.skip_while(|letter| is_combining(**letter)).collect();
    format!("{BULLETS}{end}")
}

fn is_combining(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
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
    fn a_mask_keeps_whole_characters_and_does_not_tell_the_length() {
        assert_eq!(mask_text("+78465550141", 2), "••••••41");
        assert_eq!(mask_text("Müller-Lüdenscheidt", 3), "••••••idt");
        assert_eq!(mask_text("Сорин Илья", 2), "••••••ья");
        assert_eq!(mask_text("Li", 2), BULLETS);
        assert_eq!(mask_text("12345", 2), BULLETS);
        assert_eq!(mask_text("abcdefe\u{301}", 1), BULLETS, "an accent alone is not kept");
    }
}
