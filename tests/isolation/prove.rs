//! `crm-bridge prove`, as a data owner runs it: it is green where nothing comes through, red where something does, and it
//! takes out what it put in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use dev_kit::{Launch, Service, TRYTON_DATABASE, Tryton};
use serde_json::{Value, json};
use system_tests::api::Api;
use system_tests::desk::{programs, sabotaged_bridge};
use system_tests::wait;
use tempfile::TempDir;

const KEY: &str = "sandbox-key-0123456789";
const RECORDS: usize = 7;

/// A CRM and the settings of a bridge beside it.
struct Office {
    // Stops before its folder goes.
    crm: Option<Service>,
    dir: TempDir,
    url: String,
}

impl Office {
    fn sandbox(more: &[&str]) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("guichet-prove-").tempdir()?;
        let mut arguments = vec!["--listen", "127.0.0.1:0", "--secret", KEY, "--customers", "30"];
        arguments.extend(more);
        let crm = Launch::new("sandbox CRM", programs()?.join("sandbox-crm"), dir.path().join("crm.log"));
        let crm = crm.args(arguments).start()?;
        let url = format!("http://{}", crm.address().trim_start_matches("http://"));
        let office = Self { crm: Some(crm), dir, url };
        office.set_up("profile = \"sandbox\"", KEY, &format!("{KEY}-write"))?;
        Ok(office)
    }

    fn set_up(&self, crm: &str, key: &str, plant_key: &str) -> Result<()> {
        let policy = dev_kit::workspace::root().join("config/field-policy.toml");
        std::fs::write(self.file("crm.key"), key)?;
        std::fs::write(self.file("plant.key"), plant_key)?;
        let settings = format!(
            "[crm]\n{crm}\nbase_url = \"{}\"\nsecret_file = {:?}\n[policy]\nfile = {policy:?}\n",
            self.url,
            self.file("crm.key")
        );
        std::fs::write(self.file("bridge.toml"), settings)?;
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn host(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("--config").arg(self.file("bridge.toml")).args(arguments).current_dir(self.dir.path());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(&programs()?.join("crm-bridge"), arguments).output()?)
    }

    /// Arguments of a whole run.
    fn planting(&self) -> Vec<&str> {
        vec!["prove", "--sandbox", self.host(), "--plant-key-file", "plant.key", "--out", "proof"]
    }

    /// A whole run with these walls taken away.
    fn proven(&self, without_walls: &[&str]) -> Result<(i32, Value)> {
        let program =
            if without_walls.is_empty() { programs()?.join("crm-bridge") } else { sabotaged_bridge()? };
        let mut command = self.command(&program, &self.planting());
        if !without_walls.is_empty() {
            command.env("GUICHET_BRIDGE__SABOTAGE__WITHOUT", format!("{without_walls:?}"));
        }
        let output = command.output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let report = std::fs::read(self.file("proof/report.json")).with_context(|| said.clone())?;
        Ok((output.status.code().unwrap_or(-1), serde_json::from_slice(&report).with_context(|| said)?))
    }

    fn api(&self) -> Api {
        Api::new(&self.url).with_bearer(&format!("{KEY}-write"))
    }

    /// How many records of each kind the sandbox CRM has.
    fn records(&self) -> Result<Vec<usize>> {
        let count = |kind: &str| -> Result<usize> {
            let list = self.api().get(&format!("/api/v1/{kind}?limit=200"))?.expect(200)?;
            Ok(list["items"].as_array().map_or(0, Vec::len))
        };
        ["contacts", "companies", "deals", "invoices", "notes"].into_iter().map(count).collect()
    }
}

