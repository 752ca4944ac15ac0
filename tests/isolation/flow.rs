//! A day at the desk: everything that customers, operators and programs can do, through the interface and in a browser.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use system_tests::api::{Api, query};
use system_tests::desk::{Customer, Desk};
use system_tests::markers::Marker;
use system_tests::places::Place;
use system_tests::{browser, wait};

/// What was done, and what must therefore be seen or not be seen.
pub(crate) struct Story {
    /// The ticket of a customer whom the CRM knows.
    pub(crate) ticket: i64,
    /// That customer.
    pub(crate) customer: Customer,
    /// Markers that an operator typed into the search: they were in requests, and so in the service's memory.
    pub(crate) typed: Vec<Marker>,
    /// Where the browser wrote what it saw; none if no browser was used.
    pub(crate) seen: Option<PathBuf>,
    /// What the CRM, supervisors, auditors and commands were given; none if they were not asked.
    pub(crate) outputs: Vec<Place>,
}

/// The whole flow.
pub(crate) fn work(desk: &mut Desk) -> Result<Story> {
    let mut story = through_the_interface(desk)?;
    story.seen = Some(through_the_browser(desk, &story)?);
    Ok(story)
}

/// The flow without the browser.
pub(crate) fn through_the_interface(desk: &mut Desk) -> Result<Story> {
    let customer = desk.busiest()?.clone();
    let anna = desk.operator("anna")?;
    let ticket = write_in(desk, &customer.email, "Coupling stuck")?;
    ensure!(linked(&anna, ticket)? == "linked", "the bridge does not know {}", customer.email);
    let story = Story { ticket, customer, typed: typed(desk), seen: None, outputs: Vec::new() };
    look_around(&anna, &story)?;
    see_the_card(&anna, &story)?;
    several_and_nobody(desk, &anna)?;
    answer_and_note(&anna, ticket)?;
    other_roles(desk, &anna, ticket)?;
    by_program(desk, ticket)?;
    public_pages(desk)?;
    Ok(story)
}

/// A customer fills in the public form; returns the ticket's number.
pub(crate) fn write_in(desk: &Desk, email: &str, subject: &str) -> Result<i64> {
    let text = "The line stops after ten minutes. Since yesterday.";
    let form = json!({"name": "A visitor", "email": email, "subject": subject, "text": text,
        "website": "", "opened_at": "2026-01-01T00:00:00Z"});
    let made = desk.visitor().post("/api/v1/public/requests", &form)?.expect(201)?;
    made["number"].as_i64().context("no number")
}

/// Waits until the bridge has said who it is, and returns the state.
pub(crate) fn linked(operator: &Api, ticket: i64) -> Result<String> {
    let look =
        || Ok(operator.get(&format!("/api/v1/tickets/{ticket}"))?.expect(200)?["customer"]["state"].clone());
    let state = wait::until("the customer is looked up", look, |state| state != "pending")?;
    Ok(state.as_str().unwrap_or_default().to_owned())
}

/// One marker of each kind.
fn typed(desk: &Desk) -> Vec<Marker> {
    let kinds = ["text", "amount", "iban", "phone"];
    kinds
        .iter()
        .filter_map(|kind| desk.markers.markers.iter().find(|marker| marker.kind == *kind))
        .cloned()
        .collect()
}

fn look_around(anna: &Api, story: &Story) -> Result<()> {
    let paths = [
        "session",
        "tickets",
        "tickets?view=all&sort=created&dir=asc",
        "tickets?view=mine",
        "tickets?view=line1&limit=1",
        "counters",
        "queues",
        "operators",
        "tags?prefix=a",
        "search?q=coupling",
        "search?q=visitor",
    ];
    for path in paths {
        anna.get(&format!("/api/v1/{path}"))?.expect(200)?;
    }
    // Somebody who knows a secret of the CRM learns nothing by searching for it, nor by naming a field.
    let words = story.typed.iter().map(|marker| marker.value.clone());
    for word in words.chain(["credit limit", "iban", "invoice"].map(str::to_owned)) {
        let found = anna.get(&format!("/api/v1/search?q={}", query(&word)))?.expect(200)?;
        ensure!(found["items"].as_array().is_some_and(Vec::is_empty), "a search for {word} found {found}");
    }
    for path in
        ["tickets?sort=credit_limit", "tickets?amount=1", "tickets?fields=iban", "search?q=a&fields=deals"]
    {
        let answer = anna.get(&format!("/api/v1/{path}"))?;
        ensure!(answer.status == 422 || answer.status == 400, "{path} was answered {}", answer.status);
    }
    Ok(())
}

