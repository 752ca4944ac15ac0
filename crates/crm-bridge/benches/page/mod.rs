//! The page that the parser is measured with: 565 kB, 200 records of 80 members each, of which eight are wanted. The
//! same bytes every time, in the mixture that CRMs send: names, addresses, flags, sums, empty members, embedded deals
//! and owners, and free text with escapes and Cyrillic.

use std::fmt::Write as _;

/// Records on the page.
pub(crate) const RECORDS: usize = 200;

/// The profile that reads the page. Its fields and `updated_at` are the eight wanted members.
pub(crate) const PROFILE: &str = r#"
[profile]
name = "bench"
title = "Bench"
grammar = 2
[auth]
kind = "headers"
headers = { Authorization = "Bearer {secret}" }
[answer]
records = "/items"
[paging]
kind = "cursor"
next = "/next_cursor"
size_max = 200
[person]
id = "/id"
updated_at = "/updated_at"
one = { get = "/contacts/{id}", query = { fields = "{select:comma}" } }
by_email = { get = "/contacts", query = { email = "{value}", fields = "{select:comma}" } }
page = { get = "/contacts", query = { limit = "{size}", cursor = "{cursor}", fields = "{select:comma}" } }
[person.match]
email = "/email"
phone = "/phone"
[person.fields]
name = "/full_name"
email = "/email"
phone = "/phone"
city = "/city"
language = "/language"
service_level = "/service_level"
"#;

/// The policy that wants them.
pub(crate) const POLICY: &str = r#"
[policy]
name = "bench"
number = 1
owner = "bench"
[person.name]
type = "text"
chars_max = 120
show = ["line1"]
[person.email]
type = "email"
show = ["line1"]
[person.phone]
type = "phone"
show = ["line1"]
[person.city]
type = "text"
chars_max = 60
show = ["line1"]
[person.language]
type = "text"
chars_max = 12
show = ["line1"]
[person.service_level]
type = "enum"
values = ["gold", "silver", "standard"]
show = ["line1"]
"#;

/// Wanted members, by their position among the eighty.
const WANTED: [(usize, &str); 8] = [
    (0, "id"),
    (3, "full_name"),
    (11, "email"),
    (17, "phone"),
    (29, "city"),
    (41, "language"),
    (58, "service_level"),
    (79, "updated_at"),
];

const GIVEN: [&str; 8] = ["Ilya", "Anna", "José", "Zoë", "Мария", "Chen", "Fatima", "O'Neil"];
const FAMILY: [&str; 8] = ["Sorin", "Keller", "García", "Müller", "Иванова", "Wei", "Haddad", "Smith"];
const STEMS: [&str; 12] = [
    "annual_revenue",
    "credit_limit",
    "deal_stage",
    "lead_score",
    "owner",
    "industry_code",
    "billing_street",
    "is_active",
    "open_invoices",
    "last_activity_at",
    "description",
    "source_campaign",
];

/// The bytes.
pub(crate) fn page() -> Vec<u8> {
    let mut draw = Draw(0x9E37_79B9_7F4A_7C15);
    let mut text = String::from("{\"items\":[");
    for record in 0..RECORDS {
        text.push_str(if record == 0 { "{" } else { ",{" });
        for member in 0..80 {
            if member > 0 {
                text.push(',');
            }
            match WANTED.iter().find(|(position, _)| *position == member) {
                Some((_, name)) => wanted(&mut text, name, record, &mut draw),
                None => unwanted(&mut text, member, &mut draw),
            }
        }
        text.push('}');
    }
    text.push_str("],\"next_cursor\":\"c2\",\"total\":1000000}");
    text.into_bytes()
}

fn wanted(text: &mut String, name: &str, record: usize, draw: &mut Draw) {
    let pick = |draw: &mut Draw, words: &[&'static str]| words[draw.below(words.len())];
    let value = match name {
        "id" => format!("ct_{record:07}"),
        "full_name" => format!("{} {}", pick(draw, &GIVEN), pick(draw, &FAMILY)),
        "email" => format!("person{record}.{}@customer{}.example", draw.below(9999), draw.below(97)),
        "phone" => format!("+7916{:07}", draw.below(9_999_999)),
        "city" => pick(draw, &["Berlin", "Самара", "Torino", "Lyon", "Haifa", "Jakarta"]).to_owned(),
        "language" => pick(draw, &["de", "ru", "it", "fr", "he", "id"]).to_owned(),
        "service_level" => pick(draw, &["gold", "silver", "standard"]).to_owned(),
        _ => format!("2026-{:02}-{:02}T09:{:02}:00Z", 1 + draw.below(12), 1 + draw.below(28), draw.below(60)),
    };
    let _ = write!(text, "\"{name}\":\"{value}\"");
}

fn unwanted(text: &mut String, member: usize, draw: &mut Draw) {
    let _ = write!(text, "\"{}_{member}\":", STEMS[member % STEMS.len()]);
    let _ = match member % 12 {
        0 => write!(text, "{}.{:02}", draw.below(9_999_999), draw.below(100)),
        1 => write!(text, "{}", draw.below(100_000)),
        2 => write!(text, "\"stage_{}\"", draw.below(9)),
        3 => write!(text, "null"),
        4 => write!(
            text,
            "{{\"id\":{},\"name\":\"Clerk {}\",\"email\":\"clerk{}@own.example\"}}",
            draw.below(900),
            draw.below(90),
            draw.below(90)
        ),
        5 => write!(text, "\"{:05}\"", draw.below(99_999)),
        6 => write!(text, "\"Hauptstraße {}\"", draw.below(200)),
        7 => write!(text, "{}", draw.below(2) == 0),
        8 => write!(text, "[{{\"no\":{},\"sum\":\"{}.00\"}}]", draw.below(99_999), draw.below(9_999)),
        9 => write!(text, "\"2026-11-{:02}T08:00:00.000Z\"", 1 + draw.below(28)),
        10 => write!(text, "\"Said \\\"call me\\\"\\n\\u0442 {}\"", draw.below(9_999)),
        _ => write!(text, "\"\""),
    };
}

/// A small generator of numbers (xorshift), so that the bytes are the same everywhere.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}
