//! The ticket service: lists, tickets, search, opening tickets.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use dev_kit::{Client, Stack};
use serde_json::json;

use super::request::{get, in_turn, post};
use super::{Bench, Question, aims};

/// Pages that are walked to get to a deep one, of 100 tickets each.
const DEPTH_PAGES: usize = 100;
/// Tickets that are opened in turn.
const OPENED: usize = 2000;
/// A word that one ticket has.
const RARE: &str = "zanzibarite";
const PLACEHOLDER: &str = "0000000000";

/// Somebody who is signed in, as header lines.
pub(super) fn session(stack: &Stack, role: &str) -> Result<(Client, String)> {
    let client = stack.signed_in(role)?;
    let cookie = client.cookie().context("signing in gave no cookie")?;
    let headers = format!("cookie: {cookie}\r\nsec-fetch-site: same-origin\r\n");
    Ok((client, headers))
}

/// Everything that only reads.
pub(super) fn measure(bench: &mut Bench<'_>, stack: &mut Stack) -> Result<()> {
    let pid = stack.tickets().map(|service| service.pid());
    let stack = &*stack;
    let url = stack.tickets_url();
    bench.floor("ticket-service", pid, url)?;
    let (operator, operator_headers) = session(stack, "line1")?;
    let (_, supervisor_headers) = session(stack, "supervisor")?;
    let deep = DeepPage::walk(&operator)?;
    let all = "/api/v1/tickets?view=all&limit=50";
    let lists = [
        ("list: inbox, first line", &operator_headers, "/api/v1/tickets?view=inbox&limit=50".to_owned()),
        ("list: all that a first-line operator sees", &operator_headers, all.to_owned()),
        ("list: the same, 10,000 tickets down", &operator_headers, format!("{all}&cursor={}", deep.cursor)),
        ("list: the same, by priority", &operator_headers, format!("{all}&sort=priority")),
        ("list: all, supervisor", &supervisor_headers, all.to_owned()),
    ];
    for (name, headers, path) in lists {
        let request = get(url, &path, headers)?;
        let question = Question { name, url, status: 200, connections: &[1, 8], aim: Some(aims::READING) };
        bench.ask(&question, &mut |_, buffer| buffer.extend_from_slice(&request))?;
    }
    for (name, tail) in
        [("open ticket: `GET /tickets/{number}`", ""), ("open ticket: its messages", "/messages")]
    {
        let requests = deep
            .numbers
            .iter()
            .take(OPENED)
            .map(|number| get(url, &format!("/api/v1/tickets/{number}{tail}"), &operator_headers));
        let requests = requests.collect::<Result<Vec<_>>>()?;
        let question = Question { name, url, status: 200, connections: &[1, 8], aim: Some(aims::READING) };
        bench.ask(&question, &mut in_turn(&requests))?;
    }
    search(bench, &operator, &operator_headers, url)
}

fn search(bench: &mut Bench<'_>, operator: &Client, headers: &str, url: &str) -> Result<()> {
    let rare = json!({
        "subject": format!("A ticket about {RARE}"), "text": "The only one.",
        "requester": { "name": "Rita Rare", "email": "rita@bench.example" },
    });
    operator.post("/api/v1/tickets", &rare)?;
    let cases = [
        ("search: a word in one ticket", RARE),
        ("search: a word in every twelfth ticket", "beeps"),
        ("search: two words", "warehouse+scanner"),
    ];
    for (name, words) in cases {
        let path = format!("/api/v1/search?q={words}&limit=50");
        if operator.get(&path)?["items"].as_array().is_none_or(Vec::is_empty) {
            bail!("searching for {words} finds nothing");
        }
        let request = get(url, &path, headers)?;
        let question = Question { name, url, status: 200, connections: &[1, 8], aim: None };
        bench.ask(&question, &mut |_, buffer| buffer.extend_from_slice(&request))?;
    }
    Ok(())
}

/// Opening tickets, each on the disk before it is answered. Each also looks up its customer, in the background.
pub(super) fn measure_creating(bench: &mut Bench<'_>, stack: &mut Stack) -> Result<()> {
    let pid = stack.tickets().map(|service| service.pid());
    let stack = &*stack;
    let url = stack.tickets_url();
    bench.floor("ticket-service", pid, url)?;
    let (_, headers) = session(stack, "line1")?;
    let headers = format!("{headers}idempotency-key: bench-{PLACEHOLDER}\r\n");
    let body = json!({
        "subject": "The coupling on unit 16 is stuck",
        "text": "We tried to switch it off and on again, without success. Could you tell us what we should try next?",
        "requester": { "name": "Ilya Sorin", "email": format!("ilya-{PLACEHOLDER}@bench.example") },
        "tags": ["hardware"],
    });
    let mut template = post(url, "/api/v1/tickets", &headers, &body.to_string())?;
    let places = places_of(PLACEHOLDER.as_bytes(), &template);
    // Numbers begin anew with each number of connections, keys must not.
    let mut written = 0_u64;
    let question = Question {
        name: "create ticket, durable",
        url,
        status: 201,
        connections: &[1, 8, 32],
        aim: Some(aims::CREATING),
    };
    bench.ask(&question, &mut |_, buffer| {
        written += 1;
        let number = format!("{written:0width$}", width = PLACEHOLDER.len());
        for place in &places {
            if let Some(part) = template.get_mut(place.clone()) {
                part.copy_from_slice(number.as_bytes());
            }
        }
        buffer.extend_from_slice(&template);
    })?;
    Ok(())
}

fn places_of(what: &[u8], text: &[u8]) -> Vec<Range<usize>> {
    let starts = text.windows(what.len()).enumerate().filter(|(_, window)| *window == what);
    starts.map(|(start, _)| start..start + what.len()).collect()
}

/// A page far down the list, and the numbers that were seen on the way.
struct DeepPage {
    cursor: String,
    numbers: Vec<i64>,
}

impl DeepPage {
    fn walk(operator: &Client) -> Result<Self> {
        let mut page = Self { cursor: String::new(), numbers: Vec::new() };
        for _ in 0..DEPTH_PAGES {
            let cursor =
                if page.cursor.is_empty() { String::new() } else { format!("&cursor={}", page.cursor) };
            let answer = operator.get(&format!("/api/v1/tickets?view=all&limit=100{cursor}"))?;
            let items = answer["items"].as_array().context("the list has no items")?;
            page.numbers.extend(items.iter().filter_map(|item| item["number"].as_i64()));
            match answer["next_cursor"].as_str() {
                Some(next) => page.cursor = next.to_owned(),
                None => break,
            }
        }
        // Not neighbours: opening tickets reads pages of the database from all over.
        let step = (page.numbers.len() / OPENED).max(1);
        page.numbers = page.numbers.into_iter().step_by(step).collect();
        Ok(page)
    }
}
