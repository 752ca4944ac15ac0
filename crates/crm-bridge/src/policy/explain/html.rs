//! The explanation as one page to print and sign. No script, nothing from elsewhere, every text escaped.

use std::fmt::Write as _;

use super::words::{Words, words};
use super::{Explanation, FieldView};
use crate::policy::Language;

pub(crate) const STYLE: &str = include_str!("page.css");

/// The page, in the language of its reader.
#[must_use]
pub fn html(explanation: &Explanation, language: Language) -> String {
    let words = words(language);
    let title = format!("{} {} № {}", words.title, explanation.policy.name, explanation.policy.number);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n",
        words.language,
        escaped(&title)
    );
    head(&mut page, explanation, words);
    who_sees_what(&mut page, explanation, words);
    risks(&mut page, explanation, words);
    held_back(&mut page, explanation, words);
    signatures(&mut page, explanation, words);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

// Writing to a String cannot fail, here and below.
fn head(page: &mut String, explanation: &Explanation, words: &Words) {
    let policy = &explanation.policy;
    let _ = writeln!(page, "<header>\n<h1>{}</h1>\n<p>{}</p>\n<dl>", words.title, words.lead);
    let crm = format!("{} ({})", explanation.crm.title, explanation.crm.verified);
    let number = policy.number.to_string();
    for (term, text) in [
        (words.name, policy.name.as_str()),
        (words.number, number.as_str()),
        (words.owner, policy.owner.as_str()),
        (words.crm, crm.as_str()),
        (words.made_on, explanation.made_on.as_str()),
    ] {
        let _ = writeln!(page, "<div><dt>{term}</dt><dd>{}</dd></div>", escaped(text));
    }
    let profile = format!("{} ({})", words.profile_hash_means, explanation.crm.profile);
    for (term, hash) in [(words.hash_means, &policy.sha256), (profile.as_str(), &explanation.crm.sha256)] {
        let (term, hash) = (escaped(term), escaped(hash));
        let _ = writeln!(page, "<div class=\"hash\"><dt>{term}</dt><dd><code>{hash}</code></dd></div>");
    }
    page.push_str("</dl>\n</header>\n");
}

