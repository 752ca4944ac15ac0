//! A load generator that takes little of the machine it shares with what it measures: one thread, keep-alive
//! connections, prepared requests, of an answer only status and length are looked at.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// An answer that takes longer ends the measurement.
const PATIENCE: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 16 * 1024;
const READ_BYTES: usize = 64 * 1024;

/// Writes the request with this number into the buffer, which is empty.
pub type WriteRequest<'a> = &'a mut dyn FnMut(u64, &mut Vec<u8>);

/// How to load a service.
#[derive(Clone, Debug)]
pub struct Load {
    /// Its address, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// How many requests are under way at any moment, each on a connection of its own.
    pub connections: usize,
    /// Not counted, at the beginning.
    pub warm_up: Duration,
    /// Counted.
    pub lasts: Duration,
    /// The status that every answer must have; with any other one the figure would be void.
    pub status: u16,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Answers that were counted.
    pub answers: usize,
    /// Answers with those of the warm-up.
    pub all_answers: usize,
    /// Answers per second.
    pub per_second: f64,
    /// Half of the answers came within this time.
    pub p50: Duration,
    /// 95 of 100 answers came within this time.
    pub p95: Duration,
    /// Size of the last answer with its head.
    pub answer_bytes: usize,
}

impl Load {
    /// Sends requests, each as soon as its connection has got the answer to the last one, and measures.
    ///
    /// # Errors
    /// If a connection breaks, an answer has another status than expected or does not come.
    pub fn measure(&self, write_request: WriteRequest<'_>) -> Result<Figures> {
        let host = self.url.strip_prefix("http://").context("the address does not begin with http://")?;
        let mut numbers = 0..;
        let mut lanes = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            lanes.push(Lane::connect(host)?);
        }
        let begins = Instant::now() + self.warm_up;
        let ends = begins + self.lasts;
        for (lane, number) in lanes.iter_mut().zip(&mut numbers) {
            lane.send(number, write_request)?;
        }
        let mut times = Vec::new();
        let (mut answer_bytes, mut all_answers) = (0, 0);
        let mut buffer = vec![0; READ_BYTES];
        let mut now = Instant::now();
        while now < ends {
            for place in ready(&lanes)? {
                let Some(lane) = lanes.get_mut(place) else { continue };
                let Some(answer) = lane.go_on(&mut buffer)? else { continue };
                if answer.status != self.status {
                    bail!("answered {} instead of {}: {}", answer.status, self.status, lane.answer_text());
                }
                now = Instant::now();
                all_answers += 1;
                if now >= begins && now < ends {
                    times.push(now - lane.sent_at);
                    answer_bytes = answer.bytes;
                }
                let Some(number) = numbers.next() else { bail!("ran out of numbers") };
                lane.send(number, write_request)?;
            }
        }
        Ok(Figures { all_answers, answer_bytes, ..figures(times, self.lasts)? })
    }
}

fn figures(mut times: Vec<Duration>, lasts: Duration) -> Result<Figures> {
    times.sort_unstable();
    let part =
        |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied();
    let (Some(p50), Some(p95)) = (part(50), part(95)) else { bail!("there was no answer within {lasts:?}") };
    let per_second = times.len() as f64 / lasts.as_secs_f64();
    Ok(Figures { answers: times.len(), all_answers: 0, per_second, p50, p95, answer_bytes: 0 })
}

/// The places of the connections that can go on; waits for the first one.
fn ready(lanes: &[Lane]) -> Result<Vec<usize>> {
    let mut waiting: Vec<PollFd<'_>> = lanes
        .iter()
        .map(|lane| PollFd::new(&lane.stream, if lane.is_sending() { PollFlags::OUT } else { PollFlags::IN }))
        .collect();
    let patience = Timespec::try_from(PATIENCE)?;
    if poll(&mut waiting, Some(&patience))? == 0 {
        bail!("no answer within {PATIENCE:?}");
    }
    Ok(waiting
        .iter()
        .enumerate()
        .filter(|(_, one)| !one.revents().is_empty())
        .map(|(place, _)| place)
        .collect())
}

struct Answer {
    status: u16,
    bytes: usize,
}