fn words(report: &Value, list: &str, member: &str) -> BTreeSet<String> {
    let items = report[list].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item[member].as_str().map(str::to_owned)).collect()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn a_run_against_the_sandbox_crm_is_green_signed_and_leaves_nothing_behind() -> Result<()> {
    let office = Office::sandbox(&[])?;
    let before = office.records()?;
    ensure!(office.run(&["keys", "generate", "--approver", "owner.pem"])?.status.success(), "no key");
    let mut arguments = office.planting();
    arguments.extend(["--sign-key", "owner.pem"]);
    let output = office.run(&arguments)?;
    ensure!(output.status.code() == Some(0), "{}", text(&output));
    ensure!(office.records()? == before, "records were left in the CRM");
    for gone in ["journal.json", "work"] {
        ensure!(!office.file("proof").join(gone).exists(), "{gone} was left");
    }
    let bytes = std::fs::read(office.file("proof/report.json"))?;
    let report: Value = serde_json::from_slice(&bytes)?;
    ensure!(report["verdict"] == "green" && report["found"] == json!([]), "{report}");
    ensure!(report["markers"].as_array().is_some_and(|markers| markers.len() > 20), "{report}");
    let driven = report["driven"].as_array().context("nothing was driven")?;
    for what in ["kept cards for each role while no answer", "a CRM that fails with all it knows"] {
        let did = driven.iter().any(|did| did.as_str().is_some_and(|did| did.starts_with(what)));
        ensure!(did, "not driven: {what}; {} {}", report["driven"], report["not_driven"]);
    }
    let fields = report["policy"]["fields"].as_array().context("no fields")?;
    ensure!(fields.iter().filter(|field| field["seen"] == true).count() >= 6, "{fields:?}");

    let verify = |key: &str| office.run(&["prove", "verify", "proof/report.json", "--key", key]);
    let verified = verify("owner.pem.pub")?;
    ensure!(
        verified.status.code() == Some(0) && text(&verified).contains("says the same"),
        "{}",
        text(&verified)
    );
    let page = std::fs::read_to_string(office.file("proof/report.html"))?;
    std::fs::write(office.file("proof/report.html"), page.replace("line1", "line9"))?;
    ensure!(verify("owner.pem.pub")?.status.code() == Some(1), "a page that was changed is believed");
    std::fs::write(office.file("proof/report.html"), page)?;
    let changed = String::from_utf8(bytes)?.replace("\"left\": []", "\"left\": [ ]");
    std::fs::write(office.file("proof/report.json"), changed)?;
    let refused = verify("owner.pem.pub")?;
    ensure!(refused.status.code() == Some(1) && text(&refused).contains("changed"), "{}", text(&refused));
    Ok(())
}

#[test]
fn a_crm_that_sends_everything_unasked_changes_nothing() -> Result<()> {
    let (code, report) = Office::sandbox(&["--ignore-fields"])?.proven(&[])?;
    ensure!(code == 0, "{}", report["found"]);
    Ok(())
}

#[test]
fn without_walls_a_run_is_red_and_says_what_came_through_but_not_its_value() -> Result<()> {
    let cases: [(&[&str], &[&str]); 3] = [
        (&["ask", "parse", "exit"], &["deals", "money", "accounts", "notes", "staff", "scores"]),
        (&["type", "tripwire", "view", "exit"], &["misplaced", "shown to a role that must not see it"]),
        (&["seal", "unsealed"], &["kept or logged in clear"]),
    ];
    for (without, expected) in cases {
        let office = Office::sandbox(&[])?;
        let before = office.records()?;
        let (code, report) = office.proven(without)?;
        let leaks = words(&report, "found", "leak");
        ensure!(code == 1 && report["verdict"] == "red", "without {without:?} the run ends with {code}");
        for leak in expected {
            ensure!(
                leaks.contains(*leak),
                "without {without:?}, {leak} came through and was not found: {leaks:?}"
            );
        }
        ensure!(!report.to_string().contains(".example"), "a value of a marker is in the report");
        ensure!(office.records()? == before, "records were left in the CRM");
    }
    Ok(())
}

/// Starts a run and waits until everything is planted.
fn planted(office: &Office) -> Result<std::process::Child> {
    let mut command = office.command(&programs()?.join("crm-bridge"), &office.planting());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let made = || -> Result<usize> {
        let journal = std::fs::read(office.file("proof/journal.json")).unwrap_or_default();
        let journal: Value = serde_json::from_slice(&journal).unwrap_or_default();
        let records = journal["records"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(records.iter().filter(|record| record["id"].is_string()).count())
    };
    wait::until("everything is planted", made, |made| *made == RECORDS)?;
    Ok(child)
}

/// How many processes have that text in their environment.
fn processes_with(text: &str) -> usize {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let environments = all.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
    environments.filter(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes())).count()
}

#[test]
fn what_a_killed_run_left_is_removed_by_its_journal() -> Result<()> {
    let office = Office::sandbox(&[])?;
    let before = office.records()?;
    let mut child = planted(&office)?;
    child.kill()?;
    child.wait()?;
    // The bridge that it drove goes with it, also if it had only just been started.
    let work = office.file("proof/work/bridge.db").display().to_string();
    wait::until("the driven bridge has gone", || Ok(processes_with(&work)), |count| *count == 0)?;
    ensure!(office.records()? != before, "nothing was planted");
    let again = office.run(&office.planting())?;
    ensure!(again.status.code() == Some(2) && text(&again).contains("--clean-up"), "{}", text(&again));
    let mut arguments = office.planting();
    arguments.push("--clean-up");
    let cleaned = office.run(&arguments)?;
    ensure!(cleaned.status.code() == Some(0), "{}", text(&cleaned));
    ensure!(office.records()? == before, "records were left in the CRM");
    ensure!(!office.file("proof/work").exists(), "the folder of the run was left");
    Ok(())
}