fn who_sees_what(page: &mut String, explanation: &Explanation, words: &Words) {
    let _ = writeln!(
        page,
        "<section>\n<h2>{}</h2>\n<table>\n<thead><tr><th scope=\"col\">{}</th><th scope=\"col\">{}</th>",
        words.who_sees_what, words.field, words.accepted_form
    );
    for role in &explanation.roles {
        let _ = writeln!(page, "<th scope=\"col\">{}</th>", translated(words.roles, role));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for field in &explanation.fields {
        row(page, explanation, field, words);
    }
    page.push_str("</tbody>\n</table>\n<ul>\n");
    for rule in words.rules {
        let _ = writeln!(page, "<li>{rule}</li>");
    }
    page.push_str("</ul>\n</section>\n");
}

fn row(page: &mut String, explanation: &Explanation, field: &FieldView, words: &Words) {
    let label = field.labels.get(words.language).map_or("", String::as_str);
    let places = if field.comes_from.is_empty() {
        words.not_in_crm.to_owned()
    } else {
        let separator = format!("</code>, {} <code>", words.or_else);
        let places: Vec<String> = field.comes_from.iter().map(|place| escaped(place)).collect();
        format!("<code>{}</code>", places.join(&separator))
    };
    let _ = writeln!(
        page,
        "<tr><th scope=\"row\">{}<small><code>{}</code></small><small>{}: {places}</small></th><td>{}</td>",
        escaped(label),
        escaped(&field.key),
        words.comes_from,
        form(field, words)
    );
    for role in &explanation.roles {
        let view = field.views.get(role).copied().unwrap_or("hidden");
        let cell = match view {
            "shown" => format!("<b>{}</b>", words.shown),
            "hidden" => words.hidden.to_owned(),
            _ => {
                format!("{}<small>{}</small>", words.masked, mask(field, view == "masked_revealable", words))
            }
        };
        let _ = writeln!(page, "<td class=\"{view}\">{cell}</td>");
    }
    page.push_str("</tr>\n");
}

fn form(field: &FieldView, words: &Words) -> String {
    let kind = translated(words.kinds, field.kind);
    match field.chars_max {
        Some(chars_max) => {
            format!("{kind}<small>{}</small>", words.chars.replace("{}", &chars_max.to_string()))
        }
        None if field.values.is_empty() => kind.to_owned(),
        None => format!("{}<small>{}</small>", words.one_of, escaped(&field.values.join(", "))),
    }
}

fn mask(field: &FieldView, on_request: bool, words: &Words) -> String {
    let kept = match field.mask_keeps.as_deref() {
        Some("domain") => words.keeps_domain.to_owned(),
        Some("last 0") | None => words.keeps_nothing.to_owned(),
        Some(last) => format!("{} {}", words.keeps_last, last.trim_start_matches("last ")),
    };
    if on_request { format!("{kept}; {}", words.on_request) } else { kept }
}

fn risks(page: &mut String, explanation: &Explanation, words: &Words) {
    let _ = writeln!(page, "<section>\n<h2>{}</h2>", words.risks);
    if explanation.accepted_risks.is_empty() {
        let _ = writeln!(page, "<p>{}</p>\n</section>", words.no_risks);
        return;
    }
    page.push_str("<dl>\n");
    for risk in &explanation.accepted_risks {
        let _ = writeln!(
            page,
            "<div><dt><code>{}</code></dt><dd>{}</dd></div>",
            escaped(&risk.field),
            escaped(&risk.reason)
        );
    }
    page.push_str("</dl>\n</section>\n");
}

fn held_back(page: &mut String, explanation: &Explanation, words: &Words) {
    let held_back = &explanation.held_back;
    let groups = |groups: &[String]| {
        groups.iter().map(|group| escaped(translated(words.groups, group))).collect::<Vec<_>>().join("; ")
    };
    let _ = writeln!(
        page,
        "<section>\n<h2>{}</h2>\n<dl>\n<div><dt>{}</dt><dd>{}</dd></div>\n<div><dt>{}</dt><dd>{}</dd></div>",
        words.held_back,
        words.never,
        groups(&held_back.never),
        words.only_with_reason,
        groups(&held_back.only_with_reason)
    );
    let closed: Vec<String> = held_back
        .crm_paths
        .iter()
        .chain(&held_back.crm_words)
        .map(|name| format!("<code>{}</code>", escaped(name)))
        .collect();
    if !closed.is_empty() {
        let _ = writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", words.crm_closes, closed.join(", "));
    }
    let _ = writeln!(page, "</dl>\n<p>{} {}</p>\n</section>", held_back.lexicon_entries, words.lexicon);
}

fn signatures(page: &mut String, explanation: &Explanation, words: &Words) {
    if !explanation.approvals.is_empty() {
        let _ = writeln!(page, "<section>\n<h2>{}</h2>\n<ul>", words.approvals);
        for approved in &explanation.approvals {
            let (by, key, at) = (escaped(&approved.by), escaped(&approved.key), escaped(&approved.at));
            let _ = writeln!(page, "<li>{by}, {} <code>{key}</code>, {at}</li>", words.with_key);
        }
        page.push_str("</ul>\n</section>\n");
    }
    let _ = writeln!(page, "<section class=\"signatures\">\n<h2>{}</h2>", words.signatures);
    for person in [words.data_owner, words.second_person] {
        let _ =
            writeln!(page, "<div class=\"signature\"><span>{}</span><span>{person}</span></div>", words.date);
    }
    page.push_str("</section>\n");
}

fn translated<'a>(list: &[(&str, &'a str)], word: &'a str) -> &'a str {
    list.iter().find(|(known, _)| *known == word).map_or(word, |(_, translation)| translation)
}

pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
