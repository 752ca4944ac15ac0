//! Leaks that types and tables hold: there is no code to take away, so what they have no room for is tried and counted.

use bridge_contract::{TicketEvent, ViewerRole};
use crm_bridge::MIGRATIONS;
use db_kit::schema_report;
use db_kit::testing::{TestDatabase, block_on};
use serde_json::{Value, json};

use super::{Held, known, of_the_ticket_service};

/// What the bridge keeps of a ticket, in full.
const OF_A_TICKET: &[&str] = &[
    "created_at",
    "customer_ref",
    "line",
    "priority",
    "public_messages",
    "rating",
    "resolved_at",
    "sequence",
    "status",
    "subject",
    "ticket",
    "updated_at",
];
const OF_THE_FEED: &[&str] = &["at", "change", "seq"];

fn event() -> Value {
    json!({
        "version": 1, "ticket": 1, "sequence": 1, "at": "2026-11-21T09:00:00Z",
        "news": { "kind": "changed", "change": "opened", "customer_ref": "cus_0193aabb", "summary": {
            "subject": "Coupling stuck", "status": "new", "priority": "normal", "line": 1,
            "created_at": "2026-11-21T08:00:00Z", "updated_at": "2026-11-21T09:00:00Z", "public_messages": 1,
        }},
    })
}

/// Whether the contract takes no event with more in it than an event has, and no role that is no viewer.
fn contract_holds() -> bool {
    assert!(serde_json::from_value::<TicketEvent>(event()).is_ok(), "not even a right one");
    let places: [&[&str]; 3] = [&[], &["news"], &["news", "summary"]];
    let words = ["note", "messages", "operator", "assignee", "text", "tags", "requester"];
    let refused = places.iter().flat_map(|place| words.map(|word| (place, word))).all(|(place, word)| {
        let mut event = event();
        let mut at = &mut event;
        for step in *place {
            at = &mut at[*step];
        }
        at[word] = "internal".into();
        serde_json::from_value::<TicketEvent>(event).is_err()
    });
    refused && serde_json::from_str::<ViewerRole>("\"admin\"").is_err()
}

/// Whether the tables of tickets and feed have the columns above and no others.
fn columns_hold() -> bool {
    let report =
        block_on(async { TestDatabase::sqlite(&MIGRATIONS).await.read(schema_report).await.unwrap() });
    let columns = |table: &str| {
        let mut names: Vec<String> = report[table].keys().cloned().collect();
        names.sort_unstable();
        names
    };
    let mut feed: Vec<&str> = OF_A_TICKET.iter().chain(OF_THE_FEED).copied().collect();
    feed.sort_unstable();
    columns("tickets") == OF_A_TICKET && columns("ticket_feed") == feed
}

/// What is held so.
pub(super) fn leaks() -> Vec<Held> {
    let holding = [("contract", contract_holds()), ("columns", columns_hold())];
    let by = holding.into_iter().filter(|(_, holds)| *holds).map(|(id, _)| id.to_owned());
    let internals = Held {
        id: "internals_of_a_ticket".to_owned(),
        says: "Messages, internal notes and names of operators, told to the CRM. Held by types and tables alone.".to_owned(),
        held_alone_by: by.collect(),
    };
    vec![internals, of_the_ticket_service()]
}

#[test]
fn types_and_tables_have_no_room_for_what_is_internal() {
    for measured in leaks() {
        let known = known().leaks.into_iter().find(|known| known.id == measured.id);
        assert_eq!(Some(measured), known);
    }
}
