//! `cargo xtask postgres`: a throw-away cluster in the foreground.

use anyhow::Result;
use clap::Args;
use dev_kit::{Durability, Postgres};

use crate::interrupt::Interrupt;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Flush every commit to the disk, as for a benchmark
    #[arg(long)]
    durable: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let durability = if arguments.durable { Durability::Full } else { Durability::Off };
    let mut cluster = Postgres::start(durability)?;
    println!("export GUICHET_TEST_POSTGRES_URL={}", cluster.url());
    eprintln!("PostgreSQL runs until Ctrl-C; then it is removed.");
    interrupt.wait_while(|| cluster.is_running())?;
    cluster.stop()
}