#[test]
fn a_run_that_is_stopped_removes_what_it_planted() -> Result<()> {
    let office = Office::sandbox(&[])?;
    let before = office.records()?;
    let mut child = planted(&office)?;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id())?).context("no process")?;
    rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
    ensure!(child.wait()?.code() == Some(2), "a run that was stopped proves nothing");
    ensure!(office.records()? == before, "records were left in the CRM");
    ensure!(!office.file("proof/report.json").exists(), "there is a report");
    Ok(())
}

#[test]
fn nothing_is_planted_with_another_host_or_with_the_bridges_own_key() -> Result<()> {
    let office = Office::sandbox(&[])?;
    let before = office.records()?;
    for (arguments, says) in [
        (["--sandbox", "crm.example.org", "--plant-key-file", "plant.key"], "Nothing was planted"),
        (["--sandbox", office.host(), "--plant-key-file", "crm.key"], "the bridge's own key"),
    ] {
        let output = office.run(&[&["prove", "--out", "proof"][..], &arguments].concat())?;
        ensure!(output.status.code() == Some(2) && text(&output).contains(says), "{}", text(&output));
    }
    std::fs::write(office.file("plant.key"), "a-key-that-may-not-write")?;
    let output = office.run(&office.planting())?;
    ensure!(output.status.code() == Some(2) && text(&output).contains("Needed rights"), "{}", text(&output));
    ensure!(office.records()? == before, "something was planted");
    ensure!(!office.file("proof/journal.json").exists(), "a journal of nothing was left");
    Ok(())
}

#[test]
fn markers_that_a_person_typed_in_prove_as_much() -> Result<()> {
    let office = Office::sandbox(&[])?;
    let output = office.run(&["prove", "--new-markers", "markers.toml"])?;
    ensure!(output.status.code() == Some(0), "{}", text(&output));
    let list = std::fs::read_to_string(office.file("markers.toml"))?;
    let value = |name: &str| -> Result<String> {
        let entry = list.split("[[marker]]").find(|entry| entry.contains(&format!("name = \"{name}\"")));
        let line = entry.and_then(|entry| entry.lines().find(|line| line.starts_with("value = ")));
        let value =
            line.and_then(|line| line.split('"').nth(1)).with_context(|| format!("no {name} in {list}"))?;
        Ok(value.to_owned())
    };
    let api = office.api();
    let made = |kind: &str, body: &Value| -> Result<String> {
        let record = api.post(&format!("/api/v1/{kind}"), body)?.expect(201)?;
        record["id"].as_str().map(str::to_owned).context("no id")
    };
    let company = made("companies", &json!({ "name": value("company_name")?, "iban": value("iban")? }))?;
    let person = made(
        "contacts",
        &json!({ "full_name": value("person_name")?, "email": value("person_email")?, "phone": value("person_phone")?,
            "mobile": value("person_mobile")?, "job_title": value("person_job_title")?, "city": value("person_city")?,
            "street": value("other")?, "time_zone": value("person_time_zone")?, "company_id": company }),
    )?;
    made(
        "deals",
        &json!({ "title": value("deal")?, "amount": value("price")?, "contact_id": person, "company_id": company }),
    )?;
    made("notes", &json!({ "text": value("note")?, "contact_id": person }))?;
    let output = office.run(&["prove", "--planted", "markers.toml", "--out", "proof"])?;
    ensure!(output.status.code() == Some(0), "{}", text(&output));
    let report: Value = serde_json::from_slice(&std::fs::read(office.file("proof/report.json"))?)?;
    ensure!(report["crm"]["planted"] == "by hand" && report["verdict"] == "green", "{report}");
    let why = words(&report, "not_driven", "why");
    ensure!(why.iter().any(|why| why.contains("crm_id")), "{why:?}");
    Ok(())
}

#[test]
fn a_run_against_tryton_is_green() -> Result<()> {
    let tryton = Tryton::prepare()?.start()?;
    let dir = tempfile::Builder::new().prefix("guichet-prove-").tempdir()?;
    let office = Office { crm: None, dir, url: tryton.address().to_owned() };
    let crm = format!("profile = \"tryton\"\nsettings = {{ database = \"{TRYTON_DATABASE}\" }}");
    office.set_up(&crm, &tryton.facts().key, &tryton.facts().admin_key)?;
    let (code, report) = office.proven(&[])?;
    ensure!(code == 0, "{} {}", report["found"], report["controls"]);
    ensure!(report["left"] == json!([]), "{}", report["left"]);
    drop(office.crm);
    Ok(())
}
