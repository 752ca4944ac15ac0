//! Waiting for something to become true, with a deadline. Nothing here sleeps and hopes.

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a slow machine may take for something that takes a moment.
pub const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Looks until `ready` likes what it sees, and returns that.
///
/// # Errors
/// The last thing that was seen, after [`PATIENCE`]; or what `look` failed with.
pub fn until<T: Debug>(
    what: &str,
    mut look: impl FnMut() -> Result<T>,
    ready: impl Fn(&T) -> bool,
) -> Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = look()?;
        if ready(&seen) {
            return Ok(seen);
        }
        if Instant::now() >= deadline {
            bail!("{what}: not within {PATIENCE:?}; last seen: {seen:?}");
        }
        sleep(LOOK_EVERY);
    }
}
