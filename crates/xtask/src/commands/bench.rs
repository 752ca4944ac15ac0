//! `cargo xtask bench`: how fast the services answer and what they take, beside what we aim at.
//!
//! Nothing here passes or fails: a machine that is busy with something else is slow. Two columns say more than the rate
//! then: the processor time that the service took per answer, and the rate as a part of what the same service answers
//! when it has nothing to do.

mod aims;
mod cards;
mod grant;
mod lookups;
mod parse;
mod process;
mod request;
mod sync;
mod table;
mod tickets;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use dev_kit::load::{Load, WriteRequest};
use dev_kit::{Durability, Postgres, Stack, StackDatabase, workspace};

use crate::interrupt::Interrupt;
use crate::tools::{cargo, output, run, span};
use aims::Aim;
use table::{Figure, Line, Size, Table};

const SEED: u64 = 1;

#[derive(Args)]
pub(crate) struct Arguments {
    /// On which database
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    database: Databases,
    /// How many tickets there are before measuring, with three messages each
    #[arg(long, default_value_t = 100_000)]
    tickets: u64,
    /// Short measurements, to see that everything works
    #[arg(long)]
    quick: bool,
    /// Only these rows
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Rows::Parse, Rows::Tickets, Rows::Cards, Rows::Lookups, Rows::Sync])]
    only: Vec<Rows>,
    /// Measure the services in this folder instead of building them, to compare two versions
    #[arg(long)]
    programs: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rows {
    /// How fast an answer of a CRM is read
    Parse,
    /// Lists, tickets, search, opening tickets; memory
    Tickets,
    /// Cards that the bridge has
    Cards,
    /// What the bridge adds to the CRM's own time
    Lookups,
    /// Copying the customer base
    Sync,
}

impl Arguments {
    fn has(&self, rows: Rows) -> bool {
        self.only.contains(&rows)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Databases {
    Sqlite,
    Postgres,
    Both,
}

pub(crate) fn run_bench(arguments: &Arguments) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    if arguments.programs.is_none() {
        let packages = ["-p", "ticket-service", "-p", "crm-bridge", "-p", "sandbox-crm"];
        run(cargo().args(["build", "--quiet", "--release", "--locked", "--bins"]).args(packages))?;
    }
    let target = workspace::target().join("bench");
    fs::create_dir_all(&target)?;
    if arguments.has(Rows::Parse) {
        publish(&parse::measure(&target)?, &target.join("parse.md"))?;
    }
    if arguments.only == [Rows::Parse] {
        return Ok(());
    }
    if arguments.database != Databases::Postgres {
        bench("SQLite", StackDatabase::Sqlite, arguments, &interrupt, &target.join("sqlite"))?;
    }
    if arguments.database != Databases::Sqlite {
        let server = Postgres::start(Durability::Full)?;
        let database = StackDatabase::Postgres(server.url());
        bench("PostgreSQL", database, arguments, &interrupt, &target.join("postgres"))?;
        server.stop()?;
    }
    Ok(())
}

/// Fills a new installation in `dir`, measures it, prints the table and writes it beside `dir`.
fn bench(
    name: &str,
    database: StackDatabase,
    arguments: &Arguments,
    interrupt: &Interrupt,
    dir: &Path,
) -> Result<()> {
    let began = Instant::now();
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    let bin = arguments.programs.clone().unwrap_or_else(|| workspace::target().join("release"));
    let mut bench = Bench { table: Table::new(name), interrupt, quick: arguments.quick, pid: 0, floor: None };
    bench.table.note(format!(
        "{} had been waiting or running on this machine in the minute before (load average).",
        process::load_average()?
    ));
    if arguments.has(Rows::Tickets) || arguments.has(Rows::Cards) {
        let mut stack = Stack::builder(&bin, dir).database(database.clone()).own_group().start()?;
        fill(&mut bench, &mut stack, &bin, arguments)?;
        bench.start_up(&mut stack);
        if arguments.has(Rows::Tickets) {
            tickets::measure(&mut bench, &mut stack)?;
        }
        if arguments.has(Rows::Cards) {
            cards::measure(&mut bench, &mut stack)?;
        }
        if arguments.has(Rows::Tickets) {
            tickets::measure_creating(&mut bench, &mut stack)?;
        }
        bench.memory(&mut stack)?;
        stack.stop()?;
    }
    if arguments.has(Rows::Lookups) {
        let builder = Stack::builder(&bin, dir.join("lookups")).database(database.clone()).own_group();
        let mut stack = builder.bridge_settings(lookups::KEEP_NOTHING).start()?;
        lookups::measure(&mut bench, &mut stack)?;
        stack.stop()?;
    }
    if arguments.has(Rows::Sync) {
        sync::measure(&mut bench, &database, &bin, &dir.join("copies"))?;
    }
    bench.table.note(format!("Measured in {}.", span(began.elapsed())));
    publish(&bench.table, &dir.with_extension("md"))?;
    // The installation is as large as its tickets; the figures are what was wanted.
    fs::remove_dir_all(dir)?;
    Ok(())
}

/// Prints a table and writes it into a file.
fn publish(table: &Table, file: &Path) -> Result<()> {
    let text = table.to_markdown();
    println!("\n{text}");
    fs::write(file, text)?;
    Ok(())
}

/// Writes the tickets.
fn fill(bench: &mut Bench<'_>, stack: &mut Stack, bin: &Path, arguments: &Arguments) -> Result<()> {
    println!("writing {} tickets …", arguments.tickets);
    stack.stop_tickets()?;
    let filling = Instant::now();
    let mut seed = std::process::Command::new(bin.join("ticket-service"));
    seed.arg("seed").arg("--config").arg(stack.config("ticket-service"));
    seed.args(["--tickets", &arguments.tickets.to_string(), "--seed", &SEED.to_string()]);
    output(&mut seed)?;
    bench.table.note(format!(
        "{} tickets with three messages each, written in {}; {} processors; seed {SEED}.",
        arguments.tickets,
        span(filling.elapsed()),
        std::thread::available_parallelism()?,
    ));
    stack.start_tickets()
}

/// A measurement under way.
struct Bench<'a> {
    table: Table,
    interrupt: &'a Interrupt,
    quick: bool,
    /// The service at hand.
    pid: u32,
    /// Its answers per second when there is nothing to do, by connections.
    floor: Option<Vec<(usize, f64)>>,
}

