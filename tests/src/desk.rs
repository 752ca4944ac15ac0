//! A whole helpdesk as real processes: a CRM full of markers, the bridge, the ticket service, a recording proxy in front
//! of the ticket service and one between the services.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use dev_kit::{Launch, RunningTryton, Service, TRYTON_DATABASE, Tryton, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::Api;
use crate::markers::MarkerList;
use crate::proxy::Proxy;

/// The password of every operator at the desk.
pub const PASSWORD: &str = "quiet-lanterns-over-water";
/// The people at the desk: address, name, role.
pub const PEOPLE: [(&str, &str, &str); 6] = [
    ("ann@desk.example", "Ann Keller", "line1"),
    ("boris@desk.example", "Boris Petrov", "line1"),
    ("lena@desk.example", "Lena Voss", "line2"),
    ("timo@desk.example", "Timo Laine", "line3"),
    ("sara@desk.example", "Sara Winter", "supervisor"),
    ("admin@desk.example", "Ada Minder", "admin"),
];
const CRM_KEY: &str = "key-of-the-sandbox-crm";

/// Which CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The small CRM of this project, which can be told to misbehave.
    Sandbox,
    /// A real one.
    Tryton,
}

/// How to set up a desk.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which CRM.
    pub crm: Kind,
    /// The walls that are taken away: `ask`, `parse`, `type`, `who`, `keep`. Takes a bridge that was built for it.
    pub without_walls: Vec<&'static str>,
    /// How long the bridge shows a card without asking the CRM again.
    pub fresh_s: u32,
    /// More settings of the ticket service and of the bridge, as TOML.
    pub more: (&'static str, &'static str),
}

impl Setup {
    /// All walls, and a bridge that asks the CRM each time.
    pub fn with(crm: Kind) -> Self {
        Self { crm, without_walls: Vec::new(), fresh_s: 0, more: ("", "") }
    }
}

/// A customer of the CRM, as far as the tests need to know.
#[derive(Clone, Debug, Default)]
pub struct Customer {
    /// The CRM's id.
    pub id: String,
    /// The name that the card shows.
    pub name: String,
    /// The mail address.
    pub email: String,
    /// The phone number.
    pub phone: String,
    /// Further values that a card shows, but that the customer never wrote to support.
    pub on_the_card: Vec<String>,
}

enum Crm {
    Sandbox(Service),
    Tryton(Box<RunningTryton>),
}

/// A running helpdesk. Dropping it stops everything.
pub struct Desk {
    // In the order in which they stop.
    tickets: Option<Service>,
    bridge: Option<Service>,
    crm: Option<Crm>,
    crm_address: String,
    /// The proxy in front of the ticket service: what browsers and programs talk to.
    pub front: Proxy,
    /// The proxy between the ticket service and the bridge.
    pub between: Proxy,
    /// What must never come through.
    pub markers: MarkerList,
    /// The CRM's customers.
    pub customers: Vec<Customer>,
    setup: Setup,
    dir: TempDir,
}

/// A program of this workspace: from `GUICHET_TEST_BIN`, or from the folder that the tests themselves are in.
///
/// # Errors
/// It has not been built.
pub fn program(name: &str) -> Result<PathBuf> {
    let folder = match std::env::var_os("GUICHET_TEST_BIN") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let here = std::env::current_exe()?;
            let deps = here.parent().context("a program without a folder")?;
            if deps.ends_with("deps") { deps.parent().unwrap_or(deps).to_owned() } else { deps.to_owned() }
        }
    };
    let file = folder.join(name);
    ensure!(file.is_file(), "{} is missing: run `cargo build --workspace --bins`", file.display());
    Ok(file)
}

/// The bridge whose walls can be taken away: `GUICHET_TEST_SABOTAGED_BRIDGE`, or where `cargo xtask test` builds it.
///
/// # Errors
/// It has not been built.
pub fn sabotaged_bridge() -> Result<PathBuf> {
    let file = match std::env::var_os("GUICHET_TEST_SABOTAGED_BRIDGE") {
        Some(file) => PathBuf::from(file),
        None => program("crm-bridge")?.with_file_name("examples").join("sabotaged-bridge"),
    };
    let how = "cargo build -p crm-bridge --example sabotaged-bridge --features sabotage";
    ensure!(file.is_file(), "{} is missing: run `{how}`", file.display());
    Ok(file)
}

