//! Everything that leaves beside the helpdesk's own pages: what the CRM reads and is told, what supervisors and auditors
//! get, what the commands print, and the copy of the customer base.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use dev_kit::CrmKind;
use marker_search::{Pattern, Searcher};
use serde_json::json;
use system_tests::api::Api;
use system_tests::crm_side::{Receiver, Way, bridge, said};
use system_tests::desk::{Desk, Setup, programs};
use system_tests::places::{Place, answers, files, joined};
use system_tests::proxy::Proxy;
use system_tests::wait;

use crate::flow::{Story, linked, write_in};

/// In an internal note, and nowhere else.
const NOTE: &str = "INTERNAL-NOTE-91d2 the customer is on the watch list";
/// The subject that the CRM may read.
const SUBJECT: &str = "Coupling stuck again";
/// Why the policy of the last test copies everybody.
const COPY: &str = "copy = \"customers phone in and the CRM is away at night\"\n\n[person.name]";

/// Uses all of it once, with a CRM that sends everything. The bridge is started anew, with a listener for the CRM.
pub(crate) fn use_them(desk: &mut Desk, way: &Way, story: &mut Story) -> Result<()> {
    let receiver = Receiver::start()?;
    let crm_api = way.listen(desk, "activities = true")?;
    let door = Proxy::start()?;
    door.lead_to(&crm_api)?;
    said(bridge(desk)?.args(["crm-webhooks", "add", &receiver.url]))?;
    let crm = Api::new(&door.address()).with_bearer(&way.key(desk)?);
    desk.crm_behaves(&json!({"ignore_fields": true}))?;
    let ticket = a_ticket_with_a_note(desk, story)?;
    let told = || Ok(receiver.types_of(&ticket.into()));
    wait::until("the receiver is told", told, |events| events.len() >= 2)?;
    the_crm_asks(desk, &crm, &crm_api, &door, (story, ticket))?;
    story.outputs.extend(answers("CRM API", &door.tape()));
    story.outputs.push(place("webhooks", receiver.all().join("\n")));
    story.outputs.push(place("activities in the CRM", activities(desk)?));
    supervisors_look(desk)?;
    audits(desk, story)?;
    commands(desk, story)?;
    desk.crm_behaves(&json!({}))?;
    nothing_internal(desk, story)
}

