//! The developer commands: demo, test, codegen, bench.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to a terminal")]

mod commands;
mod interrupt;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{bench, codegen, demo, postgres, test, ui};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Guichet's developer commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything, start it with a CRM and sample data, print addresses and sign-ins, stop on Ctrl-C
    Demo(demo::Arguments),
    /// Run every test, on SQLite and PostgreSQL, against a real CRM and in a real browser
    Test(test::Arguments),
    /// Build the web interface, if anything of it has changed
    Ui,
    /// Generate what is generated from the code and checked in: API documents, the interface's types
    Codegen(codegen::Arguments),
    /// Measure speed and memory of release builds on generated tickets and print them beside what we aim at
    Bench(bench::Arguments),
    /// Start a throw-away PostgreSQL cluster, print its address, stop it on Ctrl-C
    Postgres(postgres::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run_demo(&arguments),
        Command::Test(arguments) => test::run_all(&arguments),
        Command::Ui => ui::build(),
        Command::Codegen(arguments) => codegen::generate(&arguments),
        Command::Bench(arguments) => bench::run_bench(&arguments),
        Command::Postgres(arguments) => postgres::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
