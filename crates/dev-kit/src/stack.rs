//! CRM, bridge and ticket service together, as a small firm would run them on one machine.

mod builder;

use std::fs;
use std::path::{Path, PathBuf};

use crate::client::Client;
use crate::database::Made;
use crate::people::{self, SignIn};
use crate::postgres::free_port;
use crate::process::Service;
use crate::tryton::{RunningTryton, Tryton};
use anyhow::{Context, Result, bail};
use builder::take;
pub use builder::{Detour, StackBuilder};
use ureq::http::Method;

const START_TRIES: usize = 5;
const TICKETS: &str = "ticket-service";
const BRIDGE: &str = "crm-bridge";
const SANDBOX: &str = "sandbox-crm";

/// Which CRM a stack talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrmKind {
    /// The small one of this repository.
    Sandbox,
    /// Tryton, a real one.
    Tryton,
}

/// A running stack. Dropping it stops everything.
pub struct Stack {
    // In the order in which they stop: callers before those they call, databases last.
    tickets: Option<Service>,
    bridge: Option<Service>,
    crm: Option<Crm>,
    _made: Option<Made>,
    people: Vec<SignIn>,
    tickets_url: String,
    bridge_url: String,
    crm_url: String,
    crm_key: String,
    settings: StackBuilder,
}

enum Crm {
    Sandbox(Service),
    Tryton(Box<RunningTryton>),
}

