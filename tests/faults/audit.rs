//! The audit logs of both services: killed in the middle of writes, they are whole; exported, they can be checked by somebody
//! who has neither database; a customer can be taken out of them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use dev_kit::CrmKind;
use serde_json::json;
use system_tests::desk::{Desk, Setup, programs};
use system_tests::wait;

const SERVICES: [&str; 2] = ["ticket-service", "crm-bridge"];
const LOOKERS: usize = 3;
const LOOKS_MIN: usize = 40;

/// Runs `audit …` of a service; whether it says that all is well, and what it says.
fn audit(desk: &mut Desk, service: &str, arguments: &[&str]) -> Result<(bool, String)> {
    let config = desk.stack().config(service);
    let output = Command::new(programs()?.join(service))
        .arg("--config")
        .arg(config)
        .arg("audit")
        .args(arguments)
        .output()
        .with_context(|| format!("{service} audit"))?;
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok((output.status.success(), said))
}

/// The whole log as it is exported, after it has passed.
fn verified_export(desk: &mut Desk, service: &str, name: &str) -> Result<String> {
    let (fine, said) = audit(desk, service, &["verify"])?;
    ensure!(fine && said.contains("unaltered:     yes"), "{service}, before {name}: {said}");
    let file = desk.scratch().join(name);
    let (fine, said) = audit(desk, service, &["export", "--out", text(&file)?])?;
    ensure!(fine, "{service}: {said}");
    Ok(std::fs::read_to_string(&file)?)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is no text")
}

#[test]
fn both_logs_are_whole_after_a_kill_in_the_middle_of_writes_and_can_be_checked_and_erased_from() -> Result<()>
{
    let mut desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let customer = desk.busiest()?.email.clone();
    let form = json!({"name": "A customer", "email": customer, "subject": "Where is my part?", "text": "?", "website": "",
        "opened_at": "2026-01-01T00:00:00Z"});
    let number = desk.visitor().post("/api/v1/public/requests", &form)?.expect(201)?["number"].clone();
    let sofia = desk.operator("sofia")?;
    let ticket = format!("/api/v1/tickets/{number}");
    let matched = || Ok(sofia.get(&ticket)?.expect(200)?["customer"]["state"].clone());
    wait::until("the customer is found", matched, |state| state == "linked")?;

    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut lookers = Vec::new();
    for _ in 0..LOOKERS {
        let (api, stop, seen, ticket) = (desk.operator("sofia")?, stop.clone(), seen.clone(), ticket.clone());
        lookers.push(thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let Ok(answer) = api.get(&format!("{ticket}/card")) else { break };
                if answer.status == 200 {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
                // A note is on the record of the ticket service.
                let note = json!({"kind": "note", "text": "A note in between."});
                if api.post(&format!("{ticket}/messages"), &note).is_err() {
                    break;
                }
            }
        }));
    }
    wait::until("enough looks", || Ok(seen.load(Ordering::SeqCst)), |count| *count >= LOOKS_MIN)?;
    desk.stack().kill_bridge()?;
    desk.stack().kill_tickets()?;
    stop.store(true, Ordering::SeqCst);
    for looker in lookers {
        looker.join().map_err(|_| anyhow::anyhow!("a looker panicked"))?;
    }
    desk.stack().start_bridge()?;
    desk.stack().start_tickets()?;

    std::fs::create_dir_all(desk.scratch())?;
    let customer_ref = sofia_sees(&desk, &ticket)?;
    for service in SERVICES {
        let exported = verified_export(&mut desk, service, &format!("{service}.jsonl"))?;
        ensure!(exported.contains(&customer_ref), "{service} has nothing of the customer");
    }
    // Each export is checked with the other one beside it, without settings, databases or secret keys.
    for (service, other) in [(SERVICES[0], SERVICES[1]), (SERVICES[1], SERVICES[0])] {
        let (file, other) =
            (desk.scratch().join(format!("{service}.jsonl")), desk.scratch().join(format!("{other}.jsonl")));
        let (fine, said) =
            audit(&mut desk, service, &["verify", "--export", text(&file)?, "--other", text(&other)?])?;
        ensure!(fine && said.contains("unaltered:     yes"), "{service}: {said}");
    }
    for service in SERVICES {
        let (fine, said) = audit(&mut desk, service, &["erase", "--customer-ref", &customer_ref])?;
        ensure!(fine, "{service}: {said}");
        let exported = verified_export(&mut desk, service, &format!("{service}-after.jsonl"))?;
        ensure!(!exported.contains(&customer_ref), "{service} still names the customer");
    }
    Ok(())
}

/// The customer's opaque reference, as supervisors see it.
fn sofia_sees(desk: &Desk, ticket: &str) -> Result<String> {
    let number = ticket.rsplit('/').next().unwrap_or_default();
    let looks =
        desk.operator("sofia")?.get(&format!("/api/v1/oversight/looks?ticket={number}"))?.expect(200)?;
    let found = looks["items"][0]["customer_ref"].as_str().map(str::to_owned);
    found.with_context(|| format!("nobody looked: {looks}"))
}
