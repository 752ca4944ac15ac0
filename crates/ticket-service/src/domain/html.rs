//! What people write: HTML from outside made harmless, plain text made HTML, and the plain text of either.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};

use crate::domain::InvalidText;

/// HTML longer than this is not read.
pub const HTML_BYTES_MAX: usize = 500_000;
/// The longest message, counted in characters of its plain text.
pub const TEXT_CHARS_MAX: usize = 100_000;
/// HTML with more tags is not read: the time to read it grows faster than their number.
pub const TAGS_MAX: usize = 5_000;

/// Reading what was written once more changes it in rare cases (tables in paragraphs, links in links). So it is repeated
/// until nothing changes, at most so often.
const PASSES_MAX: usize = 6;

/// The elements that stay. Everything else goes; its text stays, except for [`DROPPED_WITH_CONTENT`].
const ELEMENTS: [&str; 27] = [
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "div",
    "em",
    "hr",
    "i",
    "li",
    "ol",
    "p",
    "pre",
    "s",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
];

/// What is in these is not text.
const DROPPED_WITH_CONTENT: [&str; 12] = [
    "iframe", "math", "noembed", "noframes", "noscript", "object", "script", "style", "svg", "template",
    "title", "xmp",
];

/// The elements that begin and end on a line of their own.
const BLOCKS: [&str; 10] = ["blockquote", "div", "hr", "li", "ol", "p", "pre", "table", "tr", "ul"];

/// Kept by the first pass, then made paragraphs.
const HEADINGS: [&str; 6] = ["h1", "h2", "h3", "h4", "h5", "h6"];

const LINK_RELATION: &str = "noopener noreferrer nofollow";

static FIRST_PASS: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = sanitizer();
    builder.add_tags(HEADINGS);
    builder
});

static SANITIZER: LazyLock<Builder<'static>> = LazyLock::new(sanitizer);

fn sanitizer() -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(ELEMENTS))
        .clean_content_tags(HashSet::from(DROPPED_WITH_CONTENT))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
        .set_tag_attribute_value("a", "target", "_blank")
        .link_rel(Some(LINK_RELATION))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::Deny)
        .strip_comments(true);
    builder
}

/// The body of a message: HTML that is safe to show, and the same as plain text for search, snippets and mail.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::manual_non_exhaustive, reason = "nobody else in this crate makes one either")]
pub struct MessageBody {
    /// HTML that can do no harm in a page.
    pub html: String,
    /// The same as plain text.
    pub plain: String,
    /// Nobody else makes one.
    sealed: (),
}

impl MessageBody {
    /// Takes HTML that anybody may have written: keeps what mail-like messages need and drops the rest.
    ///
    /// # Errors
    /// [`InvalidText`] when it is too long or nothing to read is left of it.
    pub fn from_html(untrusted: &str) -> Result<Self, InvalidText> {
        if untrusted.len() > HTML_BYTES_MAX {
            return Err(InvalidText(format!(
                "has more than {HTML_BYTES_MAX} bytes; shorten it, or attach it as a file"
            )));
        }
        if untrusted.bytes().filter(|byte| *byte == b'<').count() > TAGS_MAX {
            return Err(InvalidText(format!("has more than {TAGS_MAX} tags; send it as plain text")));
        }
        let html = sanitized(&without_control_characters(untrusted));
        let plain = plain_text(&html);
        Self::checked(html, plain)
    }

    /// Takes plain text: blank lines part paragraphs, line breaks stay, web addresses become links.
    ///
    /// # Errors
    /// [`InvalidText`] when it is too long or empty.
    pub fn from_text(text: &str) -> Result<Self, InvalidText> {
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err(too_long());
        }
        let plain = without_control_characters(text).trim_end().to_owned();
        let html = sanitized(&html_of(&plain));
        Self::checked(html, plain)
    }

    fn checked(html: String, plain: String) -> Result<Self, InvalidText> {
        if plain.trim().is_empty() {
            return Err(InvalidText("is empty".into()));
        }
        if plain.chars().count() > TEXT_CHARS_MAX {
            return Err(too_long());
        }
        Ok(Self { html, plain, sealed: () })
    }
}

impl std::fmt::Debug for MessageBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What people write stays out of the log.
        write!(f, "[MessageBody of {} bytes]", self.html.len())
    }
}

fn too_long() -> InvalidText {
    InvalidText(format!("has more than {TEXT_CHARS_MAX} characters; shorten it, or attach it as a file"))
}

