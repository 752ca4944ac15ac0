//! Walls × leaks, measured. A leak is a way in which something could come to where it must not; each has a probe, which
//! tries it and says what came through. With the feature `sabotage` each probe is run
//!
//! - with all walls of that leak taken away: the leak must be seen, else the probe can't see it;
//! - with one of them standing alone, for each: whether it holds;
//! - with all standing: held.
//!
//! What comes out is `walls.json`, which `crm-bridge prove` prints for the data owner:
//!
//! `cargo nextest run -p crm-bridge --features sabotage leaks`, and with `GUICHET_WRITE_WALLS=1` to write it anew.

#[cfg(feature = "sabotage")]
mod asking;
#[cfg(feature = "sabotage")]
mod fields;
#[cfg(feature = "sabotage")]
mod keeping;
#[cfg(feature = "sabotage")]
mod looking;
#[cfg(feature = "sabotage")]
mod measure;
#[cfg(feature = "sabotage")]
mod sending;
mod types;

use std::collections::BTreeSet;

use crm_bridge::walls::Wall;
use serde::{Deserialize, Serialize};

/// Walls that no switch takes away. The first two are types and tables without room, measured by `types`; the others stand
/// in the ticket service.
const WITHOUT_SWITCH: [(&str, &str); 4] = [
    (
        "contract",
        "What the two services can say to each other is a closed list of types; anything else can't be read by the other one.",
    ),
    (
        "columns",
        "The bridge's database has no column in which a message, a note or an operator's name could stand.",
    ),
    ("reach", "Whatever the ticket service reads of tickets begins with those that concern the operator."),
    ("rule", "A ticket that was found is compared with the operator's line and tasks once more."),
];

/// Measured where its walls stand: in `ticket-service/tests/suite/leaks.rs`.
fn of_the_ticket_service() -> Held {
    Held {
        id: "ticket_out_of_reach".to_owned(),
        says: "A ticket and its customer's card, for an operator whom the ticket does not concern."
            .to_owned(),
        held_alone_by: vec!["reach".to_owned(), "rule".to_owned()],
    }
}

/// `walls.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    walls: Vec<Said>,
    leaks: Vec<Held>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    id: String,
    says: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    id: String,
    says: String,
    held_alone_by: Vec<String>,
}

fn known() -> Report {
    serde_json::from_str(include_str!("../../../src/walls.json")).unwrap()
}

fn walls() -> Vec<Said> {
    let coded = Wall::ALL.iter().map(|wall| (wall.id(), wall.says()));
    coded.chain(WITHOUT_SWITCH).map(|(id, says)| Said { id: id.to_owned(), says: says.to_owned() }).collect()
}

#[test]
fn every_leak_is_held_by_two_walls_at_least_and_every_wall_holds_one_alone() {
    let report = known();
    assert_eq!(report.walls, walls(), "write walls.json anew: see the top of tests/suite/leaks/mod.rs");
    let ids: BTreeSet<&str> = report.walls.iter().map(|wall| wall.id.as_str()).collect();
    assert_eq!(ids.len(), report.walls.len(), "two walls of one name");
    let mut holding = BTreeSet::new();
    for leak in &report.leaks {
        let by: BTreeSet<&str> = leak.held_alone_by.iter().map(String::as_str).collect();
        assert!(by.len() >= 2 && by.len() == leak.held_alone_by.len(), "{} is held by {by:?}", leak.id);
        assert!(by.is_subset(&ids), "{} is held by a wall that is none: {by:?}", leak.id);
        holding.extend(by);
    }
    assert_eq!(holding, ids, "a wall that holds nothing alone");
}
