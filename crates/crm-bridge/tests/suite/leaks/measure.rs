//! Runs the probes and compares what they say with `walls.json`.

use std::future::Future;
use std::pin::Pin;

use crm_bridge::walls::Wall;
use db_kit::testing::block_on;

use super::{Held, Report, asking, fields, keeping, known, looking, sending, types, walls};
use crate::support::Down;

/// What a probe says: nothing came through, or what did.
pub(super) type Outcome = Result<(), String>;
type Probe = fn(Down) -> Pin<Box<dyn Future<Output = Outcome>>>;

struct Leak {
    id: &'static str,
    says: &'static str,
    /// The walls that could hold it.
    walls: &'static [Wall],
    probe: Probe,
}

macro_rules! leaks {
    ($($id:ident [$($wall:ident)+] $module:ident $says:literal),+ $(,)?) => {
        fn leaks() -> Vec<Leak> {
            vec![$(Leak {
                id: stringify!($id),
                says: $says,
                walls: &[$(Wall::$wall),+],
                probe: |down| Box::pin($module::$id(down)),
            }),+]
        }

        mod each {$(
            #[test]
            fn $id() {
                super::is_as_known(stringify!($id));
            }
        )+}
    };
}

leaks! {
    unlisted_field [Ask Parse Exit] fields
        "A field that the policy does not list, of a customer whom support may see.",
    embedded_object [Ask Parse Exit] fields
        "Deals, invoices and notes that the CRM puts into a customer's record without being asked.",
    money_listed [Lexicon Type Exit] fields
        "A sum of money that a careless policy lists, sent as a number.",
    money_in_text [Type Tripwire Exit] fields
        "A sum of money that somebody wrote into a harmless field, such as the job title.",
    account_number [Type Tripwire Exit] fields
        "A bank account where a telephone number belongs.",
    card_number [Type Tripwire Exit] fields
        "A payment card in a customer's name.",
    long_text [Type Tripwire Exit] fields
        "A whole note in a field for a few words.",
    hidden_from_role [View Exit] fields
        "A field that another role may see.",
    unmasked [View Exit] fields
        "A masked value in clear.",
    revealed [View Exit] fields
        "A field that is asked for by name and may not be shown in clear.",
    filter_changed [Input Escape Hit Exit] asking
        "A customer found by an address that was written to change the question to the CRM.",
    stranger_found [Hit Exit] asking
        "A customer who does not have the address, from a CRM that searches loosely.",
    deleted_customer [Living Tombstone] asking
        "Somebody whom the CRM counts as deleted or merged and still finds, shown beside a new ticket.",
    other_record [Echo Identity] asking
        "The record of another customer than the one who was asked for.",
    redirected [Redirect Hosts Private] asking
        "The address that is looked up, sent on to another host by a redirect.",
    sent_elsewhere [Pin Hosts Private] asking
        "The CRM's key, sent to a host that the CRM names as the place of its next page.",
    word_of_error [Unread Closed] asking
        "What the CRM says in an error, in the log.",
    value_in_name [Names Tripwire] asking
        "A value that the CRM uses as the name of a member, in metrics and log.",
    forged_grant [Signature Peer] looking
        "A card for somebody who signs a grant with a key of their own.",
    old_grant [Expiry Peer] looking
        "A card for somebody who has picked up an old grant.",
    other_customer [Grant Link] looking
        "A card of another customer than the one the grant is for.",
    customer_base [Budget Ceiling] looking
        "One customer after the other.",
    stolen_database [Seal Unsealed] keeping
        "The bridge's database in the wrong hands.",
    erased_customer [Erase Sweep] keeping
        "What was kept of a customer who was erased in the CRM.",
    outdated_card [Age Sweep] keeping
        "A card that is older than the settings allow.",
    forged_delivery [Hook Hint] sending
        "Whatever somebody writes into a delivery that only looks like the CRM's.",
    unlisted_of_ticket [Keeps Tells] sending
        "What the ticket policy does not list, told to the CRM.",
    other_customers_ticket [Belongs Owner] sending
        "A ticket of one customer, told to the CRM under another.",
}

/// Everything down of that leak but what stands.
fn down(leak: &Leak, standing: &[Wall]) -> Down {
    let down: Vec<Wall> = leak.walls.iter().copied().filter(|wall| !standing.contains(wall)).collect();
    Down::Walls(down.leak())
}

/// The walls that hold it alone.
fn measured(leak: &Leak) -> Held {
    let run = |standing: &[Wall]| block_on((leak.probe)(down(leak, standing)));
    let seen = run(&[]).expect_err("all walls are down, and the probe sees nothing");
    println!("{}: {seen}", leak.id);
    run(leak.walls).unwrap_or_else(|through| panic!("{}: all walls stand, and yet: {through}", leak.id));
    let holds = |wall: &&Wall| run(&[**wall]).is_ok();
    let held_alone_by = leak.walls.iter().filter(holds).map(|wall| wall.id().to_owned()).collect();
    Held { id: leak.id.to_owned(), says: leak.says.to_owned(), held_alone_by }
}

fn is_as_known(id: &str) {
    let leak = leaks().into_iter().find(|leak| leak.id == id).unwrap();
    let measured = measured(&leak);
    let known = known().leaks.into_iter().find(|known| known.id == id);
    assert_eq!(Some(measured), known, "write walls.json anew: see the top of tests/suite/leaks/mod.rs");
}

/// The table has these leaks and no others; with `GUICHET_WRITE_WALLS` it is written.
#[test]
fn the_table_of_leaks_is_complete() {
    let of_types = types::leaks();
    if std::env::var_os("GUICHET_WRITE_WALLS").is_some() {
        let leaks = leaks().iter().map(measured).chain(of_types).collect();
        let text = serde_json::to_string_pretty(&Report { walls: walls(), leaks }).unwrap();
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/walls.json");
        std::fs::write(file, text + "\n").unwrap();
        return;
    }
    let ids =
        leaks().into_iter().map(|leak| leak.id.to_owned()).chain(of_types.into_iter().map(|leak| leak.id));
    let known: Vec<String> = known().leaks.into_iter().map(|leak| leak.id).collect();
    assert_eq!(
        ids.collect::<Vec<_>>(),
        known,
        "write walls.json anew: see the top of tests/suite/leaks/mod.rs"
    );
}