/// The card of a ticket.
pub(crate) fn card(operator: &Api, ticket: i64) -> Result<Value> {
    let answer = operator.get(&format!("/api/v1/tickets/{ticket}/card"))?;
    ensure!(answer.header("cache-control").contains("no-store"), "a card may be kept by caches");
    answer.expect(200)
}

/// One field of a card.
pub(crate) fn field<'a>(card: &'a Value, key: &str) -> &'a Value {
    let fields = card["card"]["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    fields.iter().find(|field| field["key"] == key).map_or(&Value::Null, |field| &field["value"])
}

fn see_the_card(anna: &Api, story: &Story) -> Result<()> {
    let ticket = story.ticket;
    let shown = card(anna, ticket)?;
    ensure!(field(&shown, "person.name")["value"] == story.customer.name.as_str(), "no name on {shown}");
    ensure!(field(&shown, "person.phone")["kind"] == "masked", "line 1 sees the phone: {shown}");
    let reveal =
        |key: &str| anna.post(&format!("/api/v1/tickets/{ticket}/card/reveal"), &json!({"key": key}));
    let revealed = reveal("person.phone")?.expect(200)?;
    ensure!(revealed.to_string().contains(&story.customer.phone), "{revealed}");
    for key in
        ["person.city", "company.iban", "person.amount", "deals.amount", "person.lead_score", "../deals", ""]
    {
        let answer = reveal(key)?;
        ensure!((400..500).contains(&answer.status), "{key} was revealed: {}", answer.text());
        answer.problem()?;
    }
    for path in ["card?fields=deals", "card/deals", "deals", "customer", "invoices"] {
        let answer = anna.get(&format!("/api/v1/tickets/{ticket}/{path}"))?;
        ensure!(answer.status != 200 || path.starts_with("card?"), "there is a {path}: {}", answer.text());
    }
    Ok(())
}

fn several_and_nobody(desk: &Desk, anna: &Api) -> Result<()> {
    let (one, other) = desk.sharing_a_phone()?;
    let call = json!({"subject": "Called about a password", "text": "Please call back.",
        "requester": {"name": "Somebody on the phone", "email": "unknown@caller.example", "phone": one.phone}});
    let made = anna.post("/api/v1/tickets", &call)?.expect(201)?;
    let ticket = made["number"].as_i64().context("no number")?;
    ensure!(linked(anna, ticket)? == "several", "one phone, two customers, and yet not several");
    let candidates = card(anna, ticket)?;
    let text = candidates.to_string();
    ensure!(text.contains(&one.name) && text.contains(&other.name), "{text}");
    let choice = candidates["candidates"][0]["customer_ref"].clone();
    let put = |body: Value| anna.call("PUT", &format!("/api/v1/tickets/{ticket}/customer"), &[], &body);
    ensure!(
        put(json!({"customer_ref": "cus_00000000000000000000000000000000"}))?.status >= 400,
        "a foreign customer"
    );
    ensure!(put(json!({"customer_ref": choice}))?.status < 300, "the candidate can't be chosen");
    ensure!(card(anna, ticket)?["state"] == "card", "no card of the chosen candidate");
    anna.send("DELETE", &format!("/api/v1/tickets/{ticket}/customer"), &[], b"")?;
    let again = json!({"email": desk.busiest()?.email});
    anna.post(&format!("/api/v1/tickets/{ticket}/customer/resolve"), &again)?;
    ensure!(linked(anna, ticket)? == "linked", "looking up by another address finds nobody");
    card(anna, ticket)?;
    let stranger = write_in(desk, "stranger@nowhere.example", "A question")?;
    ensure!(linked(anna, stranger)? == "none", "the bridge knows a stranger");
    ensure!(card(anna, stranger)?["state"] == "none", "a stranger has a card");
    Ok(())
}

fn answer_and_note(anna: &Api, ticket: i64) -> Result<()> {
    let headers = [("content-type", "text/plain")];
    let file =
        anna.send("POST", "/api/v1/attachments?name=log.txt", &headers, b"line 1\nline 2\n")?.expect(201)?;
    let messages = format!("/api/v1/tickets/{ticket}/messages");
    let answer = json!({"kind": "answer", "html": "<p>Please try <b>again</b>.</p><script>alert(1)</script>",
        "attachment_ids": [file["id"]], "then_status": "waiting_customer"});
    let keyed = [("idempotency-key", "isolation-answer")];
    anna.call("POST", &messages, &keyed, &answer)?.expect(201)?;
    anna.call("POST", &messages, &keyed, &answer)?.expect(201)?;
    anna.post(&messages, &json!({"kind": "note", "text": "Third case this week."}))?.expect(201)?;
    let listed = anna.get(&messages)?.expect(200)?;
    ensure!(listed["items"].as_array().is_some_and(|items| items.len() == 3), "{listed}");
    let path = format!("/api/v1/attachments/{}", file["id"].as_str().unwrap_or_default());
    ensure!(anna.get(&path)?.body == b"line 1\nline 2\n", "the file is another");
    anna.call("PUT", &format!("/api/v1/tickets/{ticket}/presence"), &[], &json!({"state": "reading"}))?;
    Ok(())
}

