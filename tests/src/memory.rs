//! Reads the memory of a running child process: every readable mapping, as a core dump would have it, without a
//! debugger. The kernel lets a parent (or root) do this; where it does not, the test fails rather than look at nothing.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};

use marker_search::{Hit, Searcher};

const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// What was looked at, and what was found there.
#[derive(Debug, Default)]
pub struct Looked {
    /// How many bytes could be read.
    pub bytes: u64,
    /// What was found.
    pub hits: Vec<Hit>,
}

/// Looks through the whole memory of a process.
///
/// # Errors
/// The memory can't be read.
pub fn search(pid: u32, searcher: &Searcher) -> Result<Looked> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).context("the process is gone")?;
    let memory =
        File::open(format!("/proc/{pid}/mem")).context("the kernel refuses to show the child's memory")?;
    let mut looked = Looked::default();
    let mut buffer = vec![0; PIECE_BYTES];
    for line in maps.lines() {
        let Some((from, until, name)) = readable(line) else { continue };
        let mut at = from;
        while at < until {
            let wanted = PIECE_BYTES.min(usize::try_from(until - at)?);
            // A mapping may have holes or be gone by now; that is not an error of the search.
            let Ok(got) = memory.read_at(&mut buffer[..wanted], at) else { break };
            if got == 0 {
                break;
            }
            let place = format!("memory of process {pid}, {name}");
            looked.hits.extend(searcher.find(&place, &buffer[..got]));
            looked.bytes += got as u64;
            let last = at + got as u64 >= until;
            // The next piece begins a little earlier: a value may lie across the border.
            at += if last { got as u64 } else { (got - searcher.longest().min(got - 1)) as u64 };
        }
    }
    ensure!(looked.bytes > 0, "not one byte of the memory of process {pid} could be read");
    Ok(looked)
}

/// Start, end and name of a mapping that can be read.
fn readable(line: &str) -> Option<(u64, u64, &str)> {
    let mut words = line.split_whitespace();
    let (range, rights) = (words.next()?, words.next()?);
    let name = words.nth(3).unwrap_or("[anonymous]");
    let (from, until) = range.split_once('-')?;
    let range = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(until, 16).ok()?);
    let special = ["[vvar]", "[vvar_vclock]", "[vsyscall]"].contains(&name);
    (rights.starts_with('r') && !special).then_some((range.0, range.1, name))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use marker_search::Pattern;

    #[test]
    fn a_value_that_a_process_holds_is_found_and_another_is_not() {
        let mut child = Command::new("sleep")
            .arg("60")
            .env("HELD", "held-by-the-child")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let look = |text: &str| {
            let pattern = Pattern { bytes: text.as_bytes().to_vec(), means: text.to_owned() };
            search(child.id(), &Searcher::new(vec![pattern])).unwrap()
        };
        let (held, not_held) = (look("held-by-the-child"), look("never-heard-of-by-it"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!held.hits.is_empty());
        assert!(not_held.hits.is_empty());
        assert!(held.bytes > 100_000, "{} bytes", held.bytes);
    }

    #[test]
    fn mappings_that_may_not_be_read_are_left_out() {
        let line = "7f00-7f80 rw-p 00000000 00:00 0   [heap]";
        assert_eq!(readable(line), Some((0x7f00, 0x7f80, "[heap]")));
        assert_eq!(readable("7f00-7f80 ---p 00000000 00:00 0"), None);
        assert_eq!(readable("7f00-7f80 r--p 00000000 00:00 0 [vvar]"), None);
    }
}
