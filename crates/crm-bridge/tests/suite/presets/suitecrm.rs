//! SuiteCRM.

use crm_fakes::suitecrm::{SuiteCrm, TOKEN_LASTS_S};
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;
use serde_json::json;

use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<SuiteCrm> {
    Preset {
        name: "suitecrm",
        secret: SuiteCrm::CLIENT_SECRET.to_owned(),
        settings: vec![("CRM__SETTINGS__CLIENT_ID", SuiteCrm::CLIENT_ID.to_owned())],
        base: "",
        crm: SuiteCrm::default(),
        id: |_, number| SuiteCrm::contact_id(number),
        names: &[
            "account_name",
            "date_modified",
            "email1",
            "email2",
            "first_name",
            "language_c",
            "last_name",
            "phone_mobile",
            "phone_work",
            "primary_address_city",
            "service_level_c",
            "support_until_c",
            "title",
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
fn people_of_suitecrm_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_suitecrm_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_suitecrm_has_a_reason() {
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

#[test]
fn the_token_of_suitecrm_is_renewed_when_it_ends_and_when_it_is_refused() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        let tokens = || stage.crm.log().count_of("access_token");
        stage.matched(1, stage.crm.person(2).email()).await;
        stage.matched(2, stage.crm.person(3).email()).await;
        assert_eq!(tokens(), 1, "one token serves many questions");
        stage.town.clock.advance_ms(TOKEN_LASTS_S * 1000);
        stage.matched(3, stage.crm.person(4).email()).await;
        assert_eq!(tokens(), 2);
        stage.crm.switch().on(Fault::TokenExpired, 1);
        stage.matched(4, stage.crm.person(6).email()).await;
        assert_eq!(tokens(), 3, "{}", stage.crm.log().lines().join("\n"));
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_wrong_secret_of_suitecrm_is_told_apart_from_a_crm_that_is_away() {
    block_on(async {
        let preset = Preset { secret: "wrong".to_owned(), ..preset() };
        let (stage, _) = Stage::set(preset).await;
        let (status, body) = stage.resolve(1, json!({ "email": "zoe.weiss@muller-sohne.example" })).await;
        assert_eq!((status, body["reason"].as_str()), (503, Some("credentials")), "{body}");
    });
}
