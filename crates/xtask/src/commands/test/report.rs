//! What ran, how it went, and one line at the end that says it all.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::interrupt::Interrupt;
use crate::tools::span;

/// What a test runner counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

enum Outcome {
    Checked,
    Counted(Totals),
    LeftOut(String),
    Broken(String),
}

struct Row {
    name: String,
    outcome: Outcome,
    time: Duration,
}

pub(super) struct Report {
    rows: Vec<Row>,
    began: Instant,
    interrupt: Interrupt,
}

impl Report {
    /// From here on Ctrl-C ends the running step and leaves out the others, so that nothing stays behind.
    pub(super) fn begin() -> Result<Self> {
        Ok(Self { rows: Vec::new(), began: Instant::now(), interrupt: Interrupt::listen()? })
    }

    /// Something that is right or wrong and counts no tests.
    pub(super) fn check(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        self.row(name, || work().map(|()| Outcome::Checked));
    }

    /// A test runner.
    pub(super) fn tests(&mut self, name: &str, work: impl FnOnce() -> Result<Totals>) {
        self.row(name, || work().map(Outcome::Counted));
    }

    /// Something that can't run here, and why.
    pub(super) fn leave_out(&mut self, name: &str, why: &str) {
        self.row(name, || Ok(Outcome::LeftOut(why.to_owned())));
    }

    fn row(&mut self, name: &str, work: impl FnOnce() -> Result<Outcome>) {
        println!("\n── {name}");
        let began = Instant::now();
        let result = if self.interrupt.asked() { interrupted() } else { work() };
        let outcome = result.unwrap_or_else(|error| {
            eprintln!("{error:#}");
            Outcome::Broken(first_line(&format!("{error:#}")))
        });
        self.rows.push(Row { name: name.to_owned(), outcome, time: began.elapsed() });
    }

    /// Prints the summary. An error if anything failed, or if no test ran.
    pub(super) fn finish(self) -> Result<()> {
        println!("\n── summary ({})", span(self.began.elapsed()));
        let mut sum = Totals::default();
        for row in &self.rows {
            let said = match &row.outcome {
                Outcome::Checked => "ok".to_owned(),
                Outcome::LeftOut(why) => format!("left out: {why}"),
                Outcome::Broken(why) => {
                    sum.failed += 1;
                    format!("FAILED: {why}")
                }
                Outcome::Counted(totals) => {
                    sum.passed += totals.passed;
                    sum.failed += totals.failed;
                    sum.skipped += totals.skipped;
                    counted(*totals)
                }
            };
            println!("{:<30} {:>12}  {said}", row.name, span(row.time));
        }
        println!("{}", counted(sum));
        if sum.failed > 0 || sum.passed == 0 {
            // The line above must stay the last one.
            std::process::exit(1);
        }
        Ok(())
    }
}

fn interrupted<T>() -> Result<T> {
    bail!("interrupted")
}

fn counted(totals: Totals) -> String {
    let Totals { passed, failed, skipped } = totals;
    let tail = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    format!("{passed} passed, {failed} failed{tail}")
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
