//! The report as one page for a data owner to read and file. No script, nothing from elsewhere, every text escaped; it says
//! nothing that is not in the report.

use std::fmt::Write as _;

use super::report::{Report, Verdict};
use crate::policy::explain::{STYLE, escaped};

const OWN_STYLE: &str = include_str!("page.css");

/// The page. `sha256` is that of the report's bytes, which binds the page to the signed file.
#[must_use]
pub fn html(report: &Report, sha256: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>What leaves {}</title>\n\
         <style>\n{STYLE}{OWN_STYLE}</style>\n</head>\n<body>\n<main>\n",
        escaped(&report.crm.title)
    );
    head(&mut page, report, sha256);
    found(&mut page, report);
    left(&mut page, report);
    controls(&mut page, report);
    fields(&mut page, report);
    markers(&mut page, report);
    list(&mut page, "What was done", &report.driven);
    places(&mut page, report);
    not_driven(&mut page, report);
    walls(&mut page, report);
    page.push_str(
        "<section class=\"signatures\">\n<h2>Signatures</h2>\n\
         <div class=\"signature\"><span>Date</span><span>Data owner</span></div>\n\
         <div class=\"signature\"><span>Date</span><span>Who ran it</span></div>\n</section>\n</main>\n</body>\n</html>\n",
    );
    page
}

// Writing to a String cannot fail, here and below.
fn head(page: &mut String, report: &Report, sha256: &str) {
    let (class, title, sentence) = match report.verdict {
        Verdict::Green => (
            "green",
            "Nothing came through but the listed fields",
            "Values that exist nowhere else were put into the CRM. Support saw those that the policy lists. Every other one was \
             looked for, in every spelling, in everything that the bridge answered, wrote and printed, and none was found.",
        ),
        Verdict::Red => (
            "red",
            "Something came through",
            "Values that the policy does not list, or that a role must not see, were found outside of the CRM. Do not use this \
             profile and policy with real customers before that is mended.",
        ),
        Verdict::Void => (
            "void",
            "Nothing is proven",
            "Nothing was found, but a control does not hold, so that means nothing. See below what to mend, and run it again.",
        ),
    };
    let _ = writeln!(page, "<header>\n<p class=\"verdict {class}\">{title}</p>\n<p>{sentence}</p>\n<dl>");
    let planted = format!("{} markers, {}", report.markers.len(), report.crm.planted);
    let policy = format!("{} number {}", report.policy.name, report.policy.number);
    let crm = format!("{} at {}", report.crm.title, report.crm.host);
    for (term, text) in [
        ("CRM", crm.as_str()),
        ("Began", report.began_at.as_str()),
        ("Ended", report.ended_at.as_str()),
        ("Planted", planted.as_str()),
        ("Field policy", policy.as_str()),
        ("Profile", report.crm.profile.as_str()),
        ("Program", report.program.as_str()),
    ] {
        let _ = writeln!(page, "<div><dt>{term}</dt><dd>{}</dd></div>", escaped(text));
    }
    for (term, text) in [
        ("SHA-256 of the policy", report.policy.sha256.as_str()),
        ("SHA-256 of the profile", report.crm.profile_sha256.as_str()),
        ("SHA-256 of report.json", sha256),
    ] {
        let _ = writeln!(
            page,
            "<div class=\"hash\"><dt>{term}</dt><dd><code>{}</code></dd></div>",
            escaped(text)
        );
    }
    page.push_str("</dl>\n</header>\n");
}