impl Desk {
    /// Starts everything and adds [`PEOPLE`].
    ///
    /// # Errors
    /// Something did not start; the message has the end of its log.
    pub fn start(setup: Setup) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("guichet-desk-").tempdir()?;
        let (crm, markers, customers) = match setup.crm {
            Kind::Sandbox => start_sandbox(dir.path())?,
            Kind::Tryton => start_tryton(&dir.path().join("crm"))?,
        };
        let crm_address = match &crm {
            Crm::Sandbox(service) => service.address().to_owned(),
            Crm::Tryton(tryton) => tryton.address().to_owned(),
        };
        let mut desk = Self {
            tickets: None,
            bridge: None,
            crm: Some(crm),
            crm_address,
            front: Proxy::start()?,
            between: Proxy::start()?,
            markers,
            customers,
            setup,
            dir,
        };
        desk.prepare()?;
        desk.start_bridge()?;
        desk.start_tickets()?;
        desk.add_people()?;
        Ok(desk)
    }

    /// The folder with everything that both services write: `tickets/`, `bridge/`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A caller without credentials, through the recording proxy.
    pub fn visitor(&self) -> Api {
        Api::new(&self.front.address())
    }

    /// Somebody of [`PEOPLE`], by the first part of the address.
    ///
    /// # Errors
    /// The service does not let them in.
    pub fn operator(&self, name: &str) -> Result<Api> {
        self.visitor().sign_in(&format!("{name}@desk.example"), PASSWORD)
    }

    /// The bridge itself, past the proxy.
    ///
    /// # Errors
    /// It is not running.
    pub fn bridge(&self) -> Result<Api> {
        Ok(Api::new(self.bridge.as_ref().context("the bridge is not running")?.address()))
    }

    /// The ticket service, while it runs.
    ///
    /// # Errors
    /// It is not running.
    pub fn tickets(&self) -> Result<&Service> {
        self.tickets.as_ref().context("the ticket service is not running")
    }

    /// The private key with which the ticket service signs.
    pub fn signing_key(&self) -> PathBuf {
        self.dir.path().join("tickets/signing.pem")
    }

    /// Tells the sandbox CRM how to behave; `{}` is well.
    ///
    /// # Errors
    /// It is not the sandbox, or refuses.
    pub fn crm_behaves(&self, behaviour: &Value) -> Result<()> {
        Api::new(&self.crm_address).call("PUT", "/debug/behaviour", &[], behaviour)?.expect(200)?;
        Ok(())
    }

    /// Deletes a customer in the sandbox CRM.
    ///
    /// # Errors
    /// There is none.
    pub fn crm_erases(&self, id: &str) -> Result<()> {
        let path = format!("/api/v1/contacts/{id}");
        let answer = Api::new(&self.crm_address).with_bearer(CRM_KEY).send("DELETE", &path, &[], b"")?;
        ensure!(answer.status == 204, "{}", answer.text());
        Ok(())
    }

    /// What the CRM answers to somebody with the bridge's key.
    ///
    /// # Errors
    /// No answer.
    pub fn crm_answer(&self, path: &str) -> Result<String> {
        let key = match &self.crm {
            Some(Crm::Tryton(tryton)) => tryton.facts().key.clone(),
            _ => CRM_KEY.to_owned(),
        };
        Ok(Api::new(&self.crm_address).with_bearer(&key).get(path)?.text())
    }

    /// Ends the CRM at once.
    ///
    /// # Errors
    /// It can't be ended.
    pub fn stop_crm(&mut self) -> Result<()> {
        match self.crm.take() {
            Some(Crm::Sandbox(service)) => service.kill(),
            Some(Crm::Tryton(mut tryton)) => tryton.server().signal(rustix::process::Signal::KILL),
            None => Ok(()),
        }
    }

    /// Ends the bridge: politely, or at once.
    ///
    /// # Errors
    /// It did not end well.
    pub fn stop_bridge(&mut self) -> Result<()> {
        self.between.lead_nowhere();
        self.bridge.take().map_or(Ok(()), Service::stop)
    }

    /// Starts the bridge (again) on its database.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_bridge(&mut self) -> Result<()> {
        let program = if self.setup.without_walls.is_empty() { program("crm-bridge")? } else { sabotaged_bridge()? };
        let service = self.launch("bridge", program).start()?;
        self.between.lead_to(service.address())?;
        self.bridge = Some(service);
        Ok(())
    }

    /// Asks the ticket service to stop and waits.
    ///
    /// # Errors
    /// It did not end well.
    pub fn stop_tickets(&mut self) -> Result<()> {
        self.front.lead_nowhere();
        self.tickets.take().map_or(Ok(()), Service::stop)
    }

    /// Ends the ticket service at once, as a power cut would.
    ///
    /// # Errors
    /// It can't be ended.
    pub fn kill_tickets(&mut self) -> Result<()> {
        self.front.lead_nowhere();
        self.tickets.take().map_or(Ok(()), Service::kill)
    }

    /// Starts the ticket service (again) on its database.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_tickets(&mut self) -> Result<()> {
        let service = self.launch("tickets", program("ticket-service")?).start()?;
        self.front.lead_to(service.address())?;
        self.tickets = Some(service);
        Ok(())
    }

    fn launch(&self, name: &str, program: PathBuf) -> Launch {
        let home = self.dir.path().join(name);
        let config = home.join("config.toml");
        Launch::new(name, program, home.join("service.log"))
            .args(["--config".into(), config.into_os_string(), "serve".into()])
            .current_dir(&home)
    }

    /// Keys, configuration and the first administrator.
    fn prepare(&self) -> Result<()> {
        let (tickets, bridge) = (self.dir.path().join("tickets"), self.dir.path().join("bridge"));
        fs::create_dir_all(&tickets)?;
        fs::create_dir_all(&bridge)?;
        let keys = ["keys", "generate", "--private", "signing.pem", "--public", "../bridge/verify.pem"];
        run(Command::new(program("ticket-service")?).args(keys).current_dir(&tickets), "")?;
        run(Command::new(program("crm-bridge")?).args(["keys", "generate", "--cache", "cache.key"]).current_dir(&bridge), "")?;
        fs::write(tickets.join("config.toml"), self.tickets_config())?;
        fs::write(bridge.join("config.toml"), self.bridge_config()?)?;
        let (email, name, _) = PEOPLE[PEOPLE.len() - 1];
        let admin = ["--config", "config.toml", "create-admin", "--email", email, "--name", name];
        run(Command::new(program("ticket-service")?).args(admin).current_dir(&tickets), PASSWORD)
    }

    fn tickets_config(&self) -> String {
        let (front, between) = (self.front.address(), self.between.address());
        let more = self.setup.more.0;
        format!(
            r#"
[server]
listen = "127.0.0.1:0"
public_url = "{front}"
[database]
url = "sqlite:tickets.db"
[bridge]
url = "{between}"
signing_key_file = "signing.pem"
[attachments]
dir = "attachments"
[limits]
sign_in_per_address = 1000
form_per_address = 1000
form_seconds_min = 0
[jobs]
poll_ms = 50
{more}
"#
        )
    }

    fn bridge_config(&self) -> Result<String> {
        let policy = workspace::root().join("config/field-policy.toml");
        let (address, fresh_s, more) = (&self.crm_address, self.setup.fresh_s, self.setup.more.1);
        let crm = match &self.crm {
            Some(Crm::Sandbox(_)) => format!("profile = \"sandbox\"\nsecret = \"{CRM_KEY}\""),
            Some(Crm::Tryton(tryton)) => {
                let key = &tryton.facts().key;
                format!("profile = \"tryton\"\nsecret = \"{key}\"\ndatabase = \"{TRYTON_DATABASE}\"")
            }
            None => bail!("there is no CRM"),
        };
        let sabotage: String = self.setup.without_walls.iter().map(|wall| format!("{wall} = true\n")).collect();
        let sabotage = if sabotage.is_empty() { sabotage } else { format!("[sabotage]\n{sabotage}") };
        let policy = policy.display();
        Ok(format!(
            r#"
[server]
listen = "127.0.0.1:0"
[database]
url = "sqlite:bridge.db"
[ticket_service]
verify_key_file = "verify.pem"
[crm]
base_url = "{address}"
{crm}
[policy]
file = "{policy}"
[cache]
key_file = "cache.key"
fresh_s = {fresh_s}
{more}
{sabotage}
"#
        ))
    }

    fn add_people(&self) -> Result<()> {
        let admin = self.operator("admin")?;
        for (email, name, role) in PEOPLE.iter().filter(|(_, _, role)| *role != "admin") {
            let person = json!({"email": email, "name": name, "role": role, "password": PASSWORD});
            admin.post("/api/v1/operators", &person)?.expect(201)?;
        }
        Ok(())
    }
}

