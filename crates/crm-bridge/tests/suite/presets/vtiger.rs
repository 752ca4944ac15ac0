//! vtiger.

use crm_fakes::switch::Fault;
use crm_fakes::vtiger::Vtiger;
use db_kit::testing::block_on;

use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<Vtiger> {
    Preset {
        name: "vtiger",
        secret: Vtiger::ACCESS_KEY.to_owned(),
        settings: vec![("CRM__SETTINGS__USER", Vtiger::USER.to_owned())],
        base: "",
        crm: Vtiger,
        id: |_, number| Vtiger::contact_id(number),
        names: &[
            "account_id",
            "accountname",
            "cf_language",
            "cf_service_level",
            "contact_no",
            "email",
            "firstname",
            "id",
            "lastname",
            "mailingcity",
            "mobile",
            "modifiedtime",
            "phone",
            "secondaryemail",
            "support_end_date",
            "title",
            "website",
        ],
        by_phone: true,
        fields: &[
            "person.name",
            "company.name",
            "company.website",
            "person.job_title",
            "person.email",
            "person.phone",
            "person.mobile",
            "person.service_level",
            "person.support_until",
            "person.language",
            "person.city",
            "person.customer_number",
        ],
    }
}

#[test]
fn people_of_vtiger_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        stage.matched(20, stage.crm.person(29).email()).await;
        stage.matched(21, &stage.crm.person(4).emails[1]).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_vtiger_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn errors_of_vtiger_that_come_as_200_are_errors() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "error_inside");
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(16, stage.crm.person(16).email()).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}
