//! amoCRM.

use crm_fakes::amocrm::{AmoCrm, id};
use crm_fakes::switch::Fault;
use db_kit::testing::block_on;
use serde_json::json;

use super::kit::{self, Preset, Stage};

pub(super) fn preset() -> Preset<AmoCrm> {
    let crm = AmoCrm::default();
    Preset {
        name: "amocrm",
        secret: crm.client_secret.clone(),
        settings: vec![
            ("CRM__SETTINGS__CLIENT_ID", crm.client_id.clone()),
            ("CRM__SETTINGS__REDIRECT_URI", crm.redirect_uri.clone()),
            ("CRM__SECRETS__REFRESH_TOKEN", crm.first_refresh_token.clone()),
        ],
        base: "",
        crm,
        id: |_, number| id(number).to_string(),
        names: &[],
        by_phone: true,
        fields: &[
            "person.name",
            "company.name",
            "company.website",
            "person.job_title",
            "person.email",
            "person.phone",
        ],
    }
}

#[test]
fn people_of_amocrm_are_found_and_shown_with_what_is_listed_and_nothing_else() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::people_are_found_and_shown(&stage, &script).await;
        assert!(stage.town.bridge.connector.watch().unexpected_count() > 0, "over-sharing is counted");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_fuzzy_hit_of_amocrm_is_not_taken_for_one() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        // amoCRM answers with olga@neva.example.
        let (_, body) = stage.resolve(1, json!({ "email": "olga@elsewhere.example" })).await;
        assert_eq!(body["outcome"]["kind"], "none", "{body}");
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn lists_of_amocrm_are_complete_and_follow_changes() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        kit::lists_are_complete_and_follow_changes(&stage, &script).await;
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn a_refresh_token_of_amocrm_is_used_once_and_the_next_one_kept() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        stage.matched(1, stage.crm.person(2).email()).await;
        assert_eq!(stage.crm.log().count_of("/oauth2/"), 1);
        let first = stage.crm.crm.refresh_token();
        stage.town.clock.advance_ms(86_400_000);
        stage.matched(2, stage.crm.person(3).email()).await;
        assert_eq!(stage.crm.log().count_of("/oauth2/"), 2);
        assert_ne!(stage.crm.crm.refresh_token(), first);
        stage.crm.switch().on(Fault::TokenExpired, 1);
        stage.matched(3, stage.crm.person(4).email()).await;
        let refused = stage.crm.log().seen().into_iter().filter(|seen| seen.status == 400).count();
        assert_eq!(refused, 0, "{:#?}", stage.crm.log().lines());
        stage.nothing_came_through(&script).await;
    });
}

#[test]
fn trouble_with_amocrm_has_a_reason_and_nobody_is_locked_out() {
    block_on(async {
        let (stage, script) = Stage::set(preset()).await;
        // With a token in hand, so that the trouble is not with the token.
        stage.matched(13, stage.crm.person(12).email()).await;
        kit::trouble_has_a_reason(&stage).await;
        stage.crm.switch().on(Fault::Throttle, 1);
        let email = stage.crm.person(15).email().to_owned();
        for _ in 0..6 {
            stage.reason(&email).await;
        }
        stage.town.clock.advance_ms(900_000);
        stage.matched(15, &email).await;
        assert!(
            stage.crm.log().seen().iter().all(|seen| seen.status != 403),
            "{:#?}",
            stage.crm.log().lines()
        );
        stage.crm.switch().always(Fault::EmbedDeals);
        stage.matched(16, stage.crm.person(16).email()).await;
        stage.nothing_came_through(&script).await;
    });
}
