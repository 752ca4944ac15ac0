//! The copy of a large customer base: how fast it is made, what it takes, whether it goes on after a crash, and how soon a
//! change is in.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dev_kit::{Client, Method, Stack, StackDatabase, workspace};
use serde_json::json;

use super::Bench;
use super::process::{children_time, resident_kib};

/// Customers of the base; `--quick` takes a twentieth.
const CUSTOMERS: u64 = 1_000_000;
/// The copy is killed when so much of it is there.
const KILLED_AT: f64 = 0.4;
/// Changes that are followed, one at a time.
const CHANGES: usize = 9;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Makes the copy in one go, and again with a crash in between, in an installation of its own.
pub(super) fn measure(bench: &mut Bench<'_>, database: &StackDatabase, bin: &Path, dir: &Path) -> Result<()> {
    let customers = if bench.quick { CUSTOMERS / 20 } else { CUSTOMERS };
    let mut copy = Copy::begin(database, bin, &dir.join("whole"), customers)?;
    let idle_kib = copy.idle_kib;
    let run = copy.run(None)?;
    ensure!(run.records == customers, "{} of {customers} records were copied", run.records);
    let rate = run.records as f64 / run.lasted.as_secs_f64();
    bench.figure(
        &format!("copy of {} customers", thousands(customers as f64)),
        format!("{} records/s", thousands(rate)),
        Some(("≥ 60,000 records/s", rate / 60_000.0)),
    );
    let each = run.processor.as_secs_f64() / run.records as f64 * 100_000.0;
    bench.figure("… processor time", format!("{each:.2} s per 100,000"), Some(("≤ 0.8 s", 0.8 / each)));
    let more_mb = run.peak_kib.saturating_sub(idle_kib) as f64 * 1024.0 / 1e6;
    bench.figure(
        "… peak memory above the idle bridge",
        format!("{more_mb:.0} MB"),
        Some(("≤ 40 MB", 40.0 / more_mb.max(1.0))),
    );
    let bytes = copy.stored_bytes();
    bench.figure("… on the disk", format!("{:.0} bytes a record", bytes as f64 / customers as f64), None);
    let middle = copy.follow_changes()?;
    bench.figure(
        "a change is in the copy: `sync run`, median",
        format!("{} ms", middle.as_millis()),
        Some(("≤ 50 ms", 50.0 / middle.as_secs_f64().max(0.001) / 1e3)),
    );
    copy.end()?;

    let mut copy = Copy::begin(database, bin, &dir.join("killed"), customers)?;
    let first = copy.run(Some((customers as f64 * KILLED_AT) as u64))?;
    let second = copy.run(None)?;
    let twice = (first.records + second.records).saturating_sub(customers);
    ensure!(copy.rows()? == customers, "after a crash the copy has {} rows", copy.rows()?);
    bench.figure(
        "read twice after `kill -9` in the middle",
        format!("{twice} records"),
        Some(("≤ 1,000 records", 1_000.0 / twice.max(1) as f64)),
    );
    copy.end()
}

/// A bridge whose policy asks for a copy.
struct Copy {
    stack: Stack,
    program: PathBuf,
    dir: PathBuf,
    /// What a bridge takes that has nothing to do.
    idle_kib: u64,
}

/// One `sync run`.
struct Run {
    records: u64,
    lasted: Duration,
    processor: Duration,
    peak_kib: u64,
}