/// One connection with the request that is under way on it.
struct Lane {
    stream: TcpStream,
    request: Vec<u8>,
    written: usize,
    /// The beginning of the answer, until its head is complete.
    head: Vec<u8>,
    /// Status and whole length, once the head has told them.
    told: Option<Answer>,
    received: usize,
    sent_at: Instant,
}

impl Lane {
    fn connect(host: &str) -> Result<Self> {
        let stream = TcpStream::connect(host).with_context(|| format!("can't connect to {host}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let (request, head) = (Vec::new(), Vec::new());
        Ok(Self { stream, request, written: 0, head, told: None, received: 0, sent_at: Instant::now() })
    }

    fn is_sending(&self) -> bool {
        self.written < self.request.len()
    }

    fn send(&mut self, number: u64, write_request: WriteRequest<'_>) -> Result<()> {
        self.request.clear();
        write_request(number, &mut self.request);
        (self.written, self.received, self.told) = (0, 0, None);
        self.head.clear();
        self.sent_at = Instant::now();
        self.write_on()
    }

    fn write_on(&mut self) -> Result<()> {
        while let Some(rest) = self.request.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => bail!("the connection was closed while a request was sent"),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Sends and receives what is possible now; the answer, once all of it is there.
    fn go_on(&mut self, buffer: &mut [u8]) -> Result<Option<Answer>> {
        if self.is_sending() {
            self.write_on()?;
            return Ok(None);
        }
        let bytes = match self.stream.read(buffer) {
            Ok(0) => bail!("the connection was closed before the answer; is keep-alive on?"),
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        self.received += bytes;
        if self.told.is_none() {
            self.head.extend_from_slice(buffer.get(..bytes).unwrap_or_default());
            self.told = read_head(&self.head)?;
        }
        Ok(self.told.take_if(|told| self.received >= told.bytes))
    }

    fn answer_text(&self) -> String {
        String::from_utf8_lossy(&self.head).chars().take(2000).collect()
    }
}

/// Status and whole length of an answer, once its head is complete.
fn read_head(bytes: &[u8]) -> Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        if bytes.len() > HEAD_BYTES_MAX {
            bail!("the head of the answer does not end");
        }
        return Ok(None);
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let status = status.context("this is not HTTP")?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let body = if status == 204 { 0 } else { length.context("the answer has no Content-Length")? };
    Ok(Some(Answer { status, bytes: end + 4 + body }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// Answers every request on every connection like this, in two pieces.
    fn service(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut buffer = [0; 1024];
                    while stream.read(&mut buffer).is_ok_and(|bytes| bytes > 0) {
                        let (first, second) = answer.as_bytes().split_at(20);
                        stream.write_all(first).and_then(|()| stream.write_all(second)).unwrap();
                    }
                });
            }
        });
        url
    }

    fn measure(answer: &'static str) -> Result<(Figures, u64)> {
        let load = Load {
            url: service(answer),
            connections: 3,
            warm_up: Duration::from_millis(5),
            lasts: Duration::from_millis(50),
            status: 200,
        };
        let mut requests = 0;
        let figures = load.measure(&mut |number, request| {
            requests = requests.max(number + 1);
            request.extend_from_slice(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        })?;
        Ok((figures, requests))
    }

    #[test]
    fn answers_are_counted_once_they_are_complete() {
        let (figures, requests) = measure("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
        assert!(0 < figures.answers && figures.answers <= figures.all_answers);
        assert!(figures.all_answers as u64 <= requests);
        assert!(figures.p50 <= figures.p95);
        assert_eq!(figures.answer_bytes, 43);
    }

    #[test]
    fn an_answer_with_another_status_makes_the_figure_void() {
        let error = measure("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno").unwrap_err();
        assert!(error.to_string().contains("answered 404 instead of 200"), "{error}");
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let times = (1..=100).rev().map(Duration::from_millis).collect();
        let figures = figures(times, Duration::from_secs(2)).unwrap();
        assert_eq!((figures.p50, figures.p95), (Duration::from_millis(51), Duration::from_millis(96)));
        assert!((figures.per_second - 50.0).abs() < f64::EPSILON);
    }
}
