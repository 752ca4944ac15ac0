//! Starts a whole helpdesk for the browser tests, says on one line of JSON where everything is, and stops it when its
//! standard input ends.
#![expect(clippy::print_stdout, reason = "whoever starts it reads the addresses from stdout")]

use std::io::Read;

use anyhow::Result;
use dev_kit::CrmKind;
use serde_json::json;
use system_tests::desk::{Desk, Setup};

/// The third line may look at two customers a day, and at two more with a reason.
const BUDGETS: &str = "BUDGETS__LINE3__HOUR_SOFT=1\nBUDGETS__LINE3__HOUR_HARD=2\nBUDGETS__LINE3__DAY_SOFT=1\n\
    BUDGETS__LINE3__DAY_HARD=2\nBUDGETS__BREAK_GLASS_DAY=2\n";

fn main() -> Result<()> {
    let setup = Setup { bridge_settings: BUDGETS, ..Setup::with(CrmKind::Sandbox) };
    let mut desk = Desk::start(&setup)?;
    let people: serde_json::Map<_, _> = desk.stack().people().iter().map(person).collect();
    let customers = desk.customers.iter().map(|customer| {
        json!({"id": customer.id, "name": customer.name, "email": customer.email, "phone": customer.phone,
            "card": customer.on_the_card})
    });
    let customers: Vec<_> = customers.collect();
    let (crm, key) = (desk.stack().crm_url().to_owned(), desk.stack().crm_key().to_owned());
    let address = desk.stack().tickets_url().to_owned();
    println!(
        "{}",
        json!({"address": address, "crm": crm, "key": key, "people": people, "customers": customers})
    );
    // Nothing is ever sent: the input ends when the tests are over, or gone.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn person(person: &dev_kit::SignIn) -> (String, serde_json::Value) {
    let name = person.email.split('@').next().unwrap_or_default().to_owned();
    (
        name,
        json!({"name": person.name, "email": person.email, "password": person.password, "role": person.role}),
    )
}