/// What to measure.
struct Question<'a> {
    name: &'a str,
    url: &'a str,
    status: u16,
    connections: &'a [usize],
    aim: Option<Aim>,
}

impl Bench<'_> {
    /// Measures what a service answers when it has nothing to do; later figures are compared with it.
    fn floor(&mut self, service: &str, pid: Option<u32>, url: &str) -> Result<()> {
        self.pid = pid.with_context(|| format!("{service} does not run"))?;
        self.floor = None;
        let path = request::get(url, "/health/live", "")?;
        let name = format!("{service}: `GET /health/live`, the floor");
        let question = Question { name: &name, url, status: 200, connections: &[1, 8, 32], aim: None };
        let floor = self.ask(&question, &mut |_, request| request.extend_from_slice(&path))?;
        self.floor = Some(floor);
        Ok(())
    }

    /// Measures with each number of connections and adds the lines to the table.
    fn ask(&mut self, question: &Question<'_>, write: WriteRequest<'_>) -> Result<Vec<(usize, f64)>> {
        let mut rates = Vec::new();
        for connections in question.connections.iter().copied() {
            if self.interrupt.asked() {
                bail!("interrupted");
            }
            let (warm_up, lasts) = if self.quick { (50, 300) } else { (300, 2000) };
            let load = Load {
                url: question.url.to_owned(),
                connections,
                warm_up: Duration::from_millis(warm_up),
                lasts: Duration::from_millis(lasts),
                status: question.status,
            };
            let before = process::processor_time(self.pid)?;
            let figures = load.measure(write).with_context(|| question.name.to_owned())?;
            let taken = process::processor_time(self.pid)?.saturating_sub(before);
            let floor = self.floor.iter().flatten().find(|(at, _)| *at == connections).map(|(_, rate)| *rate);
            self.table.line(Line {
                name: question.name.to_owned(),
                connections,
                processor_us: taken.as_secs_f64() * 1e6 / figures.all_answers.max(1) as f64,
                figures,
                floor,
                aim: question.aim.filter(|aim| aim.connections == connections),
            });
            rates.push((connections, figures.per_second));
        }
        Ok(rates)
    }

    fn figure(&mut self, name: &str, value: String, aim: Option<(&'static str, f64)>) {
        self.table.figure(Figure { name: name.to_owned(), value, aim });
    }

    fn start_up(&mut self, stack: &mut Stack) {
        let tickets = stack.tickets().map(|service| service.ready_after());
        let bridge = stack.bridge().map(|service| service.ready_after());
        for (name, time) in [("ticket-service", tickets), ("crm-bridge", bridge)] {
            let ms = time.unwrap_or_default().as_millis();
            self.table.note(format!("{name} answers {ms} ms after it was started."));
        }
    }

    /// Resident memory after everything else.
    fn memory(&mut self, stack: &mut Stack) -> Result<()> {
        let tickets = stack.tickets().map(|service| service.pid());
        let bridge = stack.bridge().map(|service| service.pid());
        for (name, pid, aim_mb) in [("ticket-service", tickets, 120), ("crm-bridge", bridge, 60)] {
            let pid = pid.context("a service ended while it was measured")?;
            let (now, peak) = process::resident_kib(pid)?;
            self.table.size(Size { name, now_kib: now, peak_kib: peak, aim_mb });
        }
        Ok(())
    }
}
