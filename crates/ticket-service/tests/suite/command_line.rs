//! The program as its operator runs it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The longest that anything here may take; far above what it takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ticket-service"));
    command
        .current_dir(folder)
        .env("GUICHET_TICKETS__DATABASE__URL", "sqlite:tickets.db")
        .env("GUICHET_TICKETS__SERVER__LISTEN", "127.0.0.1:0")
        .env("GUICHET_TICKETS__SERVER__WORKERS", "1");
    command
}

fn run(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = program(folder);
    let piped = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A command that fails before it reads closes the pipe.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn complained(output: &Output) -> String {
    assert!(!output.status.success(), "it should have failed: {}", said(output));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running service.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(folder: &Path) -> Self {
        let mut child =
            program(folder).arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect(&line).to_owned();
        Self { child, address }
    }

    /// A request over a plain connection, answered as text once the service closes it.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address))
    }

    fn post_json(&self, path: &str, body: &str) -> String {
        let length = body.len();
        self.ask(&format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.address
        ))
    }

    fn ask_to_stop(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    fn wait(mut self) -> std::process::ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(started.elapsed() < PATIENCE, "the service does not stop");
            std::thread::yield_now();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Only when a test failed before it had stopped the service; else it has ended already.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

const ADMIN: [&str; 5] = ["create-admin", "--email", "adam@support.example", "--name", "Adam Novak"];

#[test]
fn a_fresh_installation_has_an_administrator_by_command_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(folder.path(), &ADMIN, "a horse and a battery\n");
    assert!(said(&made).starts_with("Adam Novak can sign in now (opr_"), "{made:?}");
    assert!(
        complained(&run(folder.path(), &ADMIN, "a horse and a battery\n")).contains("already an operator")
    );
    let service = Service::start(folder.path());
    assert!(service.get("/health/ready").starts_with("HTTP/1.1 200"));
    let right = r#"{"email":"adam@support.example","password":"a horse and a battery"}"#;
    assert!(service.post_json("/api/v1/session", right).starts_with("HTTP/1.1 200"));
    for default in ["admin", "guichet", "password", ""] {
        let body = format!(r#"{{"email":"adam@support.example","password":"{default}"}}"#);
        assert!(service.post_json("/api/v1/session", &body).starts_with("HTTP/1.1 401"));
    }
    service.ask_to_stop();
    assert!(service.wait().success());
}

#[test]
fn the_first_administrator_needs_a_password_worth_the_name() {
    let folder = tempfile::tempdir().unwrap();
    for (password, complaint) in
        [("", "standard input"), ("short\n", "fewer than 12"), ("Password1234\n", "anybody tries")]
    {
        let complained = complained(&run(folder.path(), &ADMIN, password));
        assert!(complained.contains(complaint), "{complained}");
    }
    let wrong = ["create-admin", "--email", "adam", "--name", "A"];
    assert!(complained(&run(folder.path(), &wrong, "a horse and a battery")).contains("--email"));
}

#[test]
fn requests_in_flight_are_finished_when_the_service_is_asked_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path());
    let body =
        r#"{"name":"N","email":"n@x.example","subject":"S","text":"T","opened_at":"2026-01-01T00:00:00Z"}"#;
    let (first, rest) = body.split_at(10);
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /api/v1/public/requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The service says "go on" once it has begun to read the body, so the request is in flight from here.
    let mut go_on = [0u8; 12];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100");
    stream.write_all(first.as_bytes()).unwrap();
    service.ask_to_stop();
    // From the moment on which nobody new is let in, the service is stopping.
    let started = Instant::now();
    while TcpStream::connect(&service.address).is_ok() {
        assert!(started.elapsed() < PATIENCE, "it still lets people in");
    }
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HTTP/1.1 201") && answer.contains("{\"number\":10001}"), "{answer}");
    assert!(service.wait().success());
}

#[test]
fn a_wrong_setting_is_named_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        std::fs::write(folder.path().join("my.toml"), text).unwrap();
        run(folder.path(), &["check-config", "--config", "my.toml"], "")
    };
    assert!(said(&check("")).contains("can be used"));
    for (text, named) in [
        ("[server]\nworker = 2\n", "worker"),
        ("[server]\nworkers = \"two\"\n", "workers"),
        ("[bridge]\nurl = \"http://127.0.0.1:1\"\n", "signing_key_file"),
        ("[bridge]\nurl = \"http://127.0.0.1:1\"\nsigning_key_file = \"none.pem\"\n", "none.pem"),
        ("[sessions]\nidle_minutes = 0\n", "[sessions]"),
        ("[server", "my.toml"),
    ] {
        let complained = complained(&check(text));
        assert!(complained.contains(named), "{text}: {complained}");
    }
    let complained = complained(&run(folder.path(), &["serve", "--config", "none.toml"], ""));
    assert!(complained.contains("none.toml") && complained.contains("--config"), "{complained}");
}

#[test]
fn a_private_key_is_readable_by_its_owner_only_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let generate = ["keys", "generate", "--private", "k.pem", "--public", "p.pem"];
    assert!(run(folder.path(), &generate, "").status.success());
    let private = folder.path().join("k.pem");
    assert_eq!(std::fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&private).unwrap();
    assert!(complained(&run(folder.path(), &generate, "")).contains("k.pem"));
    assert_eq!(std::fs::read(&private).unwrap(), before);
}

#[test]
fn the_description_is_printed_alike_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (run(folder.path(), &["openapi"], ""), run(folder.path(), &["openapi"], ""));
    assert!(first.status.success() && first.stdout == second.stdout);
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "it needs no database");
}

#[test]
fn migrating_twice_does_nothing_the_second_time() {
    let folder = tempfile::tempdir().unwrap();
    assert!(said(&run(folder.path(), &["migrate"], "")).starts_with("Applied: "));
    assert_eq!(said(&run(folder.path(), &["migrate"], "")), "The database was up to date.\n");
}
