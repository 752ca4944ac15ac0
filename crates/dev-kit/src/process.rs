//! A service as a child process: started, waited for, logged to a file, and always stopped.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

const POLL_EVERY: Duration = Duration::from_millis(5);
const LOG_TAIL_LINES: usize = 15;

/// How to start a child process and how to know that it is ready.
pub struct Launch {
    name: String,
    command: Command,
    log: PathBuf,
    ready_mark: String,
    ready_within: Duration,
    stop_signal: Signal,
    stop_within: Duration,
}

impl Launch {
    /// A process named `name` (for messages) that writes stdout and stderr to `log` and is ready once it
    /// prints `listening on <address>`.
    pub fn new(name: impl Into<String>, program: impl Into<OsString>, log: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            command: Command::new(program.into()),
            log: log.into(),
            ready_mark: "listening on ".to_owned(),
            ready_within: Duration::from_secs(30),
            stop_signal: Signal::TERM,
            stop_within: Duration::from_secs(10),
        }
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Self {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable of the child.
    pub fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.command.env(key, value.into());
        self
    }

    /// Sets the working directory of the child.
    pub fn current_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs the child as another user of the operating system (only root may).
    pub fn user(mut self, uid: u32, gid: u32) -> Self {
        self.command.uid(uid).gid(gid);
        self
    }

    /// Gives the child its own process group, so that Ctrl-C in the terminal reaches only the starter,
    /// which then stops its children in order.
    pub fn own_group(mut self) -> Self {
        self.command.process_group(0);
        self
    }

    /// The text in the log that says "ready"; the word after it becomes the address.
    pub fn ready_mark(mut self, mark: &str) -> Self {
        self.ready_mark = mark.to_owned();
        self
    }

    /// How long the child may take to get ready.
    pub fn ready_within(mut self, limit: Duration) -> Self {
        self.ready_within = limit;
        self
    }

    /// The signal that asks the child to stop (SIGTERM unless said otherwise).
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// Starts the child and waits until it is ready.
    pub fn start(mut self) -> Result<Service> {
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&self.log)
            .with_context(|| format!("can't open the log file {}", self.log.display()))?;
        let from = log.seek(SeekFrom::End(0))?;
        self.command.stdin(Stdio::null()).stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log));
        let began = Instant::now();
        let child = self.command.spawn().with_context(|| {
            format!("can't start {} ({})", self.name, Path::new(self.command.get_program()).display())
        })?;
        let mut service = Service {
            name: self.name,
            child,
            log: self.log,
            address: String::new(),
            stop_signal: self.stop_signal,
            stop_within: self.stop_within,
            ready_after: Duration::ZERO,
        };
        service.wait_ready(&self.ready_mark, from, self.ready_within)?;
        service.ready_after = began.elapsed();
        Ok(service)
    }
}

/// A running child process. Dropping it stops it: first politely, then by SIGKILL.
pub struct Service {
    name: String,
    child: Child,
    log: PathBuf,
    address: String,
    stop_signal: Signal,
    stop_within: Duration,
    ready_after: Duration,
}

impl Service {
    /// What stood after the ready mark: for our services, `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The file that has the child's stdout and stderr.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How long it took to get ready.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The exit status, if the child has ended.
    pub fn exited(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Sends a signal to the child.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("not a process id")?;
        kill_process(pid, signal).with_context(|| format!("can't signal {}", self.name))
    }

    /// Ends the child at once, as a crash or a power cut would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks the child to stop and waits; an error if it had to be killed or did not exit with success.
    pub fn stop(mut self) -> Result<()> {
        match self.shut_down()? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("{} ended with {status}; its log ends:\n{}", self.name, self.log_tail()),
            None => bail!("{} did not stop within {:?} and was killed", self.name, self.stop_within),
        }
    }

    /// Asks politely, waits, then kills. `None` means that it had to be killed.
    fn shut_down(&mut self) -> Result<Option<ExitStatus>> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Some(status));
        }
        self.signal(self.stop_signal)?;
        let until = Instant::now() + self.stop_within;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            sleep(POLL_EVERY);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(None)
    }

    fn wait_ready(&mut self, mark: &str, from: u64, limit: Duration) -> Result<()> {
        let until = Instant::now() + limit;
        loop {
            // The order matters: a child that printed the mark and then ended is found dead, not ready.
            let ended = self.child.try_wait()?;
            let text = self.log_since(from)?;
            if let Some(status) = ended {
                bail!("{} ended while starting ({status}); its log ends:\n{}", self.name, self.log_tail());
            }
            if let Some((_, rest)) = text.split_once(mark)
                && let Some((line, _)) = rest.split_once('\n')
            {
                self.address = line.split_whitespace().next().unwrap_or_default().to_owned();
                return Ok(());
            }
            if Instant::now() >= until {
                bail!("{} was not ready within {limit:?}; its log ends:\n{}", self.name, self.log_tail());
            }
            sleep(POLL_EVERY);
        }
    }

    fn log_since(&self, from: u64) -> Result<String> {
        let mut file = File::open(&self.log)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn log_tail(&self) -> String {
        let text = self.log_since(0).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; `stop` is the call that reports one.
        if self.shut_down().is_err() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