fn place(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Place {
    Place { name: name.into(), bytes: text.into() }
}

fn a_ticket_with_a_note(desk: &Desk, story: &Story) -> Result<i64> {
    let anna = desk.operator("anna")?;
    let ticket = write_in(desk, &story.customer.email, SUBJECT)?;
    ensure!(linked(&anna, ticket)? == "linked", "not linked");
    let messages = format!("/api/v1/tickets/{ticket}/messages");
    anna.post(&messages, &json!({"kind": "note", "text": NOTE}))?.expect(201)?;
    let answer =
        json!({"kind": "answer", "text": "Please restart the unit.", "then_status": "waiting_customer"});
    anna.post(&messages, &answer)?.expect(201)?;
    Ok(ticket)
}

fn the_crm_asks(
    desk: &Desk,
    crm: &Api,
    crm_api: &str,
    door: &Proxy,
    (story, ticket): (&Story, i64),
) -> Result<()> {
    let customer = format!("/v1/customers/{}", story.customer.id);
    for path in [
        format!("{customer}/tickets"),
        format!("{customer}/tickets/{ticket}"),
        "/v1/events?limit=100".to_owned(),
        "/api/openapi.json".to_owned(),
    ] {
        crm.get(&path)?.expect(200).with_context(|| path)?;
    }
    for path in [
        format!("{customer}/tickets?fields=messages"),
        format!("{customer}/tickets/{ticket}/messages"),
        customer.clone(),
        "/v1/customers".to_owned(),
        "/v1/customers/nobody/tickets/1".to_owned(),
    ] {
        let answer = crm.get(&path)?;
        ensure!(answer.status >= 400, "{path} was answered {}", answer.text());
    }
    let order = json!({"subject": "Asked by phone", "text": "When does the fitter come?",
        "requester": {"name": "Sales desk", "email": "sales@firm.example"}});
    let key = [("idempotency-key", "isolation-order")];
    crm.call("POST", &format!("{customer}/tickets"), &key, &order)?.expect(201)?;
    let wish = json!({"customer_id": story.customer.id});
    let url = crm.post("/v1/panel-urls", &wish)?.expect(200)?["url"].as_str().unwrap_or_default().to_owned();
    let link = url.strip_prefix(crm_api).context("the link leads elsewhere")?;
    let page = Api::new(&door.address()).get(link)?;
    ensure!(page.status == 200 && page.text().contains(SUBJECT), "{}", page.text());
    let stranger = desk.customer(3)?;
    crm.get(&format!("/v1/customers/{}/tickets", stranger.id))?;
    Ok(())
}

/// What the bridge has written into the CRM.
fn activities(desk: &Desk) -> Result<String> {
    let list = || Ok(desk.crm().get("/api/v1/activities")?.text());
    wait::until("the CRM has an activity", list, |text| text.contains(SUBJECT))
}

fn supervisors_look(desk: &Desk) -> Result<()> {
    let sofia = desk.operator("sofia")?;
    for path in ["looks", "budgets", "anomalies", "notices"] {
        sofia.get(&format!("/api/v1/oversight/{path}"))?.expect(200)?;
    }
    for path in ["looks?fields=person.phone", "looks?q=iban", "customers"] {
        let answer = sofia.get(&format!("/api/v1/oversight/{path}"))?;
        ensure!(answer.status >= 400, "{path} was answered {}", answer.text());
    }
    Ok(())
}

fn tickets(desk: &mut Desk) -> Result<Command> {
    let mut command = Command::new(programs()?.join("ticket-service"));
    command
        .arg("--config")
        .arg(desk.stack().config("ticket-service"))
        .current_dir(desk.home("ticket-service"));
    Ok(command)
}

/// What an auditor is given of both logs.
fn audits(desk: &mut Desk, story: &mut Story) -> Result<()> {
    std::fs::create_dir_all(desk.scratch())?;
    for service in ["crm-bridge", "ticket-service"] {
        let file = desk.scratch().join(format!("{service}.audit"));
        let mut command = if service == "crm-bridge" { bridge(desk)? } else { tickets(desk)? };
        said(command.args(["audit", "export", "--out"]).arg(&file))?;
        story.outputs.push(place(format!("audit export of {service}"), std::fs::read(&file)?));
    }
    Ok(())
}

/// What the bridge's commands print, to both streams, whether they succeed or not.
fn commands(desk: &mut Desk, story: &mut Story) -> Result<()> {
    for words in [
        "policy check",
        "policy explain",
        "policy explain --format html",
        "policy explain --format json",
        "policy dry-run --count 60",
        "policy dry-run --count 60 --format json",
        "policy history",
        "profile test",
        "profile list",
        "sync status",
        "audit verify",
        "check-config",
    ] {
        let output = bridge(desk)?.args(words.split(' ')).output()?;
        story.outputs.push(place(format!("command: {words}"), [output.stdout, output.stderr].concat()));
    }
    Ok(())
}

/// What was seen to leave: without it a search finds nothing anywhere.
pub(crate) fn were_used(outputs: &[Place]) -> Result<()> {
    for (part, text) in [
        ("CRM API: answer 200 to GET /v1/customers", SUBJECT),
        ("CRM API: answer 200 to GET /v1/events", SUBJECT),
        ("CRM API: answer 200 to POST /v1/panel-urls", "http"),
        ("CRM API: answer 201 to POST", "number"),
        ("webhooks", SUBJECT),
        ("activities in the CRM", SUBJECT),
        ("audit export of crm-bridge", "card"),
        ("audit export of ticket-service", "card"),
        ("command: policy explain", "person.name"),
        ("command: policy dry-run", "60"),
        ("command: profile test", "by_email"),
    ] {
        let bytes = joined(outputs, part);
        let there = bytes.windows(text.len()).any(|window| window == text.as_bytes());
        ensure!(there, "{part} has no {text}: {}", String::from_utf8_lossy(&bytes));
    }
    let silent = outputs.iter().find(|place| place.name.starts_with("command") && place.bytes.is_empty());
    ensure!(silent.is_none(), "a command printed nothing: {silent:?}");
    Ok(())
}

/// What is written for colleagues does not reach the CRM.
fn nothing_internal(desk: &Desk, story: &Story) -> Result<()> {
    let kept = joined(&files(&desk.home("ticket-service"))?, "data.db");
    ensure!(String::from_utf8_lossy(&kept).contains(NOTE), "the note is not even where it belongs");
    for place in &story.outputs {
        let text = String::from_utf8_lossy(&place.bytes);
        for word in ["INTERNAL-NOTE", "watch list", "restart the unit"] {
            ensure!(!text.contains(word), "{word} is in {}", place.name);
        }
    }
    Ok(())
}

/// A desk whose policy copies the customer base, and the bridge's files once the copy is there.
fn copied(without_walls: &[&'static str]) -> Result<(Desk, Vec<Place>)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("copying.toml");
    let policy = dev_kit::workspace::root().join("config/field-policy.toml");
    std::fs::write(&file, std::fs::read_to_string(policy)?.replacen("[person.name]", COPY, 1))?;
    let setup =
        Setup { without_walls: without_walls.to_vec(), policy: Some(file), ..Setup::with(CrmKind::Sandbox) };
    let mut desk = Desk::start(&setup)?;
    let status = || {
        let output = bridge(&mut desk)?.args(["sync", "status"]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let complete =
        |text: &String| text.lines().any(|line| line.starts_with("person") && line.contains("followed"));
    wait::until("everybody is copied", status, complete)?;
    desk.stack().stop_bridge()?;
    let places = files(&desk.home("crm-bridge"))?;
    Ok((desk, places))
}

fn names(desk: &Desk) -> Searcher {
    let names = desk.customers.iter().map(|customer| &customer.name).filter(|name| name.len() >= 10);
    let pattern = |name: &String| Pattern { bytes: name.clone().into_bytes(), means: "a name".to_owned() };
    Searcher::new(names.map(pattern).collect())
}

#[test]
fn nothing_but_the_listed_fields_is_copied_and_that_is_sealed() -> Result<()> {
    let (desk, places) = copied(&[])?;
    let copy: usize =
        places.iter().filter(|place| place.name.contains("sync")).map(|place| place.bytes.len()).sum();
    ensure!(copy > 60 * 200, "a copy of 60 customers has {copy} bytes");
    for (what, searcher) in [("a marker", Searcher::new(desk.markers.patterns())), ("a name", names(&desk))] {
        ensure!(!searcher.is_empty(), "nothing to look for");
        for place in &places {
            if let Some(hit) = searcher.find(&place.name, &place.bytes).first() {
                bail!("{what} is in the bridge's files: {hit:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn without_walls_names_and_markers_are_found_in_the_copy() -> Result<()> {
    let (desk, places) = copied(&["ask", "parse", "seal", "unsealed"])?;
    for searcher in [Searcher::new(desk.markers.patterns()), names(&desk)] {
        let found = places.iter().any(|place| !searcher.find(&place.name, &place.bytes).is_empty());
        ensure!(found, "the search finds nothing in an open copy");
    }
    Ok(())
}
