//! `cargo xtask demo`: everything to try out, on this machine, with data that stays.

mod stories;
mod tickets;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use dev_kit::{CrmKind, Customer, Stack, workspace};

use crate::commands::ui;
use crate::interrupt::Interrupt;
use crate::tools::{cargo, run, span};

#[derive(Args)]
pub(crate) struct Arguments {
    /// The CRM that the customer cards come from
    #[arg(long, value_enum, default_value_t = Crm::Sandbox)]
    crm: Crm,
    /// Where the data stays; remove the folder to begin anew
    #[arg(long, default_value = "var")]
    dir: PathBuf,
    /// Port of the ticket service; bridge and CRM take the next two
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Build without optimisation, for a first look
    #[arg(long)]
    quick_build: bool,
    /// Build nothing and take the programs from this folder
    #[arg(long, conflicts_with = "quick_build")]
    bin: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Crm {
    Sandbox,
    Tryton,
}

pub(crate) fn run_demo(arguments: &Arguments) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let bin = match &arguments.bin {
        Some(bin) => bin.canonicalize().with_context(|| format!("there is no folder {}", bin.display()))?,
        None => build(arguments.quick_build)?,
    };
    let (kind, name) = match arguments.crm {
        Crm::Sandbox => (CrmKind::Sandbox, "sandbox"),
        Crm::Tryton => (CrmKind::Tryton, "tryton"),
    };
    if kind == CrmKind::Tryton {
        println!("Preparing Tryton; the first time takes half a minute …");
        dev_kit::Tryton::prepare()?;
    }
    if interrupt.asked() {
        return Ok(());
    }
    let began = Instant::now();
    let dir = workspace::root().join(&arguments.dir).join(name);
    let [bridge, crm] = [1, 2].map(|step| arguments.port.saturating_add(step));
    let mut stack = Stack::builder(bin, &dir)
        .crm(kind)
        .ports(arguments.port, bridge, crm)
        .own_group()
        .start()
        .context("the demo could not be started; if a port is taken, choose another with --port")?;
    let started = began.elapsed();
    let filled = dir.join("filled");
    if !filled.exists() {
        println!("Filling the helpdesk with tickets …");
        tickets::fill(&stack)?;
        std::fs::write(&filled, "")?;
    }
    let customer = stack.customers()?.into_iter().next();
    println!("{}", welcome(&stack, arguments, &span(started), customer.as_ref()));
    interrupt.wait_while(|| stack.is_running())?;
    if !interrupt.asked() {
        println!("A service ended by itself; its last words are in {}", dir.join("logs").display());
    }
    println!("\nStopping …");
    stack.stop()
}

/// Builds the interface and the services; returns the folder with the programs.
fn build(quick: bool) -> Result<PathBuf> {
    ui::build()?;
    let (profile, folder) = if quick { ("dev", "debug") } else { ("release", "release") };
    let packages = ["-p", "ticket-service", "-p", "crm-bridge", "-p", "sandbox-crm"];
    run(cargo().args(["build", "--locked", "--bins", "--profile", profile]).args(packages))?;
    Ok(workspace::target().join(folder))
}

/// Addresses and sign-ins in a box.
fn welcome(stack: &Stack, arguments: &Arguments, started: &str, customer: Option<&Customer>) -> String {
    let mut lines = vec![
        format!("Guichet is running (started in {started})"),
        String::new(),
        format!("Operators     {}", stack.tickets_url()),
        format!("Request form  {}/request", stack.tickets_url()),
        format!("Interfaces    {}/api/docs", stack.tickets_url()),
    ];
    match arguments.crm {
        Crm::Sandbox => lines.push(format!("Sandbox CRM   {}   what did not come through", stack.crm_url())),
        Crm::Tryton => {
            lines.push(format!("Tryton        {}   REST interface, database crm", stack.crm_url()))
        }
    }
    if let Some(customer) = customer {
        lines.push(format!("Write as      {}   {}, a customer in the CRM", customer.email, customer.name));
    }
    lines.extend([
        String::new(),
        "Sign in as                 with password                     role".to_owned(),
    ]);
    for person in stack.people() {
        lines.push(format!("{:<26} {:<33} {}", person.email, person.password, person.role));
    }
    lines.extend([
        String::new(),
        format!("Data and logs in {}; Ctrl-C stops, the next start goes on", stack.dir().display()),
    ]);
    boxed(&lines)
}

fn boxed(lines: &[String]) -> String {
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default();
    let rule = "─".repeat(width + 2);
    let mut text = format!("\n┌{rule}┐\n");
    for line in lines {
        text.push_str(&format!("│ {line:<width$} │\n"));
    }
    text.push_str(&format!("└{rule}┘"));
    text
}

#[cfg(test)]
mod tests {
    use super::boxed;

    #[test]
    fn the_box_is_as_wide_as_its_longest_line() {
        let text = boxed(&["ab".to_owned(), String::new(), "Ёлка".to_owned()]);
        assert_eq!(text, "\n┌──────┐\n│ ab   │\n│      │\n│ Ёлка │\n└──────┘");
    }
}