fn table(page: &mut String, title: &str, lead: &str, heads: &[&str], rows: &[Vec<String>]) {
    let _ = writeln!(page, "<section>\n<h2>{title}</h2>");
    if !lead.is_empty() {
        let _ = writeln!(page, "<p>{lead}</p>");
    }
    page.push_str("<table class=\"even\">\n<thead><tr>");
    for head in heads {
        let _ = write!(page, "<th scope=\"col\">{head}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        page.push_str("<tr>");
        for (place, cell) in row.iter().enumerate() {
            let _ = if place == 0 {
                write!(page, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(page, "<td>{cell}</td>")
            };
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n</section>\n");
}

fn found(page: &mut String, report: &Report) {
    if report.found.is_empty() {
        return;
    }
    let row = |found: &super::report::Found| {
        [&found.leak, &found.marker, &found.place, &found.spelling].map(|text| escaped(text)).to_vec()
    };
    let rows: Vec<Vec<String>> = report.found.iter().map(row).collect();
    let lead = "Where which marker was found. Its value is not printed here.";
    table(page, "What came through", lead, &["What it is", "Marker", "Found in", "Written"], &rows);
}

fn left(page: &mut String, report: &Report) {
    if report.left.is_empty() {
        return;
    }
    let row = |left: &super::report::Left| {
        let id = left.id.as_deref().unwrap_or("not known");
        [left.record.as_str(), id, left.why.as_str()].map(escaped).to_vec()
    };
    let rows: Vec<Vec<String>> = report.left.iter().map(row).collect();
    let lead = "These test records could not be removed. Run <code>crm-bridge prove --clean-up</code>, or remove them by hand.";
    table(page, "Still in the CRM", lead, &["Record", "Id", "Why"], &rows);
}

fn controls(page: &mut String, report: &Report) {
    let row = |control: &super::report::Control| {
        let holds =
            if control.holds { "<b class=\"yes\">holds</b>" } else { "<b class=\"no\">does not hold</b>" };
        vec![escaped(&control.says), holds.to_owned(), escaped(&control.detail)]
    };
    let rows: Vec<Vec<String>> = report.controls.iter().map(row).collect();
    let lead = "A search that looks at nothing finds nothing. So the search itself was put to the test.";
    table(page, "Why this means something", lead, &["Control", "Result", "Counted"], &rows);
}

fn fields(page: &mut String, report: &Report) {
    let row = |field: &super::report::FieldRow| {
        let seen = match field.seen {
            Some(true) => "<b class=\"yes\">seen</b>",
            Some(false) => "<b class=\"no\">not seen</b>",
            None => "none planted",
        };
        vec![
            format!("{}<small><code>{}</code></small>", escaped(&field.label), escaped(&field.key)),
            escaped(&field.shown.join(", ")),
            escaped(&field.masked.join(", ")),
            seen.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = report.policy.fields.iter().map(row).collect();
    let heads = ["Field", "Roles that see it", "Roles that see a mask", "Planted value"];
    table(
        page,
        "What may come through",
        "The field policy lists these. Nothing else may leave the CRM.",
        &heads,
        &rows,
    );
}

fn markers(page: &mut String, report: &Report) {
    let row = |marker: &super::report::MarkerRow| {
        let in_crm = match marker.in_crm {
            Some(true) => "yes",
            Some(false) => "<b class=\"no\">no</b>",
            None => "not asked",
        };
        let digest: String = marker.sha256.chars().take(16).collect();
        vec![
            escaped(&marker.name),
            escaped(&marker.leak),
            format!("{}<small>{} spellings</small>", escaped(&marker.kind), marker.spellings),
            in_crm.to_owned(),
            format!("<code>{}…</code>", escaped(&digest)),
        ]
    };
    let rows: Vec<Vec<String>> = report.markers.iter().map(row).collect();
    let heads = ["Marker", "What it stands for", "Kind", "Served by the CRM", "SHA-256"];
    let lead =
        "Each value was made for this run and exists nowhere else. They are named by their digests only.";
    table(page, "What was planted", lead, &heads, &rows);
}

fn places(page: &mut String, report: &Report) {
    let row = |place: &super::report::PlaceRow| {
        vec![escaped(&place.kind), place.count.to_string(), grouped(place.bytes)]
    };
    let rows: Vec<Vec<String>> = report.places.iter().map(row).collect();
    table(page, "What was read", "", &["Places", "How many", "Bytes"], &rows);
}

fn grouped(number: usize) -> String {
    let digits: Vec<char> = number.to_string().chars().collect();
    digits.rchunks(3).rev().map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn list(page: &mut String, title: &str, items: &[String]) {
    let _ = writeln!(page, "<section>\n<h2>{title}</h2>\n<ul>");
    for item in items {
        let _ = writeln!(page, "<li>{}</li>", escaped(item));
    }
    page.push_str("</ul>\n</section>\n");
}

fn not_driven(page: &mut String, report: &Report) {
    let item = |not: &super::report::NotDriven| format!("{}: {}", not.what, not.why);
    let items: Vec<String> = report.not_driven.iter().map(item).collect();
    list(page, "What was not done, and why", &items);
}

fn walls(page: &mut String, report: &Report) {
    if report.walls.leaks.is_empty() {
        return;
    }
    let row = |leak: &super::report::Leak| {
        let says = |id: &String| {
            let wall = report.walls.walls.iter().find(|wall| wall.id == *id);
            let says = wall.map(|wall| escaped(&wall.says)).unwrap_or_default();
            format!("<b>{}</b><small>{says}</small>", escaped(id))
        };
        let walls: Vec<String> = leak.held_alone_by.iter().map(says).collect();
        vec![escaped(&leak.says), walls.len().to_string(), walls.join("")]
    };
    let rows: Vec<Vec<String>> = report.walls.leaks.iter().map(row).collect();
    let lead = "Measured for this version of the program: each of these walls alone, with all others taken away in a test build, \
                holds back this kind of leak. So more than one would have to fail at once.";
    table(
        page,
        "Which wall holds back what",
        lead,
        &["Kind of leak", "Walls", "Each of them alone holds it back"],
        &rows,
    );
}
