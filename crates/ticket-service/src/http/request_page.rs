//! The page of the public form, as text. Nothing of it needs a script.

use std::borrow::Cow;

use crate::app::public_request::PublicRequest;
use crate::domain::TicketNumber;

const FRAME: &str = include_str!("request.html");

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Russian,
}

impl Language {
    /// The one that the reader likes best (RFC 9110, 12.5.4); English if they like none of ours.
    pub(crate) fn best(accept_language: &str) -> Self {
        let mut best = (0.0, Self::English);
        for part in accept_language.split(',') {
            let (range, parameters) = part.split_once(';').unwrap_or((part, ""));
            let quality =
                parameters.trim().strip_prefix("q=").map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
            let language =
                match range.trim().split('-').next().unwrap_or_default().to_ascii_lowercase().as_str() {
                    "en" => Self::English,
                    "ru" => Self::Russian,
                    _ => continue,
                };
            if quality > best.0 {
                best = (quality, language);
            }
        }
        best.1
    }

    /// As it stands in `lang`.
    pub(crate) fn code(self) -> &'static str {
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

/// All words of the page: key, English, Russian.
const TEXTS: &[(&str, &str, &str)] = &[
    ("title", "New request", "Новое обращение"),
    (
        "lead",
        "Tell us what happened, and how to reach you.",
        "Расскажите, что случилось и как с вами связаться.",
    ),
    ("name", "Your name", "Ваше имя"),
    ("name.wrong", "Write your name on one line.", "Напишите имя в одну строку."),
    ("email", "Your mail address", "Адрес почты"),
    (
        "email.wrong",
        "Write a mail address such as name@example.org.",
        "Напишите адрес вида name@example.org.",
    ),
    ("phone", "Phone", "Телефон"),
    ("optional", "if you like", "по желанию"),
    (
        "phone.wrong",
        "Write digits, spaces and + - ( ), or leave it empty.",
        "Напишите цифры, пробелы и + - ( ) или оставьте поле пустым.",
    ),
    ("subject", "Subject", "Тема"),
    (
        "subject.wrong",
        "Write what it is about, in at most 200 characters.",
        "Напишите, о чём речь, не длиннее 200 знаков.",
    ),
    ("text", "Your request", "Обращение"),
    (
        "text.wrong",
        "Write your request; very long texts are better sent in parts.",
        "Напишите текст обращения; очень длинный текст лучше прислать частями.",
    ),
    ("website", "Leave this field empty", "Оставьте это поле пустым"),
    (
        "website.wrong",
        "Leave the last field empty: it is there to stop automatic mail.",
        "Оставьте последнее поле пустым: оно останавливает автоматическую рассылку.",
    ),
    (
        "opened_at.wrong",
        "That was very quick. Wait a few seconds and send it again.",
        "Это было очень быстро. Подождите несколько секунд и отправьте ещё раз.",
    ),
    ("send", "Send", "Отправить"),
    (
        "not_sent",
        "Not sent yet. What you wrote is below; please correct what is marked.",
        "Пока не отправлено. Ваш текст ниже; исправьте отмеченное.",
    ),
    (
        "too_many",
        "Not sent: too many requests came from your network. What you wrote is below; send it again in a few minutes.",
        "Не отправлено: из вашей сети пришло слишком много обращений. Ваш текст ниже; отправьте его через несколько минут.",
    ),
    (
        "ours",
        "Not sent: something went wrong on our side. What you wrote is below; send it again in a minute.",
        "Не отправлено: ошибка на нашей стороне. Ваш текст ниже; отправьте его через минуту.",
    ),
    ("taken", "We have your request", "Обращение принято"),
    ("number", "Its number is", "Его номер"),
    ("reply", "We reach you at", "Мы свяжемся с вами по адресу"),
    ("another", "Send another request", "Отправить ещё одно обращение"),
];

/// Why the form is shown again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It is shown for the first time.
    None,
    /// These fields are not right.
    Fields(Vec<String>),
    /// Too many requests from this network.
    TooMany,
    /// Something on our side.
    Ours,
}

/// The page in one language.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) language: Language,
    pub(crate) helpdesk: String,
}

impl Page {
    fn framed(&self, title: &str, main: &str) -> String {
        fill(FRAME, |key| match key {
            "lang" => Cow::Borrowed(self.language.code()),
            "title" => escaped(title),
            "helpdesk" => escaped(&self.helpdesk),
            "main" => Cow::Borrowed(main),
            _ => Cow::Borrowed(""),
        })
    }

