//! `crm-bridge prove` plants in each CRM as its preset says, and takes out again what it planted. The program itself is run,
//! as a data owner runs it, against the CRM as it is played on the wire.

use std::process::{Output, Stdio};
use std::sync::Arc;

use crm_bridge::connector::profile::{BUILT_IN, Profile};
use crm_fakes::switch::Fault;
use crm_fakes::{Crm, Fake, Running};
use db_kit::testing::block_on;
use serde_json::{Value, json};
use service_kit::Clock;
use tempfile::TempDir;

use super::kit::Preset;

/// What amoCRM's records are called once they are empty.
const EMPTIED: &str = "Removed test record";

/// A preset with what planting needs beside.
struct Row<C> {
    preset: Preset<C>,
    /// The key that may write.
    plant_key: &'static str,
    /// What differs for that key from the settings.
    plant_settings: &'static [&'static str],
    /// The CRM removes nothing, so what was planted is emptied.
    stays: bool,
}

impl<C> Row<C> {
    fn new(preset: Preset<C>, plant_key: &'static str) -> Self {
        Self { preset, plant_key, plant_settings: &[], stays: false }
    }
}

/// A CRM and the settings of a bridge beside it.
struct Office<C> {
    crm: Running<C>,
    dir: TempDir,
    settings: Vec<(String, String)>,
    plant_settings: &'static [&'static str],
    stays: bool,
}

