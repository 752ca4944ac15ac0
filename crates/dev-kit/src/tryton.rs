//! Tryton, a real CRM: installed from PyPI into a cached virtual environment, filled once, copied for each use.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Launch, Service};
use crate::workspace::{fingerprint, program, target};

const REQUIREMENTS: &str = include_str!("../tryton/requirements.txt");
const FILL: &str = include_str!("../tryton/fill.py");
const MODULES: [&str; 4] = ["sale_opportunity", "account_invoice", "bank", "account_credit_limit"];
const PYTHON_MIN: (u32, u32) = (3, 10);
/// The name of the database inside of Tryton, and so the first part of every path of its interface.
pub const DATABASE: &str = "crm";
const DATABASE_FILE: &str = "crm.sqlite";
const FACTS_FILE: &str = "facts.json";

/// A prepared Tryton: the programs and a filled database to copy from.
#[derive(Clone, Debug)]
pub struct Tryton {
    venv: PathBuf,
    template: PathBuf,
}

/// A running Tryton on its own copy of the database.
pub struct RunningTryton {
    // Declared before the folder: the server stops before its files go.
    server: Service,
    facts: TrytonFacts,
    _dir: Option<TempDir>,
}

/// What the database was filled with.
#[derive(Clone, Debug)]
pub struct TrytonFacts {
    /// REST key of a plain user: the one a bridge gets.
    pub key: String,
    /// REST key of the administrator, for tests that change records.
    pub admin_key: String,
    /// The customers, in the order they were made.
    pub customers: Vec<TrytonCustomer>,
    /// JSON file with `fields` and `markers` (each with `kind`, `field`, `record`, `value`).
    pub file: PathBuf,
}

/// Enough of a customer to write in that customer's name.
#[derive(Clone, Debug)]
pub struct TrytonCustomer {
    /// Tryton's id of the party.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Phone, E.164.
    pub phone: String,
    /// Language code.
    pub language: String,
}

impl Tryton {
    /// Installs Tryton and fills its database, unless that was done before on this machine. Needs Python and,
    /// the first time, PyPI; takes about half a minute then.
    pub fn prepare() -> Result<Self> {
        let home = target().join("tryton");
        fs::create_dir_all(&home)?;
        // Tests run as many processes; the first one prepares, the others wait for it.
        let lock = File::create(home.join("lock"))?;
        lock.lock()?;
        let requirements = fingerprint(&[REQUIREMENTS.as_bytes()]);
        let content = fingerprint(&[REQUIREMENTS.as_bytes(), FILL.as_bytes()]);
        let prepared = Self {
            venv: home.join(format!("venv-{requirements}")),
            template: home.join(format!("template-{content}")),
        };
        once(&prepared.venv, || prepared.install())?;
        once(&prepared.template, || prepared.fill())?;
        Ok(prepared)
    }

    /// Starts Tryton on a fresh copy of the database and a free port.
    pub fn start(&self) -> Result<RunningTryton> {
        let dir = tempfile::Builder::new().prefix("guichet-tryton-").tempdir()?;
        let mut running = self.start_in(dir.path(), 0, false)?;
        running._dir = Some(dir);
        Ok(running)
    }

    /// Starts Tryton on the database in `dir`, copied there if there is none yet. With `own_group`, Ctrl-C in the
    /// terminal does not reach it.
    pub fn start_in(&self, dir: &Path, port: u16, own_group: bool) -> Result<RunningTryton> {
        fs::create_dir_all(dir)?;
        let dir = fs::canonicalize(dir)?;
        for file in [DATABASE_FILE, FACTS_FILE] {
            if !dir.join(file).exists() {
                fs::copy(self.template.join(file), dir.join(file))?;
            }
        }
        let config = write_config(&dir, port)?;
        let mut launch = Launch::new("Tryton", self.venv.join("bin/trytond"), dir.join("tryton.log"))
            .args(["-c".into(), config.into_os_string(), "-d".into(), DATABASE.into()])
            .env("PYTHONUNBUFFERED", "1")
            .ready_mark(" * Running on ")
            .ready_within(Duration::from_secs(60));
        if own_group {
            launch = launch.own_group();
        }
        let server = launch.start()?;
        Ok(RunningTryton { server, facts: read_facts(&dir.join(FACTS_FILE))?, _dir: None })
    }

