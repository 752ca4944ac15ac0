//! The CRM's side of the other direction, for tests: a listener of the bridge, a key for it, and a receiver of webhooks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::desk::{Desk, programs};

/// The bridge's key pair, with which it orders tickets.
pub struct Way {
    keys: TempDir,
}

impl Way {
    /// A new pair.
    ///
    /// # Errors
    /// The bridge has not been built.
    pub fn new() -> Result<Self> {
        let keys = tempfile::tempdir()?;
        let (private, public) = (keys.path().join("private.pem"), keys.path().join("public.pem"));
        let mut pair = Command::new(programs()?.join("crm-bridge"));
        said(pair.args(["keys", "generate-pair", "--private"]).arg(&private).arg("--public").arg(&public))?;
        Ok(Self { keys })
    }

    /// What the ticket service must be told.
    pub fn ticket_settings(&self) -> &'static str {
        let public = self.keys.path().join("public.pem");
        let settings = format!("BRIDGE__TICKET_EVENTS=true\nBRIDGE__VERIFY_KEY_FILE={}\n", public.display());
        // Settings of a test live as long as the test program.
        Box::leak(settings.into_boxed_str())
    }

    /// Restarts the bridge with a listener for the CRM; its address. `more` are further lines of the section `[crm_api]`.
    ///
    /// # Errors
    /// The bridge does not start.
    pub fn listen(&self, desk: &mut Desk, more: &str) -> Result<String> {
        let private = self.keys.path().join("private.pem");
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let policy = dev_kit::workspace::root().join("config/ticket-policy.toml");
        let tickets_url = desk.stack().tickets_url().to_owned();
        desk.stack().stop_bridge()?;
        let config = desk.stack().config("crm-bridge");
        let section = format!(
            "\n[ticket_policy]\nfile = {policy:?}\n\n[crm_api]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \
             \"http://127.0.0.1:{port}\"\nticket_service_url = \"{tickets_url}\"\nsigning_key_file = {private:?}\n\
             webhook_allow_private = true\nrequests_per_minute = 100000\nwebhook_timeout_ms = 1000\ndelivery_retry_first_ms = 100\n{more}\n",
        );
        std::fs::write(&config, std::fs::read_to_string(&config)? + &section)?;
        desk.stack().start_bridge()?;
        Ok(format!("http://127.0.0.1:{port}"))
    }

    /// A key for the CRM with every right.
    ///
    /// # Errors
    /// The bridge refuses.
    pub fn key(&self, desk: &mut Desk) -> Result<String> {
        let scopes = ["tickets:read", "tickets:create", "events:read", "panel:sign"];
        let mut command = bridge(desk)?;
        command.args(["crm-keys", "create", "--name", "CRM"]);
        for scope in scopes {
            command.args(["--scope", scope]);
        }
        let shown = said(&mut command)?;
        shown.split_whitespace().find(|word| word.starts_with("gck_")).map(str::to_owned).context("no key")
    }
}

/// The bridge's program with the settings of the running one.
///
/// # Errors
/// It has not been built.
pub fn bridge(desk: &mut Desk) -> Result<Command> {
    let mut command = Command::new(programs()?.join("crm-bridge"));
    command.arg("--config").arg(desk.stack().config("crm-bridge")).current_dir(desk.home("crm-bridge"));
    Ok(command)
}

/// What it printed.
///
/// # Errors
/// It failed; the message is what it complained of.
pub fn said(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// A receiver of webhooks that can be told to fail.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Every body that came, and whether it was taken.
    came: Vec<(Value, bool)>,
    fail: usize,
}

impl Receiver {
    /// Listens.
    ///
    /// # Errors
    /// There is no free port.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            // Ends with the test program.
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                // A connection that breaks is the bridge being killed.
                thread::spawn(move || drop(serve(stream, &state)));
            }
        });
        Ok(Self { url, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers so many deliveries with an error.
    pub fn fail_next(&self, count: usize) {
        self.state().fail = count;
    }

    /// Everything that came.
    pub fn all(&self) -> Vec<String> {
        self.state().came.iter().map(|(body, _)| body.to_string()).collect()
    }

    /// What was taken of one ticket.
    pub fn taken_of(&self, number: &Value) -> Vec<Value> {
        let state = self.state();
        let of = |(body, taken): &&(Value, bool)| *taken && body["data"]["ticket"]["number"] == *number;
        state.came.iter().filter(of).map(|(body, _)| body.clone()).collect()
    }

    /// Distinct events that were taken, by their place in the ticket.
    pub fn types_of(&self, number: &Value) -> Vec<i64> {
        let mut seen: Vec<i64> = self
            .taken_of(number)
            .iter()
            .filter_map(|body| body["data"]["ticket"]["sequence"].as_i64())
            .collect();
        seen.dedup();
        seen
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            line.clear();
        }
        if length == 0 {
            return Ok(());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let taken = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = state.fail == 0;
            state.fail = state.fail.saturating_sub(1);
            state.came.push((serde_json::from_slice(&body)?, taken));
            taken
        };
        let status = if taken { "204 No Content" } else { "500 Internal Server Error" };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")?;
    }
}
