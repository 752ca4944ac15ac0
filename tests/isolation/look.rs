//! Where markers are looked for, and the proofs that looking works.

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dev_kit::TRYTON_DATABASE;
use marker_search::{Hit, Searcher};
use system_tests::desk::Desk;
use system_tests::markers::{MarkerList, Pattern};
use system_tests::memory;
use system_tests::places::{Place, answers, files, joined};

use crate::flow::Story;
use crate::outputs;

/// Shorter ones are met by chance: "No" is a name, too.
const CARD_VALUE_BYTES_MIN: usize = 8;

/// Each marker really is in what the CRM answers to somebody who asks for everything.
pub(crate) fn crm_serves_its_markers(desk: &mut Desk) -> Result<()> {
    let crm = desk.crm();
    let mut served = String::new();
    if let Some(tryton) = desk.stack().tryton() {
        let context = STANDARD.encode(r#"{"company": 1, "companies": [1]}"#);
        let all = crm.with_bearer(&tryton.facts().admin_key);
        for path in [
            "party.party?s=200&f=name&f=bank_accounts.numbers.number&f=credit_limit_amount&f=contact_mechanisms.value\
             &f=contact_mechanisms.comment",
            "sale.opportunity?s=200&f=description&f=comment&f=amount",
        ] {
            let path = format!("/{TRYTON_DATABASE}/rest/model/{path}");
            served += &all.send("GET", &path, &[("x-tryton-context", &context)], b"")?.text();
        }
    } else {
        for list in ["contacts", "companies", "deals", "invoices", "notes"] {
            let mut cursor = String::new();
            loop {
                let page = crm.get(&format!("/api/v1/{list}?limit=200{cursor}"))?;
                served += &page.text();
                let Some(next) = page.json()["next_cursor"].as_str().map(str::to_owned) else { break };
                cursor = format!("&cursor={next}");
            }
        }
    }
    // Bank accounts are listed with and without spaces, and served in one of both ways.
    let packed = served.replace(' ', "");
    let is_missing = |value: &str| !served.contains(value) && !packed.contains(&value.replace(' ', ""));
    let missing: Vec<_> = desk.markers.markers.iter().filter(|marker| is_missing(&marker.value)).collect();
    ensure!(missing.is_empty(), "{} markers are not served by the CRM: {:?}", missing.len(), missing.first());
    Ok(())
}

/// Everything that was written or answered on this side of the CRM.
pub(crate) fn places(desk: &Desk, story: &Story) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for service in ["ticket-service", "crm-bridge"] {
        for file in files(&desk.home(service))? {
            places.push(Place { name: format!("{service}/{}", file.name), ..file });
        }
        let log = std::fs::read(desk.log(service))?;
        places.push(Place { name: format!("{service}, log"), bytes: log });
    }
    places.extend(answers("ticket service", &desk.front.tape()));
    places.extend(answers("bridge", &desk.between.tape()));
    if let Some(folder) = &story.seen {
        for file in files(folder)? {
            places.push(Place { name: format!("browser/{}", file.name), ..file });
        }
    }
    places.extend(story.outputs.iter().cloned());
    Ok(places)
}

/// Everything that is found, without what an operator typed in the places where it may be.
pub(crate) fn hits(desk: &mut Desk, story: &Story, places: &[Place]) -> Result<Vec<Hit>> {
    let all = Searcher::new(desk.markers.patterns());
    // A bank account is listed twice, with and without spaces.
    let packed = |value: &str| value.replace(' ', "");
    let is_typed = |value: &str| story.typed.iter().any(|typed| packed(&typed.value) == packed(value));
    let not_typed = desk.markers.markers.iter().filter(|marker| !is_typed(&marker.value)).cloned();
    let not_typed = MarkerList { fields: desk.markers.fields.clone(), markers: not_typed.collect() };
    let not_typed = Searcher::new(not_typed.patterns());
    let mut hits = Vec::new();
    for place in places {
        // The search box shows what was typed into it.
        let searcher = if place.name.starts_with("browser/") { &not_typed } else { &all };
        hits.extend(searcher.find(&place.name, &place.bytes));
    }
    hits.extend(memory::search(desk.pid("ticket-service")?, &not_typed)?.hits);
    Ok(hits)
}

/// What the ticket service certainly holds in its memory is found there.
fn memory_can_be_searched(desk: &mut Desk) -> Result<()> {
    let held = desk.between.address();
    let pattern = Pattern { bytes: held.clone().into_bytes(), means: "the bridge's address".to_owned() };
    let looked = memory::search(desk.pid("ticket-service")?, &Searcher::new(vec![pattern]))?;
    ensure!(looked.bytes > 10_000_000, "the ticket service has only {} bytes of memory", looked.bytes);
    let in_data =
        looked.hits.iter().any(|hit| hit.place.contains("[heap]") || hit.place.contains("[anonymous]"));
    ensure!(in_data, "{held} is not found where the ticket service keeps its data");
    Ok(())
}

