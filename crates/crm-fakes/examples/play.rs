//! Plays a CRM until it is stopped, for trying out a profile by hand:
//!
//! `cargo run -p crm-fakes --example play plain-rest`

#![expect(clippy::print_stdout, reason = "it tells whoever started it where it is")]

use std::sync::Arc;

use crm_fakes::dolibarr::Dolibarr;
use crm_fakes::espocrm::EspoCrm;
use crm_fakes::frappe::Frappe;
use crm_fakes::odoo::OdooJson2;
use crm_fakes::plain_rest::PlainRest;
use crm_fakes::twenty::Twenty;
use crm_fakes::vtiger::Vtiger;
use crm_fakes::{Clock, Crm, Fake};

async fn play<C: Crm>(crm: C, key: &str) -> std::io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "nothing here is a test")]
    let clock: Clock = Arc::new(jiff::Timestamp::now);
    let crm = Fake::new(clock).start(crm)?;
    let person = crm.world().read(|people| people.persons.first().cloned());
    println!("address  {}", crm.url);
    println!("key      {key}");
    if let Some(person) = person {
        println!("somebody {} · {}", person.email(), person.phone().map_or("", |phone| phone.e164.as_str()));
    }
    actix_web::rt::signal::ctrl_c().await
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("dolibarr") => play(Dolibarr::default(), Dolibarr::KEY).await,
        Some("espocrm") => play(EspoCrm, EspoCrm::API_KEY).await,
        Some("frappe") => play(Frappe, &format!("{}:{}", Frappe::API_KEY, Frappe::API_SECRET)).await,
        Some("odoo") => play(OdooJson2, OdooJson2::API_KEY).await,
        Some("plain-rest") => play(PlainRest, PlainRest::KEY).await,
        Some("twenty") => play(Twenty::default(), Twenty::API_KEY).await,
        Some("vtiger") => play(Vtiger, &format!("{}:{}", Vtiger::USER, Vtiger::ACCESS_KEY)).await,
        _ => Err(std::io::Error::other("dolibarr, espocrm, frappe, odoo, plain-rest, twenty or vtiger")),
    }
}
