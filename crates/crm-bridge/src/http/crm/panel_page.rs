//! The panel as text: no script, no link, no cookie. It looks like the operator window, with the same tokens.

use std::fmt::Write as _;
use std::sync::LazyLock;

use jiff::tz::TimeZone;
use service_kit::Timestamp;

use crate::app::crm_api::wire::TicketView;

const TOKENS: &str = include_str!("../../../../operator-ui/web/src/styles/tokens.css");
const OWN: &str = include_str!("panel.css");
const DARK: &str = "[data-theme=\"dark\"] {";

/// The style: the operator window's tokens, the dark ones also where only the browser says so.
pub(super) fn style() -> &'static str {
    static STYLE: LazyLock<String> = LazyLock::new(|| {
        let dark = TOKENS.split_once(DARK).and_then(|(_, rest)| rest.split_once('}'));
        let dark = dark.map_or("", |(declarations, _)| declarations);
        format!(
            "{TOKENS}\n@media (prefers-color-scheme: dark) {{\n:root:not([data-theme]) {{{dark}}}\n}}\n{OWN}"
        )
    });
    &STYLE
}

/// A language of the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Russian,
}

impl Language {
    /// The first of the reader's languages that is ours; English if none is. Browsers list them best first.
    pub(super) fn best(accept_language: &str) -> Self {
        let ranges = accept_language.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        let ours = ranges.filter_map(|range| match range.split('-').next() {
            Some("en") => Some(Self::English),
            Some("ru") => Some(Self::Russian),
            _ => None,
        });
        ours.into_iter().next().unwrap_or(Self::English)
    }

    /// As it stands in `lang`.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }

    fn say(self, key: &str) -> &'static str {
        let found = TEXTS.iter().find(|(name, ..)| *name == key);
        match (found, self) {
            (Some((_, english, _)), Self::English) => english,
            (Some((_, _, russian)), Self::Russian) => russian,
            (None, _) => "",
        }
    }
}

/// All words of the panel: key, English, Russian.
const TEXTS: &[(&str, &str, &str)] = &[
    ("title", "Support tickets", "Обращения в поддержку"),
    ("none", "This customer has no tickets.", "У этого клиента нет обращений."),
    ("number", "No.", "№"),
    ("subject", "Subject", "Тема"),
    ("status", "Status", "Состояние"),
    ("created_at", "Opened", "Открыто"),
    ("updated_at", "Changed", "Изменено"),
    ("resolved_at", "Resolved", "Решено"),
    ("new", "new", "новое"),
    ("open", "in progress", "в работе"),
    ("waiting_customer", "waiting for the customer", "ждём клиента"),
    ("waiting_third_party", "waiting for somebody else", "ждём третью сторону"),
    ("resolved", "resolved", "решено"),
    ("closed", "closed", "закрыто"),
    ("refused", "The tickets are not shown", "Обращения не показаны"),
    (
        "expired",
        "This view has expired. Open the customer in the CRM again.",
        "Время показа истекло. Откройте клиента в CRM ещё раз.",
    ),
    (
        "invalid",
        "This view is not valid. Open the customer in the CRM again; if it stays, tell your administrator.",
        "Ссылка недействительна. Откройте клиента в CRM ещё раз; если не поможет, сообщите администратору.",
    ),
    (
        "too_many",
        "It was opened too often. Wait a minute, then open the customer in the CRM again.",
        "Слишком много обращений к странице. Подождите минуту и откройте клиента в CRM ещё раз.",
    ),
    (
        "failed",
        "The tickets can't be had just now. Open the customer in the CRM again in a minute.",
        "Сейчас обращения недоступны. Откройте клиента в CRM ещё раз через минуту.",
    ),
];

/// Light or dark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Theme {
    AsTheBrowser,
    Light,
    Dark,
}

/// The page for one reader.
pub(super) struct Page {
    pub(super) language: Language,
    pub(super) theme: Theme,
    pub(super) time_zone: String,
}

/// A column that is there if any ticket has something in it.
type Cell = fn(&Page, &TicketView) -> Option<String>;
const COLUMNS: [(&str, &str, Cell); 5] = [
    ("subject", "subject", |_, ticket| ticket.subject.as_deref().map(escaped)),
    ("status", "", |page, ticket| ticket.status.as_deref().map(|status| page.status(status))),
    ("created_at", "later", |page, ticket| ticket.created_at.map(|at| page.time(at))),
    ("updated_at", "", |page, ticket| ticket.updated_at.map(|at| page.time(at))),
    ("resolved_at", "later", |page, ticket| ticket.resolved_at.map(|at| page.time(at))),
];

