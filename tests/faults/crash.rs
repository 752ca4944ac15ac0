//! The ticket service ends: suddenly, or politely. What was acknowledged is there afterwards.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};
use dev_kit::CrmKind;
use rustix::process::Signal;
use serde_json::{Value, json};
use system_tests::api::Api;
use system_tests::desk::{Desk, Setup};
use system_tests::wait;

const WRITERS: usize = 4;
const ACKNOWLEDGED_MIN: usize = 60;

fn form(subject: &str) -> Value {
    json!({"name": "A visitor", "email": "visitor@nowhere.example", "subject": subject, "text": "How?", "website": "",
        "opened_at": "2026-01-01T00:00:00Z"})
}

#[test]
fn every_acknowledged_ticket_and_answer_survives_a_kill() -> Result<()> {
    let mut desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let anna = desk.operator("anna")?;
    let first =
        desk.visitor().post("/api/v1/public/requests", &form("The first"))?.expect(201)?["number"].clone();
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let stop = Arc::new(AtomicBool::new(false));
    let address = desk.stack().tickets_url().to_owned();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (acknowledged, stop, visitor) = (acknowledged.clone(), stop.clone(), Api::new(&address));
            thread::spawn(move || {
                let mut count = 0;
                while !stop.load(Ordering::SeqCst) {
                    count += 1;
                    let subject = format!("Request {count} of writer {writer}");
                    // No answer: not acknowledged, whatever became of it.
                    let Ok(answer) = visitor.post("/api/v1/public/requests", &form(&subject)) else { break };
                    if let (201, Some(number)) = (answer.status, answer.json()["number"].as_i64()) {
                        acknowledged.lock().unwrap_or_else(PoisonError::into_inner).insert((number, subject));
                    }
                }
            })
        })
        .collect();
    let messages = format!("/api/v1/tickets/{first}/messages");
    let mut answers = 0;
    let enough = || Ok(acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len());
    wait::until(
        "enough requests are acknowledged",
        || {
            anna.post(&messages, &json!({"kind": "note", "text": "A note in between."}))?.expect(201)?;
            answers += 1;
            enough()
        },
        |count| *count >= ACKNOWLEDGED_MIN,
    )?;
    desk.stack().kill_tickets()?;
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))?;
    }
    desk.stack().start_tickets()?;
    let sofia = desk.operator("sofia")?;
    let acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for (number, subject) in &acknowledged {
        let ticket = sofia.get(&format!("/api/v1/tickets/{number}"))?.expect(200)?;
        ensure!(ticket["subject"] == subject.as_str(), "{number} is now {ticket}");
    }
    let listed = sofia.get(&format!("{messages}?limit=100"))?.expect(200)?;
    let kept = listed["items"].as_array().map_or(0, Vec::len);
    ensure!(kept > answers.min(99), "{answers} notes were acknowledged, {kept} messages are there");
    Ok(())
}

#[test]
fn a_request_in_flight_is_finished_before_the_service_ends() -> Result<()> {
    let mut desk = Desk::start(&Setup::with(CrmKind::Sandbox))?;
    let address = desk.stack().tickets_url().trim_start_matches("http://").to_owned();
    let body = form("Sent while the service was told to stop").to_string();
    let mut connection = TcpStream::connect(&address)?;
    connection.set_read_timeout(Some(wait::PATIENCE))?;
    let head = format!(
        "POST /api/v1/public/requests HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes())?;
    // "Continue" says that the service is at it and waits for the body.
    ensure!(read_some(&mut connection)?.starts_with("HTTP/1.1 100"), "the service did not ask for the body");
    let (start, rest) = body.as_bytes().split_at(body.len() / 2);
    connection.write_all(start)?;
    desk.stack().tickets().context("not running")?.signal(Signal::TERM)?;
    // New callers are turned away by then; this one is served.
    let refused = || Ok(TcpStream::connect(&address).is_err());
    wait::until("the service takes no new connections", refused, |refused| *refused)?;
    connection.write_all(rest)?;
    let answer = read_some(&mut connection)?;
    ensure!(answer.contains("201 Created"), "{answer}");
    desk.stack().stop_tickets().context("the service did not end well")?;
    desk.stack().start_tickets()?;
    let found = desk.operator("anna")?.get("/api/v1/search?q=told")?.expect(200)?;
    ensure!(found["items"].as_array().is_some_and(|items| items.len() == 1), "{found}");
    Ok(())
}

fn read_some(connection: &mut TcpStream) -> Result<String> {
    let mut buffer = [0; 4096];
    let got = connection.read(&mut buffer)?;
    Ok(String::from_utf8_lossy(buffer.get(..got).unwrap_or_default()).into_owned())
}