    fn install(&self) -> Result<()> {
        let python = find_python()?;
        let mut make = Command::new(python);
        make.args(["-m", "venv"]).arg(&self.venv);
        run(make).context(
            "can't make a Python virtual environment; on Debian and Ubuntu `apt-get install -y python3-venv` helps",
        )?;
        let list = self.venv.join("requirements.txt");
        fs::write(&list, REQUIREMENTS)?;
        let mut pip = Command::new(self.venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"]).arg(list);
        run(pip).context("can't install Tryton from PyPI")
    }

    fn fill(&self) -> Result<()> {
        let dir = &self.template;
        fs::create_dir_all(dir)?;
        File::create(dir.join(DATABASE_FILE))?;
        fs::write(dir.join("password"), "Only-for-tests-4187\n")?;
        fs::write(dir.join("fill.py"), FILL)?;
        let config = write_config(dir, 0)?;
        let admin = |arguments: &[&str]| -> Result<()> {
            let mut command = Command::new(self.venv.join("bin/trytond-admin"));
            command.arg("-c").arg(&config).args(["-d", DATABASE]).args(arguments);
            command.env("TRYTONPASSFILE", dir.join("password"));
            run(command)
        };
        admin(&["--all", "--email", "admin@example.org"]).context("can't make Tryton's database")?;
        let mut update = vec!["-u"];
        update.extend(MODULES);
        update.push("--activate-dependencies");
        admin(&update).context("can't activate Tryton's modules")?;
        let mut fill = Command::new(self.venv.join("bin/python"));
        fill.arg(dir.join("fill.py")).arg("--config").arg(&config);
        fill.args(["--database", DATABASE, "--facts"]).arg(dir.join(FACTS_FILE));
        run(fill).context("can't fill Tryton's database")
    }
}

impl RunningTryton {
    /// `http://127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// What the database was filled with.
    pub fn facts(&self) -> &TrytonFacts {
        &self.facts
    }

    /// The server process.
    pub fn server(&mut self) -> &mut Service {
        &mut self.server
    }
}

/// Does `work` unless it was finished before; what an interrupted run left behind is removed first.
fn once(folder: &Path, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let done = folder.join("done");
    if done.exists() {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    work()?;
    File::create(done)?;
    Ok(())
}

fn find_python() -> Result<PathBuf> {
    let mut names: Vec<String> = (PYTHON_MIN.1..20).rev().map(|minor| format!("python3.{minor}")).collect();
    names.insert(0, "python3".to_owned());
    for python in names.iter().filter_map(|name| program(name)) {
        let asked = "import sys; print(sys.version_info[0], sys.version_info[1])";
        let Ok(output) = Command::new(&python).args(["-c", asked]).stderr(Stdio::null()).output() else {
            continue;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut numbers = text.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
        if numbers.next().zip(numbers.next()).is_some_and(|version| version >= PYTHON_MIN) {
            return Ok(python);
        }
    }
    let (major, minor) = PYTHON_MIN;
    bail!(
        "Python {major}.{minor} or newer was not found, Tryton needs it: install it with \
         `apt-get install -y python3 python3-venv`"
    )
}

fn write_config(dir: &Path, port: u16) -> Result<PathBuf> {
    let file = dir.join("trytond.conf");
    let dir = fs::canonicalize(dir)?;
    let text =
        format!("[database]\nuri = sqlite://\npath = {}\n[web]\nlisten = 127.0.0.1:{port}\n", dir.display());
    fs::write(&file, text)?;
    Ok(file)
}

fn read_facts(file: &Path) -> Result<TrytonFacts> {
    let text = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let facts: Value = serde_json::from_slice(&text)?;
    let text_at = |value: &Value, name: &str| value[name].as_str().map(str::to_owned);
    let customer = |value: &Value| {
        Some(TrytonCustomer {
            id: value["id"].as_i64()?,
            name: text_at(value, "name")?,
            email: text_at(value, "email")?,
            phone: text_at(value, "phone")?,
            language: text_at(value, "language")?,
        })
    };
    let customers: Option<Vec<_>> =
        facts["customers"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(customer).collect();
    let read = || {
        Some(TrytonFacts {
            key: text_at(&facts, "key")?,
            admin_key: text_at(&facts, "admin_key")?,
            customers: customers?,
            file: file.to_owned(),
        })
    };
    read().with_context(|| format!("{} was not written by fill.py", file.display()))
}

/// Runs a command quietly; its output is shown only if it fails.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("can't run {name}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{name} failed ({}):\n{}", output.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}