fn start_sandbox(dir: &Path) -> Result<(Crm, MarkerList, Vec<Customer>)> {
    let markers = dir.join("markers.json");
    let service = Launch::new("sandbox CRM", program("sandbox-crm")?, dir.join("crm.log"))
        .args(["--secret", CRM_KEY, "--customers", "60", "--markers"])
        .args([&markers])
        .start()?;
    let crm = Api::new(service.address()).with_bearer(CRM_KEY);
    let list = crm.get("/api/v1/contacts?limit=200")?.expect(200)?;
    let customers = list["items"].as_array().context("no contacts")?.iter().map(sandbox_customer).collect();
    Ok((Crm::Sandbox(service), MarkerList::read(&markers)?, customers))
}

fn sandbox_customer(contact: &Value) -> Customer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Customer {
        id: text(&contact["id"]),
        name: text(&contact["full_name"]),
        email: text(&contact["email"]),
        phone: text(&contact["phone"]),
        on_the_card: vec![text(&contact["full_name"]), text(&contact["job_title"]), text(&contact["company"]["name"])],
    }
}

fn start_tryton(dir: &Path) -> Result<(Crm, MarkerList, Vec<Customer>)> {
    let tryton = Tryton::prepare()?.start_in(dir, 0, false)?;
    let facts = tryton.facts();
    let markers = MarkerList::read(&facts.file)?;
    let customer = |customer: &dev_kit::TrytonCustomer| Customer {
        id: customer.id.to_string(),
        name: customer.name.clone(),
        email: customer.email.clone(),
        phone: customer.phone.clone(),
        on_the_card: vec![customer.name.clone()],
    };
    let customers = facts.customers.iter().map(customer).collect();
    Ok((Crm::Tryton(Box::new(tryton)), markers, customers))
}

fn run(command: &mut Command, input: &str) -> Result<()> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("no standard input")?.write_all(format!("{input}\n").as_bytes()).ok();
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?} failed: {said}");
    Ok(())
}