/// Line breaks become `\n`; other control characters go.
fn without_control_characters(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|char| !char.is_control() || matches!(char, '\n' | '\t'))
        .collect()
}

/// The fixed point of sanitising, so that whoever reads the result again (a browser does) finds the same.
fn sanitized(html: &str) -> String {
    let mut html = headings_as_paragraphs(&cleaned(&FIRST_PASS, html));
    for _ in 0..PASSES_MAX {
        let again = cleaned(&SANITIZER, &html);
        if again == html {
            return html;
        }
        html = again;
    }
    // Never seen to happen with the elements above; the text alone is safe.
    cleaned(&SANITIZER, &html_of(&plain_text(&html)))
}

/// One pass. Control characters go after it, too: they can be written as `&#1;`.
fn cleaned(sanitizer: &Builder<'_>, html: &str) -> String {
    without_control_characters(&sanitizer.clean(html).to_string())
}

/// A heading of a message is no heading of the page around it.
fn headings_as_paragraphs(html: &str) -> String {
    HEADINGS.iter().fold(html.to_owned(), |html, name| {
        html.replace(&format!("<{name}>"), "<p>").replace(&format!("</{name}>"), "</p>")
    })
}

fn html_of(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 64);
    let mut in_paragraph = false;
    for line in text.lines() {
        if line.trim().is_empty() {
            if in_paragraph {
                html.push_str("</p>");
            }
            in_paragraph = false;
            continue;
        }
        html.push_str(if in_paragraph { "<br>" } else { "<p>" });
        in_paragraph = true;
        push_with_links(&mut html, line);
    }
    if in_paragraph {
        html.push_str("</p>");
    }
    html
}

/// Escapes a line; `http://` and `https://` addresses become links, without the punctuation that follows them.
fn push_with_links(html: &mut String, line: &str) {
    let mut rest = line;
    while let Some((before, address, after)) = next_address(rest) {
        html.push_str(&escaped(before));
        let address = escaped(address);
        html.push_str(&format!("<a href=\"{address}\">{address}</a>"));
        rest = after;
    }
    html.push_str(&escaped(rest));
}

fn next_address(text: &str) -> Option<(&str, &str, &str)> {
    let start = ["https://", "http://"].iter().filter_map(|scheme| text.find(scheme)).min()?;
    let (before, from_start) = text.split_at(start);
    let end = from_start
        .find(|char: char| char.is_whitespace() || "<>\"`{}|\\^".contains(char))
        .unwrap_or(from_start.len());
    let (address, _) = from_start.split_at(end);
    let address = address.trim_end_matches(|char: char| ".,;:!?'»”)]".contains(char));
    Some((before, address, from_start.split_at(address.len()).1))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The text of sanitised HTML: blocks on lines of their own, list items with a dash, cells apart.
fn plain_text(html: &str) -> String {
    let mut plain = PlainText::default();
    let mut rest = html;
    while let Some((text, from_tag)) = rest.split_once('<') {
        plain.text(text);
        // In sanitised HTML every `<` begins a tag, and no attribute holds a `>`.
        let Some((tag, after)) = from_tag.split_once('>') else { break };
        plain.tag(tag);
        rest = after;
    }
    if !rest.contains('<') {
        plain.text(rest);
    }
    plain.out.trim().to_owned()
}

#[derive(Default)]
struct PlainText {
    out: String,
    preformatted_depth: usize,
    /// A space is due before the next word.
    space_due: bool,
}

impl PlainText {
    fn tag(&mut self, tag: &str) {
        let closing = tag.starts_with('/');
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        match name {
            "br" => self.new_line(),
            "td" | "th" if !closing => self.space_due = true,
            "p" if !closing => self.blank_line(),
            _ if BLOCKS.contains(&name) => self.line_start(),
            _ => {}
        }
        match (name, closing) {
            ("pre", false) => self.preformatted_depth += 1,
            ("pre", true) => self.preformatted_depth = self.preformatted_depth.saturating_sub(1),
            ("li", false) => self.out.push_str("- "),
            ("p", true) => self.blank_line(),
            _ => {}
        }
    }

    fn text(&mut self, html: &str) {
        let text = unescaped(html);
        if self.preformatted_depth > 0 {
            self.out.push_str(&text);
            return;
        }
        let is_space = |char: char| char.is_ascii_whitespace();
        self.space_due |= text.starts_with(is_space);
        for word in text.split(is_space).filter(|word| !word.is_empty()) {
            if self.space_due && !self.out.is_empty() && !self.out.ends_with(['\n', ' ']) {
                self.out.push(' ');
            }
            self.out.push_str(word);
            self.space_due = true;
        }
        self.space_due = text.ends_with(is_space) || (self.space_due && text.trim_ascii().is_empty());
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.space_due = false;
    }

    fn line_start(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') && !self.out.ends_with("- ") {
            self.new_line();
        }
        self.space_due = false;
    }

    fn blank_line(&mut self) {
        self.line_start();
        if !self.out.is_empty() && !self.out.ends_with("\n\n") && !self.out.ends_with("- ") {
            self.new_line();
        }
    }
}

