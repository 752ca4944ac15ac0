//! Ctrl-C and SIGTERM as a flag, so that everything that was started is stopped in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Says whether somebody asked us to stop. A second Ctrl-C ends the process at once.
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked))?;
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Self(asked))
    }

    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until somebody asks us to stop or `healthy` says no.
    pub(crate) fn wait_while(&self, mut healthy: impl FnMut() -> Result<bool>) -> Result<()> {
        while !self.asked() && healthy()? {
            sleep(LOOK_EVERY);
        }
        Ok(())
    }
}
