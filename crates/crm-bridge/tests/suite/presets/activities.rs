//! Events of tickets, written into the customer's history in each CRM that has a place for them: to the right record, in
//! order, as a text that can't be anything else, and nothing else is ever written.

use crm_fakes::Crm;
use crm_fakes::dolibarr::Dolibarr;
use crm_fakes::salesforce::Salesforce;
use crm_fakes::switch::Fault;
use crm_fakes::zoho::Zoho;
use db_kit::testing::block_on;

use super::kit::Preset;
use super::outward::Outward;
use super::{
    amocrm, bitrix24, dataverse, dolibarr, espocrm, frappe, generic_rest, hubspot, odoo, pipedrive,
    salesforce, suitecrm, vtiger, zoho,
};

const SUBJECT: &str = "Coupling \"stuck\" <img src=x> & {customer_id} 'quoted' \\ é";

/// How a note of this CRM is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Note {
    Text,
    Html,
    /// What happened, without the subject.
    EventOnly,
}

async fn events_stand_in_the_history<C: Crm>(preset: Preset<C>, note: Note) {
    let desk = Outward::with_history(preset).await;
    let customer_ref = desk.stage.matched(10_001, desk.stage.crm.person(3).email()).await;
    desk.tells(10_001, 2, &customer_ref, SUBJECT, "new").await;
    assert_eq!(desk.deliver().await, 1);
    assert_eq!(desk.stage.crm.notes().len(), 1, "{}", desk.stage.crm.log().lines().join("\n"));

    // It asks for patience; nothing is lost, and nothing overtakes.
    desk.stage.crm.switch().on(Fault::Throttle, 1);
    desk.tells(10_001, 3, &customer_ref, SUBJECT, "resolved").await;
    desk.tells(10_001, 4, &customer_ref, SUBJECT, "open").await;
    desk.deliver().await;
    assert_eq!(desk.stage.crm.notes().len(), 1, "{}", desk.stage.crm.log().lines().join("\n"));
    desk.stage.town.clock.advance_ms(900_000);
    assert_eq!(desk.deliver().await, 2);
    assert_eq!(desk.deliver().await, 0, "each is told once");

    let notes = desk.stage.crm.notes();
    let read = |text: &str| {
        let plain = |text: &str| {
            let of = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
            of.iter().fold(text.to_owned(), |text, (entity, letter)| text.replace(entity, letter))
        };
        if note == Note::Html {
            assert!(!text.contains(['<', '>']), "{text}");
            plain(text)
        } else {
            text.to_owned()
        }
    };
    let happened = ["was opened (now: new)", "is resolved (now: resolved)", "has changed (now: open)"];
    assert_eq!(notes.len(), 3, "{notes:?}");
    for (written, happened) in notes.iter().zip(happened) {
        let text = read(&written.text);
        assert_eq!(written.person, 3, "{text}");
        assert!(text.contains(&format!("Support ticket 10001 {happened}")), "{text}");
        assert!(note == Note::EventOnly || text.contains(SUBJECT), "{text}");
        for word in ["urgent", "77", "cus_", "line"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
    desk.stage.nothing_came_through(&desk.script).await;
}

macro_rules! events_stand_in_the_history_of {
    ($($name:ident: $preset:expr, $note:expr;)*) => {
        $(#[test]
        fn $name() {
            block_on(async { events_stand_in_the_history($preset, $note).await });
        })*

        #[test]
        fn every_preset_that_writes_a_history_is_driven_here() {
            let here = [$(stringify!($name)),*];
            let profiles = crm_bridge::connector::profile::BUILT_IN.iter();
            for (name, text) in profiles {
                let profile = crm_bridge::connector::profile::Profile::load(text).unwrap();
                let driven = here.contains(&format!("events_in_{}", name.replace('-', "_")).as_str());
                // The sandbox CRM's history is in `crm_api/deliveries.rs`.
                assert_eq!(profile.activity.is_some() && *name != "sandbox", driven, "{name}");
            }
        }
    };
}

events_stand_in_the_history_of! {
    events_in_amocrm: amocrm::preset(), Note::Text;
    events_in_bitrix24: bitrix24::preset(), Note::Text;
    events_in_dataverse: dataverse::preset(), Note::Text;
    events_in_dolibarr: dolibarr::preset(Dolibarr::default()), Note::Text;
    events_in_espocrm: espocrm::preset(), Note::Text;
    events_in_frappe: frappe::preset(), Note::Html;
    events_in_contora: generic_rest::preset(), Note::EventOnly;
    events_in_hubspot: hubspot::preset(hubspot::prompt()), Note::Html;
    events_in_odoo: odoo::json2(), Note::Text;
    events_in_odoo_rpc: odoo::rpc(), Note::Html;
    events_in_pipedrive: pipedrive::preset(), Note::Html;
    events_in_salesforce: salesforce::preset(Salesforce::default()), Note::Text;
    events_in_suitecrm: suitecrm::preset(), Note::Text;
    events_in_vtiger: vtiger::preset(), Note::Text;
    events_in_zoho: zoho::preset(Zoho::default()), Note::Text;
}
