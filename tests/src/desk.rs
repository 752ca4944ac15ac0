//! A whole helpdesk as real processes: a CRM full of markers, the bridge, the ticket service, a recording proxy in front
//! of the ticket service and one between the services.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use dev_kit::{Client, CrmKind, Service, Stack, StackDatabase};
use serde_json::Value;
use tempfile::TempDir;

use crate::api::Api;
use crate::markers::MarkerList;
use crate::proxy::Proxy;

/// The bridge asks the CRM each time; jobs run at once; nobody is slowed down.
const TICKET_SETTINGS: &str = "LIMITS__FORM_PER_ADDRESS=1000\nLIMITS__FORM_SECONDS_MIN=0\n\
    LIMITS__SIGN_IN_PER_ADDRESS=1000\nJOBS__POLL_MS=50\n";
const BRIDGE_SETTINGS: &str = "CACHE__FRESH_S=0\nLIMITS__FAILURES_MAX=100000\n";
const CUSTOMERS: usize = 60;
/// Tests that erase customers take later ones.
const FIRST: usize = 20;

/// How to set up a desk.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which CRM.
    pub crm: CrmKind,
    /// Where both services keep their data.
    pub database: StackDatabase,
    /// The field policy, if it is another than the one that ships.
    pub policy: Option<PathBuf>,
    /// The walls that are taken away, by their words in `crates/crm-bridge/src/walls.rs`. Takes a bridge that was built
    /// for it.
    pub without_walls: Vec<&'static str>,
    /// More settings of the ticket service, as `SECTION__KEY=value`, one a line.
    pub ticket_settings: &'static str,
    /// More settings of the bridge.
    pub bridge_settings: &'static str,
}

impl Setup {
    /// All walls.
    pub fn with(crm: CrmKind) -> Self {
        let database = StackDatabase::Sqlite;
        Self {
            crm,
            database,
            policy: None,
            without_walls: Vec::new(),
            ticket_settings: "",
            bridge_settings: "",
        }
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
    /// How many sales are under way with them: the more, the more there is to keep secret.
    pub deals: usize,
    /// Values that a card shows every role, but that the customer never wrote to support.
    pub on_the_card: Vec<String>,
}

/// A running helpdesk. Dropping it stops everything.
pub struct Desk {
    // Stops before the proxies and the folder go.
    stack: Stack,
    /// The proxy in front of the ticket service: what browsers and programs talk to.
    pub front: Proxy,
    /// The proxy between the ticket service and the bridge.
    pub between: Arc<Proxy>,
    /// What must never come through.
    pub markers: MarkerList,
    /// The CRM's customers.
    pub customers: Vec<Customer>,
    dir: TempDir,
}

/// The folder with the programs of this workspace: `GUICHET_TEST_BIN`, or where the tests themselves are.
///
/// # Errors
/// They have not been built.
pub fn programs() -> Result<PathBuf> {
    let folder = match std::env::var_os("GUICHET_TEST_BIN") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let here = std::env::current_exe()?;
            let folder = here.parent().context("a program without a folder")?;
            if folder.ends_with("deps") {
                folder.parent().unwrap_or(folder).to_owned()
            } else {
                folder.to_owned()
            }
        }
    };
    for name in ["ticket-service", "crm-bridge", "sandbox-crm"] {
        let file = folder.join(name);
        ensure!(file.is_file(), "{} is missing: run `cargo build --workspace --bins`", file.display());
    }
    Ok(folder)
}

/// The bridge whose walls can be taken away: `GUICHET_TEST_SABOTAGED_BRIDGE`, or where `cargo xtask test` builds it.
///
/// # Errors
/// It has not been built.
pub fn sabotaged_bridge() -> Result<PathBuf> {
    let file = match std::env::var_os("GUICHET_TEST_SABOTAGED_BRIDGE") {
        Some(file) => PathBuf::from(file),
        None => programs()?.join("examples/sabotaged-bridge"),
    };
    let how = "cargo build -p crm-bridge --example sabotaged-bridge --features sabotage";
    ensure!(file.is_file(), "{} is missing: run `{how}`", file.display());
    Ok(file)
}