fn other_roles(desk: &Desk, anna: &Api, ticket: i64) -> Result<()> {
    let path = format!("/api/v1/tickets/{ticket}");
    let now = anna.get(&path)?.expect(200)?;
    let changed =
        anna.change("PATCH", &path, &now["version"], &json!({"priority": "high", "tags": ["printer"]}))?;
    let changed = changed.expect(200)?;
    let reason = json!({"line": 2, "reason": "Needs the workshop", "tried": "Restart"});
    anna.change("POST", &format!("{path}/hand-over"), &changed["version"], &reason)?.expect(200)?;
    for (name, phone) in [("mia", "phone"), ("sofia", "phone")] {
        let operator = desk.operator(name)?;
        operator.get(&path)?.expect(200)?;
        ensure!(
            field(&card(&operator, ticket)?, "person.phone")["kind"] == phone,
            "{name} does not see the phone"
        );
        operator.get(&format!("{path}/history"))?.expect(200)?;
    }
    let admin = desk.operator("admin")?;
    ensure!(card(&admin, ticket)?["state"] == "withheld", "the administrator sees a card");
    let eero = desk.operator("eero")?;
    for place in [path.clone(), format!("{path}/card")] {
        ensure!(eero.get(&place)?.problem()? == "ticket_not_found", "line 3 sees {place}");
    }
    Ok(())
}

/// What a program can do with a key.
fn by_program(desk: &Desk, ticket: i64) -> Result<()> {
    let admin = desk.operator("admin")?;
    let key =
        json!({"name": "integration", "role": "supervisor", "scopes": ["tickets:read", "tickets:write"]});
    let made = admin.post("/api/v1/api-keys", &key)?.expect(201)?;
    let program = desk.visitor().with_bearer(made["secret"].as_str().context("no secret")?);
    for path in ["tickets?view=all", "search?q=coupling", &format!("tickets/{ticket}")] {
        program.get(&format!("/api/v1/{path}"))?.expect(200)?;
    }
    // A card is shown to people, on the record; never to a program.
    ensure!(program.get(&format!("/api/v1/tickets/{ticket}/card"))?.status == 403, "a program gets a card");
    Ok(())
}

fn public_pages(desk: &Desk) -> Result<()> {
    let visitor = desk.visitor();
    for path in [
        "/",
        "/request",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/api/docs/",
        "/api/openapi.json",
        "/none",
    ] {
        visitor.get(path)?;
    }
    let bridge = desk.bridge();
    for path in
        ["/health/live", "/health/ready", "/metrics", "/api/docs/", "/api/openapi.json", "/none", "/v1/card"]
    {
        bridge.get(path)?;
    }
    Ok(())
}

/// The same in a browser, behind the recording proxy.
fn through_the_browser(desk: &Desk, story: &Story) -> Result<PathBuf> {
    let folder = desk.scratch().join("browser");
    let person = |name: &str| {
        desk.sign_in_of(name).map(|(email, password)| json!({"email": email, "password": password}))
    };
    let orders = json!({
        "base": desk.front.address(), "line1": person("anna")?, "line2": person("mia")?, "admin": person("admin")?, "supervisor": person("sofia")?,
        "requester": story.customer.email, "name": story.customer.name, "shared_phone": desk.sharing_a_phone()?.0.phone,
        "search": story.typed.iter().map(|marker| &marker.value).collect::<Vec<_>>(),
    });
    browser::run("isolation/drive.mjs", &orders, &folder)?;
    Ok(folder)
}

/// Both services are stopped and started; what was stored is shown again.
pub(crate) fn after_a_restart(desk: &mut Desk, story: &Story) -> Result<()> {
    let stack = desk.stack();
    stack.stop_tickets()?;
    stack.stop_bridge()?;
    stack.start_bridge()?;
    stack.start_tickets()?;
    let mia = desk.operator("mia")?;
    ensure!(card(&mia, story.ticket)?["state"] == "card", "no card after a restart");
    let messages = mia.get(&format!("/api/v1/tickets/{}/messages", story.ticket))?.expect(200)?;
    ensure!(messages["items"].as_array().is_some_and(|items| items.len() >= 3), "{messages}");
    Ok(())
}
