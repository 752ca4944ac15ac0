//! Nothing of the CRM comes through that the field policy does not list.
//!
//! A CRM full of markers, real services, real use of everything; then every marker is looked for, in every spelling, in
//! everything that either service wrote, answered or holds in memory. And the search itself is put to the test: what
//! may pass must have been seen to pass, a planted marker must be found, and with a wall taken away it must find.

mod flow;
mod look;
mod outputs;
mod prove;
mod sabotage;
mod troubles;

use dev_kit::CrmKind;
use system_tests::crm_side::Way;
use system_tests::desk::{Desk, Setup};

#[test]
fn nothing_but_the_listed_fields_of_the_sandbox_crm_comes_through() -> anyhow::Result<()> {
    let way = Way::new()?;
    let setup = Setup { ticket_settings: way.ticket_settings(), ..Setup::with(CrmKind::Sandbox) };
    let mut desk = Desk::start(&setup)?;
    look::crm_serves_its_markers(&mut desk)?;
    let mut story = flow::work(&mut desk)?;
    outputs::use_them(&mut desk, &way, &mut story)?;
    troubles::crm_misbehaves(&mut desk, &story)?;
    look::nothing_came_through(&mut desk, &story)?;
    flow::after_a_restart(&mut desk, &story)?;
    troubles::crm_and_bridge_are_gone(&mut desk, &story)?;
    look::nothing_came_through(&mut desk, &story)
}

#[test]
fn nothing_but_the_listed_fields_of_tryton_comes_through() -> anyhow::Result<()> {
    let mut desk = Desk::start(&Setup::with(CrmKind::Tryton))?;
    look::crm_serves_its_markers(&mut desk)?;
    let story = flow::work(&mut desk)?;
    look::nothing_came_through(&mut desk, &story)?;
    flow::after_a_restart(&mut desk, &story)?;
    troubles::crm_and_bridge_are_gone(&mut desk, &story)?;
    look::nothing_came_through(&mut desk, &story)
}