impl Copy {
    fn begin(database: &StackDatabase, bin: &Path, dir: &Path, customers: u64) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let policy = dir.join("field-policy.toml");
        let text = fs::read_to_string(workspace::root().join("config/field-policy.toml"))?;
        let copies = text.replacen(
            "[person.name]",
            "copy = \"customers phone in and the CRM is away at night\"\n\n[person.name]",
            1,
        );
        ensure!(copies != text, "config/field-policy.toml has no [person.name] to put the setting before");
        // What a bridge takes that has nothing to do is measured before the policy asks for a copy.
        fs::write(&policy, text)?;
        let stack = Stack::builder(bin, dir).database(database.clone()).crowd(customers).policy(&policy);
        let mut stack = stack.bridge_settings("SYNC__ENABLED=false").own_group().start()?;
        stack.stop_tickets()?;
        let bridge = stack.bridge().context("the bridge does not run")?.pid();
        let (idle_kib, _) = resident_kib(bridge)?;
        stack.stop_bridge()?;
        fs::write(&policy, copies)?;
        Ok(Self { stack, program: bin.join("crm-bridge"), dir: dir.to_owned(), idle_kib })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.stack.config("crm-bridge")).args(arguments).current_dir(&self.dir);
        command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Runs to the end, or kills the process as soon as so many records are written.
    fn run(&mut self, kill_at: Option<u64>) -> Result<Run> {
        let processor = children_time()?;
        let began = Instant::now();
        let mut child = self.command(&["sync", "run"]).spawn()?;
        let mut peak_kib = 0;
        let mut looked = Instant::now();
        let ended = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            // The process may just have ended.
            peak_kib = resident_kib(child.id()).map_or(peak_kib, |(_, peak)| peak);
            if let Some(records) = kill_at.filter(|_| looked.elapsed() > LOOK_EVERY * 5) {
                looked = Instant::now();
                if self.written()? >= records {
                    return self.kill(child, began, peak_kib);
                }
            }
            sleep(LOOK_EVERY);
        };
        let lasted = began.elapsed();
        ensure!(ended.success(), "`crm-bridge sync run` ended with {ended}");
        ensure!(kill_at.is_none(), "the copy was complete before it could be killed");
        let records = number_before(&said(&mut child)?, " records,")?;
        Ok(Run { records, lasted, processor: children_time()?.saturating_sub(processor), peak_kib })
    }

    fn kill(&self, mut child: Child, began: Instant, peak_kib: u64) -> Result<Run> {
        child.kill()?;
        child.wait()?;
        Ok(Run { records: self.written()?, lasted: began.elapsed(), processor: Duration::ZERO, peak_kib })
    }

    /// How many records are written, by the note that is written with them.
    fn written(&self) -> Result<u64> {
        let output = self.command(&["sync", "status"]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.starts_with("person"));
        Ok(line.and_then(|line| number_before(line, " ").ok()).unwrap_or(0))
    }

    /// How many customers the copy has.
    fn rows(&self) -> Result<u64> {
        let output = self.command(&["sync", "status"]).output()?;
        number_before(&String::from_utf8_lossy(&output.stdout), " customers in the copy")
    }

    fn stored_bytes(&self) -> u64 {
        let of =
            |name: &str| fs::metadata(self.dir.join("crm-bridge").join(name)).map_or(0, |file| file.len());
        of("data-sync.db") + of("data-sync.db-wal")
    }

    /// Changes customers one after the other; the median time until each change is in.
    fn follow_changes(&mut self) -> Result<Duration> {
        let crm = Client::new(self.stack.crm_url()).with_key(self.stack.crm_key());
        let mut times = Vec::new();
        for change in 0..CHANGES {
            let path = format!("/api/v1/contacts/cr_{:07}", 1 + change * 37);
            let answer = crm.call(&Method::PATCH, &path, &[], Some(&json!({})))?;
            ensure!(answer.status < 300, "{path} can't be changed: {}", answer.status);
            let mut child = self.command(&["sync", "run"]).spawn()?;
            ensure!(child.wait()?.success(), "a change could not be followed");
            let text = said(&mut child)?;
            ensure!(number_before(&text, " records,")? > 0, "the change was not seen");
            times.push(Duration::from_millis(number_before(&text, " ms")?));
        }
        times.sort_unstable();
        times.get(CHANGES / 2).copied().context("nothing was measured")
    }

    fn end(self) -> Result<()> {
        self.stack.stop()?;
        Ok(fs::remove_dir_all(self.dir)?)
    }
}

/// With a comma between groups of three digits.
fn thousands(count: f64) -> String {
    let digits = format!("{count:.0}");
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

fn said(child: &mut Child) -> Result<String> {
    let mut text = String::new();
    child.stdout.take().context("no output")?.read_to_string(&mut text)?;
    Ok(text)
}

/// The last number before a text.
fn number_before(text: &str, what: &str) -> Result<u64> {
    let Some((before, _)) = text.rsplit_once(what) else { bail!("`{what}` is not in: {text}") };
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty());
    Ok(digits.with_context(|| format!("no number before `{what}` in: {text}"))?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_sentences_and_written_in_groups() {
        let said = "12345 records, 0 erased, 1 merged in 678 ms";
        assert_eq!(
            (number_before(said, " records,").unwrap(), number_before(said, " ms").unwrap()),
            (12_345, 678)
        );
        assert!(number_before(said, " cards").is_err());
        assert_eq!(
            (thousands(999.0), thousands(53_652.4), thousands(1_000_000.0)),
            ("999".into(), "53,652".into(), "1,000,000".into())
        );
    }
}
