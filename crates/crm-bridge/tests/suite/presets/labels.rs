//! What each CRM calls its fields, asked on the wire and judged: a label speaks where a name says nothing, and where
//! somebody gave a field another meaning.

use crm_bridge::app::field_labels::{Judged, judge};
use crm_fakes::Crm;
use crm_fakes::hubspot::HubSpot;
use crm_fakes::salesforce::Salesforce;
use crm_fakes::switch::Fault;
use crm_fakes::zoho::Zoho;
use db_kit::testing::block_on;

use super::aid::altered;
use super::kit::{Preset, Stage};
use super::{amocrm, bitrix24, dataverse, hubspot, odoo, pipedrive, salesforce, vtiger, zoho};

async fn judged<C: Crm>(stage: &Stage<C>) -> Judged {
    judge(&stage.town.bridge.connector, &stage.town.bridge.policy).await.unwrap()
}

/// The usual policy is not spoken against; then somebody fills the field for job titles with credit limits.
async fn a_field_with_another_meaning_is_noticed<C: Crm>(preset: Preset<C>, job_title: &str) {
    let (stage, _) = Stage::set(preset).await;
    let before = judged(&stage).await;
    let Judged::Compared { fields, .. } = before else {
        panic!("{before:?}\n{}", stage.crm.log().lines().join("\n"))
    };
    assert!(fields > 3 && !before.refuses(), "{before:?}");

    stage.crm.relabel(job_title, "Credit limit");
    let after = judged(&stage).await;
    let refused: Vec<&str> = after
        .remarks()
        .iter()
        .filter(|remark| remark.refused)
        .map(|remark| remark.message.as_str())
        .collect();
    assert!(
        matches!(refused[..], [one] if one.starts_with("person.job_title") && one.contains("\"Credit limit\"")),
        "{after:?}"
    );

    stage.crm.switch().on(Fault::ServerError, 1);
    let silent = judged(&stage).await;
    assert_eq!(silent, Judged::Silent { reason: "server_error" });
    assert!(silent.sentence().contains("server_error") && !silent.refuses());
    assert!(stage.crm.log().forbidden().is_empty(), "{:#?}", stage.crm.log().forbidden());
    assert!(stage.crm.notes().is_empty(), "read-only");
}

macro_rules! labels_of {
    ($($name:ident: $preset:expr, $job_title:expr;)*) => {
        $(#[test]
        fn $name() {
            block_on(async { a_field_with_another_meaning_is_noticed($preset, $job_title).await });
        })*

        #[test]
        fn every_preset_that_can_ask_for_labels_is_driven_here() {
            let here = [$(stringify!($name)),*];
            for (name, text) in crm_bridge::connector::profile::BUILT_IN {
                let profile = crm_bridge::connector::profile::Profile::load(text).unwrap();
                let driven = here.contains(&format!("labels_of_{}", name.replace('-', "_")).as_str());
                assert_eq!(profile.metadata.is_some(), driven, "{name}");
            }
        }
    };
}

labels_of! {
    labels_of_amocrm: amocrm::preset(), "POSITION";
    labels_of_bitrix24: bitrix24::preset(), "POST";
    labels_of_dataverse: dataverse::preset(), "jobtitle";
    labels_of_hubspot: hubspot::preset(HubSpot::default()), "jobtitle";
    labels_of_odoo: odoo::json2(), "function";
    labels_of_odoo_rpc: odoo::rpc(), "function";
    labels_of_pipedrive: pipedrive::preset(), "job_title";
    labels_of_salesforce: salesforce::preset(Salesforce::default()), "Title";
    labels_of_vtiger: vtiger::preset(), "title";
    labels_of_zoho: zoho::preset(Zoho::default()), "Title";
}

/// A profile whose author took an opaque field for something harmless: every check without the CRM passes.
async fn an_opaque_name_is_judged_by_its_label<C: Crm>(preset: Preset<C>, name: &str, label: &str) {
    let (stage, _) = Stage::set(preset).await;
    let judged = judged(&stage).await;
    let refused: Vec<&str> = judged
        .remarks()
        .iter()
        .filter(|remark| remark.refused)
        .map(|remark| remark.message.as_str())
        .collect();
    assert!(
        matches!(refused[..], [one] if one.contains(name) && one.contains(&format!("\"{label}\""))),
        "{judged:?}"
    );
    stage.crm.relabel(name, "Line of work");
    let harmless = self::judged(&stage).await;
    assert!(!harmless.refuses(), "{harmless:?}");
    let calls_it = |message: &str| message.contains("\"Craft\"") && message.contains("\"Line of work\"");
    assert!(harmless.remarks().iter().any(|remark| calls_it(&remark.message)), "{harmless:?}");
}

#[test]
fn a_custom_field_is_refused_for_its_label_in_pipedrive() {
    let name = "5a63f88ad4a2c3a1f3d0b9c7e1d2c4b6a8f0e1d3";
    let source = format!("job_title = {{ at = \"/custom_fields/{name}\", label = \"Craft\" }}");
    let file = altered("pipedrive", &[("job_title = \"/job_title\"", &source)]);
    let preset = Preset { name: file, ..pipedrive::preset() };
    block_on(async { an_opaque_name_is_judged_by_its_label(preset, name, "Credit limit").await });
}

#[test]
fn a_custom_field_is_refused_for_its_label_in_bitrix24() {
    let source = "job_title = { at = \"/UF_CRM_1678886401\", label = \"Craft\" }";
    let file = altered("bitrix24", &[("job_title = \"/POST\"", source)]);
    let preset = Preset { name: file, ..bitrix24::preset() };
    block_on(async {
        an_opaque_name_is_judged_by_its_label(preset, "UF_CRM_1678886401", "Credit limit").await
    });
}

#[test]
fn a_custom_field_is_refused_for_its_label_in_amocrm() {
    let usual = "job_title = { each = \"/custom_fields_values\", where = { field_code = \"POSITION\" }, in = \"/values\", take = \"/value\" }";
    let source = "job_title = { each = \"/custom_fields_values\", where = { field_id = 771002 }, in = \"/values\", take = \"/value\", label = \"Craft\" }";
    let preset = Preset { name: altered("amocrm", &[(usual, source)]), ..amocrm::preset() };
    block_on(async {
        an_opaque_name_is_judged_by_its_label(preset, "771002", "Лимит кредита").await
    });
}
