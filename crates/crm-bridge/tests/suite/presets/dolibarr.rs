//! Dolibarr, old and new.

use crm_fakes::dolibarr::Dolibarr;
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;
use serde_json::json;

use super::kit::{self, Preset, Stage};

pub(super) fn preset(crm: Dolibarr) -> Preset<Dolibarr> {
    Preset {
        name: "dolibarr",
        secret: Dolibarr::KEY.to_owned(),
        settings: vec![("CRM__SETTINGS__ZONE", "UTC".to_owned())],
        base: "",
        crm,
        id: |_, number| Dolibarr::contact_id(number),
        names: &[
            "array_options",
            "date_modification",
            "default_lang",
            "email",
            "firstname",
            "id",
            "lastname",
            "phone_mobile",
            "phone_pro",
            "poste",
            "socname",
            "town",
        ],
        by_phone: true,
        fields: &[
            "person.name",
            "company.name",
            "person.job_title",
            "person.email",
            "person.phone",
            "person.mobile",
            "person.service_level",
            "person.support_until",
            "person.city",
        ],
    }
}

#[test]
fn people_of_dolibarr_are_found_and_shown_whether_it_heeds_the_selection_or_not() {
    block_on(async {
        for knows_properties in [false, true] {
            let (stage, script) =
                Stage::set(preset(Dolibarr { knows_properties, without_right: false })).await;
            kit::people_are_found_and_shown(&stage, &script).await;
            stage.matched(20, stage.crm.person(29).email()).await;
            stage.nothing_came_through(&script).await;
        }
    });
}

#[test]
fn lists_of_dolibarr_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Dolibarr::default())).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_dolibarr_has_a_reason_and_a_missing_right_is_one() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Dolibarr::default())).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "not_json");
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(16, stage.crm.person(16).email()).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
        let (poor, _) = Stage::set(preset(Dolibarr { without_right: true, knows_properties: false })).await;
        assert_eq!(poor.reason("zoe.weiss@muller-sohne.example").await, "credentials");
    });
}

#[test]
fn an_address_can_not_become_a_condition_of_dolibarr() {
    block_on(async {
        let (stage, script) = Stage::set(preset(Dolibarr::default())).await;
        let nasty = json!({ "email": "x')or(t.note_private:like:'%@x.example" });
        let (_, body) = stage.resolve(1, nasty).await;
        assert_ne!(body["outcome"]["kind"], "match", "{body}");
        let fine = |line: &String| !line.contains("note_private");
        assert!(stage.crm.log().lines().iter().all(fine), "{:?}", stage.crm.log().lines());
        stage.crm.log().clear();
        stage.matched(2, stage.crm.person(2).email()).await;
        stage.nothing_came_through(&script).await;
    });
}
