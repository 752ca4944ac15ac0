//! Twenty, of all ages.

use crm_fakes::switch::Fault;
use crm_fakes::twenty::Twenty;
use db_kit::testing::block_on;

use super::kit::{self, Preset, Stage};

pub(super) fn preset(crm: Twenty) -> Preset<Twenty> {
    Preset {
        name: "twenty",
        secret: Twenty::API_KEY.to_owned(),
        settings: Vec::new(),
        base: "",
        crm,
        id: |_, number| Twenty::person_id(number),
        names: &[
            "city",
            "companyId",
            "domainName",
            "emails",
            "id",
            "jobTitle",
            "language",
            "name",
            "phones",
            "serviceLevel",
            "supportUntil",
            "timeZone",
            "updatedAt",
        ],
        by_phone: false,
        fields: &[
            "person.name",
            "company.name",
            "company.website",
            "person.job_title",
            "person.email",
            "person.phone",
            "person.service_level",
            "person.support_until",
            "person.language",
            "person.time_zone",
            "person.city",
        ],
    }
}

#[test]
fn people_of_twenty_are_found_and_shown_whether_it_knows_fields_or_ignores_depth() {
    block_on(async {
        for (knows_fields, ignores_depth) in [(true, false), (false, false), (false, true)] {
            let (stage, script) = Stage::set(preset(Twenty { knows_fields, ignores_depth })).await;
            kit::people_are_found_and_shown(&stage, &script).await;
            let unexpected = stage.town.bridge.connector.watch().unexpected_count();
            assert!(knows_fields || unexpected > 0, "over-sharing is counted");
            stage.nothing_came_through(&script).await;
        }
    });
}

#[test]
fn lists_of_twenty_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Twenty::default())).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_twenty_has_a_reason() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Twenty::default())).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "not_json");
        stage.nothing_came_through(&script).await;
    });
}