    /// The form with what was typed so far.
    pub(crate) fn form(&self, typed: &PublicRequest, trouble: &Trouble) -> String {
        let say = |key: &str| self.language.say(key);
        let wrong: &[String] = if let Trouble::Fields(fields) = trouble { fields } else { &[] };
        let field = |name: &'static str, kind, fill_in, value: &str, needed| {
            self.field(&FieldOf {
                name,
                kind,
                fill_in,
                value,
                needed,
                wrong: wrong.iter().any(|field| field == name),
            })
        };
        let trap = wrong.iter().any(|field| field == "website");
        let main = [
            format!("<h1>{}</h1><p class=\"quiet\">{}</p>", say("title"), say("lead")),
            self.notice(trouble),
            "<form method=\"post\" action=\"/request\" novalidate>".into(),
            field("name", "text", "name", &typed.name, true),
            field("email", "email", "email", &typed.email, true),
            field("phone", "tel", "tel", &typed.phone, false),
            field("subject", "text", "off", &typed.subject, true),
            field("text", "textarea", "off", &typed.text, true),
            // Shown only to somebody whose browser filled it in, so that they can empty it.
            format!(
                "<div class=\"{}\"{}><label for=\"website\">{}</label><input id=\"website\" name=\"website\" \
                 value=\"{}\" autocomplete=\"off\"{}></div>",
                if trap { "field" } else { "trap" },
                if trap { "" } else { " aria-hidden=\"true\"" },
                say("website"),
                escaped(&typed.website),
                if trap { "" } else { " tabindex=\"-1\"" },
            ),
            format!("<input type=\"hidden\" name=\"opened_at\" value=\"{}\">", escaped(&typed.opened_at)),
            format!("<input type=\"hidden\" name=\"form_id\" value=\"{}\">", escaped(&typed.form_id)),
            format!("<button type=\"submit\">{}</button></form>", say("send")),
        ];
        self.framed(say("title"), &main.concat())
    }

    fn notice(&self, trouble: &Trouble) -> String {
        let texts: Vec<&str> = match trouble {
            Trouble::None => return String::new(),
            Trouble::TooMany => vec![self.language.say("too_many")],
            Trouble::Ours => vec![self.language.say("ours")],
            Trouble::Fields(fields) => {
                let hidden = fields.iter().filter(|field| matches!(field.as_str(), "website" | "opened_at"));
                let hidden = hidden.map(|field| self.language.say(&format!("{field}.wrong")));
                std::iter::once(self.language.say("not_sent")).chain(hidden).collect()
            }
        };
        let paragraphs: String = texts.iter().map(|text| format!("<p>{text}</p>")).collect();
        format!("<div class=\"notice bad\" role=\"alert\">{paragraphs}</div>")
    }

    fn field(&self, field: &FieldOf<'_>) -> String {
        let FieldOf { name, kind, fill_in, value, needed, wrong } = field;
        let optional = if *needed {
            String::new()
        } else {
            format!(" <span class=\"quiet\">({})</span>", self.language.say("optional"))
        };
        let label = format!("<label for=\"{name}\">{}{optional}</label>", self.language.say(name));
        let mut attributes = format!("id=\"{name}\" name=\"{name}\" autocomplete=\"{fill_in}\"");
        if *needed {
            attributes.push_str(" required");
        }
        let mut hint = String::new();
        if *wrong {
            attributes.push_str(&format!(" aria-invalid=\"true\" aria-describedby=\"{name}-wrong\""));
            let text = self.language.say(&format!("{name}.wrong"));
            hint = format!("<p class=\"wrong\" id=\"{name}-wrong\">{text}</p>");
        }
        let value = escaped(value);
        let control = if *kind == "textarea" {
            // A browser drops one line break after the opening tag; this one is for it.
            format!("<textarea {attributes}>\n{value}</textarea>")
        } else {
            format!("<input type=\"{kind}\" {attributes} value=\"{value}\">")
        };
        format!("<div class=\"field\">{label}{control}{hint}</div>")
    }

    /// The word that the request has arrived.
    pub(crate) fn taken(&self, number: TicketNumber, email: &str) -> String {
        let say = |key: &str| self.language.say(key);
        let main = format!(
            "<h1>{}</h1><div class=\"notice good\" role=\"status\"><p>{} <strong>{number}</strong>.</p><p>{} {}.</p></div>\
             <p><a href=\"/request\">{}</a></p>",
            say("taken"),
            say("number"),
            say("reply"),
            escaped(email.trim()),
            say("another"),
        );
        self.framed(say("taken"), &main)
    }
}

struct FieldOf<'a> {
    name: &'a str,
    kind: &'a str,
    /// What browsers may offer to fill in.
    fill_in: &'a str,
    value: &'a str,
    needed: bool,
    wrong: bool,
}

/// Replaces each `{{key}}` once; what is filled in is not looked at again.
fn fill<'t>(template: &str, value: impl Fn(&str) -> Cow<'t, str>) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (key, after) = after.split_once("}}").unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(&value(key));
        rest = after;
    }
    text + rest
}

/// Text as it may stand in HTML, also inside a quoted attribute.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            char => safe.push(char),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_gets_the_language_they_like_best() {
        for (header, expected) in [
            ("", Language::English),
            ("ru", Language::Russian),
            ("de-DE,ru-RU;q=0.8,en;q=0.5", Language::Russian),
            ("en-GB,en;q=0.9,ru;q=0.8", Language::English),
            ("fr,de;q=0.5", Language::English),
            ("ru;q=0,en;q=0.1", Language::English),
        ] {
            assert_eq!(Language::best(header), expected, "{header}");
        }
    }

    #[test]
    fn every_text_is_there_in_both_languages() {
        for (key, english, russian) in TEXTS {
            assert!(!english.is_empty() && !russian.is_empty(), "{key}");
            assert!(russian.contains(|char: char| ('а'..='я').contains(&char)), "{key}: {russian}");
        }
    }

    #[test]
    fn what_was_typed_can_not_break_out_of_its_field() {
        let typed = PublicRequest {
            name: "\"><script>{{title}}".into(),
            text: "</textarea>".into(),
            ..Default::default()
        };
        let page = Page { language: Language::English, helpdesk: "Help & <Co>".into() };
        let html = page.form(&typed, &Trouble::Fields(vec!["name".into()]));
        assert!(!html.contains("<script>") && html.matches("</textarea>").count() == 1, "{html}");
        assert!(html.contains("&lt;script&gt;{{title}}") && html.contains("Help &amp; &lt;Co&gt;"));
        assert!(html.contains("aria-describedby=\"name-wrong\"") && html.contains("id=\"name-wrong\""));
    }
}