impl Page {
    /// The tickets, newest first.
    pub(super) fn tickets(&self, tickets: &[TicketView]) -> String {
        let title = self.language.say("title");
        if tickets.is_empty() {
            let main = format!("<h1>{title}</h1><p>{}</p>", self.language.say("none"));
            return self.framed(title, &main);
        }
        let columns: Vec<_> = COLUMNS
            .into_iter()
            .filter(|(.., cell)| tickets.iter().any(|ticket| cell(self, ticket).is_some()))
            .collect();
        let mut table = format!("<thead><tr><th scope=\"col\">{}</th>", self.language.say("number"));
        for (key, class, _) in &columns {
            // Writing to a String cannot fail.
            let _ = write!(table, "<th scope=\"col\" class=\"{class}\">{}</th>", self.language.say(key));
        }
        table.push_str("</tr></thead><tbody>");
        for ticket in tickets {
            let _ = write!(table, "<tr><td class=\"number\">{}</td>", ticket.number);
            for (_, class, cell) in &columns {
                let content = cell(self, ticket).unwrap_or_default();
                let _ = write!(table, "<td class=\"{class}\">{content}</td>");
            }
            table.push_str("</tr>");
        }
        table.push_str("</tbody>");
        // Scrolled by keyboard where it is too wide.
        let main = format!(
            "<h1 id=\"title\">{title}</h1><div class=\"list\" role=\"region\" aria-labelledby=\"title\" tabindex=\"0\">\
             <table>{table}</table></div>"
        );
        self.framed(title, &main)
    }

    /// Why nothing is shown, in a sentence that says what to do.
    pub(super) fn refusal(&self, key: &str) -> String {
        let title = self.language.say("refused");
        self.framed(title, &format!("<h1>{title}</h1><p>{}</p>", self.language.say(key)))
    }

    fn framed(&self, title: &str, main: &str) -> String {
        let theme = match self.theme {
            Theme::AsTheBrowser => "",
            Theme::Light => " data-theme=\"light\"",
            Theme::Dark => " data-theme=\"dark\"",
        };
        let lang = self.language.code();
        format!(
            "<!doctype html><html lang=\"{lang}\"{theme}><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><title>{title}</title><link rel=\"stylesheet\" \
             href=\"style.css\"></head><body><main>{main}</main></body></html>"
        )
    }

    fn status(&self, status: &str) -> String {
        let class = match status {
            "new" | "open" => status,
            "waiting_customer" | "waiting_third_party" => "waiting",
            "resolved" | "closed" => "done",
            _ => "",
        };
        format!("<span class=\"status {class}\">{}</span>", self.language.say(status))
    }

    fn time(&self, at: Timestamp) -> String {
        let zone = TimeZone::get(&self.time_zone).unwrap_or(TimeZone::UTC);
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.ms()) else { return String::new() };
        let format = match self.language {
            Language::English => "%Y-%m-%d %H:%M",
            Language::Russian => "%d.%m.%Y %H:%M",
        };
        let local = instant.to_zoned(zone);
        format!("<time datetime=\"{at}\">{} {}</time>", local.strftime(format), local.strftime("%Z"))
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(subject: &str) -> TicketView {
        TicketView {
            number: 10_001,
            sequence: 2,
            subject: Some(subject.to_owned()),
            status: Some("open".to_owned()),
            priority: None,
            line: None,
            created_at: Some(Timestamp::from_ms(1_795_252_320_000)),
            updated_at: None,
            resolved_at: None,
            rating: None,
            public_messages: None,
        }
    }

    fn page(language: Language) -> Page {
        Page { language, theme: Theme::AsTheBrowser, time_zone: "UTC".to_owned() }
    }

    #[test]
    fn a_subject_can_hold_no_markup_and_unlisted_members_have_no_column() {
        let html = page(Language::English).tickets(&[ticket("<img src=x onerror=alert(1)>\"'&")]);
        assert!(html.contains("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"), "{html}");
        assert!(!html.contains("<img") && !html.contains("Changed") && html.contains("Opened"), "{html}");
        assert!(html.contains("2026-11-21 09:12 UTC"), "{html}");
    }

    #[test]
    fn there_is_no_link_and_no_script() {
        let html = page(Language::Russian).tickets(&[ticket("https://desk.example.org/tickets/1")]);
        assert!(!html.contains("<a ") && !html.contains("<script") && !html.contains("<form"), "{html}");
        assert!(html.contains("в работе") && html.contains("lang=\"ru\""), "{html}");
    }

    #[test]
    fn the_language_is_the_readers_first_that_is_ours() {
        for (header, language) in [
            ("ru-RU,ru;q=0.9,en;q=0.5", Language::Russian),
            ("de-DE,de;q=0.9,en;q=0.7,ru;q=0.1", Language::English),
            ("fr", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::best(header), language, "{header}");
        }
    }

    #[test]
    fn every_text_is_there_in_both_languages_and_the_style_has_both_themes() {
        assert!(TEXTS.iter().all(|(_, english, russian)| !english.is_empty() && !russian.is_empty()));
        assert!(
            style().contains("prefers-color-scheme: dark")
                && style().matches("--ground: #171715").count() == 2
        );
    }
}
