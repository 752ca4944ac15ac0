//! How fast an answer of a CRM is read, beside what everybody would do instead: the criterion bench of crm-bridge, and what
//! its best samples say. The best ones, because a busy machine only ever adds time.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use dev_kit::workspace;
use serde_json::Value;

use super::aims::{PARSE_OF_TYPED, PARSE_TIMES_VALUE};
use super::process;
use super::table::{Compared, Table};
use crate::tools::{cargo, output};

/// Runs the bench and makes a table of it.
pub(super) fn measure(target: &Path) -> Result<Table> {
    let home = target.join("criterion");
    println!("parsing: building and running the bench of crm-bridge ...");
    let times = ["--warm-up-time", "1", "--measurement-time", "3", "--sample-size", "50", "--noplot"];
    let mut bench = cargo();
    bench.args(["bench", "--quiet", "--locked", "-p", "crm-bridge", "--bench", "parse", "--"]).args(times);
    // Where cargo is told by a setting where to build, criterion must hear of it, too.
    bench.env("CRITERION_HOME", &home).env("CARGO_TARGET_DIR", workspace::target());
    output(&mut bench)?;
    let best = |name: &str| best(&home.join("parse").join(name).join("new/sample.json"));
    let (policy, value, typed) = (best("by policy")?, best("value")?, best("typed")?);
    let ms = |ns: f64| format!("{:.2} ms", ns / 1e6);
    let mut table = Table::new("Parsing");
    table.note(format!(
        "One page of a CRM: 200 records of 80 members, of which 8 are wanted. Load average {}.",
        process::load_average()?
    ));
    table.compare(Compared {
        name: "by policy; the same bytes into a serde_json::Value",
        this: ms(policy),
        that: ms(value),
        figure: format!("{:.1} times as fast", value / policy),
        aim: format!("≥ {PARSE_TIMES_VALUE}"),
        of_aim: PARSE_TIMES_VALUE * policy / value,
    });
    table.compare(Compared {
        name: "by policy; the same bytes into a struct made for them",
        this: ms(policy),
        that: ms(typed),
        figure: format!("{:.2} of its time", policy / typed),
        aim: format!("≤ {PARSE_OF_TYPED}"),
        of_aim: policy / typed / PARSE_OF_TYPED,
    });
    Ok(table)
}

/// The shortest time of one iteration, in nanoseconds.
fn best(file: &Path) -> Result<f64> {
    let text = fs::read_to_string(file).with_context(|| format!("criterion left no {}", file.display()))?;
    let sample: Value = serde_json::from_str(&text)?;
    let numbers = |name: &str| {
        sample[name].as_array().into_iter().flatten().filter_map(Value::as_f64).collect::<Vec<_>>()
    };
    let each = numbers("times").into_iter().zip(numbers("iters")).map(|(time, iterations)| time / iterations);
    each.min_by(f64::total_cmp).with_context(|| format!("{} has no samples", file.display()))
}
