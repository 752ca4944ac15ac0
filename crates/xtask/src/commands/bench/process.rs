//! What a process takes, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{path} can't be read; benchmarks need Linux"))
}

/// Resident memory now and at its peak.
pub(super) fn resident_kib(pid: u32) -> Result<(u64, u64)> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
        let number = line.trim_start_matches(':').split_whitespace().next().context("no number")?;
        Ok::<u64, anyhow::Error>(number.parse()?)
    };
    Ok((kib("VmRSS")?, kib("VmHWM")?))
}

/// Processor time that the threads of a process have taken so far.
pub(super) fn processor_time(pid: u32) -> Result<Duration> {
    let mut ns = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).context("benchmarks need Linux")? {
        // A thread may end between listing and reading.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        ns += text.split_whitespace().next().and_then(|first| first.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(ns))
}

/// Processor time of all child processes that have ended, to the hundredth of a second.
pub(super) fn children_time() -> Result<Duration> {
    let text = read("/proc/self/stat")?;
    let (_, fields) = text.rsplit_once(')').context("no such line")?;
    // Fields 16 and 17 of proc(5), in ticks of 10 ms.
    let ticks = fields.split_whitespace().skip(13).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// How many threads on this machine were running or waiting for a processor, on average of the last minute.
pub(super) fn load_average() -> Result<String> {
    Ok(read("/proc/loadavg")?.split_whitespace().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_has_memory_and_has_worked() {
        let (now, peak) = resident_kib(std::process::id()).unwrap();
        assert!(0 < now && now <= peak);
        assert!(processor_time(std::process::id()).unwrap() > Duration::ZERO);
    }
}
