//! `policy explain`: the policy as a table that a data owner can sign.

use std::fmt::Write as _;

use super::view::{Access, access};
use super::{Field, FieldKind, Policy, Role};

/// The policy as text: who sees what, under which risks, and what it means that something is not listed.
#[must_use]
pub fn text(policy: &Policy) -> String {
    let mut rows: Vec<Vec<String>> = vec![header()];
    rows.extend(policy.fields.iter().map(row));
    let mut text = format!(
        "Field policy \"{}\", number {}, answered for by {}\nsha256 {}\n\n",
        policy.name,
        policy.number,
        policy.owner,
        policy.hash()
    );
    text.push_str(&table(&rows));
    text.push_str(
        "\nmask(n): the last n characters are readable; reveal: the whole value on request, on the record.\n",
    );
    text.push_str(
        "A value that does not fit its type is withheld from everybody. Administrators see no card.\n",
    );
    text.push_str("Everything that is not listed here stays in the CRM.\n");
    let accepted: Vec<&Field> = policy.fields.iter().filter(|field| field.accept_risk.is_some()).collect();
    if !accepted.is_empty() {
        text.push_str("\nAccepted risks\n");
    }
    for field in accepted {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}: {}", field.key, field.accept_risk.as_deref().unwrap_or_default());
    }
    text
}

fn header() -> Vec<String> {
    let roles = Role::ALL.into_iter().map(|role| role.as_str().to_owned());
    ["field".to_owned(), "type".to_owned()].into_iter().chain(roles).collect()
}

fn row(field: &Field) -> Vec<String> {
    let kind = match &field.kind {
        FieldKind::Text { chars_max } => format!("text, {chars_max} characters"),
        FieldKind::Enum { values } => format!("one of {}", values.join(", ")),
        other => other.as_str().to_owned(),
    };
    let roles = Role::ALL.into_iter().map(|role| match access(field, role) {
        Access::Shown => "shown".to_owned(),
        Access::Hidden => "-".to_owned(),
        Access::Masked { reveal } => {
            let keep_last = field.mask.as_ref().map_or(0, |mask| mask.keep_last);
            if reveal { format!("mask({keep_last}), reveal") } else { format!("mask({keep_last})") }
        }
    });
    [field.key.clone(), kind].into_iter().chain(roles).collect()
}

/// Columns as wide as their widest cell.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let chars = |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> =
        (0..columns).map(|column| rows.iter().map(|row| chars(row, column)).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::load::load;

    #[test]
    fn the_example_policy_explains_itself() {
        let policy = load(include_str!("../../../../config/field-policy.toml")).unwrap();
        insta::assert_snapshot!(text(&policy));
    }
}