/// The suite's verdict.
pub(crate) fn nothing_came_through(desk: &mut Desk, story: &Story) -> Result<()> {
    let places = places(desk, story)?;
    what_may_pass_was_seen_to_pass(story, &places)?;
    what_passed_did_not_stay(story, &places)?;
    a_planted_marker_is_found(desk, &places)?;
    memory_can_be_searched(desk)?;
    names_of_secret_fields_are_absent(desk, &places)?;
    let hits = hits(desk, story, &places)?;
    if let Some(first) = hits.first() {
        let where_found: std::collections::BTreeSet<_> = hits.iter().map(|hit| hit.place.as_str()).collect();
        bail!("{} markers came through, in {where_found:?}; the first: {first:?}", hits.len());
    }
    Ok(())
}

/// A search that looks at nothing finds nothing: the allowed values must be there, and every kind of place.
fn what_may_pass_was_seen_to_pass(story: &Story, places: &[Place]) -> Result<()> {
    let mut expected = vec![
        "ticket-service/data.db",
        "crm-bridge/data.db",
        "ticket-service, log",
        "crm-bridge, log",
        "to GET /metrics",
        "ticket-service/attachments",
        "to GET /api/openapi.json",
    ];
    if story.seen.is_some() {
        expected.push("browser/");
    }
    for part in expected {
        let bytes: usize =
            places.iter().filter(|place| place.name.contains(part)).map(|place| place.bytes.len()).sum();
        ensure!(bytes > 0, "nothing was read of {part}");
    }
    let contains = |part: &str, text: &str| {
        let bytes = joined(places, part);
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    if !story.outputs.is_empty() {
        outputs::were_used(&story.outputs)?;
        ensure!(contains("GET /api/v1/oversight/looks HTTP", "cus_"), "supervisors saw no looks");
        ensure!(
            !joined(places, "crm-bridge/data-sync.db").is_empty(),
            "nothing was read of what follows the CRM"
        );
    }
    for value in &story.customer.on_the_card {
        ensure!(contains("/card HTTP", value), "{value} was never on a card");
        ensure!(contains("POST /v1/card", value), "{value} never passed between the services");
        ensure!(story.seen.is_none() || contains("browser/", value), "{value} was never on the screen");
    }
    ensure!(
        contains("ticket-service/data.db", "The line stops after ten minutes"),
        "the request is not in the database"
    );
    Ok(())
}

/// Even what may be shown is not kept by the ticket service, nor in clear by the bridge, nor by the browser.
fn what_passed_did_not_stay(story: &Story, places: &[Place]) -> Result<()> {
    let values = story.customer.on_the_card.iter().chain([&story.customer.phone]);
    let pattern =
        |value: &String| Pattern { bytes: value.clone().into_bytes(), means: "a value of a card".to_owned() };
    let values = values.filter(|value| value.len() >= CARD_VALUE_BYTES_MIN).map(pattern);
    let searcher = Searcher::new(values.collect());
    ensure!(!searcher.is_empty(), "no value of a card is long enough to look for");
    for place in places {
        let keeps = ["ticket-service", "crm-bridge", "browser/storage"]
            .iter()
            .any(|part| place.name.starts_with(part));
        let metrics = place.name.contains("GET /metrics");
        let given = story.outputs.iter().any(|output| output.name == place.name);
        let never = keeps || metrics || given;
        if let Some(hit) = searcher.find(&place.name, &place.bytes).first().filter(|_| never) {
            bail!("a value of a card stayed behind: {hit:?}");
        }
    }
    Ok(())
}

/// Each kind of place, with a marker put into a copy of it, is found to be dirty.
fn a_planted_marker_is_found(desk: &Desk, places: &[Place]) -> Result<()> {
    let searcher = Searcher::new(desk.markers.patterns());
    ensure!(searcher.len() > 10 * desk.markers.markers.len(), "only {} spellings", searcher.len());
    let marker = desk.markers.markers.last().context("no markers")?;
    for place in places {
        let middle = place.bytes.len() / 2;
        let (before, after) = place.bytes.split_at(middle);
        let planted = [before, marker.value.as_bytes(), after].concat();
        ensure!(!searcher.find("copy", &planted).is_empty(), "a marker in {} is not found", place.name);
    }
    Ok(())
}

/// Neither do the names of fields come through that nobody but the CRM has words for.
fn names_of_secret_fields_are_absent(desk: &Desk, places: &[Place]) -> Result<()> {
    let own_words = ["deals", "invoices", "pipeline", "quota", "birthday", "probability", "owner_id", "iban"];
    let names = desk.markers.fields.iter().filter(|name| !own_words.contains(&name.as_str()));
    let pattern =
        |name: &String| Pattern { bytes: name.clone().into_bytes(), means: "the name of a field".to_owned() };
    let searcher = Searcher::new(names.map(pattern).collect());
    ensure!(!searcher.is_empty(), "no names of fields");
    for place in places {
        // The bridge knows the names that it refuses; requests of this test name them, too.
        let asked_for =
            place.name.contains("HTTP/1.1") && joined(std::slice::from_ref(place), "fields=").len() > 1;
        let told = place.name.starts_with("ticket service: answer 2")
            || place.name.starts_with("ticket-service/data.db");
        if let Some(hit) = searcher.find(&place.name, &place.bytes).first().filter(|_| told && !asked_for) {
            bail!("the name of a secret field came through: {hit:?}");
        }
    }
    Ok(())
}