/// Undoes the escapes that sanitised HTML has.
fn unescaped(html: &str) -> String {
    html.replace("&nbsp;", "\u{a0}")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn html(untrusted: &str) -> String {
        MessageBody::from_html(untrusted).unwrap().html
    }

    fn plain(untrusted: &str) -> String {
        MessageBody::from_html(untrusted).unwrap().plain
    }

    /// The whole grammar of what may be answered: listed elements without attributes, and links to the web or to a mailbox.
    fn is_harmless(html: &str) -> bool {
        let link = |tag: &str| {
            let Some(address) = tag.strip_prefix("a href=\"").and_then(|rest| rest.split_once('"')) else {
                return tag == format!("a target=\"_blank\" rel=\"{LINK_RELATION}\"");
            };
            let scheme = address.0.to_ascii_lowercase();
            ["http:", "https:", "mailto:"].iter().any(|allowed| scheme.starts_with(allowed))
                && address.1 == format!(" target=\"_blank\" rel=\"{LINK_RELATION}\"")
        };
        html.split('<').skip(1).all(|from_tag| {
            let Some((tag, text)) = from_tag.split_once('>') else { return false };
            let name = tag.strip_prefix('/').unwrap_or(tag);
            !text.contains('>') && (ELEMENTS.contains(&name) || link(tag))
        })
    }

    #[test]
    fn what_a_mail_needs_stays() {
        let mail = "<p>Hello <b>Ann</b>,<br>see <a href=\"https://a.example/x?a=1&amp;b=2\">this</a>:</p><ul><li>one</li></ul>";
        let expected = format!(
            "<p>Hello <b>Ann</b>,<br>see <a href=\"https://a.example/x?a=1&amp;b=2\" target=\"_blank\" rel=\"{LINK_RELATION}\">\
             this</a>:</p><ul><li>one</li></ul>"
        );
        assert_eq!(html(mail), expected);
    }

    #[test]
    fn scripts_handlers_styles_and_pictures_go() {
        for (untrusted, expected) in [
            ("a<script>alert(1)</script>b", "ab"),
            ("<p onclick=\"alert(1)\" style=\"position:fixed\" class=\"x\" id=\"y\">a</p>", "<p>a</p>"),
            ("a<img src=x onerror=alert(1)>b", "ab"),
            ("<svg><a xlink:href=\"javascript:alert(1)\">x</a></svg>a", "a"),
            ("<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></table></math>a", "a"),
            ("<form action=\"https://evil.example\"><input name=q>a</form>", "a"),
            ("<!--[if IE]><script>x</script><![endif]-->a", "a"),
            ("<base href=\"https://evil.example/\"><meta http-equiv=refresh content=0>a", "a"),
        ] {
            assert_eq!(html(untrusted), expected, "{untrusted}");
        }
    }

    #[test]
    fn a_link_leads_to_the_web_or_to_a_mailbox_only() {
        for address in [
            "javascript:alert(1)",
            " JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "/api/v1/session",
            "//x",
        ] {
            let written = html(&format!("<a href=\"{address}\">x</a>"));
            assert!(!written.contains("href") && is_harmless(&written), "{address}: {written}");
        }
        assert!(html("<a href=\"mailto:a@b.example\">x</a>").contains("href=\"mailto:a@b.example\""));
    }

    #[test]
    fn headings_become_paragraphs() {
        assert_eq!(html("<h1>One</h1>two"), "<p>One</p>two");
    }

    #[test]
    fn plain_text_keeps_its_lines_and_its_addresses_become_links() {
        let body =
            MessageBody::from_text("Hi <Ann> & co,\r\nsee (https://a.example/x?a=1&b=2).\n\n\nBye\u{7}")
                .unwrap();
        let link = format!(
            "<a href=\"https://a.example/x?a=1&amp;b=2\" target=\"_blank\" rel=\"{LINK_RELATION}\">https://a.example/x?a=1&amp;b=2</a>"
        );
        assert_eq!(body.html, format!("<p>Hi &lt;Ann&gt; &amp; co,<br>see ({link}).</p><p>Bye</p>"));
        assert_eq!(body.plain, "Hi <Ann> & co,\nsee (https://a.example/x?a=1&b=2).\n\n\nBye");
    }

    #[test]
    fn html_reads_as_plain_text_with_its_lines() {
        let table = "<p>Hello&nbsp;<b>Ann</b>  Koval &amp; co</p><p>a<br>b</p><ul><li>x</li><li><p>y</p></li></ul><table><tr>\
                     <td>1</td><td>2</td></tr></table><pre>  if x:\n    y</pre>end";
        assert_eq!(plain(table), "Hello\u{a0}Ann Koval & co\n\na\nb\n\n- x\n- y\n\n1 2\n  if x:\n    y\nend");
        assert_eq!(plain("a&lt;b&amp;lt;"), "a<b&lt;");
    }

    #[test]
    fn nothing_to_read_is_no_message() {
        for nothing in ["", " \n ", "&#1 ", "<p> </p>", "<script>x</script>", "<img src=x>", "&nbsp;"] {
            assert!(MessageBody::from_html(nothing).is_err(), "{nothing:?}");
        }
        assert!(MessageBody::from_text("\u{0}\n").is_err());
    }

    #[test]
    fn there_is_an_end_to_length_and_to_nesting() {
        assert!(MessageBody::from_text(&"ж".repeat(TEXT_CHARS_MAX)).is_ok());
        assert!(MessageBody::from_text(&"ж".repeat(TEXT_CHARS_MAX + 1)).is_err());
        assert!(MessageBody::from_html(&"x".repeat(HTML_BYTES_MAX + 1)).is_err());
        assert!(MessageBody::from_html(&"<p>".repeat(TAGS_MAX + 1)).is_err());
        assert!(is_harmless(&html(&format!("{}x", "<div><b><a href=x>".repeat(TAGS_MAX / 3)))));
    }

    /// Pieces of markup in an order that nobody would write.
    fn markup() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "<p>",
            "</p>",
            "<b>",
            "</b>",
            "<a href=\"https://x\">",
            "<a href=javascript:alert(1)>",
            "</a>",
            "<script>",
            "</script>",
            "<style>",
            "</style>",
            "<table>",
            "<tr>",
            "<td>",
            "</table>",
            "<svg>",
            "<math>",
            "<mtext>",
            "<img src=x onerror=alert(1)>",
            "<pre>",
            "\n\n",
            "</pre>",
            "<li>",
            "<ul>",
            "</ul>",
            "<h1>",
            "<h2>",
            "</h2>",
            "<button>",
            "<form>",
            "<select>",
            "<option>",
            "<textarea>",
            "</textarea>",
            "<title>",
            "<noscript>",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<",
            ">",
            "\"",
            "'",
            "&lt;",
            "&#60;script&#62;",
            "&amp;",
            "onclick=",
            "javascript:",
            "<template>",
            "<div onclick=x>",
            "</div>",
            "<br>",
            "<hr>",
            "x",
            " ",
            "<blockquote>",
            "<code>",
            "<u>",
            "<frameset>",
            "<body onload=x>",
            "<html>",
            "<plaintext>",
            "<iframe srcdoc=\"<script>\">",
            "\u{0}",
            "&#1;",
            "&#13;",
            "ё",
        ]);
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn whatever_comes_in_what_goes_out_is_harmless_and_stays_as_it_is(untrusted in prop_oneof![markup(), ".{0,200}"]) {
            if let Ok(body) = MessageBody::from_html(&untrusted) {
                prop_assert!(is_harmless(&body.html), "{}", body.html);
                let again = MessageBody::from_html(&body.html).unwrap();
                prop_assert_eq!(&again.html, &body.html);
                prop_assert!(!body.plain.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\t')));
            }
        }

        #[test]
        fn plain_text_says_the_same_as_html(text in "[a-z<>&\"' \n.:/é]{0,120}|.{0,80}|(https?://[a-z./&]{0,12}[ ,\\n]){0,5}") {
            if let Ok(body) = MessageBody::from_text(&text) {
                prop_assert!(is_harmless(&body.html), "{}", body.html);
                let words = |text: &str| text.split_whitespace().collect::<String>();
                prop_assert_eq!(words(&plain_text(&body.html)), words(&body.plain));
            }
        }
    }
}