impl<C: Crm> Office<C> {
    fn open(row: Row<C>) -> Self {
        let clock = Clock::system();
        let now = move || jiff::Timestamp::from_millisecond(clock.now().ms()).unwrap();
        let crm = Fake::new(Arc::new(now)).start(row.preset.crm).unwrap();
        let dir = tempfile::Builder::new().prefix("guichet-plant-").tempdir().unwrap();
        let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/field-policy.toml");
        std::fs::write(dir.path().join("plant.key"), row.plant_key).unwrap();
        let profile = dir.path().join("profile.toml");
        std::fs::write(&profile, unhurried(row.preset.name)).unwrap();
        let text = format!(
            "[crm]\nprofile = {profile:?}\nbase_url = \"{}{}\"\n[policy]\nfile = {policy:?}\n",
            crm.url, row.preset.base
        );
        std::fs::write(dir.path().join("bridge.toml"), text).unwrap();
        let mut settings = vec![("CRM__SECRET".to_owned(), row.preset.secret)];
        settings.extend(row.preset.settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
        Self { crm, dir, settings, plant_settings: row.plant_settings, stays: row.stays }
    }

    /// A whole run. Answers how it ended, what it said, and the report if there is one.
    async fn run(&self, without_walls: &[&str]) -> (i32, String, Value) {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_crm-bridge"));
        let host = self.crm.url.trim_start_matches("http://");
        command.arg("--config").arg(self.dir.path().join("bridge.toml")).current_dir(self.dir.path());
        command.args(["prove", "--sandbox", host, "--plant-key-file", "plant.key", "--out", "proof"]);
        command.args(self.plant_settings.iter().flat_map(|setting| ["--plant-setting", setting]));
        command.envs(self.settings.iter().map(|(name, value)| (format!("GUICHET_BRIDGE__{name}"), value)));
        if !without_walls.is_empty() {
            command.env("GUICHET_BRIDGE__SABOTAGE__WITHOUT", format!("{without_walls:?}"));
        }
        command.stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        let Output { status, stdout, stderr } = ended.unwrap();
        let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        let report = std::fs::read(self.dir.path().join("proof/report.json")).unwrap_or_default();
        (status.code().unwrap_or(-1), said, serde_json::from_slice(&report).unwrap_or_default())
    }

    fn log(&self) -> String {
        self.crm.log().lines().join("\n")
    }

    /// What was planted is there and says nothing.
    fn is_empty(&self) {
        assert_eq!(self.crm.world().made().len(), 5);
        self.crm.world().read(|people| {
            for person in people.persons.iter().filter(|person| person.number > 40) {
                assert_eq!((&*person.full_name(), person.email(), &*person.job_title), (EMPTIED, "", ""));
            }
        });
        let records = format!("{:?}", self.crm.world().shelf.there());
        assert!(records.contains(EMPTIED) && !records.contains("Pays from"), "{records}");
    }

    /// Nothing that was planted is in the CRM any more.
    fn is_clean(&self, said: &str) {
        if self.stays {
            self.is_empty();
        } else {
            assert_eq!(self.crm.world().made(), Vec::<String>::new(), "{said}\n{}", self.log());
        }
        assert!(!self.dir.path().join("proof/journal.json").exists(), "a journal was left: {said}");
    }
}

/// The profile of that name, or that text, whose CRM may be asked as often as a test likes.
fn unhurried(profile: &str) -> String {
    let built_in = BUILT_IN.iter().find(|(name, _)| *name == profile).map(|(_, text)| *text);
    let text = built_in.unwrap_or(profile);
    let often = |line: &str| {
        let slow = ["requests ", "burst "].iter().any(|key| line.starts_with(key)) && !line.contains('"');
        if slow { "# \n".to_owned() } else { format!("{line}\n") }
    };
    let text: String = text.lines().map(often).collect();
    text.lines().filter(|line| !line.starts_with("per_ms ")).map(|line| format!("{line}\n")).collect()
}

fn leaks(report: &Value) -> Vec<&str> {
    let mut leaks: Vec<&str> =
        report["found"].as_array().into_iter().flatten().filter_map(|found| found["leak"].as_str()).collect();
    leaks.sort_unstable();
    leaks.dedup();
    leaks
}

/// The run is green, has planted persons, a company, money and notes, and leaves nothing behind.
async fn green<C: Crm>(row: Row<C>) {
    let office = Office::open(row);
    let (code, said, report) = office.run(&[]).await;
    assert_eq!(code, 0, "{said}\n{}\n{}", report["controls"], office.log());
    assert_eq!((&report["verdict"], &report["left"]), (&json!("green"), &json!([])), "{report}");
    let hidden = |leak: &str| {
        report["markers"].as_array().into_iter().flatten().filter(|marker| marker["leak"] == leak).count()
    };
    for leak in ["deals", "money", "accounts", "notes", "misplaced"] {
        assert!(hidden(leak) > 0, "nothing of {leak} was planted");
    }
    let followed = report["driven"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|what| what.as_str().is_some_and(|what| what.starts_with("the following of what changes")));
    assert!(followed, "{}", report["not_driven"]);
    office.is_clean(&said);
}

/// Where somebody in the CRM writes the title of a deal behind a name, the run is red and says that it is a deal.
async fn red<C: Crm>(row: Row<C>) {
    let office = Office::open(row);
    office.crm.switch().always(Fault::DealInName);
    let (code, said, report) = office.run(&[]).await;
    assert_eq!((code, &report["verdict"]), (1, &json!("red")), "{said}\n{}", office.log());
    // Where the CRM has no deals, it is an invoice.
    assert!(matches!(leaks(&report)[..], ["deals"] | ["money"]), "{said}");
    office.is_clean(&said);
}

/// With walls taken away, what the CRM sends too much of is in the answers, and the run says so.
#[cfg(feature = "sabotage")]
async fn without_walls<C: Crm>(row: Row<C>) {
    let office = Office::open(row);
    office.crm.switch().always(Fault::SelectionIgnored);
    office.crm.switch().always(Fault::EmbedDeals);
    let (code, said, report) = office.run(&["ask", "parse", "exit"]).await;
    assert_eq!((code, &report["verdict"]), (1, &json!("red")), "{said}\n{}", office.log());
    for leak in ["deals", "notes"] {
        assert!(leaks(&report).contains(&leak), "{leak} of {:?}: {said}", leaks(&report));
    }
    office.is_clean(&said);
}

/// Bitrix24 with a bucket that a test can't fill.
fn roomy_bitrix24() -> Preset<crm_fakes::bitrix24::Bitrix24> {
    let mut preset = super::bitrix24::preset();
    preset.crm.bucket_holds = 1e9;
    preset
}

macro_rules! rows {
    ($($name:ident: $row:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn a_run_is_green_and_takes_out_what_it_planted() {
                block_on(green($row));
            }

            #[test]
            fn a_deal_behind_a_name_is_named_as_a_leak() {
                block_on(red($row));
            }
        }
    )*};
}

