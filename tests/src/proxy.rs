//! An HTTP proxy in front of a service that keeps every byte of every answer.
//!
//! Each connection carries one request (`Connection: close`), and no answer is compressed: what was recorded can be
//! searched. Event streams are passed on and recorded as they come.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};

const HEAD_BYTES_MAX: usize = 64 * 1024;
const REPLACED: [&str; 4] = ["accept-encoding", "connection", "keep-alive", "proxy-connection"];

/// A question and its answer, as far as it has come.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// Method and path with query.
    pub request: String,
    /// Status line and headers.
    pub head: Vec<u8>,
    /// The body as the receiver reads it.
    pub body: Vec<u8>,
}

impl Exchange {
    /// The status of the answer; 0 if there was none.
    pub fn status(&self) -> u16 {
        let line = String::from_utf8_lossy(&self.head);
        line.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }
}

/// A running proxy. Dropping it stops it; what it recorded is kept by its [`Tape`].
pub struct Proxy {
    address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    tape: Tape,
    stopped: Arc<AtomicBool>,
}

/// What a proxy recorded. Clones share it.
#[derive(Clone, Default)]
pub struct Tape(Arc<Mutex<Vec<Recording>>>);

#[derive(Default)]
struct Recording {
    request: String,
    answer: Vec<u8>,
}

impl Tape {
    /// Every exchange so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.recordings().iter().map(Recording::exchange).collect()
    }

    fn recordings(&self) -> MutexGuard<'_, Vec<Recording>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, request: String) -> usize {
        let mut recordings = self.recordings();
        recordings.push(Recording { request, answer: Vec::new() });
        recordings.len() - 1
    }

    fn record(&self, number: usize, bytes: &[u8]) {
        if let Some(recording) = self.recordings().get_mut(number) {
            recording.answer.extend_from_slice(bytes);
        }
    }
}

impl Recording {
    fn exchange(&self) -> Exchange {
        let end = end_of_head(&self.answer).unwrap_or(self.answer.len());
        let (head, body) = self.answer.split_at(end);
        let chunked =
            String::from_utf8_lossy(head).to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunked(body) } else { body.to_vec() };
        Exchange { request: self.request.clone(), head: head.to_vec(), body }
    }
}

impl Proxy {
    /// Starts on a free port. Until [`Proxy::lead_to`] says where to, connections are closed.
    ///
    /// # Errors
    /// No port is free.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Self {
            address: listener.local_addr()?,
            target: Arc::default(),
            tape: Tape::default(),
            stopped: Arc::default(),
        };
        let (target, tape, stopped) = (proxy.target.clone(), proxy.tape.clone(), proxy.stopped.clone());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let target = *target.lock().unwrap_or_else(PoisonError::into_inner);
                let tape = tape.clone();
                // A connection that breaks is the business of those who speak through it.
                thread::spawn(move || carry(client, target, &tape).ok());
            }
        });
        Ok(proxy)
    }

    /// Says where requests go: `http://127.0.0.1:PORT`.
    ///
    /// # Errors
    /// Not such an address.
    pub fn lead_to(&self, address: &str) -> Result<()> {
        let socket = address.strip_prefix("http://").context("not an http address")?.parse()?;
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket);
        Ok(())
    }

    /// Closes every connection from now on, as if the service were gone.
    pub fn lead_nowhere(&self) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was recorded.
    pub fn tape(&self) -> Tape {
        self.tape.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener.
        TcpStream::connect(self.address).ok();
    }
}

fn carry(mut client: TcpStream, target: Option<SocketAddr>, tape: &Tape) -> Result<()> {
    let Some(target) = target else { return Ok(client.shutdown(Shutdown::Both)?) };
    let (head, rest) = read_head(&mut client)?;
    let number = tape.begin(head.lines().next().unwrap_or_default().to_owned());
    let mut server = TcpStream::connect(target)?;
    server.write_all(rewritten(&head).as_bytes())?;
    server.write_all(&rest)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        std::io::copy(&mut from_client, &mut to_server).ok();
        // The client has left, or has its answer.
        to_server.shutdown(Shutdown::Both).ok();
    });
    let mut buffer = [0; 16 * 1024];
    loop {
        let got = match server.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(got) => got,
        };
        tape.record(number, &buffer[..got]);
        if client.write_all(&buffer[..got]).is_err() {
            break;
        }
    }
    client.shutdown(Shutdown::Both).ok();
    server.shutdown(Shutdown::Both).ok();
    Ok(())
}

/// The head of a request, and what of its body came along.
fn read_head(client: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = end_of_head(&bytes) {
            let rest = bytes.split_off(end);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        let got = client.read(&mut buffer)?;
        if got == 0 || bytes.len() > HEAD_BYTES_MAX {
            bail!("the client sent no whole request");
        }
        bytes.extend_from_slice(&buffer[..got]);
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

fn rewritten(head: &str) -> String {
    let mut lines = head.trim_end().split("\r\n");
    let mut text = format!("{}\r\n", lines.next().unwrap_or_default());
    for line in lines {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if !REPLACED.contains(&name.as_str()) {
            text += &format!("{line}\r\n");
        }
    }
    text + "Connection: close\r\nAccept-Encoding: identity\r\n\r\n"
}

/// Joins the chunks of a chunked body; a cut one as far as it goes.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let (line, rest) = bytes.split_at(end);
        let size = String::from_utf8_lossy(line);
        let size = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let rest = rest.get(2..).unwrap_or_default();
        body.extend_from_slice(rest.get(..size.min(rest.len())).unwrap_or_default());
        match rest.get(size + 2..) {
            Some(next) if size > 0 => bytes = next,
            _ => break,
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every connection with these bytes and returns the requests that it got.
    fn server(answer: &'static [u8]) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let (head, _) = read_head(&mut client).unwrap();
                seen.lock().unwrap().push(head);
                client.write_all(answer).unwrap();
            }
        });
        (address, requests)
    }

    #[test]
    fn a_chunked_answer_is_recorded_in_one_piece_and_never_compressed() {
        let answer =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nmar\r\n5;x=y\r\nker 1\r\n0\r\n\r\n";
        let (address, requests) = server(answer);
        let proxy = Proxy::start().unwrap();
        proxy.lead_to(&address).unwrap();
        let url = format!("{}/path?q=1", proxy.address());
        let text = ureq::get(url).header("Accept-Encoding", "br").call().unwrap().body_mut().read_to_string();
        assert_eq!(text.unwrap(), "marker 1");
        let exchange = proxy.tape().exchanges().remove(0);
        assert_eq!((exchange.status(), exchange.body.as_slice()), (200, b"marker 1".as_slice()));
        assert_eq!(exchange.request, "GET /path?q=1 HTTP/1.1");
        let request = requests.lock().unwrap().remove(0).to_ascii_lowercase();
        assert!(request.contains("accept-encoding: identity") && !request.contains("accept-encoding: br"));
    }

    #[test]
    fn a_proxy_that_leads_nowhere_closes_the_connection() {
        let proxy = Proxy::start().unwrap();
        assert!(ureq::get(proxy.address()).call().is_err());
        let (address, _) = server(b"HTTP/1.1 204 No Content\r\n\r\n");
        proxy.lead_to(&address).unwrap();
        assert_eq!(ureq::get(proxy.address()).call().unwrap().status(), 204);
        proxy.lead_nowhere();
        assert!(ureq::get(proxy.address()).call().is_err());
    }
}
