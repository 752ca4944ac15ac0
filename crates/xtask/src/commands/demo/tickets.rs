//! Some sixty tickets in every state, made through the ticket service's own interface.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use dev_kit::{Client, Customer, Method, Stack};
use serde_json::{Value, json};

use super::stories::{QUEUES, Story, told_in};

const TICKETS: usize = 60;
/// Customers are taken in steps that share no factor with their number, so that all of them get a turn.
const STEP: usize = 7;

/// Where a ticket stands in the end.
#[derive(Clone, Copy)]
enum End {
    New,
    Open,
    WaitingCustomer,
    WaitingThirdParty,
    Resolved,
    Closed,
}

const ENDS: [End; 12] = [
    End::New,
    End::Open,
    End::WaitingCustomer,
    End::Open,
    End::Resolved,
    End::New,
    End::WaitingThirdParty,
    End::Open,
    End::Closed,
    End::New,
    End::WaitingCustomer,
    End::Resolved,
];

/// The open ticket of each dozen that went to another line.
const HANDED_OVER: usize = 7;

struct Staff {
    supervisor: Client,
    line1: Client,
    line1_id: String,
    queues: BTreeMap<String, String>,
}

/// Makes the tickets.
pub(super) fn fill(stack: &Stack) -> Result<()> {
    let staff = Staff::gather(stack)?;
    let customers = stack.customers()?;
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    // The newest tickets stand on top of the list: they should be the new and open ones.
    for number in (0..TICKETS).rev() {
        let customer = &customers[number * STEP % customers.len()];
        let stories = told_in(&customer.language);
        let turn = told.entry(stories[0].language).or_default();
        let story = stories[*turn % stories.len()];
        *turn += 1;
        staff
            .ticket(number, customer, story)
            .with_context(|| format!("ticket {} of the demo", number + 1))?;
    }
    Ok(())
}

impl Staff {
    fn gather(stack: &Stack) -> Result<Self> {
        let admin = stack.signed_in("admin")?;
        let mut queues = BTreeMap::new();
        // An earlier start may have been interrupted after the first of them.
        for queue in admin.get("/api/v1/queues")?.as_array().into_iter().flatten() {
            queues.insert(text(queue, "name")?, text(queue, "id")?);
        }
        for name in QUEUES {
            if !queues.contains_key(name) {
                let queue = admin.post("/api/v1/queues", &json!({ "name": name }))?;
                queues.insert(name.to_owned(), text(&queue, "id")?);
            }
        }
        let line1 = stack.signed_in("line1")?;
        let me = line1.get("/api/v1/session")?;
        Ok(Self { supervisor: stack.signed_in("supervisor")?, line1, line1_id: text(&me, "id")?, queues })
    }

    fn ticket(&self, number: usize, customer: &Customer, story: &Story) -> Result<()> {
        let opened = self.supervisor.post(
            "/api/v1/tickets",
            &json!({
                "subject": story.subject,
                "text": story.question,
                // No phone number: what support was told itself is not masked, and would stand beside the mask.
                "requester": { "name": customer.name, "email": customer.email },
                "queue_id": self.queues.get(story.queue),
                "priority": priority(number),
                "tags": story.tags,
                "line": 1,
            }),
        )?;
        let path = format!("/api/v1/tickets/{}", opened["number"]);
        match ENDS[number % ENDS.len()] {
            End::New => {}
            End::Open => self.open(&path, number, story)?,
            End::WaitingCustomer => {
                self.take(&path)?;
                self.write(&path, "answer", story.answer, Some("waiting_customer"))?;
            }
            End::WaitingThirdParty => {
                self.take(&path)?;
                self.write(&path, "note", story.note, Some("waiting_third_party"))?;
            }
            End::Resolved => self.resolve(&path, story)?,
            End::Closed => {
                self.resolve(&path, story)?;
                self.change(&self.supervisor, &path, &json!({ "status": "closed" }))?;
            }
        }
        Ok(())
    }

    /// Open tickets: some only taken, some discussed, some handed over to the next lines.
    fn open(&self, path: &str, number: usize, story: &Story) -> Result<()> {
        self.take(path)?;
        if number % 4 == 3 {
            self.write(path, "note", story.note, None)?;
        }
        if number % ENDS.len() == HANDED_OVER {
            let line = if number % 8 == HANDED_OVER { 3 } else { 2 };
            let body = json!({ "line": line, "reason": story.note, "tried": "Restarted, checked the settings, asked for the log" });
            self.supervisor.change_ticket(&Method::POST, path, "/hand-over", &body)?;
        }
        Ok(())
    }

    fn resolve(&self, path: &str, story: &Story) -> Result<()> {
        self.take(path)?;
        self.write(path, "note", story.note, None)?;
        self.write(path, "answer", story.answer, Some("resolved"))
    }

    fn take(&self, path: &str) -> Result<()> {
        self.change(&self.line1, path, &json!({ "assignee_id": self.line1_id, "status": "open" }))
    }

    fn write(&self, path: &str, kind: &str, text: &str, then: Option<&str>) -> Result<()> {
        let mut body = json!({ "kind": kind, "text": text });
        if let Some(status) = then {
            body["then_status"] = json!(status);
        }
        self.line1.post(&format!("{path}/messages"), &body).map(drop)
    }

    fn change(&self, who: &Client, path: &str, change: &Value) -> Result<()> {
        who.change_ticket(&Method::PATCH, path, "", change).map(drop)
    }
}

fn priority(number: usize) -> &'static str {
    match number % 10 {
        0 => "urgent",
        3 | 6 => "high",
        8 => "low",
        _ => "normal",
    }
}

fn text(value: &Value, name: &str) -> Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("an answer without {name}"))
}