rows! {
    hubspot: Row::new(
        super::super::hubspot::preset(crm_fakes::hubspot::HubSpot { lag_s: 2, ..Default::default() }),
        crm_fakes::hubspot::PLANT_TOKEN,
    );
    espocrm: Row::new(super::super::espocrm::preset(), crm_fakes::espocrm::EspoCrm::PLANT_KEY);
    odoo: Row::new(super::super::odoo::json2(), crm_fakes::odoo::OdooJson2::PLANT_KEY);
    odoo_rpc: Row {
        plant_settings: &["login=planter@company.example"],
        ..Row::new(super::super::odoo::rpc(), crm_fakes::odoo::OdooRpc::PLANT_KEY)
    };
    salesforce: Row::new(
        super::super::salesforce::preset(crm_fakes::salesforce::Salesforce::default()),
        crm_fakes::salesforce::PLANT_SECRET,
    );
    dataverse: Row::new(super::super::dataverse::preset(), crm_fakes::dataverse::PLANT_SECRET);
    pipedrive: Row::new(super::super::pipedrive::preset(), crm_fakes::pipedrive::PLANT_TOKEN);
    bitrix24: Row { plant_settings: &["user=8"], ..Row::new(roomy_bitrix24(), crm_fakes::bitrix24::PLANT_SECRET) };
    zoho: Row::new(
        super::super::zoho::preset(crm_fakes::zoho::Zoho::default()),
        crm_fakes::zoho::PLANT_REFRESH_TOKEN,
    );
    suitecrm: Row::new(super::super::suitecrm::preset(), crm_fakes::suitecrm::SuiteCrm::PLANT_SECRET);
    twenty: Row::new(super::super::twenty::preset(Default::default()), crm_fakes::twenty::Twenty::PLANT_KEY);
    vtiger: Row {
        plant_settings: &["user=planter"],
        ..Row::new(super::super::vtiger::preset(), crm_fakes::vtiger::Vtiger::PLANT_KEY)
    };
    frappe: Row {
        plant_settings: &["api_key=2d4c36a1c0f9b7e"],
        ..Row::new(super::super::frappe::preset(), crm_fakes::frappe::Frappe::PLANT_SECRET)
    };
    dolibarr: Row::new(
        super::super::dolibarr::preset(Default::default()),
        crm_fakes::dolibarr::Dolibarr::PLANT_KEY,
    );
    amocrm: Row { stays: true, ..Row::new(super::super::amocrm::preset(), crm_fakes::amocrm::PLANT_TOKEN) };
}

/// Of CRMs that refuse no name of a member, which a bridge without its first wall asks for, too.
#[cfg(feature = "sabotage")]
#[test]
fn without_walls_a_run_is_red() {
    block_on(async {
        without_walls(Row::new(super::espocrm::preset(), crm_fakes::espocrm::EspoCrm::PLANT_KEY)).await;
        without_walls(Row {
            plant_settings: &["user=planter"],
            ..Row::new(super::vtiger::preset(), crm_fakes::vtiger::Vtiger::PLANT_KEY)
        })
        .await;
        let amocrm = Row::new(super::amocrm::preset(), crm_fakes::amocrm::PLANT_TOKEN);
        without_walls(Row { stays: true, ..amocrm }).await;
    });
}

/// A CRM that is asked too often says so, and is waited for.
#[test]
fn planting_waits_where_the_crm_wants_a_pause() {
    block_on(async {
        let preset = super::pipedrive::preset();
        let office = Office::open(Row::new(preset, crm_fakes::pipedrive::PLANT_TOKEN));
        office.crm.switch().on(Fault::Throttle, 2);
        let (code, said, _) = office.run(&[]).await;
        assert_eq!(code, 0, "{said}\n{}", office.log());
        office.is_clean(&said);
    });
}

#[test]
fn every_preset_says_how_its_crm_is_planted() {
    for (name, text) in BUILT_IN {
        let profile = Profile::load(text).unwrap();
        let template = *name == "generic-rest";
        assert!(profile.plant.is_some() || template, "{name} has no [plant]");
    }
}
