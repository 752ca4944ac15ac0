//! Pages that shift while they are read: somebody is changed again, everybody behind moves up by one, and whoever stood first on
//! the next page is on none. Nobody may be missed by that.

use std::path::Path;

use crm_bridge::app::sync::run_due;
use crm_fakes::Crm;
use crm_fakes::people::{People, TWIN, TWIN_OF};
use crm_fakes::salesforce::Salesforce;
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;

use super::aid::altered;
use super::kit::{Preset, Stage};
use super::{
    amocrm, bitrix24, dataverse, dolibarr, espocrm, frappe, generic_rest, hubspot, odoo, pipedrive,
    salesforce, suitecrm, twenty, vtiger, zoho,
};
use crate::support::field;

/// The profile with pages of seven.
fn small(profile: &str) -> &'static str {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../config/profiles/{profile}.toml"));
    let is_text = profile.contains('\n');
    let file = if profile.ends_with(".toml") { Path::new(profile) } else { &own };
    let text = if is_text { profile.to_owned() } else { std::fs::read_to_string(file).unwrap() };
    let size = text.lines().find(|line| line.starts_with("size_max")).unwrap();
    let text = text.replacen(&format!("\n{size}\n"), "\nsize_max = 7\n", 1);
    Box::leak(text.into_boxed_str())
}

/// Many change, and are followed while the pages shift; the first copy was made so, too.
async fn nobody_is_missed<C: Crm>(mut preset: Preset<C>, people: u32, shifts: bool) {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let text = include_str!("../../../../../config/field-policy.toml");
    let copy = "copy = \"customers phone in and the CRM is away at night\"\n\n[person.name]";
    std::fs::write(&policy, text.replacen("[person.name]", copy, 1)).unwrap();
    preset.settings.push(("POLICY__FILE", policy.display().to_string()));
    preset.settings.push(("LIMITS__RECORDS_MAX", "1000".to_owned()));
    let (stage, _) = Stage::among(preset, People::many(people)).await;
    let follow = async |seconds: i64| {
        stage.town.clock.advance_ms(seconds * 1_000);
        let followed = run_due(&stage.town.bridge).await;
        followed.unwrap_or_else(|error| panic!("{error}\n{}", stage.crm.log().lines().join("\n")))
    };
    stage.crm.switch().on(Fault::PageShift, 1);
    for _ in 0..4 {
        follow(60).await;
    }
    let store = &stage.town.bridge.sync.as_ref().unwrap().store;
    let living = stage.crm.world().read(|people| people.living().count());
    assert_eq!(store.rows().await.unwrap(), i64::try_from(living).unwrap(), "the first copy");

    // Everybody, so that whoever moves leaves a gap, and so far apart that the usual look back does not reach it.
    let numbers: Vec<u32> =
        stage.crm.world().read(|people| people.living().map(|person| person.number).collect());
    for number in &numbers {
        stage.town.clock.advance_ms(120_000);
        stage.crm.change(*number, |person| person.job_title = format!("Changed {number}"));
    }
    stage.crm.switch().on(Fault::PageShift, 1);
    follow(60).await;
    assert_eq!(
        !stage.crm.switch().is_on(Fault::PageShift),
        shifts,
        "whether pages are counted from the beginning"
    );
    for _ in 0..2 {
        follow(600).await;
    }
    // What the copy says, whoever is away.
    stage.crm.switch().always(Fault::ServerError);
    for (ticket, number) in
        (1..).zip(numbers.iter().filter(|number| ![TWIN, TWIN_OF].contains(*number)).take(28))
    {
        let person = stage.crm.person(*number);
        let customer_ref = stage.matched(ticket, person.email()).await;
        let (status, card) = stage.card(ticket, &customer_ref, bridge_contract::ViewerRole::Supervisor).await;
        assert_eq!(status, 200, "{card}");
        assert_eq!(field(&card, "person.job_title")["value"], person.job_title, "{number}");
    }
}

fn small_salesforce() -> Salesforce {
    let mut crm = Salesforce::default();
    crm.page = 7;
    crm
}

macro_rules! shifting {
    ($($name:ident: $preset:expr;)+) => {$(
        #[test]
        fn $name() {
            block_on(async {
                let preset = $preset;
                nobody_is_missed(Preset { name: small(preset.name), ..preset }, 40, true).await;
            });
        }
    )+};
}

shifting! {
    nobody_is_missed_by_pages_of_amocrm: amocrm::preset();
    nobody_is_missed_by_pages_of_dataverse: dataverse::preset();
    nobody_is_missed_by_pages_of_dolibarr: dolibarr::preset(Default::default());
    nobody_is_missed_by_pages_of_espocrm: espocrm::preset();
    nobody_is_missed_by_pages_of_frappe: frappe::preset();
    nobody_is_missed_by_pages_of_a_crm_that_nobody_has_seen: generic_rest::preset();
    nobody_is_missed_by_pages_of_odoo: odoo::json2();
    nobody_is_missed_by_pages_of_odoo_rpc: odoo::rpc();
    nobody_is_missed_by_pages_of_pipedrive: pipedrive::preset();
    nobody_is_missed_by_pages_of_salesforce: salesforce::preset(small_salesforce());
    nobody_is_missed_by_pages_of_suitecrm: suitecrm::preset();
    nobody_is_missed_by_pages_of_twenty: twenty::preset(Default::default());
    nobody_is_missed_by_pages_of_vtiger: vtiger::preset();
    nobody_is_missed_by_pages_of_zoho: zoho::preset(Default::default());
}

#[test]
fn nobody_is_missed_by_pages_of_hubspot() {
    block_on(async {
        let sizes = [
            ("size_max = 100, cap = 10000", "size_max = 7, cap = 14"),
            ("\nsize_max = 100\n", "\nsize_max = 7\n"),
        ];
        let crm = crm_fakes::hubspot::HubSpot { hits_max: 14, ..hubspot::prompt() };
        let preset = Preset { name: altered("hubspot", &sizes), ..hubspot::preset(crm) };
        nobody_is_missed(preset, 40, true).await;
    });
}

#[test]
fn nobody_is_missed_by_pages_of_bitrix24() {
    // Its pages have fifty, whatever is asked for; they begin after an id and so can't shift.
    block_on(async { nobody_is_missed(bitrix24::preset(), 110, false).await });
}
