//! The developer commands: demo, test, codegen, bench.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to a terminal")]

mod commands;
mod interrupt;

use anyhow::Result;
use clap::{Parser, Subcommand};

use commands::postgres;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Guichet's developer commands")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a throw-away PostgreSQL cluster, print its address, stop it on Ctrl-C
    Postgres(postgres::Arguments),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Postgres(arguments) => postgres::run(&arguments),
    }
}
