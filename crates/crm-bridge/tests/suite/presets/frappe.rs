//! Frappe.

use crm_fakes::frappe::Frappe;
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;

use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<Frappe> {
    Preset {
        name: "frappe",
        secret: Frappe::API_SECRET.to_owned(),
        settings: vec![
            ("CRM__SETTINGS__API_KEY", Frappe::API_KEY.to_owned()),
            ("CRM__SETTINGS__ZONE", Frappe::ZONE.to_owned()),
        ],
        base: "",
        crm: Frappe,
        id: |people, number| {
            let person = people.person(number).unwrap();
            Frappe::name(person, people.company_of(person))
        },
        names: &[
            "company_name",
            "custom_city",
            "custom_language",
            "custom_service_level",
            "custom_support_until",
            "designation",
            "email_id",
            "first_name",
            "full_name",
            "last_name",
            "mobile_no",
            "modified",
            "name",
            "phone",
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
            "person.language",
            "person.city",
        ],
    }
}

#[test]
fn people_of_frappe_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        // Names are ids there, with quotes and all.
        let bob = stage.crm.person(32);
        let customer_ref = stage.matched(20, bob.email()).await;
        stage.town.later();
        let (status, card) = stage.card(20, &customer_ref, bridge_contract::ViewerRole::Line1).await;
        assert_eq!((status, &card["stale"]), (200, &serde_json::json!(false)), "{card}");
        assert_eq!(stage.crm.log().count_of("/Contact/"), 0, "a single document would come whole");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_frappe_are_complete_and_follow_changes_in_the_zone_of_the_site() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_frappe_has_a_reason() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::ErrorIn200, 1);
        assert_eq!(stage.reason(stage.crm.person(15).email()).await, "not_json");
        stage.crm.switch().always(Fault::SelectionIgnored);
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(16, stage.crm.person(16).email()).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}