impl Desk {
    /// Starts everything.
    ///
    /// # Errors
    /// Something did not start; the message has the end of its log.
    pub fn start(setup: &Setup) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("guichet-desk-").tempdir()?;
        let (front, between) = (Proxy::start()?, Arc::new(Proxy::start()?));
        let bin = bin_folder(setup, dir.path())?;
        let sabotage = sabotage(&setup.without_walls);
        let detour = between.clone();
        let shipped = dev_kit::workspace::root().join("config/field-policy.toml");
        let stack = Stack::builder(bin, dir.path().join("stack"))
            .policy(setup.policy.clone().unwrap_or(shipped))
            .crm(setup.crm)
            .database(setup.database.clone())
            .customers(CUSTOMERS, 1)
            .markers()
            .ticket_settings(&[TICKET_SETTINGS, setup.ticket_settings].concat())
            .bridge_settings(&[BRIDGE_SETTINGS, setup.bridge_settings, &sabotage].concat())
            .bridge_by_way_of(Box::new(move |url| detour.lead_to(url).map(|()| detour.address())))
            .start()?;
        front.lead_to(stack.tickets_url())?;
        let markers = MarkerList::read(&stack.markers_file())?;
        let customers = customers(&stack)?;
        Ok(Self { stack, front, between, markers, customers, dir })
    }

    /// The folder with everything that a service writes beside its log: `ticket-service` or `crm-bridge`.
    pub fn home(&self, service: &str) -> PathBuf {
        self.stack.dir().join(service)
    }

    /// The log of a service.
    pub fn log(&self, service: &str) -> PathBuf {
        self.stack.log(service)
    }

    /// A folder for what a test itself writes.
    pub fn scratch(&self) -> PathBuf {
        self.dir.path().join("scratch")
    }

    /// A caller without credentials, through the recording proxy.
    pub fn visitor(&self) -> Api {
        Api::new(&self.front.address())
    }

    /// Somebody by the first part of the address: `anna`, `boris` (line 1), `mia` (line 2), `eero` (line 3), `sofia`
    /// (supervisor), `admin`.
    ///
    /// # Errors
    /// There is nobody of that name, or the service does not let them in.
    pub fn operator(&self, name: &str) -> Result<Api> {
        let (email, password) = self.sign_in_of(name)?;
        self.visitor().sign_in(&email, &password)
    }

    /// Address and password of somebody.
    ///
    /// # Errors
    /// There is nobody of that name.
    pub fn sign_in_of(&self, name: &str) -> Result<(String, String)> {
        let person = self.stack.people().iter().find(|person| person.email.starts_with(&format!("{name}@")));
        person
            .map(|person| (person.email.clone(), person.password.clone()))
            .with_context(|| format!("no {name}"))
    }

    /// The bridge, through the recording proxy.
    pub fn bridge(&self) -> Api {
        Api::new(&self.between.address())
    }

    /// The processes and what can be done to them.
    pub fn stack(&mut self) -> &mut Stack {
        &mut self.stack
    }

    /// The process id of the ticket service or of the bridge.
    ///
    /// # Errors
    /// It is not running.
    pub fn pid(&mut self, service: &str) -> Result<u32> {
        let process = if service == "crm-bridge" { self.stack.bridge() } else { self.stack.tickets() };
        process
            .map(|process: &mut Service| process.pid())
            .with_context(|| format!("{service} is not running"))
    }

    /// The private key with which the ticket service signs.
    pub fn signing_key(&self) -> PathBuf {
        self.home("ticket-service").join("signing-key.pem")
    }

    /// Tells the sandbox CRM how to behave; `{}` is well.
    ///
    /// # Errors
    /// It is not the sandbox, or refuses.
    pub fn crm_behaves(&self, behaviour: &Value) -> Result<()> {
        Api::new(self.stack.crm_url()).call("PUT", "/debug/behaviour", &[], behaviour)?.expect(200)?;
        Ok(())
    }

    /// Calls the CRM past the bridge, with the bridge's key.
    pub fn crm(&self) -> Api {
        Api::new(self.stack.crm_url()).with_bearer(self.stack.crm_key())
    }

    /// A customer by their place in the list.
    ///
    /// # Errors
    /// There are not so many.
    pub fn customer(&self, place: usize) -> Result<&Customer> {
        self.customers.get(place).context("so many customers were not made")
    }

    /// One of the first customers, about whom the CRM has most to keep secret.
    ///
    /// # Errors
    /// There are no customers with deals.
    pub fn busiest(&self) -> Result<&Customer> {
        let first = self.customers.iter().take(FIRST);
        first
            .max_by_key(|customer| customer.deals)
            .filter(|customer| customer.deals > 0)
            .context("nobody buys anything")
    }

    /// Two customers who share a phone number.
    ///
    /// # Errors
    /// There are none.
    pub fn sharing_a_phone(&self) -> Result<(&Customer, &Customer)> {
        let pairs = self.customers.iter().enumerate().filter_map(|(place, one)| {
            let others = self.customers.get(place + 1..).unwrap_or_default();
            others.iter().find(|other| other.phone == one.phone).map(|other| (one, other))
        });
        pairs.into_iter().next().context("no two customers share a phone number")
    }
}

fn sabotage(walls: &[&str]) -> String {
    if walls.is_empty() { String::new() } else { format!("SABOTAGE__WITHOUT={walls:?}\n") }
}

/// The programs to start; with walls taken away, those with another bridge.
fn bin_folder(setup: &Setup, dir: &Path) -> Result<PathBuf> {
    let programs = programs()?;
    if setup.without_walls.is_empty() {
        return Ok(programs);
    }
    let folder = dir.join("bin");
    std::fs::create_dir_all(&folder)?;
    for name in ["ticket-service", "sandbox-crm"] {
        symlink(programs.join(name), folder.join(name))?;
    }
    symlink(sabotaged_bridge()?, folder.join("crm-bridge"))?;
    Ok(folder)
}

fn customers(stack: &Stack) -> Result<Vec<Customer>> {
    if let Some(tryton) = stack.tryton() {
        let customer = |customer: &dev_kit::TrytonCustomer| Customer {
            id: customer.id.to_string(),
            name: customer.name.clone(),
            email: customer.email.clone(),
            phone: customer.phone.clone(),
            deals: 1,
            on_the_card: vec![customer.name.clone()],
        };
        return Ok(tryton.facts().customers.iter().map(customer).collect());
    }
    let list = Client::new(stack.crm_url()).with_key(stack.crm_key()).get("/api/v1/contacts?limit=200")?;
    let mut customers: Vec<Customer> =
        list["items"].as_array().context("no contacts")?.iter().map(contact).collect();
    customers.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(customers)
}

fn contact(contact: &Value) -> Customer {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Customer {
        id: text(&contact["id"]),
        name: text(&contact["full_name"]),
        email: text(&contact["email"]),
        phone: text(&contact["phone"]),
        deals: contact["deals"].as_array().map_or(0, Vec::len),
        on_the_card: vec![
            text(&contact["full_name"]),
            text(&contact["job_title"]),
            text(&contact["company"]["name"]),
        ],
    }
}
