//! The explanation as text for a terminal.

use std::fmt::Write as _;

use super::{Explanation, FieldView};

/// Who sees what, where it comes from, under which risks, and what it means that something is not listed.
#[must_use]
pub fn text(explanation: &Explanation) -> String {
    let policy = &explanation.policy;
    let mut text = format!(
        "Field policy \"{}\", number {}, answered for by {}\nsha256 {}\nwith the profile {}, sha256 {}\n\n",
        policy.name,
        policy.number,
        policy.owner,
        policy.sha256,
        explanation.crm.profile,
        explanation.crm.sha256
    );
    let mut rows: Vec<Vec<String>> = vec![header(explanation)];
    rows.extend(explanation.fields.iter().map(|field| row(explanation, field)));
    text.push_str(&table(&rows));
    text.push_str(
        "\nmask(n): the last n characters are readable; mask(@): the domain is; reveal: the whole value on request, on the record.\n\
         A value that does not fit its type, or looks like money, an account or a key, is withheld from everybody.\n\
         Administrators see no card. Everything that is not listed here stays in the CRM.\n",
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\nWhere it comes from in {}", explanation.crm.title);
    for field in &explanation.fields {
        let places = if field.comes_from.is_empty() {
            "not in this CRM".to_owned()
        } else {
            field.comes_from.join(", else ")
        };
        let _ = writeln!(text, "  {}: {places}", field.key);
    }
    if !explanation.accepted_risks.is_empty() {
        text.push_str("\nAccepted risks\n");
    }
    for risk in &explanation.accepted_risks {
        let _ = writeln!(text, "  {}: {}", risk.field, risk.reason);
    }
    let held_back = &explanation.held_back;
    let _ = writeln!(
        text,
        "\nHeld back by {} entries of the deny lexicon\n  never: {}\n  only with a reason: {}",
        held_back.lexicon_entries,
        held_back.never.join("; "),
        held_back.only_with_reason.join("; ")
    );
    if !held_back.crm_paths.is_empty() || !held_back.crm_words.is_empty() {
        let names: Vec<&str> =
            held_back.crm_paths.iter().chain(&held_back.crm_words).map(String::as_str).collect();
        let _ = writeln!(text, "  never in {}: {}", explanation.crm.title, names.join(", "));
    }
    for approved in &explanation.approvals {
        let _ = writeln!(text, "\nApproved by {} with key {} at {}", approved.by, approved.key, approved.at);
    }
    text
}

fn header(explanation: &Explanation) -> Vec<String> {
    ["field", "type"].into_iter().chain(explanation.roles.iter().copied()).map(str::to_owned).collect()
}

fn row(explanation: &Explanation, field: &FieldView) -> Vec<String> {
    let kind = match field.chars_max {
        Some(chars_max) => format!("text, {chars_max} characters"),
        None if !field.values.is_empty() => format!("one of {}", field.values.join(", ")),
        None => field.kind.to_owned(),
    };
    let kept = match field.mask_keeps.as_deref() {
        Some("domain") => "@",
        Some(last) => last.trim_start_matches("last "),
        None => "0",
    };
    let views = explanation.roles.iter().map(|role| match field.views.get(role).copied() {
        Some("shown") => "shown".to_owned(),
        Some("masked") => format!("mask({kept})"),
        Some("masked_revealable") => format!("mask({kept}), reveal"),
        _ => "-".to_owned(),
    });
    [field.key.clone(), kind].into_iter().chain(views).collect()
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