impl Stack {
    /// A stack of the programs in `bin` that keeps everything in `dir`.
    pub fn builder(bin: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> StackBuilder {
        StackBuilder::new(bin.into(), dir.into())
    }

    fn start(
        mut settings: StackBuilder,
        tickets_db: &str,
        bridge_db: &str,
        made: Option<Made>,
    ) -> Result<Self> {
        let (detour_crm, detour_bridge) = (settings.detour_crm.take(), settings.detour_bridge.take());
        let mut stack = Self {
            tickets: None,
            bridge: None,
            crm: None,
            _made: made,
            people: Vec::new(),
            tickets_url: String::new(),
            bridge_url: String::new(),
            crm_url: String::new(),
            crm_key: String::new(),
            settings,
        };
        stack.start_crm()?;
        let crm_url = take(detour_crm, &stack.crm_url)?;
        stack.settings.write_bridge_config(bridge_db, &crm_url)?;
        fs::write(stack.settings.dir.join(BRIDGE).join("crm-key"), &stack.crm_key)?;
        stack.start_bridge()?;
        let bridge_url = take(detour_bridge, &stack.bridge_url)?;
        stack.first_start_of_tickets(tickets_db, &bridge_url)?;
        stack.people =
            people::make(&stack.settings.program(TICKETS), &stack.config(TICKETS), &stack.tickets_url)?;
        Ok(stack)
    }

    /// Address of the ticket service.
    pub fn tickets_url(&self) -> &str {
        &self.tickets_url
    }

    /// True address of the bridge.
    pub fn bridge_url(&self) -> &str {
        &self.bridge_url
    }

    /// True address of the CRM.
    pub fn crm_url(&self) -> &str {
        &self.crm_url
    }

    /// The key that the bridge shows to the CRM.
    pub fn crm_key(&self) -> &str {
        &self.crm_key
    }

    /// Who can sign in to the ticket service.
    pub fn people(&self) -> &[SignIn] {
        &self.people
    }

    /// Signs in somebody of [`Stack::people`] by role: `admin`, `supervisor`, `line1`, `line2` or `line3`.
    pub fn signed_in(&self, role: &str) -> Result<Client> {
        let person = self.people.iter().find(|person| person.role == role);
        let person = person.with_context(|| format!("nobody has the role {role}"))?;
        Client::new(&self.tickets_url).sign_in(&person.email, &person.password)
    }

    /// The folder with everything.
    pub fn dir(&self) -> &Path {
        &self.settings.dir
    }

    /// The configuration file of `ticket-service` or `crm-bridge`.
    pub fn config(&self, service: &str) -> PathBuf {
        self.dir().join(service).join("config.toml")
    }

    /// The log of `ticket-service`, `crm-bridge` or `sandbox-crm`.
    pub fn log(&self, service: &str) -> PathBuf {
        self.dir().join("logs").join(format!("{service}.log"))
    }

    /// JSON with the `fields` and `markers` that must never leave the CRM. Not there without [`StackBuilder::markers`].
    pub fn markers_file(&self) -> PathBuf {
        match self.settings.crm {
            CrmKind::Sandbox => self.dir().join("crm/markers.json"),
            CrmKind::Tryton => self.dir().join("crm/facts.json"),
        }
    }

    /// The ticket service's process, if it runs.
    pub fn tickets(&mut self) -> Option<&mut Service> {
        self.tickets.as_mut()
    }

    /// The bridge's process, if it runs.
    pub fn bridge(&mut self) -> Option<&mut Service> {
        self.bridge.as_mut()
    }

    /// Tryton, if it is the CRM and runs.
    pub fn tryton(&self) -> Option<&RunningTryton> {
        match &self.crm {
            Some(Crm::Tryton(tryton)) => Some(tryton),
            _ => None,
        }
    }

    /// Stops the ticket service; an error if it did not stop cleanly.
    pub fn stop_tickets(&mut self) -> Result<()> {
        self.tickets.take().map_or(Ok(()), Service::stop)
    }

    /// Ends the ticket service at once, as a crash would.
    pub fn kill_tickets(&mut self) -> Result<()> {
        self.tickets.take().map_or(Ok(()), Service::kill)
    }

    /// Starts the ticket service again at the same address.
    pub fn start_tickets(&mut self) -> Result<()> {
        let service = self.settings.serve(TICKETS, "GUICHET_TICKETS", &self.settings.more_tickets)?;
        self.tickets_url = service.address().to_owned();
        self.tickets = Some(service);
        Ok(())
    }

    /// Stops the bridge; an error if it did not stop cleanly.
    pub fn stop_bridge(&mut self) -> Result<()> {
        self.bridge.take().map_or(Ok(()), Service::stop)
    }

    /// Ends the bridge at once, as a crash would.
    pub fn kill_bridge(&mut self) -> Result<()> {
        self.bridge.take().map_or(Ok(()), Service::kill)
    }

    /// Starts the bridge again at the same address.
    pub fn start_bridge(&mut self) -> Result<()> {
        let service = self.settings.serve(BRIDGE, "GUICHET_BRIDGE", &self.settings.more_bridge)?;
        self.bridge_url = service.address().to_owned();
        self.keep_port(1, BRIDGE, &self.bridge_url.clone())?;
        self.bridge = Some(service);
        Ok(())
    }

    /// Stops the CRM, as if it were down.
    pub fn stop_crm(&mut self) {
        self.crm = None;
    }

    /// Starts the CRM again at the same address.
    pub fn start_crm(&mut self) -> Result<()> {
        let settings = &self.settings;
        let dir = settings.dir.join("crm");
        let crm = match settings.crm {
            CrmKind::Sandbox => Crm::Sandbox(settings.sandbox(&dir)?),
            CrmKind::Tryton => {
                let tryton = Tryton::prepare()?.start_in(&dir, settings.ports[2], settings.own_group)?;
                Crm::Tryton(Box::new(tryton))
            }
        };
        (self.crm_url, self.crm_key) = match &crm {
            Crm::Sandbox(service) => {
                (service.address().to_owned(), fs::read_to_string(dir.join("secret"))?.trim().to_owned())
            }
            Crm::Tryton(tryton) => (tryton.address().to_owned(), tryton.facts().key.clone()),
        };
        self.settings.ports[2] = port_of(&self.crm_url)?;
        self.crm = Some(crm);
        Ok(())
    }

    /// Makes the sandbox CRM think for so many milliseconds before each answer.
    pub fn crm_thinks(&self, delay_ms: u64) -> Result<()> {
        let behaviour = serde_json::json!({ "delay_ms": delay_ms });
        let crm = Client::new(&self.crm_url);
        let answer = crm.call(&Method::PUT, "/debug/behaviour", &[], Some(&behaviour))?;
        if answer.status != 200 {
            bail!("the CRM does not take {behaviour}: {}", answer.body);
        }
        Ok(())
    }

    /// Stops everything; an error if one of our services did not stop cleanly.
    pub fn stop(mut self) -> Result<()> {
        let tickets = self.stop_tickets();
        let bridge = self.stop_bridge();
        self.stop_crm();
        tickets.and(bridge)
    }

    /// Whether ticket service and bridge still run.
    pub fn is_running(&mut self) -> Result<bool> {
        for service in [&mut self.tickets, &mut self.bridge] {
            if let Some(service) = service
                && service.exited()?.is_some()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The public address stands in the configuration, so the port must be known before the start.
    fn first_start_of_tickets(&mut self, database: &str, bridge_url: &str) -> Result<()> {
        if self.settings.ports[0] != 0 {
            self.settings.write_tickets_config(database, bridge_url)?;
            return self.start_tickets();
        }
        let mut failure = anyhow::anyhow!("the ticket service was not started");
        for _ in 0..START_TRIES {
            self.settings.ports[0] = free_port()?;
            self.settings.write_tickets_config(database, bridge_url)?;
            match self.start_tickets() {
                Ok(()) => return Ok(()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Writes the port that was taken into the configuration, for the next start.
    fn keep_port(&mut self, place: usize, service: &str, url: &str) -> Result<()> {
        if self.settings.ports[place] == 0 {
            let port = port_of(url)?;
            let file = self.config(service);
            let text =
                fs::read_to_string(&file)?.replacen("127.0.0.1:0\"", &format!("127.0.0.1:{port}\""), 1);
            fs::write(&file, text)?;
            self.settings.ports[place] = port;
        }
        Ok(())
    }
}

fn port_of(url: &str) -> Result<u16> {
    let port =
        url.rsplit(':').next().map(|rest| rest.trim_end_matches('/')).and_then(|port| port.parse().ok());
    port.with_context(|| format!("{url} has no port"))
}
